/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The dataplane's stats page and effect page, read back from the tables once a second and after
 * changes. Nothing here acts on packets. Implemented in export/publish.c, export/publish_rows.c and
 * export/publish_rows.c; the loop's thread calls this.
 */
#ifndef WEIR_DATAPLANE_EXPORT_PUBLISH_H
#define WEIR_DATAPLANE_EXPORT_PUBLISH_H

#include "base/checked.h"
#include "dataplane/tables/compiler.h"

struct effect_page;
struct publisher;
struct stats;

/** How many of each have counters of their own on the stats page; the effect page has all pools and backends. */
#define PUBLISH_SERVICES_MAX 4096u
#define PUBLISH_POOLS_MAX    1024u
#define PUBLISH_BACKENDS_MAX 1024u

/** Make or take over the pages below @p run_dir. @return 0 or -errno */
int publisher_open(const char *run_dir, struct publisher **out) MUST_CHECK;
/** The pages stay. NULL is fine. */
void publisher_close(struct publisher *p);
/** For other parts of the process that count. */
struct stats *publisher_stats(struct publisher *p);
/**
 * The effect as last written (export/effect_internal.h), borrowed until publisher_write(); NULL: not
 * written yet.
 */
struct effect_page *publisher_effect(struct publisher *p);
/**
 * A document has come into force: its services and backends get counters, those that left lose
 * theirs.
 */
void publisher_document(struct publisher *p, const struct compiler *n);
/** Read tables and write both pages. @p n may have no document yet. */
void publisher_write(struct publisher *p, const struct compiler *n,
                     const struct compiler_time *time);
/** Write the page of measurements if it is due (export/measurer.h). */
void publisher_measure(struct publisher *p, const struct compiler *n, uint64_t now_ms);
/** Why it is not written: -errno; 0: it is, or there is no document yet. */
int publisher_measure_fault(const struct publisher *p);

#endif
