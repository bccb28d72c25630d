/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All of this runs about once a second in the main thread, so nothing here is on the way of an
 * answer. The page is written whole, under its sequence number; rows that did not change are written
 * again, which costs less than to find out.
 */
#include "dns/keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/page.h"
#include "base/proc.h"
#include "base/sorted.h"

#define PAGE_AGAIN_MS 5000 /* between two tries to make the page */

static void make_page(struct keys *k, uint64_t now_ms)
{
	bool first = k->tried_ms == 0;
	int err;

	if (k->page || !*k->path || (!first && now_ms - k->tried_ms < PAGE_AGAIN_MS))
		return;
	k->tried_ms = now_ms;
	err = page_create(k->path, STEER_KEYS_PAGE_KIND, STEER_KEYS_PAGE_LAYOUT,
	                  sizeof(struct steer_keys_page), &k->page);
	if (err && first)
		log_error("dns-keys-page-failed",
		          "error=\"%s\" effect=\"drains are projected by weights\"",
		          strerror(-err));
}

int keys_open(struct keys *k, const char *run_dir, uint64_t now_ms)
{
	*k = (struct keys){ .started_ms = now_ms };
	if (proc_path(run_dir, STEER_KEYS_PAGE_FILE, k->path) < 0)
		*k->path = '\0';
	k->rows = calloc((size_t)KEYS_BUCKETS * KEYS_WAYS, sizeof(*k->rows));
	k->order = calloc((size_t)KEYS_BUCKETS * KEYS_WAYS, sizeof(*k->order));
	if (!k->rows || !k->order) {
		keys_close(k);
		return -ENOMEM;
	}
	make_page(k, now_ms ? now_ms : 1);
	return 0;
}

void keys_close(struct keys *k)
{
	page_close(k->page);
	free(k->rows);
	free(k->order);
	free(k->names);
	*k = (struct keys){ 0 };
}

static struct keys_name *find_name(const struct keys *k, uint32_t name)
{
	const struct keys_name key = { .name = name };

	return k->n_names ? bsearch(&key, k->names, k->n_names, sizeof(key), sorted_by_u32) : NULL;
}

void keys_set_names(struct keys *k, const struct steering *p)
{
	size_t n = p->n_names < STEER_KEYS_NAMES_MAX ? p->n_names : STEER_KEYS_NAMES_MAX;
	struct keys_name *names = k->rows ? calloc(n + 1, sizeof(*names)) : NULL;

	if (!names)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct keys_name *was = find_name(k, p->names[i].id);

		if (was)
			names[i] = *was;
		names[i].name = p->names[i].id;
	}
	qsort(names, n, sizeof(*names), sorted_by_u32);
	free(k->names);
	k->names = names;
	k->n_names = n;
}

static uint32_t slot_of(uint64_t minute)
{
	return (uint32_t)(minute % KEYS_SLOTS);
}

static void clear_slot(struct keys *k, uint32_t slot)
{
	for (size_t i = 0; i < (size_t)KEYS_BUCKETS * KEYS_WAYS; i++) {
		k->rows[i].total -= k->rows[i].slots[slot];
		k->rows[i].slots[slot] = 0;
	}
	for (size_t i = 0; i < k->n_names; i++) {
		struct keys_name *n = &k->names[i];

		n->queries[slot] = n->others[slot] = n->longest_ttl_s[slot] = 0;
	}
}

void keys_turn(struct keys *k, uint64_t now_ms)
{
	uint64_t minute = (now_ms - k->started_ms) / KEYS_SLOT_MS;

	if (!k->rows || minute <= k->minute)
		return;
	for (uint64_t i = k->minute + 1; i <= minute && i <= k->minute + KEYS_SLOTS; i++)
		clear_slot(k, slot_of(i));
	k->minute = minute;
}

static struct keys_row *bucket_of(const struct keys *k, uint64_t key, uint32_t name)
{
	uint64_t at = hash_mix(key ^ (uint64_t)name << 20);

	return &k->rows[(at % KEYS_BUCKETS) * KEYS_WAYS];
}

/* The row of a key, or else the one of its bucket that has the least. */
static struct keys_row *find_row(struct keys_row *bucket, uint64_t key, uint32_t name)
{
	struct keys_row *least = bucket;

	for (uint32_t i = 0; i < KEYS_WAYS; i++) {
		if (bucket[i].key == key && bucket[i].name == name)
			return &bucket[i];
		if (bucket[i].total < least->total)
			least = &bucket[i];
	}
	return least;
}

/* Queries of a key without a place, in the minute in which they came. */
static void add_others(struct keys *k, uint32_t name, uint32_t slot, uint32_t n)
{
	struct keys_name *row = find_name(k, name);

	if (row)
		row->others[slot] += n;
}

/* Take @p n queries away from @p row, the oldest first. */
static void reduce_row(struct keys *k, struct keys_row *row, uint32_t n)
{
	for (uint32_t i = 1; i <= KEYS_SLOTS; i++) {
		uint32_t slot = slot_of(k->minute + i);
		uint32_t some = row->slots[slot] < n ? row->slots[slot] : n;

		row->slots[slot] -= some;
		row->total -= some;
		n -= some;
		add_others(k, row->name, slot, some);
	}
}

static void add_key(struct keys *k, const struct key_table_key *a)
{
	uint32_t slot = slot_of(k->minute), n = a->n;
	struct keys_row *row = find_row(bucket_of(k, a->key, a->name), a->key, a->name);

	if (!find_name(k, a->name))
		return;
	if (row->key != a->key || row->name != a->name) {
		uint32_t lost = row->total < n ? row->total : n;

		reduce_row(k, row, lost);
		add_others(k, a->name, slot, lost);
		n -= lost;
	}
	if (!row->total)
		*row = (struct keys_row){ .key = a->key, .name = a->name };
	row->slots[slot] += n;
	row->total += n;
}

static void add_name(struct keys *k, const struct key_table_name *a, uint64_t now_ms)
{
	struct keys_name *row = a->n ? find_name(k, a->name) : NULL;
	uint32_t slot = slot_of(k->minute);

	if (!row)
		return;
	row->queries[slot] += a->n;
	row->others[slot] += a->others;
	if (row->longest_ttl_s[slot] < a->longest_ttl_s)
		row->longest_ttl_s[slot] = a->longest_ttl_s;
	if (row->cached_until_ms < now_ms + a->longest_ttl_s * UINT64_C(1000))
		row->cached_until_ms = now_ms + a->longest_ttl_s * UINT64_C(1000);
}

/* Answers of names that are not known may have been any name's. */
static void add_lost(struct keys *k, const struct key_table *t, uint64_t now_ms)
{
	uint64_t until_ms = now_ms + t->lost_ttl_s * UINT64_C(1000);

	for (size_t i = 0; t->n_lost && i < k->n_names; i++)
		if (k->names[i].cached_until_ms < until_ms)
			k->names[i].cached_until_ms = until_ms;
}

void keys_add(struct keys *k, const struct key_table *t, uint64_t now_ms)
{
	if (!k->rows)
		return;
	for (size_t i = 0; i < KEY_TABLE_NAMES; i++)
		add_name(k, &t->names[i], now_ms);
	for (size_t i = 0; i < KEY_TABLE_BUCKETS; i++)
		for (size_t j = 0; j < KEY_TABLE_WAYS; j++)
			if (t->keys[i][j].n)
				add_key(k, &t->keys[i][j]);
	add_lost(k, t, now_ms);
}

static uint32_t sum_of(const uint32_t slots[KEYS_SLOTS])
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < KEYS_SLOTS; i++)
		sum += slots[i];
	return sum;
}

static uint32_t longest_of(const uint32_t slots[KEYS_SLOTS])
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i < KEYS_SLOTS; i++)
		longest = slots[i] > longest ? slots[i] : longest;
	return longest;
}

/* Names that were asked for, by id as they are. @return how many */
static uint32_t write_names(const struct keys *k, struct steer_keys_page *to)
{
	uint32_t n = 0;

	for (size_t i = 0; i < k->n_names; i++) {
		const struct keys_name *from = &k->names[i];
		const struct steer_keys_name row = {
			.name = from->name,
			.queries = sum_of(from->queries),
			.others = sum_of(from->others),
			.longest_ttl_s = longest_of(from->longest_ttl_s),
			.cached_until_ms = from->cached_until_ms,
		};

		if (row.cached_until_ms)
			to->names[n++] = row;
	}
	return n;
}

static int by_total(const void *a, const void *b)
{
	const struct keys_row *x = *(const struct keys_row *const *)a;
	const struct keys_row *y = *(const struct keys_row *const *)b;

	return (x->total < y->total) - (x->total > y->total);
}

static void add_other_to_page(struct steer_keys_page *to, uint32_t n_names,
                              const struct keys_row *row)
{
	uint32_t from = 0, n = n_names;

	while (n) { /* the lower bound of the row's name */
		uint32_t half = n / 2;

		if (to->names[from + half].name < row->name) {
			from += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	if (from < n_names && to->names[from].name == row->name)
		to->names[from].others += row->total;
}

/* The heaviest keys; what has no room counts among its name's others. @return how many */
static uint32_t write_keys(const struct keys *k, struct steer_keys_page *to, uint32_t n_names)
{
	const struct keys_row **order = k->order;
	size_t n = 0;

	for (size_t i = 0; i < (size_t)KEYS_BUCKETS * KEYS_WAYS; i++)
		if (k->rows[i].total && find_name(k, k->rows[i].name))
			order[n++] = &k->rows[i];
	qsort(order, n, sizeof(*order), by_total);
	for (size_t i = STEER_KEYS_MAX; i < n; i++)
		add_other_to_page(to, n_names, order[i]);
	n = n < STEER_KEYS_MAX ? n : STEER_KEYS_MAX;
	for (size_t i = 0; i < n; i++) {
		struct steer_key row = { .name = order[i]->name, .queries = order[i]->total };

		memcpy(row.key, &order[i]->key, sizeof(row.key));
		to->keys[i] = row;
	}
	return (uint32_t)n;
}

/* The reader puts them into order. @return how many */
static uint32_t write_answers(const struct steering *p, keys_answers *answers, void *arg,
                              struct steer_keys_page *to)
{
	uint32_t n = 0;

	for (size_t i = 0; i < p->n_services; i++) {
		const struct steering_service *s = &p->services[i];
		uint64_t service = hash_text(s->name), total;

		for (uint32_t site = 0; site <= s->n_sites && n < STEER_KEYS_ANSWERS_MAX; site++)
			if (answers(arg, i, site, &total))
				to->answers[n++] = (struct steer_keys_answers){
					.service = service,
					.site = site < s->n_sites ? s->sites[site].id : 0,
					.answers = total,
				};
	}
	return n;
}

static uint32_t covered_s(const struct keys *k, uint64_t now_ms)
{
	uint64_t first = k->minute < KEYS_SLOTS ? 0 : k->minute - (KEYS_SLOTS - 1);

	return (uint32_t)((now_ms - k->started_ms - first * KEYS_SLOT_MS) / 1000);
}

static void write_payload(const struct keys *k, const struct steering *p, keys_answers *answers,
                          void *arg, uint64_t now_ms)
{
	struct steer_keys_page *to = page_payload(k->page);
	uint32_t seq = page_rows_begin(&to->seq);

	to->covered_s = covered_s(k, now_ms);
	to->started_ms = k->started_ms;
	to->n_names = write_names(k, to);
	to->n_keys = write_keys(k, to, to->n_names);
	to->n_answers = write_answers(p, answers, arg, to);
	page_rows_end(&to->seq, seq);
}

void keys_write(struct keys *k, const struct steering *p, keys_answers *answers, void *arg,
                uint64_t now_ms)
{
	make_page(k, now_ms);
	if (!k->page)
		return;
	page_repair(k->page);
	write_payload(k, p, answers, arg, now_ms);
	page_alive(k->page, now_ms);
}
