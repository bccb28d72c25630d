/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where new flows come from: prefixes of watched flows, counted over a minute in slots of ten
 * seconds.
 *
 * The packet path overwrites its entries, so each scan compares them with a copy: an entry is new if
 * its flow, its SYN or its time differ. A flood of sources must use up neither memory nor time:
 * there is room for SOURCES prefixes, each in one of the WAYS places of its bucket, where a new one
 * takes the place of the one that has the fewest flows. A prefix that sends much so stays, and a
 * flood pushes out only itself and what is as rare. Buckets differ from process to process, so that
 * nobody can choose prefixes that meet in one.
 */
#include "dataplane/export/measurer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "weir/fwd/sample.h"

#define SOURCES   1024u
#define WAYS      8u
#define BUCKETS   (SOURCES / WAYS)
#define SLOTS     6u
#define SLOT_MS   10000u
#define WINDOW_S  (SLOTS * SLOT_MS / 1000)
#define N_ENTRIES (FWD_SAMPLE_BUCKETS * FWD_SAMPLE_WAYS)

struct source {
	uint64_t service, prefix; /* prefix: as fwd_sample.source; 0: free */
	uint64_t last_ms;
	uint32_t seen[SLOTS];
	uint64_t flows[SLOTS];
};

struct entry_seen {
	uint32_t tag, seq, began_s;
};

struct measured_sources {
	struct entry_seen known[N_ENTRIES];
	struct source items[SOURCES]; /* WAYS of each bucket */
	uint64_t salt;
	uint64_t slot; /* the number of the slot that counts now, since boot */
};

struct measured_sources *measured_sources_new(void)
{
	struct measured_sources *s = calloc(1, sizeof(*s));

	if (s)
		s->salt = hash_mix(clock_mono_ns());
	return s;
}

void measured_sources_free(struct measured_sources *s)
{
	free(s);
}

/* Empty the slots whose time has come again. */
static void turn_slots(struct measured_sources *s, uint64_t now_ms)
{
	uint64_t to = now_ms / SLOT_MS;

	for (uint64_t k = s->slot + 1; k <= to && k <= s->slot + SLOTS; k++)
		for (uint32_t i = 0; i < SOURCES; i++)
			s->items[i].seen[k % SLOTS] = 0, s->items[i].flows[k % SLOTS] = 0;
	s->slot = to;
}

static uint64_t sum_flows(const struct source *item)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < SLOTS; i++)
		sum += item->flows[i];
	return sum;
}

/* The prefix's own element, or that of its bucket with the fewest flows, emptied. */
static struct source *find_source(struct measured_sources *s, uint64_t service, uint64_t prefix)
{
	uint64_t bucket = hash_mix(prefix ^ hash_mix(service ^ s->salt)) % BUCKETS;
	struct source *items = &s->items[bucket * WAYS], *least = items;
	uint64_t fewest = UINT64_MAX;

	for (uint32_t i = 0; i < WAYS; i++) {
		uint64_t flows;

		if (items[i].service == service && items[i].prefix == prefix)
			return &items[i];
		flows = items[i].prefix ? sum_flows(&items[i]) : 0;
		if (flows < fewest) {
			least = &items[i];
			fewest = flows;
		}
	}
	*least = (struct source){ .service = service, .prefix = prefix };
	return least;
}

static void count_entry(struct measured_sources *s, const struct fwd_sample *e,
                        const struct indexes *services, uint32_t one_of, uint64_t now_ms)
{
	uint32_t at = e->service;
	struct source *item;

	if (at >= indexes_n(services) || indexes_state(services, at) == INDEX_FREE)
		return;
	item = find_source(s, indexes_key(services, at), e->source);
	item->seen[s->slot % SLOTS]++;
	item->flows[s->slot % SLOTS] += one_of;
	item->last_ms = now_ms;
}

void measured_sources_scan(struct measured_sources *s, const struct fwd_tables *t,
                           const struct indexes *services, uint32_t one_of, uint32_t now_s,
                           uint64_t now_ms)
{
	turn_slots(s, now_ms);
	for (uint32_t i = 0; i < t->n_samples * FWD_SAMPLE_WAYS && i < N_ENTRIES; i++) {
		const struct fwd_sample e =
		        t->samples[i / FWD_SAMPLE_WAYS].way[i % FWD_SAMPLE_WAYS];
		struct entry_seen *known = &s->known[i];

		if (!e.state ||
		    (known->tag == e.tag && known->seq == e.seq && known->began_s == e.began_s))
			continue;
		*known = (struct entry_seen){ e.tag, e.seq, e.began_s };
		if (now_s - e.began_s < WINDOW_S)
			count_entry(s, &e, services, one_of, now_ms);
	}
}

static struct prefix prefix_of(uint64_t source)
{
	uint8_t bytes[16] = { 0 };

	if (source >> FWD_SAMPLE_FAMILY_AT == 4) {
		memcpy(bytes, &source, 3);
		return (struct prefix){ addr_from4(bytes), 24 };
	}
	memcpy(bytes, &source, 7);
	return (struct prefix){ addr_from6(bytes), 56 };
}

static int by_flows(const void *a, const void *b)
{
	const struct measure_source *x = a, *y = b;

	if (x->flows != y->flows)
		return x->flows > y->flows ? -1 : 1;
	if (x->service != y->service)
		return x->service < y->service ? -1 : 1;
	return addr_compare(&x->prefix.addr, &y->prefix.addr);
}

size_t measured_sources_list(const struct measured_sources *s, uint64_t now_ms,
                             struct measure_source out[MEASURE_SOURCES_MAX])
{
	static struct measure_source all[SOURCES]; /* 48 KiB: too much for a stack */
	size_t n = 0;

	for (uint32_t i = 0; i < SOURCES; i++) {
		const struct source *item = &s->items[i];
		struct measure_source row = { .service = item->service,
			                      .flows = sum_flows(item),
			                      .last_ms = item->last_ms };

		if (!item->prefix || !row.flows || now_ms - item->last_ms > SLOTS * SLOT_MS)
			continue;
		row.prefix = prefix_of(item->prefix);
		for (uint32_t k = 0; k < SLOTS; k++)
			row.sampled += item->seen[k];
		all[n++] = row;
	}
	qsort(all, n, sizeof(*all), by_flows);
	n = n < MEASURE_SOURCES_MAX ? n : MEASURE_SOURCES_MAX;
	memcpy(out, all, n * sizeof(*all));
	return n;
}
