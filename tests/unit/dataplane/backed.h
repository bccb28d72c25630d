/* SPDX-License-Identifier: BSD-2-Clause */
/* A stage on which the pool "web" of a site has that of another site as its backup. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_BACKED_H
#define WEIR_TESTS_UNIT_DATAPLANE_BACKED_H

#include <stdio.h>
#include <string.h>

#include "dataplane/tables/compiler_internal.h"

#include "tests/unit/dataplane/stage.h"

#define OWN_A  5u
#define OWN_B  9u
#define THEM_A 105u
#define THEM_B 109u

/* A world whose "web" at the first site has the second site's pool as its backup. */
struct backed {
	struct world w;
	struct model_backend theirs[2];
	struct model_member own_now[2], their_now[2];
	struct model_set own_set, their_set;
};

static const struct model_check check = { .name = "web" };
static struct stage s;
static struct backed first, second;

static inline void make_backed(struct backed *b)
{
	struct world *w = &b->w;

	make_world(w);
	for (int i = 0; i < 2; i++) {
		char text[32];

		b->theirs[i] = (struct model_backend){ .name = i ? "y" : "x",
			                               .id = i ? THEM_B : THEM_A,
			                               .weight = 10,
			                               .pool = &w->pools[1] };
		snprintf(text, sizeof(text), "10.2.0.%d", i + 1);
		addr_of(text, &b->theirs[i].address);
		b->own_now[i] = (struct model_member){ .id = i ? OWN_B : OWN_A, .weight = 10 };
		b->their_now[i] = (struct model_member){ .id = i ? THEM_B : THEM_A,
			                                 .address = b->theirs[i].address,
			                                 .weight = 10 };
	}
	b->own_set = (struct model_set){ 0, INT64_MAX, b->own_now, 2 };
	b->their_set = (struct model_set){ 0, INT64_MAX, b->their_now, 2 };
	for (int i = 0; i < 2; i++) {
		w->pools[i].check = &check;
		w->pools[i].min_healthy_percent = 60;
		w->pools[i].max_remove_percent = 20;
		w->pools[i].member_sets = i ? &b->their_set : &b->own_set;
		w->pools[i].n_member_sets = 1;
	}
	w->pools[1].backends = b->theirs;
	w->services[1].n_at = 2;
	w->at[0].backup = &w->pools[1];
	w->at[0].backup_max_flows = 1000;
	w->at[0].backup_max_bits = 8000000;
	w->model.n_overrides = 0;
}

static inline void set_verdict(uint64_t id, enum health_state state)
{
	int at = health_find_index(s.health,
	                           health_target_backend(id < 100 ? "web-ams" : "web-fra", id));

	health_write(s.health, at, health_make(state, 0, HEALTH_REASON_OK, 1));
}

static inline void set_verdicts(enum health_state own, enum health_state theirs)
{
	set_verdict(OWN_A, own);
	set_verdict(OWN_B, own);
	set_verdict(THEM_A, theirs);
	set_verdict(THEM_B, theirs);
	compiler_read_verdicts(&s.node, &s.time);
}

static inline int setup(void **state)
{
	const uint64_t targets[] = { health_target_backend("web-ams", OWN_A),
		                     health_target_backend("web-ams", OWN_B),
		                     health_target_backend("web-fra", THEM_A),
		                     health_target_backend("web-fra", THEM_B),
		                     health_target_service("web", "fra", true) };

	(void)state;
	stage_init(&s);
	assert_int_equal(health_set_targets(s.health, targets, 5, 2), 0);
	make_backed(&first);
	make_backed(&second);
	apply_world(&s, &first.w);
	set_verdicts(HEALTH_UP, HEALTH_UP);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	stage_fini(&s);
	return 0;
}

static inline struct compiler_pool *find_own(void)
{
	return &s.node.pools[0];
}

static inline uint16_t hot_word(uint32_t slot)
{
	uint32_t at = find_own()->first_slot + slot;

	return s.node.t.slots[at / FWD_SLOTS_PER_BLOCK].slot[at % FWD_SLOTS_PER_BLOCK];
}

static inline uint32_t slots_of(enum plan_class class)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < find_own()->n_slots; i++)
		for (size_t k = 0; k < find_own()->plan->n_backends; k++)
			n += find_own()->plan->backends[k].class == class &&
			     find_own()->backends[k].index == (hot_word(i) & FWD_SLOT_BACKEND);
	return n;
}

static inline void pass_ms(uint64_t ms)
{
	for (uint64_t end = s.time.now_ms + ms; s.time.now_ms < end;) {
		uint64_t due = compiler_tick(&s.node, &s.time), step = due - s.time.now_ms;

		if (step > end - s.time.now_ms)
			step = end - s.time.now_ms;
		s.time.now_ms += step;
		s.time.ticks_ms += step;
		s.time.wall_clock_ms += (int64_t)step;
	}
	compiler_tick(&s.node, &s.time);
}

static inline void apply_overrides(size_t n)
{
	second.w.model.overrides = second.w.overrides;
	second.w.model.n_overrides = n;
	apply_world(&s, &second.w);
	compiler_read_verdicts(&s.node, &s.time);
}

#endif
