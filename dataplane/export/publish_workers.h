/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters of ports, and of the workers of a driver in user space, as rows of the stats page.
 * Implemented in export/publish_workers.c; the loop's thread calls it.
 */
#ifndef WEIR_DATAPLANE_EXPORT_PUBLISH_WORKERS_H
#define WEIR_DATAPLANE_EXPORT_PUBLISH_WORKERS_H

#include "dataplane/tables/compiler.h"
#include "dataplane/export/publish_rows.h"

/* @p rows: by enum metrics_kind. */
void publish_workers(struct stats *stats, struct rows rows[METRICS_KINDS],
                     const struct compiler *n);

#endif
