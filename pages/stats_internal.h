/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stats.c and condition.c share: a process's conditions are opened, kept alive and closed with
 * its stats page. Called by the one thread that makes the words of the stats page.
 */
#ifndef WEIR_PAGES_STATS_INTERNAL_H
#define WEIR_PAGES_STATS_INTERNAL_H

#include "weir/stats.h"

struct conditions_writer;

/* Make or take over the page of conditions of @p process. @return 0 or -errno */
int conditions_open(const char *run_dir, const char *process, struct conditions_writer **out);
void conditions_close(struct conditions_writer *w);
/* The writer of conditions that belongs to @p s. */
struct conditions_writer *stats_conditions(struct stats *s);

#endif
