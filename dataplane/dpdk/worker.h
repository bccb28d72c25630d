/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The worker: one core that takes bursts from ports, forwards them (weir/fwd/burst.h) and
 * sends them, run to completion.
 *
 * The control thread changes a worker's ports and tables only while it is parked. What a
 * worker counts it alone writes.
 */
#ifndef WEIR_DATAPLANE_DPDK_WORKER_H
#define WEIR_DATAPLANE_DPDK_WORKER_H

#include "weir/driver.h"
#include "weir/fwd/user.h"

#define WORKER_BURST     32u
#define WORKER_SIZES     7u   /**< bursts of 0, 1, 2.., 4.., 8.., 16.., 32 frames */
#define WORKER_SLEEP_US  400u /**< the longest: the first packet after idling waits less than 1 ms */
#define WORKER_IDLE_SPIN 200u /**< empty rounds before the first sleep */

/** What a worker saw, beside what the tables count. */
struct worker_counts {
	uint64_t bursts[WORKER_SIZES]; /**< by the power of two that their size reaches */
	uint64_t unsent;               /**< verdicts to send that the port did not take */
	uint64_t segmented;            /**< frames in several buffers: dropped, never configured */
	uint64_t sleeps;
};

struct worker_port {
	uint16_t id; /**< DPDK's */
	uint32_t ifindex;
};

struct worker {
	struct fwd_tables tables; /**< its own view: row of counters, time */
	struct worker_port ports[DRIVER_PORTS_MAX];
	uint32_t n_ports;
	struct worker_counts counts;
	uint64_t rounds;   /**< atomic: rounds ended; no burst reads tables between two */
	bool park, parked; /**< atomic: asked, answered */
	bool stop;         /**< atomic */
};

/** The thread: returns 0 when worker.stop is set. @p arg is the struct worker. */
int worker_run(void *arg);

/** Control thread: return when the worker has left its tables and ports alone. */
void worker_park(struct worker *w);
void worker_unpark(struct worker *w);
/** Control thread: return when all bursts under way have ended. */
void worker_grace(struct worker *w);

/** Which of worker_counts.bursts counts a burst of @p n frames. */
uint32_t worker_size(uint32_t n);

#endif
