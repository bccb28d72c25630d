/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slots' lines in pools with agents (dataplane/owners/line.c), and what nodes tell each other of
 * slots (owners/handover.c). Sets have one member with weight each, so that all slots are its: what
 * follows is exact.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/dataplane/owners_read.h"
#include "tests/unit/suite.h"

#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))
#define SLOTS       32u
#define SLOT        7u
#define NOW_S       5000u /* the eighth second of its unit of 16 s */
#define WALL        1700000000000
#define SETTLE      900000
#define NEVER       INT64_MAX
#define MEMBER_SETS 8u
#define MEMBERS     6u
#define LOOKS       FWD_SLOT_UNSETTLED
#define GUEST       OWNER_LIST_TEMPORARY
#define UNIT        (NOW_S / OWNER_LIST_UNIT_S)
#define OVER        (uint16_t)(UNIT - 1)

static const uint64_t key[2] = { 1, 2 };
static struct fwd_slots slots[1];
static struct owner_cold colds[SLOTS];
static struct owners_memory *memory;
static struct owners *o;
static struct owners_clock now;

static int setup(void **state)
{
	const struct owners_tables tables = { slots, colds, 0, SLOTS };

	(void)state;
	memset(slots, 0, sizeof(slots));
	memset(colds, 0, sizeof(colds));
	now = (struct owners_clock){ NOW_S * 1000, WALL };
	if (owners_memory_new(NULL, 0, &memory) || owners_new(&tables, memory, key, &o))
		return -1;
	o->times = (struct owners_times){ SETTLE, 300000, 0, true, NULL };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	owners_free(o);
	owners_memory_free(memory);
	return 0;
}

/* --- lines --- */

/* A set in which @p backend has all slots, others no weight; times from WALL. */
struct moment {
	uint16_t backend;
	int64_t from_ms, until_ms;
};

static struct owners_member members[MEMBER_SETS][MEMBERS];
static struct owners_set sets[MEMBER_SETS];

static void make_sets(const struct moment *m, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (uint16_t b = 0; b < MEMBERS; b++)
			members[i][b] = (struct owners_member){ .id = 100u + b,
				                                .weight = b + 1 == m[i].backend,
				                                .backend = b + 1 };
		sets[i] =
		        (struct owners_set){ WALL + m[i].from_ms,
			                     m[i].until_ms == NEVER ? NEVER : WALL + m[i].until_ms,
			                     members[i], MEMBERS, NULL };
	}
}

static void follow_moments(const struct moment *m, size_t n, int64_t now_ms)
{
	make_sets(m, n);
	assert_int_equal(owners_lines_follow(o, sets, n, NULL, WALL + now_ms), 0);
}

/* All slots have this line: times from WALL. */
static void expect_line(const char *why, uint16_t owner, const uint16_t earlier[3],
                        const int64_t until_ms[3])
{
	for (uint32_t s = 0; s < SLOTS; s++) {
		const struct owners_line *line = &o->lines[s];

		if (line->owner != owner)
			fail_msg("%s: owner %u", why, line->owner);
		for (uint32_t i = 0; i < SECOND_OWNERS_MAX; i++)
			if (line->earlier[i] != earlier[i] ||
			    (earlier[i] != 0 && line->until_ms[i] != WALL + until_ms[i]))
				fail_msg("%s: earlier %u is %u until %lld", why, i,
				         line->earlier[i], (long long)(line->until_ms[i] - WALL));
	}
}

static const struct line_case {
	const char *why;
	struct moment m[6];
	size_t n;
	uint16_t owner, earlier[3];
	int64_t until_ms[3];
} lines[] = {
	{ "one set", { { 1, 0, NEVER } }, 1, 1, { 0 }, { 0 } },
	{ "the set before says until when",
	  { { 1, 0, 1001 }, { 2, 1000, NEVER } },
	  2,
	  2,
	  { 1 },
	  { 1001 } },
	{ "it says nothing: the settling time",
	  { { 1, 0, 1000 }, { 2, 1000, NEVER } },
	  2,
	  2,
	  { 1 },
	  { 1000 + SETTLE } },
	{ "newest first",
	  { { 1, 0, 9000 }, { 2, 1000, 8000 }, { 3, 2000, 7000 }, { 4, 3000, NEVER } },
	  4,
	  4,
	  { 3, 2, 1 },
	  { 7000, 8000, 9000 } },
	{ "the same owner again changes nothing",
	  { { 1, 0, 9000 }, { 1, 1000, 8000 }, { 2, 2000, NEVER } },
	  3,
	  2,
	  { 1 },
	  { 8000 } },
	{ "who returns is no earlier owner",
	  { { 1, 0, 9000 }, { 2, 1000, 8000 }, { 1, 2000, NEVER } },
	  3,
	  1,
	  { 2 },
	  { 8000 } },
	{ "who returns from behind",
	  { { 1, 0, 9000 }, { 2, 1000, 8000 }, { 3, 2000, 7000 }, { 1, 3000, NEVER } },
	  4,
	  1,
	  { 3, 2 },
	  { 7000, 8000 } },
	{ "full: one more waits",
	  { { 1, 0, 9000 },
	    { 2, 1000, 8000 },
	    { 3, 2000, 7000 },
	    { 4, 3000, 6000 },
	    { 5, 4000, NEVER } },
	  5,
	  4,
	  { 3, 2, 1 },
	  { 7000, 8000, 9000 } },
	{ "full, and the oldest has just had its time",
	  { { 1, 0, 4000 },
	    { 2, 1000, 8000 },
	    { 3, 2000, 7000 },
	    { 4, 3000, 6000 },
	    { 5, 4000, NEVER } },
	  5,
	  5,
	  { 4, 3, 2 },
	  { 6000, 7000, 8000 } },
	{ "full, and the oldest has its time for a moment more",
	  { { 1, 0, 4001 },
	    { 2, 1000, 8000 },
	    { 3, 2000, 7000 },
	    { 4, 3000, 6000 },
	    { 5, 4000, NEVER } },
	  5,
	  4,
	  { 3, 2, 1 },
	  { 7000, 8000, 4001 } },
	{ "full, and an earlier owner returns",
	  { { 1, 0, 9000 },
	    { 2, 1000, 8000 },
	    { 3, 2000, 7000 },
	    { 4, 3000, 6000 },
	    { 2, 4000, NEVER } },
	  5,
	  2,
	  { 4, 3, 1 },
	  { 6000, 7000, 9000 } },
	{ "full, and the oldest returns",
	  { { 1, 0, 9000 },
	    { 2, 1000, 8000 },
	    { 3, 2000, 7000 },
	    { 4, 3000, 6000 },
	    { 1, 4000, NEVER } },
	  5,
	  1,
	  { 4, 3, 2 },
	  { 6000, 7000, 8000 } },
};

static void a_line_names_whom_the_documents_sets_took_the_slot_from(void **state)
{
	for (size_t i = 0; i < COUNT(lines); i++) {
		teardown(state);
		assert_int_equal(setup(state), 0);
		follow_moments(lines[i].m, lines[i].n, 4000);
		expect_line(lines[i].why, lines[i].owner, lines[i].earlier, lines[i].until_ms);
	}
}

/*
 * It is the same whether a node sees sets one by one, with old ones left out, twice, or all at
 * once.
 */
static void how_a_node_comes_to_know_the_sets_does_not_matter(void **state)
{
	for (size_t i = 0; i < COUNT(lines); i++) {
		const struct line_case *c = &lines[i];

		teardown(state);
		assert_int_equal(setup(state), 0);
		for (size_t n = 1; n <= c->n; n++)
			follow_moments(c->m, n, c->m[n - 1].from_ms);
		expect_line(c->why, c->owner, c->earlier, c->until_ms);
		follow_moments(c->m, c->n, 4000);
		expect_line(c->why, c->owner, c->earlier, c->until_ms);
		for (size_t left = 1; left < c->n; left++) { /* the document forgets the oldest */
			follow_moments(c->m + left, c->n - left, 4000);
			expect_line(c->why, c->owner, c->earlier, c->until_ms);
		}
	}
}

/* Sets that are others than those that were gone through make lines from their beginning. */
static void a_past_that_reads_otherwise_makes_lines_from_its_beginning(void **state)
{
	static const struct moment was[] = { { 1, 0, 9000 },
		                             { 2, 1000, 8000 },
		                             { 3, 2000, NEVER } };
	static const struct moment others[][3] = {
		{ { 4, 0, 9000 }, { 2, 1000, 8000 }, { 3, 2000, NEVER } },
		{ { 1, 0, 9000 }, { 4, 1000, 8000 }, { 3, 2000, NEVER } },
		{ { 1, 0, 9000 }, { 2, 1000, 8000 }, { 4, 2000, NEVER } },
		{ { 1, 0, 9000 }, { 2, 1500, 8000 }, { 3, 2000, NEVER } },
	};

	for (size_t i = 0; i < COUNT(others); i++) {
		struct owners_line fresh[SLOTS];

		teardown(state);
		assert_int_equal(setup(state), 0);
		follow_moments(others[i], 3, 4000);
		memcpy(fresh, o->lines, sizeof(fresh));
		teardown(state);
		assert_int_equal(setup(state), 0);
		follow_moments(was, 3, 4000);
		if (i != 3) /* which differs by a time alone, that no claim is of */
			assert_memory_not_equal(o->lines, fresh, sizeof(fresh));
		follow_moments(others[i], 3, 4000);
		assert_memory_equal(o->lines, fresh, sizeof(fresh));
	}
}

/* As of a node that had begun without it. */
static void a_document_that_knows_more_of_the_past_makes_lines_from_its_beginning(void **state)
{
	static const struct moment m[] = {
		{ 1, 0, 9000 }, { 2, 1000, 8000 }, { 3, 2000, 7000 }, { 4, 3000, NEVER }
	};
	static const uint16_t none[3] = { 0 }, two[3] = { 3, 2 };
	static const int64_t until_ms[3] = { 7000, 8000 };

	(void)state;
	follow_moments(m, 3, 4000);
	follow_moments(m + 3, 1, 4000); /* it does not continue those */
	expect_line("the last one alone", 4, none, until_ms);
	follow_moments(m + 1, 3, 4000);
	expect_line("two before it", 4, two, until_ms);
}

/* A node remembers as many sets as a document can have; of a longer history the newest count. */
static void a_history_longer_than_a_document_goes_on(void **state)
{
	static const uint16_t earlier[3] = { 1 };
	enum { STEPS = 2 * (OWNERS_SETS_MAX + 2) };
	static const int64_t until_ms[3] = { (STEPS - 1) * 1000 + SETTLE };
	struct moment m[2] = { { 1, 0, 500 } };

	(void)state;
	follow_moments(m, 1, 0);
	for (int k = 1; k < STEPS; k++) {
		m[1] = (struct moment){ (uint16_t)(k % 2 + 1), 1000 * k, 1000 * k + 500 };
		follow_moments(m, 2, 1000 * k);
		m[0] = m[1];
	}
	expect_line("alternating", 2, earlier, until_ms);
	assert_int_equal(o->n_walked, OWNERS_SETS_MAX);
}

/* A waiting slot goes by the oldest claim's end, which the next claim's time is counted from. */
static void who_waits_gets_the_slot_when_the_oldest_claim_ends(void **state)
{
	static const struct moment m[] = { { 1, 0, 9000 },
		                           { 2, 1000, 8000 },
		                           { 3, 2000, 7000 },
		                           { 4, 3000, 6000 },
		                           { 5, 4000, NEVER } };
	static const uint16_t full[3] = { 3, 2, 1 }, after[3] = { 4, 3, 2 };
	static const int64_t full_ms[3] = { 7000, 8000, 9000 },
	                     after_ms[3] = { 9000 + SETTLE, 7000, 8000 };

	(void)state;
	follow_moments(m, 5, 4000);
	owners_lines_wait(o, WALL + 8999);
	expect_line("a moment before", 4, full, full_ms);
	owners_lines_wait(o, WALL + 9000);
	expect_line("the moment", 5, after, after_ms);
	owners_lines_wait(o, WALL + 9001);
	expect_line("nobody waits", 5, after, after_ms);
	follow_moments(m, 4, 4000); /* the document is rolled back: lines from the beginning */
	expect_line("rolled back", 4, full, full_ms);
	follow_moments(m, 5, 9000); /* later than the claim's end, and the same */
	expect_line("late", 5, after, after_ms);
}

/* --- telling --- */

static uint16_t *hot_word(uint32_t s)
{
	return &slots[0].slot[s];
}

/* As if the owners had stored it. */
static void set_hot(uint32_t s, uint16_t word)
{
	*hot_word(s) = o->hot[s] = word;
}

/* A node with one set, of whose members from @p first on that one has all slots; 6 is as @p six. */
static void start_set(uint16_t first, uint8_t six)
{
	const struct moment m = { first, -4000000, NEVER };
	const uint8_t states[16] = { [6] = six };
	const struct owners_times times = o->times;

	make_sets(&m, 1);
	sets[0].members += first - 1;
	sets[0].n_members -= first - 1u;
	assert_int_equal(owners_apply(o, &times, sets, 1, states, COUNT(states), &now), 0);
}

static void start_owners(void)
{
	start_set(1, OWNERS_SERVES);
}

static void put_slot(uint32_t s, uint16_t owner, const uint16_t named[4], const uint16_t end[4])
{
	memset(&colds[s], 0, sizeof(colds[s]));
	set_hot(s, owner | LOOKS);
	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++) {
		colds[s].list.earlier |= (uint64_t)named[i] << 16 * i;
		colds[s].list.end[i] = end[i];
	}
}

static void what_a_line_says_is_not_told(void **state)
{
	static const struct {
		const char *why;
		uint16_t owner, named[4], end[4];
		bool told;
	} cases[] = {
		{ "the line's owner", 1, { 0 }, { 0 }, false },
		{ "nobody", 0, { 0 }, { 0 }, false },
		{ "another owner", 2, { 0 }, { 0 }, true },
		{ "earlier owners of the line", 1, { 2, 3 }, { UNIT, UNIT }, false },
		{ "a guest whose claim lasts", 1, { 2, 3 | GUEST }, { UNIT, UNIT }, true },
		{ "a guest whose claim is over", 1, { 2, 3 | GUEST }, { UNIT, OVER }, false },
		{ "the fourth in the list",
		  1,
		  { 2, 3, 4, 5 | GUEST },
		  { UNIT, UNIT, UNIT, UNIT },
		  true },
	};
	struct owners_handover out;

	(void)state;
	start_owners();
	for (size_t i = 0; i < COUNT(cases); i++) {
		put_slot(SLOT, cases[i].owner, cases[i].named, cases[i].end);
		if (owners_handover_find(o, 0, &now, &out) != cases[i].told)
			fail_msg("%s", cases[i].why);
		if (!cases[i].told)
			continue;
		assert_int_equal(out.slot, SLOT);
		assert_int_equal(out.owner, cases[i].owner);
		assert_memory_equal(out.named, cases[i].named, sizeof(out.named));
		assert_false(owners_handover_find(o, SLOT + 1, &now, &out));
		assert_true(owners_handover_find(o, SLOT, &now, &out));
	}
	set_hot(SLOT, 1); /* a list of a slot that looks no further is old */
	assert_false(owners_handover_find(o, 0, &now, &out));
	put_slot(SLOTS - 1, 2, cases[0].named, cases[0].end);
	assert_true(owners_handover_find(o, SLOTS - 1, &now, &out));
	assert_false(owners_handover_find(o, SLOTS, &now, &out));
}

/* A claim is told to the end of its unit of 16 s; it is now the ninth second of one. */
static void claims_are_told_by_the_wall_clock(void **state)
{
	static const uint16_t named[4] = { 2, 3, 4, 5 | GUEST };
	static const uint16_t end[4] = { UNIT, UNIT + 1, OVER, UNIT + 100 };
	struct owners_handover out;

	(void)state;
	start_owners();
	put_slot(SLOT, 1, named, end);
	assert_true(owners_handover_find(o, 0, &now, &out));
	assert_int_equal(out.until_ms[0], WALL + 8000);
	assert_int_equal(out.until_ms[1], WALL + 24000);
	assert_int_equal(out.until_ms[2], WALL - 8000);
	assert_int_equal(out.until_ms[3], WALL + 8000 + 1600000);
	now.now_ms += 7000; /* seven seconds later they end at the same time */
	now.wall_clock_ms += 7000;
	assert_true(owners_handover_find(o, 0, &now, &out));
	assert_int_equal(out.until_ms[0], WALL + 8000);
	assert_int_equal(out.until_ms[3], WALL + 8000 + 1600000);
}

/* --- taking --- */

static void expect_slot(const char *why, uint16_t owner, const uint16_t named[4],
                        const uint16_t end[4])
{
	const struct owner_list *list = &colds[SLOT].list;

	if ((*hot_word(SLOT) & FWD_SLOT_BACKEND) != owner)
		fail_msg("%s: owner %u", why, *hot_word(SLOT) & FWD_SLOT_BACKEND);
	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++) {
		uint16_t is = *hot_word(SLOT) & LOOKS ? (uint16_t)(list->earlier >> 16 * i) : 0;

		if (is != named[i] || (named[i] != 0 && list->end[i] != end[i]))
			fail_msg("%s: named %u is %#x until %u", why, i, is, list->end[i]);
	}
}

enum { MS = 1000, LONG = 1000 * MS, LONG_END = UNIT + (8 + 1001) / 16 };
static const struct {
	const char *why;
	uint16_t owner, named[4]; /* here */
	struct owners_handover told;
	uint16_t to, to_named[4], to_end[4];
} peer_slots[] = {
	{ "as here", 1, { 0 }, { .owner = 1 }, 1, { 0 }, { 0 } },
	{ "another owner", 1, { 0 }, { .owner = 2 }, 2, { 1 | GUEST }, { OVER } },
	{ "nobody is told: it stays", 1, { 0 }, { .owner = 0 }, 1, { 0 }, { 0 } },
	{ "a dead one is told: it stays", 1, { 0 }, { .owner = 6 }, 1, { 0 }, { 0 } },
	{ "those that are told come first",
	  1,
	  { 4 },
	  { .owner = 2, .named = { 3 | GUEST }, .until_ms = { WALL + LONG } },
	  2,
	  { 3 | GUEST, 1 | GUEST, 4 | GUEST },
	  { LONG_END, OVER, OVER } },
	{ "an owner that no line names is a guest",
	  1,
	  { 0 },
	  { .owner = 1, .named = { 3, 2 | GUEST }, .until_ms = { WALL + LONG, 0 } },
	  1,
	  { 3 | GUEST, 2 | GUEST },
	  { LONG_END, OVER } },
	{ "each once",
	  1,
	  { 3, 4 },
	  { .owner = 2, .named = { 3 | GUEST, 3, 2 }, .until_ms = { WALL + LONG } },
	  2,
	  { 3 | GUEST, 1 | GUEST, 4 | GUEST },
	  { LONG_END, OVER, OVER } },
	{ "three at most",
	  1,
	  { 0 },
	  { .owner = 2,
	    .named = { 3, 4, 5, 1 },
	    .until_ms = { WALL + LONG, WALL + LONG, WALL + LONG, WALL + LONG } },
	  2,
	  { 3 | GUEST, 4 | GUEST, 5 | GUEST },
	  { LONG_END, LONG_END, LONG_END } },
	{ "a dead owner here takes no other's place",
	  6,
	  { 5 },
	  { .owner = 2, .named = { 3, 4 }, .until_ms = { WALL + LONG, WALL + LONG } },
	  2,
	  { 3 | GUEST, 4 | GUEST, 5 | GUEST },
	  { LONG_END, LONG_END, OVER } },
};

static void a_slot_is_as_it_was_told_and_names_its_own_without_a_claim(void **state)
{
	(void)state;
	start_set(6, OWNERS_DEAD); /* no line takes the slot back */
	for (size_t i = 0; i < COUNT(peer_slots); i++) {
		struct owners_handover told = peer_slots[i].told;
		static const uint16_t end[4] = { UNIT + 9, UNIT + 9, UNIT + 9, UNIT + 9 };

		put_slot(SLOT, peer_slots[i].owner, peer_slots[i].named, end);
		told.slot = SLOT;
		owners_handover_apply(o, &told, 1, &now);
		expect_slot(peer_slots[i].why, peer_slots[i].to, peer_slots[i].to_named,
		            peer_slots[i].to_end);
	}
}

/*
 * Slots of which nothing was told are their line's; those that were, are as told; each slot has
 * its own.
 */
static void all_slots_are_as_the_peer_has_them(void **state)
{
	struct owners_handover told[3] = { 0 };
	struct owners_handover out;

	(void)state;
	start_owners();
	for (uint32_t i = 0; i < 3; i++) {
		told[i].slot = i == 0 ? 0 : i == 1 ? SLOT : SLOTS - 1;
		told[i].owner = 1;
		told[i].named[0] = (uint16_t)(2 + i) | GUEST;
		told[i].until_ms[0] = WALL + 500000;
	}
	set_hot(3, 4); /* a guess of this node's own */
	o->temporary_end_s = 0;
	owners_handover_apply(o, told, 3, &now);
	for (uint32_t i = 0, from = 0; i < 3; i++, from = out.slot + 1) {
		assert_true(owners_handover_find(o, from, &now, &out));
		assert_int_equal(out.slot, told[i].slot);
		assert_int_equal(out.owner, 1);
		assert_int_equal(out.named[0], told[i].named[0]);
		assert_in_range(out.until_ms[0], WALL + 500000, WALL + 516000);
	}
	assert_int_equal(*hot_word(3) & FWD_SLOT_BACKEND, 1);
	assert_int_equal(colds[3].list.earlier & 0xffff, 4 | GUEST);
	assert_int_equal(o->temporary_end_s, NOW_S + SETTLE / 1000 + 33); /* two units */
}

/* --- who is in use --- */

static void an_index_is_in_use_by_set_slot_line_list_or_claim(void **state)
{
	static const uint16_t named[4] = { 5 | GUEST }, end[4] = { OVER };
	struct owners_stats stats;
	uint32_t owned[4] = { 0 }, based[4] = { 0 };

	(void)state;
	start_owners(); /* its set names 1 to 6 */
	for (uint16_t b = 1; b <= MEMBERS; b++)
		assert_true(owners_uses(o, b));
	assert_false(owners_uses(o, 9));
	o->now.n_members = 0;
	assert_true(owners_uses(o, 1));
	assert_false(owners_uses(o, 2));
	o->lines[SLOTS - 1].earlier[SECOND_OWNERS_MAX - 1] = 2;
	assert_true(owners_uses(o, 2));
	assert_false(owners_uses(o, 3));
	set_hot(SLOT, 3);
	assert_true(owners_uses(o, 3));
	put_slot(SLOT, 1, named, end);
	assert_true(owners_uses(o, 5));
	assert_false(owners_uses(o, 3));
	count_slots(o, &stats, owned, based, 4); /* 5 is beyond: it is not counted */
	assert_true(owned[1] == SLOTS && based[1] + based[2] + based[3] == 0);
	assert_int_equal(stats.unsettled, 1);
	assert_int_equal(stats.looking, 1);
	colds[SLOT].list.earlier = 0;
	assert_false(owners_uses(o, 5));
	colds[SLOT].claim[OWNER_CLASS_UDP] = (struct owner_claim){ .base = 3, .settle_at = 9 };
	assert_true(owners_uses(o, 3));
	count_slots(o, &stats, owned, based, 4);
	assert_int_equal(based[3], 1);
	colds[SLOT].claim[OWNER_CLASS_UDP].settle_at = 0; /* settled */
	assert_false(owners_uses(o, 3));
}

#define LINE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(owners_line)
{
	const struct CMUnitTest tests[] = {
		LINE_TEST(a_line_names_whom_the_documents_sets_took_the_slot_from),
		LINE_TEST(how_a_node_comes_to_know_the_sets_does_not_matter),
		LINE_TEST(a_past_that_reads_otherwise_makes_lines_from_its_beginning),
		LINE_TEST(a_document_that_knows_more_of_the_past_makes_lines_from_its_beginning),
		LINE_TEST(a_history_longer_than_a_document_goes_on),
		LINE_TEST(who_waits_gets_the_slot_when_the_oldest_claim_ends),
		LINE_TEST(what_a_line_says_is_not_told),
		LINE_TEST(claims_are_told_by_the_wall_clock),
		LINE_TEST(a_slot_is_as_it_was_told_and_names_its_own_without_a_claim),
		LINE_TEST(all_slots_are_as_the_peer_has_them),
		LINE_TEST(an_index_is_in_use_by_set_slot_line_list_or_claim),
	};

	return cmocka_run_group_tests_name("owners line", tests, NULL, NULL);
}
