/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection to a target, from its socket to its result: TCP connect, or an HTTP request
 * over libcurl's multi interface, on the event loop. Loop's thread only. Nothing here knows
 * of verdicts, intervals or timeouts: the owner aborts what takes too long.
 *
 * TCP probes and all through the tunnel are closed by a reset (SO_LINGER 0), so that tens of
 * thousands of them to one VIP leave no port in TIME_WAIT; direct HTTP closes as clients do.
 */
#ifndef HEALTHCHECK_ATTEMPT_H
#define HEALTHCHECK_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "weir/health.h"

struct attempt;
struct http;
struct lane;
struct loop;

/** More connections than this at one time are not made; their probes say nothing. */
#define ATTEMPTS_MAX 16384u
/** An HTTP answer is read this far. */
#define ATTEMPT_BODY_MAX 65536u

/** What to connect to; borrowed, with all it points to, until the attempt has ended or passed on. */
struct attempt_spec {
	struct addr address;
	uint16_t port;
	/** SO_MARK; 0: none. A marked connection is sent with TTL 1 (see probe.h) */
	uint32_t mark;
	bool is_http;
	/**
	 * Longest packet to send; 0: what the route allows. An HTTP request then fills a packet of
	 * that size, and TCP sends empty lines that do, so a way on which only small packets get
	 * through fails.
	 */
	uint16_t full_size;
	const char *path, *host; /**< HTTP; host "" means the address */
	uint16_t expect;
};

/** Whether @p a and @p b ask the same of the same address. */
bool attempt_spec_equal(const struct attempt_spec *a, const struct attempt_spec *b);

/** Called at the end; @p detail is the HTTP status or an errno, 0 where there is none. */
typedef void attempt_cb(void *arg, struct attempt *a, enum health_reason reason, unsigned detail);

/** What all attempts share. */
struct prober {
	struct loop *loop;
	struct http *http;
	unsigned n_active;
};

/** In the owner's memory, zeroed at the start. */
struct attempt {
	struct prober *prober;
	const struct attempt_spec *spec;
	attempt_cb *cb;
	void *arg;
	int fd;       /* of HTTP: libcurl's */
	bool filled;  /* TCP: the packet of full size was sent */
	void *handle; /* HTTP: the CURL handle */
	struct lane *lane;
	void *headers;
	unsigned body_bytes;
	bool has_status; /* HTTP: the last status line was one, */
	bool has_header; /* and its header has ended */
	int local_errno; /* HTTP: why there is no socket, or nobody watches it; 0: all is well */
	bool active;
};

/** Prepare @p p on @p loop. @return 0 or -ENOMEM */
MUST_CHECK int prober_open(struct prober *p, struct loop *loop);
/** All attempts must have ended. */
void prober_close(struct prober *p);

/**
 * Start. @p cb is called later, never from within; not at all if the result is known at once.
 * @return HEALTH_REASON_NONE when under way, else the result with @p detail
 */
MUST_CHECK enum health_reason attempt_start(struct prober *p, struct attempt *a,
                                            const struct attempt_spec *spec, attempt_cb *cb,
                                            void *arg, unsigned *detail);
/** End @p a without a call; fine when it is not active. */
void attempt_abort(struct attempt *a);

/** From now on @p a, active or not, is for @p spec, which equals its former one, and for @p arg. */
void attempt_pass(struct attempt *a, const struct attempt_spec *spec, void *arg);

/**
 * Look whether the result of a TCP attempt is there, unread by a loop that had no time to; call the
 * callback if so. @return whether it was called
 */
bool attempt_poll(struct attempt *a);

/**
 * What it means that the two attempts of a path got no result in time: HEALTH_REASON_LOCAL when one of
 * them could not be watched, HEALTH_REASON_FULL_SIZE when one was connected and its packet of full
 * size was not acknowledged, else HEALTH_REASON_TIMEOUT.
 */
enum health_reason attempt_silence(const struct attempt attempts[2]);

/* attempt_socket.c */

/** What a failed connect() says of the target of @p spec; HEALTH_REASON_LOCAL: nothing. */
enum health_reason attempt_reason_of_errno(const struct attempt_spec *spec, int error);

/**
 * Of an attempt that ended with HEALTH_REASON_LOCAL and @p detail: whether the process lacked the
 * means to make it (descriptors, memory, ports), so that nothing is known of the target; else this
 * host has no way to it.
 */
bool attempt_lacked(const struct attempt_spec *spec, unsigned detail);

/** The socket of an attempt, with mark, TTL and linger set. @return a descriptor or -errno */
MUST_CHECK int attempt_socket(const struct attempt_spec *spec);

/**
 * What marks take beside CAP_NET_RAW on a kernel of @p release ("5.10.0-28-amd64"): CAP_NET_ADMIN before
 * Linux 5.17, nothing since. @return a set of capabilities
 */
uint64_t attempt_marking_right(const char *release);

/** @p a holds nothing any more: for who ends it, before the callback. */
static inline void attempt_ended(struct attempt *a)
{
	a->active = false;
	a->prober->n_active--;
}

/* attempt_http.c */
MUST_CHECK int http_open(struct loop *loop, struct http **out);
void http_close(struct http *h);
/** @return as attempt_start() */
MUST_CHECK enum health_reason http_start(struct http *h, struct attempt *a);
void http_abort(struct http *h, struct attempt *a);

#endif
