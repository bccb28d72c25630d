/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Facts about pools: for each backend its intent from the overrides, its observation from the
 * health page and its effect from the dataplane's page, counted.
 * A backend's verdict is found by hash, its row and its overrides by binary search: the work stays
 * near linear with ten thousand backends.
 */
#include "mgmt/judge/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/overrides/override_index.h"

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = ((const struct effect_backend *)a)->id;
	uint64_t y = ((const struct effect_backend *)b)->id;

	return (x > y) - (x < y);
}

int gather_rows(const struct effect *e, const char *pool, struct effect_backend **rows)
{
	struct effect_pool p;
	int n = -1;

	*rows = NULL;
	if (!e || effect_pool(e, pool, &p))
		return -1;
	struct effect_backend *list = calloc(p.n_backends + 1, sizeof(*list));
	if (list)
		n = effect_backends(e, pool, list, p.n_backends);
	if (n < 0) {
		free(list);
		return -1;
	}
	n = n < (int)p.n_backends ? n : (int)p.n_backends; /* it may have grown meanwhile */
	qsort(list, (size_t)n, sizeof(*list), compare_ids);
	*rows = list;
	return n;
}

const struct effect_backend *gather_row(const struct effect_backend *rows, int n, uint64_t id)
{
	const struct effect_backend key = { .id = id };

	return n > 0 ? bsearch(&key, rows, (size_t)n, sizeof(key), compare_ids) : NULL;
}

static void add_judge_name(struct judge_names *names, const char *name)
{
	if (names->n < JUDGE_NAMED_MAX)
		names->first[names->n] = name;
	names->n++;
}

/* What people want of a backend: the strongest of its overrides that are in force. */
struct backend_intent {
	bool drained, disabled;
};

static struct backend_intent read_backend_intent(const struct gather_from *from,
                                                 const struct override_index *overrides,
                                                 const struct model_pool *pool,
                                                 const struct model_backend *b)
{
	struct backend_intent intent = { false, false };
	const struct override *const *list;
	size_t n = override_index_find(overrides, MODEL_TARGET_BACKEND, pool->name, b->name, &list);

	for (size_t i = 0; i < n; i++) {
		if (list[i]->from_ms > from->wall_clock_ms ||
		    override_is_done(list[i], from->wall_clock_ms))
			continue;
		intent.drained |= list[i]->kind == MODEL_OVERRIDE_DRAIN;
		intent.disabled |= list[i]->kind == MODEL_OVERRIDE_DISABLE;
	}
	return intent;
}

/* Count the verdict of a backend. @return whether its check allows sending to it */
static bool count_observed(const struct gather_from *from, const struct model_backend *b,
                           struct judge_pool *p)
{
	int at = health_find_index(from->health, health_target_backend(p->name, b->id));
	health_word word = at >= 0 ? health_read(from->health, at) : 0;

	p->n_up += health_state(word) == HEALTH_UP;
	if (health_state(word) == HEALTH_DOWN)
		add_judge_name(&p->down, b->name);
	else if (health_state(word) != HEALTH_UP)
		add_judge_name(&p->silent, b->name);
	if (health_inconclusive(word))
		add_judge_name(&p->inconclusive, b->name);
	return health_state(word) == HEALTH_UP;
}

static void count_effect(const struct model_backend *b, const struct effect_backend *e,
                         struct judge_pool *p)
{
	if (!e || !e->alive || !e->slots)
		return;
	if (e->next_hop)
		p->n_serving++;
	else
		add_judge_name(&p->no_next_hop, b->name);
}

/* Backends of another site that take this pool's packets: its backup's. */
static size_t count_backup(const struct effect_backend *rows, int n)
{
	size_t serving = 0;

	for (int i = 0; i < n; i++)
		serving += rows[i].is_backup && rows[i].alive && rows[i].slots && rows[i].next_hop;
	return serving;
}

/* One pass over the backends counts everything: there may be ten thousand of them. */
static void gather_pool(const struct gather_from *from, const struct model_pool *pool,
                        const struct override_index *overrides, struct judge_pool *p)
{
	struct effect_backend *rows;
	struct effect_pool total;
	int n_rows = gather_rows(from->effect, pool->name, &rows);

	*p = (struct judge_pool){ .name = pool->name,
		                  .n_backends = pool->n_backends,
		                  .checked = pool->check != NULL,
		                  .health_fresh = from->health && pool->check };
	p->in_force = n_rows >= 0 && !effect_pool(from->effect, pool->name, &total);
	if (p->in_force) {
		p->n_slots = total.n_slots;
		p->n_empty = total.empty;
		p->n_backup_serving = count_backup(rows, n_rows);
	}
	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct model_backend *b = &pool->backends[i];
		struct backend_intent intent = read_backend_intent(from, overrides, pool, b);
		const struct effect_backend *e = gather_row(rows, n_rows, b->id);
		bool meant = b->weight && !intent.drained && !intent.disabled;
		bool good = !p->checked;

		p->n_meant += meant;
		p->n_drained += intent.drained && !intent.disabled;
		if (p->health_fresh)
			good = count_observed(from, b, p);
		if (p->in_force)
			count_effect(b, e, p);
		if (p->in_force && meant && good && e && !e->alive)
			add_judge_name(&p->out, b->name);
	}
	free(rows);
}

int gather_pools(const struct gather_from *from, struct judge_pool **pools, size_t *n)
{
	const struct model *m = from->m;
	struct override_index overrides;
	struct judge_pool *list = calloc(m->n_pools + 1, sizeof(*list));

	if (!list || override_index_init(&overrides, from->overrides)) {
		free(list);
		return -ENOMEM;
	}
	*n = 0;
	for (size_t i = 0; i < m->n_pools; i++)
		if (m->self && m->pools[i].site == m->self->site)
			gather_pool(from, &m->pools[i], &overrides, &list[(*n)++]);
	override_index_fini(&overrides);
	*pools = list;
	return 0;
}

/* One target of a service at a site. */
static void count_target(const struct health_page *health, uint64_t target, struct gather_site *out)
{
	int at = health_find_index(health, target);

	if (at < 0)
		return;
	health_word word = health_read(health, at);

	out->n++;
	out->up += health_state(word) == HEALTH_UP && !health_inconclusive(word);
	out->down += health_state(word) == HEALTH_DOWN;
}

void gather_site(const struct model *m, const struct health_page *health,
                 const struct model_site *site, struct gather_site *out)
{
	*out = (struct gather_site){ 0 };
	for (size_t i = 0; health && i < m->n_services; i++)
		for (size_t k = 0; k < 2 * m->services[i].n_at; k++)
			if (m->services[i].at[k / 2].site == site)
				count_target(health,
				             health_target_service(m->services[i].name, site->name,
				                                   k % 2),
				             out);
}
