/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The workers as a group (DPDK: lcores). Implemented in dpdk/crew.c. The control thread, which is
 * the loop's, calls all of this.
 */
#ifndef WEIR_DATAPLANE_DPDK_CREW_H
#define WEIR_DATAPLANE_DPDK_CREW_H

#include "dataplane/dpdk/worker.h"

/** Frames in an inbox or outbox: a power of two; 128 bursts. */
#define CREW_RING_LEN 2048u

struct crew {
	struct worker *workers; /**< an array */
	uint32_t n_workers, n_running;
};

/**
 * Start a worker on each core, without ports. @return 0 or -errno with @p why; call crew_free()
 * in both cases
 */
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
/** Forward by @p tables from now on. The workers must be parked, or not run yet. */
void crew_tables(struct crew *c, const struct fwd_tables *tables);
/** Free a ring with the frames in it; NULL is fine. */
void crew_free_ring(struct rte_ring *ring);

#endif
