/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of the stats page that come and go: the counters of one label set. Implemented in
 * export/publish_rows.c; the loop's thread calls it.
 */
#ifndef WEIR_DATAPLANE_EXPORT_PUBLISH_ROWS_H
#define WEIR_DATAPLANE_EXPORT_PUBLISH_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/export/metrics.h"
#include "weir/stats.h"

#define ROWS_LABELS_MAX STATS_LABELS_MAX

struct publish_row {
	char labels[ROWS_LABELS_MAX];
	uint64_t pool,
	        id; /* of a backend its pool's and its own; of a pool or a service its own; else 0 */
	uint64_t *counters[METRICS_ROW_MAX];
	uint64_t key; /* of rows_replace(): a hash of the labels */
	bool stays;   /* scratch of it */
};

struct rows {
	const struct metric *metrics;
	size_t n_metrics;
	struct publish_row *items;
	size_t n;
};

/*
 * Replace the rows by @p fresh (taken): equal labels keep their counters, other counters are
 * dropped.
 */
void rows_replace(struct stats *stats, struct rows *rows, struct publish_row *fresh, size_t n);

#endif
