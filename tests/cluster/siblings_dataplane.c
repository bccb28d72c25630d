/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dataplane: what its tables do, by the document and by what weir-health says. A backend that is down, disabled or without
 * weight has no slots; one that is drained has none of its own, and keeps flows. Where no own backend is left, or the site's drain
 * is complete and its late clients go to the backup, the backup's have the slots.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "dataplane/export/effect_internal.h"
#include "tests/cluster/siblings_internal.h"
#include "weir/json.h"

#define SLOTS     1024u
#define INNER_MTU 1468u
#define PACKET    500u /* bytes */

static bool is_asked(const struct siblings *s, const struct model_backend *b,
                     enum model_override_kind kind)
{
	for (size_t i = 0; i < s->m->n_overrides; i++) {
		const struct model_override *o = &s->m->overrides[i];

		if (o->kind == kind && o->target == MODEL_TARGET_BACKEND && !o->ended &&
		    !strcmp(o->pool, b->pool->name) && !strcmp(o->name, b->name) &&
		    o->from_ms <= clock_realtime_ms() && clock_realtime_ms() < o->until_ms)
			return true;
	}
	return false;
}

static enum effect_reason reason_of(const struct siblings *s, const struct model_backend *b)
{
	if (is_asked(s, b, MODEL_OVERRIDE_DISABLE))
		return EFFECT_REASON_DISABLED;
	if (is_asked(s, b, MODEL_OVERRIDE_FORCE_UP))
		return EFFECT_REASON_FORCED_UP;
	if (!b->pool->check || !s->clients)
		return EFFECT_REASON_UNCHECKED;
	return health_state(siblings_backend_word(s, b)) == HEALTH_DOWN ? EFFECT_REASON_DOWN
	                                                                : EFFECT_REASON_UP;
}

static struct effect_backend row_of(const struct siblings *s, const struct model_backend *b)
{
	enum effect_reason reason = reason_of(s, b);
	bool is_hopless = s->hopless && !strcmp(s->hopless, b->name);

	return (struct effect_backend){
		.id = b->id,
		.alive = reason != EFFECT_REASON_DOWN && reason != EFFECT_REASON_DISABLED,
		.next_hop = !is_hopless,
		.reason = (uint8_t)reason,
		.hop = is_hopless ? EFFECT_HOP_NO_ROUTE : EFFECT_HOP_KNOWN,
		.inner_mtu = s->clients ? INNER_MTU : 0,
	};
}

static bool takes_flows(const struct siblings *s, const struct model_backend *b,
                        const struct effect_backend *row)
{
	return row->alive && (!s->clients || (b->weight && !is_asked(s, b, MODEL_OVERRIDE_DRAIN)));
}

/* Where all are drained, those that live go on. */
static bool are_all_drained(const struct siblings *s, const struct model_pool *pool)
{
	for (size_t i = 0; i < pool->n_backends; i++)
		if (!is_asked(s, &pool->backends[i], MODEL_OVERRIDE_DRAIN))
			return false;
	return pool->n_backends > 0;
}

/* --- a table --- */

struct effect_table {
	const struct model_table *table;
	struct effect_pool *pool;
	struct effect_backend *rows;
	size_t n_rows, n_taking;
};

/* Add the rows of a pool; they have no slots yet. */
static void add_rows(const struct siblings *s, struct effect_table *t,
                     const struct model_pool *pool, bool is_backup)
{
	bool go_on = are_all_drained(s, pool);

	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct model_backend *b = &pool->backends[i];
		struct effect_backend *row = &t->rows[t->n_rows++];

		*row = row_of(s, b);
		row->pool = t->table->id;
		row->is_backup = is_backup;
		row->slots = takes_flows(s, b, row) || (go_on && row->alive);
		if (row->alive && !row->slots && !is_backup)
			row->exceptions = 7;
		t->n_taking += !is_backup && row->slots;
	}
}

static bool is_late(const struct siblings *s)
{
	for (size_t i = 0; i < s->m->n_overrides; i++) {
		const struct model_override *o = &s->m->overrides[i];

		if (o->kind == MODEL_OVERRIDE_DRAIN && o->target == MODEL_TARGET_SITE &&
		    !o->ended && !strcmp(o->name, s->m->self->site->name) && o->late_from_ms &&
		    o->late_from_ms <= clock_realtime_ms())
			return true;
	}
	return false;
}

static void share_slots(struct effect_table *t, bool is_backup)
{
	uint32_t n = 0, left = SLOTS;

	for (size_t i = 0; i < t->n_rows; i++)
		n += t->rows[i].is_backup == is_backup && t->rows[i].slots;
	t->pool->empty = n ? 0 : SLOTS;
	for (size_t i = 0; i < t->n_rows; i++) {
		struct effect_backend *row = &t->rows[i];

		if (row->is_backup != is_backup || !row->slots || !n) {
			row->slots = 0;
			continue;
		}
		row->slots = n == 1 ? left : SLOTS / n;
		left -= SLOTS / n;
	}
	t->pool->backup_slots = is_backup && n ? SLOTS : 0;
}

static enum effect_backup_unused obstacle_of(const struct siblings *s,
                                             const struct model_pool *backup)
{
	size_t n_up = 0;

	for (size_t i = 0; i < backup->n_backends; i++)
		n_up += health_state(siblings_backend_word(s, &backup->backends[i])) == HEALTH_UP;
	if (health_state(siblings_site_word(s, backup->site)) == HEALTH_DOWN)
		return EFFECT_BACKUP_SITE_DOWN;
	return n_up ? EFFECT_BACKUP_USABLE : EFFECT_BACKUP_POOL_DOWN;
}

static void write_table(struct siblings *s, struct effect_table *t)
{
	const struct model_pool *backup = s->clients ? t->table->backup : NULL;

	*t->pool = (struct effect_pool){ .pool = t->table->id, .n_slots = SLOTS };
	add_rows(s, t, t->table->pool, false);
	if (backup) {
		add_rows(s, t, backup, true);
		t->pool->has_backup = 1;
		t->pool->backup_obstacle = (uint8_t)obstacle_of(s, backup);
		if ((!t->n_taking || is_late(s)) &&
		    t->pool->backup_obstacle == EFFECT_BACKUP_USABLE)
			t->pool->class = EFFECT_CLASS_BACKUP;
	}
	share_slots(t, t->pool->class == EFFECT_CLASS_BACKUP);
	t->pool->n_backends = (uint32_t)t->n_rows;
}

static bool has_clients(const struct siblings *s, const struct model_table *table)
{
	const struct model_at *at = siblings_at(s);

	return s->clients && at && at->pool == table->pool;
}

/* What was given to each of those who have slots. */
static void count_packets(const struct siblings *s, struct effect_table *t)
{
	uint64_t packets = siblings_now(s)->packets / 1000000;

	for (size_t i = 0; i < t->n_rows; i++)
		if (t->rows[i].slots) {
			t->rows[i].packets = packets * t->rows[i].slots / SLOTS;
			t->rows[i].bytes = t->rows[i].packets * PACKET;
		}
}

static int by_pool_and_id(const void *a, const void *b)
{
	const struct effect_backend *x = a, *y = b;

	if (x->pool != y->pool)
		return x->pool < y->pool ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

static int by_table_id(const void *a, const void *b)
{
	const struct model_table *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* --- the page --- */

/* The tables of the own site, in the page's order. */
static void write_tables(struct siblings *s, struct effect_page *p)
{
	struct model_table tables[SIBLINGS_POOLS_MAX];
	size_t n = model_tables(s->m, s->m->self->site, tables);

	qsort(tables, n, sizeof(*tables), by_table_id);
	for (size_t i = 0; i < n; i++) {
		struct effect_table t = { .table = &tables[i],
			                  .pool = &effect_page_pools(p)[i],
			                  .rows = &effect_page_backends(p)[p->total.n_backends] };

		write_table(s, &t);
		if (has_clients(s, &tables[i])) {
			s->class = (enum effect_class)t.pool->class;
			count_packets(s, &t);
		}
		t.pool->first = p->total.n_backends;
		p->total.n_backends += (uint32_t)t.n_rows;
	}
	p->total.n_pools = (uint32_t)n;
}

void siblings_write_effect(struct siblings *s)
{
	struct effect_page *p = page_payload(s->effect);

	if (!siblings_goes_on(s, SIBLING_DATAPLANE) || !s->m->self)
		return;
	p->seq++;
	p->max_pools = SIBLINGS_POOLS_MAX;
	p->max_backends = SIBLINGS_BACKENDS_MAX;
	p->total = (struct effect_total){ .document = s->m->meta.document,
		                          .n_services = (uint32_t)s->m->n_services,
		                          .exceptions_max = s->clients ? 65536 : 0 };
	write_tables(s, p);
	qsort(effect_page_backends(p), p->total.n_backends, sizeof(struct effect_backend),
	      by_pool_and_id);
	p->seq++;
	page_publish(s->effect);
}

/* --- the control socket --- */

static json_t *status_json(const struct siblings *s)
{
	return json_pack("{s:b, s:s, s:s, s:I, s:b, s:b, s:b}", "ok", 1, "node", s->dirs.node,
	                 "driver", "xdp", "document", (json_int_t)s->document, "refused",
	                 *s->refused != '\0', "learning", s->wants_connections, "wants_connections",
	                 s->wants_connections);
}

static json_t *backends_json(const struct siblings *s, const char *pool)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->m->n_pools; i++)
		for (size_t k = 0;
		     siblings_is_own(s, s->m->pools[i].site) && k < s->m->pools[i].n_backends;
		     k++) {
			const struct model_backend *b = &s->m->pools[i].backends[k];
			struct effect_backend row = row_of(s, b);

			if (!pool || !strcmp(pool, b->pool->name))
				json_array_append_new(
				        list, json_pack("{s:s, s:s, s:i, s:s}", "pool",
				                        b->pool->name, "backend", b->name,
				                        "in_force", (int)row.alive, "why",
				                        effect_reason_text(
				                                (enum effect_reason)row.reason)));
		}
	return json_pack("{s:b, s:o}", "ok", 1, "backends", list);
}

char *siblings_dataplane_answer(void *siblings, const char *line, size_t length)
{
	const struct siblings *s = siblings;
	json_t *request = json_loadb(line, length, 0, NULL), *answer;

	if (!s->m)
		answer = json_refusal("there is no document yet");
	else if (json_has_text(request, "do", "status"))
		answer = status_json(s);
	else if (json_has_text(request, "do", "connections"))
		answer = json_pack("{s:b, s:b, s:s}", "ok", 1, "learning", s->wants_connections,
		                   "connections", s->wants_connections ? "" : "flows of the site");
	else if (json_has_text(request, "do", "backends"))
		answer = backends_json(s, json_get_text(request, "pool"));
	else if (json_has_text(request, "do", "trace"))
		answer = json_pack("{s:b, s:s, s:O}", "ok", 1, "verdict", "forwarded", "query",
		                   request);
	else
		answer = json_refusal("unknown request");
	json_decref(request);
	return siblings_answer(answer);
}
