/* SPDX-License-Identifier: BSD-2-Clause */
/* When a backup takes new flows, by the table of dataplane/tables/backup.c, and how many of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/tables/backup.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW      1000000u

static struct backup_facts facts_of(uint64_t own_up, uint64_t own_down, uint64_t up, uint64_t down)
{
	return (struct backup_facts){
		.own_min_percent = 50,
		.backup_min_percent = 50,
		.own = { .total = 10, .up = own_up, .down = own_down },
		.backup = { .total = 10, .up = up, .down = down },
	};
}

/* Own: up, down of 10; backup: up, down of 10. What is neither is unknown. */
static const struct {
	const char *why;
	bool late, drained, site_down;
	uint8_t own_up, own_down, up, down;
	enum effect_class class;
	enum effect_backup_unused unused;
} cases[] = {
	{ "all is well", false, false, false, 10, 0, 10, 0, EFFECT_CLASS_OWN, 0 },
	{ "just enough are up", false, false, false, 5, 5, 10, 0, EFFECT_CLASS_OWN, 0 },
	{ "one too few", false, false, false, 4, 6, 10, 0, EFFECT_CLASS_BACKUP, 0 },
	{ "none is left", false, false, false, 0, 10, 10, 0, EFFECT_CLASS_BACKUP, 0 },
	{ "without verdicts nothing switches", false, false, false, 0, 0, 10, 0, EFFECT_CLASS_OWN,
	  0 },
	{ "nor with few of them", false, false, false, 0, 5, 10, 0, EFFECT_CLASS_OWN, 0 },
	{ "late clients", true, false, false, 10, 0, 10, 0, EFFECT_CLASS_BACKUP, 0 },
	{ "late clients, own backends unknown", true, false, false, 0, 0, 5, 5, EFFECT_CLASS_BACKUP,
	  0 },
	{ "late clients, backup unknown", true, false, false, 10, 0, 0, 0, EFFECT_CLASS_OWN,
	  EFFECT_BACKUP_UNPROVEN },
	{ "late clients, backup half known", true, false, false, 10, 0, 4, 0, EFFECT_CLASS_OWN,
	  EFFECT_BACKUP_UNPROVEN },
	{ "late clients, backup drained", true, true, false, 10, 0, 10, 0, EFFECT_CLASS_OWN,
	  EFFECT_BACKUP_SITE_DRAINED },
	{ "late clients, backup's site down", true, false, true, 10, 0, 10, 0, EFFECT_CLASS_OWN,
	  EFFECT_BACKUP_SITE_DOWN },
	{ "late clients, backup below min_healthy", true, false, false, 10, 0, 4, 6,
	  EFFECT_CLASS_OWN, EFFECT_BACKUP_POOL_DOWN },
	{ "some own are left, backup unknown", false, false, false, 4, 6, 0, 0, EFFECT_CLASS_OWN,
	  EFFECT_BACKUP_UNPROVEN },
	{ "nothing to lose", false, false, false, 0, 10, 0, 0, EFFECT_CLASS_BACKUP, 0 },
	{ "nothing to lose, but the backup is down", false, false, false, 0, 10, 0, 10,
	  EFFECT_CLASS_OWN, EFFECT_BACKUP_POOL_DOWN },
	{ "nothing to lose, but its site is drained", false, true, false, 0, 10, 10, 0,
	  EFFECT_CLASS_OWN, EFFECT_BACKUP_SITE_DRAINED },
	{ "nothing to lose, but its site is down", false, false, true, 0, 10, 10, 0,
	  EFFECT_CLASS_OWN, EFFECT_BACKUP_SITE_DOWN },
};

static void the_class_follows_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct backup_state s = { 0 };
		struct backup_facts f =
		        facts_of(cases[i].own_up, cases[i].own_down, cases[i].up, cases[i].down);

		print_message("  %s\n", cases[i].why);
		f.late = cases[i].late;
		f.site_drained = cases[i].drained;
		f.site_down = cases[i].site_down;
		backup_decide(&s, &f, NOW);
		assert_int_equal(s.class, cases[i].class);
		assert_int_equal(s.unused, cases[i].unused);
		assert_int_equal(s.share, cases[i].class ? BACKUP_SHARE_ALL : 0);
	}
}

static void what_stands_against_a_backup_is_known_before_it_is_needed(void **state)
{
	struct backup_state s = { 0 };
	struct backup_facts f = facts_of(10, 0, 0, 0);

	(void)state;
	backup_decide(&s, &f, NOW);
	assert_int_equal(s.unused, EFFECT_BACKUP_USABLE); /* nobody needs it */
	assert_int_equal(s.obstacle, EFFECT_BACKUP_UNPROVEN);
	f.backup.up = 10;
	backup_decide(&s, &f, NOW);
	assert_int_equal(s.obstacle, EFFECT_BACKUP_USABLE);
	f.site_drained = true;
	backup_decide(&s, &f, NOW);
	assert_int_equal(s.obstacle, EFFECT_BACKUP_SITE_DRAINED);
}

static void min_healthy_of_nothing_fails_with_the_last(void **state)
{
	struct backup_state s = { 0 };
	struct backup_facts f = facts_of(1, 9, 10, 0);

	(void)state;
	f.own_min_percent = 0;
	backup_decide(&s, &f, NOW);
	assert_int_equal(s.class, EFFECT_CLASS_OWN);
	f.own = (struct backup_weights){ 10, 0, 10 };
	backup_decide(&s, &f, NOW);
	assert_int_equal(s.class, EFFECT_CLASS_BACKUP);
	s = (struct backup_state){ 0 };
	f.own = (struct backup_weights){ 0 }; /* a person has disabled all */
	backup_decide(&s, &f, NOW);
	assert_int_equal(s.class, EFFECT_CLASS_BACKUP);
}

static void own_backends_return_after_ten_good_seconds(void **state)
{
	struct backup_state s = { 0 };
	struct backup_facts good = facts_of(10, 0, 10, 0), bad = facts_of(0, 10, 10, 0);

	(void)state;
	backup_decide(&s, &bad, NOW);
	assert_int_equal(s.since_ms, NOW);
	assert_int_equal(backup_decide(&s, &good, NOW + 1000), NOW + BACKUP_RETURN_MS);
	assert_int_equal(s.class, EFFECT_CLASS_BACKUP);
	backup_decide(&s, &bad, NOW + 5000); /* they fail once more: the time starts again */
	backup_decide(&s, &good, NOW + BACKUP_RETURN_MS);
	assert_int_equal(s.class, EFFECT_CLASS_BACKUP);
	backup_decide(&s, &good, NOW + 5000 + BACKUP_RETURN_MS - 1);
	assert_int_equal(s.class, EFFECT_CLASS_BACKUP);
	backup_decide(&s, &good, NOW + 5000 + BACKUP_RETURN_MS);
	assert_int_equal(s.class, EFFECT_CLASS_OWN);
	assert_int_equal(s.share, 0);
	assert_int_equal(s.cause, EFFECT_BACKUP_NOT_NEEDED);
}

static void a_backup_that_fails_is_left_at_once(void **state)
{
	struct backup_state s = { 0 };
	struct backup_facts f = facts_of(0, 10, 10, 0);

	(void)state;
	backup_decide(&s, &f, NOW);
	f.backup = (struct backup_weights){ 10, 0, 10 };
	backup_decide(&s, &f, NOW + 1);
	assert_int_equal(s.class, EFFECT_CLASS_OWN);
	f = facts_of(10, 0, 10, 0); /* also while it only waits for its return */
	s = (struct backup_state){ .class = EFFECT_CLASS_BACKUP, .needed_ms = NOW, .share = 1 };
	f.site_drained = true;
	backup_decide(&s, &f, NOW + 1);
	assert_int_equal(s.class, EFFECT_CLASS_OWN);
}

static void a_backup_that_is_used_is_not_left_for_want_of_a_verdict(void **state)
{
	struct backup_state s = { 0 };
	struct backup_facts f = facts_of(10, 0, 10, 0);

	(void)state;
	f.late = true;
	backup_decide(&s, &f, NOW);
	f.backup.up = 0;
	backup_decide(&s, &f, NOW + 1000);
	assert_int_equal(s.class, EFFECT_CLASS_BACKUP);
}

static void two_drained_sites_use_neither(void **state)
{
	(void)state;
	for (int site = 0; site < 2; site++) {
		struct backup_state s = { 0 };
		struct backup_facts f = facts_of(10, 0, 10, 0);

		f.late = f.site_drained = true;
		backup_decide(&s, &f, NOW);
		assert_int_equal(s.class, EFFECT_CLASS_OWN);
	}
}

static void weights_are_added_up_by_evidence(void **state)
{
	const struct guard_backend b[] = {
		{ .weight = 1, .verdict = GUARD_UP },
		{ .weight = 2, .verdict = GUARD_DOWN },
		{ .weight = 4, .verdict = GUARD_UNKNOWN },
		{ .weight = 8, .verdict = GUARD_UNKNOWN, .dead = true },
		{ .weight = 16, .verdict = GUARD_UNCHECKED },
		{ .weight = 32, .verdict = GUARD_UP, .intent = GUARD_DISABLED },
		{ .weight = 64, .verdict = GUARD_DOWN, .intent = GUARD_FORCED_UP },
	};
	struct backup_weights w = backup_add_up(b, COUNT(b));

	(void)state;
	assert_int_equal(w.total, 1 + 2 + 4 + 8 + 16 + 64);
	assert_int_equal(w.up, 1 + 16 + 64);
	assert_int_equal(w.down, 2 + 8);
	const struct guard_backend alike[] = { { .verdict = GUARD_UP }, { .verdict = GUARD_DOWN } };
	w = backup_add_up(alike, 2);
	assert_int_equal(w.total, 2);
	assert_int_equal(w.down, 1);
}

static const struct backup_limit limit = { 1000, 1000000 };

static struct backup_state used_with(uint16_t share)
{
	return (struct backup_state){ .class = EFFECT_CLASS_BACKUP, .share = share };
}

static void it_begins_with_the_share_that_has_room(void **state)
{
	static const struct {
		uint64_t flows, bits;
		bool known;
		uint16_t least, most;
	} loads[] = {
		{ 1000, 0, true, BACKUP_SHARE_ALL, BACKUP_SHARE_ALL },
		{ 2000, 0, true, 450, 512 },
		{ 0, 4000000, true, 230, 256 },
		{ 2000, 4000000, true, 230, 256 },
		{ UINT64_MAX / 200, 0, true, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(loads); i++) {
		const struct backup_load load = { loads[i].flows, loads[i].bits, loads[i].known };
		struct backup_state s = used_with(0);

		backup_begin_share(&s, &load, &limit);
		assert_in_range(s.share, loads[i].least, loads[i].most);
		assert_int_equal(s.class, s.share < BACKUP_SHARE_ALL ? EFFECT_CLASS_LIMITED
		                                                     : EFFECT_CLASS_BACKUP);
	}
}

/* Own backends that are up keep who is not sent away; those that are not would drop them. */
static void an_unknown_load_is_not_none(void **state)
{
	const struct backup_load unknown = { 0 };
	struct backup_state s = used_with(0);

	(void)state;
	s.cause = EFFECT_BACKUP_LATE;
	backup_begin_share(&s, &unknown, &limit);
	assert_int_equal(s.share, BACKUP_SHARE_ALL / 8);
	assert_int_equal(s.class, EFFECT_CLASS_LIMITED);
	s.cause = EFFECT_BACKUP_FAILED;
	backup_begin_share(&s, &unknown, &limit);
	assert_int_equal(s.share, BACKUP_SHARE_ALL);
}

static void above_the_limit_the_share_shrinks_at_once(void **state)
{
	struct backup_load load = { 2000, 0, true };
	struct backup_state s = used_with(BACKUP_SHARE_ALL);

	(void)state;
	assert_true(backup_follow_load(&s, &load, &limit));
	assert_in_range(s.share, 450, 512);
	assert_int_equal(s.class, EFFECT_CLASS_LIMITED);
	load = (struct backup_load){ 0, 2000000, true };
	assert_true(backup_follow_load(&s, &load, &limit));
	assert_in_range(s.share, 200, 256);
}

static void below_the_limit_it_grows_step_by_step_and_never_beyond(void **state)
{
	struct backup_state s = used_with(100);
	struct backup_load load = { 0, 0, true };
	int steps = 0;

	(void)state;
	s.class = EFFECT_CLASS_LIMITED;
	for (; s.share < BACKUP_SHARE_ALL && steps < 100; steps++) {
		uint16_t was = s.share;

		load.flows_per_s = 1000u * s.share / BACKUP_SHARE_ALL; /* all of it just fits */
		backup_follow_load(&s, &load, &limit);
		assert_true(s.share <= was + was / 4 + 1);
		if (s.share == was)
			break;
	}
	assert_in_range(s.share, BACKUP_SHARE_ALL * 75 / 100, BACKUP_SHARE_ALL);
	assert_in_range(steps, 5, 50);
	s = used_with(BACKUP_SHARE_ALL);
	load.known = false;
	load.flows_per_s = 1000000;
	assert_false(backup_follow_load(&s, &load, &limit)); /* unknown is no load, and no room */
	s = (struct backup_state){ 0 };
	load.known = true;
	assert_false(backup_follow_load(&s, &load, &limit));
	assert_int_equal(s.share, 0);
}

/* Of a few slots, one more is much: not if it would bring more than the limit. */
static void a_share_of_one_slot_is_not_doubled(void **state)
{
	struct backup_state s = used_with(1);
	struct backup_load load = { 790, 0, true };

	(void)state;
	s.class = EFFECT_CLASS_LIMITED;
	assert_false(backup_follow_load(&s, &load, &limit));
	assert_int_equal(s.share, 1);
	load.flows_per_s = 300;
	assert_true(backup_follow_load(&s, &load, &limit));
	assert_int_equal(s.share, 2);
}

SUITE(backup)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_share_of_one_slot_is_not_doubled),
		cmocka_unit_test(the_class_follows_the_table),
		cmocka_unit_test(what_stands_against_a_backup_is_known_before_it_is_needed),
		cmocka_unit_test(min_healthy_of_nothing_fails_with_the_last),
		cmocka_unit_test(own_backends_return_after_ten_good_seconds),
		cmocka_unit_test(a_backup_that_fails_is_left_at_once),
		cmocka_unit_test(a_backup_that_is_used_is_not_left_for_want_of_a_verdict),
		cmocka_unit_test(two_drained_sites_use_neither),
		cmocka_unit_test(weights_are_added_up_by_evidence),
		cmocka_unit_test(it_begins_with_the_share_that_has_room),
		cmocka_unit_test(an_unknown_load_is_not_none),
		cmocka_unit_test(above_the_limit_the_share_shrinks_at_once),
		cmocka_unit_test(below_the_limit_it_grows_step_by_step_and_never_beyond),
	};

	return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
