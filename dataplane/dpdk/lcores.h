/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The workers as a group (DPDK: lcores). Implemented in dpdk/lcores.c. The control thread, which is
 * the loop's, calls all of this.
 */
#ifndef WEIR_DATAPLANE_DPDK_LCORES_H
#define WEIR_DATAPLANE_DPDK_LCORES_H

#include "base/checked.h"
#include "dataplane/dpdk/worker.h"

/** Frames in an inbox or outbox: a power of two; 128 bursts. */
#define LCORES_RING_LEN 2048u

struct lcores {
	struct worker *workers; /**< an array */
	uint32_t n_workers, n_running;
	uint32_t prover;       /**< the worker that probe packets go to next, or are with */
	uint64_t prove_number; /**< the batch that it got; 0: none whose end is not seen yet */
};

/**
 * Start a worker on each core, without ports. @return 0 or -errno with @p reason; call lcores_free()
 * in both cases
 */
int lcores_start(struct lcores *c, uint32_t n_workers, const struct fwd_tables *tables,
                 struct driver_reason *reason) MUST_CHECK;
/** End the threads. */
void lcores_stop(struct lcores *c);
/** After lcores_stop(). */
void lcores_free(struct lcores *c);
/** Return when no worker reads tables or ports. */
void lcores_park(struct lcores *c);
void lcores_unpark(struct lcores *c);
/** Return when all bursts under way have ended. */
void lcores_wait_bursts(struct lcores *c);
/** Forward by @p tables from now on. The workers must be parked, or not run yet. */
void lcores_set_tables(struct lcores *c, const struct fwd_tables *tables);
/** As driver_ops.prove(): each batch goes to the next worker. */
int lcores_prove(struct lcores *c, struct driver_probes *batch) MUST_CHECK;
/** Free a ring with the frames in it; NULL is fine. */
void lcores_free_ring(struct rte_ring *ring);

#endif
