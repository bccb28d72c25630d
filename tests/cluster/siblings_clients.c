/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients, as weir-dataplane counts them. New flows come to a site as weir-dns names it, some seconds later, as answers stay in
 * caches; nodes of a site share them. Flows that live go on for a while.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "tests/cluster/siblings_internal.h"

#define CACHED_LOOKS      3u  /* a third of a difference is gone at each look */
#define ESTABLISHED_LOOKS 12u /* the same of flows that live */
#define SECOND_LOOKS      2u
#define PACKETS           9u /* a second of each flow that lives */
#define BYTES             500u
#define SAMPLE            4u /* one of so many flows is in the sample, in quiet times all */
#define QUIET             64u
#define SERVICES_MAX      4u
#define DRILL_PPM         100000u /* of the clients are in a drill's prefix */
#define DRILL_PREPARES_MS 2000

void siblings_open_measure(struct siblings *s)
{
	char path[PATH_MAX];

	if (proc_path(s->dirs.run, MEASURE_PAGE_FILE, path) ||
	    page_create(path, MEASURE_PAGE_KIND, MEASURE_PAGE_LAYOUT,
	                measure_page_bytes(SERVICES_MAX, SIBLINGS_POOLS_MAX), &s->measure))
		abort();
}

const struct siblings_totals *siblings_now(const struct siblings *s)
{
	return &s->totals[s->n_looks % SIBLINGS_LOOKS];
}

/* So many looks before now, or at the first. */
static const struct siblings_totals *totals_before(const struct siblings *s, uint64_t looks)
{
	return &s->totals[(s->n_looks - (looks < s->n_looks ? looks : s->n_looks)) %
	                  SIBLINGS_LOOKS];
}

/* Go a part of the way from @p now to @p to. */
static uint64_t approach_rate(uint64_t now, uint64_t to, uint64_t part)
{
	if (now < to)
		return now + (to - now + part - 1) / part;
	return now - (now - to + part - 1) / part;
}

/* Of the own site's nodes, how many get clients. */
static size_t count_receivers(const struct siblings *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->m->n_nodes; i++)
		n += s->m->nodes[i].site == s->m->self->site &&
		     model_node_drain(s->m, &s->m->nodes[i]) == MODEL_NODE_SERVES;
	return n ? n : 1;
}

/* What other sites' checks of the VIP bring, in millionths a second. */
static uint64_t count_checks(const struct siblings *s)
{
	const struct model_at *at = siblings_at(s);
	uint64_t milli = 0;

	if (at)
		(void)model_probes(s->m, at->vip, &milli);
	return milli * 1000;
}

static uint64_t wished_flows(const struct siblings *s)
{
	if (s->are_cut || !siblings_has_routes(s))
		return 0;
	return ((uint64_t)s->clients->flows_per_s * siblings_share_ppm(s, s->m->self->site) +
	        count_checks(s)) /
	       count_receivers(s);
}

/* --- a drill --- */

static const struct model_override *find_drill(const struct siblings *s)
{
	for (size_t i = 0; i < s->m->n_overrides; i++) {
		const struct model_override *o = &s->m->overrides[i];

		if (o->kind == MODEL_OVERRIDE_DRILL && !o->ended &&
		    !strcmp(o->name, s->m->self->site->name) && o->from_ms <= clock_realtime_ms() &&
		    clock_realtime_ms() < o->until_ms)
			return o;
	}
	return NULL;
}

static bool sends_drill(const struct siblings *s)
{
	const struct model_override *o = find_drill(s);

	return o && o->from_ms + DRILL_PREPARES_MS <= clock_realtime_ms();
}

static void write_drill(const struct siblings *s, struct measure_drill *out)
{
	uint64_t n = siblings_now(s)->drilled / 1000000;

	if (*s->drill)
		*out = (struct measure_drill){
			.drill = hash_text(s->drill),
			.begun = n,
			.followed = n - n * s->clients->silent_ppm / 1000000,
			.kept = n / 100,
			.state = !find_drill(s)   ? 0
			         : sends_drill(s) ? 2
			                          : 1,
		};
}

/* --- counting --- */

/* Add what comes in one look. */
static void add_look(struct siblings *s)
{
	struct siblings_totals t = *siblings_now(s);
	uint64_t come = s->flows * SIBLINGS_LOOK_MS / 1000;
	const struct model_override *drill = find_drill(s);
	uint64_t drilled = sends_drill(s) ? come * DRILL_PPM / 1000000 : 0;

	if (drill && strcmp(s->drill, drill->id) != 0) {
		snprintf(s->drill, sizeof(s->drill), "%s", drill->id);
		t.drilled = 0;
	}
	t.arrived += come;
	t.harmed += come / 1000000 * s->harm_ppm;
	t.drilled += drilled;
	if (s->class == EFFECT_CLASS_OWN) {
		t.own += come - drilled;
		t.backup += drilled;
	} else {
		t.backup += come;
	}
	uint64_t living = s->established * PACKETS * SIBLINGS_LOOK_MS / 1000;
	t.packets += come + living;
	t.own_packets += (s->class == EFFECT_CLASS_OWN ? come - drilled : 0) + living;
	s->totals[++s->n_looks % SIBLINGS_LOOKS] = t;
}

static struct measure_flows flows_between(const struct siblings *s, const struct siblings_totals *a,
                                          const struct siblings_totals *b)
{
	uint64_t n = b->arrived / 1000000 - a->arrived / 1000000,
	         packets = b->packets / 1000000 - a->packets / 1000000,
	         sampled = n < QUIET ? n : n / SAMPLE;

	return (struct measure_flows){
		.new_flows = n,
		.packets = packets,
		.bytes = packets * BYTES,
		.sampled = sampled,
		.repeated = sampled * s->clients->repeats_ppm / 1000000 +
		            (b->harmed / 1000000 - a->harmed / 1000000) / (n < QUIET ? 1 : SAMPLE),
		.followed = sampled - sampled * s->clients->silent_ppm / 1000000,
	};
}

static struct measure_use use_between(const struct siblings_totals *a,
                                      const struct siblings_totals *b)
{
	return (struct measure_use){
		.own_flows = b->own / 1000000 - a->own / 1000000,
		.own_packets = b->own_packets / 1000000 - a->own_packets / 1000000,
		.backup_flows = b->backup / 1000000 - a->backup / 1000000,
	};
}

/* The clients of one prefix of resolvers, in the last minute. */
static void write_source(struct measure_page *p, uint64_t service, uint64_t flows_per_s)
{
	if (!flows_per_s || prefix_parse("198.51.3.0/24", &measure_page_sources(p)->prefix))
		return;
	measure_page_sources(p)->service = service;
	measure_page_sources(p)->flows = flows_per_s * 60 / SIBLINGS_KEYS;
	measure_page_sources(p)->sampled = (uint32_t)(flows_per_s * 60 / SIBLINGS_KEYS / SAMPLE);
	measure_page_sources(p)->last_ms = clock_mono_ms();
	p->node.n_sources = 1;
}

static void write_node(const struct siblings *s, struct measure_page *p)
{
	uint64_t looks = s->n_looks < SIBLINGS_LOOKS - 1 ? s->n_looks : SIBLINGS_LOOKS - 1;

	p->max_services = SERVICES_MAX;
	p->max_pools = SIBLINGS_POOLS_MAX;
	p->node = (struct measure_node){
		.document = s->document,
		.began = s->started_ms,
		.at_ms = clock_mono_ms(),
		.last_ms = s->n_looks < SECOND_LOOKS ? 0 : SECOND_LOOKS * SIBLINGS_LOOK_MS,
		.recent_ms = (uint32_t)looks * SIBLINGS_LOOK_MS,
		.one_of = SAMPLE,
		.received = siblings_now(s)->packets / 1000000,
	};
	write_drill(s, &p->node.drills[0]);
}

static void write_service(const struct siblings *s, struct measure_page *p,
                          const struct model_service *service, const struct model_at *at,
                          bool has_clients)
{
	static const struct siblings_totals none;
	const struct siblings_totals *now = has_clients ? siblings_now(s) : &none,
	                             *last = has_clients ? totals_before(s, SECOND_LOOKS) : &none,
	                             *recent = has_clients ? totals_before(s, SIBLINGS_LOOKS - 1)
	                                                   : &none;

	measure_page_services(p)[p->node.n_services++] = (struct measure_service){
		.service = hash_text(service->name),
		.total = flows_between(s, &none, now),
		.last = flows_between(s, last, now),
		.recent = flows_between(s, recent, now),
	};
	measure_page_pools(p)[p->node.n_pools++] = (struct measure_pool){
		.pool = hash_text(at->pool->name),
		.total = use_between(&none, now),
		.last = use_between(last, now),
		.recent = use_between(recent, now),
	};
}

static int by_first(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void write_rows(const struct siblings *s, struct measure_page *p)
{
	for (size_t i = 0; i < s->m->n_services && i < SERVICES_MAX; i++) {
		const struct model_service *service = &s->m->services[i];
		const struct model_at *at = model_service_at(service, s->m->self->site->name);

		if (at)
			write_service(s, p, service, at, service == siblings_service(s));
	}
	qsort(measure_page_services(p), p->node.n_services, sizeof(struct measure_service),
	      by_first);
	qsort(measure_page_pools(p), p->node.n_pools, sizeof(struct measure_pool), by_first);
	if (siblings_service(s))
		write_source(p, hash_text(siblings_service(s)->name), s->flows / 1000000);
}

static void write_counters(struct siblings *s)
{
	char labels[MODEL_NAME_MAX + 16];
	uint64_t packets = siblings_now(s)->packets / 1000000;

	for (size_t i = 0; i < s->m->n_services; i++) {
		snprintf(labels, sizeof(labels), "service=\"%s\"", s->m->services[i].name);
		siblings_set(s, SIBLING_DATAPLANE, STATS_COUNTER,
		             "weir_dataplane_service_packets_total", labels,
		             &s->m->services[i] == siblings_service(s) ? packets : 0);
	}
	siblings_set(s, SIBLING_DATAPLANE, STATS_COUNTER, "weir_dataplane_packets_total",
	             "reason=\"forwarded\"", packets);
	siblings_set(s, SIBLING_DATAPLANE, STATS_GAUGE, "weir_dataplane_document_read_microseconds",
	             "", 1234);
}

void siblings_count_clients(struct siblings *s)
{
	struct measure_page *p = page_payload(s->measure);

	if (!s->m->self || s->is_over[SIBLING_DATAPLANE])
		return;
	if (s->are_cut)
		s->flows = s->established = 0;
	s->flows = s->n_looks ? approach_rate(s->flows, wished_flows(s), CACHED_LOOKS)
	                      : wished_flows(s);
	uint64_t checks = count_checks(s) / count_receivers(s);
	uint64_t living = s->flows > checks ? s->flows - checks : 0; /* a check is over at once */

	s->established =
	        s->n_looks ? approach_rate(s->established, living, ESTABLISHED_LOOKS) : living;
	add_look(s);
	if (s->hangs[SIBLING_DATAPLANE])
		return;
	uint32_t seq = page_rows_begin(&p->seq);

	write_node(s, p);
	write_rows(s, p);
	page_rows_end(&p->seq, seq);
	page_alive(s->measure, clock_mono_ms());
	write_counters(s);
}
