/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Probe packets in a worker: they go through the same stages as a burst of received frames, and
 * come back in place of being sent. Implemented in worker_probes.c; the worker's thread calls this
 * between two of its rounds' parts.
 */
#ifndef WEIR_DATAPLANE_DPDK_WORKER_PROBES_H
#define WEIR_DATAPLANE_DPDK_WORKER_PROBES_H

#include "dataplane/dpdk/worker.h"

struct fwd_burst;

/**
 * Make the frames of w->probes the burst @p b, each with room for outer headers in front.
 * @param tables  out: the worker's, with counters that nobody reads; for the stages over the burst
 */
void worker_probes_load(const struct worker *w, struct fwd_burst *b, struct fwd_tables *tables);
/**
 * Write what became of the burst into w->probes, and give these back to the control thread. A frame
 * for a port that the worker does not have is not sent, as one that is received would not be.
 */
void worker_probes_report(struct worker *w, const struct fwd_burst *b);

#endif
