/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A worker: one core that takes bursts from its queues, forwards them (weir/fwd/burst.h) and
 * sends them, run to completion; and that carries the host's own frames between its queues
 * and its TAPs (exception.h).
 *
 * Where a port has fewer queues than there are workers, those with a queue hand frames over
 * by flow (`inbox`), and those without one have them sent (`outbox`).
 *
 * The control thread changes a worker's ports and tables only while it is parked. What a
 * worker counts it alone writes.
 */
#ifndef WEIR_DATAPLANE_DPDK_WORKER_H
#define WEIR_DATAPLANE_DPDK_WORKER_H

#include "dataplane/dpdk/police.h"
#include "weir/driver.h"
#include "weir/fwd/user.h"

struct rte_mempool;
struct rte_ring;

#define WORKER_BURST 16u
#define WORKER_SLEEP_US                                                                            \
	400u /**< the longest without interrupts: the first packet waits less than 1 ms */
#define WORKER_WAIT_MS   20u  /**< the longest with them; LACP wants to be polled every 100 ms */
#define WORKER_IDLE_SPIN 200u /**< empty rounds before the first sleep */
#define WORKERS_MAX      32u

struct worker_port {
	uint16_t id; /**< DPDK's */
	uint32_t ifindex;
	int tap;        /**< own queue of the port's TAP; -1: the kernel sees frames itself */
	int16_t rx, tx; /**< own queue, or -1 */
	bool spread;    /**< hand frames over: others have no queue, or get nothing by theirs */
	bool watched;   /**< note flows in worker.seen: it is open whether others get any */
	bool keep;      /**< a bond whose own frames (LACP) leave only when something is sent */
	int interrupt;  /**< descriptor of the receive interrupt, or -1 */
	struct rte_ring *outbox; /**< where tx is -1: to who sends; for its owner: from them */
};

struct worker {
	struct fwd_tables tables; /**< its own view: row of counters, time */
	struct worker_port ports[DRIVER_PORTS_MAX];
	uint32_t n_ports;
	uint32_t index;
	struct rte_mempool *pool;
	struct rte_ring *inboxes[WORKERS_MAX]; /**< of all workers; NULL: one worker */
	uint32_t n_workers;
	bool shares; /**< workers hand frames to each other: by a port with too few queues, or that does not spread */
	int wake; /**< eventfd: ends a sleep */
	struct driver_worker counts;
	uint64_t seen[DRIVER_PORTS_MAX]; /**< atomic; of each port: flows by our queue (rss.h) */
	struct police police;
	uint64_t tap_tsc, tap_every; /**< when TAPs were last read; how often they are, in cycles */
	uint64_t keep_tsc, keep_every; /**< the same of bonds that want to be sent by */
	uint64_t time_tsc, time_every; /**< the same of the clock */
	uint32_t now_s;                /**< what it said: seconds of CLOCK_MONOTONIC */
	uint64_t rounds;   /**< atomic: rounds ended; no burst reads tables between two */
	uint64_t *beat;    /**< atomic: where rounds are shown to others, too; NULL: nowhere */
	bool park, parked; /**< atomic: asked, answered */
	bool stop;         /**< atomic */
} __attribute__((aligned(128)));

/** The thread: returns 0 when worker.stop is set. @p arg is the struct worker. */
int worker_run(void *arg);

/** Control thread: return when the worker has left its tables and ports alone. */
void worker_park(struct worker *w);
void worker_unpark(struct worker *w);
/** Control thread: return when all bursts under way have ended. */
void worker_grace(struct worker *w);

/** Which of driver_worker.bursts counts a burst of @p n frames. */
uint32_t worker_size(uint32_t n);

/** Add @p n to a count of the worker's own; for its thread. */
static inline void worker_count(uint64_t *c, uint64_t n)
{
	__atomic_store_n(c, *c + n, __ATOMIC_RELAXED);
}

#endif
