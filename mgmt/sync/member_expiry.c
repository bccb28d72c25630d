/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools are judged under the core's lock, which a write gives up. The model may be another one then, so one look writes for one
 * pool, and the next look goes on.
 */
#include "mgmt/sync/member_expiry.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "mgmt/json/observed.h"
#include "mgmt/judge/observed.h"
#include "mgmt/sync/member_writes.h"
#include "weir/health.h"

#define LOOK_MS     1000u
#define EXPIRED_MAX 100u /* of a pool that leave at once */

struct member_expiry {
	struct core *core;
	struct thread thread;
	uint64_t looked_ms; /* monotonic */
};

/* How many nodes go before this one, of the cluster or of the site of @p pool; SIZE_MAX: it is not this node's turn ever. */
static size_t find_turn(const struct model *m, const struct model_pool *pool)
{
	size_t before = 0;

	if (!m->self || (pool && m->self->site != pool->site))
		return SIZE_MAX;
	for (const struct model_node *n = m->nodes; n < m->self; n++)
		before += !pool || n->site == pool->site;
	return before;
}

/* --- records that nobody needs any more --- */

/*
 * A record stays a settling time longer than its member, for nodes that start meanwhile. Then the first node removes it, and
 * each other one only if all before it did not.
 */
static void remove_gone(struct core *core)
{
	const struct model *m = intent_model(core->intent);
	const struct member_list *all = intent_members(core->intent);
	struct member *list = memory_must(calloc(MEMBER_REMOVED_MAX, sizeof(struct member)));
	size_t n = 0, turn = m ? find_turn(m, NULL) : SIZE_MAX;
	int64_t now_ms = clock_believed_ms();

	for (size_t i = 0; turn != SIZE_MAX && i < all->n && n < MEMBER_REMOVED_MAX; i++) {
		const struct member *one = all->items[i];
		int64_t since_ms = one->gone_ms + (one->gone_ms - one->left_ms);

		if (one->revision && one->left_ms &&
		    now_ms >= since_ms + (int64_t)(1 + turn) * MEMBER_EXPIRY_TURN_MS)
			list[n++] = *one;
	}
	if (n && member_writes_remove(core, list, n))
		log_note("members-forgotten", "n=%zu", n);
	free(list);
}

/* --- members whose ttl is over --- */

/* What leaves of a pool. */
struct leaving_members {
	struct member_entry *list;
	size_t n;
};

/* By which time members of @p pool are judged here, monotonic. @return false: they are other nodes' matter */
static bool find_judged_time(const struct model *m, const struct model_pool *pool, uint64_t *now_ms)
{
	size_t turn = pool->n_prefixes ? find_turn(m, pool) : SIZE_MAX;

	if (turn == SIZE_MAX)
		return false;
	*now_ms = clock_mono_ms() - turn * MEMBER_EXPIRY_TURN_MS;
	return true;
}

/* Whether @p m is over and still in the pool. A configured backend of its name is no member, and has no ttl. */
static bool has_expired(const struct model_pool *pool, const struct member *m, uint64_t now_ms)
{
	if (m->left_ms || !member_is_expired(m, now_ms))
		return false;
	const struct model_backend *b = model_backend(pool, m->id);
	return b && b->registered;
}

/* @param m  it has expired */
static bool has_to_leave(const struct model_pool *pool, const struct member *m,
                         const struct observe_pages *pages)
{
	uint64_t target = health_target_backend(pool->name, model_backend(pool, m->id)->id);

	return pool->on_expiry == MODEL_EXPIRY_DRAIN ||
	       (pool->check && pages->health_fresh &&
	        !strcmp(observed_state(pages, target), "down"));
}

static void list_leaving(const struct core *core, const struct model_pool *pool, uint64_t now_ms,
                         const struct observe_pages *pages, struct leaving_members *out)
{
	const struct member_list *all = intent_members(core->intent);
	size_t first, n = members_of(all, pool->name, &first);

	for (size_t i = 0; i < n && out->n < EXPIRED_MAX; i++) {
		const struct member *m = all->items[first + i];

		if (!has_expired(pool, m, now_ms) || !has_to_leave(pool, m, pages))
			continue;
		out->list[out->n] = (struct member_entry){ .leaves = true };
		memcpy(out->list[out->n++].id, m->id, sizeof(m->id));
	}
}

/* Whether the pool keeps a backend; the last one stays until another comes. */
static bool may_leave(const struct core *core, const struct model_pool *pool,
                      const struct observe_pages *pages, struct leaving_members *l)
{
	const struct guard_observed observed = { .health = pages->health,
		                                 .health_stale = !pages->health_fresh };
	struct guard_result r = { .n_verdicts = 0 };
	bool *drained = member_writes_drained(core, pool);
	bool may = false;

	for (; !may && l->n; l->n -= !may) {
		if (member_entries_guard(pool, intent_overrides(core->intent), drained, l->list,
		                         l->n, &observed, clock_believed_ms(), &r))
			break;
		may = !r.n_verdicts || r.verdicts[0].ok;
	}
	free(drained);
	return may;
}

/* The lock is given up meanwhile. */
static void write_leaving(struct core *core, const struct model_pool *pool,
                          const struct leaving_members *l)
{
	struct intent_shared *shared = intent_share(core->intent);
	const struct model *m = intent_shared_configured(shared);
	int64_t now_ms = clock_believed_ms();
	char name[MODEL_NAME_MAX];
	const struct member_judging by = {
		.pool = m ? model_pool(m, pool->name) : NULL,
		.members = intent_members(core->intent),
		.now_ms = now_ms,
		.at_ms = member_instant_ms(now_ms, intent_ahead_ms(core->intent)),
		.principal = "weir",
	};
	struct member_refused refused;
	uint32_t wait_s;
	size_t n_written = 0;

	memcpy(name, pool->name, strlen(pool->name) + 1);
	if (by.pool && !member_entries_judge(&by, l->list, l->n, &refused) &&
	    member_writes_write(core, l->list, l->n, true, &wait_s, &n_written) == MEMBER_WRITTEN)
		log_note("members-expired", "pool=%s n=%zu effect=\"they leave\"", name, n_written);
	intent_unshare(shared);
}

/* @return whether the lock was given up, so that the model may be another one */
static bool expire_of(struct core *core, const struct model *m, const struct model_pool *pool,
                      const struct observe_pages *pages, struct member_entry *list)
{
	struct leaving_members l = { .list = list };
	uint64_t now_ms;

	if (!find_judged_time(m, pool, &now_ms))
		return false;
	list_leaving(core, pool, now_ms, pages, &l);
	if (!l.n || !may_leave(core, pool, pages, &l))
		return false;
	write_leaving(core, pool, &l);
	return true;
}

static bool is_any_expired(const struct core *core, const struct model *m)
{
	const struct member_list *all = intent_members(core->intent);
	uint64_t now_ms;

	for (size_t i = 0; i < m->n_pools; i++) {
		const struct model_pool *pool = &m->pools[i];
		size_t first, n = members_of(all, pool->name, &first);

		if (!n || !find_judged_time(m, pool, &now_ms))
			continue;
		for (size_t k = first; k < first + n; k++)
			if (has_expired(pool, all->items[k], now_ms))
				return true;
	}
	return false;
}

/* Nearly always nobody has expired: then the pages of health are not opened. */
static void expire_members(struct core *core)
{
	const struct model *m = intent_model(core->intent);

	if (!m || !is_any_expired(core, m))
		return;
	struct member_entry *list = memory_must(calloc(EXPIRED_MAX, sizeof(struct member_entry)));
	struct observe_pages pages;
	bool given_up = false;

	observe_open_health(core->dirs.run, &pages);
	for (size_t i = 0; !given_up && i < m->n_pools; i++)
		given_up = expire_of(core, m, &m->pools[i], &pages, list);
	observe_close(&pages);
	free(list);
}

static uint64_t look_once(void *arg)
{
	struct member_expiry *e = arg;
	uint64_t now_ms = clock_mono_ms();

	if (now_ms - e->looked_ms < LOOK_MS)
		return e->looked_ms + LOOK_MS;
	e->looked_ms = now_ms;
	if (intent_members(e->core->intent)->n) {
		expire_members(e->core);
		remove_gone(e->core);
	}
	return clock_mono_ms() + LOOK_MS;
}

static void *run_expiry(void *arg)
{
	struct member_expiry *e = arg;

	core_run_rounds(e->core, look_once, e, LOOK_MS);
	return NULL;
}

int member_expiry_start(struct core *core, struct member_expiry **out)
{
	struct member_expiry *e = MEMORY_NEW(struct member_expiry);

	e->core = core;
	int err = thread_start(&e->thread, run_expiry, e);

	if (err)
		free(e);
	else
		*out = e;
	return err;
}

void member_expiry_stop(struct member_expiry *e)
{
	if (!e)
		return;
	thread_join(&e->thread);
	free(e);
}
