/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replacing rows without losing counts: a row with the labels of an old one keeps its counters, so
 * that a document that changes something else does not reset a Prometheus series.
 */
#include "dataplane/export/publish_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/sorted.h"

/* Take over the counters of the old row with the same labels; cut ones may have several. @return false: there is none */
static bool keep_counters(struct rows *rows, struct publish_row *fresh)
{
	bool is_kept = false;

	for (size_t i = 0; i < rows->n; i++) {
		struct publish_row *old = &rows->items[i];

		if (old->key != fresh->key || strcmp(old->labels, fresh->labels) != 0)
			continue;
		memcpy(fresh->counters, old->counters, sizeof(fresh->counters));
		old->stays = is_kept = true;
	}
	return is_kept;
}

static void make_row_counters(struct stats *stats, const struct rows *rows,
                              struct publish_row *fresh)
{
	for (size_t m = 0; m < rows->n_metrics; m++)
		fresh->counters[m] =
		        stats_get_counter(stats, rows->metrics[m].kind, rows->metrics[m].name,
		                          fresh->labels, rows->metrics[m].help);
}

/* The rows of a process that has just started. */
struct first_rows {
	const struct rows *rows;
	size_t n;
	uint64_t *keys; /* of the fresh rows, in rising order */
};

static bool is_left_over(void *arg, const struct stats_entry *e)
{
	const struct first_rows *f = arg;
	uint64_t key = hash_text(e->labels);
	bool is_ours = false;

	for (size_t m = 0; m < f->rows->n_metrics && !is_ours; m++)
		is_ours = !strcmp(e->name, f->rows->metrics[m].name);
	return is_ours && !bsearch(&key, f->keys, f->n, sizeof(key), sorted_by_u64);
}

/* An earlier process may have had rows that this one never has: they would be exported as if they were true. */
static void drop_left_over(struct stats *stats, const struct rows *rows,
                           const struct publish_row *fresh, size_t n)
{
	struct first_rows f = { rows, n, calloc(n ? n : 1, sizeof(*f.keys)) };

	if (!f.keys)
		return;
	for (size_t k = 0; k < n; k++)
		f.keys[k] = fresh[k].key;
	qsort(f.keys, n, sizeof(*f.keys), sorted_by_u64);
	stats_drop_left(stats, is_left_over, &f);
	free(f.keys);
}

void rows_replace(struct stats *stats, struct rows *rows, struct publish_row *fresh, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		fresh[k].key = hash_text(fresh[k].labels);
		fresh[k].stays = keep_counters(rows, &fresh[k]);
	}
	if (!rows->items)
		drop_left_over(stats, rows, fresh, n);
	for (size_t i = 0; i < rows->n; i++) /* first, so that others find their room */
		for (size_t m = 0; !rows->items[i].stays && m < rows->n_metrics; m++)
			stats_drop(stats, rows->metrics[m].name, rows->items[i].labels);
	for (size_t k = 0; k < n; k++) {
		if (!fresh[k].stays)
			make_row_counters(stats, rows, &fresh[k]);
		fresh[k].stays = false;
	}
	free(rows->items);
	rows->items = fresh;
	rows->n = n;
}
