/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * weir-dns: the main thread has the document, the clock, the pages and the control socket, and answers
 * nothing; threads of their own answer (worker.h) from what it publishes (serving.h). A helper thread
 * loads the next generation. Until there is a first one nothing is read, so queries wait in the
 * sockets' buffers.
 */
#ifndef WEIR_DNS_SERVER_H
#define WEIR_DNS_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"
#include "base/page.h"
#include "base/proc.h"
#include "dns/counters.h"
#include "dns/decided.h"
#include "dns/generation.h"
#include "dns/ramps.h"
#include "dns/serving.h"
#include "dns/worker.h"
#include "base/believed.h"

#define SERVER_SOCKETS_MAX   64
#define SERVER_RCVBUF        (8 << 20)
#define SERVER_MISTAKES      32 /**< kept for `status` */
#define SERVER_TICK_MS       100
#define SERVER_CONDITIONS_MS 1000

struct ctl;

/** One address that is served; by kind: [0] UDP, [1] TCP. Socket k is thread k's, in the order of binding. */
struct server_listen {
	struct addr address;
	bool handed; /**< the supervisor holds the sockets */
	unsigned n[2];
	int fds[2][WORKERS_MAX];
};

/** The loading of the next generation, in a thread of its own. */
struct server_load {
	pthread_t thread;
	bool running, again;
	bool from_files;            /**< the running one takes no kept image */
	bool wants_files;           /**< nor shall the next one */
	int event;                  /**< an eventfd: the thread is done */
	uint64_t started, finished; /**< counts loads */
	uint64_t began_ms;
	int result;
	int last_result; /**< of the last one that is done: the loop's thread only */
	struct generation *made;
	unsigned n_mistakes;
	char *mistakes[SERVER_MISTAKES]; /**< given; written by the thread while it runs */
	char *zones[SERVER_MISTAKES];    /**< of the mistakes: given, NULL: no zone's */
};

/** The writing of what is kept of ramps and sites, in a thread of its own (keep.c). */
struct server_keep {
	pthread_t thread;
	bool running, done, failed;
	const char *state_dir;
	struct ramp_record *records;
	size_t n;
	uint64_t *down; /**< what is in force of the sites; NULL: that has not changed */
	size_t n_down;
	int result[2];     /**< of the ramps, of the sites */
	uint64_t again_ms; /**< not before, after a failure */
};

struct server {
	struct loop *loop;
	const struct proc_dirs *dirs;
	uint16_t port;
	struct generation *now;             /**< what is served; NULL until the first */
	struct served *served;              /**< it again, with who reads it */
	struct serving *serving;            /**< published: read by all threads, atomically */
	struct serving *replaced;           /**< and may still be read */
	struct worker workers[WORKERS_ALL]; /**< those of TCP after those of UDP */
	unsigned n_threads;                 /**< that serve, of each kind */
	unsigned n_wanted;                  /**< that the document wants */
	int crew_event;                     /**< an eventfd: a thread has ended */
	struct server_load load;
	struct server_listen listens[SERVER_SOCKETS_MAX];
	unsigned n_listens;
	uint64_t passed_ms; /**< when sockets last came from the supervisor */
	uint64_t drain_ms;  /**< when sockets that are too many are closed; 0: there are none */
	uint64_t again_ms;  /**< when to try again what could not be bound; 0: nothing */
	int early[2 * SERVER_SOCKETS_MAX *
	          WORKERS_MAX]; /**< bound before rights were dropped, not taken yet */
	unsigned n_early;
	struct counters counters;
	struct believed believed;
	int64_t wall_ms; /**< of this tick; other threads read it atomically */
	enum wall_hold clock;
	struct ramps ramps;
	struct decided decided;
	struct server_keep keep;
	struct page *health;
	uint64_t health_tried_ms;
	struct ctl *ctl;
	struct loop_timer tick;
	uint64_t few_ms;            /**< when there last were as many threads as are asked for */
	uint64_t conditions_ms;     /**< when they were stated last */
	uint64_t counters_again_ms; /**< when they are tried again, without any */
	bool ready;
};

/**
 * Ask for a load; one that runs is followed by another.
 * @param from_files  read the zone files even where a kept image seems to fit them
 * @return the number of the load that will have seen the files of now
 */
uint64_t server_load_start(struct server *s, bool from_files);
/** What was wrong with the last load; "" if nothing was. */
const char *server_load_error(const struct server *s);
/** State what this process knows to be wrong (weir/condition.h); once a second, and after a load. */
void server_conditions(struct server *s);
/** A load is done: take it over or log why not; a loop_fd_cb. */
void server_load_done(void *arg, int fd, uint32_t events);
/** Wait for a running load and forget it. */
void server_load_stop(struct server *s);

/** Bring the state of @p g up to date with the pages and the clock. */
void server_observe(struct server *s, struct generation *g);
/** Keep where the ramps are, and which sites are down, if that has changed. */
void keep_tick(struct server *s);
/** The last time, at the end. */
void keep_stop(struct server *s);

/** Make sockets and threads fit the present document: handed down ones, or bound here. */
void listen_update(struct server *s);
/** Close drained sockets, and try again what could not be bound. */
void listen_tick(struct server *s, uint64_t now_ms);
/** Close all; no thread runs any more. */
void listen_close(struct server *s);
/** Open what the document of now names and nobody has handed down, while we have the right to; listen_update() takes it over. */
void listen_early(struct server *s);
/** Close what listen_early() has opened and nobody has taken. */
void listen_close_early(struct server *s);
/** The control socket's requests: "status", "zone-reload"; a ctl_handler. */
char *control_handle(void *arg, const char *line, size_t length);

#endif
