/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page is a seqlock like the effect page: all figures are gathered in a scratch copy, and only
 * copying that keeps readers waiting.
 *
 * Windows end at the newest reading and begin at an earlier one: once a second a reading is kept, and
 * of those the newest that is at least LAST_MS old begins `last`, the oldest `recent`. Rows are found
 * there by name, since a document may come in between; a row that a reading lacks began later, with
 * counters at 0. A counter that is smaller than it was has begun again.
 */
#include "dataplane/export/measurer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/page.h"
#include "base/proc.h"
#include "base/sorted.h"
#include "dataplane/export/traffic.h"
#include "weir/fwd/sample.h"
#include "weir/model.h"

#define READINGS 11u
#define KEEP_MS  1000u
#define LAST_MS  900u
#define EARLY_MS 50u   /* the caller's timer is not exact */
#define RETRY_MS 5000u /* after a page that could not be made */

/* Up to so many packets a second, the sample is wide: each watched one costs some 20 ns. */
#define QUIET_PER_S 50000u
#define BUSY_PER_S  1000000u
#define WIDE_QUIET  (FWD_SAMPLE_ONE_OF - 1)
#define WIDE_MIDDLE 15u

/* Figures of one moment, their rows sorted. */
struct measured_counters {
	uint64_t at_ms; /* 0: none */
	uint64_t received, reason[FWD_REASONS_MAX];
	struct measure_service *services; /* [max_services], only `total` */
	struct measure_pool *pools;       /* [max_pools] */
	uint32_t n_services, n_pools;
};

struct measurer {
	char run_dir[PATH_MAX];
	struct page *page;
	struct measure_page *scratch;
	struct measured_counters kept[READINGS]; /* the newest at `at` */
	unsigned at;
	struct measured_sources *sources;
	struct node_counts counts;
	uint64_t written_ms, scanned_ms, began;
	uint64_t received; /* as last read, at read_ms: for the sample's width */
	uint64_t read_ms;
	int fault;         /* -errno of the page that could not be made; 0: there is one */
	uint64_t retry_ms; /* with a fault: when it is tried again */
};

struct measurer *measurer_new(const char *run_dir)
{
	struct measurer *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->sources = measured_sources_new();
	if (!m->sources) {
		free(m);
		return NULL;
	}
	snprintf(m->run_dir, sizeof(m->run_dir), "%s", run_dir);
	return m;
}

static void free_readings(struct measurer *m)
{
	for (unsigned i = 0; i < READINGS; i++) {
		free(m->kept[i].services);
		free(m->kept[i].pools);
		m->kept[i] = (struct measured_counters){ 0 };
	}
}

void measurer_free(struct measurer *m)
{
	if (!m)
		return;
	free_readings(m);
	measured_sources_free(m->sources);
	page_close(m->page);
	free(m->scratch);
	free(m);
}

/* --- the page --- */

static int make_readings(struct measurer *m, uint32_t services, uint32_t pools)
{
	free_readings(m);
	for (unsigned i = 0; i < READINGS; i++) {
		m->kept[i].services = calloc(services, sizeof(*m->kept[i].services));
		m->kept[i].pools = calloc(pools, sizeof(*m->kept[i].pools));
		if (!m->kept[i].services || !m->kept[i].pools)
			return -ENOMEM;
	}
	return 0;
}

static int try_page(struct measurer *m, uint32_t services, uint32_t pools)
{
	size_t bytes = measure_page_bytes(services, pools);
	char path[PATH_MAX];
	int err;

	page_close(m->page);
	free(m->scratch);
	m->page = NULL;
	m->scratch = calloc(1, bytes);
	err = m->scratch ? make_readings(m, services, pools) : -ENOMEM;
	if (!err)
		err = proc_path(m->run_dir, MEASURE_PAGE_FILE, path);
	if (!err)
		err = page_create(path, MEASURE_PAGE_KIND, MEASURE_PAGE_LAYOUT, bytes, &m->page);
	return err;
}

/* Make the page, again when the tables have grown: readers then open the new one. */
static int make_measure_page(struct measurer *m, const struct compiler *n, uint64_t now_ms)
{
	uint32_t services = n->sizes.service_counts, pools = n->sizes.pools;
	int err;

	if (m->page && m->scratch->max_services == services && m->scratch->max_pools == pools)
		return 0;
	if (m->fault && now_ms < m->retry_ms)
		return m->fault;
	err = try_page(m, services, pools);
	if (err && err != m->fault)
		log_error("measure-page-failed", "error=\"%s\"", strerror(-err));
	m->fault = err;
	m->retry_ms = now_ms + RETRY_MS;
	if (err)
		return err;
	m->scratch->max_services = services;
	m->scratch->max_pools = pools;
	return 0;
}

const struct fwd_cpu *measurer_counts(const struct measurer *m)
{
	return &m->counts.shown;
}

int measurer_fault(const struct measurer *m)
{
	return m->fault;
}

static void publish_copy(struct measurer *m, uint64_t now_ms)
{
	struct measure_page *to = page_payload(m->page), *from = m->scratch;
	size_t bytes = measure_page_bytes(from->max_services, from->max_pools);

	page_repair(m->page);
	from->seq = page_rows_begin(&to->seq);
	memcpy(&to->max_services, &from->max_services, bytes - sizeof(from->seq));
	page_rows_end(&to->seq, from->seq);
	page_alive(m->page, now_ms);
	page_publish(m->page);
}

/* --- totals, read from the tables --- */

static void read_services(const struct compiler *n, struct measure_page *p)
{
	struct measure_service *rows = measure_page_services(p);
	uint32_t used = 0;

	for (size_t i = 0; i < n->plan->n_services && used < p->max_services; i++) {
		const uint64_t key = hash_text(n->plan->services[i]->name);
		uint32_t at = indexes_find(n->count_indexes, key);
		struct fwd_sample_count sample;
		struct traffic sum;

		if (at == INDEX_NONE)
			continue;
		sum = traffic_of_service(&n->t, at);
		sample = traffic_sample(&n->t, at);
		rows[used++] = (struct measure_service){
			.service = key,
			.total = { .new_flows = sum.new_flows,
			           .packets = sum.packets,
			           .bytes = sum.bytes,
			           .sampled = sample.sampled,
			           .repeated = sample.repeated,
			           .followed = sample.followed,
			           .lost = sample.lost },
		};
	}
	qsort(rows, used, sizeof(*rows), sorted_by_u64);
	p->node.n_services = used;
}

/* A pool with a backup has a table of its own for each backup: they are added up. */
static struct measure_pool *find_pool_row(struct measure_page *p, uint64_t key)
{
	struct measure_pool *rows = measure_page_pools(p);

	for (uint32_t i = 0; i < p->node.n_pools; i++)
		if (rows[i].pool == key)
			return &rows[i];
	if (p->node.n_pools == p->max_pools)
		return NULL;
	rows[p->node.n_pools] = (struct measure_pool){ .pool = key };
	return &rows[p->node.n_pools++];
}

static void read_pools(const struct compiler *n, struct measure_page *p)
{
	p->node.n_pools = 0;
	for (size_t i = 0; i < n->n_pools; i++) {
		const struct compiler_pool *pool = &n->pools[i];
		struct measure_pool *row = find_pool_row(p, hash_text(pool->plan->model->name));

		for (size_t k = 0; row && k < pool->plan->n_backends; k++) {
			struct traffic sum = traffic_of_backend(&n->t, pool->backends[k].index);

			if (pool->plan->backends[k].class == PLAN_OWN) {
				row->total.own_flows += sum.new_flows;
				row->total.own_packets += sum.packets;
			} else {
				row->total.backup_flows += sum.new_flows;
			}
		}
	}
	qsort(measure_page_pools(p), p->node.n_pools, sizeof(struct measure_pool), sorted_by_u64);
}

static void read_node(const struct fwd_cpu *counts, struct measure_node *node)
{
	node->received = counts->received;
	memcpy(node->reason, counts->reason, sizeof(node->reason));
}

static void read_drills(const struct fwd_tables *t, struct measure_node *node)
{
	memset(node->drills, 0, sizeof(node->drills));
	for (uint32_t i = 0; i < t->n_drills; i++) {
		struct fwd_drill_count sum = traffic_drill(t, i);

		if (t->drills[i].id)
			node->drills[i] = (struct measure_drill){
				.drill = t->drills[i].id,
				.begun = sum.begun,
				.repeated = sum.repeated,
				.followed = sum.followed,
				.kept = sum.kept,
				.state = OWNER_LOAD(uint32_t, &t->drills[i].state),
			};
	}
}

/* --- windows --- */

/*
 * What the counters @p now have grown by since @p before, [n]. One that is smaller has begun again,
 * as if it had been 0.
 */
static void subtract_counts(const void *now, const void *before, void *out, size_t n)
{
	const uint64_t *x = now, *y = before;
	uint64_t *to = out;

	for (size_t i = 0; i < n; i++)
		to[i] = x[i] >= y[i] ? x[i] - y[i] : x[i];
}

#define WORDS(of) (sizeof(of) / sizeof(uint64_t))

static void fill_services(struct measure_page *p, const struct measured_counters *from,
                          bool is_last)
{
	static const struct measure_flows none;
	struct measure_service *rows = measure_page_services(p);

	for (uint32_t i = 0; i < p->node.n_services; i++) {
		const struct measure_service *then = bsearch(
		        &rows[i], from->services, from->n_services, sizeof(*then), sorted_by_u64);

		subtract_counts(&rows[i].total, then ? &then->total : &none,
		                is_last ? &rows[i].last : &rows[i].recent, WORDS(none));
	}
}

static void fill_pools(struct measure_page *p, const struct measured_counters *from, bool is_last)
{
	static const struct measure_use none;
	struct measure_pool *rows = measure_page_pools(p);

	for (uint32_t i = 0; i < p->node.n_pools; i++) {
		const struct measure_pool *then =
		        bsearch(&rows[i], from->pools, from->n_pools, sizeof(*then), sorted_by_u64);

		subtract_counts(&rows[i].total, then ? &then->total : &none,
		                is_last ? &rows[i].last : &rows[i].recent, WORDS(none));
	}
}

/* The kept reading that begins a window: at least @p ms old, or the oldest. NULL: none */
static const struct measured_counters *find_reading(const struct measurer *m, uint64_t now_ms,
                                                    uint64_t ms)
{
	const struct measured_counters *found = NULL;

	for (unsigned i = 0; i < READINGS; i++) {
		const struct measured_counters *r = &m->kept[(m->at + READINGS - i) % READINGS];

		if (!r->at_ms)
			break;
		found = r;
		if (now_ms - r->at_ms >= ms)
			break;
	}
	return found && found->at_ms < now_ms ? found : NULL;
}

static void fill_windows(struct measurer *m, struct measure_page *p, uint64_t now_ms)
{
	const struct measured_counters *last = find_reading(m, now_ms, LAST_MS);
	const struct measured_counters *recent = find_reading(m, now_ms, UINT64_MAX);
	struct measure_node *node = &p->node;

	node->last_ms = last ? (uint32_t)(now_ms - last->at_ms) : 0;
	node->recent_ms = recent ? (uint32_t)(now_ms - recent->at_ms) : 0;
	if (!last)
		return;
	subtract_counts(&node->received, &last->received, &node->received_last, 1);
	subtract_counts(node->reason, last->reason, node->reason_last, FWD_REASONS_MAX);
	fill_services(p, last, true);
	fill_pools(p, last, true);
	fill_services(p, recent, false);
	fill_pools(p, recent, false);
}

/* Keep what was read as the newest reading, in place of the oldest. */
static void keep_reading(struct measurer *m, struct measure_page *p, uint64_t now_ms)
{
	struct measured_counters *r = &m->kept[m->at];

	if (r->at_ms && now_ms - r->at_ms < KEEP_MS)
		return;
	m->at = (m->at + 1) % READINGS;
	r = &m->kept[m->at];
	r->at_ms = now_ms;
	r->received = p->node.received;
	memcpy(r->reason, p->node.reason, sizeof(r->reason));
	r->n_services = p->node.n_services;
	r->n_pools = p->node.n_pools;
	memcpy(r->services, measure_page_services(p), r->n_services * sizeof(*r->services));
	memcpy(r->pools, measure_page_pools(p), r->n_pools * sizeof(*r->pools));
}

/* --- the sample --- */

uint32_t measurer_width(uint64_t packets_per_s)
{
	if (packets_per_s <= QUIET_PER_S)
		return WIDE_QUIET;
	return packets_per_s <= BUSY_PER_S ? WIDE_MIDDLE : 0;
}

uint32_t measurer_one_of(uint32_t wide)
{
	return wide < FWD_SAMPLE_ONE_OF ? FWD_SAMPLE_ONE_OF / (wide + 1) : 1;
}

static uint32_t at_most(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t at_least(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* How wide the sample may be by the whole of `recent`, at twice its packets; 0 before it is full. */
static uint32_t widest_of_window(const struct measurer *m, const struct measure_node *node,
                                 uint64_t now_ms)
{
	const struct measured_counters *from = find_reading(m, now_ms, UINT64_MAX);

	if (!from || node->received < from->received || now_ms - from->at_ms < 10 * KEEP_MS)
		return 0;
	return measurer_width((node->received - from->received) * 2000 / (now_ms - from->at_ms));
}

/*
 * Less as soon as there is much to do, more only when it has been quiet for the whole window. At
 * first tables keep what they have: compiler_init() takes new ones for quiet.
 */
static void choose_width(struct measurer *m, const struct compiler *n,
                         const struct measure_node *node, uint64_t now_ms)
{
	struct fwd_root *root = n->t.root;
	uint32_t wide = OWNER_LOAD(uint32_t, &root->sample_wide), now;

	if (m->read_ms && now_ms > m->read_ms && node->received >= m->received) {
		now = measurer_width((node->received - m->received) * 1000 / (now_ms - m->read_ms));
		if (now > wide)
			now = at_most(now, at_least(wide, widest_of_window(m, node, now_ms)));
		wide = now;
	}
	OWNER_STORE(uint32_t, &root->sample_wide, wide);
	if (!m->began || node->received < m->received)
		m->began = now_ms;
	m->received = node->received;
	m->read_ms = now_ms;
}

void measurer_tick(struct measurer *m, const struct compiler *n, uint64_t now_ms)
{
	struct measure_page *p;

	if (!n->plan || (m->written_ms && now_ms - m->written_ms + EARLY_MS < MEASURER_MS))
		return;
	node_counts_read(&m->counts, n, now_ms);
	if (make_measure_page(m, n, now_ms))
		return;
	p = m->scratch;
	m->written_ms = now_ms;
	read_node(&m->counts.shown, &p->node);
	read_drills(&n->t, &p->node);
	read_services(n, p);
	read_pools(n, p);
	fill_windows(m, p, now_ms);
	keep_reading(m, p, now_ms);
	choose_width(m, n, &p->node, now_ms);
	p->node.document = n->model->meta.document;
	p->node.began = m->began;
	p->node.at_ms = now_ms;
	p->node.one_of = measurer_one_of(n->t.root->sample_wide);
	if (now_ms - m->scanned_ms >= KEEP_MS) {
		m->scanned_ms = now_ms;
		measured_sources_scan(m->sources, &n->t, n->count_indexes, p->node.one_of,
		                      (uint32_t)(compiler_now().ticks_ms / 1000), now_ms);
		p->node.n_sources = (uint32_t)measured_sources_list(m->sources, now_ms,
		                                                    measure_page_sources(p));
	}
	publish_copy(m, now_ms);
}
