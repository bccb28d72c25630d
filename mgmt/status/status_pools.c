/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status of pools and backends. There may be ten thousand backends: with a limit only those
 * that stand out are listed (an override, or not simply up and serving), and the others are
 * counted. So pools are gone through twice: first all of them, to count and rank them and their
 * backends, then those that are shown. A pool's rows are read from the tables in one go and found by
 * binary search.
 */
#include <stdlib.h>
#include <string.h>

#include "mgmt/status/status.h"
#include "mgmt/json/observed.h"
#include "mgmt/observe/too_big.h"

/* What is in force for a pool: its rows of the tables, read once. */
struct force {
	struct effect_backend *rows;
	int n_rows; /* -1: the pool is not in the tables */
	bool in_tables;
	struct effect_pool pool; /* if in_tables */
	bool all_drained;        /* by people: they serve all the same, with equal weights */
};

/* A pool's backends, counted. */
struct pool_counts {
	size_t up, down, unknown, serving, draining, overridden, odd;
};

/* A pool that the filter lets through. */
struct ranked_pool {
	const struct model_pool *pool;
	struct pool_counts counts;
	const uint8_t *ranks; /* of its backends */
};

/* Which backends are shown: all, or those that stand out, as far as there is room. */
struct backend_room {
	bool all;
	int rank;    /* backends of a higher rank are shown */
	size_t left; /* and so many of this one */
};

static bool is_own_pool(const struct look *l, const struct model_pool *pool)
{
	const struct model_node *self = l->m->self;

	return self && pool->site == self->site;
}

/*
 * A pool of the own site that is missing from the tables is out; pools of other sites are
 * elsewhere.
 */
static const char *absent_state(const struct look *l, const struct model_pool *pool)
{
	return !is_own_pool(l, pool) ? "elsewhere" : l->pages.effect_fresh ? "out" : "unknown";
}

/* Why that is so; NULL: it says that itself. */
static const char *absent_reason(const struct look *l, const struct model_pool *pool)
{
	return is_own_pool(l, pool) && l->pages.effect_fresh ? "not in the tables" : NULL;
}

const char *status_effect_state(const struct look *l, const struct model_pool *pool,
                                const struct effect_backend *e)
{
	if (!e)
		return absent_state(l, pool);
	return !l->pages.effect_fresh           ? "unknown"
	       : !e->alive || !e->next_hop      ? "out"
	       : e->slots                       ? "serving"
	       : e->base_slots || e->exceptions ? "draining"
	                                        : "out";
}

/*
 * The last step that decided: that there is no way to a backend comes after its check, and that
 * nobody else is left after a person's drain.
 */
static const char *force_reason(const struct force *f, const struct effect_backend *e,
                                const char *state)
{
	if (e->alive && !e->next_hop)
		return effect_backend_text(e);
	if (f->all_drained && !strcmp(state, "serving"))
		return "all backends of the pool are drained";
	return effect_reason_text((enum effect_reason)e->reason);
}

struct backend_effect {
	const char *state, *reason;
	bool in_tables, next_hop; /* the rest is known in the tables */
	uint64_t share_ppm;
	struct effect_backend row;
};

static const struct record_kind backend_effect_record = RECORD_OF(
        struct backend_effect, "effect", NULL, SHOW(struct backend_effect, state),
        SHOW_AS(struct backend_effect, "why", reason, .spare = true),
        SHOW_KNOWN(struct backend_effect, "slots", row.slots, in_tables, .spare = true),
        SHOW_KNOWN(struct backend_effect, "share_ppm", share_ppm, in_tables, .spare = true),
        SHOW_KNOWN(struct backend_effect, "base_slots", row.base_slots, in_tables, .spare = true),
        SHOW_KNOWN(struct backend_effect, "exceptions", row.exceptions, in_tables, .spare = true),
        SHOW_KNOWN(struct backend_effect, "next_hop", next_hop, in_tables, .spare = true),
        SHOW_KNOWN(struct backend_effect, "packets", row.packets, in_tables, .spare = true),
        SHOW_KNOWN(struct backend_effect, "bytes", row.bytes, in_tables, .spare = true),
        SHOW_KNOWN(struct backend_effect, "inner_mtu", row.inner_mtu, in_tables, .spare = true),
        SHOW_KNOWN(struct backend_effect, "path_mtu", row.path_mtu, in_tables, .spare = true));

static struct backend_effect backend_effect(const struct status *s, const struct model_pool *pool,
                                            const struct force *f, const struct effect_backend *e)
{
	const char *state = status_effect_state(&s->look, pool, e);

	if (!e)
		return (struct backend_effect){ .state = state,
			                        .reason = absent_reason(&s->look, pool) };
	bool gets_new_flows = !strcmp(state, "serving") || !strcmp(state, "unknown");
	return (struct backend_effect){
		.state = state,
		.reason = force_reason(f, e, state),
		.in_tables = true,
		.next_hop = e->next_hop,
		.share_ppm = gets_new_flows && f->pool.n_slots
		                     ? (uint64_t)e->slots * MODEL_PPM_ALL / f->pool.n_slots
		                     : 0,
		.row = *e,
	};
}

#define SHOWN_BACKEND_ROWS(X, t)                                                                   \
	X(t, const char *, name)                                                                   \
	X(t, const char *, address)                                                                \
	X(t, uint16_t, port)                                                                       \
	X(t, uint64_t, id, .kind = FIELD_HEX)                                                      \
	X(t, const char *, member, .spare = true, .one_of = "registered|leaving|expired")          \
	X(t, json_t *, intent, .of = &shown_intent_kind)                                           \
	X(t, json_t *, observation)                                                                \
	X(t, struct backend_effect, effect, .of = &backend_effect_record)
RECORD_SHOWN(shown_backend, "backend", SHOWN_BACKEND_ROWS);

static json_t *backend_status(const struct status *s, const struct model_pool *pool,
                              const struct force *f, const struct model_backend *b,
                              const struct effect_backend *e)
{
	uint64_t target = health_target_backend(pool->name, b->id);
	char text[ADDR_TEXT_MAX];

	return SHOWN(shown_backend, .name = b->name, .address = addr_text(&b->address, text),
	             .port = b->port, .id = b->id, .member = look_member_state(&s->look, pool, b),
	             .intent = status_intent(s, MODEL_TARGET_BACKEND, pool->name, b->name, "",
	                                     b->weight),
	             .observation = observed_target_json(&s->look.pages, target, true),
	             .effect = backend_effect(s, pool, f, e));
}

/*
 * Count a backend. It stands out if something is asked of it, or it is not simply up and serving, over
 * a way as configured; what a silent process does not say is said once, of the process. @return its rank
 */
static enum status_rank rank_backend(const struct status *s, const struct model_pool *pool,
                                     const struct model_backend *b, const struct effect_backend *e,
                                     struct pool_counts *t)
{
	uint64_t target = health_target_backend(pool->name, b->id);
	const char *observed = observed_state(&s->look.pages, target),
	           *force = status_effect_state(&s->look, pool, e);
	bool overridden = status_has_intent(s, MODEL_TARGET_BACKEND, pool->name, b->name);
	bool up = !strcmp(observed, "up"), serving = !strcmp(force, "serving");
	bool down = !strcmp(observed, "down"), narrow = e && e->path_mtu;

	t->up += up;
	t->down += down;
	t->unknown += !up && !down;
	t->serving += serving;
	t->draining += !strcmp(force, "draining");
	t->overridden += overridden;
	bool odd_effect =
	        is_own_pool(&s->look, pool) && s->look.pages.effect_fresh && (!serving || narrow);
	bool odd_check = is_own_pool(&s->look, pool) && s->look.pages.health_fresh && pool->check &&
	                 (!up || observed_is_inconclusive(&s->look.pages, target));
	bool out = odd_effect && !strcmp(force, "out");
	t->odd += overridden || odd_effect || odd_check;
	return (odd_check && down) || (out && !overridden) ? STATUS_WRONG
	       : overridden                                ? STATUS_REQUESTED
	       : odd_effect || odd_check                   ? STATUS_ODD
	                                                   : STATUS_NORMAL;
}

struct pool_effect {
	const char *state, *reason;
	bool in_tables; /* the rest is known */
	size_t serving, draining;
	struct effect_pool row;
};

static const struct record_kind pool_effect_record = RECORD_OF(
        struct pool_effect, "effect", NULL, SHOW(struct pool_effect, state),
        SHOW_AS(struct pool_effect, "why", reason, .spare = true),
        SHOW_KNOWN(struct pool_effect, "serving", serving, in_tables, .spare = true),
        SHOW_KNOWN(struct pool_effect, "draining", draining, in_tables, .spare = true),
        SHOW_KNOWN(struct pool_effect, "slots", row.n_slots, in_tables, .spare = true),
        SHOW_KNOWN(struct pool_effect, "empty_slots", row.empty, in_tables, .spare = true),
        SHOW_KNOWN(struct pool_effect, "unsettled", row.unsettled, in_tables, .spare = true),
        SHOW_KNOWN(struct pool_effect, "exceptions", row.exceptions, in_tables, .spare = true),
        SHOW_KNOWN(struct pool_effect, "held_backends", row.held, in_tables, .spare = true),
        SHOW_KNOWN(struct pool_effect, "full_slots", row.full, in_tables, .spare = true));

static struct pool_effect pool_effect(const struct status *s, const struct model_pool *pool,
                                      const struct pool_counts *t, const struct force *f)
{
	if (!f->in_tables)
		return (struct pool_effect){ .state = absent_state(&s->look, pool),
			                     .reason = absent_reason(&s->look, pool) };
	return (struct pool_effect){
		.state = s->look.pages.effect_fresh ? "in_force" : "unknown",
		.in_tables = true,
		.serving = t->serving,
		.draining = t->draining,
		.row = f->pool,
	};
}

/* The MSS that fits in the pool's tunnels; NULL: its packets take no tunnel from here. */
static json_t *pool_mss(const struct status *s, const struct model_pool *pool,
                        const struct force *f)
{
	if (!is_own_pool(&s->look, pool) || pool->mode == MODEL_MODE_L2)
		return NULL;
	return too_big_mss(s->has_too_big ? &s->too_big : NULL, f->rows, f->n_rows);
}

static struct force read_force(const struct status *s, const struct model_pool *pool)
{
	const struct effect *effect = s->look.pages.effect;
	struct force f = { .n_rows = 0 };

	f.n_rows = gather_rows(effect, pool->name, &f.rows);
	f.in_tables = f.n_rows >= 0 && !effect_pool(effect, pool->name, &f.pool);
	return f;
}

/* Count and rank a pool and its backends; @p ranks is filled. @return the pool's rank */
static enum status_rank rank_pool(const struct status *s, const struct model_pool *pool,
                                  uint8_t *ranks, struct ranked_pool *out)
{
	struct force f = read_force(s, pool);
	enum status_rank worst = STATUS_NORMAL;

	*out = (struct ranked_pool){ .pool = pool, .ranks = ranks };
	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct model_backend *b = &pool->backends[i];
		enum status_rank rank =
		        rank_backend(s, pool, b, gather_row(f.rows, f.n_rows, b->id), &out->counts);

		ranks[i] = (uint8_t)rank;
		worst = rank > worst ? rank : worst;
	}
	free(f.rows);
	bool serves = !s->look.pages.effect_fresh || out->counts.serving;
	if (!is_own_pool(&s->look, pool) || !pool->n_backends)
		return worst;
	return serves && out->counts.down < pool->n_backends ? worst : STATUS_DEAD;
}

/* --- those that are shown --- */

/* The room that the limit leaves to the backends of the pools that are shown. */
static struct backend_room measure_room(const struct status *s, const struct ranked_pool *pools,
                                        const size_t *order, size_t n)
{
	struct backend_room room = { .all = !s->filter.limit || s->n_backends <= s->filter.limit,
		                     .rank = STATUS_RANKS - 1,
		                     .left = s->filter.limit };
	size_t n_of[STATUS_RANKS] = { 0 };

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < pools[order[i]].pool->n_backends; k++)
			n_of[pools[order[i]].ranks[k]]++;
	for (; room.rank > STATUS_NORMAL && n_of[room.rank] <= room.left; room.rank--)
		room.left -= n_of[room.rank];
	if (room.rank == STATUS_NORMAL)
		room.left = 0;
	return room;
}

static bool use_room(struct backend_room *room, int rank)
{
	if (room->all || rank > room->rank)
		return true;
	if (rank < room->rank || !room->left)
		return false;
	room->left--;
	return true;
}

static json_t *backends_status(struct status *s, const struct ranked_pool *p, const struct force *f,
                               struct backend_room *room)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->pool->n_backends; i++) {
		const struct model_backend *b = &p->pool->backends[i];

		if (!use_room(room, p->ranks[i]))
			continue;
		s->n_shown++;
		json_array_append_new(list, backend_status(s, p->pool, f, b,
		                                           gather_row(f->rows, f->n_rows, b->id)));
	}
	return list;
}

struct shown_pool {
	const char *name, *site;
	size_t n_backends, n_sets;
	struct pool_counts counts;
	struct pool_effect effect;
	json_t *mss, *backends;
};

static const struct record_kind pool_intent_record = RECORD_OF(
        struct shown_pool, "intent", NULL, SHOW_AS(struct shown_pool, "backends", n_backends),
        SHOW_AS(struct shown_pool, "sets", n_sets),
        SHOW_AS(struct shown_pool, "overridden", counts.overridden));
static const struct record_kind pool_observation_record = RECORD_OF(
        struct shown_pool, "observation", NULL, SHOW_AS(struct shown_pool, "up", counts.up),
        SHOW_AS(struct shown_pool, "down", counts.down),
        SHOW_AS(struct shown_pool, "unknown", counts.unknown));
const struct record_kind status_pool_record =
        RECORD_OF(struct shown_pool, "pool", NULL, SHOW(struct shown_pool, name),
                  SHOW(struct shown_pool, site), SHOW_GROUP("intent", &pool_intent_record),
                  SHOW_GROUP("observation", &pool_observation_record),
                  SHOW(struct shown_pool, effect, .of = &pool_effect_record),
                  SHOW(struct shown_pool, mss, .spare = true, .of = &fitting_mss_kind),
                  SHOW_AS(struct shown_pool, "standing_out", counts.odd),
                  SHOW(struct shown_pool, backends, .each = &shown_backend_kind));

static json_t *pool_status(struct status *s, const struct ranked_pool *p, struct backend_room *room)
{
	const struct model_pool *pool = p->pool;
	struct force f = read_force(s, pool);

	f.all_drained = status_all_drained(s, pool);
	const struct shown_pool shown = {
		.name = pool->name,
		.site = pool->site->name,
		.n_backends = pool->n_backends,
		.n_sets = pool->n_member_sets,
		.counts = p->counts,
		.effect = pool_effect(s, pool, &p->counts, &f),
		.mss = pool_mss(s, pool, &f),
		.backends = backends_status(s, p, &f, room),
	};
	free(f.rows);
	return record_shown(&status_pool_record, &shown);
}

static bool passes_filter(const struct status *s, const struct model_pool *pool)
{
	return (!s->filter.pool || !strcmp(s->filter.pool, pool->name)) &&
	       status_at_site(s, pool->site);
}

static json_t *ranked_to_json(struct status *s, const struct ranked_pool *pools,
                              const size_t *order, size_t n)
{
	struct backend_room room = measure_room(s, pools, order, n);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, pool_status(s, &pools[order[i]], &room));
	return list;
}

/* Rank the pools that the filter lets through. @p ranks  of pools, and from the model's number of pools on of backends */
static size_t rank_pools(struct status *s, struct ranked_pool *pools, uint8_t *ranks)
{
	const struct model *m = s->look.m;
	uint8_t *of_backends = ranks + m->n_pools;
	size_t n = 0;

	for (size_t i = 0; i < m->n_pools; i++) {
		if (!passes_filter(s, &m->pools[i]))
			continue;
		ranks[n] = (uint8_t)rank_pool(s, &m->pools[i], of_backends, &pools[n]);
		of_backends += m->pools[i].n_backends;
		s->n_odd += pools[n++].counts.odd;
	}
	return n;
}

static json_t *list_pools(struct status *s, struct ranked_pool *pools, uint8_t *ranks,
                          size_t *order)
{
	size_t n = rank_pools(s, pools, ranks);
	size_t n_shown = status_order(ranks, n, status_limit(s, n), order);
	json_t *list = ranked_to_json(s, pools, order, n_shown);

	status_note_cut(s, "pools", ranks, n, n_shown);
	return list;
}

json_t *status_pools(struct status *s)
{
	const struct model *m = s->look.m;

	for (size_t i = 0; i < m->n_pools; i++)
		s->n_backends += passes_filter(s, &m->pools[i]) ? m->pools[i].n_backends : 0;
	struct ranked_pool *pools = calloc(m->n_pools + 1, sizeof(*pools));
	size_t *order = calloc(m->n_pools + 1, sizeof(*order));
	uint8_t *ranks = calloc(m->n_pools + s->n_backends + 1, sizeof(*ranks));
	json_t *list = NULL;

	if (pools && order && ranks)
		list = list_pools(s, pools, ranks, order);
	free(pools);
	free(order);
	free(ranks);
	return list;
}
