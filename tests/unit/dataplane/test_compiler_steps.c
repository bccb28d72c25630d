/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Documents in steps: rings made ahead, pools that nothing changes for, deaths in the middle, and what
 * one document after the other leaves of a pool's earlier owners.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/owners/owners_internal.h"
#include "dataplane/tables/compiler_internal.h"
#include "tests/unit/suite.h"
#include "weir/fwd/services.h"

#include "tests/unit/dataplane/stage.h"

static struct plan *plan_of(const struct stage *s, struct world *w)
{
	char why[PLAN_REASON_MAX];
	struct plan *p = NULL;

	assert_int_equal(plan_make(&w->model, s->time.wall_clock_ms, &p, why), 0);
	return p;
}

static void take_plan(struct stage *s, struct world *w, struct plan *p)
{
	char why[PLAN_REASON_MAX] = "";

	assert_int_equal(compiler_apply_plan(&s->node, &w->model, p, &s->time, why), 0);
}

static uint32_t slots_of(const struct stage *s, uint32_t index)
{
	const struct compiler_pool *p = &s->node.pools[0];
	uint32_t n = 0;

	for (uint32_t i = p->first_slot; i < p->first_slot + p->n_slots; i++)
		n += (s->node.t.slots[i / 32].slot[i % 32] & FWD_SLOT_BACKEND) == index;
	return n;
}

/* --- rings made ahead --- */

static void rings_made_ahead_give_the_tables_that_rings_made_late_give(void **state)
{
	(void)state;
	struct stage early, late;
	struct plan *p;

	stage_init(&early);
	stage_init(&late);
	apply_world(&late, &late.first);
	p = plan_of(&early, &early.first);
	plan_fill(p, NULL, early.time.wall_clock_ms);
	for (int i = 0; i < 3; i++)
		assert_non_null(p->pools[0].rings[i]);
	take_plan(&early, &early.first, p);
	assert_memory_equal(early.node.t.slots, late.node.t.slots,
	                    late.node.t.n_slots * sizeof(*late.node.t.slots));
	assert_memory_equal(early.node.t.colds, late.node.t.colds,
	                    late.node.t.n_colds * sizeof(*late.node.t.colds));
	for (int i = 0; i < 3; i++) /* in force: the plan needs them no more */
		assert_null(p->pools[0].rings[i]);
	stage_fini(&early);
	stage_fini(&late);
}

static void rings_are_made_for_what_is_new_alone(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		int64_t wall_clock_ms;
		uint32_t weight; /* in place of 30, of the set in force */
		uint64_t key;
		bool made[3];
	} cases[] = {
		{ "nothing is new, and a set that is over needs no ring",
		  NOW,
		  30,
		  0,
		  { false, false, false } },
		{ "another weight", NOW, 31, 0, { false, true, false } },
		{ "another key changes all", NOW, 30, 1, { true, true, true } },
		{ "when the next set is in force, the one before it is over",
		  NOW + 3000,
		  30,
		  0,
		  { false, false, false } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stage s;
		struct plan *p;

		stage_init(&s);
		s.second.now[1].weight = cases[i].weight;
		s.second.model.hash_key[0] = cases[i].key;
		p = plan_of(&s, &s.second);
		plan_fill(p, &s.first.model, cases[i].wall_clock_ms);
		for (int k = 0; k < 3; k++)
			if (!!p->pools[0].rings[k] != cases[i].made[k])
				fail_msg("%s: set %d", cases[i].why, k);
		plan_free(p);
		stage_fini(&s);
	}
}

/* --- pools that nothing changes for --- */

static void a_pool_that_the_document_does_not_change_is_left_alone(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint32_t weight, settle_ms;
		int64_t until_ms;
		bool changes;
	} cases[] = {
		{ "nothing", 30, 60000, NOW + 500, false },
		{ "a weight", 31, 60000, NOW + 500, true },
		{ "a time", 30, 61000, NOW + 500, true },
		{ "a claim's end", 30, 60000, NOW + 900, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stage s;
		uint32_t other;

		stage_init(&s);
		apply_world(&s, &s.first);
		/* What owners would put right if they were asked. */
		other = s.node.t.slots[0].slot[0] == s.node.pools[0].backends[0].index
		                ? s.node.pools[0].backends[2].index
		                : s.node.pools[0].backends[0].index;
		s.node.t.slots[0].slot[0] = s.node.pools[0].owners->hot[0] = (uint16_t)other;
		s.second.now[1].weight = cases[i].weight;
		s.second.pools[0].settle_ms = cases[i].settle_ms;
		s.second.sets[0].until_ms = cases[i].until_ms;
		apply_world(&s, &s.second);
		if ((s.node.t.slots[0].slot[0] != other) != cases[i].changes)
			fail_msg("%s", cases[i].why);
		stage_fini(&s);
	}
}

/* --- deaths in the middle --- */

struct death {
	struct stage *s;
	unsigned at, n; /* dies in breath number at */
	uint32_t index;
};

static void on_step(void *arg)
{
	struct death *d = arg;
	int place = health_find_index(d->s->health, health_target_backend("web-ams", 5));

	if (d->n++ != d->at)
		return;
	assert_int_not_equal(slots_of(d->s, d->index), 0);
	health_write(d->s->health, place, health_make(HEALTH_DOWN, 0, HEALTH_REASON_OK, 1));
	compiler_read_verdicts(&d->s->node, &d->s->time);
	assert_int_equal(slots_of(d->s, d->index), 0);
	assert_true(d->s->node.t.backends[d->index].flags & FWD_BACKEND_DEAD);
}

/* Two pools here, of which web-ams is the first; both change. */
static void make_pair(struct stage *s)
{
	static const struct model_check check = { .name = "web" };

	s->first.pools[1].site = s->second.pools[1].site = NULL;
	for (int i = 0; i < 2; i++) {
		struct world *w = i ? &s->second : &s->first;

		w->pools[1].site = &w->sites[0];
		w->pools[0].check = &check;
		w->pools[0].max_remove_percent = 100;
		w->model.limits.slots = 8192;
	}
	s->second.now[1].weight = 60;
}

static void run_with_death(unsigned at, unsigned *n, struct stage *out)
{
	struct death d = { .s = out, .at = at };

	stage_init(out);
	make_pair(out);
	apply_world(out, &out->first);
	for (uint64_t id = 5; id <= 9; id += 2) /* all are up */
		health_write(out->health,
		             health_find_index(out->health, health_target_backend("web-ams", id)),
		             health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1));
	compiler_read_verdicts(&out->node, &out->time);
	d.index = out->node.pools[0].backends[0].index;
	out->node.on_yield = on_step;
	out->node.yield_arg = &d;
	apply_world(out, &out->second);
	out->node.on_yield = NULL;
	*n = d.n;
}

static void a_death_in_any_step_of_a_document_comes_into_force_at_once(void **state)
{
	(void)state;
	struct stage s, after;
	unsigned n = 0, unused;

	run_with_death(UINT32_MAX, &n, &s); /* how many steps there are */
	stage_fini(&s);
	assert_true(n > 4);
	for (unsigned at = 0; at < n; at++) {
		run_with_death(at, &unused, &s);
		assert_int_equal(slots_of(&s, s.node.pools[0].backends[0].index), 0);
		run_with_death(UINT32_MAX, &unused, &after); /* the same after the document */
		health_write(after.health,
		             health_find_index(after.health, health_target_backend("web-ams", 5)),
		             health_make(HEALTH_DOWN, 0, HEALTH_REASON_OK, 1));
		compiler_read_verdicts(&after.node, &after.time);
		for (int i = 0; i < 8; i++) { /* what was warned moves */
			s.time.now_ms = after.time.now_ms += 250;
			s.time.ticks_ms = after.time.ticks_ms += 250;
			s.time.wall_clock_ms = after.time.wall_clock_ms += 250;
			compiler_tick(&s.node, &s.time);
			compiler_tick(&after.node, &after.time);
		}
		for (uint32_t i = 0; i < s.node.t.n_slots * FWD_SLOTS_PER_BLOCK; i++)
			assert_int_equal(s.node.t.slots[i / 32].slot[i % 32] & FWD_SLOT_BACKEND,
			                 after.node.t.slots[i / 32].slot[i % 32] &
			                         FWD_SLOT_BACKEND);
		stage_fini(&s);
		stage_fini(&after);
	}
}

static void number_is_old(void *arg)
{
	const struct stage *s = arg;

	assert_true(s->node.t.root->generation == 7 || s->node.t.root->active == 0);
}

static void no_step_before_the_last_shows_the_new_number(void **state)
{
	(void)state;
	struct stage s;

	stage_init(&s);
	s.first.model.meta.document = 7;
	s.second.model.meta.document = 8;
	apply_world(&s, &s.first); /* half 1 is in force now */
	s.node.on_yield = number_is_old;
	s.node.yield_arg = &s;
	apply_world(&s, &s.second);
	s.node.on_yield = NULL;
	assert_int_equal(s.node.t.root->generation, 8);
	stage_fini(&s);
}

/* The services in force that have a pool; each names the slots and the form that its pool has. */
static size_t count_pointed(const struct stage *s)
{
	const struct fwd_tables *t = &s->node.t;
	const struct fwd_service *half = &t->services[t->root->active * t->root->n_services];
	size_t n = 0;

	for (uint32_t i = 0; i < t->root->n_services; i++) {
		if (!(half[i].flags & FWD_SERVICE_USED))
			continue;
		assert_true(half[i].pool == FWD_POOL_NONE || half[i].pool < t->n_pools);
		n += half[i].pool != FWD_POOL_NONE;
		assert_int_equal(half[i].range, half[i].pool == FWD_POOL_NONE
		                                        ? FWD_RANGE_NONE
		                                        : fwd_pool_range(&t->pools[half[i].pool]));
	}
	return n;
}

static void services_are_pointed(void *arg)
{
	const struct stage *s = arg;

	if (s->node.t.root->generation) /* of the first document there is nothing yet */
		assert_true(count_pointed(s) > 0);
}

/* A packet must not read the slots of one range as if they were of the other one's form. */
static void services_name_their_pools_slots_in_each_step_of_a_document(void **state)
{
	static const struct {
		const char *why;
		uint32_t before, after;
		bool agent;
	} rows[] = {
		{ "nothing of the slots changes", 4096, 4096, false },
		{ "more slots", 2048, 4096, false },
		{ "fewer slots", 4096, 2048, false },
		{ "the same number, of another form", 4096, 4096, true },
	};
	struct stage s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct fwd_pool *pool;

		stage_init(&s);
		s.first.model.meta.document = 7;
		s.second.model.meta.document = 8;
		s.first.pools[0].n_slots = rows[i].before;
		s.second.pools[0].n_slots = rows[i].after;
		s.second.pools[0].agent = rows[i].agent;
		s.node.on_yield = services_are_pointed;
		s.node.yield_arg = &s;
		apply_world(&s, &s.first);
		assert_true(count_pointed(&s) > 0);
		apply_world(&s, &s.second);
		s.node.on_yield = NULL;
		assert_true(count_pointed(&s) > 0);
		pool = &s.node.t.pools[s.node.pools[0].index];
		if (1u << (fwd_pool_range(pool) & FWD_RANGE_LOG2) != rows[i].after ||
		    !(fwd_pool_range(pool) & FWD_RANGE_LISTED) != !rows[i].agent)
			fail_msg("%s: range %#x", rows[i].why, fwd_pool_range(pool));
		stage_fini(&s);
	}
}

/* --- earlier owners that the document does not know any more, in a pool with agents --- */

#define HOUR_MS 3600000

static struct model_member first_set[2], second_set[3], third_set[2], fourth_set[3];
static struct model_set hourly[4];

/* 9 joins 5 and 7; an hour later 7 leaves, and returns after one more hour. */
static void make_hourly_sets(void)
{
	first_set[0] = (struct model_member){ .id = 5, .weight = 10 };
	first_set[1] = (struct model_member){ .id = 7, .weight = 10 };
	memcpy(second_set, first_set, sizeof(first_set));
	second_set[2] = (struct model_member){ .id = 9, .weight = 10 };
	third_set[0] = second_set[0];
	third_set[1] = second_set[2];
	memcpy(fourth_set, second_set, sizeof(second_set));
	hourly[0] = (struct model_set){ 0, NOW + 60000, first_set, 2 };
	hourly[1] = (struct model_set){ NOW, NOW + HOUR_MS + 60000, second_set, 3 };
	hourly[2] = (struct model_set){ NOW + HOUR_MS, NOW + 2 * HOUR_MS + 60000, third_set, 2 };
	hourly[3] = (struct model_set){ NOW + 2 * HOUR_MS, INT64_MAX, fourth_set, 3 };
}

/* The document of hour @p k, which has its set and the one before. */
static void apply_hour(struct stage *s, struct world *w, size_t k, bool disables)
{
	static const struct model_check check = { .name = "web" };

	make_world(w);
	w->pools[0].check = &check;
	w->pools[0].max_remove_percent = 100;
	w->pools[0].agent = true;
	w->backends[1].id = 7;
	w->pools[0].member_sets = &hourly[k];
	w->pools[0].n_member_sets = 2;
	w->overrides[0] = (struct model_override){ .id = "o1",
		                                   .target = MODEL_TARGET_BACKEND,
		                                   .kind = MODEL_OVERRIDE_DISABLE,
		                                   .pool = "web-ams",
		                                   .name = "b",
		                                   .until_ms = INT64_MAX };
	w->model.n_overrides = disables;
	apply_world(s, w);
}

/* All are up, but for 5 if it is dead. */
static void tell_health(struct stage *s, bool is_dead)
{
	for (uint64_t id = 5; id <= 9; id += 2)
		health_write(s->health,
		             health_find_index(s->health, health_target_backend("web-ams", id)),
		             health_make(id == 5 && is_dead ? HEALTH_DOWN : HEALTH_UP, 0,
		                         HEALTH_REASON_OK, 1));
	compiler_read_verdicts(&s->node, &s->time);
}

static void pass_hour(struct stage *s)
{
	for (int i = 0; i < HOUR_MS / 1000; i++) {
		s->time.now_ms += 1000;
		s->time.ticks_ms += 1000;
		s->time.wall_clock_ms += 1000;
		compiler_tick(&s->node, &s->time);
	}
}

/* Slots of backend 9 whose packets name 5. */
static uint32_t count_named(const struct stage *s)
{
	const struct compiler_pool *p = &s->node.pools[0];
	uint32_t owner = compiler_find_backend(p, 9)->index, n = 0;
	uint32_t earlier = compiler_find_backend(p, 5)->index;

	for (uint32_t i = p->first_slot; i < p->first_slot + p->n_slots; i++) {
		bool is_named = false;

		for (uint32_t k = 0; k < SECOND_OWNERS_MAX; k++)
			is_named |= owner_list_at(s->node.t.colds[i].list.earlier, k) == earlier;
		n += is_named &&
		     (s->node.t.slots[i / 32].slot[i % 32] == (owner | FWD_SLOT_UNSETTLED));
	}
	return n;
}

/* Connections from before 9 joined may go on at 5 for days: claims that are over end with nothing. */
static void earlier_owners_outlive_the_sets_that_made_them(void **state)
{
	static const struct {
		const char *why;
		bool disables, restarts, dies;
	} rows[] = {
		{ "7 leaves and returns", false, false, false },
		{ "7 is disabled and enabled", true, false, false },
		{ "the same, and 5 is dead meanwhile", true, false, true },
		{ "another process takes the tables over", false, true, false },
	};

	(void)state;
	make_hourly_sets();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world documents[3];
		struct stage s;
		uint32_t n;

		stage_init(&s);
		apply_hour(&s, &documents[0], 0, false);
		tell_health(&s, false);
		n = count_named(&s);
		assert_true(n > 100);
		pass_hour(&s);
		if (rows[i].restarts) {
			compiler_fini(&s.node);
			start_node(&s, true);
		}
		tell_health(&s, rows[i].dies);
		apply_hour(&s, &documents[1], 1, rows[i].disables);
		pass_hour(&s);
		apply_hour(&s, &documents[2], 2, false);
		tell_health(&s, false);
		pass_hour(&s);
		if (count_named(&s) != n)
			fail_msg("%s: %u slots of %u", rows[i].why, count_named(&s), n);
		stage_fini(&s);
	}
}

SUITE(compiler_steps)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_made_ahead_give_the_tables_that_rings_made_late_give),
		cmocka_unit_test(rings_are_made_for_what_is_new_alone),
		cmocka_unit_test(a_pool_that_the_document_does_not_change_is_left_alone),
		cmocka_unit_test(a_death_in_any_step_of_a_document_comes_into_force_at_once),
		cmocka_unit_test(no_step_before_the_last_shows_the_new_number),
		cmocka_unit_test(services_name_their_pools_slots_in_each_step_of_a_document),
		cmocka_unit_test(earlier_owners_outlive_the_sets_that_made_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
