/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading observed keys. The page is a seqlock: the writer makes `seq` odd while it writes, so a
 * reader copies and compares. Its counts are checked, and its rows are put into order: a reader must
 * not trust the writer.
 */
#include "base/sorted.h"
#include "weir/steer_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/page.h"

/* Tries of 100 us each: the writer copies some 700 KB at most, once a second. */
#define TRIES 50

struct steer_keys *steer_keys_new(size_t n_keys, size_t n_names, size_t n_answers)
{
	struct steer_keys *k;

	if (n_keys > STEER_KEYS_MAX || n_names > STEER_KEYS_NAMES_MAX ||
	    n_answers > STEER_KEYS_ANSWERS_MAX)
		return NULL;
	k = calloc(1, sizeof(*k) + n_keys * sizeof(*k->keys) + n_names * sizeof(*k->names) +
	                      n_answers * sizeof(*k->answers));
	if (!k)
		return NULL;
	k->names = (struct steer_keys_name *)(void *)(k + 1);
	k->answers = (struct steer_keys_answers *)(void *)(k->names + n_names);
	k->keys = (struct steer_key *)(void *)(k->answers + n_answers);
	k->n_keys = n_keys;
	k->n_names = n_names;
	k->n_answers = n_answers;
	return k;
}

void steer_keys_free(struct steer_keys *k)
{
	free(k);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Most queries first; of equal ones the order is any, but the same one on every node. */
static int by_queries(const void *a, const void *b)
{
	const struct steer_key *x = a, *y = b;
	int order = compare_numbers(y->queries, x->queries);

	if (!order)
		order = memcmp(x->key, y->key, sizeof(x->key));
	return order ? order : compare_numbers(x->name, y->name);
}

static int by_service(const void *a, const void *b)
{
	const struct steer_keys_answers *x = a, *y = b;
	int order = compare_numbers(x->service, y->service);

	return order ? order : compare_numbers(x->site, y->site);
}

static void sort_rows(struct steer_keys *k)
{
	qsort(k->keys, k->n_keys, sizeof(*k->keys), by_queries);
	qsort(k->names, k->n_names, sizeof(*k->names), sorted_by_u32);
	qsort(k->answers, k->n_answers, sizeof(*k->answers), by_service);
}

const struct steer_keys_answers *steer_keys_answers(const struct steer_keys *k, uint64_t service,
                                                    uint64_t site)
{
	const struct steer_keys_answers key = { .service = service, .site = site };

	return bsearch(&key, k->answers, k->n_answers, sizeof(key), by_service);
}

/* @return 0, -EAGAIN: the writer writes; -EPROTO: counts beyond the page; -ENOMEM */
static int copy_once(const struct steer_keys_page *page, struct steer_keys **out)
{
	uint32_t seq = page_rows_seq(&page->seq);
	struct steer_keys *k;
	uint32_t n_keys = page->n_keys, n_names = page->n_names, n_answers = page->n_answers;

	if (seq & 1)
		return -EAGAIN;
	if (n_keys > STEER_KEYS_MAX || n_names > STEER_KEYS_NAMES_MAX ||
	    n_answers > STEER_KEYS_ANSWERS_MAX)
		return -EPROTO;
	k = steer_keys_new(n_keys, n_names, n_answers);
	if (!k)
		return -ENOMEM;
	k->covered_s = page->covered_s;
	k->started_ms = page->started_ms;
	memcpy(k->keys, page->keys, n_keys * sizeof(*k->keys));
	memcpy(k->names, page->names, n_names * sizeof(*k->names));
	memcpy(k->answers, page->answers, n_answers * sizeof(*k->answers));
	if (!page_rows_whole(&page->seq, seq)) {
		steer_keys_free(k);
		return -EAGAIN;
	}
	*out = k;
	return 0;
}

/* A page that was overwritten reads as anything, and a peer says anything. */
void steer_keys_settle(struct steer_keys *k)
{
	size_t n = 0;

	if (k->covered_s > STEER_KEYS_WINDOW_S)
		k->covered_s = STEER_KEYS_WINDOW_S;
	for (size_t i = 0; i < k->n_keys; i++)
		if (k->keys[i].queries && (k->keys[i].key[0] == 4 || k->keys[i].key[0] == 6))
			k->keys[n++] = k->keys[i];
	k->n_keys = n;
	sort_rows(k);
}

static int copy_page(struct page *page, uint64_t now_ms, struct steer_keys **out)
{
	uint64_t alive_ms = page_header(page)->alive_ms;
	struct steer_keys *k = NULL;
	int err = -EAGAIN;

	if (now_ms > alive_ms && now_ms - alive_ms > STEER_KEYS_OLD_MS)
		return -ETIMEDOUT;
	for (int i = 0; i < TRIES && err == -EAGAIN; i++) {
		if (i)
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
		err = copy_once(page_payload(page), &k);
	}
	if (!err && !page_is_sound(page))
		err = -EPROTO;
	if (err) {
		steer_keys_free(k);
		return err;
	}
	steer_keys_settle(k);
	k->read_ms = alive_ms;
	*out = k;
	return 0;
}

int steer_keys_read(const char *run_dir, uint64_t now_ms, struct steer_keys **out)
{
	static const struct page_form form = { STEER_KEYS_PAGE_FILE, STEER_KEYS_PAGE_KIND,
		                               STEER_KEYS_PAGE_LAYOUT,
		                               sizeof(struct steer_keys_page), "dns" };
	struct page *page;
	int err = page_open_in(run_dir, &form, &page);

	if (err)
		return err;
	err = copy_page(page, now_ms, out);
	page_close(page);
	return err;
}
