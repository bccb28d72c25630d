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

#include <cmocka.h>

#include "tests/unit/dataplane/backed.h"

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

/* Of two backends each; a peak fades by an eighth. */
static void loads_are_measured_each_second(void **state)
{
	static const struct {
		uint64_t own_flows, own_bytes, flows, bytes; /* more since the row before */
		bool begins_again;                           /* the own backends' counters */
		uint64_t ms;
		const char *said;
	} rows[] = {
		{ 0, 0, 0, 0, false, 2000, "0/0, 0/0" },
		{ 100, 10000, 20, 3000, false, 999, "0/0, 0/0" },
		{ 0, 0, 0, 0, false, 1, "300/304000, 60/84000" },
		{ 0, 0, 0, 0, false, 1000, "263/266000, 0/0" },
		{ 60, 5000, 10, 1000, false, 1000, "231/232750, 30/30000" },
		{ 200, 0, 0, 0, false, 1000, "600/203657, 0/0" },
		{ 0, 0, 0, 0, true, 1000, "600/203657, (0/0)" },
		{ 10, 1000, 4, 100, false, 1000, "525/178200, 12/4000" },
		{ 0, 0, 0, 0, false, 3000, "353/119381, 0/0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		count_load(PLAN_OWN, rows[i].own_flows, rows[i].own_bytes);
		count_load(PLAN_BACKUP, rows[i].flows, rows[i].bytes);
		for (size_t k = 0; k < find_own()->plan->n_backends && rows[i].begins_again; k++)
			if (find_own()->plan->backends[k].class == PLAN_OWN)
				s.node.t.backend_news[find_own()->backends[k].index].packets = 0;
		pass_ms(rows[i].ms);
		if (strcmp(say_load(), rows[i].said) != 0)
			fail_msg("row %zu: %s", i, say_load());
	}
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

int main(void)
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
	};

	return cmocka_run_group_tests_name("compiler backup", tests, NULL, NULL);
}
