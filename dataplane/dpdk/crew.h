/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The workers together. Control thread.
 */
#ifndef WEIR_DATAPLANE_DPDK_CREW_H
#define WEIR_DATAPLANE_DPDK_CREW_H

#include "dataplane/dpdk/worker.h"

#define CREW_RING_LEN 2048u

struct crew {
	struct worker *workers; /**< an array */
	uint32_t n_workers, n_running;
};

/** Start a worker on each of the cores, without ports yet. @return 0 or -errno with @p why; crew_free() it also then */
int crew_start(struct crew *c, uint32_t n_workers, const struct fwd_tables *tables,
               struct driver_why *why);
/** End the threads. */
void crew_stop(struct crew *c);
/** After crew_stop(). */
void crew_free(struct crew *c);
/** Return when no worker reads tables or ports. */
void crew_park(struct crew *c);
void crew_unpark(struct crew *c);
/** Return when all bursts under way have ended. */
void crew_grace(struct crew *c);
/** The workers are parked, or do not run: forward by these from now on. */
void crew_tables(struct crew *c, const struct fwd_tables *tables);
/** Free a ring with the frames in it; NULL is fine. */
void crew_free_ring(struct rte_ring *ring);

#endif
