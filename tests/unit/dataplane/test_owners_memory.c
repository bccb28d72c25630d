/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sweep of the exceptions (dataplane/owners/memory.c): what is counted, what is removed, and
 * when an index is free.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/owners/owners_internal.h"

#include "tests/unit/dataplane/owners_read.h"
#include "tests/unit/suite.h"

#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))
#define MEMBER_SETS 64u
#define A_TICK      (MEMBER_SETS / 16 + 1) /* sets that one walks */
#define NOW_S       4000u

static struct fwd_exceptions sets[MEMBER_SETS], larger[2 * MEMBER_SETS];
static struct owners_memory *m;
static struct owners_clock now;

static int setup(void **state)
{
	(void)state;
	memset(sets, 0, sizeof(sets));
	memset(larger, 0, sizeof(larger));
	now = (struct owners_clock){ .now_ms = NOW_S * 1000 };
	return owners_memory_new(sets, MEMBER_SETS, &m);
}

static int teardown(void **state)
{
	(void)state;
	owners_memory_free(m);
	return 0;
}

static uint64_t make_word(uint16_t backend, enum owner_state state, uint32_t last_s)
{
	return owner_word(backend, state, owner_end(last_s, 64), 5);
}

/* --- counting --- */

static void a_pass_counts_by_backend(void **state)
{
	(void)state;
	sets[0].word[0] = make_word(1, OWNER_OPEN, NOW_S);
	sets[0].word[OWNER_WAYS - 1] = make_word(2, OWNER_EMBRYONIC, NOW_S);
	sets[MEMBER_SETS - 1].word[OWNER_WAYS - 1] = make_word(1, OWNER_UDP, NOW_S);
	sets[MEMBER_SETS - 1].word[0] = make_word(FWD_BACKENDS_MAX - 1, OWNER_EMBRYONIC, NOW_S);
	sweep_whole(m, &now);
	assert_int_equal(m->live[1], 2);
	assert_int_equal(m->live[2], 1);
	assert_int_equal(m->live[3], 0);
	assert_int_equal(m->live[FWD_BACKENDS_MAX - 1], 1);
	sets[0].word[0] = 0;
	sweep_whole(m, &now); /* not added to the last one's */
	assert_int_equal(m->live[1], 1);
}

static void a_tick_walks_its_part_twice_a_second_at_most(void **state)
{
	uint32_t ticks = 1;

	(void)state;
	for (uint32_t i = 0; i < MEMBER_SETS; i++)
		sets[i].word[0] = make_word(1, OWNER_OPEN, NOW_S - 200); /* ended */
	owners_memory_tick(m, &now);
	for (uint32_t i = 0; i < MEMBER_SETS; i++)
		assert_int_equal(sets[i].word[0] == 0, i < A_TICK);
	now.now_ms += 499;
	owners_memory_tick(m, &now);
	assert_int_not_equal(sets[A_TICK].word[0], 0);
	now.now_ms += 1;
	owners_memory_tick(m, &now);
	assert_int_equal(sets[2 * A_TICK - 1].word[0], 0);
	assert_int_not_equal(sets[2 * A_TICK].word[0], 0);
	sets[0].word[0] = make_word(1, OWNER_OPEN, NOW_S);
	for (ticks = 2; m->passes == 0; ticks++) {
		now.now_ms += 1000;
		owners_memory_tick(m, &now);
	}
	assert_int_equal(ticks, (MEMBER_SETS + A_TICK - 1) / A_TICK);
	assert_int_equal(m->live[1], 0); /* it came behind the pass */
	for (; m->passes == 1; now.now_ms += 1000)
		owners_memory_tick(m, &now);
	assert_int_equal(m->live[1], 1);
}

/* --- removing --- */

static void what_has_ended_or_outlived_its_lease_is_removed(void **state)
{
	static const struct {
		const char *why;
		enum owner_state state;
		uint32_t last_s, lease_end_s;
		bool stays;
	} cases[] = {
		{ "lives", OWNER_OPEN, NOW_S, 0, true },
		{ "ended", OWNER_OPEN, NOW_S - 80, 0, false },
		{ "lives to its unit's end", OWNER_OPEN, NOW_S - 64, 0, true },
		{ "TCP has no lease", OWNER_OPEN, NOW_S, NOW_S, true },
		{ "UDP that is kept has none", OWNER_UDP, NOW_S, NOW_S, true },
		{ "not drained", OWNER_UDP_LEASE, NOW_S, 0, true },
		{ "the lease lasts", OWNER_UDP_LEASE, NOW_S, NOW_S + 1, true },
		{ "the lease ends", OWNER_UDP_LEASE, NOW_S, NOW_S, false },
		{ "the lease was over", OWNER_UDP_LEASE, NOW_S, NOW_S - 1, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		sets[3].word[4] = make_word(7, cases[i].state, cases[i].last_s);
		m->lease_end_s[7] = cases[i].lease_end_s;
		m->lease_end_s[6] = m->lease_end_s[8] = NOW_S - 1;
		sweep_whole(m, &now);
		if ((sets[3].word[4] != 0) != cases[i].stays)
			fail_msg("%s", cases[i].why);
		assert_int_equal(m->live[7], cases[i].stays);
	}
}

static void the_dead_are_forgotten_in_all_sets_and_ways(void **state)
{
	static const uint32_t at[][2] = { { 0, 0 },
		                          { 0, OWNER_WAYS - 1 },
		                          { MEMBER_SETS - 1, 0 },
		                          { MEMBER_SETS - 1, OWNER_WAYS - 1 } };
	struct owners_backends dead = { 0 };

	(void)state;
	owners_add(&dead, 64);
	for (size_t i = 0; i < COUNT(at); i++) {
		sets[at[i][0]].word[at[i][1]] = make_word(64, OWNER_OPEN, NOW_S);
		sets[at[i][0]].word[3] = make_word(63, OWNER_OPEN, NOW_S);
	}
	owners_memory_forget(m, &dead);
	for (size_t i = 0; i < COUNT(at); i++) {
		assert_int_equal(sets[at[i][0]].word[at[i][1]], 0);
		assert_int_not_equal(sets[at[i][0]].word[3], 0);
	}
}

static void the_first_end_of_a_drain_counts(void **state)
{
	(void)state;
	owners_memory_drain(m, 3, 100);
	assert_int_equal(m->lease_end_s[3], 101); /* 0 would say that it is not drained */
	owners_memory_drain(m, 3, 201);
	assert_int_equal(m->lease_end_s[3], 101);
	owners_memory_drain(m, 4, 0);
	assert_int_equal(m->lease_end_s[4], 1);
	assert_int_equal(m->lease_end_s[2], 0);
}

/* --- when an index is free --- */

static void an_index_is_used_for_two_passes_after_its_last_name(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		sweep_whole(m, &now);
	assert_false(owners_memory_uses(m, 7));
	owners_memory_use(m, 7);
	assert_true(owners_memory_uses(m, 7));
	assert_false(owners_memory_uses(m, 6));
	sweep_whole(m, &now);
	assert_true(owners_memory_uses(m, 7));
	sweep_whole(m, &now);
	assert_false(owners_memory_uses(m, 7));
}

static void an_index_is_used_while_an_exception_is_known(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		sweep_whole(m, &now);
	sets[0].word[0] = make_word(7, OWNER_OPEN, NOW_S);
	owners_memory_tick(m, &now); /* counted in the pass that is under way */
	assert_true(owners_memory_uses(m, 7));
	sets[0].word[0] = 0;
	sweep_whole(m, &now);
	assert_false(owners_memory_uses(m, 7));
	sets[0].word[0] = make_word(7, OWNER_OPEN, NOW_S);
	sweep_whole(m, &now);
	sets[0].word[0] = 0; /* as of the last whole pass */
	assert_true(owners_memory_uses(m, 7));
}

/*
 * A table that was moved is counted from its beginning: nothing of the half that was seen counts.
 */
static void a_resize_counts_from_the_beginning(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		sweep_whole(m, &now);
	sets[0].word[0] = larger[0].word[0] = make_word(7, OWNER_EMBRYONIC, NOW_S);
	larger[2 * MEMBER_SETS - 1].word[0] = make_word(8, OWNER_OPEN, NOW_S);
	owners_memory_use(m, 9);
	owners_memory_tick(m, &now);
	owners_memory_move(m, larger, 2 * MEMBER_SETS);
	assert_true(owners_memory_uses(m, 6)); /* nothing is known of the table yet */
	for (now.now_ms += 1000; m->passes == 0; now.now_ms += 1000)
		owners_memory_tick(m, &now);
	assert_int_equal(m->live[7], 1);
	assert_int_equal(m->live[8], 1);
	assert_true(owners_memory_uses(m, 6));
	sweep_whole(m, &now);
	assert_false(owners_memory_uses(m, 6) || owners_memory_uses(m, 9));
}

#define MEMORY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(owners_memory)
{
	const struct CMUnitTest tests[] = {
		MEMORY_TEST(a_pass_counts_by_backend),
		MEMORY_TEST(a_tick_walks_its_part_twice_a_second_at_most),
		MEMORY_TEST(what_has_ended_or_outlived_its_lease_is_removed),
		MEMORY_TEST(the_dead_are_forgotten_in_all_sets_and_ways),
		MEMORY_TEST(the_first_end_of_a_drain_counts),
		MEMORY_TEST(an_index_is_used_for_two_passes_after_its_last_name),
		MEMORY_TEST(an_index_is_used_while_an_exception_is_known),
		MEMORY_TEST(a_resize_counts_from_the_beginning),
	};

	return cmocka_run_group_tests_name("owners memory", tests, NULL, NULL);
}
