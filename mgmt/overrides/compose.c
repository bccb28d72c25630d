/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For each pool the instants at which its members may change (versions, begins and ends of
 * overrides) are listed, sorted and walked. At each instant the members are computed from the
 * version and the overrides in force then; a set is added when they differ from the set before. How
 * long an old set keeps its claim follows from the set after it. Nothing but the intent goes in, so
 * all nodes compute the same sets.
 *
 * A document has room for MODEL_MEMBERS_MAX members of all sets together, whatever changes come:
 * that is enough for the set in force and the next one of each pool, and earlier ones go beyond it.
 */
#include "mgmt/overrides/compose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/sorted.h"

#define KEPT_MAX (MODEL_SETS_MAX + 1) /* and the next set */
/* Earlier sets of a pool; with agents they stay after their claim, as lists of owners need them. */
#define EARLIER_MAX 4u
/* Pools with agents keep more sets while their claims last: members of all sets together. */
#define MEMBERS_MAX  65536u
#define INSTANTS_MAX 128u  /* past instants that are walked: far more than sets are kept */
#define LARGE_POOL   1000u /* members: of so many a set takes a while, and */
#define LARGE_MAX    24u   /* so many past instants are walked */
#define SCRATCH_MAX  ((size_t)256 << 20) /* bytes: all sets of a pool, before most of them go */

/* A pool's sets while they are computed, oldest first. */
struct member_sets {
	struct model_set items[KEPT_MAX];
	size_t n;
};

static int64_t add_ms(int64_t at_ms, int64_t more_ms)
{
	return at_ms > MODEL_TIME_NEVER - more_ms ? MODEL_TIME_NEVER : at_ms + more_ms;
}

/* Whether @p o is in force at @p at_ms for a backend of @p pool; an ended one ends at until_ms. */
static bool applies_to_pool(const struct override *o, const struct model_pool *pool, int64_t at_ms)
{
	return o->target == MODEL_TARGET_BACKEND && o->from_ms <= at_ms && at_ms < o->until_ms &&
	       !strcmp(o->pool, pool->name);
}

/*
 * What overrides make of the weights for new flows, in the order of the backends; -1: not a member. Overrides
 * are looked at once: thousands that are over lie beside thousands of backends.
 */
static void override_weights(const struct model_pool *pool, const struct overrides *overrides,
                             int64_t at_ms, int64_t *weights)
{
	for (size_t i = 0; i < overrides->n_items; i++) {
		const struct override *o = &overrides->items[i];
		const struct model_backend *b =
		        applies_to_pool(o, pool, at_ms) ? model_backend(pool, o->name) : NULL;

		if (b && o->kind == MODEL_OVERRIDE_DISABLE)
			weights[b - pool->backends] = -1;
		else if (b && o->kind == MODEL_OVERRIDE_DRAIN && weights[b - pool->backends] > 0)
			weights[b - pool->backends] = 0;
	}
}

const struct model_member *compose_members(const struct member_pool *p,
                                           const struct overrides *overrides, int64_t at_ms,
                                           struct arena *arena, size_t *n_members)
{
	const struct model_pool *pool = &p->pool;
	struct model_member *members =
	        ARENA_ARRAY(arena, struct model_member, pool->n_backends + 1);
	int64_t *weights = ARENA_ARRAY(arena, int64_t, pool->n_backends + 1);
	size_t n = 0;

	if (!members || !weights)
		return NULL;
	for (size_t i = 0; i < pool->n_backends; i++)
		weights[i] = p->of && p->of[i] ? member_weight_at(p->of[i], at_ms)
		                               : (int64_t)pool->backends[i].weight;
	override_weights(pool, overrides, at_ms, weights);
	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct model_backend *b = &pool->backends[i];

		if (weights[i] >= 0)
			members[n++] = (struct model_member){ .id = b->id,
				                              .address = b->address,
				                              .port = b->port,
				                              .weight = (uint32_t)weights[i] };
	}
	qsort(members, n, sizeof(*members), sorted_by_u64);
	*n_members = n;
	return members;
}

static bool equals_members(const struct model_set *member_set, const struct model_member *members,
                           size_t n)
{
	if (member_set->n_members != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (member_set->members[i].id != members[i].id ||
		    member_set->members[i].weight != members[i].weight)
			return false;
	return true;
}

static uint32_t weight_in(const struct model_set *member_set, uint64_t id)
{
	const struct model_member *found = NULL;

	if (member_set->n_members)
		found = bsearch(&id, member_set->members, member_set->n_members, sizeof(*found),
		                sorted_by_u64);
	return found ? found->weight : UINT32_MAX;
}

/* The latest deadline of the drains that took the backend's weight at @p at_ms; 0: none has one. */
static int64_t drain_deadline(const struct model_pool *pool, uint64_t id,
                              const struct overrides *overrides, int64_t at_ms)
{
	int64_t deadline = 0;

	for (size_t i = 0; i < pool->n_backends; i++) {
		if (pool->backends[i].id != id)
			continue;
		for (size_t k = 0; k < overrides->n_items; k++) {
			const struct override *o = &overrides->items[k];

			if (o->kind != MODEL_OVERRIDE_DRAIN || !o->over_ms ||
			    !applies_to_pool(o, pool, at_ms) ||
			    strcmp(o->name, pool->backends[i].name) != 0)
				continue;
			if (deadline < add_ms(o->from_ms, o->over_ms))
				deadline = add_ms(o->from_ms, o->over_ms);
		}
	}
	return deadline;
}

/*
 * When the claim of @p old ends, given that @p next follows it: at the drains' deadlines if
 * nothing but drains tells the two apart, else after the pool's settling time.
 */
static int64_t compute_claim_end(const struct model_set *old, const struct model_set *next,
                                 const struct model_pool *pool, const struct overrides *overrides)
{
	int64_t settled = add_ms(next->from_ms, pool->settle_ms), deadline = 0;

	if (old->n_members != next->n_members)
		return settled;
	for (size_t i = 0; i < old->n_members; i++) {
		uint32_t before = old->members[i].weight;
		uint32_t after = weight_in(next, old->members[i].id);
		int64_t own;

		if (before == after)
			continue;
		own = after == 0
		              ? drain_deadline(pool, old->members[i].id, overrides, next->from_ms)
		              : 0;
		if (!own)
			return settled;
		if (deadline < own)
			deadline = own;
	}
	return deadline ? deadline : settled;
}

static void append_set(struct member_sets *history, const struct model_set *member_set)
{
	if (history->n == KEPT_MAX) {
		memmove(history->items, history->items + 1,
		        (KEPT_MAX - 1) * sizeof(*history->items));
		history->n--;
	}
	history->items[history->n++] = *member_set;
}

/* The version in force for member sets at @p at_ms; before all of them, the first. @return its place */
static size_t version_at(const struct compose_input *in, int64_t at_ms)
{
	size_t found = 0;

	for (size_t i = 1; i < in->n_versions; i++)
		if (in->versions[i].effective_ms <= at_ms)
			found = i;
	return found;
}

/* A pool while its sets are composed. */
struct pool_work {
	const struct compose_input *in;
	const char *name;
	/* of each version, with its members; no name: it has no such pool */
	struct member_pool *pools;
	struct arena *arena;
};

static int make_pools(struct pool_work *w)
{
	const struct compose_input *in = w->in;
	int err = 0;

	w->pools = ARENA_ARRAY(w->arena, struct member_pool, in->n_versions + 1);
	for (size_t i = 0; w->pools && !err && i < in->n_versions; i++) {
		const struct model_pool *pool = model_pool(in->versions[i].model, w->name);

		w->pools[i] = (struct member_pool){ .of = NULL };
		if (pool)
			err = member_pool_make(pool, in->members, in->now_ms, w->arena,
			                       &w->pools[i]);
	}
	return w->pools ? err : -ENOMEM;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t answers_ms(const struct compose_input *in, const struct override *o)
{
	struct model_override as_model;

	override_to_model(o, &as_model);
	return model_override_answers_ms(in->versions[in->n_versions - 1].model, &as_model);
}

/* When a member's weight changes, and when it leaves and is gone. */
static size_t list_member_instants(const struct compose_input *in, const struct model_pool *pool,
                                   int64_t *out)
{
	size_t first, n_members = in->members ? members_of(in->members, pool->name, &first) : 0;
	size_t n = 0;

	for (size_t i = 0; i < n_members; i++) {
		const struct member *m = in->members->items[first + i];

		for (uint32_t k = 0; k < m->n_from; k++)
			out[n++] = m->from_ms[k];
		if (m->left_ms) {
			out[n++] = m->left_ms;
			out[n++] = member_gone_ms(m);
		}
	}
	return n;
}

/* Of equal ones one, as thousands of members may come at one instant. They are sorted. */
static size_t drop_equal(int64_t *times, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!kept || times[kept - 1] != times[i])
			times[kept++] = times[i];
	return kept;
}

/*
 * All instants at which members may change; @p pool NULL: of any pool, and those at which what is
 * asked of a node changes (model_node_drain()), or a site's drain ends, or is complete for so long that no answer
 * leads there: then nobody needs the VIPs of that site alone.
 */
static size_t list_instants(const struct compose_input *in, const char *pool, int64_t *out)
{
	const struct model *head = in->versions[in->n_versions - 1].model;
	const struct model_pool *one = pool ? model_pool(head, pool) : NULL;
	size_t n = 0;

	for (size_t i = 0; i < in->n_versions; i++)
		out[n++] = in->versions[i].effective_ms;
	for (size_t i = 0; i < in->overrides->n_items; i++) {
		const struct override *o = &in->overrides->items[i];

		if (pool && (o->target == MODEL_TARGET_SITE || strcmp(o->pool, pool)))
			continue;
		out[n++] = o->target == MODEL_TARGET_SITE && !o->ended ? answers_ms(in, o)
		                                                       : o->from_ms;
		out[n++] = o->until_ms;
	}
	for (size_t i = 0; !pool && i < head->n_pools; i++)
		n += list_member_instants(in, &head->pools[i], out + n);
	if (one)
		n += list_member_instants(in, one, out + n);
	qsort(out, n, sizeof(*out), by_time);
	return drop_equal(out, n);
}

static size_t instants_max(const struct compose_input *in)
{
	return in->n_versions + 2 * in->overrides->n_items +
	       (in->members ? in->members->n * (MEMBER_INSTANTS_MAX + 2) : 0) + 1;
}

/* Add the pool's members at @p at_ms to @p history, if they differ from the last set. */
static int compose_instant(const struct pool_work *w, int64_t at_ms, struct member_sets *history)
{
	const struct compose_input *in = w->in;
	size_t i = version_at(in, at_ms);
	const struct compose_version *v = &in->versions[i];
	const struct member_pool *p = &w->pools[i];
	struct model_set member_set = { .from_ms = at_ms, .until_ms = MODEL_TIME_NEVER };

	if (!p->pool.name) { /* no pool at that time: its sets start with the next version that has it */
		history->n = 0;
		return 0;
	}
	member_set.members =
	        compose_members(p, in->overrides, at_ms, w->arena, &member_set.n_members);
	if (!member_set.members)
		return -ENOMEM;
	if (history->n == 0) { /* a pool starts with its first version: nothing to announce */
		member_set.from_ms = v->time_ms < at_ms ? v->time_ms : at_ms;
		append_set(history, &member_set);
		return 0;
	}
	struct model_set *last = &history->items[history->n - 1];
	if (equals_members(last, member_set.members, member_set.n_members))
		return 0;
	last->until_ms = compute_claim_end(last, &member_set, &p->pool, in->overrides);
	append_set(history, &member_set);
	return 0;
}

static void start_from_seed(const struct compose_input *in, const char *name,
                            struct member_sets *history)
{
	const struct model_pool *pool = in->seed ? model_pool(in->seed, name) : NULL;

	for (size_t i = 0; pool && i < pool->n_member_sets; i++)
		append_set(history, &pool->member_sets[i]);
}

/*
 * Versions older than those at hand are replaced by the document before: its sets up to @p
 * known_ms, since when versions and overrides are known, were composed when they were.
 */
static void copy_earlier_sets(const struct compose_input *in, const char *name, int64_t known_ms,
                              struct member_sets *history)
{
	const struct model_pool *pool = in->before ? model_pool(in->before, name) : NULL;

	for (size_t i = 0;
	     pool && i < pool->n_member_sets && pool->member_sets[i].from_ms < known_ms; i++)
		append_set(history, &pool->member_sets[i]);
}

/* How many sets before the next one a pool keeps. */
static size_t earlier_max(const struct model_pool *pool)
{
	size_t n = MEMBERS_MAX / (pool->n_backends ? pool->n_backends : 1);

	if (!pool->agent || n < EARLIER_MAX)
		return EARLIER_MAX;
	return n < MODEL_SETS_MAX ? n : MODEL_SETS_MAX;
}

/* Drop sets that have no claim any more, and all sets to come but the next one. */
static void trim_sets(const struct model_pool *pool, struct member_sets *history, int64_t now_ms)
{
	size_t n = 0, earlier = 0, most = earlier_max(pool);

	for (size_t i = 0; i < history->n; i++)
		earlier += history->items[i].from_ms <= now_ms;
	if (earlier == 0 && history->n > 0) { /* clocks differ: the first set is in force already */
		history->items[0].from_ms = now_ms;
		earlier = 1;
	}
	for (size_t i = 0; i < history->n && i <= earlier; i++) {
		bool too_many = i + most < earlier;
		bool is_claimed = history->items[i].until_ms > now_ms ||
		                  (pool->agent && i + EARLIER_MAX >= earlier);

		if (!too_many && is_claimed)
			history->items[n++] = history->items[i];
	}
	history->n = n;
}

/* Where in @p times to begin, so that at most INSTANTS_MAX of the past are left, or LARGE_MAX. */
static size_t first_instant(const struct pool_work *w, const int64_t *times, size_t n)
{
	size_t past = 0, first;
	size_t n_members = w->in->members ? members_of(w->in->members, w->name, &first) : 0;
	size_t most = n_members < LARGE_POOL ? INSTANTS_MAX : LARGE_MAX;

	while (past < n && times[past] <= w->in->now_ms)
		past++;
	return past > most ? past - most : 0;
}

/*
 * The walk begins where the seed, or the sets of the document before, end: older versions are not
 * at hand.
 */
static int compose_pool(const struct pool_work *w, int64_t *times, struct member_sets *history)
{
	const struct compose_input *in = w->in;
	size_t n = list_instants(in, w->name, times), first = first_instant(w, times, n);
	int64_t last_ms = INT64_MIN, known_ms = in->versions[0].effective_ms;

	*history = (struct member_sets){ .n = 0 };
	start_from_seed(in, w->name, history);
	if (history->n > 0)
		last_ms = history->items[history->n - 1].from_ms;
	if (first > 0 && known_ms < times[first])
		known_ms = times[first];
	if (!in->seed)
		copy_earlier_sets(in, w->name, known_ms, history);
	if (!in->seed && history->n > 0)
		last_ms = known_ms - 1;
	for (size_t i = first; i < n; i++) {
		bool announced =
		        history->n > 0 && history->items[history->n - 1].from_ms > in->now_ms;

		if (times[i] <= last_ms || times[i] > in->now_ms + COMPOSE_AHEAD_MS || announced)
			continue;
		last_ms = times[i];
		int err = compose_instant(w, times[i], history);
		if (err)
			return err;
	}
	if (history->n == 0) { /* the head brings the pool within the next two seconds */
		int err =
		        compose_instant(w, in->versions[in->n_versions - 1].effective_ms, history);
		if (err)
			return err;
	}
	trim_sets(&w->pools[in->n_versions - 1].pool, history, in->now_ms);
	return 0;
}

static const struct model_member *copy_members(const struct model_set *member_set,
                                               struct arena *arena)
{
	struct model_member *members =
	        ARENA_ARRAY(arena, struct model_member, member_set->n_members + 1);

	if (members && member_set->n_members)
		memcpy(members, member_set->members, member_set->n_members * sizeof(*members));
	return members;
}

/* Give @p pool copies of the sets and of their members. */
static int keep_sets(const struct member_sets *history, struct arena *arena,
                     struct model_pool *pool)
{
	struct model_set *kept = ARENA_ARRAY(arena, struct model_set, history->n + 1);

	for (size_t i = 0; kept && i < history->n; i++) {
		kept[i] = history->items[i];
		kept[i].members = copy_members(&history->items[i], arena);
		if (!kept[i].members)
			return -ENOMEM;
	}
	pool->member_sets = kept;
	pool->n_member_sets = history->n;
	return kept ? 0 : -ENOMEM;
}

/* Give @p pool the backends of the head that are not gone, with names that stay when a member goes. */
static int keep_backends(const struct member_pool *p, int64_t now_ms, struct arena *arena,
                         struct model_pool *pool)
{
	struct model_backend *kept =
	        ARENA_ARRAY(arena, struct model_backend, p->pool.n_backends + 1);
	size_t n = 0;

	for (size_t i = 0; kept && i < p->pool.n_backends; i++) {
		if (p->of[i] && now_ms >= member_gone_ms(p->of[i]))
			continue;
		kept[n] = p->pool.backends[i];
		kept[n].pool = pool;
		if (p->of[i])
			kept[n].name = arena_strdup(arena, kept[n].name);
		if (!kept[n++].name)
			return -ENOMEM;
	}
	pool->backends = kept;
	pool->n_backends = n;
	return kept ? 0 : -ENOMEM;
}

/* Compose the sets of @p pool; what does not stay of them is in an arena of its own. */
static int compose_kept(const struct compose_input *in, int64_t *times, struct arena *arena,
                        struct model_pool *pool)
{
	struct pool_work w = { .in = in, .name = pool->name, .arena = arena_new(SCRATCH_MAX) };
	struct member_sets history;
	int err = w.arena ? make_pools(&w) : -ENOMEM;

	if (!err)
		err = compose_pool(&w, times, &history);
	if (!err)
		err = keep_sets(&history, arena, pool);
	if (!err && w.pools[in->n_versions - 1].of)
		err = keep_backends(&w.pools[in->n_versions - 1], in->now_ms, arena, pool);
	arena_free(w.arena);
	return err;
}

/* --- who refers to pools --- */

static const struct model_pool *new_pool(const struct model *head, const struct model *out,
                                         const struct model_pool *pool)
{
	return pool ? &out->pools[pool - head->pools] : NULL;
}

/* Let services lead to the pools with their members, and names to these services. */
static int compose_services(const struct model *head, struct arena *arena, struct model *out)
{
	struct model_service *services =
	        ARENA_ARRAY(arena, struct model_service, head->n_services + 1);
	struct model_dns_name *names =
	        ARENA_ARRAY(arena, struct model_dns_name, head->n_dns_names + 1);

	if (!services || !names)
		return -ENOMEM;
	for (size_t i = 0; i < head->n_services; i++) {
		struct model_at *at =
		        ARENA_ARRAY(arena, struct model_at, head->services[i].n_at + 1);

		if (!at)
			return -ENOMEM;
		services[i] = head->services[i];
		for (size_t k = 0; k < services[i].n_at; k++) {
			at[k] = services[i].at[k];
			at[k].pool = new_pool(head, out, at[k].pool);
			at[k].backup = new_pool(head, out, at[k].backup);
		}
		services[i].at = at;
	}
	for (size_t i = 0; i < head->n_dns_names; i++) {
		names[i] = head->dns_names[i];
		names[i].service = &services[names[i].service - head->services];
	}
	out->services = services;
	out->dns_names = names;
	return 0;
}

static bool has_registered(const struct model *m)
{
	for (size_t i = 0; i < m->n_pools; i++)
		if (m->pools[i].n_prefixes)
			return true;
	return false;
}

static size_t count_members(const struct model_pool *pools, size_t n)
{
	size_t members = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < pools[i].n_member_sets; k++)
			members += pools[i].member_sets[k].n_members;
	return members;
}

/*
 * The pool with the oldest set of all that can go: of an agent's pool with more than EARLIER_MAX
 * sets up to the one in force, or of any pool with one before that.
 */
static struct model_pool *find_oldest_set(struct model_pool *pools, size_t n, bool of_agents,
                                          int64_t now_ms)
{
	size_t least = of_agents ? EARLIER_MAX : 1;
	struct model_pool *oldest = NULL;

	for (size_t i = 0; i < n; i++) {
		struct model_pool *p = &pools[i];

		if ((of_agents && !p->agent) || p->n_member_sets <= least ||
		    p->member_sets[least].from_ms > now_ms)
			continue;
		if (!oldest || p->member_sets[0].from_ms < oldest->member_sets[0].from_ms)
			oldest = p;
	}
	return oldest;
}

/* Drop the oldest sets, those of agents' pools first, until all members have room. */
static void drop_oldest_sets(struct model_pool *pools, size_t n, int64_t now_ms)
{
	size_t members = count_members(pools, n);

	while (members > MODEL_MEMBERS_MAX) {
		struct model_pool *p = find_oldest_set(pools, n, true, now_ms);

		if (!p)
			p = find_oldest_set(pools, n, false, now_ms);
		if (!p)
			return;
		members -= p->member_sets[0].n_members;
		p->member_sets++;
		p->n_member_sets--;
	}
}

/* The pools are copied, because the head's model is shared with readers and must not change. */
static int compose_pools(const struct compose_input *in, struct arena *arena, struct model *out)
{
	struct model_pool *pools = ARENA_ARRAY(arena, struct model_pool, out->n_pools + 1);
	int64_t *times = ARENA_ARRAY(arena, int64_t, instants_max(in));
	int err = pools && times ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < out->n_pools; i++) {
		pools[i] = out->pools[i];
		err = compose_kept(in, times, arena, &pools[i]);
	}
	if (err)
		return err;
	drop_oldest_sets(pools, out->n_pools, in->now_ms);
	out->pools = pools;
	return has_registered(out)
	               ? compose_services(in->versions[in->n_versions - 1].model, arena, out)
	               : 0;
}

static int compose_overrides(const struct compose_input *in, struct arena *arena, struct model *out)
{
	size_t n = in->overrides->n_items;
	struct model_override *list = ARENA_ARRAY(arena, struct model_override, n + 1);
	/* their texts, which the document borrows: the overrides in memory change while it is read */
	struct override *own = ARENA_ARRAY(arena, struct override, n + 1);

	if (!list || !own)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		own[i] = in->overrides->items[i];
		override_to_model(&own[i], &list[i]);
	}
	out->overrides = list;
	out->n_overrides = n;
	return 0;
}

/* The document outlives the versions that it was made from. */
static int compose_meta(const struct model_meta *meta, struct arena *arena, struct model_meta *out)
{
	const char *const from[] = { meta->digest, meta->hash_key, meta->back_digest,
		                     meta->back_hash_key };
	const char **to[] = { &out->digest, &out->hash_key, &out->back_digest,
		              &out->back_hash_key };

	*out = *meta;
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		*to[i] = arena_strdup(arena, from[i] ? from[i] : "");
		if (!*to[i])
			return -ENOMEM;
	}
	return 0;
}

int compose_document(const struct compose_input *in, struct arena *arena, struct model *out)
{
	struct model m = *in->versions[in->n_versions - 1].model;
	int err = compose_meta(&in->meta, arena, &m.meta);

	if (!err)
		err = compose_pools(in, arena, &m);
	if (!err)
		err = compose_overrides(in, arena, &m);
	if (err)
		return err;
	*out = m;
	return 0;
}

static void keep_sooner(int64_t *next_ms, int64_t at_ms, int64_t now_ms)
{
	if (at_ms > now_ms && at_ms < *next_ms)
		*next_ms = at_ms;
}

int64_t compose_next_ms(const struct compose_input *in)
{
	int64_t *times = malloc(instants_max(in) * sizeof(*times));
	int64_t next_ms = MODEL_TIME_NEVER;

	if (!times)
		return in->now_ms + 1000;
	size_t n = list_instants(in, NULL, times);
	for (size_t i = 0; i < n; i++) {
		keep_sooner(&next_ms, times[i] - COMPOSE_AHEAD_MS, in->now_ms);
		keep_sooner(&next_ms, times[i], in->now_ms);
	}
	free(times);
	return next_ms;
}
