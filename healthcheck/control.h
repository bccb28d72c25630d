/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control targets: they must answer before silence elsewhere counts as a failure. There is the own
 * reflector (a datagram to ourselves over loopback: this process runs and reads its sockets) and
 * there are the node's configured controls (such as the gateway, by ICMP echo: the network works).
 * Loop's thread only.
 *
 * Controls answer as of a time when the reflector and, if any are configured, at least one of the
 * others answered what it was sent at that time, or then and later without a gap: an answer to a
 * later request alone says that the network works again, and nothing about what was lost before.
 */
#ifndef HEALTHCHECK_CONTROL_H
#define HEALTHCHECK_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"

struct controls;
struct loop;

#define CONTROLS_MAX 16u
/** A control that has not answered a request for this long is silent. */
#define CONTROL_TIMEOUT_MS 200u
/** Interval of requests when no round needs them, so that their state is known when one does. */
#define CONTROL_IDLE_MS 1000u

struct control_view {
	struct addr address; /**< loopback for the reflector */
	bool is_reflector;
	bool silent;
	uint64_t queried_ms,
	        answered_ms; /**< sending times of the last one, and of the last one answered */
	uint64_t n_queried, n_answered;
};

/** Called when an answer came. */
typedef void control_cb(void *arg);

/**
 * Open sockets and start asking. Without CAP_NET_RAW the controls outside stay silent, without a
 * loopback the reflector does, until there is one. @return 0 or -errno
 */
MUST_CHECK int controls_open(struct loop *loop, control_cb *on_answer, void *arg,
                             struct controls **out);
void controls_close(struct controls *c);
/** Set the node's controls; those above CONTROLS_MAX - 1 are left out. */
void controls_set(struct controls *c, const struct addr *addresses, size_t n);
/** Ask all that were not asked within the last few ms. */
void controls_query(struct controls *c);
/** Whether controls answer what was sent from @p since_ms on, a time at which they were asked. */
bool controls_answered_since(const struct controls *c, uint64_t since_ms);
/** Whether a control outside of this host is configured. */
bool controls_have_outside(const struct controls *c);
/** What is known, for showing. @return how many, at most CONTROLS_MAX */
size_t controls_view(const struct controls *c, struct control_view out[CONTROLS_MAX]);

#endif
