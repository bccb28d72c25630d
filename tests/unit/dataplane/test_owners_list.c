/* SPDX-License-Identifier: BSD-2-Clause */
/* Owners of slots in a pool with agents (dataplane/owners/owners.h): lists of earlier owners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/fwd/owner.h"

#include "tests/unit/dataplane/owners_read.h"

#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))
#define SLOTS       4096u
#define MEMBERS     8u
#define MEMBER_SETS 6u
#define WALL        1700000000000
#define SETTLE      900000

static const uint64_t key[2] = { 3, 4 };
static const struct owners_times times = { SETTLE, 300000, 30000, true, NULL };
static struct fwd_slots slots[SLOTS / FWD_SLOTS_PER_BLOCK];
static struct owner_cold colds[SLOTS];
static struct fwd_exceptions exceptions[64];
static struct owners_memory *memory;
static struct owners *owners;
static struct owners_clock now;
static struct owners_member members[MEMBER_SETS][MEMBERS];
static struct owners_set sets[MEMBER_SETS];
static uint8_t states[MEMBERS + 1];
static uint16_t before[SLOTS];
static struct owners_handover told[SLOTS + 1];

static uint16_t hot_word(uint32_t s)
{
	return slots[s / FWD_SLOTS_PER_BLOCK].slot[s % FWD_SLOTS_PER_BLOCK];
}

static uint16_t current_owner(uint32_t s)
{
	return hot_word(s) & FWD_SLOT_BACKEND;
}

static uint64_t earlier_owners(uint32_t s)
{
	return hot_word(s) & FWD_SLOT_UNSETTLED ? colds[s].list.earlier : 0;
}

/* Whether slot @p s names those of @p list, and perhaps others after them. */
static bool names_first(uint32_t s, uint64_t list)
{
	bool same = true;

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		same &= owner_list_at(list, i) == 0 ||
		        owner_list_at(list, i) == owner_list_at(earlier_owners(s), i);
	return same;
}

/* Whether slot @p s would be served by @p backend, now or as one of those that are named. */
static bool is_named(uint32_t s, uint16_t backend)
{
	bool found = current_owner(s) == backend;

	for (uint32_t i = 0; i < SECOND_OWNERS_MAX; i++)
		found |= owner_list_at(earlier_owners(s), i) == backend;
	return found;
}

static void remember_lists(void)
{
	for (uint32_t s = 0; s < SLOTS; s++)
		before[s] = current_owner(s);
}

static void open_process(void)
{
	const struct owners_tables tables = { slots, colds, 0, SLOTS };

	assert_int_equal(owners_memory_new(exceptions, COUNT(exceptions), &memory), 0);
	assert_int_equal(owners_new(&tables, memory, key, &owners), 0);
}

static void close_process(void)
{
	owners_free(owners);
	owners_memory_free(memory);
}

/* The machine is another: nothing is in its tables. */
static void open_fresh(void)
{
	close_process();
	memset(slots, 0, sizeof(slots));
	memset(colds, 0, sizeof(colds));
	open_process();
}

/* What the node tells of all its slots. @return how many */
static size_t tell_all(struct owners_handover *out)
{
	size_t n = 0;

	while (owners_handover_find(owners, n > 0 ? out[n - 1].slot + 1 : 0, &now, &out[n]))
		n++;
	return n;
}

static int setup(void **state)
{
	(void)state;
	memset(slots, 0, sizeof(slots));
	memset(colds, 0, sizeof(colds));
	memset(states, 0, sizeof(states));
	now = (struct owners_clock){ 5000000, WALL };
	for (size_t i = 0; i < MEMBER_SETS; i++) {
		for (uint16_t m = 0; m < MEMBERS; m++)
			members[i][m] = (struct owners_member){ .id = 1000u + m,
				                                .weight = 100,
				                                .backend = m + 1 };
		sets[i] = (struct owners_set){ WALL + 10000 * (int64_t)i, INT64_MAX, members[i],
			                       MEMBERS, NULL };
	}
	open_process();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_process();
	return 0;
}

static void apply_sets(size_t n_sets)
{
	assert_int_equal(owners_apply(owners, &times, sets, n_sets, states, COUNT(states), &now),
	                 0);
}

static void pass_ms(uint64_t ms)
{
	for (uint64_t end = now.now_ms + ms; now.now_ms < end;) {
		uint64_t step = owners_tick(owners, &now);

		step = step < end - now.now_ms ? step : end - now.now_ms;
		now.now_ms += step;
		now.wall_clock_ms += (int64_t)step;
	}
	owners_tick(owners, &now);
}

/* The members' weights in set @p i: all but the backends of @p out, a bit each. */
static void apply_without(size_t i, unsigned out)
{
	for (uint16_t m = 0; m < MEMBERS; m++)
		members[i][m].weight = out >> (m + 1) & 1 ? 0 : 100;
	sets[i - 1].until_ms = sets[i].from_ms + SETTLE;
}

/* Sets in which backends 1, 2, 3 and 4 leave one after another, each ten seconds after the last. */
static void leave_one_by_one(void)
{
	apply_without(1, 1u << 1);
	apply_without(2, 1u << 1 | 1u << 2);
	apply_without(3, 1u << 1 | 1u << 2 | 1u << 3);
	apply_without(4, 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4);
}

static uint32_t count_waiting(void)
{
	struct owners_stats out;

	count_slots(owners, &out, NULL, NULL, 0);
	return out.waiting;
}

/* A range of slots may be another pool's until shortly before its first sets. */
static void what_the_slots_were_before_the_first_sets_is_no_owner(void **state)
{
	(void)state;
	close_process();
	for (size_t i = 0; i < COUNT(slots); i++)
		for (size_t k = 0; k < FWD_SLOTS_PER_BLOCK; k++)
			slots[i].slot[k] = MEMBERS + 1;
	open_process();
	memset(slots, 0, sizeof(slots));
	apply_sets(1);
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_in_range(current_owner(s), 1, MEMBERS);
		assert_int_equal(earlier_owners(s), 0);
	}
}

static void a_slot_moves_at_its_sets_time_and_names_whom_it_left_newest_first(void **state)
{
	(void)state;
	uint32_t twice = 0;

	leave_one_by_one();
	apply_sets(2);
	pass_ms(9990);
	remember_lists();
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_int_equal(earlier_owners(s), 0);
	pass_ms(20);
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_int_not_equal(current_owner(s), 1);
		assert_int_equal(earlier_owners(s), current_owner(s) != before[s] ? before[s] : 0);
	}
	apply_sets(3);
	pass_ms(10000);
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_true(current_owner(s) != 1 && current_owner(s) != 2);
		twice += earlier_owners(s) == (2 | 1 << 16);
	}
	assert_true(twice > 10);
}

/* Also where the units of time wrap between the two. */
static void who_is_drained_for_longer_than_the_settling_time_is_named_so_long(void **state)
{
	static const uint64_t starts_ms[] = { 5000000,
		                              65536ull * OWNER_LIST_UNIT_S * 1000 - 2 * SETTLE };

	for (size_t i = 0; i < COUNT(starts_ms); i++) {
		const uint32_t moved_s = (uint32_t)(starts_ms[i] / 1000) + 10;
		uint32_t n = 0;

		teardown(state);
		setup(state);
		now.now_ms = starts_ms[i];
		apply_without(1, 1u << 1);
		sets[0].until_ms = sets[1].from_ms + 3 * SETTLE;
		apply_sets(2);
		pass_ms(10010);
		for (uint32_t s = 0; s < SLOTS; s++) {
			if (earlier_owners(s) != 1)
				continue;
			n++;
			if (owner_list_is_over(colds[s].list.end[0],
			                       moved_s + 3 * SETTLE / 1000 - 1) ||
			    !owner_list_is_over(colds[s].list.end[0],
			                        moved_s + 3 * SETTLE / 1000 +
			                                2 * OWNER_LIST_UNIT_S))
				fail_msg("start %zu, slot %u: unit %u", i, s, colds[s].list.end[0]);
		}
		assert_true(n > 300);
	}
}

static void a_slot_that_returns_does_not_name_its_own_owner(void **state)
{
	(void)state;
	uint32_t n = 0;

	apply_without(1, 1u << 1);
	apply_without(2, 0);
	apply_sets(2);
	pass_ms(10010);
	remember_lists();
	apply_sets(3);
	pass_ms(10000);
	for (uint32_t s = 0; s < SLOTS; s++) {
		if (current_owner(s) != 1)
			continue;
		assert_int_equal(earlier_owners(s), before[s]);
		n++;
	}
	assert_true(n > 300);
}

/* Slots that all four have owned: three earlier owners, and the fourth would leave, too. */
static void fill_lists(void)
{
	leave_one_by_one();
	for (size_t n = 2; n <= 5; n++) {
		apply_sets(n);
		pass_ms(n == 2 ? 10010 : 10000);
	}
}

static void a_full_list_waits_until_its_oldest_claim_has_had_its_time(void **state)
{
	(void)state;
	uint32_t n, seen = 0;

	fill_lists();
	n = count_waiting();
	assert_true(n > 0);
	for (uint32_t s = 0; s < SLOTS; s++) {
		if (current_owner(s) != 4)
			continue;
		assert_int_equal(owner_list_n(earlier_owners(s)), 3);
		assert_int_equal(owner_list_at(earlier_owners(s), 2), 1);
		seen++;
	}
	assert_int_equal(seen, n);
	pass_ms(SETTLE - 40000);
	assert_int_equal(count_waiting(), n);
	pass_ms(40000);
	assert_int_equal(count_waiting(), 0);
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_int_not_equal(current_owner(s), 4);
}

static void a_full_list_does_not_keep_a_slot_with_the_dead(void **state)
{
	(void)state;
	uint64_t lists[SLOTS];

	fill_lists();
	remember_lists();
	for (uint32_t s = 0; s < SLOTS; s++)
		lists[s] = earlier_owners(s);
	states[4] = OWNERS_DEAD;
	apply_sets(5);
	assert_int_equal(count_waiting(), 0);
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_int_not_equal(current_owner(s), 4);
		for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
			assert_int_not_equal(owner_list_at(earlier_owners(s), i), 4);
		if (before[s] == 4)
			assert_int_equal(earlier_owners(s), lists[s]);
	}
}

static void the_dead_have_no_claim(void **state)
{
	(void)state;
	uint32_t looking = 0;

	leave_one_by_one();
	apply_sets(2);
	pass_ms(10010);
	states[1] = OWNERS_DEAD;
	apply_sets(2);
	pass_ms(600000);
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_int_not_equal(owner_list_at(earlier_owners(s), 0), 1);
		assert_int_equal(!(hot_word(s) & FWD_SLOT_UNSETTLED), earlier_owners(s) == 0);
		looking += earlier_owners(s) != 0;
	}
	assert_true(looking < SLOTS / 50); /* what moved between the others */
}

static void a_claim_lasts_longer_than_its_time_while_there_is_room(void **state)
{
	(void)state;
	uint32_t n = 0;

	leave_one_by_one();
	apply_sets(2);
	pass_ms(10010);
	pass_ms(20 * SETTLE);
	for (uint32_t s = 0; s < SLOTS; s++)
		n += earlier_owners(s) == 1;
	assert_true(n > 300);
	assert_true(owners_uses(owners, 1));
}

/* Before, in the middle of, and after the time of the oldest claim. */
static void a_fresh_node_names_the_same_owners(void **state)
{
	(void)state;
	static struct fwd_slots lived[COUNT(slots)];
	static uint64_t lists[SLOTS];

	fill_lists();
	pass_ms(1000);
	memcpy(lived, slots, sizeof(slots));
	for (uint32_t s = 0; s < SLOTS; s++)
		lists[s] = earlier_owners(s);
	open_fresh();
	apply_sets(5);
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_int_equal(current_owner(s), lived[s / 32].slot[s % 32] & FWD_SLOT_BACKEND);
		assert_true(names_first(s, lists[s]));
	}
}

/* A backend that was removed is no longer probed: a fresh node has no verdict about it. */
static void a_fresh_node_names_those_that_it_has_no_verdict_of(void **state)
{
	(void)state;
	uint32_t named = 0, n = 0;

	leave_one_by_one();
	apply_sets(2);
	pass_ms(10010);
	for (uint32_t s = 0; s < SLOTS; s++)
		n += earlier_owners(s) == 1;
	close_process();
	memset(slots, 0, sizeof(slots));
	memset(colds, 0, sizeof(colds));
	states[1] = OWNERS_WAITS;
	open_process();
	apply_sets(2);
	for (uint32_t s = 0; s < SLOTS; s++)
		named += owner_list_at(earlier_owners(s), 0) == 1;
	assert_true(n > 300);
	assert_int_equal(named, n);
}

/* The process was dead while two sets came. */
static void a_node_that_missed_sets_names_their_owners_all_the_same(void **state)
{
	(void)state;
	static uint64_t lists[SLOTS];

	leave_one_by_one();
	apply_sets(2);
	pass_ms(10010);
	close_process();
	now.now_ms += 25000;
	now.wall_clock_ms += 25000;
	open_process();
	apply_sets(4);
	for (uint32_t s = 0; s < SLOTS; s++)
		lists[s] = earlier_owners(s);
	open_fresh();
	apply_sets(4);
	for (uint32_t s = 0; s < SLOTS; s++)
		for (uint32_t i = 0; i < OWNER_LIST_MAX; i++) {
			uint32_t backend = owner_list_at(earlier_owners(s), i),
			         found = backend == 0;

			for (uint32_t k = 0; k < OWNER_LIST_MAX; k++)
				found |= owner_list_at(lists[s], k) == backend;
			assert_true(found);
		}
}

/* Of two nodes one sees that backend 1 is dead for a while, and the other does not. */
static void a_death_that_another_node_has_not_seen_changes_no_owner_and_hides_none(void **state)
{
	(void)state;
	static uint16_t theirs[SLOTS];
	static uint64_t lists[SLOTS];

	fill_lists();
	for (uint32_t s = 0; s < SLOTS; s++) {
		theirs[s] = current_owner(s);
		lists[s] = earlier_owners(s);
	}
	teardown(NULL);
	setup(NULL);
	leave_one_by_one();
	for (size_t n = 2; n <= 5; n++) {
		apply_sets(n);
		pass_ms(n == 2 ? 10010 : 5000);
		states[1] = n == 3 ? OWNERS_DEAD : OWNERS_SERVES;
		apply_sets(n);
		pass_ms(n == 2 ? 0 : 5000);
	}
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_int_equal(current_owner(s), theirs[s]);
		assert_true(names_first(s, lists[s]));
	}
}

/* Flows that began while their slot's owner was dead, on one node, are found by all afterwards. */
static void who_had_the_slot_by_a_death_is_named_after_it_and_by_a_fresh_node(void **state)
{
	(void)state;
	static uint16_t deputies[SLOTS];
	uint32_t n = 0;

	apply_without(1, 1u << 1);
	apply_sets(2);
	pass_ms(10010);
	remember_lists();
	states[5] = OWNERS_DEAD;
	apply_sets(2);
	for (uint32_t s = 0; s < SLOTS; s++) {
		deputies[s] = current_owner(s);
		assert_int_not_equal(deputies[s], 5);
	}
	states[5] = OWNERS_SERVES;
	apply_sets(2);
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_int_equal(current_owner(s), before[s]);
		assert_true(is_named(s, deputies[s]));
		n += deputies[s] != before[s];
	}
	assert_true(n > 300);
	assert_int_equal(tell_all(told), n);
	open_fresh();
	apply_sets(2);
	owners_handover_apply(owners, told, n, &now);
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_true(is_named(s, deputies[s]));
}

static uint32_t count_named(const uint16_t *backends)
{
	uint32_t n = 0;

	for (uint32_t s = 0; s < SLOTS; s++)
		n += backends[s] != before[s] && is_named(s, backends[s]);
	return n;
}

/* Claims end by units of time. After that nobody is named by one, and no document need come for it. */
static void who_had_the_slot_by_a_death_is_named_for_the_settling_time(void **state)
{
	(void)state;
	static uint16_t deputies[SLOTS];
	uint32_t n;

	apply_sets(1);
	remember_lists();
	states[5] = OWNERS_DEAD;
	apply_sets(1);
	for (uint32_t s = 0; s < SLOTS; s++)
		deputies[s] = current_owner(s);
	states[5] = OWNERS_SERVES;
	apply_sets(1);
	n = count_named(deputies);
	assert_true(n > 300);
	pass_ms(SETTLE);
	apply_sets(1);
	assert_int_equal(count_named(deputies), n);
	pass_ms(3000 * OWNER_LIST_UNIT_S);
	assert_int_equal(count_named(deputies), 0);
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_false(hot_word(s) & FWD_SLOT_UNSETTLED);
	apply_sets(1);
	assert_int_equal(count_named(deputies), 0);
}

/* Where slots rest because not all can be named, a node that starts lets them rest, too. */
static void a_fresh_node_has_the_slots_as_the_one_that_tells_it(void **state)
{
	(void)state;
	static uint64_t lists[SLOTS];
	uint32_t n_resting = 0;
	size_t n;

	fill_lists();
	for (uint16_t dead = 5; dead <= 7; dead++) {
		states[dead] = OWNERS_DEAD;
		apply_sets(5);
		pass_ms(3000);
		states[dead - 1] = OWNERS_SERVES;
		apply_sets(5);
		pass_ms(3000);
	}
	remember_lists();
	for (uint32_t s = 0; s < SLOTS; s++)
		lists[s] = earlier_owners(s);
	n = tell_all(told);
	states[7] = OWNERS_SERVES; /* not seen yet */
	open_fresh();
	apply_sets(5);
	for (uint32_t s = 0; s < SLOTS; s++)
		n_resting += current_owner(s) != before[s];
	states[7] = OWNERS_DEAD;
	apply_sets(5);
	owners_handover_apply(owners, told, n, &now);
	assert_true(n_resting > 100);
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_int_equal(current_owner(s), before[s]);
		assert_true(names_first(s, lists[s]));
	}
}

/* What it believed before is behind what it was told, and takes nobody's place. */
static void a_fresh_nodes_own_guests_have_no_claim(void **state)
{
	(void)state;
	static uint16_t deputies[SLOTS];
	static uint64_t lists[SLOTS];
	uint32_t n_named = 0;

	fill_lists();
	remember_lists();
	for (uint32_t s = 0; s < SLOTS; s++)
		lists[s] = earlier_owners(s);
	size_t n = tell_all(told);
	open_fresh();
	states[5] = states[6] = states[7] = OWNERS_DEAD; /* long ago */
	apply_sets(5);
	for (uint32_t s = 0; s < SLOTS; s++)
		deputies[s] = current_owner(s);
	states[5] = states[6] = states[7] = OWNERS_SERVES;
	apply_sets(5);
	owners_handover_apply(owners, told, n, &now);
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_int_equal(current_owner(s), before[s]);
		assert_true(names_first(s, lists[s]));
		n_named += deputies[s] != before[s] && is_named(s, deputies[s]);
	}
	assert_true(n_named > 100);
}

/* Slots that others had before go to one of those, which all nodes name. */
static void a_dead_owners_slot_goes_to_an_earlier_owner_that_takes_new_flows(void **state)
{
	(void)state;
	static uint64_t lists[SLOTS];
	uint32_t n = 0;

	apply_without(1, 1u << 1);
	apply_without(2, 0);
	apply_sets(2);
	pass_ms(10010);
	apply_sets(3);
	pass_ms(10000);
	for (uint32_t s = 0; s < SLOTS; s++)
		lists[s] = earlier_owners(s);
	remember_lists();
	states[1] = OWNERS_DEAD;
	apply_sets(3);
	for (uint32_t s = 0; s < SLOTS; s++) {
		if (before[s] != 1 || lists[s] == 0)
			continue;
		assert_int_equal(current_owner(s), owner_list_at(lists[s], 0));
		n++;
	}
	assert_true(n > 300);
}

/* A node without a verdict of an owner gives new flows to whom all nodes name, too. */
static void a_waiting_owners_slot_goes_to_an_earlier_owner(void **state)
{
	(void)state;
	uint32_t n = 0;

	apply_without(1, 1u << 1);
	apply_without(2, 0);
	apply_sets(2);
	pass_ms(10010);
	apply_sets(3);
	pass_ms(10000);
	open_fresh();
	states[1] = OWNERS_WAITS;
	apply_sets(3);
	for (uint32_t s = 0; s < SLOTS; s++) {
		uint16_t first = (uint16_t)owner_list_at(earlier_owners(s), 0);

		assert_int_not_equal(current_owner(s), 1);
		before[s] = current_owner(s);
		n += first == 1;
	}
	assert_true(n > 300);
	states[1] = OWNERS_SERVES;
	apply_sets(3);
	n = 0;
	for (uint32_t s = 0; s < SLOTS; s++) {
		if (current_owner(s) != 1 || earlier_owners(s) == 0)
			continue;
		assert_int_equal(owner_list_at(earlier_owners(s), 0), before[s]);
		assert_false(owner_list_is_temporary(earlier_owners(s), 0)); /* one of the line */
		n++;
	}
	assert_true(n > 300);
}

#define LIST_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(owners_list)
{
	const struct CMUnitTest tests[] = {
		LIST_TEST(a_full_list_waits_until_its_oldest_claim_has_had_its_time),
		LIST_TEST(a_full_list_does_not_keep_a_slot_with_the_dead),
		LIST_TEST(the_dead_have_no_claim),
		LIST_TEST(what_the_slots_were_before_the_first_sets_is_no_owner),
		LIST_TEST(a_slot_moves_at_its_sets_time_and_names_whom_it_left_newest_first),
		LIST_TEST(who_is_drained_for_longer_than_the_settling_time_is_named_so_long),
		LIST_TEST(a_slot_that_returns_does_not_name_its_own_owner),
		LIST_TEST(a_claim_lasts_longer_than_its_time_while_there_is_room),
		LIST_TEST(a_fresh_node_names_the_same_owners),
		LIST_TEST(a_fresh_node_names_those_that_it_has_no_verdict_of),
		LIST_TEST(a_node_that_missed_sets_names_their_owners_all_the_same),
		LIST_TEST(a_death_that_another_node_has_not_seen_changes_no_owner_and_hides_none),
		LIST_TEST(who_had_the_slot_by_a_death_is_named_after_it_and_by_a_fresh_node),
		LIST_TEST(who_had_the_slot_by_a_death_is_named_for_the_settling_time),
		LIST_TEST(a_fresh_node_has_the_slots_as_the_one_that_tells_it),
		LIST_TEST(a_fresh_nodes_own_guests_have_no_claim),
		LIST_TEST(a_waiting_owners_slot_goes_to_an_earlier_owner),
		LIST_TEST(a_dead_owners_slot_goes_to_an_earlier_owner_that_takes_new_flows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
