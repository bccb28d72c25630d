/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stores that change one slot (dataplane/owners/slot.c), and a slot's past by the document
 * (owners_past.c): each field of the cold slot, and each time exactly, a second before and after.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/owners/owners_internal.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FIRST    64u
#define SLOTS    32u
#define SLOT     5u /* the one that is changed */
#define NOW_S    5000u
#define WALL     1700000000000
#define SETTLE_S 900u
#define IDLE_S   400u
#define UDP_S    30u
#define KEEP_S   (IDLE_S + 24u)
#define LOOKS    FWD_SLOT_UNSETTLED
#define NEVER    INT64_MAX
#define TCP      OWNER_CLASS_TCP
#define UDP      OWNER_CLASS_UDP

static const uint64_t key[2] = { 1, 2 };
static struct fwd_slots slots[(FIRST + 2 * SLOTS) / FWD_SLOTS_PER_BLOCK];
static struct owner_cold colds[FIRST + 2 * SLOTS];
static struct owners_memory *memory;
static struct owners *o;
static struct owner_cold *cold;
static const struct owners_clock now = { NOW_S * 1000 + 700, WALL };

static uint16_t *hot_word(uint32_t s)
{
	return &slots[(FIRST + s) / FWD_SLOTS_PER_BLOCK].slot[(FIRST + s) % FWD_SLOTS_PER_BLOCK];
}

/* As if the owners had stored it. */
static void set_hot(uint32_t s, uint16_t word)
{
	*hot_word(s) = o->hot[s] = word;
}

/* Slot SLOT is 3's and settled; backend 9 is dead. */
static int setup(void **state)
{
	const struct owners_tables tables = { slots, colds, FIRST, SLOTS };

	(void)state;
	memset(slots, 0, sizeof(slots));
	memset(colds, 0x5a, sizeof(colds)); /* what an earlier owner left there */
	if (owners_memory_new(NULL, 0, &memory) || owners_new(&tables, memory, key, &o))
		return -1;
	o->times =
	        (struct owners_times){ SETTLE_S * 1000, IDLE_S * 1000, UDP_S * 1000, false, NULL };
	owners_add(&o->dead, 9);
	cold = &colds[FIRST + SLOT];
	set_hot(SLOT, 3);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (uint32_t s = 0; s < SLOTS; s++) /* no other slot is touched */
		if (s != SLOT && (*hot_word(s) != 0 || colds[FIRST + s].kept_at != 0x5a5a5a5a))
			return -1;
	owners_free(o);
	owners_memory_free(memory);
	return 0;
}

static void expect_claim(int class, uint16_t base, uint32_t settle_at)
{
	if (cold->claim[class].base != base || cold->claim[class].settle_at != settle_at)
		fail_msg("class %d: base %u until %u, not %u until %u", class,
		         cold->claim[class].base, cold->claim[class].settle_at, base, settle_at);
}

/* --- other tables --- */

/* The copy may be damaged: it is mended. The former tables are left as they are. */
static void words_are_right_in_the_tables_that_slots_moved_to(void **state)
{
	struct fwd_slots there[(FIRST + 2 * SLOTS) / FWD_SLOTS_PER_BLOCK];
	const struct owners_tables tables = { there, colds, FIRST, SLOTS };

	(void)state;
	memcpy(there, slots, sizeof(there));
	there[(FIRST + SLOT) / FWD_SLOTS_PER_BLOCK].slot[(FIRST + SLOT) % FWD_SLOTS_PER_BLOCK] = 4;
	*hot_word(SLOT) = 5;
	owners_move(o, &tables);
	assert_int_equal(owners_current(o, SLOT), 3);
	assert_int_equal(owners_scrub(o, 0, SLOTS), 0);
	assert_int_equal(*hot_word(SLOT), 5);
}

/* --- looking further --- */

static void a_slot_that_begins_to_look_says_that_nothing_is_going_on(void **state)
{
	(void)state;
	owners_slot_unsettle(o, SLOT, NOW_S);
	assert_int_equal(*hot_word(SLOT), 3 | LOOKS);
	for (int c = 0; c < OWNER_CLASSES; c++) {
		expect_claim(c, 3, 0);
		assert_int_equal(cold->claim[c].seen_at, NOW_S);
	}
	assert_int_equal(cold->claim[TCP].spilled_at, (uint16_t)(NOW_S - OWNER_SPILL_S));
	assert_int_equal(cold->claim[OWNER_CLASS_UDP].drill, 0);
	assert_int_equal(cold->scheduled_at, 0);
	assert_int_equal(cold->kept_at, NOW_S - KEEP_S - 1);
	cold->kept_at = 77;
	owners_slot_unsettle(o, SLOT, NOW_S + 5); /* it does already */
	assert_int_equal(cold->kept_at, 77);
	assert_int_equal(cold->claim[TCP].seen_at, NOW_S);
}

static void a_warned_slot_keeps_its_flows_and_the_time_of_the_first_warning(void **state)
{
	const struct owners_clock later = { now.now_ms + 400, WALL + 400 },
	                          zero = { 1ull << 32, WALL };

	(void)state;
	owners_slot_schedule(o, SLOT, &now);
	assert_int_equal(*hot_word(SLOT), 3 | LOOKS);
	assert_int_equal(cold->scheduled_at, NOW_S * 1000 + 700);
	expect_claim(TCP, 3, NOW_S + OWNERS_CLAIM_MAX_S);
	expect_claim(UDP, 3, 0);
	owners_slot_schedule(o, SLOT, &later);
	assert_int_equal(cold->scheduled_at, NOW_S * 1000 + 700);
	owners_slot_unschedule(o, SLOT);
	assert_int_equal(cold->scheduled_at, 0);
	expect_claim(TCP, 3, 0);
	owners_slot_schedule(o, SLOT, &zero); /* 0 would say that it is not warned */
	assert_int_equal(cold->scheduled_at, 1);
}

static void a_warning_taken_back_ends_the_owners_own_claims_alone(void **state)
{
	(void)state;
	owners_slot_unsettle(o, SLOT, NOW_S);
	cold->claim[TCP] = (struct owner_claim){ .base = 4, .settle_at = 6000 };
	cold->claim[UDP] = (struct owner_claim){ .base = 3, .settle_at = 6001 };
	owners_slot_schedule(o, SLOT, &now);
	expect_claim(TCP, 4, 6000);
	owners_slot_unschedule(o, SLOT);
	expect_claim(TCP, 4, 6000);
	expect_claim(UDP, 3, 0);
}

/* --- moving --- */

static void whom_a_slot_leaves_keeps_a_claim_by_class(void **state)
{
	(void)state;
	owners_slot_move(o, SLOT, 4, NOW_S);
	assert_int_equal(*hot_word(SLOT), 4 | LOOKS);
	expect_claim(TCP, 3, NOW_S + SETTLE_S);
	expect_claim(UDP, 3, NOW_S + UDP_S + 2);
	assert_int_equal(cold->claim[UDP].seen_at, NOW_S);
	assert_int_equal(cold->scheduled_at, 0);
	owners_slot_move(o, SLOT, 5, NOW_S + 10); /* 4 comes after 3, whose claims last */
	assert_int_equal(*hot_word(SLOT), 5 | LOOKS);
	expect_claim(TCP, 3, NOW_S + SETTLE_S);
	expect_claim(UDP, 3, NOW_S + UDP_S + 2);
	owners_slot_move(o, SLOT, 3, NOW_S + 20); /* back: nothing is left to be claimed */
	assert_int_equal(*hot_word(SLOT), 3 | LOOKS);
	expect_claim(TCP, 3, 0);
	expect_claim(UDP, 3, 0);
}

static void a_claim_made_twice_for_one_owner_gets_the_later_end(void **state)
{
	(void)state;
	owners_slot_unsettle(o, SLOT, NOW_S);
	cold->claim[TCP] = (struct owner_claim){ .base = 3, .settle_at = 5100 };
	owners_slot_move(o, SLOT, 4, NOW_S);
	expect_claim(TCP, 3, NOW_S + SETTLE_S);
}

static void nobody_and_the_dead_leave_no_claim(void **state)
{
	static const uint16_t froms[] = { 0, 9 };

	(void)state;
	for (size_t i = 0; i < COUNT(froms); i++) {
		set_hot(SLOT, froms[i]);
		owners_slot_move(o, SLOT, 4, NOW_S);
		assert_int_equal(*hot_word(SLOT), 4);
	}
	o->times.udp_idle_ms = 0; /* no UDP service: no window */
	owners_slot_move(o, SLOT, 5, NOW_S);
	expect_claim(TCP, 4, NOW_S + SETTLE_S);
	expect_claim(UDP, 4, 0);
}

/*
 * The document says when flows leave whom its set took the slot from; of others the settling time
 * counts.
 */
static void a_claim_ends_when_the_document_says(void **state)
{
	static const struct {
		uint16_t before;
		uint32_t leave_s, end_s;
	} cases[] = {
		{ 3, NOW_S + 50, NOW_S + 50 },       { 3, NOW_S + 1, NOW_S + 1 },
		{ 3, NOW_S, NOW_S + SETTLE_S }, /* that is over: it must have been something else */
		{ 3, NOW_S - 1, NOW_S + SETTLE_S },  { 4, NOW_S + 50, NOW_S + SETTLE_S },
		{ 0, NOW_S + 50, NOW_S + SETTLE_S },
	};

	(void)state;
	o->before = calloc(SLOTS, sizeof(*o->before));
	assert_non_null(o->before);
	for (size_t i = 0; i < COUNT(cases); i++) {
		set_hot(SLOT, 3);
		o->before[SLOT] = cases[i].before;
		o->leave_s = cases[i].leave_s;
		owners_slot_move(o, SLOT, 6, NOW_S);
		expect_claim(TCP, 3, cases[i].end_s);
	}
}

static void times_are_rounded_up_to_seconds(void **state)
{
	(void)state;
	o->times.settle_ms = 900001;
	o->times.udp_idle_ms = 30999;
	assert_int_equal(owners_udp_window_s(o), 33);
	owners_slot_move(o, SLOT, 4, NOW_S);
	expect_claim(TCP, 3, NOW_S + 901);
	expect_claim(UDP, 3, NOW_S + 33);
}

/* --- the dead --- */

static void claims_of_the_dead_end_and_others_stay(void **state)
{
	static const struct {
		uint16_t tcp, udp;
		uint32_t scheduled_at;
		uint16_t tcp_base, udp_base;
		uint32_t tcp_at, udp_at;
	} cases[] = {
		{ 4, 5, 0, 4, 5, 6000, 6001 }, { 9, 5, 0, 3, 5, 0, 6001 },
		{ 4, 9, 0, 4, 3, 6000, 0 },    { 9, 9, 0, 3, 3, 0, 0 },
		{ 9, 9, 77, 3, 3, 6000, 0 }, /* warned: the claim is the owner's from now on */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		set_hot(SLOT, 3 | LOOKS);
		cold->claim[TCP] = (struct owner_claim){ .base = cases[i].tcp, .settle_at = 6000 };
		cold->claim[UDP] = (struct owner_claim){ .base = cases[i].udp, .settle_at = 6001 };
		cold->scheduled_at = cases[i].scheduled_at;
		owners_slot_expire_dead(o, SLOT);
		expect_claim(TCP, cases[i].tcp_base, cases[i].tcp_at);
		expect_claim(UDP, cases[i].udp_base, cases[i].udp_at);
	}
	cold->claim[TCP] = (struct owner_claim){ .base = 9 };
	owners_slot_expire_dead(o, SLOT); /* it had settled */
	expect_claim(TCP, 9, 0);
}

/* --- settling --- */

static void a_slot_settles_at_its_times_and_not_a_second_before(void **state)
{
	static const struct {
		const char *why;
		uint32_t tcp_at, tcp_seen, udp_at, kept_at, scheduled_at, now_s;
		bool tcp, udp, looks; /* is left */
	} cases[] = {
		{ "TCP's time, before", 6000, 5999, 0, 1, 0, 5999, true, false, true },
		{ "TCP's time", 6000, 5999, 0, 1, 0, 6000, false, false, false },
		{ "TCP's base idle, before", 9000, 5000, 0, 1, 0, 5000 + IDLE_S, true, false,
		  true },
		{ "TCP's base idle", 9000, 5000, 0, 1, 0, 5000 + IDLE_S + 1, false, false, false },
		{ "warned", 6000, 5000, 0, 1, 7, 7000, true, false, true },
		{ "UDP's time, before", 0, 5000, 6000, 1, 0, 5999, false, true, true },
		{ "UDP's time", 0, 5000, 6000, 1, 0, 6000, false, false, false },
		{ "UDP's time, TCP's not", 9000, 6000, 6000, 1, 0, 6000, true, false, true },
		{ "TCP's time, UDP's not", 6000, 6000, 6001, 1, 0, 6000, false, true, true },
		{ "an exception may live", 0, 0, 0, 5000, 0, 5000 + KEEP_S - 1, false, false,
		  true },
		{ "no exception can live", 0, 0, 0, 5000, 0, 5000 + KEEP_S, false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		set_hot(SLOT, 3 | LOOKS);
		*cold = (struct owner_cold){ .scheduled_at = cases[i].scheduled_at,
			                     .kept_at = cases[i].kept_at };
		cold->claim[TCP] =
		        (struct owner_claim){ 4, { 0 }, cases[i].tcp_at, cases[i].tcp_seen };
		cold->claim[UDP] = (struct owner_claim){ 4, { 0 }, cases[i].udp_at, 0 };
		owners_slot_settle(o, SLOT, cases[i].now_s);
		if ((cold->claim[TCP].settle_at != 0) != cases[i].tcp ||
		    (cold->claim[UDP].settle_at != 0) != cases[i].udp ||
		    *hot_word(SLOT) != (3 | (cases[i].looks ? LOOKS : 0)))
			fail_msg("%s", cases[i].why);
	}
}

/*
 * How long an exception may live: the longest of both classes' idle times, and of a closing
 * connection.
 */
static void exceptions_are_waited_for_by_the_longest_idle_time(void **state)
{
	static const struct {
		uint32_t idle_ms, udp_ms, keep_s;
	} cases[] = {
		{ 400000, 30000, 424 },
		{ 400001, 30000, 425 },
		{ 300000, 500000, 524 },
		{ 300000, 500001, 525 },
		{ 1000, 2000, OWNER_CLOSING_S + 24 },
		{ OWNER_CLOSING_S * 1000 + 1, 0, OWNER_CLOSING_S + 25 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		o->times.idle_ms = cases[i].idle_ms;
		o->times.udp_idle_ms = cases[i].udp_ms;
		set_hot(SLOT, 3);
		owners_slot_unsettle(o, SLOT, NOW_S);
		assert_int_equal(cold->kept_at, NOW_S - cases[i].keep_s - 1);
	}
}

/* --- empty tables --- */

static void a_slot_of_nobody_gets_the_claims_that_last(void **state)
{
	static const struct {
		uint16_t base[OWNER_CLASSES];
		uint32_t end_s[OWNER_CLASSES];
		bool tcp, udp;
	} cases[] = {
		{ { 4, 5 }, { 6000, 6001 }, true, true },
		{ { 4, 5 }, { 0, 6001 }, false, true },
		{ { 4, 5 }, { 6000, 0 }, true, false },
		{ { 4, 5 }, { 0, 0 }, false, false },
		{ { 3, 5 }, { 6000, 6001 }, false, true },
		{ { 4, 3 }, { 6000, 6001 }, true, false },
		{ { 0, 5 }, { 6000, 6001 }, false, true },
		{ { 4, 9 }, { 6000, 6001 }, true, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		set_hot(SLOT, 0);
		memset(cold, 0, sizeof(*cold));
		owners_slot_seed(o, SLOT, 3, cases[i].base, cases[i].end_s, NOW_S);
		assert_int_equal(*hot_word(SLOT), 3 | (cases[i].tcp || cases[i].udp ? LOOKS : 0));
		assert_int_equal(cold->claim[TCP].settle_at, cases[i].tcp ? 6000 : 0);
		assert_int_equal(cold->claim[UDP].settle_at, cases[i].udp ? 6001 : 0);
		if (cases[i].tcp)
			assert_int_equal(cold->claim[TCP].base, cases[i].base[TCP]);
		if (cases[i].udp)
			assert_int_equal(cold->claim[UDP].base, cases[i].base[UDP]);
	}
	o->times.agents = true; /* a list stands in the place of TCP's claim */
	set_hot(SLOT, 0);
	owners_slot_seed(o, SLOT, 3, cases[0].base, cases[0].end_s, NOW_S);
	assert_true(cold->list.earlier == 0);
	expect_claim(UDP, 5, 6001);
}

static void an_instant_of_the_document_is_never_early(void **state)
{
	static const struct {
		int64_t end_ms;
		uint32_t end_s;
	} cases[] = {
		{ 0, 0 },
		{ WALL - 1, 0 },
		{ WALL, 0 },
		{ WALL + 1, NOW_S + 1 },
		{ WALL + 299, NOW_S + 1 },
		{ WALL + 300, NOW_S + 2 },
		{ WALL + 1300, NOW_S + 3 },
		{ WALL + (int64_t)OWNERS_CLAIM_MAX_S * 1000 - 1000, NOW_S + OWNERS_CLAIM_MAX_S },
		{ WALL + (int64_t)OWNERS_CLAIM_MAX_S * 1000, NOW_S + OWNERS_CLAIM_MAX_S + 1 },
		{ WALL + (int64_t)OWNERS_CLAIM_MAX_S * 1000 + 5000,
		  NOW_S + OWNERS_CLAIM_MAX_S + 1 },
		{ NEVER, NOW_S + OWNERS_CLAIM_MAX_S + 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(owners_end_in_seconds(cases[i].end_ms, &now), cases[i].end_s);
}

/* Sets of one member each, so that all slots are its: who had them, and until when that counts. */
struct moment {
	uint16_t backend;
	int64_t from_ms, until_ms; /* from now */
};

#define MOMENTS_MAX 4u

static void apply_moments(const struct moment *m, size_t n, const uint8_t *states)
{
	struct owners_member members[MOMENTS_MAX];
	struct owners_set sets[MOMENTS_MAX];
	const struct owners_times times = o->times;

	for (size_t i = 0; i < n; i++) {
		members[i] = (struct owners_member){ 100u + m[i].backend, 10, m[i].backend, 0 };
		sets[i] =
		        (struct owners_set){ WALL + m[i].from_ms,
			                     m[i].until_ms == NEVER ? NEVER : WALL + m[i].until_ms,
			                     &members[i], 1, NULL };
	}
	assert_int_equal(owners_apply(o, &times, sets, n, states, 16, &now), 0);
}

static const struct {
	const char *why;
	struct moment m[MOMENTS_MAX];
	size_t n;
	uint16_t owner, tcp, udp;
	uint32_t tcp_at, udp_at;
} pasts[] = {
	{ "one set", { { 3, -50000, NEVER } }, 1, 3, 0, 0, 0, 0 },
	{ "the set before says until when",
	  { { 4, -90000, 60000 }, { 3, -50000, NEVER } },
	  2,
	  3,
	  4,
	  0,
	  NOW_S + 61,
	  0 },
	{ "it says nothing: the settling time",
	  { { 4, -90000, -60000 }, { 3, -50000, NEVER } },
	  2,
	  3,
	  4,
	  0,
	  NOW_S + SETTLE_S - 50 + 1,
	  0 },
	{ "UDP's window lasts",
	  { { 4, -90000, 60000 }, { 3, -20000, NEVER } },
	  2,
	  3,
	  4,
	  4,
	  NOW_S + 61,
	  NOW_S + UDP_S + 2 - 20 + 1 },
	{ "UDP's window is over",
	  { { 4, -90000, 60000 }, { 3, -32000, NEVER } },
	  2,
	  3,
	  4,
	  0,
	  NOW_S + 61,
	  0 },
	{ "the first of two whose claims last",
	  { { 4, -90000, 60000 }, { 5, -50000, 70000 }, { 3, -20000, NEVER } },
	  3,
	  3,
	  4,
	  0,
	  NOW_S + 61,
	  0 },
	{ "the first one's UDP window was over at the second change",
	  { { 4, -90000, 60000 }, { 5, -50000, 70000 }, { 3, -10000, NEVER } },
	  3,
	  3,
	  4,
	  5,
	  NOW_S + 61,
	  NOW_S + UDP_S + 2 - 10 + 1 },
	{ "the first has had its time",
	  { { 4, -90000, -30000 }, { 5, -40000, 70000 }, { 3, -20000, NEVER } },
	  3,
	  3,
	  5,
	  0,
	  NOW_S + 71,
	  0 },
	{ "back with who had it",
	  { { 3, -90000, 60000 }, { 4, -50000, 70000 }, { 3, -20000, NEVER } },
	  3,
	  3,
	  0,
	  0,
	  0,
	  0 },
};

static void a_fresh_node_claims_what_the_document_says_of_the_past(void **state)
{
	static const uint8_t states[16] = { 0 };

	for (size_t i = 0; i < COUNT(pasts); i++) {
		teardown(state);
		memset(slots, 0, sizeof(slots));
		assert_int_equal(setup(state), 0);
		set_hot(SLOT, 0);
		apply_moments(pasts[i].m, pasts[i].n, states);
		if ((*hot_word(SLOT) & FWD_SLOT_BACKEND) != pasts[i].owner)
			fail_msg("%s: owner %u", pasts[i].why, *hot_word(SLOT));
		if (pasts[i].tcp || pasts[i].udp) {
			if (pasts[i].tcp)
				expect_claim(TCP, pasts[i].tcp, pasts[i].tcp_at);
			if (pasts[i].udp)
				expect_claim(UDP, pasts[i].udp, pasts[i].udp_at);
			assert_int_equal(cold->claim[UDP].settle_at, pasts[i].udp_at);
		} else {
			assert_int_equal(*hot_word(SLOT), pasts[i].owner);
		}
		memset(slots, 0, sizeof(slots)); /* as teardown() wants them */
		memset(colds, 0x5a, sizeof(colds));
	}
}

#define SLOT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(owners_slot)
{
	const struct CMUnitTest tests[] = {
		SLOT_TEST(words_are_right_in_the_tables_that_slots_moved_to),
		SLOT_TEST(a_slot_that_begins_to_look_says_that_nothing_is_going_on),
		SLOT_TEST(a_warned_slot_keeps_its_flows_and_the_time_of_the_first_warning),
		SLOT_TEST(a_warning_taken_back_ends_the_owners_own_claims_alone),
		SLOT_TEST(whom_a_slot_leaves_keeps_a_claim_by_class),
		SLOT_TEST(a_claim_made_twice_for_one_owner_gets_the_later_end),
		SLOT_TEST(nobody_and_the_dead_leave_no_claim),
		SLOT_TEST(a_claim_ends_when_the_document_says),
		SLOT_TEST(times_are_rounded_up_to_seconds),
		SLOT_TEST(claims_of_the_dead_end_and_others_stay),
		SLOT_TEST(a_slot_settles_at_its_times_and_not_a_second_before),
		SLOT_TEST(exceptions_are_waited_for_by_the_longest_idle_time),
		SLOT_TEST(a_slot_of_nobody_gets_the_claims_that_last),
		SLOT_TEST(an_instant_of_the_document_is_never_early),
		SLOT_TEST(a_fresh_node_claims_what_the_document_says_of_the_past),
	};

	return cmocka_run_group_tests_name("owners slot", tests, NULL, NULL);
}
