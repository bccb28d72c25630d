/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process's half of the owners: what it stores into the tables, and when; tests/sim plays
 * both.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/fwd/owner.h"

#include "tests/unit/dataplane/owners_read.h"

#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))
#define FIRST       64u
#define SLOTS       1024u
#define MEMBER_SETS 128u
#define MEMBERS     6u
#define NEVER       INT64_MAX
#define WALL        1700000000000
#define SETTLE      900000u
#define IDLE        300000u

static const uint64_t key[2] = { 1, 2 };
static const struct owners_times times = { SETTLE, IDLE, 30000, false, NULL };

/* Tables, the process on them, and a document with two sets. */
static struct fwd_slots slots[(FIRST + SLOTS + 64) / FWD_SLOTS_PER_BLOCK];
static struct owner_cold colds[FIRST + SLOTS + 64];
static struct fwd_exceptions exceptions[MEMBER_SETS];
static struct owners_memory *memory;
static struct owners *owners;
static struct owners_clock now;
static uint8_t states[MEMBERS + 1];
static struct owners_member members[3][MEMBERS];
static struct owners_set sets[3];
static uint16_t before[SLOTS];

static uint16_t hot_word(uint32_t s)
{
	return slots[(FIRST + s) / FWD_SLOTS_PER_BLOCK].slot[(FIRST + s) % FWD_SLOTS_PER_BLOCK];
}

static uint16_t current_owner(uint32_t s)
{
	return hot_word(s) & FWD_SLOT_BACKEND;
}

static void remember_owners(void)
{
	for (uint32_t s = 0; s < SLOTS; s++)
		before[s] = current_owner(s);
}

static uint32_t count_moved(void)
{
	uint32_t n = 0;

	for (uint32_t s = 0; s < SLOTS; s++)
		n += current_owner(s) != before[s];
	return n;
}

/* Slots that have another owner than in @p last, which is brought up to date. */
static uint32_t count_changes(uint16_t last[SLOTS])
{
	uint32_t n = 0;

	for (uint32_t s = 0; s < SLOTS; s++) {
		n += current_owner(s) != last[s];
		last[s] = current_owner(s);
	}
	return n;
}

static uint32_t count_owned(uint16_t backend)
{
	uint32_t n = 0;

	for (uint32_t s = 0; s < SLOTS; s++)
		n += current_owner(s) == backend;
	return n;
}

static struct owners_stats read_stats(void)
{
	struct owners_stats out;

	count_slots(owners, &out, NULL, NULL, 0);
	return out;
}

static void open_process(void)
{
	const struct owners_tables tables = { slots, colds, FIRST, SLOTS };

	assert_int_equal(owners_memory_new(exceptions, MEMBER_SETS, &memory), 0);
	assert_int_equal(owners_new(&tables, memory, key, &owners), 0);
}

static void close_process(void)
{
	owners_free(owners);
	owners_memory_free(memory);
	owners = NULL;
	memory = NULL;
}

static int apply_sets(size_t n_sets)
{
	return owners_apply(owners, &times, sets, n_sets, states, COUNT(states), &now);
}

static void pass_ms(uint64_t ms)
{
	now.now_ms += ms;
	now.wall_clock_ms += (int64_t)ms;
}

/* Let time go on in steps of the process's own choice. */
static void run_ms(uint64_t ms)
{
	for (uint64_t end = now.now_ms + ms; now.now_ms < end;) {
		uint64_t step = owners_tick(owners, &now);

		pass_ms(step < end - now.now_ms ? step : end - now.now_ms);
	}
	owners_tick(owners, &now);
}

static void clear_tables(void)
{
	memset(slots, 0, sizeof(slots));
	memset(colds, 0, sizeof(colds));
	memset(exceptions, 0, sizeof(exceptions));
}

static int setup(void **state)
{
	(void)state;
	clear_tables();
	memset(states, 0, sizeof(states));
	now = (struct owners_clock){ 5000000, WALL };
	for (size_t i = 0; i < COUNT(sets); i++) {
		for (uint16_t m = 0; m < MEMBERS; m++)
			members[i][m] = (struct owners_member){ .id = 1000u + m,
				                                .weight = 100,
				                                .backend = m + 1 };
		sets[i] = (struct owners_set){ WALL - 3600000, NEVER, members[i], MEMBERS, NULL };
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

/* --- refused --- */

static void malformed_sets_change_nothing(void **state)
{
	(void)state;
	assert_int_equal(apply_sets(1), 0);
	remember_owners();
	assert_int_equal(apply_sets(0), -EINVAL);
	assert_int_equal(apply_sets(OWNERS_SETS_MAX + 1), -EINVAL);
	members[0][2].backend = 0;
	assert_int_equal(apply_sets(1), -EINVAL);
	members[0][2].backend = 2; /* two of an index: the later one counts */
	members[0][2].weight = 65536;
	assert_int_equal(apply_sets(1), -EINVAL);
	members[0][2].weight = 100;
	members[0][2].id = 1000; /* two of an identity */
	assert_int_equal(apply_sets(1), -EINVAL);
	sets[1].from_ms = sets[0].from_ms - 1; /* out of order */
	assert_int_equal(apply_sets(2), -EINVAL);
	assert_int_equal(count_moved(), 0);
	assert_int_equal(read_stats().looking, 0);
}

static void a_pool_of_odd_size_or_place_is_refused(void **state)
{
	(void)state;
	static const struct owners_tables bad[] = { { slots, colds, 0, 16 },
		                                    { slots, colds, 0, 1000 },
		                                    { slots, colds, 33, 64 },
		                                    { slots, colds, 0, 1u << 21 } };
	struct owners *o;

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(owners_new(&bad[i], memory, key, &o), -EINVAL);
}

/* --- first tables --- */

static void empty_tables_are_filled_at_once_and_nothing_beside_them(void **state)
{
	(void)state;
	assert_int_equal(apply_sets(1), 0);
	assert_int_equal(read_stats().empty, 0);
	assert_int_equal(read_stats().looking, 0);
	for (uint16_t b = 1; b <= MEMBERS; b++)
		assert_in_range(count_owned(b), SLOTS / MEMBERS * 8 / 10,
		                SLOTS / MEMBERS * 11 / 10);
	assert_int_equal(slots[FIRST / FWD_SLOTS_PER_BLOCK - 1].slot[31], 0);
	assert_int_equal(slots[(FIRST + SLOTS) / FWD_SLOTS_PER_BLOCK].slot[0], 0);
}

/* From each part of the pool on: what is damaged there is mended, and behind its end lies another's. */
static void a_scrub_ends_with_the_pool_s_slots(void **state)
{
	static const struct {
		const char *why;
		uint32_t from, n, damaged, found;
	} rows[] = {
		{ "all", 0, SLOTS, SLOTS - 1, 1 },
		{ "more than all", 0, SLOTS + 1, SLOTS - 1, 1 },
		{ "the first alone", 0, 1, 0, 1 },
		{ "not the one behind", 0, 1, 1, 0 },
		{ "not the one before", 1, 1, 0, 0 },
		{ "the last alone", SLOTS - 1, 1, SLOTS - 1, 1 },
		{ "one more than are left", SLOTS - 1, 2, SLOTS - 1, 1 },
		{ "as many as the pool has, from its middle on", SLOTS / 2, SLOTS, SLOTS - 1, 1 },
		{ "nearly so", SLOTS - 32, SLOTS - 1, SLOTS - 32, 1 },
		{ "any number", SLOTS - 32, UINT32_MAX, SLOTS - 1, 1 },
		{ "none", 0, 0, 0, 0 },
		{ "from its end on", SLOTS, 1, SLOTS - 1, 0 },
		{ "from behind its end on", SLOTS + 1, 1, SLOTS - 1, 0 },
	};
	struct fwd_slots *behind = &slots[(FIRST + SLOTS) / FWD_SLOTS_PER_BLOCK];
	struct fwd_slots theirs[COUNT(slots) - (FIRST + SLOTS) / FWD_SLOTS_PER_BLOCK];

	(void)state;
	assert_int_equal(apply_sets(1), 0);
	memset(behind, 0xa5, sizeof(theirs));
	memset(theirs, 0xa5, sizeof(theirs));
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t at = FIRST + rows[i].damaged, first = 7, last = 7;
		uint16_t *word = &slots[at / FWD_SLOTS_PER_BLOCK].slot[at % FWD_SLOTS_PER_BLOCK];
		uint16_t was = *word;

		print_message("  %s\n", rows[i].why);
		*word ^= 1;
		assert_int_equal(owners_scrub(owners, rows[i].from, rows[i].n), rows[i].found);
		assert_int_equal(*word == was, rows[i].found);
		assert_int_equal(owners_damaged(owners, &first, &last), rows[i].found);
		assert_int_equal(first, rows[i].found ? rows[i].damaged : 7);
		assert_int_equal(last, rows[i].found ? rows[i].damaged : 7);
		*word = was;
		assert_memory_equal(behind, theirs, sizeof(theirs));
	}
}

/* A node that starts anew knows the same owners, bases and ends as one that was there. */
static void a_fresh_node_computes_what_the_others_have(void **state)
{
	(void)state;
	static struct fwd_slots lived[COUNT(slots)];
	static struct owner_cold lived_colds[COUNT(colds)];

	sets[0].until_ms = WALL + 2000 + 600000;
	sets[1].from_ms = WALL + 2000;
	members[1][0].weight = 0;
	assert_int_equal(apply_sets(1), 0);
	assert_int_equal(apply_sets(2), 0);
	run_ms(60000);
	memcpy(lived, slots, sizeof(slots));
	memcpy(lived_colds, colds, sizeof(colds));
	close_process();
	clear_tables();
	open_process();
	assert_int_equal(apply_sets(2), 0);
	assert_memory_equal(slots, lived, sizeof(slots));
	for (uint32_t s = FIRST; s < FIRST + SLOTS; s++) {
		const struct owner_claim *a = &colds[s].claim[OWNER_CLASS_TCP];
		const struct owner_claim *b = &lived_colds[s].claim[OWNER_CLASS_TCP];

		if (!(hot_word(s - FIRST) & FWD_SLOT_UNSETTLED))
			continue;
		assert_int_equal(a->base, b->base);
		assert_in_range(a->settle_at, b->settle_at - 1, b->settle_at + 1);
	}
}

static void a_restart_on_the_tables_changes_nothing(void **state)
{
	(void)state;
	static struct fwd_slots kept[COUNT(slots)];
	static struct owner_cold kept_colds[COUNT(colds)];

	sets[0].until_ms = WALL + 2000 + 600000;
	sets[1].from_ms = WALL + 2000;
	members[1][0].weight = 0;
	assert_int_equal(apply_sets(1), 0);
	assert_int_equal(apply_sets(2), 0);
	run_ms(10000);
	memcpy(kept, slots, sizeof(slots));
	memcpy(kept_colds, colds, sizeof(colds));
	close_process();
	open_process();
	assert_int_equal(apply_sets(2), 0);
	owners_tick(owners, &now);
	assert_memory_equal(slots, kept, sizeof(slots));
	assert_memory_equal(colds, kept_colds, sizeof(colds));
}

/* --- death --- */

static void the_dead_lose_their_slots_in_the_call_and_no_other_moves(void **state)
{
	(void)state;
	uint32_t lost;

	assert_int_equal(apply_sets(1), 0);
	remember_owners();
	lost = count_owned(3);
	states[3] = OWNERS_DEAD;
	assert_int_equal(apply_sets(1), 0);
	assert_int_equal(count_owned(3), 0);
	assert_int_equal(count_moved(), lost);
	assert_int_equal(read_stats().looking, 0);
}

static void exceptions_of_the_dead_are_forgotten_and_others_kept(void **state)
{
	(void)state;
	uint32_t end = (uint32_t)owner_end((uint32_t)(now.now_ms / 1000), 300);

	assert_int_equal(apply_sets(1), 0);
	exceptions[5].word[0] = owner_word(3, OWNER_OPEN, end, 77);
	exceptions[5].word[1] = owner_word(4, OWNER_OPEN, end, 78);
	states[3] = OWNERS_DEAD;
	assert_int_equal(apply_sets(1), 0);
	assert_int_equal(exceptions[5].word[0], 0);
	assert_int_not_equal(exceptions[5].word[1], 0);
}

static void a_dead_base_has_no_claim(void **state)
{
	(void)state;
	sets[0].until_ms = WALL + 600000;
	sets[1].from_ms = WALL + 2000;
	members[1][0].weight = 0;
	assert_int_equal(apply_sets(1), 0);
	assert_int_equal(apply_sets(2), 0);
	run_ms(10000);
	assert_int_not_equal(read_stats().unsettled, 0);
	states[1] = OWNERS_DEAD;
	assert_int_equal(apply_sets(2), 0);
	for (uint32_t s = 0; s < SLOTS; s++)
		for (int c = 0; c < OWNER_CLASSES; c++)
			assert_true(colds[FIRST + s].claim[c].settle_at == 0 ||
			            colds[FIRST + s].claim[c].base != 1);
}

static void a_return_is_warned_of_then_moves_the_same_slots_back(void **state)
{
	(void)state;
	static uint16_t first[SLOTS];
	uint32_t lost;

	assert_int_equal(apply_sets(1), 0);
	remember_owners();
	memcpy(first, before, sizeof(first));
	lost = count_owned(3);
	states[3] = OWNERS_DEAD;
	assert_int_equal(apply_sets(1), 0);
	run_ms(5000);
	states[3] = OWNERS_SERVES;
	assert_int_equal(apply_sets(1), 0);
	assert_int_equal(count_owned(3), 0);
	assert_int_equal(read_stats().looking, lost);
	assert_int_equal(read_stats().due, lost);
	assert_int_equal(read_stats().unsettled, lost); /* they will move: that is not settled */
	pass_ms(OWNERS_SCHEDULE_MS - 1);
	owners_tick(owners, &now);
	assert_int_equal(count_owned(3), 0);
	pass_ms(1);
	owners_tick(owners, &now);
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_int_equal(current_owner(s), first[s]);
	assert_int_equal(read_stats().unsettled, lost);
	assert_int_equal(read_stats().due, 0); /* so the process rests again */
	assert_int_equal(owners_tick(owners, &now), OWNERS_IDLE_MS);
}

/* On empty tables nobody knows who served before; who waits for a verdict now is taken to have. */
static void who_waits_now_has_claims_on_what_it_had_in_the_set_before(void **state)
{
	uint32_t n = 0;

	(void)state;
	sets[0].until_ms = WALL + 600000;
	sets[1].from_ms = WALL - 2000;
	states[1] = OWNERS_WAITS;
	assert_int_equal(apply_sets(2), 0);
	assert_int_equal(count_owned(1), 0);
	for (uint32_t s = FIRST; s < FIRST + SLOTS; s++)
		n += colds[s].claim[OWNER_CLASS_TCP].settle_at != 0 &&
		     colds[s].claim[OWNER_CLASS_TCP].base == 1;
	assert_int_not_equal(n, 0);
}

/* --- who may serve --- */

static void somebody_serves_while_anybody_may(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint32_t weights[3];
		uint8_t states[3];
		bool serves[3];
	} cases[] = {
		{ "all well", { 1, 1, 1 }, { 0, 0, 0 }, { true, true, true } },
		{ "one drained", { 0, 1, 1 }, { 0, 0, 0 }, { false, true, true } },
		{ "one waits", { 1, 1, 1 }, { OWNERS_WAITS, 0, 0 }, { false, true, true } },
		{ "only drained ones", { 0, 0, 0 }, { 0, 0, 0 }, { true, true, true } },
		{ "the drained beside a waiting one",
		  { 1, 0, 0 },
		  { 1, 0, 0 },
		  { false, true, true } },
		{ "a drained one beside the dead",
		  { 1, 1, 0 },
		  { 2, 2, 0 },
		  { false, false, true } },
		{ "only waiting ones", { 1, 1, 1 }, { 1, 1, 1 }, { true, true, true } },
		{ "waiting beside dead", { 1, 1, 1 }, { 2, 1, 2 }, { false, true, false } },
		{ "all dead", { 1, 1, 1 }, { 2, 2, 2 }, { false, false, false } },
	};

	for (size_t c = 0; c < COUNT(cases); c++) {
		print_message("  %s\n", cases[c].why);
		teardown(NULL);
		setup(NULL);
		sets[0].n_members = 3;
		for (int m = 0; m < 3; m++) {
			members[0][m].weight = cases[c].weights[m];
			states[m + 1] = cases[c].states[m];
		}
		assert_int_equal(apply_sets(1), 0);
		for (uint16_t m = 0; m < 3; m++)
			assert_int_equal(count_owned(m + 1) > 0, cases[c].serves[m]);
	}
}

static void when_nobody_can_take_its_slots_a_living_owner_keeps_them(void **state)
{
	(void)state;
	assert_int_equal(apply_sets(1), 0);
	remember_owners();
	sets[1].from_ms = WALL + 2000;
	sets[1].n_members = 1;
	states[6] = OWNERS_DEAD;
	members[1][0] = members[0][5];
	assert_int_equal(apply_sets(2), 0);
	remember_owners();
	run_ms(10000);
	assert_int_equal(count_moved(), 0);
}

/* --- the next set, settling --- */

static void the_next_set_is_warned_of_when_near_and_taken_at_its_time(void **state)
{
	static uint16_t last[SLOTS];
	uint32_t n_moves = 0;

	(void)state;
	sets[0].until_ms = WALL + 60000 + 600000;
	sets[1].from_ms = WALL + 60000;
	members[1][0].weight = 0;
	assert_int_equal(apply_sets(2), 0);
	remember_owners();
	memcpy(last, before, sizeof(last));
	run_ms(50000);
	assert_int_equal(read_stats().looking, 0);
	run_ms(9990);
	assert_int_not_equal(read_stats().looking, 0);
	assert_int_equal(count_moved(), 0);
	for (int tick = 0; tick < 20; tick++) {
		run_ms(1);
		n_moves += count_changes(last);
	}
	assert_int_equal(count_owned(1), 0);
	assert_int_equal(n_moves, count_moved()); /* each slot once */
}

static void a_change_that_is_called_off_leaves_no_trace(void **state)
{
	(void)state;
	sets[1].from_ms = WALL + 2000;
	members[1][0].weight = 0;
	assert_int_equal(apply_sets(2), 0);
	remember_owners();
	assert_int_not_equal(read_stats().looking, 0);
	assert_int_equal(apply_sets(1), 0);
	run_ms(5000);
	assert_int_equal(count_moved(), 0);
	assert_int_equal(read_stats().looking, 0);
}

/* The earlier owner stays in use: it settles by the set's end, by settle time, or by silence. */
static void a_slot_settles_by_the_drains_end_by_settle_time_or_by_silence(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		int64_t claim_ms;
		bool silent;
		uint32_t at_ms;
	} cases[] = {
		{ "the drain's end", 400000, false, 400000 },
		{ "a drain longer than settle time", 2000000, false, 2000000 },
		{ "no end that makes sense: settle time", -1, false, SETTLE },
		{ "silence", 800000, true, IDLE },
	};

	for (size_t c = 0; c < COUNT(cases); c++) {
		print_message("  %s\n", cases[c].why);
		teardown(NULL);
		setup(NULL);
		sets[0].until_ms = WALL + 2000 + cases[c].claim_ms;
		sets[1].from_ms = WALL + 2000;
		members[1][0].weight = 0;
		assert_int_equal(apply_sets(1), 0);
		assert_int_equal(apply_sets(2), 0);
		run_ms(4000);
		for (uint32_t t = 4000; t < cases[c].at_ms - 4000; t += 2000) {
			run_ms(2000);
			for (uint32_t s = FIRST; s < FIRST + SLOTS && !cases[c].silent; s++)
				colds[s].claim[OWNER_CLASS_TCP].seen_at =
				        (uint32_t)(now.now_ms / 1000);
		}
		assert_int_not_equal(read_stats().unsettled, 0);
		run_ms(14000);
		assert_int_equal(read_stats().unsettled, 0);
		assert_int_equal(read_stats().looking, 0);
	}
}

/* Backends that flap have slots due all the time; the claims of a drain end meanwhile all the same. */
static void claims_end_while_other_slots_are_due(void **state)
{
	(void)state;
	sets[0].until_ms = WALL + 12000;
	sets[1].from_ms = WALL + 2000;
	members[1][0].weight = 0;
	assert_int_equal(apply_sets(1), 0);
	assert_int_equal(apply_sets(2), 0);
	run_ms(4000);
	for (int second = 4; second < 20; second++, run_ms(1000)) {
		for (int is_back = 0; is_back < 2; is_back++) {
			states[3] = is_back ? OWNERS_SERVES : OWNERS_DEAD;
			assert_int_equal(apply_sets(2), 0);
		}
		assert_int_not_equal(read_stats().due, 0);
	}
	for (uint32_t s = FIRST; s < FIRST + SLOTS; s++)
		assert_true(colds[s].scheduled_at ||
		            colds[s].claim[OWNER_CLASS_TCP].settle_at == 0 ||
		            colds[s].claim[OWNER_CLASS_TCP].base != members[1][0].backend);
}

static void a_settled_slot_looks_further_while_an_exception_may_live(void **state)
{
	(void)state;
	sets[0].until_ms = WALL + 2000 + 10000;
	sets[1].from_ms = WALL + 2000;
	members[1][0].weight = 0;
	assert_int_equal(apply_sets(1), 0);
	assert_int_equal(apply_sets(2), 0);
	run_ms(5000);
	for (uint32_t s = FIRST; s < FIRST + SLOTS; s++)
		colds[s].kept_at = (uint32_t)(now.now_ms / 1000);
	run_ms(IDLE);
	assert_int_equal(read_stats().unsettled, 0);
	assert_int_not_equal(read_stats().looking, 0);
	run_ms(30000);
	assert_int_equal(read_stats().looking, 0);
}

/* --- the memory --- */

static void ticks_pass_the_whole_table_within_the_stated_time(void **state)
{
	(void)state;
	uint32_t now_s = (uint32_t)(now.now_ms / 1000);

	for (uint32_t s = 0; s < MEMBER_SETS; s++)
		exceptions[s].word[3] = owner_word(4, OWNER_OPEN, owner_end(now_s - 400, 300), 4);
	for (uint32_t ms = 0; ms < OWNERS_PASS_MS; ms += 1000) {
		owners_memory_tick(memory, &now);
		pass_ms(1000);
	}
	for (uint32_t s = 0; s < MEMBER_SETS; s++)
		assert_int_equal(exceptions[s].word[3], 0);
}

static void a_lease_ends_with_the_drain_and_only_for_flows_that_traffic_holds(void **state)
{
	(void)state;
	uint32_t now_s = (uint32_t)(now.now_ms / 1000);

	sets[0].until_ms = WALL + 2000 + 20000;
	sets[1].from_ms = WALL + 2000;
	members[1][0].weight = 0;
	assert_int_equal(apply_sets(1), 0);
	assert_int_equal(apply_sets(2), 0);
	for (uint16_t b = 1; b <= 2; b++) {
		exceptions[b].word[0] = owner_word(b, OWNER_UDP_LEASE, owner_end(now_s, 600), 1);
		exceptions[b].word[1] = owner_word(b, OWNER_UDP, owner_end(now_s, 600), 2);
		exceptions[b].word[2] = owner_word(b, OWNER_OPEN, owner_end(now_s, 600), 3);
	}
	run_ms(20000);
	sweep_whole(memory, &now);
	assert_int_equal(memory->live[1], 3);
	run_ms(4000);
	sweep_whole(memory, &now);
	assert_int_equal(memory->live[1], 2);
	assert_int_equal(exceptions[1].word[0], 0);
	assert_int_equal(memory->live[2], 3);
}

/* A flow of @p backend that has traffic now, which a lease ends. @return whether the lease has */
static bool lease_has_ended(uint16_t backend)
{
	uint32_t now_s = (uint32_t)(now.now_ms / 1000);

	exceptions[backend].word[0] =
	        owner_word(backend, OWNER_UDP_LEASE, owner_end(now_s, 600), 1);
	sweep_whole(memory, &now);
	return exceptions[backend].word[0] == 0;
}

/* The document is read again now and then: that begins no lease once more. */
static void a_lease_begins_once(void **state)
{
	static const struct {
		const char *why;
		uint32_t weight_before; /* of backend 1; in the set in force it has none */
		uint32_t end_s;         /* when its lease ends, from now */
	} rows[] = {
		{ "it was drained: to the end of the claims", 100, 20 },
		{ "it never had a weight: a settling time", 0, SETTLE / 1000 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t start_ms;

		print_message("  %s\n", rows[i].why);
		if (i > 0) {
			teardown(state);
			setup(state);
		}
		start_ms = now.now_ms;
		members[0][0].weight = rows[i].weight_before;
		members[1][0].weight = 0;
		sets[0].from_ms = WALL - 5000;
		sets[0].until_ms = WALL + 20000;
		sets[1].from_ms = WALL - 1000;
		for (uint32_t s = 0; s < rows[i].end_s; s += rows[i].end_s / 4) {
			now.now_ms = start_ms + s * 1000;
			now.wall_clock_ms = WALL + s * 1000;
			assert_int_equal(apply_sets(2), 0);
			assert_false(lease_has_ended(1));
			assert_false(lease_has_ended(2));
		}
		now.now_ms = start_ms + rows[i].end_s * 1000 - 1;
		assert_false(lease_has_ended(1));
		now.now_ms = start_ms + (rows[i].end_s + 1) * 1000; /* an odd second */
		assert_true(lease_has_ended(1));
		assert_false(lease_has_ended(2));
		members[1][0].weight = 1; /* it returns */
		assert_int_equal(apply_sets(2), 0);
		assert_false(lease_has_ended(1));
	}
}

/* Of a drain that this process hears of when the claims are over already. */
static void a_lease_that_is_over_has_ended(void **state)
{
	static const int64_t until_ms[] = { WALL - 1000, WALL - 1, WALL };

	for (size_t i = 0; i < COUNT(until_ms); i++) {
		if (i > 0) {
			teardown(state);
			setup(state);
		}
		members[1][0].weight = 0;
		sets[0].until_ms = until_ms[i];
		sets[1].from_ms = WALL - 5000;
		sets[0].from_ms = WALL - 9000;
		assert_int_equal(apply_sets(2), 0);
		pass_ms(1000); /* an odd second: 0 would say that there is no lease */
		assert_true(lease_has_ended(1));
		assert_false(lease_has_ended(2));
		assert_int_equal(apply_sets(2), 0);
		pass_ms(2000);
		assert_true(lease_has_ended(1));
	}
}

/* With a weight or without one, in the set in force, before it or after it; what none names is free. */
static void an_index_that_a_set_names_is_in_use_for_two_passes(void **state)
{
	static const uint16_t of_sets[] = { 1, 2, 7, 8, 9 };

	(void)state;
	sets[0].from_ms = WALL - 9000;
	sets[1].from_ms = WALL - 1000;
	sets[2].from_ms = WALL + 5000;
	members[0][0].weight = 0;
	members[0][2].backend = 7;
	members[1][2].backend = 8;
	members[2][2].backend = 9;
	for (int pass = 0; pass < 5; pass++)
		sweep_whole(memory, &now);
	for (uint16_t b = 1; b <= 10; b++)
		assert_false(owners_memory_uses(memory, b));
	for (int round = 0; round < 2; round++) {
		assert_int_equal(apply_sets(3), 0);
		for (int pass = 0; pass < 3; pass++) {
			for (size_t i = 0; i < COUNT(of_sets); i++)
				if (owners_memory_uses(memory, of_sets[i]) !=
				    (pass < 2 && of_sets[i] != 9))
					fail_msg("round %d, pass %d: index %u", round, pass,
					         of_sets[i]);
			assert_false(owners_memory_uses(memory, 10));
			sweep_whole(memory, &now);
		}
	}
}

static void an_index_is_in_use_until_no_slot_set_or_flow_names_it(void **state)
{
	(void)state;
	uint32_t now_s = (uint32_t)(now.now_ms / 1000);

	sets[0].until_ms = WALL + 2000 + 20000;
	sets[1].from_ms = WALL + 2000;
	sets[1].members = &members[1][1];
	sets[1].n_members = MEMBERS - 1;
	assert_int_equal(apply_sets(1), 0);
	exceptions[1].word[2] = owner_word(1, OWNER_OPEN, owner_end(now_s, 60), 3);
	assert_int_equal(apply_sets(2), 0);
	assert_true(owners_uses(owners, 1));
	run_ms(10000);
	assert_true(owners_uses(owners, 1)); /* as a base */
	run_ms(40000);                       /* TCP's claim has ended, and UDP's */
	sets[0] = sets[1];
	assert_int_equal(apply_sets(1), 0);
	assert_false(owners_uses(owners, 1));
	sweep_whole(memory, &now);
	assert_true(owners_memory_uses(memory, 1));
	run_ms(60000);
	for (int pass = 0; pass < 3; pass++)
		sweep_whole(memory, &now);
	assert_false(owners_memory_uses(memory, 1));
	assert_true(owners_uses(owners, 2));
}

SUITE(owners)
{
#define OWNERS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		OWNERS_TEST(malformed_sets_change_nothing),
		OWNERS_TEST(a_pool_of_odd_size_or_place_is_refused),
		OWNERS_TEST(empty_tables_are_filled_at_once_and_nothing_beside_them),
		OWNERS_TEST(a_fresh_node_computes_what_the_others_have),
		OWNERS_TEST(a_restart_on_the_tables_changes_nothing),
		OWNERS_TEST(the_dead_lose_their_slots_in_the_call_and_no_other_moves),
		OWNERS_TEST(exceptions_of_the_dead_are_forgotten_and_others_kept),
		OWNERS_TEST(a_dead_base_has_no_claim),
		OWNERS_TEST(a_return_is_warned_of_then_moves_the_same_slots_back),
		OWNERS_TEST(who_waits_now_has_claims_on_what_it_had_in_the_set_before),
		OWNERS_TEST(somebody_serves_while_anybody_may),
		OWNERS_TEST(when_nobody_can_take_its_slots_a_living_owner_keeps_them),
		OWNERS_TEST(the_next_set_is_warned_of_when_near_and_taken_at_its_time),
		OWNERS_TEST(a_change_that_is_called_off_leaves_no_trace),
		OWNERS_TEST(a_slot_settles_by_the_drains_end_by_settle_time_or_by_silence),
		OWNERS_TEST(claims_end_while_other_slots_are_due),
		OWNERS_TEST(a_settled_slot_looks_further_while_an_exception_may_live),
		OWNERS_TEST(ticks_pass_the_whole_table_within_the_stated_time),
		OWNERS_TEST(a_lease_ends_with_the_drain_and_only_for_flows_that_traffic_holds),
		OWNERS_TEST(a_lease_begins_once),
		OWNERS_TEST(a_lease_that_is_over_has_ended),
		OWNERS_TEST(an_index_that_a_set_names_is_in_use_for_two_passes),
		OWNERS_TEST(a_scrub_ends_with_the_pool_s_slots),
		OWNERS_TEST(an_index_is_in_use_until_no_slot_set_or_flow_names_it),
	};

	return cmocka_run_group_tests_name("owners", tests, NULL, NULL);
}
