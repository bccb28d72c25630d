/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/publish.h"

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
#include "dataplane/effect_inside.h"
#include "weir/fwd/reason.h"
#include "weir/model.h"
#include "weir/stats.h"

#define WORDS_MAX 32768u

/* Metrics by one label set; the words lie in a row. */
struct metric {
	enum stats_kind kind;
	const char *name, *help;
};

static const struct metric service_metrics[] = {
	{ STATS_COUNTER, "weir_dataplane_service_packets_total",
	  "packets forwarded for the service" },
	{ STATS_COUNTER, "weir_dataplane_service_bytes_total",
	  "their frames as received, without FCS" },
};
static const struct metric backend_metrics[] = {
	{ STATS_COUNTER, "weir_dataplane_backend_packets_total", "packets sent to the backend" },
	{ STATS_COUNTER, "weir_dataplane_backend_bytes_total",
	  "their frames as received, without FCS" },
	{ STATS_GAUGE, "weir_dataplane_backend_in_force", "1: the tables may send to it" },
	{ STATS_GAUGE, "weir_dataplane_backend_next_hop", "1: the way to it is known" },
	{ STATS_GAUGE, "weir_dataplane_backend_slots", "slots whose current owner it is" },
	{ STATS_GAUGE, "weir_dataplane_backend_base_slots",
	  "slots of others that still owe it flows" },
	{ STATS_GAUGE, "weir_dataplane_backend_exceptions", "flows remembered as its own" },
};
static const struct metric pool_metrics[] = {
	{ STATS_GAUGE, "weir_dataplane_pool_slots", "slots of the pool" },
	{ STATS_GAUGE, "weir_dataplane_pool_slots_empty", "slots that nobody owns" },
	{ STATS_GAUGE, "weir_dataplane_pool_slots_unsettled", "slots with an earlier owner" },
	{ STATS_GAUGE, "weir_dataplane_pool_backends_held", "backends kept in force by a guard" },
};
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define ROW_MAX    COUNT(backend_metrics)
#define LABELS_MAX 128

struct row {
	char labels[LABELS_MAX];
	uint64_t key; /* service: hash of its name; backend: its key; pool: its id */
	uint64_t *words[ROW_MAX];
	bool stays; /* scratch of replace_rows() */
};

struct rows {
	const struct metric *metrics;
	size_t n_metrics;
	struct row *items;
	size_t n;
};

enum { SERVICES, BACKENDS, POOLS, KINDS };

enum total {
	RECEIVED,
	RECEIVED_BYTES,
	DOCUMENT,
	REFUSED,
	DOCUMENTS,
	REFUSALS,
	RESIZES,
	DEATHS,
	RETURNS,
	HELD,
	EXCEPTIONS,
	EXCEPTIONS_MAX,
	HOP_CHANGES,
	HOP_RESYNCS,
	HOPS_REFUSED,
	PORTS,
	PORTS_GENERIC,
	CPU_US,
	RESIDENT,
	TOTALS
};

static const struct metric totals[TOTALS] = {
	[RECEIVED] = { STATS_COUNTER, "weir_dataplane_received_packets_total",
	               "packets seen on our ports" },
	[RECEIVED_BYTES] = { STATS_COUNTER, "weir_dataplane_received_bytes_total",
	                     "their frames, without FCS" },
	[DOCUMENT] = { STATS_GAUGE, "weir_dataplane_document", "number of the document in force" },
	[REFUSED] = { STATS_GAUGE, "weir_dataplane_document_refused",
	              "1: a newer document was refused, the old one is in force" },
	[DOCUMENTS] = { STATS_COUNTER, "weir_dataplane_documents_total", "documents taken" },
	[REFUSALS] = { STATS_COUNTER, "weir_dataplane_documents_refused_total",
	               "documents refused" },
	[RESIZES] = { STATS_COUNTER, "weir_dataplane_resizes_total", "times that tables grew" },
	[DEATHS] = { STATS_COUNTER, "weir_dataplane_backends_out_total",
	             "backends taken out of force" },
	[RETURNS] = { STATS_COUNTER, "weir_dataplane_backends_back_total",
	              "backends that came back" },
	[HELD] = { STATS_COUNTER, "weir_dataplane_guard_holds_total",
	           "removals that a guard held back" },
	[EXCEPTIONS] = { STATS_GAUGE, "weir_dataplane_exceptions", "flows remembered" },
	[EXCEPTIONS_MAX] = { STATS_GAUGE, "weir_dataplane_exceptions_max", "room for them" },
	[HOP_CHANGES] = { STATS_COUNTER, "weir_dataplane_next_hop_changes_total",
	                  "next hops that changed" },
	[HOP_RESYNCS] = { STATS_COUNTER, "weir_dataplane_next_hop_resyncs_total",
	                  "times that all was read again after lost messages" },
	[HOPS_REFUSED] = { STATS_COUNTER, "weir_dataplane_next_hops_refused_total",
	                   "addresses or links beyond the limit" },
	[PORTS] = { STATS_GAUGE, "weir_dataplane_ports", "ports that carry this program" },
	[PORTS_GENERIC] = { STATS_GAUGE, "weir_dataplane_ports_generic",
	                    "of them in the slower generic mode" },
	[CPU_US] = { STATS_COUNTER, "weir_dataplane_process_cpu_microseconds_total",
	             "CPU time of the process" },
	[RESIDENT] = { STATS_GAUGE, "weir_dataplane_process_resident_bytes",
	               "memory of the process" },
};

struct publisher {
	char run_dir[PATH_MAX];
	struct stats *stats;
	struct page *page;
	struct effect_page *scratch;
	struct rows rows[KINDS];
	uint64_t *totals[TOTALS], *reasons[FWD_REASON_COUNT], *events[OWNER_EVENT_COUNT];
	uint32_t page_pools, page_backends;
};

static void make_reasons(struct publisher *p)
{
	static const struct {
		const char *label, *kind, *text;
	} reasons[FWD_REASON_COUNT] = {
#define REASON(name, kind_, label_, text_) [FWD_REASON_##name] = { label_, #kind_, text_ },
		FWD_REASONS(REASON)
#undef REASON
	};
	static const struct {
		const char *label, *text;
	} events[OWNER_EVENT_COUNT] = {
#define EVENT(name, label_, text_) [OWNER_EVENT_##name] = { label_, text_ },
		OWNER_EVENTS(EVENT)
#undef EVENT
	};
	char labels[LABELS_MAX];

	for (int i = 0; i < FWD_REASON_COUNT; i++) {
		const char *kind = !strcmp(reasons[i].kind, "TX")     ? "sent"
		                   : !strcmp(reasons[i].kind, "PASS") ? "passed"
		                                                      : "dropped";

		snprintf(labels, sizeof(labels), "action=\"%s\",reason=\"%s\"", kind,
		         reasons[i].label);
		p->reasons[i] =
		        stats_word(p->stats, STATS_COUNTER, "weir_dataplane_packets_total", labels,
		                   "packets by what became of them; all together: received");
	}
	for (int i = 0; i < OWNER_EVENT_COUNT; i++) {
		snprintf(labels, sizeof(labels), "event=\"%s\"", events[i].label);
		p->events[i] =
		        stats_word(p->stats, STATS_COUNTER, "weir_dataplane_owner_events_total",
		                   labels, "what packets met in slots that look further");
	}
}

int publisher_open(const char *run_dir, struct publisher **out)
{
	struct publisher *p = calloc(1, sizeof(*p));
	int err = p ? stats_create(run_dir, "dataplane", WORDS_MAX, &p->stats) : -ENOMEM;

	if (err) {
		publisher_close(p);
		return err;
	}
	snprintf(p->run_dir, sizeof(p->run_dir), "%s", run_dir);
	p->rows[SERVICES] = (struct rows){ service_metrics, COUNT(service_metrics), NULL, 0 };
	p->rows[BACKENDS] = (struct rows){ backend_metrics, COUNT(backend_metrics), NULL, 0 };
	p->rows[POOLS] = (struct rows){ pool_metrics, COUNT(pool_metrics), NULL, 0 };
	make_reasons(p);
	for (int i = 0; i < TOTALS; i++)
		p->totals[i] =
		        stats_word(p->stats, totals[i].kind, totals[i].name, "", totals[i].help);
	*out = p;
	return 0;
}

void publisher_close(struct publisher *p)
{
	if (!p)
		return;
	for (int k = 0; k < KINDS; k++)
		free(p->rows[k].items);
	stats_close(p->stats);
	page_close(p->page);
	free(p->scratch);
	free(p);
}

struct stats *publisher_stats(struct publisher *p)
{
	return p->stats;
}

/* Take over the words of the old row of equal labels. @return false: there is none */
static bool take_over(struct rows *rows, struct row *fresh)
{
	for (size_t i = 0; i < rows->n; i++) {
		struct row *old = &rows->items[i];

		if (old->key != fresh->key || strcmp(old->labels, fresh->labels) != 0)
			continue;
		memcpy(fresh->words, old->words, sizeof(fresh->words));
		old->stays = true;
		return true;
	}
	return false;
}

static void make_words(struct publisher *p, const struct rows *rows, struct row *fresh)
{
	for (size_t m = 0; m < rows->n_metrics; m++)
		fresh->words[m] = stats_word(p->stats, rows->metrics[m].kind, rows->metrics[m].name,
		                             fresh->labels, rows->metrics[m].help);
}

/* Make @p fresh the rows: equal labels keep their words, labels that are gone lose them. */
static void replace_rows(struct publisher *p, struct rows *rows, struct row *fresh, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (!take_over(rows, &fresh[k]))
			make_words(p, rows, &fresh[k]);
	for (size_t i = 0; i < rows->n; i++)
		for (size_t m = 0; !rows->items[i].stays && m < rows->n_metrics; m++)
			stats_drop(p->stats, rows->metrics[m].name, rows->items[i].labels);
	free(rows->items);
	rows->items = fresh;
	rows->n = n;
}

static void make_backends(struct publisher *p, const struct node *n)
{
	struct row *fresh = calloc(PUBLISH_BACKENDS_MAX, sizeof(*fresh));
	size_t used = 0, left_out = 0;

	if (!fresh)
		return;
	for (size_t i = 0; i < n->n_pools; i++) {
		for (size_t k = 0; k < n->pools[i].plan->n_backends; k++) {
			const struct plan_backend *b = &n->pools[i].plan->backends[k];

			if (!*b->name)
				continue;
			if (used == PUBLISH_BACKENDS_MAX) {
				left_out++;
				continue;
			}
			snprintf(fresh[used].labels, LABELS_MAX, "pool=\"%s\",backend=\"%s\"",
			         n->pools[i].plan->model->name, b->name);
			fresh[used++].key = node_backend_key(n->pools[i].plan->id, b->id);
		}
	}
	if (left_out)
		log_note("backends-without-counters", "left_out=%zu limit=%u", left_out,
		         PUBLISH_BACKENDS_MAX);
	replace_rows(p, &p->rows[BACKENDS], fresh, used);
}

static void make_pools(struct publisher *p, const struct node *n)
{
	struct row *fresh = calloc(n->n_pools ? n->n_pools : 1, sizeof(*fresh));

	if (!fresh)
		return;
	for (size_t i = 0; i < n->n_pools; i++) {
		snprintf(fresh[i].labels, LABELS_MAX, "pool=\"%s\"", n->pools[i].plan->model->name);
		fresh[i].key = n->pools[i].plan->id;
	}
	replace_rows(p, &p->rows[POOLS], fresh, n->n_pools);
}

static void make_services(struct publisher *p, const struct node *n)
{
	size_t count = n->plan->n_services;
	struct row *fresh = calloc(count ? count : 1, sizeof(*fresh));

	if (!fresh)
		return;
	for (size_t i = 0; i < count; i++) {
		const char *name = n->plan->services[i]->name;

		snprintf(fresh[i].labels, LABELS_MAX, "service=\"%s\"", name);
		fresh[i].key = hash_text(name);
	}
	replace_rows(p, &p->rows[SERVICES], fresh, count);
}

/* A page and a scratch copy with room for the node's tables. */
static int make_page(struct publisher *p, const struct node *n)
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

void publisher_document(struct publisher *p, const struct node *n)
{
	make_services(p, n);
	make_backends(p, n);
	make_pools(p, n);
}

static void sum_cpus(struct publisher *p, const struct fwd_tables *t)
{
	struct fwd_cpu sum = { 0 };

	for (uint32_t c = 0; c < t->n_cpus; c++) {
		sum.received += OWNER_LOAD(uint64_t, &t->cpus[c].received);
		sum.received_bytes += OWNER_LOAD(uint64_t, &t->cpus[c].received_bytes);
		for (int i = 0; i < FWD_REASON_COUNT; i++)
			sum.reason[i] += OWNER_LOAD(uint64_t, &t->cpus[c].reason[i]);
		for (int i = 0; i < OWNER_EVENT_COUNT; i++)
			sum.event[i] += OWNER_LOAD(uint64_t, &t->cpus[c].event[i]);
	}
	stats_set(p->totals[RECEIVED], sum.received);
	stats_set(p->totals[RECEIVED_BYTES], sum.received_bytes);
	for (int i = 0; i < FWD_REASON_COUNT; i++)
		stats_set(p->reasons[i], sum.reason[i]);
	for (int i = 0; i < OWNER_EVENT_COUNT; i++)
		stats_set(p->events[i], sum.event[i]);
}

static void write_services(struct publisher *p, const struct node *n)
{
	for (size_t i = 0; i < p->rows[SERVICES].n; i++) {
		struct row *r = &p->rows[SERVICES].items[i];
		uint32_t at = places_find(n->count_places, r->key);
		uint64_t packets = 0, bytes = 0;

		for (uint32_t c = 0; at != PLACE_NONE && c < n->t.n_cpus; c++) {
			packets += n->t.service_counts[c * n->sizes.service_counts + at].packets;
			bytes += n->t.service_counts[c * n->sizes.service_counts + at].bytes;
		}
		stats_set(r->words[0], packets);
		stats_set(r->words[1], bytes);
	}
}

static const struct effect_backend *find_row(const struct effect_backend *rows, uint32_t n,
                                             uint32_t index)
{
	for (uint32_t i = 0; i < n; i++)
		if (rows[i].index == index)
			return &rows[i];
	return NULL;
}

static void write_backends(struct publisher *p, const struct node *n)
{
	const struct effect_backend *rows = effect_page_backends(p->scratch);

	for (size_t i = 0; i < p->rows[BACKENDS].n; i++) {
		struct row *r = &p->rows[BACKENDS].items[i];
		const struct effect_backend *b = find_row(rows, p->scratch->total.n_backends,
		                                          places_find(n->backend_places, r->key));

		if (!b)
			continue;
		stats_set(r->words[0], b->packets);
		stats_set(r->words[1], b->bytes);
		stats_set(r->words[2], b->alive);
		stats_set(r->words[3], b->next_hop);
		stats_set(r->words[4], b->slots);
		stats_set(r->words[5], b->base_slots);
		stats_set(r->words[6], b->exceptions);
	}
}

static void write_pools(struct publisher *p)
{
	const struct effect_pool *pools = effect_page_pools(p->scratch);

	for (size_t i = 0; i < p->rows[POOLS].n; i++) {
		struct row *r = &p->rows[POOLS].items[i];

		for (uint32_t k = 0; k < p->scratch->total.n_pools; k++) {
			if (pools[k].pool != r->key)
				continue;
			stats_set(r->words[0], pools[k].n_slots);
			stats_set(r->words[1], pools[k].empty);
			stats_set(r->words[2], pools[k].unsettled);
			stats_set(r->words[3], pools[k].held);
		}
	}
}

/* Add to a pool's rows what tables do not say: why. */
static void add_whys(struct effect_page *e, const struct node_pool *np, struct effect_pool *pool)
{
	struct effect_backend *rows = effect_page_backends(e) + pool->first;

	for (size_t k = 0, i = 0; k < np->plan->n_backends; k++) {
		while (i < pool->n_backends && rows[i].id < np->plan->backends[k].id)
			i++; /* both are sorted by id */
		if (i == pool->n_backends)
			return;
		if (rows[i].id != np->plan->backends[k].id)
			continue;
		rows[i].why = np->backends[k].why;
		pool->held += guard_is_hold((enum effect_why)rows[i].why);
	}
}

static void write_effect(struct publisher *p, const struct node *n, const struct node_time *time)
{
	struct effect_page *to = page_payload(p->page), *from = p->scratch;
	struct effect_pool *pools = effect_page_pools(from);
	size_t bytes = effect_page_bytes(from->max_pools, from->max_backends);

	if (effect_scan(&n->t, (uint32_t)(time->ticks_ms / 1000), from))
		return;
	from->total.refused = n->document_refused;
	for (uint32_t i = 0; i < from->total.n_pools; i++)
		for (size_t k = 0; k < n->n_pools; k++)
			if (n->pools[k].plan->id == pools[i].pool)
				add_whys(from, &n->pools[k], &pools[i]);
	from->seq = to->seq | 1;
	__atomic_store_n(&to->seq, from->seq, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(&to->max_pools, &from->max_pools, bytes - sizeof(from->seq));
	__atomic_store_n(&to->seq, from->seq + 1, __ATOMIC_RELEASE);
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

static void write_node(struct publisher *p, const struct node *n)
{
	struct driver_port ports[DRIVER_PORTS_MAX];
	size_t count = n->ops->ports(n->driver, ports), generic = 0;

	for (size_t i = 0; i < count; i++)
		generic += !ports[i].native;
	stats_set(p->totals[PORTS], count);
	stats_set(p->totals[PORTS_GENERIC], generic);
	stats_set(p->totals[DOCUMENT], n->model->meta.document);
	stats_set(p->totals[DOCUMENTS], n->counters.documents);
	stats_set(p->totals[RESIZES], n->counters.resizes);
	stats_set(p->totals[DEATHS], n->counters.deaths);
	stats_set(p->totals[RETURNS], n->counters.returns);
	stats_set(p->totals[HELD], n->counters.held);
	if (!n->hops)
		return;
	stats_set(p->totals[HOP_CHANGES], hops_counters(n->hops)->changes);
	stats_set(p->totals[HOP_RESYNCS], hops_counters(n->hops)->resyncs);
	stats_set(p->totals[HOPS_REFUSED], hops_counters(n->hops)->refused);
}

void publisher_write(struct publisher *p, const struct node *n, const struct node_time *time)
{
	write_process(p);
	stats_alive(p->stats, time->now_ms);
	stats_set(p->totals[REFUSED], n->document_refused);
	stats_set(p->totals[REFUSALS], n->counters.refused);
	if (!n->plan)
		return;
	sum_cpus(p, &n->t);
	write_node(p, n);
	write_services(p, n);
	if (!make_page(p, n))
		write_effect(p, n, time);
}
