/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in force, counted in the tables themselves: slot by slot, exception by exception. So the
 * effect page shows what packets meet, and not what the process believes. Reads only. Packets
 * change the tables meanwhile, so sums may be off by what is under way.
 */
#include "dataplane/export/effect_internal.h"
#include "dataplane/export/traffic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted.h"
#include "weir/fwd/user.h"

/* Sums by backend index. */
struct backend_sums {
	uint32_t *owned, *based, *exceptions;
	uint32_t now_s;
};

static uint16_t hot_word(const struct fwd_tables *t, uint32_t slot)
{
	return OWNER_LOAD(uint16_t,
	                  &t->slots[slot / FWD_SLOTS_PER_BLOCK].slot[slot % FWD_SLOTS_PER_BLOCK]);
}

/* The earlier owners that a pool with agents names for TCP. @return whether there is one */
static bool scan_list(const struct fwd_tables *t, const struct owner_list *list,
                      struct backend_sums *s, struct effect_pool *out)
{
	uint64_t word = OWNER_LOAD(uint64_t, &list->earlier);
	uint16_t end = OWNER_LOAD(uint16_t, &list->end[SECOND_OWNERS_MAX - 1]);

	out->full += owner_list_n(word) >= SECOND_OWNERS_MAX && !owner_list_is_over(end, s->now_s);

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++) {
		uint32_t earlier = owner_list_at(word, i);

		if (earlier != 0 && earlier < t->n_backends)
			s->based[earlier]++;
	}
	return word != 0;
}

/*
 * Count a slot on the slow path. @return whether it is unsettled: it has an earlier owner that
 * has a claim
 */
static bool scan_cold(const struct fwd_tables *t, uint32_t slot, uint16_t owner, bool agents,
                      struct backend_sums *s, struct effect_pool *out)
{
	const struct owner_cold *c = &t->colds[slot];
	uint16_t counted = owner;
	bool unsettled = agents && scan_list(t, &c->list, s, out);

	for (int k = agents ? OWNER_CLASS_UDP : 0; k < OWNER_CLASSES; k++) {
		uint16_t base = c->claim[k].base;

		if (!c->claim[k].settle_at || base == owner)
			continue;
		unsettled = true;
		if (base != counted && base < t->n_backends)
			s->based[base]++;
		counted = base;
	}
	return unsettled;
}

/*
 * The range is checked: tables of a dead process may hold a pool element that was half written.
 */
static void scan_pool(const struct fwd_tables *t, const struct fwd_pool *p, struct backend_sums *s,
                      struct effect_pool *out)
{
	uint64_t range = OWNER_LOAD(uint64_t, &p->slot_range), n = 1ull << (range & 31);
	uint64_t first = range >> 8;
	bool agents = p->flags & FWD_POOL_AGENTS;

	*out = (struct effect_pool){ .pool = p->id };
	if (first + n > t->n_colds)
		return;
	out->n_slots = (uint32_t)n;
	for (uint32_t i = 0; i < n; i++) {
		uint16_t hot = hot_word(t, (uint32_t)first + i), owner = hot & FWD_SLOT_BACKEND;

		if (!owner)
			out->empty++;
		else if (owner < t->n_backends && t->backends[owner].flags & FWD_BACKEND_FULL)
			out->refused_slots++;
		else if (owner < t->n_backends)
			s->owned[owner]++;
		if (hot & FWD_SLOT_UNSETTLED)
			out->unsettled += scan_cold(t, (uint32_t)first + i, owner, agents, s, out);
	}
}

static uint32_t scan_exceptions(const struct fwd_tables *t, uint32_t now_s, struct backend_sums *s)
{
	uint32_t live = 0;

	for (uint32_t i = 0; i < t->n_exceptions; i++) {
		for (uint32_t way = 0; way < OWNER_WAYS; way++) {
			uint64_t word = OWNER_LOAD(uint64_t, &t->exceptions[i].word[way]);
			uint16_t backend = owner_word_backend(word);

			if (!word || !owner_word_lives(word, now_s))
				continue;
			live++;
			if (backend < t->n_backends)
				s->exceptions[backend]++;
		}
	}
	return live;
}

static void fill_backend(const struct fwd_tables *t, uint32_t i, const struct backend_sums *s,
                         struct effect_backend *out)
{
	const struct fwd_backend *b = &t->backends[i];
	const struct traffic sum = traffic_of_backend(t, i);

	*out = (struct effect_backend){ .pool = b->pool_id,
		                        .id = b->id,
		                        .index = i,
		                        .slots = s->owned[i],
		                        .base_slots = s->based[i],
		                        .exceptions = s->exceptions[i],
		                        .inner_mtu = b->inner_mtu };
	out->alive = !(b->flags & FWD_BACKEND_DEAD);
	out->next_hop = !(b->flags & FWD_BACKEND_NO_NEXT_HOP);
	out->packets = sum.packets;
	out->bytes = sum.bytes;
}

static int by_pool(const void *a, const void *b)
{
	const struct effect_backend *x = a, *y = b;

	if (x->pool != y->pool)
		return x->pool < y->pool ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

static void gather_backends(const struct fwd_tables *t, const struct backend_sums *s,
                            struct effect_page *out)
{
	struct effect_backend *rows = effect_page_backends(out);
	uint32_t n = 0;

	for (uint32_t i = 1; i < t->n_backends && n < out->max_backends; i++)
		if ((t->backends[i].flags & (FWD_BACKEND_USED | FWD_BACKEND_FULL)) ==
		            FWD_BACKEND_USED &&
		    t->backends[i].pool_id)
			fill_backend(t, i, s, &rows[n++]);
	qsort(rows, n, sizeof(*rows), by_pool);
	out->total.n_backends = n;
}

/* Give each pool the range of its rows, and the sum of their exceptions. */
static void join_pools(struct effect_page *out)
{
	struct effect_pool *pools = effect_page_pools(out);
	const struct effect_backend *rows = effect_page_backends(out);

	for (uint32_t p = 0; p < out->total.n_pools; p++) {
		uint32_t i = effect_row(rows, out->total.n_backends, pools[p].pool, 0);

		pools[p].first = i;
		for (; i < out->total.n_backends && rows[i].pool == pools[p].pool; i++) {
			pools[p].n_backends++;
			pools[p].exceptions += rows[i].exceptions;
		}
	}
}

uint32_t effect_row(const struct effect_backend *rows, uint32_t n, uint64_t pool, uint64_t id)
{
	const struct effect_backend key = { .pool = pool, .id = id };

	return (uint32_t)sorted_index(&key, rows, n, sizeof(*rows), by_pool, NULL);
}

static uint32_t count_services(const struct fwd_tables *t)
{
	uint32_t half = t->root->active & 1, n = 0;

	for (uint32_t i = 0; i < t->root->n_services; i++)
		n += t->services[half * t->root->n_services + i].protocol != 0;
	return n;
}

/* A pool without a row leaves an error but does not end the scan: what fits is shown. */
static int scan_tables(const struct fwd_tables *t, uint32_t now_s, struct backend_sums *s,
                       struct effect_page *out)
{
	struct effect_pool *pools = effect_page_pools(out);
	uint32_t n = 0;
	int err = 0;

	for (uint32_t i = 0; i < t->n_pools; i++) {
		if (!t->pools[i].id)
			continue;
		if (n < out->max_pools)
			scan_pool(t, &t->pools[i], s, &pools[n++]);
		else
			err = -ENOSPC;
	}
	out->total = (struct effect_total){ .document = t->root->generation,
		                            .n_pools = n,
		                            .n_services = count_services(t),
		                            .exceptions_max = t->n_exceptions * OWNER_WAYS };
	out->total.exceptions = scan_exceptions(t, now_s, s);
	gather_backends(t, s, out);
	join_pools(out);
	return err;
}

int effect_scan(const struct fwd_tables *t, uint32_t now_s, struct effect_page *out)
{
	uint32_t *all = calloc(3ul * t->n_backends, sizeof(*all));
	struct backend_sums s = { all, all + t->n_backends, all + 2ul * t->n_backends, now_s };
	int err = all ? scan_tables(t, now_s, &s, out) : -ENOMEM;

	free(all);
	return err;
}
