/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The metrics of weir-dataplane: names, kinds and help. The stats page and the documentation come
 * from these lists. Implemented in export/metrics.c. Constant data; any thread may read it.
 */
#ifndef WEIR_DATAPLANE_EXPORT_METRICS_H
#define WEIR_DATAPLANE_EXPORT_METRICS_H

#include <stddef.h>
#include <stdio.h>

#include "weir/fwd/owner.h"
#include "weir/fwd/reason.h"
#include "weir/stats.h"

struct metric {
	enum stats_kind kind;
	const char *name, *help;
};

/** One value for the node. */
enum metrics_total {
	RECEIVED,
	RECEIVED_BYTES,
	DOCUMENT,
	REFUSED,
	DOCUMENTS,
	DOCUMENT_READ_US,
	DOCUMENT_COMPILE_US,
	DOCUMENT_SWITCH_US,
	REFUSALS,
	RESIZES,
	DEATHS,
	RETURNS,
	HELD,
	EXCEPTIONS,
	EXCEPTIONS_MAX,
	FRAGMENTS_LOST,
	HOP_CHANGES,
	HOP_PROBES,
	HOP_RESYNCS,
	HOPS_REFUSED,
	PATHS_LOW,
	PATHS_LOWERED,
	PATHS_RESTORED,
	DAMAGED,
	SCRUBS,
	PINS,
	PORTS,
	PORTS_GENERIC,
	DPDK,
	TABLES_PAGE,
	LEARNING,
	CPU_US,
	RESIDENT,
	TOTALS
};

/** Metrics by one label set. */
enum metrics_kind {
	METRICS_SERVICE,
	METRICS_BACKEND,
	METRICS_POOL,
	METRICS_WORKER,
	METRICS_BURST,
	METRICS_CLASS,
	METRICS_PORT,
	METRICS_KINDS
};
#define METRICS_ROW_MAX 9u /**< the most metrics that a kind has */

struct metrics_row {
	const char *labels; /**< their names */
	const struct metric *items;
	size_t n;
};

/** A counter with a label of its own: a reason or an event. */
struct metrics_label {
	const char *labels; /**< as on the stats page */
	const char *text;
};

extern const struct metric metrics_totals[TOTALS];
extern const struct metrics_row metrics_rows[METRICS_KINDS];
extern const struct metric metrics_packets, metrics_events;
extern const struct metrics_label metrics_reasons[FWD_REASON_COUNT];
extern const struct metrics_label metrics_owner_events[OWNER_EVENT_COUNT];

/** Write docs/metrics-dataplane.md. */
void metrics_document(FILE *out);

#endif
