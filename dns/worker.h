/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The threads that answer: for each of dns.threads one for UDP and one for TCP, so that the
 * kernel's scheduler keeps TCP's work off UDP's queries.
 *
 * Each thread has its own loop, sockets, clients and buffers. Threads share what they answer from
 * (serving.h), which they only read, and the counters (tally.h). The main thread answers nothing:
 * however long a document, a status or a disk takes, no answer waits for it.
 *
 * A thread that is no longer needed takes no new work, serves its TCP clients to their end
 * (WORKER_RETIRE_MS at most) and ends.
 *
 * worker_*() is implemented in worker.c, udp_*() in udp.c, tcp_*() in tcp.c: called by the thread
 * itself, but for X_open() and X_close(), which the main thread calls while the thread does not
 * run. worker_name() and worker_plan_free() are for both. workers_*() is implemented in dns/workers.c and
 * called by the main thread only.
 */
#ifndef WEIR_DNS_WORKER_H
#define WEIR_DNS_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "base/loop.h"
#include "dns/key_table.h"
#include "dns/tally.h"
#include "weir/model.h"

/** Threads of each kind. */
#define WORKERS_MAX      MODEL_DNS_THREADS_MAX
#define WORKERS_ALL      (2 * WORKERS_MAX) /**< UDP and TCP */
#define WORKER_RETIRE_MS 15000 /**< longer than a TCP client may be idle (IDLE_MS in tcp.c) */
#define WORKER_NAME_MAX  16    /**< the kernel's limit for a thread's name, with its NUL */

struct server;
struct serving;
struct tcp;
struct udp;

/** A descriptor of a socket, which a plan owns. */
struct worker_socket {
	int fd;
};

/** A thread's orders from now on: made by the main thread, freed by the worker. */
struct worker_plan {
	enum { WORKER_SERVES, WORKER_RETIRES, WORKER_STOPS } what;
	uint32_t tcp_most; /**< TCP clients */
	size_t n;
	struct worker_socket sockets[];
};

struct dns_worker {
	struct server *server;
	unsigned number; /**< of its kind */
	bool is_tcp;
	struct loop *loop;
	struct udp *udp; /**< NULL: it is of the other kind */
	struct tcp *tcp;
	struct tally tally;
	struct key_tables key_tables; /**< its `full` and `spare` are the main thread's, too */
	bool udp_waits; /**< more UDP waits than a turn takes; set by the UDP thread, cleared by the TCP thread */
	/** The counter of this thread's number; its UDP and its TCP thread share it. */
	uint64_t *queries;
	const struct serving *serving; /**< between serving_enter() and serving_leave() */
	const struct serving *held;    /**< the same, announced to the main thread (serving.c) */
	struct worker_plan *plan;      /**< in force; owned by this thread */
	struct worker_plan *next; /**< the next plan; owned by the side that exchanges it out */
	int wake;                 /**< an eventfd: there is a next plan */
	struct loop_timer retire;
	uint64_t retire_ms;
	/* main thread only, but for `ended` */
	pthread_t thread;
	bool running;
	bool ended; /**< set by the thread at its end: it may be joined */
};

/** The thread's function: serve until a plan says otherwise. */
void *worker_serve(void *worker) NONNULL();
/** The thread's name: "dns-1", "dns-tcp-1". @return @p out */
const char *worker_name(const struct dns_worker *w, char out[WORKER_NAME_MAX]) NONNULL();
/** Free @p plan and close its descriptors; NULL is fine. */
void worker_plan_free(struct worker_plan *plan);

/** Add one to counter @p word; NULL: there is no page. */
static inline void worker_count(struct dns_worker *w, uint64_t *word)
{
	tally_add(&w->tally, word, 1);
}

/** Room for a batch of messages. @return 0 or -ENOMEM */
int udp_open(struct dns_worker *w) MUST_CHECK NONNULL();
void udp_close(struct dns_worker *w) NONNULL();
/** Read and answer what waits on a UDP socket; a loop_fd_cb. */
void udp_ready(void *arg, int fd, uint32_t events) NONNULL();
/** Read and answer all that waits on a UDP socket, as much as one holds at most. */
void udp_answer_waiting(struct dns_worker *w, int fd) NONNULL();

/** Room for TCP clients. @return 0 or -errno */
int tcp_open(struct dns_worker *w) MUST_CHECK NONNULL();
void tcp_close(struct dns_worker *w) NONNULL();
/**
 * Accept connections from the listening socket @p fd, which is borrowed until tcp_listen_remove().
 * @return 0 or -errno
 */
int tcp_listen_add(struct dns_worker *w, int fd) MUST_CHECK NONNULL();
/** Accept the connections that wait on @p fd, as many as wait there at most. */
void tcp_accept_waiting(struct dns_worker *w, int fd) NONNULL();
/** Accept no more connections from @p fd; an unknown one is fine. */
void tcp_listen_remove(struct dns_worker *w, int fd) NONNULL();
/** Limit the number of clients from now on. */
void tcp_limit(struct dns_worker *w, uint32_t most) NONNULL();
/** The number of clients. */
uint32_t tcp_clients(const struct dns_worker *w) NONNULL();

/* dns/workers.c: the main thread's side. */

/**
 * Run exactly @p n threads (1 to WORKERS_MAX) of each kind, and give them the sockets of
 * s->listens.
 */
void workers_set_number(struct server *s, unsigned n) NONNULL();
/** Join threads that have ended by themselves; a loop_fd_cb on s->workers_event. */
void workers_join_ended(void *arg, int fd, uint32_t events) NONNULL();
/** End all threads and wait for them. */
void workers_stop(struct server *s) NONNULL();

#endif
