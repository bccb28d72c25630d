/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status of pools and backends. There may be ten thousand backends: with a limit only those
 * that stand out are listed (an override, or not simply up and serving), and the others are
 * counted. A pool's rows are read from the tables once and found by binary search.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/api/status.h"

/* What is in force for a pool: its rows of the tables, read once. */
struct force {
	struct effect_backend *rows;
	int n_rows; /* -1: the pool is not in the tables */
	uint32_t n_slots;
	bool all_drained; /* by people: they serve all the same, with equal weights */
};

/* A pool's backends, counted. */
struct pool_counts {
	size_t up, down, unknown, serving, draining, overridden, odd;
};

static bool is_own_pool(const struct status *s, const struct model_pool *pool)
{
	const struct model_node *self = s->look.m->self;

	return self && pool->site == self->site;
}

/*
 * A pool of the own site that is missing from the tables is out; pools of other sites are
 * elsewhere.
 */
static const char *absent_state(const struct status *s, const struct model_pool *pool)
{
	return !is_own_pool(s, pool) ? "elsewhere" : s->look.pages.effect_fresh ? "out" : "unknown";
}

static json_t *absent_effect(const struct status *s, const struct model_pool *pool)
{
	json_t *effect = json_pack("{s:s}", "state", absent_state(s, pool));

	if (is_own_pool(s, pool) && s->look.pages.effect_fresh)
		json_object_set_new(effect, "why", json_string("not in the tables"));
	return effect;
}

static const char *force_state(const struct status *s, const struct model_pool *pool,
                               const struct effect_backend *e)
{
	if (!e)
		return absent_state(s, pool);
	return !s->look.pages.effect_fresh      ? "unknown"
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

static json_t *backend_effect(const struct status *s, const struct model_pool *pool,
                              const struct force *f, const struct effect_backend *e)
{
	if (!e)
		return absent_effect(s, pool);
	const char *state = force_state(s, pool, e);
	bool gets_new_flows = !strcmp(state, "serving") || !strcmp(state, "unknown");
	uint64_t share =
	        gets_new_flows && f->n_slots ? (uint64_t)e->slots * 1000000 / f->n_slots : 0;
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:i, s:i}", "state", state,
	                 "why", force_reason(f, e, state), "slots", (json_int_t)e->slots,
	                 "share_ppm", (json_int_t)share, "base_slots", (json_int_t)e->base_slots,
	                 "exceptions", (json_int_t)e->exceptions, "next_hop", e->next_hop,
	                 "packets", (json_int_t)e->packets, "bytes", (json_int_t)e->bytes,
	                 "inner_mtu", (int)e->inner_mtu, "path_mtu", (int)e->path_mtu);
}

static json_t *backend_status(const struct status *s, const struct model_pool *pool,
                              const struct force *f, const struct model_backend *b,
                              const struct effect_backend *e)
{
	char text[ADDR_TEXT_MAX], id[20];

	snprintf(id, sizeof(id), "%016" PRIx64, b->id);
	return json_pack("{s:s, s:s, s:i, s:s, s:o, s:o, s:o}", "name", b->name, "address",
	                 addr_text(&b->address, text), "port", b->port, "id", id, "intent",
	                 status_intent(s, MODEL_TARGET_BACKEND, pool->name, b->name, b->weight),
	                 "observation",
	                 look_observation(&s->look, health_target_backend(pool->name, b->id)),
	                 "effect", backend_effect(s, pool, f, e));
}

/*
 * Count a backend. @return whether it stands out: something is asked of it, or it is not simply up
 * and serving, over a way as configured; what a silent process does not say is said once, of the
 * process
 */
static bool count_backend(const struct status *s, const struct model_pool *pool,
                          const struct model_backend *b, const struct effect_backend *e,
                          struct pool_counts *t)
{
	const char *observed = look_state(&s->look, health_target_backend(pool->name, b->id)),
	           *force = force_state(s, pool, e);
	bool overridden = status_has_intent(s, MODEL_TARGET_BACKEND, pool->name, b->name);
	bool up = !strcmp(observed, "up"), serving = !strcmp(force, "serving");
	bool narrow = e && e->path_mtu;

	t->up += up;
	t->down += !strcmp(observed, "down");
	t->unknown += !up && strcmp(observed, "down");
	t->serving += serving;
	t->draining += !strcmp(force, "draining");
	t->overridden += overridden;
	bool odd = overridden ||
	           (is_own_pool(s, pool) && ((s->look.pages.effect_fresh && (!serving || narrow)) ||
	                                     (s->look.pages.health_fresh && !up && pool->check)));
	t->odd += odd;
	return odd;
}

static json_t *pool_effect(const struct status *s, const struct model_pool *pool,
                           const struct pool_counts *t, const struct effect_pool *p)
{
	if (!p)
		return absent_effect(s, pool);
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "state",
	                 s->look.pages.effect_fresh ? "in_force" : "unknown", "serving",
	                 (json_int_t)t->serving, "draining", (json_int_t)t->draining, "slots",
	                 (json_int_t)p->n_slots, "empty_slots", (json_int_t)p->empty, "unsettled",
	                 (json_int_t)p->unsettled, "exceptions", (json_int_t)p->exceptions,
	                 "held_backends", (json_int_t)p->held, "full_slots", (json_int_t)p->full);
}

/* The pool's backends: all, or with a limit that is too small for them those that stand out. */
static json_t *backends_status(struct status *s, const struct model_pool *pool,
                               const struct force *f, bool all, struct pool_counts *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct model_backend *b = &pool->backends[i];
		const struct effect_backend *e = gather_row(f->rows, f->n_rows, b->id);
		bool odd = count_backend(s, pool, b, e, t);

		s->n_odd += odd;
		if ((!all && !odd) || (s->filter.limit && s->n_shown >= s->filter.limit))
			continue;
		s->n_shown++;
		json_array_append_new(list, backend_status(s, pool, f, b, e));
	}
	return list;
}

/* Whether people have drained all of the pool's backends that they have not disabled. */
static bool all_drained(const struct status *s, const struct model_pool *pool)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n_backends && n == i; i++)
		for (size_t k = 0; k < s->look.overrides.n_items && n == i; k++) {
			const struct override *o = &s->look.overrides.items[k];

			n += o->target == MODEL_TARGET_BACKEND &&
			     (o->kind == MODEL_OVERRIDE_DRAIN ||
			      o->kind == MODEL_OVERRIDE_DISABLE) &&
			     o->from_ms <= s->look.now_ms && !strcmp(o->pool, pool->name) &&
			     !strcmp(o->name, pool->backends[i].name) &&
			     !override_is_done(o, s->look.now_ms);
		}
	return pool->n_backends && n == pool->n_backends;
}

/*
 * Backends are read and counted before the pool's own fields are made, since those carry the
 * counts.
 */
static json_t *pool_status(struct status *s, const struct model_pool *pool, bool all)
{
	const struct effect *effect = s->look.pages.effect;
	struct effect_pool p;
	struct pool_counts t = { 0 };
	struct force f = { .n_rows = gather_rows(effect, pool->name, &f.rows) };
	bool in_tables = f.n_rows >= 0 && !effect_pool(effect, pool->name, &p);

	f.n_slots = in_tables ? p.n_slots : 0;
	f.all_drained = all_drained(s, pool);
	json_t *backends = backends_status(s, pool, &f, all, &t);
	free(f.rows);
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:o}", "name", pool->name, "site",
	                 pool->site->name, "intent",
	                 json_pack("{s:I, s:I, s:I}", "backends", (json_int_t)pool->n_backends,
	                           "sets", (json_int_t)pool->n_member_sets, "overridden",
	                           (json_int_t)t.overridden),
	                 "observation",
	                 json_pack("{s:I, s:I, s:I}", "up", (json_int_t)t.up, "down",
	                           (json_int_t)t.down, "unknown", (json_int_t)t.unknown),
	                 "effect", pool_effect(s, pool, &t, in_tables ? &p : NULL), "standing_out",
	                 (json_int_t)t.odd, "backends", backends);
}

static bool passes_filter(const struct status *s, const struct model_pool *pool)
{
	return (!s->filter.pool || !strcmp(s->filter.pool, pool->name)) &&
	       status_at_site(s, pool->site);
}

json_t *status_pools(struct status *s)
{
	const struct model *m = s->look.m;
	json_t *pools = json_array();

	for (size_t i = 0; i < m->n_pools; i++)
		s->n_backends += passes_filter(s, &m->pools[i]) ? m->pools[i].n_backends : 0;
	bool all = !s->filter.limit || s->n_backends <= s->filter.limit;
	for (size_t i = 0; i < m->n_pools; i++)
		if (passes_filter(s, &m->pools[i]))
			json_array_append_new(pools, pool_status(s, &m->pools[i], all));
	return pools;
}
