/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quarantine (in code: rest). An element that the document no longer names may still be reached: by
 * a packet under way, by a slot, by a remembered flow. It keeps serving them, and is freed when
 * COMPILER_QUARANTINE_MS have passed and the owners say that nothing leads to it (owners_uses(),
 * owners_memory_uses()). If its owner returns before that, it gets the same element again.
 *
 * Elements that an earlier process left in the tables are taken over at the start: pools and
 * backends have their identity in their elements; a service's counter is found by its entry.
 */
#include "dataplane/tables/compiler_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "weir/fwd/services.h"
#include "weir/model.h"

/* Backends whose slots are searched in one call: each costs a walk of its pool's slots. */
#define LOOKS 64u

static bool pool_is_used(const struct compiler *n, uint64_t id)
{
	for (size_t i = 0; i < n->n_pools; i++)
		if (n->pools[i].plan->id == id)
			return true;
	return false;
}

/* Set @p used for each backend index that the document names. */
static void mark_used(const struct compiler *n, bool *used)
{
	for (size_t i = 0; i < n->n_pools; i++)
		for (size_t k = 0; k < n->pools[i].plan->n_backends; k++)
			used[n->pools[i].backends[k].index] = true;
}

static bool range_is_used(const struct compiler *n, uint32_t first)
{
	for (size_t i = 0; i < n->n_pools; i++)
		if (n->pools[i].first_slot == first)
			return true;
	return false;
}

static uint32_t settle_ms(const struct compiler *n, uint64_t pool)
{
	for (size_t i = 0; i < n->n_pools; i++)
		if (n->pools[i].plan->id == pool)
			return n->pools[i].plan->model->settle_ms;
	return 0;
}

/*
 * Backends that left the document. They serve the flows that slots and exceptions still send to
 * them; UDP flows with policy `migrate` have to leave when their pool's settling time is over.
 */
static void quarantine_backends(struct compiler *n, const struct compiler_time *time)
{
	bool used[FWD_BACKENDS_MAX] = { false };

	mark_used(n, used);
	for (uint32_t i = 1; i < indexes_n(n->backend_indexes); i++) {
		uint64_t end_ms;

		if (indexes_state(n->backend_indexes, i) != INDEX_USED || used[i])
			continue;
		end_ms = time->ticks_ms + settle_ms(n, n->shadow.t.backends[i].pool_id);
		indexes_quarantine(n->backend_indexes, i, time->now_ms);
		owners_memory_drain(n->memory, (uint16_t)i, (uint32_t)(end_ms / 1000));
	}
}

static void quarantine_counts(struct compiler *n, const struct compiler_time *time)
{
	bool *in_use = calloc(indexes_n(n->count_indexes) + 1, sizeof(*in_use));

	for (size_t i = 0; in_use && i < n->plan->n_services; i++)
		in_use[indexes_find(n->count_indexes, hash_text(n->plan->services[i]->name))] =
		        true;
	for (uint32_t i = 0; in_use && i < indexes_n(n->count_indexes); i++)
		if (indexes_state(n->count_indexes, i) == INDEX_USED && !in_use[i])
			indexes_quarantine(n->count_indexes, i, time->now_ms);
	free(in_use);
}

/* No process that takes the tables over may find the pool at element @p i. */
static void disown_pool(struct compiler *n, uint32_t i)
{
	struct fwd_pool e = n->shadow.t.pools[i];

	e.id = 0;
	shadow_put(&n->shadow, &n->t, FWD_TABLE_pools, i, &e);
}

void compiler_quarantine(struct compiler *n, const struct compiler_time *time)
{
	quarantine_backends(n, time);
	quarantine_counts(n, time);
	for (uint32_t i = 0; i < indexes_n(n->pool_indexes); i++) {
		if (indexes_state(n->pool_indexes, i) != INDEX_USED ||
		    pool_is_used(n, indexes_key(n->pool_indexes, i)))
			continue;
		disown_pool(n, i);
		indexes_quarantine(n->pool_indexes, i, time->now_ms);
	}
	for (uint32_t i = 0; i < n->ranges->n_items; i++)
		if (!n->ranges->items[i].quarantined &&
		    !range_is_used(n, n->ranges->items[i].first))
			ranges_quarantine(n->ranges, n->ranges->items[i].first, time->now_ms);
}

/* A backend index belongs to one pool, so only that pool's slots can name it. */
static bool owners_lead_to(const struct compiler *n, uint32_t index)
{
	uint64_t pool = n->shadow.t.backends[index].pool_id;

	if (owners_memory_uses(n->memory, (uint16_t)index))
		return true;
	for (size_t i = 0; i < n->n_pools; i++)
		if (n->pools[i].plan->id == pool)
			return owners_uses(n->pools[i].owners, (uint16_t)index);
	return false;
}

static bool quarantine_is_over(const struct indexes *p, uint32_t i,
                               const struct compiler_time *time)
{
	return indexes_state(p, i) == INDEX_QUARANTINED &&
	       indexes_since_ms(p, i) + COMPILER_QUARANTINE_MS <= time->now_ms;
}

/* The next owner of an element starts with counters at zero. */
static void zero_backend_counts(struct compiler *n, uint32_t i)
{
	for (uint32_t c = 0; c < n->t.n_cpus; c++) {
		n->t.backend_counts[c * n->sizes.backends + i] = (struct fwd_count){ 0 };
		n->t.backend_news[c * n->sizes.backends + i] = (struct fwd_count){ 0 };
	}
}

/*
 * Each call goes on where the last one ended: flows of those at the beginning may be remembered for
 * hours.
 */
static void release_backends(struct compiler *n, const struct compiler_time *time)
{
	static const struct fwd_backend none;
	uint32_t n_indexes = indexes_n(n->backend_indexes), looked = 0;

	for (uint32_t k = 1; k < n_indexes && looked < LOOKS; k++) {
		uint32_t i = n->released_at + 1 < n_indexes ? n->released_at + 1 : 1;

		n->released_at = i;
		if (!quarantine_is_over(n->backend_indexes, i, time))
			continue;
		looked++;
		if (owners_lead_to(n, i))
			continue;
		compiler_unwatch(n, i);
		n->states[i] = 0;
		compiler_put_backend(n, i, &none);
		__atomic_store_n(&n->t.backends[i].learned_mtu, 0, __ATOMIC_RELAXED);
		zero_backend_counts(n, i);
		indexes_release(n->backend_indexes, i);
	}
}

void compiler_clear_slots(struct compiler *n, uint32_t first, uint32_t n_slots)
{
	memset(&n->t.slots[first / FWD_SLOTS_PER_BLOCK], 0,
	       n_slots / FWD_SLOTS_PER_BLOCK * sizeof(*n->t.slots));
	memset(&n->t.colds[first], 0, n_slots * sizeof(*n->t.colds));
}

/* The next pool must find the range empty: owners_apply() seeds slots that have no owner. */
static void release_ranges(struct compiler *n, uint64_t before_ms)
{
	for (uint32_t i = 0; i < n->ranges->n_items; i++) {
		const struct range *r = &n->ranges->items[i];

		if (!r->quarantined || r->since_ms >= before_ms)
			continue;
		compiler_clear_slots(n, r->first, r->n);
	}
	ranges_release(n->ranges, before_ms);
}

void compiler_release(struct compiler *n, const struct compiler_time *time)
{
	static const struct fwd_pool none;

	release_backends(n, time);
	for (uint32_t i = 0; i < indexes_n(n->pool_indexes); i++) {
		if (!quarantine_is_over(n->pool_indexes, i, time))
			continue;
		shadow_put(&n->shadow, &n->t, FWD_TABLE_pools, i, &none);
		indexes_release(n->pool_indexes, i);
	}
	for (uint32_t i = 0; i < indexes_n(n->count_indexes); i++)
		if (quarantine_is_over(n->count_indexes, i, time))
			indexes_release(n->count_indexes, i);
	if (time->now_ms > COMPILER_QUARANTINE_MS)
		release_ranges(n, time->now_ms - COMPILER_QUARANTINE_MS);
}

/* Set @p owns for each backend index that owns a slot of the adopted pool @p p. */
static void mark_owners(const struct compiler *n, const struct fwd_pool *p, bool *owns)
{
	uint32_t first = (uint32_t)(p->slot_range >> 8), end = first + (1u << (p->slot_range & 31));

	for (uint32_t s = first; s < end; s++)
		owns[n->t.slots[s / FWD_SLOTS_PER_BLOCK].slot[s % FWD_SLOTS_PER_BLOCK] &
		     FWD_SLOT_BACKEND] = true;
}

static void adopt_pool(struct compiler *n, uint32_t i, bool *owns)
{
	const struct fwd_pool *p = &n->shadow.t.pools[i];
	uint64_t n_slots = 1ull << (p->slot_range & 31);

	if (!p->id)
		return;
	if (n_slots <= n->sizes.slots && n_slots >= FWD_SLOTS_PER_BLOCK &&
	    p->slot_range >> 40 == 0 &&
	    !ranges_adopt(n->ranges, (uint32_t)(p->slot_range >> 8), (uint32_t)n_slots) &&
	    indexes_adopt(n->pool_indexes, i, p->id)) {
		mark_owners(n, p, owns);
		return;
	}
	/* contradicts itself: its services find no pool until the document is there */
	disown_pool(n, i);
}

/* Whether @p backend is none, or an element of the pool with @p id. */
static bool is_of_pool(const struct compiler *n, uint64_t id, uint32_t backend)
{
	const struct fwd_backend *e = &n->shadow.t.backends[backend];

	return !backend ||
	       (backend < n->sizes.backends && e->flags & FWD_BACKEND_USED && e->pool_id == id);
}

/* The same of each earlier owner to whom packets may go. */
static bool earlier_are_of_pool(const struct compiler *n, const struct compiler_pool *p,
                                const struct owner_cold *cold)
{
	bool agents = plan_has_agents(p->plan);

	for (uint32_t i = 0; agents && i < OWNER_LIST_MAX; i++)
		if (!is_of_pool(n, p->plan->id, owner_list_at(cold->list.earlier, i)))
			return false;
	for (int c = agents ? OWNER_CLASS_UDP : 0; c < OWNER_CLASSES; c++)
		if (cold->claim[c].settle_at &&
		    !is_of_pool(n, p->plan->id, cold->claim[c].base & FWD_SLOT_BACKEND))
			return false;
	return true;
}

/*
 * Nothing says what the earlier process stored, but a backend's index is one pool's alone. A word
 * that names another backend of the pool looks like a change that was under way: the owners move the
 * slot to its target.
 */
void compiler_check_slots(struct compiler *n, const struct compiler_pool *p)
{
	uint32_t n_bad = 0;

	for (uint32_t s = p->first_slot; s < p->first_slot + p->n_slots; s++) {
		uint16_t *at = &n->t.slots[s / FWD_SLOTS_PER_BLOCK].slot[s % FWD_SLOTS_PER_BLOCK];
		struct owner_cold *cold = &n->t.colds[s];

		if (is_of_pool(n, p->plan->id, *at & FWD_SLOT_BACKEND) &&
		    (!(*at & FWD_SLOT_UNSETTLED) || earlier_are_of_pool(n, p, cold)))
			continue;
		__atomic_store_n(at, 0, __ATOMIC_RELEASE);
		*cold = (struct owner_cold){ 0 };
		n_bad++;
	}
	if (n_bad)
		log_warn("slots-not-believed", "pool=%s slots=%u effect=\"owners by the document\"",
		         p->plan->model->name, n_bad);
}

static void zero_service_counts(struct compiler *n, uint32_t i)
{
	for (uint32_t c = 0; c < n->t.n_cpus; c++) {
		uint32_t at = c * n->sizes.service_counts + i;

		n->t.service_counts[at] = (struct fwd_count){ 0 };
		n->t.service_news[at] = (struct fwd_count){ 0 };
		n->t.sample_counts[at] = (struct fwd_sample_count){ 0 };
	}
}

static void adopt_counts(struct compiler *n, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_entries; i++) {
		const struct plan_entry *e = &plan->entries[i];
		const struct fwd_service *was;

		if (e->service == PLAN_NONE)
			continue;
		was = fwd_service_find(&n->t, n->t.root, &e->entry.vip, e->entry.port_be,
		                       e->entry.protocol);
		if (was)
			indexes_adopt(n->count_indexes, was->count,
			              hash_text(plan->services[e->service]->name));
	}
}

/* What an index counted before is not its new service's: an earlier process may have left something in any of them. */
void compiler_allocate_counts(struct compiler *n, const struct plan *plan)
{
	if (n->adopted)
		adopt_counts(n, plan);
	for (size_t i = 0; i < plan->n_services; i++) {
		uint64_t key = hash_text(plan->services[i]->name);
		bool is_new = indexes_find(n->count_indexes, key) == INDEX_NONE;
		uint32_t at = indexes_allocate(n->count_indexes, key);

		if (is_new)
			zero_service_counts(n, at);
	}
}

/*
 * Nothing in a backend's element says whether it was in force or waited for a verdict. Its slots do:
 * who waits owns none while another serves.
 */
void compiler_adopt(struct compiler *n)
{
	bool owns[FWD_BACKENDS_MAX] = { false };

	for (uint32_t i = 0; i < n->sizes.pools; i++)
		adopt_pool(n, i, owns);
	for (uint32_t i = 1; i < n->sizes.backends; i++) {
		const struct fwd_backend *b = &n->shadow.t.backends[i];

		if (!(b->flags & FWD_BACKEND_USED))
			continue;
		indexes_adopt(n->backend_indexes, i, compiler_backend_key(b->pool_id, b->id));
		if (b->flags & FWD_BACKEND_DEAD)
			n->states[i] = OWNERS_DEAD;
		else if (!owns[i])
			n->states[i] = OWNERS_WAITS;
	}
}
