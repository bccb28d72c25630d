/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Writes the page of measurements (weir/measure.h) five times a second, and chooses how many flows
 * the sample has: more in quiet times.
 *
 * Implemented in export/measurer.c and, for the prefixes, export/measured_sources.c. The loop's
 * thread calls this.
 */
#ifndef WEIR_DATAPLANE_EXPORT_MEASURER_H
#define WEIR_DATAPLANE_EXPORT_MEASURER_H

#include "base/checked.h"
#include "dataplane/export/node_counts.h"
#include "dataplane/tables/compiler.h"
#include "weir/measure.h"

#define MEASURER_MS 200u

struct measurer;
struct measured_sources;

/** @return NULL: out of memory */
struct measurer *measurer_new(const char *run_dir) MUST_CHECK NONNULL();
/** The page stays. NULL is fine. */
void measurer_free(struct measurer *m);
/**
 * Read the tables and write the page, if that is due at @p now_ms of the monotonic clock. Nothing
 * happens before the first document.
 */
void measurer_tick(struct measurer *m, const struct compiler *n, uint64_t now_ms) NONNULL();

/** The node's counters as last read by measurer_tick(). @return borrowed */
const struct fwd_cpu *measurer_counts(const struct measurer *m) NONNULL();
/** Why nothing is measured: -errno of the page, which is tried again each five seconds; 0: it is. */
int measurer_fault(const struct measurer *m) NONNULL();

/**
 * How wide the sample is to be with so many packets a second: root.sample_wide.
 */
uint32_t measurer_width(uint64_t packets_per_s);
/** How many flows one flow of the sample stands for. */
uint32_t measurer_one_of(uint32_t wide);

/** @return NULL: out of memory */
struct measured_sources *measured_sources_new(void) MUST_CHECK;
/** NULL is fine. */
void measured_sources_free(struct measured_sources *s);
/**
 * Count the watched flows that have come since the last call.
 *
 * @param one_of  how many flows each of them stands for
 * @param now_s   the packet path's seconds
 */
void measured_sources_scan(struct measured_sources *s, const struct fwd_tables *t,
                           const struct indexes *services, uint32_t one_of, uint32_t now_s,
                           uint64_t now_ms) NONNULL();
/** The prefixes of the last minute, the one with the most flows first. @return how many */
size_t measured_sources_list(const struct measured_sources *s, uint64_t now_ms,
                             struct measure_source out[MEASURE_SOURCES_MAX]) NONNULL();

#endif
