/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node on a driver whose tables are ordinary memory, with a document of world.h and a health
 * page. For tests that need tables as the process makes them.
 */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_STAGE_H
#define WEIR_TESTS_UNIT_DATAPLANE_STAGE_H

#include <stdlib.h>

#include "dataplane/tables/compiler.h"
#include "weir/health.h"
#include "weir/layout.h"

#include "tests/fwd/memory.h"
#include "tests/unit/dataplane/world.h"

#define CPUS 2u

/* --- a driver in memory --- */

struct memory_driver {
	struct driver_sizes sizes, next_sizes;
	struct fwd_tables now, next;
	unsigned graces;
};

static inline void make_tables(struct fwd_tables *t, const struct driver_sizes *z)
{
	memory_new(t, z, CPUS);
	layout_root(t, z);
}

static inline void memory_tables(const struct driver *driver, struct fwd_tables *out)
{
	const struct memory_driver *d = (const struct memory_driver *)driver;

	*out = d->now;
}

static inline void memory_sizes(const struct driver *driver, struct driver_sizes *out)
{
	const struct memory_driver *d = (const struct memory_driver *)driver;

	*out = d->sizes;
}

static inline int memory_begin(struct driver *driver, const struct driver_sizes *sizes,
                               struct fwd_tables *next, struct driver_reason *why)
{
	struct memory_driver *d = (struct memory_driver *)driver;

	(void)why;
	d->next_sizes = *sizes;
	make_tables(&d->next, sizes);
	memcpy(d->next.pools, d->now.pools, d->now.n_pools * sizeof(*d->now.pools));
	memcpy(d->next.slots, d->now.slots, d->now.n_slots * sizeof(*d->now.slots));
	memcpy(d->next.colds, d->now.colds, d->now.n_colds * sizeof(*d->now.colds));
	memcpy(d->next.backends, d->now.backends, d->now.n_backends * sizeof(*d->now.backends));
	*next = d->next;
	return 0;
}

static inline int memory_commit(struct driver *driver, struct driver_reason *why)
{
	struct memory_driver *d = (struct memory_driver *)driver;

	(void)why;
	memory_free(&d->now);
	d->now = d->next;
	d->sizes = d->next_sizes;
	return 0;
}

static inline void memory_grace(struct driver *driver)
{
	struct memory_driver *d = (struct memory_driver *)driver;

	d->graces++;
}

static const struct driver_ops memory = { .name = "memory",
	                                  .tables = memory_tables,
	                                  .sizes = memory_sizes,
	                                  .resize_begin = memory_begin,
	                                  .resize_commit = memory_commit,
	                                  .grace = memory_grace };

/* --- a node with a document and a health page --- */

struct stage {
	struct memory_driver driver;
	struct compiler node;
	struct world first, second;
	struct health_page *health;
	struct compiler_time time;
};

static inline void start_node(struct stage *s, bool kept)
{
	assert_int_equal(compiler_init(&s->node, &memory, (struct driver *)&s->driver, kept), 0);
	compiler_set_health(&s->node, s->health);
}

/* As compiler_apply_plan(), with the plan of @p w made here. */
static inline int plan_and_apply(struct stage *s, struct world *w, char why[PLAN_REASON_MAX])
{
	struct plan *plan;
	int err = plan_make(&w->model, s->time.wall_clock_ms, &plan, why);

	if (err)
		return err;
	err = compiler_apply_plan(&s->node, &w->model, plan, &s->time, why);
	if (err)
		plan_free(plan);
	return err;
}

static inline void apply_world(struct stage *s, struct world *w)
{
	char why[PLAN_REASON_MAX] = "";

	assert_int_equal(plan_and_apply(s, w, why), 0);
}

static inline void stage_init(struct stage *s)
{
	uint64_t targets[3];

	memset(s, 0, sizeof(*s));
	s->time = (struct compiler_time){ 100000, 50000000, NOW };
	s->driver.sizes = (struct driver_sizes){ 64, 16, 80, 82, 8192, 128 };
	make_tables(&s->driver.now, &s->driver.sizes);
	s->health = memory_zeros(1, sizeof(*s->health));
	make_world(&s->first);
	make_world(&s->second);
	for (uint64_t i = 0; i < 3; i++)
		targets[i] = health_target_backend("web-ams", 5 + 2 * i);
	assert_int_equal(health_set_targets(s->health, targets, 3, 1), 0);
	start_node(s, false);
}

/* Have both pools at our site: "dns" is served by the second. Before apply_world(). */
static inline void use_both_pools(struct world *w)
{
	w->pools[1].site = &w->sites[0];
	w->at[0].pool = &w->pools[1];
	w->services[1].n_at = 1;
	w->services[1].at = w->web_at;
	w->web_at[0] = (struct model_at){
		.site = &w->sites[0], .vip = &w->vip, .pool = &w->pools[0], .weight = 1
	};
}

static inline void stage_fini(struct stage *s)
{
	compiler_fini(&s->node);
	memory_free(&s->driver.now);
	free(s->health);
}

#endif
