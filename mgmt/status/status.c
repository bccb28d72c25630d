/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all lists of a status have in common: the indexes in which rows find what belongs to them, and
 * the order in which a limit lets rows through.
 */
#include "mgmt/status/status.h"

#include <stdlib.h>
#include <string.h>

#include "mgmt/core/to_json.h"

int status_index(struct status *s)
{
	const struct look *l = &s->look;
	int err = override_index_init(&s->requested, &l->overrides);

	if (!err && l->m)
		err = status_dns_init(&s->dns, l->dns);
	if (!err && l->m)
		err = backup_tables_init(&s->tables, l->m);
	return err;
}

void status_fini(struct status *s)
{
	override_index_fini(&s->requested);
	status_dns_fini(&s->dns);
	backup_tables_fini(&s->tables);
	json_decref(s->lists);
	s->lists = NULL;
}

uint64_t status_limit(const struct status *s, size_t n)
{
	return n > s->filter.limit ? s->filter.limit : 0;
}

size_t status_order(const uint8_t *ranks, size_t n, uint64_t limit, size_t *order)
{
	size_t n_order = 0;

	if (!limit) {
		for (size_t i = 0; i < n; i++)
			order[i] = i;
		return n;
	}
	for (int rank = STATUS_RANKS - 1; rank >= 0; rank--)
		for (size_t i = 0; i < n && n_order < limit; i++)
			if (ranks[i] == rank)
				order[n_order++] = i;
	return n_order;
}

#define CUT_LIST_ROWS(X, t)                                                                        \
	X(t, size_t, all)                                                                          \
	X(t, size_t, standing_out)                                                                 \
	X(t, size_t, shown)
RECORD_SHOWN(cut_list, "list", CUT_LIST_ROWS);
#define CUT_LISTS_ROWS(X, t)                                                                       \
	X(t, json_t *, overrides, .of = &cut_list_kind, .spare = true)                             \
	X(t, json_t *, pools, .of = &cut_list_kind, .spare = true)                                 \
	X(t, json_t *, services, .of = &cut_list_kind, .spare = true)
RECORD_ANSWER(cut_lists, "lists", CUT_LISTS_ROWS);

void status_note_cut(struct status *s, const char *name, const uint8_t *ranks, size_t n,
                     size_t shown)
{
	size_t n_odd = 0;

	if (shown >= n)
		return;
	for (size_t i = 0; i < n; i++)
		n_odd += ranks[i] != STATUS_NORMAL;
	if (!s->lists)
		s->lists = json_object();
	const struct cut_list list = { .all = n, .standing_out = n_odd, .shown = shown };
	json_object_set_new(s->lists, name, record_shown(&cut_list_kind, &list));
}

/* --- intent --- */

/*
 * What people requested of a target, and which targets the filter lets through. Several overrides
 * of one target are shown as one intent: the strongest kind, and the highest level of those that
 * lower it.
 */

static bool is_live(const struct look *l, const struct override *o)
{
	return strcmp(overrides_state(&l->overrides, o, l->now_ms), "done") != 0;
}

bool status_has_intent(const struct status *s, enum model_target_kind kind, const char *pool,
                       const char *name)
{
	const struct override *const *list;
	size_t n = override_index_find(&s->requested, kind, pool, name, &list);

	for (size_t i = 0; i < n; i++)
		if (is_live(&s->look, list[i]))
			return true;
	return false;
}

#define SHOWN_INTENT_ROWS(X, t)                                                                    \
	X(t, const char *, state) /* "disable" weighs most */                                      \
	X(t, uint32_t, level_ppm)                                                                  \
	X(t, uint32_t, weight)                                                                     \
	X(t, json_t *, overrides)
RECORD_ANSWER(shown_intent, "intent", SHOWN_INTENT_ROWS);

json_t *status_intent(const struct status *s, enum model_target_kind kind, const char *pool,
                      const char *name, const char *service, uint32_t weight)
{
	const struct look *l = &s->look;
	const struct override *const *list;
	size_t n = override_index_find(&s->requested, kind, pool, name, &list);
	struct shown_intent to = { .state = "serve", .weight = weight, .overrides = json_array() };

	for (size_t i = 0; i < n; i++) {
		const struct override *o = list[i];
		bool is_other = *o->service && strcmp(o->service, service) != 0;

		if (!is_live(l, o) || (is_other && *service))
			continue;
		json_array_append_new(to.overrides, json_string(o->id));
		if (o->from_ms > l->now_ms || is_other || o->kind == MODEL_OVERRIDE_DRILL)
			continue; /* scheduled, or of one service or some clients alone */
		if (strcmp(to.state, "disable") &&
		    (o->kind != MODEL_OVERRIDE_FORCE_UP || !strcmp(to.state, "serve")))
			to.state = override_kind_text(o->kind);
		uint32_t own = overrides_level_shown(&l->overrides, o, l->now_ms);
		if (o->kind != MODEL_OVERRIDE_FORCE_UP && own > to.level_ppm)
			to.level_ppm = own;
	}
	return record_shown(&shown_intent_kind, &to);
}

/* Whether a drain or a disabling of the backend is in force. */
static bool is_drained(const struct status *s, const char *pool, const char *backend)
{
	const struct override *const *list;
	size_t n = override_index_find(&s->requested, MODEL_TARGET_BACKEND, pool, backend, &list);

	for (size_t i = 0; i < n; i++)
		if ((list[i]->kind == MODEL_OVERRIDE_DRAIN ||
		     list[i]->kind == MODEL_OVERRIDE_DISABLE) &&
		    list[i]->from_ms <= s->look.now_ms &&
		    !override_is_done(list[i], s->look.now_ms))
			return true;
	return false;
}

bool status_all_drained(const struct status *s, const struct model_pool *pool)
{
	size_t n = 0;

	while (n < pool->n_backends && is_drained(s, pool->name, pool->backends[n].name))
		n++;
	return pool->n_backends && n == pool->n_backends;
}

/* One that is over but held needs a person. */
static enum status_rank rank_override(const struct look *l, const struct override *o)
{
	const char *state = overrides_state(&l->overrides, o, l->now_ms);

	return strcmp(state, "expired_held") ? STATUS_NORMAL : STATUS_ODD;
}

json_t *status_overrides(struct status *s)
{
	const struct look *l = &s->look;
	size_t all = l->overrides.n_items, n = 0;
	const struct override **live = calloc(all + 1, sizeof(*live));
	size_t *order = calloc(all + 1, sizeof(*order));
	uint8_t *ranks = calloc(all + 1, sizeof(*ranks));
	json_t *list = live && order && ranks ? json_array() : NULL;

	for (size_t i = 0; list && i < all; i++) {
		if (!is_live(l, &l->overrides.items[i]))
			continue;
		live[n] = &l->overrides.items[i];
		ranks[n++] = (uint8_t)rank_override(l, &l->overrides.items[i]);
	}
	size_t n_shown = list ? status_order(ranks, n, status_limit(s, n), order) : 0;
	for (size_t i = 0; i < n_shown; i++)
		json_array_append_new(list,
		                      override_to_json(&l->overrides, live[order[i]], l->now_ms));
	if (list)
		status_note_cut(s, "overrides", ranks, n, n_shown);
	free(live);
	free(order);
	free(ranks);
	return list;
}

bool status_at_site(const struct status *s, const struct model_site *site)
{
	return !s->filter.site || !strcmp(s->filter.site, site->name);
}
