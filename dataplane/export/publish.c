/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes the stats page and the effect page. The figures come from the tables (effect_scan()), so
 * they say what packets meet. What the tables do not hold is added from the compiler's state: why a
 * backend is in or out, and its path MTU.
 *
 * The effect page is a seqlock. A scan takes long, so it goes into a scratch copy, and only
 * copying that to the page keeps readers waiting.
 */
#include "dataplane/export/publish.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/page.h"
#include "base/proc.h"
#include "base/sorted.h"
#include "dataplane/export/effect_internal.h"
#include "dataplane/export/measurer.h"
#include "dataplane/export/metrics.h"
#include "dataplane/export/traffic.h"
#include "weir/model.h"
#include "weir/stats.h"

/*
 * Counters on the stats page: 4,096 services take 12,288, 1,024 backends 9,216, 1,024 pools 8,192;
 * the other 3,072 are for ports, workers, reasons and signs of life, which must always find room.
 */
#define COUNTERS_MAX 32768u

/* --- rows of the stats page that come and go: the counters of one label set --- */

struct publish_row {
	char labels[STATS_LABELS_MAX];
	uint64_t pool,
	        id; /* of a backend its pool's and its own; of a pool or a service its own; else 0 */
	uint64_t *counters[METRICS_ROW_MAX];
	uint64_t key; /* of rows_replace(): a hash of the labels */
	bool stays;   /* scratch of it */
};

struct rows {
	const struct metric *metrics;
	size_t n_metrics;
	struct publish_row *items;
	size_t n;
};

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

/*
 * Replace the rows by @p fresh (taken): equal labels keep their counters, other counters are dropped. So a document that
 * changes something else does not reset a Prometheus series.
 */
static void replace_rows(struct stats *stats, struct rows *rows, struct publish_row *fresh,
                         size_t n)
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

struct publisher {
	struct measurer *measurer;
	char run_dir[PATH_MAX];
	struct stats *stats;
	struct page *page;
	struct effect_page *scratch;
	struct rows rows[METRICS_KINDS];
	uint64_t *totals[TOTALS], *reasons[FWD_REASON_COUNT], *events[OWNER_EVENT_COUNT];
	uint32_t page_pools, page_backends;
};

/*
 * Rows of ports, workers and frame classes. Which there are is known only when a driver runs, so
 * rows are made when the labels differ from those of the last second.
 */

struct writer {
	struct stats *stats;
	struct rows *rows;
	struct driver_worker workers[DRIVER_WORKERS_MAX];
	struct driver_port ports[DRIVER_PORTS_MAX];
	size_t n_workers, n_ports, n_classes;
	const char *const *classes;
};

/* Writes the labels of row @p i into @p out; the row's key is their hash. */
typedef void label_row(const struct writer *w, size_t i, char out[STATS_LABELS_MAX]);

static void label_worker(const struct writer *w, size_t i, char out[STATS_LABELS_MAX])
{
	snprintf(out, STATS_LABELS_MAX, "worker=\"%zu\",cpu=\"%u\"", i, w->workers[i].cpu);
}

/* The label is the smallest number of frames in a burst of that size: 0, 1, 2, 4, ... */
static void label_burst(const struct writer *w, size_t i, char out[STATS_LABELS_MAX])
{
	(void)w;
	snprintf(out, STATS_LABELS_MAX, "worker=\"%zu\",frames=\"%u\"", i / DRIVER_BURST_SIZES,
	         1u << i % DRIVER_BURST_SIZES >> 1);
}

static void label_class(const struct writer *w, size_t i, char out[STATS_LABELS_MAX])
{
	snprintf(out, STATS_LABELS_MAX, "class=\"%s\"", w->classes[i]);
}

static void label_port(const struct writer *w, size_t i, char out[STATS_LABELS_MAX])
{
	snprintf(out, STATS_LABELS_MAX, "port=\"%s\"", w->ports[i].name);
}

/*
 * Have @p n rows of a kind, made again only if their labels have changed. @return the rows, or
 * NULL
 */
static struct publish_row *make_rows(const struct writer *w, enum metrics_kind kind, size_t n,
                                     label_row *label)
{
	struct rows *rows = &w->rows[kind];
	char labels[STATS_LABELS_MAX];
	bool same = rows->items && rows->n == n; /* at first: what an earlier process left goes */
	struct publish_row *fresh;

	for (size_t i = 0; same && i < n; i++) {
		label(w, i, labels);
		same = strcmp(rows->items[i].labels, labels) == 0;
	}
	if (same)
		return rows->items;
	fresh = calloc(n ? n : 1, sizeof(*fresh));
	if (!fresh)
		return NULL;
	for (size_t i = 0; i < n; i++)
		label(w, i, fresh[i].labels);
	replace_rows(w->stats, rows, fresh, n);
	return rows->items;
}

/* The order of counters is that of worker_metrics[] (export/metrics.c). */
static void write_workers(const struct writer *w)
{
	struct publish_row *r = make_rows(w, METRICS_WORKER, w->n_workers, label_worker);

	for (size_t i = 0; r && i < w->n_workers; i++) {
		const struct driver_worker *c = &w->workers[i];

		stats_set(r[i].counters[0], c->frames);
		stats_set(r[i].counters[1], c->cycles);
		stats_set(r[i].counters[2], c->sleeps);
		stats_set(r[i].counters[3], c->interrupts);
		stats_set(r[i].counters[4], c->handed_over);
		stats_set(r[i].counters[5], c->from_kernel);
		stats_set(r[i].counters[6], c->from_kernel_lost);
	}
	r = make_rows(w, METRICS_BURST, w->n_workers * DRIVER_BURST_SIZES, label_burst);
	for (size_t i = 0; r && i < w->n_workers * DRIVER_BURST_SIZES; i++)
		stats_set(r[i].counters[0],
		          w->workers[i / DRIVER_BURST_SIZES].bursts[i % DRIVER_BURST_SIZES]);
}

static void write_classes(const struct writer *w)
{
	struct publish_row *r = make_rows(w, METRICS_CLASS, w->n_classes, label_class);

	for (size_t c = 0; r && c < w->n_classes; c++) {
		uint64_t given = 0, policed = 0;

		for (size_t i = 0; i < w->n_workers; i++) {
			given += w->workers[i].to_kernel[c];
			policed += w->workers[i].policed[c];
		}
		stats_set(r[c].counters[0], given);
		stats_set(r[c].counters[1], policed);
	}
}

static void write_ports(const struct writer *w)
{
	struct publish_row *r = make_rows(w, METRICS_PORT, w->n_ports, label_port);

	for (size_t i = 0; r && i < w->n_ports; i++) {
		stats_set(r[i].counters[0], w->ports[i].up && !w->ports[i].lost);
		stats_set(r[i].counters[1], w->ports[i].missed);
		stats_set(r[i].counters[2], w->ports[i].no_memory);
		stats_set(r[i].counters[3], w->ports[i].not_sent);
		stats_set(r[i].counters[4], w->ports[i].not_sent_known);
	}
}

/* Counters of ports, and of the workers of a driver in user space. @p rows: by enum metrics_kind. */
static void publish_workers(struct stats *stats, struct rows rows[METRICS_KINDS],
                            const struct compiler *n)
{
	struct writer w = { .stats = stats, .rows = rows, .classes = n->ops->classes };

	w.n_ports = n->ops->ports(n->driver, w.ports);
	if (n->ops->workers)
		w.n_workers = n->ops->workers(n->driver, w.workers);
	while (w.classes && w.n_classes < DRIVER_CLASSES_MAX && w.classes[w.n_classes])
		w.n_classes++;
	write_workers(&w);
	write_classes(&w);
	write_ports(&w);
}

static void make_reasons(struct publisher *p)
{
	for (int i = 0; i < FWD_REASON_COUNT; i++)
		p->reasons[i] =
		        stats_get_counter(p->stats, metrics_packets.kind, metrics_packets.name,
		                          metrics_reasons[i].labels, metrics_packets.help);
	for (int i = 0; i < OWNER_EVENT_COUNT; i++)
		p->events[i] =
		        stats_get_counter(p->stats, metrics_events.kind, metrics_events.name,
		                          metrics_owner_events[i].labels, metrics_events.help);
}

int publisher_open(const char *run_dir, struct publisher **out)
{
	struct publisher *p = calloc(1, sizeof(*p));
	int err = p ? stats_create(run_dir, "dataplane", COUNTERS_MAX, &p->stats) : -ENOMEM;

	if (!err) {
		p->measurer = measurer_new(run_dir);
		err = p->measurer ? 0 : -ENOMEM;
	}
	if (err) {
		publisher_close(p);
		return err;
	}
	snprintf(p->run_dir, sizeof(p->run_dir), "%s", run_dir);
	for (int k = 0; k < METRICS_KINDS; k++)
		p->rows[k] = (struct rows){ metrics_rows[k].items, metrics_rows[k].n, NULL, 0 };
	make_reasons(p);
	for (int i = 0; i < TOTALS; i++)
		p->totals[i] =
		        stats_get_counter(p->stats, metrics_totals[i].kind, metrics_totals[i].name,
		                          "", metrics_totals[i].help);
	*out = p;
	return 0;
}

/* The stats page is the last: a process that waits for it finds all others free. */
void publisher_close(struct publisher *p)
{
	if (!p)
		return;
	for (int k = 0; k < METRICS_KINDS; k++)
		free(p->rows[k].items);
	measurer_free(p->measurer);
	page_close(p->page);
	stats_close(p->stats);
	free(p->scratch);
	free(p);
}

struct effect_page *publisher_effect(struct publisher *p)
{
	return p->page ? p->scratch : NULL;
}

struct stats *publisher_stats(struct publisher *p)
{
	return p->stats;
}

/* A pool's further tables, for other services, have labels of their own. */
static bool is_first_table(const struct plan_pool *pool)
{
	return !pool->backup || pool->id == hash_text(pool->model->name);
}

static void label_backend(char labels[STATS_LABELS_MAX], const struct plan_pool *pool,
                          const struct plan_backend *b)
{
	const char *model = pool->model->name, *backup = pool->backup ? pool->backup->name : "";

	if (b->class == PLAN_BACKUP)
		snprintf(labels, STATS_LABELS_MAX, "pool=\"%s\",backend=\"%s\",backup_of=\"%s\"",
		         backup, b->name, model);
	else if (is_first_table(pool))
		snprintf(labels, STATS_LABELS_MAX, "pool=\"%s\",backend=\"%s\"", model, b->name);
	else
		snprintf(labels, STATS_LABELS_MAX, "pool=\"%s\",backend=\"%s\",backup=\"%s\"",
		         model, b->name, backup);
}

static void log_left_out(const char *event, size_t too_many, unsigned max)
{
	if (too_many)
		log_note(event,
		         "left_out=%zu reason=\"the page of counters has room for %u of them\"",
		         too_many, max);
}

/* How many of @p n have rows. */
static size_t limit_rows(const char *event, size_t n, unsigned max)
{
	log_left_out(event, n > max ? n - max : 0, max);
	return n > max ? max : n;
}

/*
 * Only configured backends have rows: one that has left has no name, and its figures are on the
 * effect page.
 */
static void make_backend_rows(struct publisher *p, const struct compiler *n)
{
	struct publish_row *fresh = calloc(PUBLISH_BACKENDS_MAX, sizeof(*fresh));
	size_t used = 0, too_many = 0;

	if (!fresh)
		return;
	for (size_t i = 0; i < n->n_pools; i++) {
		for (size_t k = 0; k < n->pools[i].plan->n_backends; k++) {
			const struct plan_backend *b = &n->pools[i].plan->backends[k];

			if (!*b->name)
				continue;
			if (used == PUBLISH_BACKENDS_MAX) {
				too_many++;
				continue;
			}
			label_backend(fresh[used].labels, n->pools[i].plan, b);
			fresh[used].pool = n->pools[i].plan->id;
			fresh[used++].id = b->id;
		}
	}
	log_left_out("backends-without-counters", too_many, PUBLISH_BACKENDS_MAX);
	replace_rows(p->stats, &p->rows[METRICS_BACKEND], fresh, used);
}

static void make_pool_rows(struct publisher *p, const struct compiler *n)
{
	size_t count = limit_rows("pools-without-counters", n->n_pools, PUBLISH_POOLS_MAX);
	struct publish_row *fresh = calloc(count ? count : 1, sizeof(*fresh));

	if (!fresh)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct plan_pool *pool = n->pools[i].plan;

		if (is_first_table(pool))
			snprintf(fresh[i].labels, STATS_LABELS_MAX, "pool=\"%s\"",
			         pool->model->name);
		else
			snprintf(fresh[i].labels, STATS_LABELS_MAX, "pool=\"%s\",backup=\"%s\"",
			         pool->model->name, pool->backup->name);
		fresh[i].id = pool->id;
	}
	replace_rows(p->stats, &p->rows[METRICS_POOL], fresh, count);
}

static void make_service_rows(struct publisher *p, const struct compiler *n)
{
	size_t count =
	        limit_rows("services-without-counters", n->plan->n_services, PUBLISH_SERVICES_MAX);
	struct publish_row *fresh = calloc(count ? count : 1, sizeof(*fresh));

	if (!fresh)
		return;
	for (size_t i = 0; i < count; i++) {
		const char *name = n->plan->services[i]->name;

		snprintf(fresh[i].labels, STATS_LABELS_MAX, "service=\"%s\"", name);
		fresh[i].id = hash_text(name);
	}
	replace_rows(p->stats, &p->rows[METRICS_SERVICE], fresh, count);
}

/*
 * Make the page and the scratch copy, again if the tables have grown: readers then open the new
 * page.
 */
static int make_page(struct publisher *p, const struct compiler *n)
{
	uint32_t pools = n->sizes.pools, backends = n->sizes.backends;
	size_t bytes = effect_page_bytes(pools, backends);
	char path[PATH_MAX];
	int err;

	if (p->page && p->page_pools == pools && p->page_backends == backends)
		return 0;
	page_close(p->page);
	free(p->scratch);
	p->page = NULL;
	p->scratch = calloc(1, bytes);
	err = p->scratch ? proc_path(p->run_dir, EFFECT_PAGE_FILE, path) : -ENOMEM;
	if (!err)
		err = page_create(path, EFFECT_PAGE_KIND, EFFECT_PAGE_LAYOUT, bytes, &p->page);
	if (err) {
		log_error("effect-page-failed", "error=\"%s\"", strerror(-err));
		return err;
	}
	p->page_pools = p->scratch->max_pools = pools;
	p->page_backends = p->scratch->max_backends = backends;
	return 0;
}

void publisher_document(struct publisher *p, const struct compiler *n)
{
	make_service_rows(p, n);
	compiler_yield(n);
	make_backend_rows(p, n);
	compiler_yield(n);
	make_pool_rows(p, n);
}

static void write_counts(struct publisher *p)
{
	const struct fwd_cpu *sum = measurer_counts(p->measurer);

	stats_set(p->totals[RECEIVED], sum->received);
	stats_set(p->totals[RECEIVED_BYTES], sum->received_bytes);
	stats_set(p->totals[FRAGMENTS_LOST], sum->fragments_lost);
	for (int i = 0; i < FWD_REASON_COUNT; i++)
		stats_set(p->reasons[i], sum->reason[i]);
	for (int i = 0; i < OWNER_EVENT_COUNT; i++)
		stats_set(p->events[i], sum->event[i]);
}

static void write_services(struct publisher *p, const struct compiler *n)
{
	for (size_t i = 0; i < p->rows[METRICS_SERVICE].n; i++) {
		struct publish_row *r = &p->rows[METRICS_SERVICE].items[i];
		uint32_t at = indexes_find(n->count_indexes, r->id);
		struct traffic sum = { 0 };

		if (at != INDEX_NONE)
			sum = traffic_of_service(&n->t, at);
		stats_set(r->counters[0], sum.packets);
		stats_set(r->counters[1], sum.bytes);
		stats_set(r->counters[2], sum.new_flows);
	}
}

/*
 * A backend without a row in the effect (its element is being replaced) keeps its last figures.
 */
static void write_backends(struct publisher *p, const struct compiler *n)
{
	const struct effect_backend *rows = effect_page_backends(p->scratch);
	uint32_t count = p->scratch->total.n_backends;

	for (size_t i = 0; i < p->rows[METRICS_BACKEND].n; i++) {
		struct publish_row *r = &p->rows[METRICS_BACKEND].items[i];
		uint32_t at = effect_row(rows, count, r->pool, r->id);
		const struct effect_backend *b = &rows[at];

		if (at == count || b->pool != r->pool || b->id != r->id)
			continue;
		stats_set(r->counters[0], b->packets);
		stats_set(r->counters[1], b->bytes);
		stats_set(r->counters[2], b->alive);
		stats_set(r->counters[3], b->next_hop);
		stats_set(r->counters[4], b->slots);
		stats_set(r->counters[5], b->base_slots);
		stats_set(r->counters[6], b->exceptions);
		stats_set(r->counters[7], b->inner_mtu);
		stats_set(r->counters[8], traffic_of_backend(&n->t, b->index).new_flows);
	}
}

static void write_pools(struct publisher *p)
{
	const struct effect_pool *pools = effect_page_pools(p->scratch);

	for (size_t i = 0; i < p->rows[METRICS_POOL].n; i++) {
		struct publish_row *r = &p->rows[METRICS_POOL].items[i];

		for (uint32_t k = 0; k < p->scratch->total.n_pools; k++) {
			if (pools[k].pool != r->id)
				continue;
			stats_set(r->counters[0], pools[k].n_slots);
			stats_set(r->counters[1], pools[k].empty);
			stats_set(r->counters[2], pools[k].unsettled);
			stats_set(r->counters[3], pools[k].held);
			stats_set(r->counters[4], pools[k].full);
			stats_set(r->counters[5], pools[k].class);
			stats_set(r->counters[6], pools[k].backup_slots);
			stats_set(r->counters[7], pools[k].refused_slots);
		}
	}
}

static void add_class(const struct compiler_pool *np, struct effect_pool *pool)
{
	if (!np->backup)
		return;
	pool->has_backup = true;
	pool->class = np->backup->state.class;
	pool->backup_obstacle = np->backup->state.obstacle;
}

/*
 * Add to a pool's rows what the tables do not hold: why each backend is in or out, its next hop
 * and path MTU.
 */
static void add_whys(struct effect_page *e, const struct compiler *n,
                     const struct compiler_pool *np, struct effect_pool *pool)
{
	struct effect_backend *rows = effect_page_backends(e) + pool->first;

	add_class(np, pool);
	for (size_t k = 0, i = 0; k < np->plan->n_backends; k++) {
		while (i < pool->n_backends && rows[i].id < np->plan->backends[k].id)
			i++; /* both are sorted by id */
		if (i == pool->n_backends)
			return;
		if (rows[i].id != np->plan->backends[k].id)
			continue;
		rows[i].reason = np->backends[k].reason;
		rows[i].hop = n->paths[np->backends[k].index].next_hop.hop;
		rows[i].path_mtu = n->paths[np->backends[k].index].reported.mtu;
		rows[i].is_backup = np->plan->backends[k].class == PLAN_BACKUP;
		pool->backup_slots += rows[i].is_backup ? rows[i].slots : 0;
		pool->held += guard_is_hold((enum effect_reason)rows[i].reason);
	}
}

/* `reason`, `held` and path MTUs are added before the page is written, all in the scratch copy. */
static void write_effect(struct publisher *p, const struct compiler *n,
                         const struct compiler_time *time)
{
	struct effect_page *to = page_payload(p->page), *from = p->scratch;
	struct effect_pool *pools = effect_page_pools(from);
	size_t bytes = effect_page_bytes(from->max_pools, from->max_backends);

	if (effect_scan(&n->t, (uint32_t)(time->ticks_ms / 1000), from))
		return;
	compiler_yield(n);
	from->total.refused = n->document_refused;
	for (uint32_t i = 0; i < from->total.n_pools; i++)
		for (size_t k = 0; k < n->n_pools; k++)
			if (n->pools[k].plan->id == pools[i].pool)
				add_whys(from, n, &n->pools[k], &pools[i]);
	page_repair(p->page);
	from->seq = page_rows_begin(&to->seq);
	memcpy(&to->max_pools, &from->max_pools, bytes - sizeof(from->seq));
	page_rows_end(&to->seq, from->seq);
	page_alive(p->page, time->now_ms);
	page_publish(p->page);
	stats_set(p->totals[EXCEPTIONS], from->total.exceptions);
	stats_set(p->totals[EXCEPTIONS_MAX], from->total.exceptions_max);
	write_backends(p, n);
	write_pools(p);
}

static uint64_t resident_bytes(void)
{
	unsigned long total, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &total, &resident) != 2)
		resident = 0;
	fclose(f);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_process(struct publisher *p)
{
	struct rusage r;

	if (!getrusage(RUSAGE_SELF, &r))
		stats_set(p->totals[CPU_US],
		          (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000u +
		                  (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec));
	stats_set(p->totals[RESIDENT], resident_bytes());
}

/* Values of the node as a whole that are not sums over CPUs. */
static void write_node(struct publisher *p, const struct compiler *n)
{
	struct driver_port ports[DRIVER_PORTS_MAX];
	size_t known = n->ops->ports(n->driver, ports), attached = 0, generic = 0;

	for (size_t i = 0; i < known; i++) {
		attached += !ports[i].lost;
		generic += !ports[i].lost && !ports[i].native;
	}
	stats_set(p->totals[PORTS], attached);
	stats_set(p->totals[PORTS_GENERIC], generic);
	stats_set(p->totals[DPDK], !strcmp(n->ops->name, "dpdk"));
	stats_set(p->totals[TABLES_PAGE], n->ops->page_bytes ? n->ops->page_bytes(n->driver) : 0);
	stats_set(p->totals[DOCUMENT], n->model->meta.document);
	stats_set(p->totals[DOCUMENTS], n->counters.documents);
	stats_set(p->totals[DOCUMENT_READ_US], n->took.read_us);
	stats_set(p->totals[DOCUMENT_COMPILE_US], n->took.compile_us);
	stats_set(p->totals[DOCUMENT_SWITCH_US], n->took.switch_us);
	stats_set(p->totals[RESIZES], n->counters.resizes);
	stats_set(p->totals[DEATHS], n->counters.deaths);
	stats_set(p->totals[RETURNS], n->counters.returns);
	stats_set(p->totals[HELD], n->counters.held);
	stats_set(p->totals[PATHS_LOW], n->n_low);
	stats_set(p->totals[PATHS_LOWERED], n->counters.paths_lowered);
	stats_set(p->totals[PATHS_RESTORED], n->counters.paths_restored);
	stats_set(p->totals[DAMAGED], n->counters.damaged);
	stats_set(p->totals[SCRUBS], n->counters.scrubs);
	stats_set(p->totals[PINS], n->counters.pins);
	if (!n->hops)
		return;
	stats_set(p->totals[HOP_CHANGES], hops_counters(n->hops)->changes);
	stats_set(p->totals[HOP_PROBES], hops_counters(n->hops)->probes);
	stats_set(p->totals[HOP_RESYNCS], hops_counters(n->hops)->resyncs);
	stats_set(p->totals[HOPS_REFUSED], hops_counters(n->hops)->refused);
}

void publisher_write(struct publisher *p, const struct compiler *n,
                     const struct compiler_time *time)
{
	write_process(p);
	stats_alive(p->stats, time->now_ms);
	stats_set(p->totals[REFUSED], n->document_refused);
	stats_set(p->totals[REFUSALS], n->counters.refused);
	stats_set(p->totals[LEARNING], n->learning);
	if (!n->plan)
		return;
	measurer_tick(p->measurer, n, time->now_ms);
	write_counts(p);
	write_node(p, n);
	publish_workers(p->stats, p->rows, n);
	write_services(p, n);
	compiler_yield(n);
	if (!make_page(p, n))
		write_effect(p, n, time);
}

void publisher_measure(struct publisher *p, const struct compiler *n, uint64_t now_ms)
{
	measurer_tick(p->measurer, n, now_ms);
}

int publisher_measure_fault(const struct publisher *p)
{
	return measurer_fault(p->measurer);
}
