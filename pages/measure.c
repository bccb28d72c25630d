/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading what the dataplane measures. The page is a seqlock: the writer makes `seq` odd while it
 * writes, so a reader copies all of it and compares. Row counts are checked against the page's size,
 * since a reader must not trust the writer. What is older than MEASURE_OLD_MS is given to nobody.
 */
#include "weir/measure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/page.h"

/* Tries of 20 us each, 70 us with the timer's slack: a write takes less than 1 ms. */
#define TRIES 50

#define MILLION 1000000u

struct measure {
	struct page *page;
	struct measure_page *copy; /* of the page's size when `is_copied`, and sound */
	size_t copy_bytes;
	bool is_copied;
};

int measure_open(const char *run_dir, struct measure **out)
{
	static const struct page_form form = { MEASURE_PAGE_FILE, MEASURE_PAGE_KIND,
		                               MEASURE_PAGE_LAYOUT, sizeof(struct measure_page),
		                               "dataplane" };
	struct measure *m = calloc(1, sizeof(*m));
	int err = m ? page_open_in(run_dir, &form, &m->page) : -ENOMEM;

	if (err) {
		measure_close(m);
		return err;
	}
	*out = m;
	return 0;
}

void measure_close(struct measure *m)
{
	if (!m)
		return;
	page_close(m->page);
	free(m->copy);
	free(m);
}

static int make_copy_room(struct measure *m, size_t bytes)
{
	struct measure_page *copy = bytes > m->copy_bytes ? malloc(bytes) : NULL;

	if (bytes <= m->copy_bytes)
		return 0;
	if (!copy)
		return -ENOMEM;
	free(m->copy);
	m->copy = copy;
	m->copy_bytes = bytes;
	return 0;
}

static uint32_t least_of(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Make the copy one that the functions below can walk. @return 0 or -EPROTO */
static int check_copy(struct measure_page *p, size_t bytes)
{
	struct measure_node *n = &p->node;
	struct measure_source *sources;

	if (measure_page_bytes(p->max_services, p->max_pools) > bytes)
		return -EPROTO;
	n->n_services = least_of(n->n_services, p->max_services);
	n->n_pools = least_of(n->n_pools, p->max_pools);
	n->n_sources = least_of(n->n_sources, MEASURE_SOURCES_MAX);
	sources = measure_page_sources(p);
	for (uint32_t i = 0; i < n->n_sources; i++)
		if (sources[i].prefix.bits > (addr_is4(&sources[i].prefix.addr) ? 32 : 128))
			return -EPROTO;
	return 0;
}

/* One try. @return 0; -EAGAIN: the writer writes; -EPROTO */
static int copy_once(struct measure *m, size_t bytes)
{
	const struct measure_page *page = page_payload(m->page);
	uint32_t seq = page_rows_seq(&page->seq);

	if (seq & 1)
		return -EAGAIN;
	memcpy(m->copy, page, bytes);
	if (!page_rows_whole(&page->seq, seq))
		return -EAGAIN;
	return check_copy(m->copy, bytes);
}

static int copy_page(struct measure *m)
{
	size_t bytes = page_size(m->page);
	int err = make_copy_room(m, bytes);

	for (int i = 0; i < TRIES && !err; i++) {
		err = copy_once(m, bytes);
		if (err != -EAGAIN)
			return err;
		nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
		err = i + 1 < TRIES ? 0 : -EAGAIN;
	}
	return err;
}

/* The sign of life is read before the rows: what it vouches for is at least as new. */
int measure_read(struct measure *m, uint64_t now_ms)
{
	const struct page_header *h = page_header(m->page);
	uint64_t alive_ms = __atomic_load_n(&h->alive_ms, __ATOMIC_ACQUIRE);
	uint64_t writer_pid = h->writer_pid;
	int err = page_is_replaced(m->page) ? -ESTALE : copy_page(m);

	m->is_copied = false;
	if (!err && !page_is_sound(m->page))
		err = -ESTALE;
	if (!err && now_ms > alive_ms && now_ms - alive_ms > MEASURE_OLD_MS)
		err = -ETIMEDOUT;
	if (err)
		return err;
	m->copy->node.alive_ms = alive_ms;
	m->copy->node.writer_pid = writer_pid;
	m->is_copied = true;
	return 0;
}

const struct measure_node *measure_node(const struct measure *m)
{
	return m->is_copied ? &m->copy->node : NULL;
}

/* The row of what is called @p name, of @p n rows of @p size bytes that begin with a name's hash. */
static const void *find_row(const void *rows, uint32_t n, size_t size, const char *name)
{
	const uint64_t key = hash_text(name);

	for (uint32_t i = 0; i < n; i++, rows = (const char *)rows + size)
		if (*(const uint64_t *)rows == key)
			return rows;
	return NULL;
}

size_t measure_services(const struct measure *m, const struct measure_service **out)
{
	if (!m->is_copied)
		return 0;
	*out = measure_page_services(m->copy);
	return m->copy->node.n_services;
}

const struct measure_service *measure_service(const struct measure *m, const char *service)
{
	return m->is_copied ? find_row(measure_page_services(m->copy), m->copy->node.n_services,
	                               sizeof(struct measure_service), service)
	                    : NULL;
}

const struct measure_pool *measure_pool(const struct measure *m, const char *pool)
{
	return m->is_copied ? find_row(measure_page_pools(m->copy), m->copy->node.n_pools,
	                               sizeof(struct measure_pool), pool)
	                    : NULL;
}

const struct measure_drill *measure_drill(const struct measure *m, const char *id)
{
	return m->is_copied ? find_row(m->copy->node.drills, FWD_DRILLS_MAX,
	                               sizeof(struct measure_drill), id)
	                    : NULL;
}

size_t measure_sources(const struct measure *m, const struct measure_source **out)
{
	if (!m->is_copied)
		return 0;
	*out = measure_page_sources(m->copy);
	return m->copy->node.n_sources;
}

bool measure_per_s_milli(uint64_t n, uint32_t window_ms, uint64_t *out)
{
	if (!window_ms || n > UINT64_MAX / MILLION)
		return false;
	*out = n * MILLION / window_ms;
	return true;
}

/* @p part of @p whole in ppm, at most UINT32_MAX. */
static uint32_t ratio_ppm(uint64_t part, uint64_t whole)
{
	double ppm = (double)part * MILLION / (double)whole;

	return ppm < UINT32_MAX ? (uint32_t)ppm : UINT32_MAX;
}

/*
 * Flows that were forgotten early say nothing. A segment may follow in this window a SYN of the one
 * before, so more may be followed than were sampled.
 */
bool measure_silent_ppm(const struct measure_flows *f, uint32_t *out)
{
	uint64_t judged = f->sampled > f->lost ? f->sampled - f->lost : 0;

	if (judged < MEASURE_SAMPLE_MIN)
		return false;
	*out = f->followed < judged ? ratio_ppm(judged - f->followed, judged) : 0;
	return true;
}

bool measure_repeated_ppm(const struct measure_flows *f, uint32_t *out)
{
	if (f->sampled < MEASURE_SAMPLE_MIN)
		return false;
	*out = ratio_ppm(f->repeated, f->sampled);
	return true;
}
