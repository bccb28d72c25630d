/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The server's state, and what its parts call of each other.
 *
 * - The main thread owns the document, the clock, the pages and the control socket. It answers no
 *   query.
 * - Worker threads (worker.h) answer from what the main thread publishes (serving.h).
 * - A helper thread loads the next generation (load.c), another one writes files (keep.c).
 *
 * Until the first generation is loaded no socket is read: queries wait in the sockets' buffers.
 *
 * Implemented in server.c, load.c, keep.c, listen.c, dns/ctl.c and conditions.c; called by the main
 * thread only, but for server_answer().
 */
#ifndef WEIR_DNS_SERVER_H
#define WEIR_DNS_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "base/loop.h"
#include "base/page.h"
#include "base/proc.h"
#include "dns/counters.h"
#include "dns/steering/decided.h"
#include "dns/generation.h"
#include "dns/keys.h"
#include "dns/steering/ramps.h"
#include "dns/self_query.h"
#include "dns/serving.h"
#include "dns/worker.h"
#include "base/believed.h"

#define SERVER_SOCKETS_MAX   64   /**< addresses of dns_listen that are served */
#define SERVER_BACKLOG       1024 /**< connections that the kernel keeps until they are accepted */
#define SERVER_RCVBUF        (8 << 20) /**< bytes of a UDP socket: queries wait there during a start */
#define SERVER_ERRORS_MAX    32        /**< errors of a load that are kept for `status` */
#define SERVER_TICK_MS       100       /**< how late a scheduled change may come */
#define SERVER_CONDITIONS_MS 1000      /**< between two statements of conditions */
#define SERVER_KEYS_MS       1000 /**< between two looks at what threads have counted of keys */

struct ctl;
struct model;

/**
 * A served address; arrays by kind: [0] UDP, [1] TCP. Socket k belongs to thread k, in the order
 * of binding.
 */
struct server_listen {
	struct addr address;
	bool handed; /**< the supervisor holds the sockets */
	unsigned n[2];
	int fds[2][WORKERS_MAX];
	struct self_query own; /**< whether a query on the address was answered */
};

/** The loading of the next generation, in a thread of its own. */
struct server_load {
	struct loop_job *job;
	bool running;
	bool from_files;            /**< the running load ignores the kept image */
	bool wants_files;           /**< the next load shall ignore it */
	uint64_t started, finished; /**< counts loads */
	uint64_t began_ms;
	int result;
	int last_result; /**< of the last finished load; main thread only */
	struct generation *loaded;
	unsigned n_errors;
	char *errors[SERVER_ERRORS_MAX]; /**< given; written by the thread while it runs */
	char *zones[SERVER_ERRORS_MAX];  /**< each error's zone: given; NULL: it concerns no zone */
};

/** Writes the state of ramps and sites to files, in a thread of its own (keep.c). */
struct server_keep {
	pthread_t thread;
	bool running, done, failed;
	const char *state_dir;
	struct ramp_record *records;
	size_t n;
	uint64_t *down; /**< the targets that are down; NULL: unchanged, not written */
	size_t n_down;
	int result[2];     /**< of the ramps, of the sites */
	uint64_t again_ms; /**< after a failure: when to try again */
};

struct server {
	struct loop *loop;
	const struct proc_dirs *dirs;
	uint16_t port;
	struct generation *now;   /**< in force; NULL until the first load */
	struct served *served;    /**< the same, with its reference count */
	struct serving *serving;  /**< published: read by all threads, atomically */
	struct serving *replaced; /**< no longer published; threads may still read them */
	struct dns_worker workers[WORKERS_ALL]; /**< UDP threads, then TCP threads */
	unsigned n_threads;                     /**< running threads of each kind */
	unsigned n_configured; /**< threads of each kind that the document asks for */
	int workers_event;     /**< an eventfd: a thread has ended */
	struct server_load load;
	struct server_listen listens[SERVER_SOCKETS_MAX];
	unsigned n_listens;
	uint64_t passed_ms; /**< when sockets last came from the supervisor */
	uint64_t drain_ms;  /**< when surplus sockets are closed; 0: there are none */
	uint64_t again_ms;  /**< when to try failed sockets again; 0: none failed */
	int early[2 * SERVER_SOCKETS_MAX *
	          WORKERS_MAX]; /**< bound before rights were dropped, not used yet */
	unsigned n_early;
	struct counters counters;
	struct keys keys;
	uint64_t keys_ms;   /**< when its page was written last */
	uint64_t keys_load; /**< load.finished when it got its names */
	struct believed believed;
	int64_t wall_clock_ms; /**< of this tick; other threads read it atomically */
	enum wall_clock_hold clock;
	struct ramps ramps;
	struct decided decided;
	struct server_keep keep;
	struct page *health;
	struct ctl *ctl;
	struct loop_timer tick;
	uint64_t few_ms;            /**< when all threads that the document asks for last ran */
	uint64_t conditions_ms;     /**< when conditions were stated last */
	uint64_t counters_again_ms; /**< without a stats page: when to try again */
	bool ready; /**< this process has reported to the supervisor that it serves */
};

/** Be ready to load beside the loop. @return 0, or -errno; server_load_stop() undoes it */
int server_load_open(struct server *s) NONNULL() MUST_CHECK;
/**
 * Start a load. If one is running, another follows it.
 * @param from_files  read the zone files even if a kept image seems to fit them
 * @return the number of the load that will have read the files as they are now
 */
uint64_t server_load_start(struct server *s, bool from_files) NONNULL();
/** The error of the last load; "": it succeeded. */
const char *server_load_error(const struct server *s) NONNULL();
/**
 * State as conditions what this process knows to be wrong (weir/condition.h): once a second, and
 * after a load.
 */
void server_conditions(struct server *s) NONNULL();
/** Wait for a running load and forget it. */
void server_load_stop(struct server *s) NONNULL();

/**
 * Take the believed time, which is not before @p m was written; NULL: there is no document yet. Says whether the clock
 * holds ramps, by the own node's setting in @p m.
 */
void server_read_clock(struct server *s, const struct model *m) NONNULL(1);
/** Bring the state of @p g up to date with the pages and the clock. */
void server_observe(struct server *s, struct generation *g) NONNULL();
/**
 * Answer one message, between serving_enter() and serving_leave(); worker threads only.
 * @return the answer's length, 0 for none; counted
 */
size_t server_answer(struct dns_worker *w, const uint8_t *query, size_t length,
                     const struct addr *client, bool tcp, uint8_t *out, size_t out_size) MUST_CHECK
        NONNULL();
/** Write ramps and sites that are down to their files, in a thread, if they have changed. */
void keep_tick(struct server *s) NONNULL();
/** Write them a last time, and wait for it; at the end. */
void keep_stop(struct server *s) NONNULL();

/** dns/keys_tick.c: begin to count which keys ask, for the page of observed keys (keys.h). */
void keys_begin(struct server *s) NONNULL();
/** Once a second: what the threads have handed over, and the page. */
void keys_tick(struct server *s, uint64_t now_ms) NONNULL();
/** Add what the ended thread of @p w did not hand over, and free its tables. */
void keys_join(struct server *s, struct dns_worker *w) NONNULL();
/** Free all; no thread runs any more. */
void keys_end(struct server *s) NONNULL();

/** Open, take over and close sockets and threads until they fit the document in force. */
void listen_update(struct server *s) NONNULL();
/** Receive the sockets that the supervisor passes later. @return 0, also without one, or -errno */
int listen_watch(struct server *s) MUST_CHECK NONNULL();
/** Close drained sockets, try failed ones again, and ask the addresses that have not answered yet. */
void listen_tick(struct server *s, uint64_t now_ms) NONNULL();
/** Close all; no thread runs any more. */
void listen_close(struct server *s) NONNULL();
/**
 * Bind the sockets that the document names and no supervisor has passed, before root's rights are
 * dropped; listen_update() uses them.
 */
void listen_early(struct server *s) NONNULL();
/** The control socket's requests: "status", "zone-reload"; a ctl_handler. */
char *dns_ctl_handle(void *arg, const char *line, size_t length) MUST_CHECK NONNULL();

#endif
