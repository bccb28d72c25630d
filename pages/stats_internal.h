/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stats.c and condition.c share: a process's conditions are opened, kept alive and closed with
 * its stats page. Called by the one thread that makes the words of the stats page.
 */
#ifndef WEIR_PAGES_STATS_INTERNAL_H
#define WEIR_PAGES_STATS_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "weir/stats.h"

struct conditions_writer;

#define STATS_BUCKETS 4096u /* of the writer's index by name */

struct stats {
	struct page *page;
	struct conditions_writer *conditions;
	struct stats_head *head;
	struct stats_entry *entries;
	/* [n], copies of the entries without their values, to restore a damaged page */
	struct stats_entry *kept;
	size_t n;         /* entries of the page; the first one is the common overflow word */
	size_t n_seen;    /* what the head says, which others could overwrite */
	size_t n_free;    /* of these, those that are free again */
	size_t free_from; /* none before this one is free */
	uint32_t *next;   /* [n], 1 + the next entry of the same bucket; 0: it is the last */
	uint32_t buckets[STATS_BUCKETS]; /* 1 + the first entry that is used */
};

/* Make or take over the page of conditions of @p process. @return 0 or -errno */
int conditions_open(const char *run_dir, const char *process, struct conditions_writer **out);
void conditions_close(struct conditions_writer *w);

#endif
