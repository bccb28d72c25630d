/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pool with a backup at another site, in the tables (dataplane/tables/compiler_backup.c): who owns
 * its slots by verdicts, overrides and load.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/owners/owners_internal.h"

#include "tests/unit/dataplane/backed.h"
#include "tests/unit/suite.h"

static void the_backup_is_in_the_tables_and_owns_nothing(void **state)
{
	(void)state;
	assert_int_equal(s.node.n_pools, 1);
	assert_int_equal(find_own()->plan->n_backends, 5); /* two, two, and the one that refuses */
	assert_int_equal(slots_of(PLAN_OWN), find_own()->n_slots);
	for (size_t k = 0; k < 5; k++)
		assert_true(s.node.t.backends[find_own()->backends[k].index].flags &
		            FWD_BACKEND_USED);
	assert_int_equal(find_own()->plan->id, s.node.t.pools[find_own()->index].id);
}

static void the_last_verdict_moves_all_slots_at_once(void **state)
{
	(void)state;
	set_verdict(OWN_A, HEALTH_DOWN);
	compiler_read_verdicts(&s.node, &s.time);
	assert_int_equal(find_own()->backup->state.class, EFFECT_CLASS_BACKUP); /* 50 % < 60 % */
	set_verdict(OWN_B, HEALTH_DOWN);
	compiler_read_verdicts(&s.node, &s.time); /* neither min_healthy nor max_remove holds it */
	assert_int_equal(slots_of(PLAN_BACKUP), find_own()->n_slots);
	assert_int_equal(s.node.counters.held, 0);
}

static void a_lost_verdict_moves_nothing(void **state)
{
	(void)state;
	set_verdicts(HEALTH_UNKNOWN, HEALTH_UP);
	assert_int_equal(find_own()->backup->state.class, EFFECT_CLASS_OWN);
	assert_int_equal(slots_of(PLAN_OWN), find_own()->n_slots);
}

static void last_good_holds_only_when_the_backup_is_down_too(void **state)
{
	(void)state;
	set_verdicts(HEALTH_DOWN, HEALTH_UP);
	assert_int_equal(slots_of(PLAN_BACKUP), find_own()->n_slots);
	set_verdicts(HEALTH_DOWN, HEALTH_DOWN);
	assert_int_equal(find_own()->backup->state.unused, EFFECT_BACKUP_POOL_DOWN);
	assert_int_equal(slots_of(PLAN_OWN), find_own()->n_slots);
	for (size_t k = 0; k < find_own()->plan->n_backends; k++)
		if (find_own()->plan->backends[k].class == PLAN_OWN)
			assert_int_equal(find_own()->backends[k].reason, EFFECT_REASON_HELD_LAST);
}

static void own_backends_return_after_ten_seconds(void **state)
{
	(void)state;
	set_verdicts(HEALTH_DOWN, HEALTH_UP);
	set_verdicts(HEALTH_UP, HEALTH_UP);
	pass_ms(9000);
	assert_int_equal(slots_of(PLAN_BACKUP), find_own()->n_slots);
	pass_ms(1000 + OWNERS_SCHEDULE_MS + 200);
	assert_int_equal(slots_of(PLAN_OWN), find_own()->n_slots);
	for (uint32_t i = 0; i < find_own()->n_slots; i++) /* late clients keep their backends */
		assert_true(hot_word(i) & FWD_SLOT_UNSETTLED);
}

/* Give the pool a third backend of its own, so that one can be held while another serves. */
static void add_third_backend(void)
{
	static struct model_backend backends[3];
	static struct model_member members[3];
	static struct model_set set = { 0, INT64_MAX, members, 3 };
	const uint64_t ids[] = { OWN_A, OWN_A + 1, OWN_B };
	const uint64_t targets[] = { health_target_backend("web-ams", ids[0]),
		                     health_target_backend("web-ams", ids[1]),
		                     health_target_backend("web-ams", ids[2]),
		                     health_target_backend("web-fra", THEM_A),
		                     health_target_backend("web-fra", THEM_B) };

	for (int i = 0; i < 3; i++) {
		backends[i] = second.w.backends[i / 2];
		backends[i].id = ids[i];
		members[i] = (struct model_member){ .id = ids[i], .weight = 10 };
	}
	second.w.pools[0].backends = backends;
	second.w.pools[0].n_backends = 3;
	second.w.pools[0].member_sets = &set;
	assert_int_equal(health_set_targets(s.health, targets, 5, 3), 0);
	apply_world(&s, &second.w);
}

/* The backup's backends, of which none is held, have no say in when. */
static void what_the_rate_holds_leaves_when_its_window_is_over(void **state)
{
	const struct compiler_backend *held;

	(void)state;
	second.w.pools[0].min_healthy_percent = 0;
	add_third_backend();
	set_verdict(OWN_A + 1, HEALTH_UP);
	set_verdicts(HEALTH_UP, HEALTH_UP);
	held = compiler_find_backend(find_own(), OWN_B);
	set_verdict(OWN_A, HEALTH_DOWN);
	compiler_read_verdicts(&s.node, &s.time);
	set_verdict(OWN_B, HEALTH_DOWN);
	compiler_read_verdicts(&s.node, &s.time);
	pass_ms(GUARD_WINDOW_MS - 1);
	assert_int_equal(held->reason, EFFECT_REASON_HELD_RATE);
	pass_ms(1);
	assert_int_equal(held->reason, EFFECT_REASON_DOWN);
}

static void a_published_page_tells_of_the_backups_site(void **state)
{
	int at = health_find_index(s.health, health_target_service("web", "fra", true));

	(void)state;
	second.w.services[1].vip_check = &check;
	second.w.services[1].at = second.w.at;
	second.w.services[1].n_at = 2;
	second.w.at[1].vip = &second.w.vip;
	apply_world(&s, &second.w);
	health_write(s.health, at, health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1));
	set_verdicts(HEALTH_DOWN, HEALTH_UP);
	assert_int_equal(find_own()->backup->state.unused, EFFECT_BACKUP_USABLE);
	health_write(s.health, at, health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 1));
	compiler_follow_verdicts(&s.node, &s.time);
	assert_int_equal(find_own()->backup->state.unused, EFFECT_BACKUP_SITE_DOWN);
}

static void a_site_that_does_not_answer_is_no_backup(void **state)
{
	int at = health_find_index(s.health, health_target_service("web", "fra", true));

	(void)state;
	second.w.services[1].vip_check = &check;
	second.w.services[1].at = second.w.at;
	second.w.services[1].n_at = 2;
	second.w.at[1].vip = &second.w.vip;
	apply_world(&s, &second.w);
	health_write(s.health, at, health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 1));
	set_verdicts(HEALTH_DOWN, HEALTH_UP);
	assert_int_equal(find_own()->backup->state.unused, EFFECT_BACKUP_SITE_DOWN);
	assert_int_equal(slots_of(PLAN_BACKUP), 0);
	health_write(s.health, at,
	             health_make(HEALTH_DOWN, HEALTH_MARK_UNPROVEN, HEALTH_REASON_TIMEOUT, 1));
	set_verdicts(HEALTH_DOWN, HEALTH_UP); /* a check that never succeeded here says nothing */
	assert_int_equal(slots_of(PLAN_BACKUP), find_own()->n_slots);
}

static struct model_override drain_of(const char *site)
{
	return (struct model_override){ .id = site,
		                        .kind = MODEL_OVERRIDE_DRAIN,
		                        .target = MODEL_TARGET_SITE,
		                        .name = site,
		                        .from_ms = NOW,
		                        .until_ms = MODEL_TIME_NEVER,
		                        .is_step = true,
		                        .to_ppm = 1000000,
		                        .late_from_ms = NOW + 5000 };
}

static void late_clients_go_to_the_backup_from_their_instant_on(void **state)
{
	(void)state;
	second.w.overrides[0] = drain_of("ams");
	apply_overrides(1);
	pass_ms(4000);
	assert_int_equal(slots_of(PLAN_OWN), find_own()->n_slots);
	pass_ms(3000 + OWNERS_SCHEDULE_MS);
	assert_int_equal(find_own()->backup->state.cause, EFFECT_BACKUP_LATE);
	assert_int_equal(slots_of(PLAN_BACKUP), find_own()->n_slots);
}

static void a_step_below_all_makes_nobody_late(void **state)
{
	(void)state;
	second.w.overrides[0] = drain_of("ams");
	second.w.overrides[0].to_ppm = 250000;
	apply_overrides(1);
	pass_ms(20000);
	assert_int_equal(slots_of(PLAN_OWN), find_own()->n_slots);
	stage_fini(&s);
	setup(state);
	second.w.overrides[0] = drain_of("ams");
	second.w.overrides[0].late_from_ms = 0; /* no instant was given */
	apply_overrides(1);
	pass_ms(20000);
	assert_int_equal(slots_of(PLAN_OWN), find_own()->n_slots);
}

static void a_drain_by_the_clock_is_late_after_a_ttl(void **state)
{
	(void)state;
	second.w.overrides[0] = drain_of("ams");
	second.w.overrides[0].is_step = false;
	second.w.overrides[0].over_ms = 10000;
	apply_overrides(1);
	pass_ms(69000);
	assert_int_equal(slots_of(PLAN_OWN), find_own()->n_slots);
	pass_ms(2000 + OWNERS_SCHEDULE_MS);
	assert_int_equal(slots_of(PLAN_BACKUP), find_own()->n_slots);
}

static void a_drain_of_another_service_makes_nobody_late(void **state)
{
	(void)state;
	second.w.overrides[0] = drain_of("ams");
	second.w.overrides[0].service = "other";
	apply_overrides(1);
	pass_ms(20000);
	assert_int_equal(slots_of(PLAN_OWN), find_own()->n_slots);
}

static void two_drained_sites_do_not_use_each_other(void **state)
{
	(void)state;
	second.w.overrides[0] = drain_of("ams");
	second.w.overrides[1] = drain_of("fra");
	apply_overrides(2);
	pass_ms(20000);
	assert_int_equal(find_own()->backup->state.unused, EFFECT_BACKUP_SITE_DRAINED);
	assert_int_equal(slots_of(PLAN_OWN), find_own()->n_slots);
	set_verdicts(HEALTH_DOWN, HEALTH_UP); /* and not for want of own backends either */
	assert_int_equal(slots_of(PLAN_BACKUP), 0);
}

static void give_load(enum plan_class class, uint64_t bytes)
{
	for (size_t k = 0; k < find_own()->plan->n_backends; k++)
		if (find_own()->plan->backends[k].class == class)
			s.node.t.backend_counts[find_own()->backends[k].index].bytes += bytes;
}

static void new_flows_count_as_bits_do(void **state)
{
	uint32_t full;

	(void)state;
	pass_ms(2000);
	for (size_t k = 0; k < find_own()->plan->n_backends; k++)
		if (find_own()->plan->backends[k].class == PLAN_OWN) /* of 1000 for each service */
			s.node.t.backend_news[find_own()->backends[k].index].packets += 4000;
	pass_ms(1000);
	set_verdicts(HEALTH_DOWN, HEALTH_UP);
	full = slots_of(PLAN_FULL);
	assert_in_range(full, find_own()->n_slots * 70 / 100, find_own()->n_slots * 82 / 100);
}

static void what_is_too_much_for_the_backup_is_dropped_by_name(void **state)
{
	uint32_t full;

	(void)state;
	pass_ms(2000);
	give_load(PLAN_OWN, 2000000); /* 32 Mbit in a second, of which 8 for each service may go */
	pass_ms(1000);
	set_verdicts(HEALTH_DOWN, HEALTH_UP);
	assert_int_equal(find_own()->backup->state.class, EFFECT_CLASS_LIMITED);
	full = slots_of(PLAN_FULL);
	assert_in_range(full, find_own()->n_slots * 45 / 100, find_own()->n_slots * 62 / 100);
	assert_int_equal(slots_of(PLAN_BACKUP), find_own()->n_slots - full);
	for (size_t k = 0; k < find_own()->plan->n_backends; k++)
		if (find_own()->plan->backends[k].class == PLAN_FULL)
			assert_int_equal(s.node.t.backends[find_own()->backends[k].index].flags,
			                 FWD_BACKEND_USED | FWD_BACKEND_FULL);
	pass_ms(20000); /* less comes: all may go there */
	assert_int_equal(slots_of(PLAN_BACKUP), find_own()->n_slots);
}

static void load_above_the_limit_stays_with_own_backends_that_are_up(void **state)
{
	(void)state;
	second.w.overrides[0] = drain_of("ams");
	apply_overrides(1);
	pass_ms(8000);
	assert_int_equal(slots_of(PLAN_BACKUP), find_own()->n_slots);
	give_load(PLAN_BACKUP, 4000000);
	pass_ms(1100);
	assert_int_equal(find_own()->backup->state.class, EFFECT_CLASS_LIMITED);
	for (int i = 0; i < 30; i++) { /* the same load for a while */
		give_load(PLAN_BACKUP, 500000);
		pass_ms(100);
	}
	assert_true(slots_of(PLAN_OWN) > 0);
	assert_int_equal(slots_of(PLAN_FULL), 0);
}

/* How much of the backup's limit is left to a node: the site's nodes share it. */
static void each_node_of_a_site_has_its_part_of_the_limit(void **state)
{
	(void)state;
	for (int bits = 0; bits < 2; bits++) {
		struct model_node nodes[2] = { second.w.node, second.w.node };

		teardown(state);
		setup(state);
		nodes[1].name = "another";
		second.w.model.nodes = nodes;
		second.w.model.n_nodes = 2;
		second.w.model.self = nodes;
		apply_world(&s, &second.w);
		set_verdicts(HEALTH_UP, HEALTH_UP);
		const struct plan_pool *plan = find_own()->plan;
		pass_ms(2000);
		if (bits)
			give_load(PLAN_OWN, 2000000);
		for (size_t k = 0; k < plan->n_backends && !bits; k++)
			if (plan->backends[k].class == PLAN_OWN)
				s.node.t.backend_news[find_own()->backends[k].index].packets +=
				        2000;
		pass_ms(1000);
		set_verdicts(HEALTH_DOWN, HEALTH_UP);
		assert_in_range(slots_of(PLAN_FULL), find_own()->n_slots * 70 / 100,
		                find_own()->n_slots * 82 / 100);
	}
}

static void a_peak_of_load_fades(void **state)
{
	(void)state;
	pass_ms(2000);
	give_load(PLAN_OWN, 2000000);
	pass_ms(1000);
	pass_ms(4000);
	assert_in_range(find_own()->backup->own.bits_per_s, 16000000, 24000000);
	pass_ms(30000); /* a night later, all of it would fit */
	set_verdicts(HEALTH_DOWN, HEALTH_UP);
	assert_int_equal(slots_of(PLAN_BACKUP), find_own()->n_slots);
}

static void a_new_backup_moves_no_slot(void **state)
{
	uint16_t before[4096];

	(void)state;
	second.w.at[0].backup = NULL;
	apply_world(&s, &second.w);
	compiler_read_verdicts(&s.node, &s.time);
	for (uint32_t i = 0; i < find_own()->n_slots; i++)
		before[i] = hot_word(i);
	make_backed(&first);
	apply_world(&s, &first.w);
	for (uint32_t i = 0; i < find_own()->n_slots; i++)
		assert_int_equal(before[i], hot_word(i));
}

static void services_with_and_without_a_backup_have_slots_of_their_own(void **state)
{
	const struct compiler_pool *alone, *backed;

	(void)state;
	second.w.services[1].at = second.w.web_at;
	second.w.services[1].n_at = 1;
	second.w.web_at[0] = second.w.at[0];
	second.w.at[0].backup = NULL;
	apply_world(&s, &second.w);
	set_verdicts(HEALTH_DOWN, HEALTH_UP);
	assert_int_equal(s.node.n_pools, 2);
	alone = &s.node.pools[0];
	backed = &s.node.pools[1];
	assert_null(alone->backup);
	assert_int_equal(backed->backup->state.class, EFFECT_CLASS_BACKUP);
	assert_true(alone->first_slot != backed->first_slot);
	for (size_t k = 0; k < alone->plan->n_backends; k++) /* last_good */
		assert_true(alone->backends[k].alive);
	for (size_t k = 0; k < backed->plan->n_backends; k++)
		assert_true(backed->plan->backends[k].class != PLAN_OWN ||
		            !backed->backends[k].alive);
}

/* However many tables it has, and whatever stands beside them. */
static void a_pool_is_found_at_its_first_table(void **state)
{
	struct model_pool names[] = { { .name = "a" }, { .name = "b" }, { .name = "c" } };
	struct plan_pool plans[6];
	struct compiler_pool pools[6];

	(void)state;
	for (size_t from = 0; from <= 6; from++)
		for (size_t end = from; end <= 6; end++) {
			for (size_t i = 0; i < 6; i++) {
				plans[i].model = &names[i < from ? 0 : i < end ? 1 : 2];
				pools[i].plan = &plans[i];
			}
			assert_ptr_equal(compiler_find_pool(pools, 6, "b"),
			                 from < end ? &pools[from] : NULL);
		}
	assert_null(compiler_find_pool(NULL, 0, "b"));
}

static void a_restart_continues_with_the_backup(void **state)
{
	uint16_t before[4096];

	(void)state;
	set_verdicts(HEALTH_DOWN, HEALTH_UP);
	for (uint32_t i = 0; i < find_own()->n_slots; i++)
		before[i] = hot_word(i);
	compiler_fini(&s.node);
	start_node(&s, true);
	make_backed(&second);
	apply_world(&s, &second.w);
	for (uint32_t i = 0; i < find_own()->n_slots; i++)
		assert_int_equal(before[i], hot_word(i));
	assert_int_equal(find_own()->backup->state.class, EFFECT_CLASS_BACKUP);
}

/* Flows and bits per second of own backends and of the backup's; what is not known is in brackets. */
static const char *say_load(void)
{
	static char text[160];
	const struct backup_load *loads[] = { &find_own()->backup->own, &find_own()->backup->used };
	size_t n = 0;

	for (int i = 0; i < 2; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		                      loads[i]->known ? "%s%llu/%llu" : "%s(%llu/%llu)",
		                      i ? ", " : "", (unsigned long long)loads[i]->flows_per_s,
		                      (unsigned long long)loads[i]->bits_per_s);
	return text;
}

/* On the second CPU the half of it. */
static void count_load(enum plan_class class, uint64_t flows, uint64_t bytes)
{
	const uint32_t row = s.node.sizes.backends;

	for (size_t k = 0; k < find_own()->plan->n_backends; k++) {
		const uint32_t i = find_own()->backends[k].index;

		if (find_own()->plan->backends[k].class != class)
			continue;
		s.node.t.backend_news[i].packets += flows;
		s.node.t.backend_news[i].bytes += flows * 40;
		s.node.t.backend_news[row + i].packets += flows / 2;
		s.node.t.backend_counts[i].packets += bytes / 1000;
		s.node.t.backend_counts[i].bytes += bytes;
		s.node.t.backend_counts[row + i].bytes += bytes / 2;
	}
}

static void begin_again(const char *what)
{
	const enum plan_class class = strstr(what, "own") ? PLAN_OWN : PLAN_BACKUP;

	for (size_t k = 0; k < find_own()->plan->n_backends; k++) {
		const uint32_t i = find_own()->backends[k].index;

		if (find_own()->plan->backends[k].class != class)
			continue;
		if (strstr(what, "flows"))
			s.node.t.backend_news[i].packets = 0;
		if (strstr(what, "bytes"))
			s.node.t.backend_news[i].bytes = s.node.t.backend_counts[i].bytes = 0;
	}
}

/* Of two backends each; a peak fades by an eighth. */
static void loads_are_measured_each_second(void **state)
{
	static const struct {
		uint64_t own_flows, own_bytes, flows, bytes; /* more since the row before */
		const char *again; /* whose counters begin at 0 again: of flows, of bytes */
		uint64_t ms, due_ms;
		const char *said;
	} rows[] = {
		{ 0, 0, 0, 0, "", 2000, 1000, "0/0, 0/0" },
		{ 100, 10000, 20, 3000, "", 999, 1, "0/0, 0/0" },
		{ 0, 0, 0, 0, "", 1, 1000, "300/304000, 60/84000" },
		{ 0, 0, 0, 0, "", 1000, 1000, "263/266000, 0/0" },
		{ 60, 5000, 10, 1000, "", 1000, 1000, "231/232750, 30/30000" },
		{ 200, 0, 0, 0, "", 1000, 1000, "600/203657, 0/0" },
		{ 0, 0, 0, 0, "own flows", 1000, 1000, "600/203657, (0/0)" },
		{ 10, 1000, 4, 100, "", 1000, 1000, "525/178200, 12/4000" },
		{ 0, 0, 0, 0, "own bytes", 1000, 1000, "525/178200, (12/4000)" },
		{ 0, 0, 0, 0, "flows", 1000, 1000, "525/178200, (12/4000)" },
		{ 0, 0, 0, 0, "bytes", 1000, 1000, "525/178200, (12/4000)" },
		{ 0, 0, 0, 0, "", 2500, 500, "403/136435, 0/0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		count_load(PLAN_OWN, rows[i].own_flows, rows[i].own_bytes);
		count_load(PLAN_BACKUP, rows[i].flows, rows[i].bytes);
		begin_again(rows[i].again);
		pass_ms(rows[i].ms);
		if (strcmp(say_load(), rows[i].said) != 0)
			fail_msg("row %zu: %s", i, say_load());
		assert_int_equal(compiler_limit_backups(&s.node, &s.time),
		                 s.time.now_ms + rows[i].due_ms);
	}
	s.time.now_ms += 700; /* the call that measures says the same */
	assert_int_equal(compiler_limit_backups(&s.node, &s.time), s.time.now_ms + 1000);
	second.w.at[0].backup = NULL;
	apply_world(&s, &second.w);
	assert_true(compiler_limit_backups(&s.node, &s.time) == UINT64_MAX);
}

static enum health_state state_of(char letter)
{
	return letter == 'u' ? HEALTH_UP : letter == 'd' ? HEALTH_DOWN : HEALTH_UNKNOWN;
}

static struct model_override drill_of(const char *site)
{
	struct model_override o = { .id = "drill",
		                    .kind = MODEL_OVERRIDE_DRILL,
		                    .target = MODEL_TARGET_SITE,
		                    .name = site,
		                    .from_ms = NOW,
		                    .until_ms = MODEL_TIME_NEVER };

	assert_int_equal(prefix_parse("198.51.100.0/24", &o.clients), 0);
	return o;
}

/* Whatever an earlier process left of its row. */
static void who_refuses_what_is_too_much_always_serves(void **state)
{
	const uint32_t full = find_own()->backup->full_index;

	(void)state;
	s.node.t.backends[full].flags |= FWD_BACKEND_DEAD;
	compiler_fini(&s.node);
	start_node(&s, true);
	assert_int_equal(s.node.states[full], OWNERS_DEAD);
	make_backed(&second);
	apply_world(&s, &second.w);
	assert_int_equal(find_own()->backup->full_index, full);
	assert_int_equal(s.node.states[full], OWNERS_SERVES);
}

/* While all goes there anyway, the owners know of a drill that begins and ends by the clock. */
static void a_drill_is_known_while_the_backup_serves(void **state)
{
	static const char wanted[] = "0 at -, 0 at 0, 1 at 1000, 1 at 2000, 0 at 3000, 0 at 4000, ";
	char text[128] = "0 at -, ";

	(void)state;
	second.w.overrides[0] = drill_of("ams");
	second.w.overrides[0].from_ms = s.time.wall_clock_ms + 1000;
	second.w.overrides[0].until_ms = s.time.wall_clock_ms + 3000;
	apply_overrides(1);
	set_verdicts(HEALTH_DOWN, HEALTH_UP);
	for (int ms = 0; ms < 5000; ms += 1000) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d at %d, ",
		         find_own()->owners->is_drilled, ms);
		pass_ms(1000);
	}
	assert_string_equal(text, wanted);
}

/* One that is up is enough; what is not on the page, or where there is no page, says nothing. */
static void each_check_of_a_site_counts(void **state)
{
	static const struct {
		char v6, v4; /* up, down, unknown or - for none */
		enum effect_backup_unused unused;
	} rows[] = {
		{ 'u', 'u', EFFECT_BACKUP_USABLE },    { 'u', 'd', EFFECT_BACKUP_USABLE },
		{ 'd', 'u', EFFECT_BACKUP_USABLE },    { 'd', 'd', EFFECT_BACKUP_SITE_DOWN },
		{ 'd', '?', EFFECT_BACKUP_SITE_DOWN }, { '?', 'd', EFFECT_BACKUP_SITE_DOWN },
		{ '?', '?', EFFECT_BACKUP_USABLE },    { '-', 'd', EFFECT_BACKUP_SITE_DOWN },
		{ 'd', '-', EFFECT_BACKUP_SITE_DOWN }, { '-', '-', EFFECT_BACKUP_USABLE },
	};
	const uint64_t v6 = health_target_service("web", "fra", false);
	const uint64_t v4 = health_target_service("web", "fra", true);

	(void)state;
	second.w.services[1].vip_check = &check;
	apply_world(&s, &second.w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t targets[6] = { health_target_backend("web-ams", OWN_A),
			                health_target_backend("web-ams", OWN_B),
			                health_target_backend("web-fra", THEM_A),
			                health_target_backend("web-fra", THEM_B) };
		size_t n = 4;

		if (rows[i].v6 != '-')
			targets[n++] = v6;
		if (rows[i].v4 != '-')
			targets[n++] = v4;
		assert_int_equal(health_set_targets(s.health, targets, n, 3 + i), 0);
		for (int k = 0; k < 2; k++)
			health_write(s.health, health_find_index(s.health, k ? v4 : v6),
			             health_make(state_of(k ? rows[i].v4 : rows[i].v6), 0,
			                         HEALTH_REASON_OK, 1));
		set_verdicts(HEALTH_DOWN, HEALTH_UP);
		if (find_own()->backup->state.unused != rows[i].unused)
			fail_msg("%c%c: %d", rows[i].v6, rows[i].v4,
			         find_own()->backup->state.unused);
	}
	compiler_set_health(&s.node, NULL);
	compiler_read_verdicts(&s.node, &s.time);
	assert_int_equal(find_own()->backup->state.obstacle, EFFECT_BACKUP_UNPROVEN);
}

/* What is known of the load and of its use stays; a measure begins afresh. */
static void a_document_keeps_the_same_backup(void **state)
{
	(void)state;
	pass_ms(2000);
	count_load(PLAN_OWN, 100, 10000);
	pass_ms(1000);
	set_verdicts(HEALTH_DOWN, HEALTH_UP);
	assert_string_equal(say_load(), "300/304000, 0/0");
	apply_world(&s, &second.w);
	assert_int_equal(find_own()->backup->state.class, EFFECT_CLASS_BACKUP);
	assert_string_equal(say_load(), "300/304000, 0/0");
	count_load(PLAN_OWN, 1000, 10000);
	pass_ms(0);
	assert_string_equal(say_load(), "300/304000, (0/0)");
	pass_ms(1000);
	assert_string_equal(say_load(), "263/266000, 0/0");
	/* a pool of another name is another backup */
	make_backed(&first);
	first.w.pools[1].name = "web-waw";
	apply_world(&s, &first.w);
	assert_string_equal(say_load(), "(0/0), (0/0)");
}

/* What is decided, since when, and how many slots each class has; times from the stage's first moment on. */
static const char *say_backup(void)
{
	static char text[256];
	const struct compiler_pool *p = find_own();
	const struct backup_state *b = &p->backup->state, *drill = &p->backup->drill;
	const uint64_t begin = 100000;

	snprintf(text, sizeof(text),
	         "%s cause=%d unused=%d obstacle=%d share=%u since=%lld needed=%lld "
	         "drill=%d/%u%s slots=%u+%u+%u",
	         effect_class_text((enum effect_class)b->class), b->cause, b->unused, b->obstacle,
	         b->share, b->since_ms ? (long long)(b->since_ms - begin) : -1,
	         b->needed_ms ? (long long)(b->needed_ms - begin) : -1, drill->class, drill->share,
	         p->backup->is_drilled ? "!" : "", slots_of(PLAN_OWN), slots_of(PLAN_BACKUP),
	         slots_of(PLAN_FULL));
	return text;
}

/* The lines about backups, without the pools' names. */
static void read_paper(FILE *paper, char *out, size_t size)
{
	static const char names[] = " pool=web-ams backup=web-fra ";
	char line[512];
	size_t n = 0;

	rewind(paper);
	out[0] = '\0';
	while (fgets(line, sizeof(line), paper)) {
		char *at = strstr(line, names);

		if (at)
			n += (size_t)snprintf(out + n, size - n, "%.*s %s", (int)(at - line), line,
			                      at + strlen(names));
	}
}

/* Overrides: l is this site's drain with late clients, d the backup's site's drain, t a drill. */
static void apply_letters(const char *letters)
{
	static struct backed worlds[2];
	static unsigned turn;
	struct backed *b = &worlds[turn++ % 2];
	size_t n = 0;

	make_backed(b);
	b->w.services[1].vip_check = &check;
	b->w.services[1].at = b->w.at;
	for (; letters[n]; n++) {
		b->w.overrides[n] = letters[n] == 't' ? drill_of("ams")
		                                      : drain_of(letters[n] == 'l' ? "ams" : "fra");
		if (letters[n] == 'l')
			b->w.overrides[n].late_from_ms = NOW;
	}
	b->w.model.overrides = b->w.overrides;
	b->w.model.n_overrides = n;
	apply_world(&s, &b->w);
}

/* Letters: own backends, the backup's, its site's check (unknown, up, down); overrides; flows and bytes more. */
struct backup_step {
	const char *seen, *overrides; /* NULL: as before */
	uint64_t flows, bytes, ms;
	const char *said;
};

/* @p lines: what was logged meanwhile. */
static void expect_steps(const struct backup_step *steps, size_t n, const char *lines)
{
	FILE *paper = tmpfile();
	int before = dup(STDERR_FILENO), at;
	static char logged[8192];
	size_t n_wrong = 0;

	assert_non_null(paper);
	assert_true(dup2(fileno(paper), STDERR_FILENO) >= 0);
	apply_letters("");
	at = health_find_index(s.health, health_target_service("web", "fra", true));
	for (size_t i = 0; i < n; i++) {
		const struct backup_step *t = &steps[i];
		static const uint64_t ids[] = { OWN_A, OWN_B, THEM_A, THEM_B };

		for (int k = 0; k < 4; k++)
			set_verdict(ids[k], state_of(t->seen[k]));
		health_write(s.health, at,
		             health_make(state_of(t->seen[4]), 0, HEALTH_REASON_OK, 1));
		if (t->overrides)
			apply_letters(t->overrides);
		else
			compiler_follow_verdicts(&s.node, &s.time);
		count_load(PLAN_OWN, t->flows, t->bytes);
		count_load(PLAN_BACKUP, t->flows, t->bytes);
		pass_ms(t->ms);
		if (strcmp(say_backup(), t->said) != 0) {
			print_message("step %zu: %s\n", i, say_backup());
			n_wrong++;
		}
	}
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	close(before);
	read_paper(paper, logged, sizeof(logged));
	fclose(paper);
	assert_string_equal(logged, lines);
	assert_int_equal(n_wrong, 0);
}

static void each_step_of_a_backups_life(void **state)
{
#define FEW  "cause=\"less than min_healthy of its own backends is up\""
#define LATE "cause=\"this site is drained, late clients are served by the backup\""
	static const char lines[] =
	        "<5>backup-serves share=1024/1024 " FEW "\n"
	        "<5>backup-left share=0/1024 cause=\"\"\n"
	        "<5>backup-serves share=1024/1024 " FEW "\n"
	        "<4>backup-unused " FEW
	        " reason=\"the VIPs of the backup's site do not answer this node\"\n"
	        "<4>backup-unused " FEW " reason=\"the backup's site is drained\"\n"
	        "<5>backup-serves share=1024/1024 " FEW "\n"
	        "<4>backup-unused " FEW " reason=\"less than min_healthy of the backup is up\"\n"
	        "<5>backup-left share=0/1024 cause=\"\"\n"
	        "<5>backup-serves share=371/1024 " FEW "\n"
	        "<5>backup-serves share=1024/1024 " LATE "\n"
	        "<4>backup-unused " LATE " reason=\"the backup's site is drained\"\n"
	        "<5>backup-left share=0/1024 cause=\"\"\n";
	static const struct backup_step steps[] = {
		{ "uuuuu", NULL, 0, 0, 2000,
		  "own cause=0 unused=0 obstacle=0 share=0 since=-1 needed=-1 drill=0/0 slots=4096+0+0" },
		{ "uuuuu", NULL, 100, 10000, 1000,
		  "own cause=0 unused=0 obstacle=0 share=0 since=-1 needed=-1 drill=0/0 slots=4096+0+0" },
		{ "uduuu", NULL, 0, 0, 0,
		  "backup cause=2 unused=0 obstacle=0 share=1024 since=3000 needed=3000 drill=0/0 slots=2070+2026+0" }, /* fails */
		{ "uuuuu", NULL, 0, 0, 0,
		  "backup cause=2 unused=0 obstacle=0 share=1024 since=3000 needed=3000 drill=0/0 slots=2070+2026+0" }, /* returns after a while */
		{ "uuuuu", NULL, 0, 0, 9999,
		  "backup cause=2 unused=0 obstacle=0 share=1024 since=3000 needed=3000 drill=0/0 slots=0+4096+0" },
		{ "uuuuu", NULL, 0, 0, 1,
		  "own cause=0 unused=0 obstacle=0 share=0 since=13000 needed=3000 drill=0/0 slots=0+4096+0" },
		{ "ddu-u", NULL, 0, 0, 0,
		  "backup cause=2 unused=0 obstacle=4 share=1024 since=13000 needed=13000 drill=0/0 slots=0+4096+0" },
		{ "dd--u", NULL, 0, 0, 0,
		  "backup cause=2 unused=0 obstacle=4 share=1024 since=13000 needed=13000 drill=0/0 slots=0+4096+0" }, /* nothing to lose */
		{ "dd--d", NULL, 0, 0, 0,
		  "own cause=2 unused=2 obstacle=2 share=0 since=13000 needed=13000 drill=0/0 slots=0+4096+0" }, /* its site is down */
		{ "dduud", "d", 0, 0, 0,
		  "own cause=2 unused=1 obstacle=1 share=0 since=13000 needed=13000 drill=0/0 slots=0+4096+0" },
		{ "dduuu", "", 0, 0, 0,
		  "backup cause=2 unused=0 obstacle=0 share=1024 since=13000 needed=13000 drill=0/0 slots=0+4096+0" },
		{ "ddddu", NULL, 0, 0, 0,
		  "own cause=2 unused=3 obstacle=3 share=0 since=13000 needed=13000 drill=0/0 slots=4096+0+0" },
		{ "uuuuu", NULL, 0, 0, 0,
		  "own cause=0 unused=0 obstacle=0 share=0 since=13000 needed=13000 drill=0/0 slots=4096+0+0" },
		{ "uuuuu", "t", 0, 0, 0,
		  "own cause=0 unused=0 obstacle=0 share=0 since=13000 needed=13000 drill=1/1024! slots=4096+0+0" }, /* a drill */
		{ "uu--u", NULL, 0, 0, 0,
		  "own cause=0 unused=0 obstacle=4 share=0 since=13000 needed=13000 drill=0/0! slots=4096+0+0" },
		{ "uuuuu", NULL, 0, 0, 1000,
		  "own cause=0 unused=0 obstacle=0 share=0 since=13000 needed=13000 drill=1/1024! slots=4096+0+0" },
		{ "uuuuu", NULL, 2000, 0, 1000,
		  "own cause=0 unused=0 obstacle=0 share=0 since=13000 needed=13000 drill=2/324! slots=4096+0+0" }, /* more than the drill may send */
		{ "uuuuu", NULL, 0, 0, 1000,
		  "own cause=0 unused=0 obstacle=0 share=0 since=13000 needed=13000 drill=2/406! slots=4096+0+0" },
		{ "uduuu", NULL, 0, 0, 1000,
		  "limited cause=2 unused=0 obstacle=0 share=464 since=16000 needed=16000 drill=0/0! slots=3353+743+0" }, /* all go there, the drill's too */
		{ "uuuuu", "l", 0, 0, 1000,
		  "limited cause=1 unused=0 obstacle=0 share=581 since=16000 needed=17000 drill=0/0 slots=2612+1484+0" }, /* late clients */
		{ "uuuuu", NULL, 0, 5000000, 1000,
		  "limited cause=1 unused=0 obstacle=0 share=73 since=16000 needed=18000 drill=0/0 slots=2002+2094+0" },
		{ "uuuuu", NULL, 0, 0, 1000,
		  "limited cause=1 unused=0 obstacle=0 share=92 since=16000 needed=19000 drill=0/0 slots=2002+2094+0" },
		{ "uuuuu", NULL, 0, 0, 20000,
		  "backup cause=1 unused=0 obstacle=0 share=1024 since=16000 needed=20000 drill=0/0 slots=0+4096+0" },
		{ "uuuuu", "ld", 0, 0, 1000,
		  "own cause=1 unused=1 obstacle=1 share=0 since=40000 needed=40000 drill=0/0 slots=0+4096+0" },
		{ "uuuuu", "", 0, 0, 1000,
		  "own cause=0 unused=0 obstacle=0 share=0 since=40000 needed=40000 drill=0/0 slots=4096+0+0" },
	};

	(void)state;
	expect_steps(steps, sizeof(steps) / sizeof(steps[0]), lines);
}

static const char *say_index(const uint64_t *target, int index)
{
	if (index != health_find_index(s.health, *target))
		return "?";
	return index < 0 ? "" : "!";
}

/* Which checks are looked at, and whether the page has them (!), as "<service>/<family>". */
static const char *say_checks(void)
{
	static char text[512];
	const struct compiler_backup *b = find_own()->backup;
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < b->n_checks; i++)
		for (char service[] = "a"; service[0] <= 'z'; service[0]++)
			for (int is4 = 0; is4 < 2; is4++)
				if (b->checks[i].target ==
				    health_target_service(service, "fra", is4))
					n += (size_t)snprintf(text + n, sizeof(text) - n,
					                      "%s%s/%d%s", n ? " " : "", service,
					                      is4 ? 4 : 6,
					                      say_index(&b->checks[i].target,
					                                b->checks[i].page_index));
	return text;
}

/* The kinds of the services a, b, ...: see below. */
static void apply_services(const char *kinds)
{
	static struct model_at ats[24][2];
	static struct model_vip vips[24];
	static struct model_service services[24];
	static char names[24][2];
	size_t n = strlen(kinds);

	make_backed(&second);
	for (size_t i = 0; i < n; i++) {
		struct model_at there = second.w.at[1];

		names[i][0] = (char)('a' + i);
		vips[i] = second.w.vip;
		there.vip = &vips[i];
		services[i] = (struct model_service){ .name = names[i],
			                              .protocol = MODEL_TCP,
			                              .port = (uint16_t)(80 + i),
			                              .vip_check = &check,
			                              .at = ats[i],
			                              .n_at = 2 };
		if (kinds[i] == '4' || kinds[i] == '6')
			vips[i].n_addresses = 1;
		if (kinds[i] == '6')
			vips[i].addresses++;
		if (kinds[i] == '-')
			services[i].vip_check = NULL;
		if (kinds[i] == 's')
			services[i].n_at = 1;
		if (kinds[i] == 'p')
			there.pool = &second.w.pools[0];
		ats[i][0] = kinds[i] == 's' ? second.w.at[0] : there;
		ats[i][1] = second.w.at[0];
	}
	second.w.model.services = services;
	second.w.model.n_services = n;
	apply_world(&s, &second.w);
}

static void the_checks_of_the_backups_site_are_found(void **state)
{
	/* 4, 6, b: of one family or both, s: not there, p: leads to another pool, -: no check */
	static const struct {
		const char *kinds, *said;
	} rows[] = {
		{ "b", "a/6 a/4!" },
		{ "-", "" },
		{ "s", "" },
		{ "p", "" },
		{ "46s-pb", "a/4! b/6 f/6 f/4" },
		{ "bbbbbbb4", "a/6 a/4! b/6 b/4! c/6! c/4 d/6 d/4 e/6 e/4 f/6 f/4 g/6 g/4 h/4" },
		{ "bbbbbbb4b",
		  "a/6 a/4! b/6 b/4! c/6! c/4 d/6 d/4 e/6 e/4 f/6 f/4 g/6 g/4 h/4 i/6" },
		{ "bbbbbbbbb",
		  "a/6 a/4! b/6 b/4! c/6! c/4 d/6 d/4 e/6 e/4 f/6 f/4 g/6 g/4 h/6 h/4" },
	};
	const uint64_t targets[] = { health_target_backend("web-ams", OWN_A),
		                     health_target_service("b", "fra", true),
		                     health_target_service("a", "fra", true),
		                     health_target_service("c", "fra", false) };

	(void)state;
	assert_int_equal(health_set_targets(s.health, targets, 4, 3), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		apply_services(rows[i].kinds);
		if (strcmp(say_checks(), rows[i].said) != 0)
			fail_msg("%s: %s", rows[i].kinds, say_checks());
	}
}

SUITE(compiler_backup)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_backup_is_in_the_tables_and_owns_nothing),
		TEST(the_last_verdict_moves_all_slots_at_once),
		TEST(a_lost_verdict_moves_nothing),
		TEST(last_good_holds_only_when_the_backup_is_down_too),
		TEST(own_backends_return_after_ten_seconds),
		TEST(what_the_rate_holds_leaves_when_its_window_is_over),
		TEST(a_published_page_tells_of_the_backups_site),
		TEST(a_site_that_does_not_answer_is_no_backup),
		TEST(late_clients_go_to_the_backup_from_their_instant_on),
		TEST(a_step_below_all_makes_nobody_late),
		TEST(a_drain_by_the_clock_is_late_after_a_ttl),
		TEST(a_drain_of_another_service_makes_nobody_late),
		TEST(two_drained_sites_do_not_use_each_other),
		TEST(new_flows_count_as_bits_do),
		TEST(what_is_too_much_for_the_backup_is_dropped_by_name),
		TEST(load_above_the_limit_stays_with_own_backends_that_are_up),
		TEST(each_node_of_a_site_has_its_part_of_the_limit),
		TEST(a_peak_of_load_fades),
		TEST(a_new_backup_moves_no_slot),
		TEST(services_with_and_without_a_backup_have_slots_of_their_own),
		TEST(a_pool_is_found_at_its_first_table),
		TEST(a_restart_continues_with_the_backup),
		TEST(loads_are_measured_each_second),
		TEST(a_document_keeps_the_same_backup),
		TEST(who_refuses_what_is_too_much_always_serves),
		TEST(a_drill_is_known_while_the_backup_serves),
		TEST(each_check_of_a_site_counts),
		TEST(each_step_of_a_backups_life),
		TEST(the_checks_of_the_backups_site_are_found),
	};

	return cmocka_run_group_tests_name("compiler backup", tests, NULL, NULL);
}
