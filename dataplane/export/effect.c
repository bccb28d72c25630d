/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the effect from the page that the process writes.
 *
 * The page is a seqlock: the writer makes `seq` odd while it writes. A reader copies what it wants
 * and then checks that `seq` was even and is still the same; otherwise it tries again. Row counts
 * on the page are checked against its size, since a reader must not trust the writer.
 *
 * A frozen effect is a copy of the page's rows, taken in one such read, with its pools sorted: whoever
 * asks for each of a thousand pools would else walk over all of them for each.
 */
#include "base/sorted.h"
#include "weir/effect.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/page.h"
#include "base/proc.h"
#include "dataplane/export/effect_internal.h"

/* Tries of 20 us each: a write takes far less, unless the writer died in the middle of one. */
#define TRIES 1000

struct effect {
	struct page *page;
	struct effect_page *copy; /* NULL until effect_freeze(); its pools are sorted by id */
};

int effect_open(const char *run_dir, struct effect **out)
{
	static const struct page_form form = { EFFECT_PAGE_FILE, EFFECT_PAGE_KIND,
		                               EFFECT_PAGE_LAYOUT, sizeof(struct effect_page),
		                               "dataplane" };
	struct effect *e = calloc(1, sizeof(*e));
	int err = e ? page_open_in(run_dir, &form, &e->page) : -ENOMEM;

	if (err) {
		effect_close(e);
		return err;
	}
	*out = e;
	return 0;
}

void effect_close(struct effect *e)
{
	if (!e)
		return;
	page_close(e->page);
	free(e->copy);
	free(e);
}

/* What is read: the copy, or the page itself. */
static struct effect_page *page_of(const struct effect *e)
{
	return e->copy ? e->copy : page_payload(e->page);
}

/* Whether the arrays lie within the page. */
static bool is_sound(const struct effect *e, const struct effect_page *p)
{
	return page_size(e->page) >= effect_page_bytes(p->max_pools, p->max_backends);
}

typedef int read_part(const struct effect *e, uint64_t key, uint64_t id, void *out, size_t max);

/* Repeat @p part until the page did not change during it. */
static int read_consistent(const struct effect *e, read_part *part, uint64_t key, uint64_t id,
                           void *out, size_t max)
{
	struct effect_page *p = page_of(e);

	if (e->copy)
		return part(e, key, id, out, max);
	if (page_is_replaced(e->page))
		return -ESTALE;
	for (int i = 0; i < TRIES; i++) {
		uint32_t seq = page_rows_seq(&p->seq);
		int got = is_sound(e, p) ? part(e, key, id, out, max) : -EPROTO;

		if (page_rows_whole(&p->seq, seq))
			return page_is_sound(e->page) ? got : -ESTALE;
		nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	}
	return -EAGAIN;
}

static int part_total(const struct effect *e, uint64_t key, uint64_t id, void *out, size_t max)
{
	const struct effect_page *p = page_of(e);

	(void)key, (void)id, (void)max;
	memcpy(out, &p->total, sizeof(p->total));
	return 0;
}

/* The row of pool @p key, or NULL: on the page pools are in no order that a reader may trust. */
static const struct effect_pool *find_pool(const struct effect *e, uint64_t key)
{
	struct effect_page *p = page_of(e);
	const struct effect_pool *pools = effect_page_pools(p), row = { .pool = key };

	if (e->copy)
		return bsearch(&row, pools, p->total.n_pools, sizeof(row), sorted_by_u64);
	for (uint32_t i = 0; i < p->total.n_pools && i < p->max_pools; i++)
		if (pools[i].pool == key)
			return &pools[i];
	return NULL;
}

static int part_pool(const struct effect *e, uint64_t key, uint64_t id, void *out, size_t max)
{
	const struct effect_pool *pool = find_pool(e, key);

	(void)id, (void)max;
	if (!pool)
		return -ENOENT;
	memcpy(out, pool, sizeof(*pool));
	return 0;
}

static int part_backends(const struct effect *e, uint64_t key, uint64_t id, void *out, size_t max)
{
	struct effect_page *p = page_of(e);
	const struct effect_backend *rows = effect_page_backends(p);
	struct effect_pool pool;
	int err = part_pool(e, key, id, &pool, 0);

	if (err)
		return err;
	for (uint32_t i = 0; i < pool.n_backends && i < max && pool.first + i < p->max_backends;
	     i++)
		memcpy((struct effect_backend *)out + i, &rows[pool.first + i], sizeof(*rows));
	return (int)pool.n_backends;
}

static int part_backend(const struct effect *e, uint64_t key, uint64_t id, void *out, size_t max)
{
	struct effect_page *p = page_of(e);
	const struct effect_backend *rows = effect_page_backends(p);
	uint32_t n = p->total.n_backends, i;

	(void)max;
	n = n < p->max_backends ? n : p->max_backends;
	i = effect_row(rows, n, key, id);
	if (i == n || rows[i].pool != key || rows[i].id != id)
		return -ENOENT;
	memcpy(out, &rows[i], sizeof(rows[i]));
	return 0;
}

/* The rows in use as a page of just their size. @p out  struct effect_page *: grows from try to try */
static int part_copy(const struct effect *e, uint64_t key, uint64_t id, void *out, size_t max)
{
	struct effect_page *p = page_of(e), **copy = out, head = *p;
	struct effect_total *total = &head.total;

	(void)key, (void)id, (void)max;
	if (!is_sound(e, &head))
		return -EPROTO;
	const struct effect_pool *pools = effect_page_pools(p);
	const struct effect_backend *rows = (const void *)(pools + head.max_pools);

	total->n_pools = total->n_pools < head.max_pools ? total->n_pools : head.max_pools;
	total->n_backends =
	        total->n_backends < head.max_backends ? total->n_backends : head.max_backends;
	head.max_pools = total->n_pools;
	head.max_backends = total->n_backends;
	struct effect_page *room =
	        realloc(*copy, effect_page_bytes(head.max_pools, head.max_backends));
	if (!room)
		return -ENOMEM;
	*copy = room;
	*room = head;
	memcpy(effect_page_pools(room), pools, head.max_pools * sizeof(*pools));
	memcpy(effect_page_backends(room), rows, head.max_backends * sizeof(*rows));
	return 0;
}

void effect_freeze(struct effect *e)
{
	struct effect_page *copy = NULL;

	if (e->copy)
		return;
	if (read_consistent(e, part_copy, 0, 0, &copy, 0)) {
		free(copy);
		return;
	}
	qsort(effect_page_pools(copy), copy->max_pools, sizeof(struct effect_pool), sorted_by_u64);
	e->copy = copy;
}

int effect_total(const struct effect *e, struct effect_total *out)
{
	struct effect_total total;
	int err = read_consistent(e, part_total, 0, 0, &total, 0);

	if (err)
		return err;
	total.alive_ms = page_header(e->page)->alive_ms;
	*out = total;
	return 0;
}

int effect_table(const struct effect *e, uint64_t id, struct effect_pool *out)
{
	struct effect_pool row;
	int err = read_consistent(e, part_pool, id, 0, &row, 0);

	if (!err)
		*out = row;
	return err;
}

int effect_pool(const struct effect *e, const char *pool, struct effect_pool *out)
{
	return effect_table(e, hash_text(pool), out);
}

int effect_backends(const struct effect *e, const char *pool, struct effect_backend *out,
                    size_t max)
{
	return read_consistent(e, part_backends, hash_text(pool), 0, out, max);
}

int effect_table_backend(const struct effect *e, uint64_t table, uint64_t id,
                         struct effect_backend *out)
{
	struct effect_backend row;
	int err = read_consistent(e, part_backend, table, id, &row, 0);

	if (!err)
		*out = row;
	return err;
}

int effect_backend(const struct effect *e, const char *pool, uint64_t id,
                   struct effect_backend *out)
{
	return effect_table_backend(e, hash_text(pool), id, out);
}

int effect_pin_dir(const char *bpf_dir, const char *cluster, const char *node, char out[PATH_MAX])
{
	size_t at = strlen(bpf_dir);
	int err = proc_path(bpf_dir, cluster, out);
	char dir[PATH_MAX];

	if (!err) {
		strcpy(dir, out);
		err = proc_path(dir, node, out);
	}
	for (char *p = out + at; !err && *p; p++)
		if (*p == '.')
			*p = ':'; /* a BPF file system keeps names with dots to itself */
	return err;
}

int effect_tables_dir(const char *bpf_dir, const char *run_dir, const char *cluster,
                      const char *node, char out[PATH_MAX])
{
	char dpdk[PATH_MAX];
	int err = effect_pin_dir(bpf_dir, cluster, node, out);

	if (err || !access(out, F_OK) || errno == EACCES)
		return err;
	err = proc_path(run_dir, EFFECT_DPDK_DIR, dpdk);
	if (!err && !access(dpdk, F_OK))
		strcpy(out, dpdk);
	return err;
}
