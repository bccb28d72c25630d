/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A worker: one core that reads bursts from its queues, forwards them (weir/fwd/burst.h) and sends
 * them, run to completion. It also carries the host's own frames between its queues and its TAPs
 * (dpdk/kernel_path.h).
 *
 * If a port has fewer queues than there are workers, workers with a receive queue hand frames over
 * by flow (`inbox`), and workers without a send queue have their frames sent by another (`outbox`).
 *
 * Implemented in worker.c. worker_main() is the worker's thread; the other functions are the control
 * thread's, which changes a worker's ports and tables only while it is parked. A worker alone
 * writes its counters.
 */
#ifndef WEIR_DATAPLANE_DPDK_WORKER_H
#define WEIR_DATAPLANE_DPDK_WORKER_H

#include "dataplane/dpdk/police.h"
#include "weir/driver.h"
#include "weir/fwd/user.h"

struct rte_mempool;
struct rte_ring;

/** Frames of a burst: their table elements are fetched together (weir/fwd/burst.h). */
#define WORKER_BURST 32u
/** The longest sleep without interrupts: the first packet waits less than 1 ms. */
#define WORKER_SLEEP_US 400u
/** The longest sleep with interrupts: LACP has to be served every 100 ms. */
#define WORKER_WAIT_MS 20u
/** A busy worker reads TAPs that much less often when nothing comes from them. */
#define WORKER_TAP_SLOWER 8u
/** Empty rounds before the first sleep. */
#define WORKER_IDLE_SPIN 200u
/** One for each core that a document can name (MODEL_CORES_MAX). */
#define WORKERS_MAX 32u

struct worker_port {
	uint16_t id; /**< DPDK's */
	uint32_t ifindex;
	int tap; /**< own queue of the port's TAP; -1: AF_PACKET, the kernel sees frames itself */
	int16_t rx, tx; /**< own queue, or -1 */
	bool spread;    /**< hand frames over: others have no queue, or get nothing by theirs */
	bool watched;   /**< note flows in worker.seen: not known yet whether others get any */
	bool keep;      /**< a bond, whose own frames (LACP) leave only when something is sent */
	int interrupt;  /**< descriptor of the receive interrupt, or -1 */
	/** With tx -1: where frames to be sent go. For worker 0: where it finds them. Else NULL. */
	struct rte_ring *outbox;
	/** Packets that the device did not take, of those that this worker was to give it; atomic. */
	uint64_t not_sent;
};

struct worker {
	struct fwd_tables tables; /**< its own view: row of counters, time */
	struct worker_port ports[DRIVER_PORTS_MAX];
	uint32_t n_ports;
	uint32_t index;
	struct rte_mempool *pool;
	struct rte_ring *inboxes[WORKERS_MAX]; /**< of all workers; NULL: one worker */
	uint32_t n_workers;
	bool shares; /**< workers hand frames to each other, so no interrupt tells of them */
	int wake;    /**< eventfd: ends a sleep */
	struct driver_worker counts;
	uint64_t seen[DRIVER_PORTS_MAX]; /**< atomic; of each port: flows by our queue (rss.h) */
	struct police police;
	uint64_t tap_tsc, tap_every; /**< when TAPs were last read; how often they are, in cycles */
	uint64_t tap_wait;           /**< the same now: longer while nothing comes from them */
	uint64_t keep_tsc, keep_every; /**< the same of bonds that want to be sent by */
	uint64_t time_tsc, time_every; /**< the same of the clock */
	uint32_t now_s;                /**< the clock as last read: seconds of CLOCK_MONOTONIC */
	uint64_t rounds;   /**< atomic: rounds that ended; no burst reads tables between two */
	uint64_t *beat;    /**< atomic: where rounds are shown to other processes; NULL: nowhere */
	bool park, parked; /**< atomic: the request, the answer */
	bool stop;         /**< atomic */
	bool prove;        /**< atomic: the worker has `probes`; else the control thread has them */
	struct driver_probes probes; /**< of the control thread while `prove` is false */
} __attribute__((aligned(128)));

/** The thread: returns 0 when worker.stop is set. @p arg is the struct worker. */
int worker_main(void *arg);

/** Control thread: stop the worker between two rounds; returns when it uses no tables or ports. */
void worker_park(struct worker *w);
void worker_unpark(struct worker *w);
/** Control thread: return when all bursts under way have ended. */
void worker_grace(struct worker *w);

/** The port with @p ifindex. @return NULL: there is none */
static inline const struct worker_port *worker_port_of(const struct worker *w, uint32_t ifindex)
{
	for (uint32_t i = 0; i < w->n_ports; i++)
		if (w->ports[i].ifindex == ifindex)
			return &w->ports[i];
	return NULL;
}

/** Add @p n to a count of the worker's own; for its thread. */
static inline void worker_count(uint64_t *c, uint64_t n)
{
	__atomic_store_n(c, *c + n, __ATOMIC_RELAXED);
}

#endif
