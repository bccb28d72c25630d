/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of a lower class: which slots they get and lose, and what becomes of flows meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/owners/owners_internal.h"
#include "tests/unit/suite.h"
#include "weir/fwd/tables.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SLOTS    4096u
#define BUCKETS  64u
#define OWN      4u /* backends 1..4 */
#define SPARE    3u /* backends 5..7 */
#define FULL     8u
#define FIRST    5u

static const uint64_t key[2] = { 3, 4 };
static struct fwd_slots slots[SLOTS / FWD_SLOTS_PER_BLOCK];
static struct owner_cold colds[SLOTS];
static struct fwd_exceptions exceptions[BUCKETS];
static struct owners_memory *memory;
static struct owners *owners;
static struct owners_clock now;
static uint8_t states[FULL + 1];
static struct owners_member own[OWN], spare[SPARE];
static struct owners_backup backup;
static struct owners_times times;
static struct owners_set set;

static uint16_t hot_word(uint32_t s)
{
	return slots[s / FWD_SLOTS_PER_BLOCK].slot[s % FWD_SLOTS_PER_BLOCK];
}

static uint16_t owner_of(uint32_t s)
{
	return hot_word(s) & FWD_SLOT_BACKEND;
}

static bool is_spare(uint16_t b)
{
	return b >= FIRST && b < FIRST + SPARE;
}

static uint32_t count_slots(uint16_t first, uint16_t last)
{
	uint32_t n = 0;

	for (uint32_t s = 0; s < SLOTS; s++)
		n += owner_of(s) >= first && owner_of(s) <= last;
	return n;
}

static void apply_states(void)
{
	assert_int_equal(owners_apply(owners, &times, &set, 1, states, COUNT(states), &now), 0);
}

static void run_ms(uint64_t ms)
{
	for (uint64_t end = now.now_ms + ms; now.now_ms < end;) {
		uint64_t step = owners_tick(owners, &now);

		if (step > end - now.now_ms)
			step = end - now.now_ms;
		now.now_ms += step;
		now.wall_clock_ms += (int64_t)step;
	}
	owners_tick(owners, &now);
}

static int setup(void **state)
{
	const struct owners_tables tables = { slots, colds, 0, SLOTS };

	(void)state;
	memset(slots, 0, sizeof(slots));
	memset(colds, 0, sizeof(colds));
	memset(exceptions, 0, sizeof(exceptions));
	memset(states, OWNERS_SERVES, sizeof(states));
	for (uint16_t i = 0; i < OWN; i++)
		own[i] = (struct owners_member){ .id = 100 + i, .weight = 10, .backend = i + 1 };
	for (uint16_t i = 0; i < SPARE; i++)
		spare[i] =
		        (struct owners_member){ .id = 200 + i, .weight = 10, .backend = FIRST + i };
	backup = (struct owners_backup){ .members = spare, .n_members = SPARE, .full = FULL };
	times = (struct owners_times){ 60000, 30000, 0, false, &backup };
	set = (struct owners_set){
		.from_ms = 0, .until_ms = INT64_MAX, .members = own, .n_members = OWN
	};
	now = (struct owners_clock){ 1000000, 5000000 };
	return owners_memory_new(exceptions, BUCKETS, &memory) ||
	       owners_new(&tables, memory, key, &owners);
}

static int teardown(void **state)
{
	(void)state;
	owners_free(owners);
	owners_memory_free(memory);
	owners = NULL;
	memory = NULL;
	return 0;
}

static void without_a_share_slots_are_as_without_a_backup(void **state)
{
	uint16_t with[SLOTS];

	apply_states();
	for (uint32_t s = 0; s < SLOTS; s++)
		with[s] = owner_of(s);
	assert_int_equal(count_slots(1, OWN), SLOTS);
	teardown(state);
	setup(state);
	times.backup = NULL;
	apply_states();
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_int_equal(with[s], owner_of(s));
}

static void deaths_move_slots_to_the_backup_in_the_call(void **state)
{
	(void)state;
	apply_states();
	memset(states + 1, OWNERS_DEAD, OWN);
	backup.share = OWNERS_SHARE_ALL;
	apply_states();
	assert_int_equal(count_slots(FIRST, FIRST + SPARE - 1), SLOTS);
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_false(hot_word(s) & FWD_SLOT_UNSETTLED);
	for (uint16_t b = FIRST; b < FIRST + SPARE; b++) /* by weight */
		assert_in_range(count_slots(b, b), SLOTS / SPARE * 9 / 10, SLOTS / SPARE * 11 / 10);
}

static void living_backends_keep_their_flows_when_the_backup_takes_new_ones(void **state)
{
	uint16_t before[SLOTS];

	(void)state;
	apply_states();
	for (uint32_t s = 0; s < SLOTS; s++)
		before[s] = owner_of(s);
	backup.share = OWNERS_SHARE_ALL;
	apply_states();
	assert_int_equal(count_slots(1, OWN), SLOTS); /* scheduled, not moved */
	run_ms(OWNERS_SCHEDULE_MS + 200);
	assert_int_equal(count_slots(FIRST, FIRST + SPARE - 1), SLOTS);
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_true(hot_word(s) & FWD_SLOT_UNSETTLED);
		assert_int_equal(colds[s].claim[OWNER_CLASS_TCP].base, before[s]);
	}
	backup.share = 0;
	apply_states();
	run_ms(OWNERS_SCHEDULE_MS + 200);
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_int_equal(before[s], owner_of(s));
}

static void a_share_takes_that_part_and_a_larger_one_contains_it(void **state)
{
	bool was_in[SLOTS] = { false };

	(void)state;
	apply_states();
	for (uint16_t share = OWNERS_SHARE_ALL / 4; share <= OWNERS_SHARE_ALL;
	     share = (uint16_t)(share + OWNERS_SHARE_ALL / 4)) {
		backup.share = share;
		apply_states();
		run_ms(OWNERS_SCHEDULE_MS + 200);
		assert_in_range(count_slots(FIRST, FIRST + SPARE - 1),
		                SLOTS * share / OWNERS_SHARE_ALL - SLOTS / 50,
		                SLOTS * share / OWNERS_SHARE_ALL + SLOTS / 50);
		assert_int_equal(count_slots(FULL, FULL),
		                 0); /* the others stay with own backends */
		for (uint32_t s = 0; s < SLOTS; s++) {
			assert_false(was_in[s] && !is_spare(owner_of(s)));
			was_in[s] = is_spare(owner_of(s));
		}
	}
}

static void beyond_the_share_flows_are_dropped_if_no_own_backend_serves(void **state)
{
	uint32_t n;

	(void)state;
	apply_states();
	memset(states + 1, OWNERS_DEAD, OWN);
	backup.share = OWNERS_SHARE_ALL / 2;
	apply_states();
	n = count_slots(FIRST, FIRST + SPARE - 1);
	assert_in_range(n, SLOTS * 45 / 100, SLOTS * 55 / 100);
	assert_int_equal(count_slots(FULL, FULL), SLOTS - n);
	backup.share = OWNERS_SHARE_ALL; /* no flow of these slots lives: at once */
	apply_states();
	assert_int_equal(count_slots(FIRST, FIRST + SPARE - 1), SLOTS);
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_false(hot_word(s) & FWD_SLOT_UNSETTLED);
}

static void flows_of_the_backup_stay_when_its_share_shrinks(void **state)
{
	(void)state;
	memset(states + 1, OWNERS_DEAD, OWN);
	backup.share = OWNERS_SHARE_ALL;
	apply_states();
	backup.share = OWNERS_SHARE_ALL / 2;
	apply_states();
	run_ms(OWNERS_SCHEDULE_MS + 200);
	for (uint32_t s = 0; s < SLOTS; s++)
		if (owner_of(s) == FULL)
			assert_true(is_spare(colds[s].claim[OWNER_CLASS_TCP].base));
	assert_in_range(count_slots(FULL, FULL), SLOTS * 45 / 100, SLOTS * 55 / 100);
}

static void a_dead_backend_of_the_backup_gets_no_slot(void **state)
{
	(void)state;
	memset(states + 1, OWNERS_DEAD, OWN);
	backup.share = OWNERS_SHARE_ALL;
	apply_states();
	states[FIRST] = OWNERS_DEAD;
	apply_states();
	assert_int_equal(count_slots(FIRST, FIRST), 0);
	assert_int_equal(count_slots(FIRST + 1, FIRST + SPARE - 1), SLOTS);
	memset(states + FIRST, OWNERS_DEAD,
	       SPARE); /* then own backends are asked, of which none serves */
	apply_states();
	assert_int_equal(count_slots(FULL, FULL), SLOTS);
}

static void own_backends_get_their_own_slots_back(void **state)
{
	uint16_t before[SLOTS];

	(void)state;
	apply_states();
	for (uint32_t s = 0; s < SLOTS; s++)
		before[s] = owner_of(s);
	memset(states + 1, OWNERS_DEAD, OWN);
	backup.share = OWNERS_SHARE_ALL;
	apply_states();
	memset(states + 1, OWNERS_SERVES, OWN);
	backup.share = 0;
	apply_states();
	assert_int_equal(count_slots(FIRST, FIRST + SPARE - 1), SLOTS); /* announced first */
	run_ms(OWNERS_SCHEDULE_MS + 200);
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_int_equal(before[s], owner_of(s));
		assert_true(
		        is_spare(colds[s].claim[OWNER_CLASS_TCP].base)); /* late clients' flows */
	}
}

static void indexes_of_the_backup_are_in_use(void **state)
{
	(void)state;
	apply_states();
	for (uint16_t b = 1; b <= FULL; b++)
		assert_true(owners_uses(owners, b));
	times.backup = NULL;
	apply_states();
	assert_false(owners_uses(owners, FIRST));
	assert_false(owners_uses(owners, FULL));
}

static void a_node_that_starts_meanwhile_has_the_same_slots(void **state)
{
	uint16_t before[SLOTS];

	apply_states();
	memset(states + 1, OWNERS_DEAD, OWN);
	backup.share = OWNERS_SHARE_ALL / 2;
	apply_states();
	for (uint32_t s = 0; s < SLOTS; s++)
		before[s] = owner_of(s);
	teardown(state);
	setup(state);
	memset(states + 1, OWNERS_DEAD, OWN);
	backup.share = OWNERS_SHARE_ALL / 2;
	apply_states();
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_int_equal(before[s], owner_of(s));
}

/* Until when flows of a member of the lower class are kept; 0: as long as it has slots. */
static uint32_t lease_of(uint16_t b)
{
	return memory->lease_end_s[b];
}

static void flows_end_a_settling_time_after_the_slots(void **state)
{
	uint32_t end_s;

	(void)state;
	spare[SPARE - 1].weight = 0; /* it gets no slot, whatever the share is */
	backup.share = OWNERS_SHARE_ALL;
	apply_states();
	assert_int_equal(lease_of(FIRST), 0);
	end_s = lease_of(FIRST + SPARE - 1);
	assert_true(end_s != 0);
	run_ms(10000);
	apply_states();
	assert_int_equal(lease_of(FIRST + SPARE - 1), end_s); /* it began once */
	backup.share = 0;
	apply_states();
	end_s = lease_of(FIRST);
	assert_true(end_s > lease_of(FIRST + SPARE - 1));
	run_ms(10000);
	apply_states();
	assert_int_equal(lease_of(FIRST), end_s);
	backup.share = OWNERS_SHARE_ALL / 4;
	apply_states();
	assert_int_equal(lease_of(FIRST), 0);
}

static uint16_t drilled_to(uint32_t s)
{
	return colds[s].claim[OWNER_CLASS_UDP].drill;
}

static void drill_all(void)
{
	apply_states();
	backup.is_drilled = true;
	backup.drill_share = OWNERS_SHARE_ALL;
	apply_states();
}

static void a_drill_moves_no_slot_and_names_the_owner_by_the_backup(void **state)
{
	uint16_t before[SLOTS], aside[SLOTS];

	(void)state;
	apply_states();
	for (uint32_t s = 0; s < SLOTS; s++)
		before[s] = owner_of(s);
	drill_all();
	for (uint32_t s = 0; s < SLOTS; s++) {
		aside[s] = drilled_to(s);
		assert_true(is_spare(aside[s]));
		assert_int_equal(hot_word(s), before[s] | FWD_SLOT_UNSETTLED);
		assert_int_equal(colds[s].claim[OWNER_CLASS_TCP].settle_at, 0);
	}
	run_ms(20000); /* nothing settles, and nothing moves */
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_int_equal(hot_word(s), before[s] | FWD_SLOT_UNSETTLED);
	backup.is_drilled = false;
	backup.drill_share = 0;
	backup.share = OWNERS_SHARE_ALL; /* they are those that serve when it is needed */
	memset(states + 1, OWNERS_DEAD, OWN);
	apply_states();
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_int_equal(owner_of(s), aside[s]);
}

static void slots_settle_after_a_drill_when_nothing_is_remembered(void **state)
{
	(void)state;
	drill_all();
	colds[7].kept_at = (uint32_t)(now.now_ms / 1000);
	backup.is_drilled = false;
	apply_states();
	run_ms(3000);
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_int_equal(hot_word(s) & FWD_SLOT_UNSETTLED, s == 7 ? FWD_SLOT_UNSETTLED : 0);
	run_ms(200000);
	assert_false(hot_word(7) & FWD_SLOT_UNSETTLED);
}

static void a_drill_follows_its_share_and_the_verdicts(void **state)
{
	uint32_t n = 0;

	(void)state;
	drill_all();
	backup.drill_share = OWNERS_SHARE_ALL / 4;
	states[FIRST] = OWNERS_DEAD;
	apply_states();
	for (uint32_t s = 0; s < SLOTS; s++) {
		n += drilled_to(s) != 0;
		assert_true(drilled_to(s) != FIRST);
		assert_true(hot_word(s) & FWD_SLOT_UNSETTLED);
	}
	assert_in_range(n, SLOTS / 4 - SLOTS / 50, SLOTS / 4 + SLOTS / 50);
	backup.drill_share = 0;
	apply_states();
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_int_equal(drilled_to(s), 0);
}

static void a_slot_that_moves_during_a_drill_keeps_naming_the_backup(void **state)
{
	(void)state;
	drill_all();
	own[0].weight = 0; /* drained */
	apply_states();
	run_ms(OWNERS_SCHEDULE_MS + 200);
	assert_int_equal(count_slots(1, 1), 0);
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_true(is_spare(drilled_to(s)) && hot_word(s) & FWD_SLOT_UNSETTLED);
}

SUITE(owners_backup)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_a_share_slots_are_as_without_a_backup),
		TEST(deaths_move_slots_to_the_backup_in_the_call),
		TEST(living_backends_keep_their_flows_when_the_backup_takes_new_ones),
		TEST(a_share_takes_that_part_and_a_larger_one_contains_it),
		TEST(beyond_the_share_flows_are_dropped_if_no_own_backend_serves),
		TEST(flows_of_the_backup_stay_when_its_share_shrinks),
		TEST(a_dead_backend_of_the_backup_gets_no_slot),
		TEST(own_backends_get_their_own_slots_back),
		TEST(indexes_of_the_backup_are_in_use),
		TEST(a_node_that_starts_meanwhile_has_the_same_slots),
		TEST(flows_end_a_settling_time_after_the_slots),
		TEST(a_drill_moves_no_slot_and_names_the_owner_by_the_backup),
		TEST(slots_settle_after_a_drill_when_nothing_is_remembered),
		TEST(a_drill_follows_its_share_and_the_verdicts),
		TEST(a_slot_that_moves_during_a_drill_keeps_naming_the_backup),
	};

	return cmocka_run_group_tests_name("owners backup", tests, NULL, NULL);
}
