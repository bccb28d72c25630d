/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of owners and exceptions, one slot and one set at a time; tests/sim plays them all at
 * once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/fwd/owner.h"

/* The documented values, not the code's own: a change of those is seen. */
#define HANDSHAKE_S 8u
#define EMBRYONIC_S 64u
#define CLOSING_S   120u

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BASE     3u
#define CURRENT  5u
#define LOOK     (CURRENT | FWD_SLOT_UNSETTLED)
#define NOW      100000u
#define IDLE     300u
#define LEARN    308u
#define UDP_IDLE 30u
#define ISS      0x12345678u

static struct owner_cold cold;
static struct fwd_exceptions set;
static uint32_t now_s;
static uint8_t policy;

/* A slot that CURRENT took from BASE a moment ago. */
static int unsettle_slot(void **state)
{
	(void)state;
	memset(&set, 0, sizeof(set));
	now_s = NOW;
	policy = FWD_UDP_KEEP;
	for (int c = 0; c < OWNER_CLASSES; c++)
		cold.claim[c] = (struct owner_claim){ .base = BASE,
			                              .spilled_at = (uint16_t)(NOW - 100),
			                              .settle_at = NOW + 900,
			                              .seen_at = NOW };
	cold.kept_at = NOW - 5000;
	cold.scheduled_at = 0;
	return 0;
}

static uint64_t flow_hash(uint32_t i)
{
	return 0x9e3779b97f4a7c15u * (i + 1);
}

static struct owner_pick send_hot(uint16_t hot, uint64_t hash, uint8_t segment, uint32_t seq)
{
	bool udp = segment == FWD_SEGMENT_UDP;
	const struct fwd_flow f = {
		.hash = hash, .seq = seq, .segment = segment, .protocol = udp ? 17 : 6
	};
	const struct owner_rule ask = { .now_s = now_s,
		                        .idle_s = udp ? UDP_IDLE : IDLE,
		                        .remember_s = LEARN,
		                        .udp_policy = policy };

	return owner_find(&ask, &f, hot, &cold, &set);
}

static struct owner_pick send_segment(uint64_t hash, uint8_t segment, uint32_t seq)
{
	return send_hot(LOOK, hash, segment, seq);
}

static void assert_goes(struct owner_pick pick, uint16_t backend, enum owner_event event)
{
	assert_int_equal(pick.backend, backend);
	assert_int_equal(pick.event, event);
}

/* Remember @p n open flows of backend 9, from flow 100 on. */
static void occupy_bucket(uint32_t n, uint32_t state)
{
	for (uint32_t i = 0; i < n; i++)
		set.word[i] = owner_word(
		        9, state, owner_end(now_s, state == OWNER_EMBRYONIC ? EMBRYONIC_S : IDLE),
		        state == OWNER_EMBRYONIC ? owner_embryonic_tag(flow_hash(100 + i), 0)
		                                 : owner_tag(flow_hash(100 + i)));
}

static void in_a_full_set_new_flows_go_to_the_base_and_old_ones_stay(void **state)
{
	(void)state;
	occupy_bucket(OWNER_WAYS, OWNER_OPEN);
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_SYN, ISS), BASE, OWNER_EVENT_FULL);
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 1), BASE, OWNER_EVENT_BASE);
	for (uint32_t i = 0; i < OWNER_WAYS; i++)
		assert_goes(send_segment(flow_hash(100 + i), FWD_SEGMENT_TCP, 7), 9,
		            OWNER_EVENT_FOLLOWED);
}

/* The first SYN found no room; its repetition goes to the base, too, though there is room now. */
static void a_spilled_syn_is_repeated_to_the_base(void **state)
{
	(void)state;
	occupy_bucket(OWNER_WAYS, OWNER_OPEN);
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_SYN, ISS), BASE, OWNER_EVENT_FULL);
	set.word[2] = 0;
	now_s += 7;
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_SYN, ISS), BASE, OWNER_EVENT_SPILLED);
	now_s += 8;
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_SYN, ISS), BASE, OWNER_EVENT_FOLLOWED);
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 1), BASE,
	            OWNER_EVENT_CONFIRMED);
	assert_goes(send_segment(flow_hash(2), FWD_SEGMENT_SYN, ISS), BASE, OWNER_EVENT_FULL);
}

static void only_embryonic_entries_are_evicted_and_only_after_a_handshakes_time(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint32_t state, age_s;
		enum owner_event event;
	} cases[] = {
		{ "open", OWNER_OPEN, 60, OWNER_EVENT_FULL },
		{ "finished", OWNER_FINISHED, 60, OWNER_EVENT_FULL },
		{ "reset", OWNER_RESET, 60, OWNER_EVENT_FULL },
		{ "UDP", OWNER_UDP, 20, OWNER_EVENT_FULL },
		{ "leased", OWNER_UDP_LEASE, 20, OWNER_EVENT_FULL },
		{ "a young embryonic one", OWNER_EMBRYONIC, 0, OWNER_EVENT_FULL },
		{ "one that a handshake may still need", OWNER_EMBRYONIC, HANDSHAKE_S - 1,
		  OWNER_EVENT_FULL },
		{ "an old embryonic one", OWNER_EMBRYONIC, 2 * HANDSHAKE_S, OWNER_EVENT_EVICTED },
		{ "an ended one", OWNER_EMBRYONIC, 100, OWNER_EVENT_BEGUN },
		{ "an ended open one", OWNER_OPEN, IDLE + 20, OWNER_EVENT_BEGUN },
	};

	for (size_t c = 0; c < COUNT(cases); c++) {
		print_message("  %s\n", cases[c].why);
		unsettle_slot(NULL);
		occupy_bucket(OWNER_WAYS, cases[c].state);
		now_s += cases[c].age_s;
		assert_int_equal(send_segment(flow_hash(1), FWD_SEGMENT_SYN, ISS).event,
		                 cases[c].event);
	}
}

static void an_embryonic_entry_is_followed_only_by_segments_that_fit(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint8_t segment;
		uint32_t ahead;
		bool follows;
	} cases[] = {
		{ "the handshake's acknowledgement", FWD_SEGMENT_TCP, 1, true },
		{ "data out of order", FWD_SEGMENT_TCP, 40000, true },
		{ "the end of the first window", FWD_SEGMENT_TCP, 65536, true },
		{ "a refusal", FWD_SEGMENT_RST, 1, true },
		{ "an empty connection", FWD_SEGMENT_FIN, 1, true },
		{ "another connection's data", FWD_SEGMENT_TCP, 0x40000, false },
		{ "data from long before", FWD_SEGMENT_TCP, 0u - 0x20000, false },
		{ "another connection's end", FWD_SEGMENT_FIN, 0x80000000u, false },
		{ "another connection's reset", FWD_SEGMENT_RST, 0x50000000u, false },
	};

	for (size_t c = 0; c < COUNT(cases); c++) {
		const uint32_t starts[] = { ISS, 0, 0xffff, 0xffffffffu, 0xffff0000u };

		print_message("  %s\n", cases[c].why);
		for (size_t s = 0; s < COUNT(starts); s++) {
			unsettle_slot(NULL);
			assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_SYN, starts[s]), CURRENT,
			            OWNER_EVENT_BEGUN);
			assert_int_equal(send_segment(flow_hash(1), cases[c].segment,
			                              starts[s] + cases[c].ahead)
			                         .backend,
			                 cases[c].follows ? CURRENT : BASE);
		}
	}
}

static void a_forged_syn_takes_nothing_from_a_live_connection(void **state)
{
	(void)state;
	/* One on the base, of which nothing is remembered. */
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, 5000000), BASE, OWNER_EVENT_BASE);
	send_segment(flow_hash(1), FWD_SEGMENT_SYN, 0x70000000);
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, 5001000), BASE, OWNER_EVENT_BASE);
	/* One that is remembered. */
	send_segment(flow_hash(2), FWD_SEGMENT_SYN, ISS);
	send_segment(flow_hash(2), FWD_SEGMENT_TCP, ISS + 1);
	assert_goes(send_hot(7 | FWD_SLOT_UNSETTLED, flow_hash(2), FWD_SEGMENT_SYN, 0x70000000),
	            CURRENT, OWNER_EVENT_FOLLOWED);
	assert_goes(send_segment(flow_hash(2), FWD_SEGMENT_TCP, ISS + 1000), CURRENT,
	            OWNER_EVENT_FOLLOWED);
}

static void a_syn_again_goes_where_the_first_went_though_the_owner_has_changed(void **state)
{
	(void)state;
	send_segment(flow_hash(1), FWD_SEGMENT_SYN, ISS);
	now_s += 1;
	assert_goes(send_hot(7 | FWD_SLOT_UNSETTLED, flow_hash(1), FWD_SEGMENT_SYN, ISS), CURRENT,
	            OWNER_EVENT_FOLLOWED);
	assert_goes(send_hot(7 | FWD_SLOT_UNSETTLED, flow_hash(1), FWD_SEGMENT_TCP, ISS + 1),
	            CURRENT, OWNER_EVENT_CONFIRMED);
}

static void ports_used_again_after_an_end_make_a_new_flow(void **state)
{
	(void)state;
	static const uint8_t ends[] = { FWD_SEGMENT_FIN, FWD_SEGMENT_RST };

	for (size_t i = 0; i < COUNT(ends); i++) {
		unsettle_slot(NULL);
		send_segment(flow_hash(1), FWD_SEGMENT_SYN, ISS);
		send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 1);
		assert_goes(send_segment(flow_hash(1), ends[i], ISS + 900), CURRENT,
		            OWNER_EVENT_FOLLOWED);
		now_s += 1;
		assert_goes(send_hot(7 | FWD_SLOT_UNSETTLED, flow_hash(1), FWD_SEGMENT_SYN,
		                     ISS + 0x800000),
		            7, OWNER_EVENT_BEGUN);
		/* What is late of the first one still finds it. */
		assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 901), CURRENT,
		            OWNER_EVENT_FOLLOWED);
		assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 0x800001), 7,
		            OWNER_EVENT_CONFIRMED);
		assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 0x9000000), 7,
		            OWNER_EVENT_FOLLOWED);
	}
}

static void a_forged_reset_does_not_end_a_connection(void **state)
{
	(void)state;
	send_segment(flow_hash(1), FWD_SEGMENT_SYN, ISS);
	send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 1);
	send_segment(flow_hash(1), FWD_SEGMENT_RST, 77);
	now_s += 100;
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 5000), CURRENT,
	            OWNER_EVENT_FOLLOWED);
	now_s += IDLE; /* as long as an open one again */
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 6000), CURRENT,
	            OWNER_EVENT_FOLLOWED);
}

static void after_fin_the_other_half_goes_on(void **state)
{
	(void)state;
	send_segment(flow_hash(1), FWD_SEGMENT_SYN, ISS);
	send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 1);
	send_segment(flow_hash(1), FWD_SEGMENT_FIN, ISS + 100);
	for (int i = 0; i < 10; i++) {
		now_s += CLOSING_S;
		assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 101), CURRENT,
		            OWNER_EVENT_FOLLOWED);
	}
	now_s += CLOSING_S + 16;
	assert_int_equal(send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 101).backend, BASE);
}

/* At least its idle time and at most 16 s more, wherever the clock stands. */
static void an_entry_lives_for_its_idle_time_around_every_wrap(void **state)
{
	(void)state;
	static const uint32_t starts[] = {
		0, 1, 7, 8, 16376, 16383, 16384, 0x7ffffff0u, 0xfffffff8u
	};
	static const uint32_t idles[] = { 1, 8, 30, 300, 3600, OWNER_IDLE_MAX_S };

	for (size_t s = 0; s < COUNT(starts); s++) {
		for (size_t i = 0; i < COUNT(idles); i++) {
			uint64_t word =
			        owner_word(9, OWNER_OPEN, owner_end(starts[s], idles[i]), 1);

			assert_true(owner_word_lives(word, starts[s]));
			assert_true(owner_word_lives(word, starts[s] + idles[i]));
			assert_false(owner_word_lives(word, starts[s] + idles[i] + 16));
			assert_false(owner_word_lives(word, starts[s] + idles[i] + 8000));
		}
	}
	assert_int_equal(owner_end(0, 0xffff), owner_end(0, OWNER_IDLE_MAX_S));
}

/* 35 bits beside the set's 17 (of 2^17 sets): twelve of the hash's bits count for nothing. */
static void a_flow_is_taken_for_another_only_if_tag_and_set_are_equal(void **state)
{
	(void)state;
	unsigned blind = 0;

	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t other = flow_hash(1) ^ (uint64_t)1 << bit;

		blind += owner_bucket(other, 1u << 17) == owner_bucket(flow_hash(1), 1u << 17) &&
		         owner_tag(other) == owner_tag(flow_hash(1));
		/* Slots and sets depend on different bits, so few slots may fill all sets. */
		assert_false(owner_bucket(other, 1u << 17) !=
		                     owner_bucket(flow_hash(1), 1u << 17) &&
		             owner_slot(other, 1u << 20) != owner_slot(flow_hash(1), 1u << 20));
	}
	assert_int_equal(blind, 64 - 35 - 17);
}

static void a_false_match_harms_one_flow_and_no_other(void **state)
{
	(void)state;
	uint64_t colliding = flow_hash(1) ^ (uint64_t)1
	                                            << 40; /* a bit of neither tag nor, here, set */

	send_segment(flow_hash(1), FWD_SEGMENT_SYN, ISS);
	send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 1);
	assert_goes(send_segment(colliding, FWD_SEGMENT_TCP, 99), CURRENT, OWNER_EVENT_FOLLOWED);
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 2), CURRENT,
	            OWNER_EVENT_FOLLOWED);
	assert_goes(send_segment(flow_hash(2), FWD_SEGMENT_TCP, 99), BASE, OWNER_EVENT_BASE);
}

static void flows_of_the_base_are_learned_in_the_last_part_of_its_claim(void **state)
{
	(void)state;
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, 1), BASE, OWNER_EVENT_BASE);
	now_s = NOW + 900 - LEARN;
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, 1), BASE, OWNER_EVENT_LEARNED);
	assert_goes(send_segment(flow_hash(2), FWD_SEGMENT_RST, 1), BASE, OWNER_EVENT_BASE);
	now_s = NOW + 900;
	cold.claim[OWNER_CLASS_TCP].settle_at = 0;
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, 1), BASE, OWNER_EVENT_FOLLOWED);
	assert_goes(send_segment(flow_hash(2), FWD_SEGMENT_TCP, 1), CURRENT, OWNER_EVENT_CURRENT);
}

static void a_flow_that_cannot_be_learned_keeps_the_claim_alive(void **state)
{
	(void)state;
	occupy_bucket(OWNER_WAYS, OWNER_OPEN);
	now_s = NOW + 890;
	occupy_bucket(OWNER_WAYS, OWNER_OPEN);
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, 1), BASE, OWNER_EVENT_UNLEARNED);
	assert_int_equal(cold.claim[OWNER_CLASS_TCP].settle_at, now_s + LEARN + 1);
	cold.claim[OWNER_CLASS_TCP].settle_at = now_s + 10;
	assert_goes(send_segment(flow_hash(2), FWD_SEGMENT_SYN, ISS), BASE, OWNER_EVENT_FULL);
	assert_int_equal(cold.claim[OWNER_CLASS_TCP].settle_at, now_s + LEARN + 1);
}

static void use_of_the_base_is_noted_but_not_by_quoted_flows(void **state)
{
	(void)state;
	static const uint8_t segments[] = { FWD_SEGMENT_TCP, FWD_SEGMENT_FIN, FWD_SEGMENT_RST };

	for (size_t i = 0; i < COUNT(segments); i++) {
		unsettle_slot(NULL);
		now_s += 10;
		send_segment(flow_hash(1), segments[i], 1);
		assert_int_equal(cold.claim[OWNER_CLASS_TCP].seen_at, now_s);
		assert_int_equal(cold.claim[OWNER_CLASS_UDP].seen_at, NOW);
	}
}

static void a_quoted_flow_goes_where_its_segments_go_and_changes_nothing(void **state)
{
	(void)state;
	struct fwd_exceptions before_set;
	struct owner_cold before_cold;

	send_segment(flow_hash(1), FWD_SEGMENT_SYN, ISS);
	send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 1);
	send_segment(flow_hash(2), FWD_SEGMENT_SYN, ISS);
	now_s = NOW + 890;
	set.word[7] =
	        owner_word(9, OWNER_OPEN, owner_end(NOW - 5000, IDLE), owner_tag(flow_hash(3)));
	before_set = set;
	before_cold = cold;
	now_s = NOW + 100;
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_QUOTED, 0), CURRENT,
	            OWNER_EVENT_FOLLOWED);
	assert_goes(send_segment(flow_hash(2), FWD_SEGMENT_QUOTED, 0), BASE, OWNER_EVENT_BASE);
	assert_goes(send_segment(flow_hash(3), FWD_SEGMENT_QUOTED, 0), BASE, OWNER_EVENT_BASE);
	assert_memory_equal(&set, &before_set, sizeof(set));
	assert_memory_equal(&cold, &before_cold, sizeof(cold));
}

static void in_a_settled_slot_entries_that_say_the_same_are_left_to_end(void **state)
{
	(void)state;
	struct fwd_exceptions before;

	send_segment(flow_hash(1), FWD_SEGMENT_SYN, ISS);
	send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 1);
	cold.claim[OWNER_CLASS_TCP].settle_at = 0;
	before = set;
	now_s += 100;
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 2), CURRENT,
	            OWNER_EVENT_FOLLOWED);
	assert_goes(send_segment(flow_hash(2), FWD_SEGMENT_SYN, ISS), CURRENT, OWNER_EVENT_CURRENT);
	assert_memory_equal(&set, &before, sizeof(set));
}

static void udp_flows_are_learned_with_the_base_while_its_claim_lasts(void **state)
{
	(void)state;
	cold.claim[OWNER_CLASS_UDP].settle_at = NOW + UDP_IDLE;
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_UDP, 0), BASE, OWNER_EVENT_LEARNED);
	cold.claim[OWNER_CLASS_UDP].settle_at = 0;
	now_s += UDP_IDLE;
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_UDP, 0), BASE, OWNER_EVENT_FOLLOWED);
	assert_goes(send_segment(flow_hash(2), FWD_SEGMENT_UDP, 0), CURRENT, OWNER_EVENT_CURRENT);
	now_s += UDP_IDLE + 16; /* silent for too long */
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_UDP, 0), CURRENT, OWNER_EVENT_CURRENT);
}

static void udp_policies_say_how_a_flow_is_held(void **state)
{
	(void)state;
	cold.claim[OWNER_CLASS_UDP].settle_at = NOW + UDP_IDLE;
	policy = FWD_UDP_RESET;
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_UDP, 0), CURRENT, OWNER_EVENT_CURRENT);
	policy = FWD_UDP_MIGRATE;
	assert_goes(send_segment(flow_hash(2), FWD_SEGMENT_UDP, 0), BASE, OWNER_EVENT_LEARNED);
	policy = FWD_UDP_KEEP;
	assert_goes(send_segment(flow_hash(3), FWD_SEGMENT_UDP, 0), BASE, OWNER_EVENT_LEARNED);
	for (uint32_t i = 0; i < OWNER_WAYS; i++) {
		if (set.word[i] >> OWNER_TAG_AT == owner_tag(flow_hash(2)))
			assert_int_equal(owner_word_state(set.word[i]), OWNER_UDP_LEASE);
		else if (set.word[i] != 0)
			assert_int_equal(owner_word_state(set.word[i]), OWNER_UDP);
	}
}

static void a_policy_of_reset_holds_for_errors_and_without_memory_too(void **state)
{
	(void)state;
	const struct owner_rule ask = { .now_s = NOW,
		                        .idle_s = UDP_IDLE,
		                        .udp_policy = FWD_UDP_RESET };
	struct fwd_flow f = { .hash = flow_hash(1), .segment = FWD_SEGMENT_QUOTED, .protocol = 17 };

	cold.claim[OWNER_CLASS_UDP].settle_at = NOW + UDP_IDLE;
	assert_goes(owner_find(&ask, &f, LOOK, &cold, &set), CURRENT, OWNER_EVENT_CURRENT);
	f.segment = FWD_SEGMENT_UDP;
	assert_goes(owner_find(&ask, &f, LOOK, &cold, NULL), CURRENT, OWNER_EVENT_CURRENT);
	f.protocol = 6; /* a connection keeps its backend, whatever its service says of UDP */
	f.segment = FWD_SEGMENT_TCP;
	assert_goes(owner_find(&ask, &f, LOOK, &cold, &set), BASE, OWNER_EVENT_BASE);
}

static void without_memory_the_base_serves_all_while_it_has_a_claim(void **state)
{
	(void)state;
	const struct owner_rule ask = { .now_s = NOW + 5, .idle_s = IDLE, .remember_s = LEARN };
	const struct fwd_flow f = { .hash = flow_hash(1),
		                    .segment = FWD_SEGMENT_SYN,
		                    .protocol = 6 };

	assert_goes(owner_find(&ask, &f, LOOK, &cold, NULL), BASE, OWNER_EVENT_BASE);
	assert_int_equal(cold.claim[OWNER_CLASS_TCP].seen_at, NOW + 5);
	cold.claim[OWNER_CLASS_TCP].settle_at = 0;
	assert_goes(owner_find(&ask, &f, LOOK, &cold, NULL), CURRENT, OWNER_EVENT_CURRENT);
	assert_goes(owner_find(&ask, &f, LOOK, NULL, &set), CURRENT, OWNER_EVENT_CURRENT);
}

static void a_slot_of_nobody_leaves_new_flows_to_its_base(void **state)
{
	(void)state;
	assert_goes(send_hot(FWD_SLOT_UNSETTLED, flow_hash(1), FWD_SEGMENT_SYN, ISS), BASE,
	            OWNER_EVENT_BASE);
	cold.claim[OWNER_CLASS_TCP].settle_at = 0;
	assert_goes(send_hot(FWD_SLOT_UNSETTLED, flow_hash(1), FWD_SEGMENT_SYN, ISS), 0,
	            OWNER_EVENT_CURRENT);
}

static void use_of_an_exception_is_noted_in_its_slot(void **state)
{
	(void)state;
	send_segment(flow_hash(1), FWD_SEGMENT_SYN, ISS);
	assert_int_equal(cold.kept_at, NOW);
	now_s += 50;
	send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 1);
	assert_int_equal(cold.kept_at, NOW + 50);
	send_segment(flow_hash(2), FWD_SEGMENT_TCP, 1);
	assert_int_equal(cold.kept_at, NOW + 50);
}

static void an_exception_that_is_not_prolonged_is_not_noted(void **state)
{
	(void)state;
	assert_int_equal(NOW % 8, 0);
	send_segment(flow_hash(1), FWD_SEGMENT_SYN, ISS);
	send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 1);
	now_s += 5;
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 1), CURRENT,
	            OWNER_EVENT_FOLLOWED);
	assert_int_equal(cold.kept_at, NOW);
	now_s += 5;
	assert_goes(send_segment(flow_hash(1), FWD_SEGMENT_TCP, ISS + 1), CURRENT,
	            OWNER_EVENT_FOLLOWED);
	assert_int_equal(cold.kept_at, NOW + 10);
}

SUITE(owner)
{
#define OWNER_TEST(name) cmocka_unit_test_setup(name, unsettle_slot)
	const struct CMUnitTest tests[] = {
		OWNER_TEST(in_a_full_set_new_flows_go_to_the_base_and_old_ones_stay),
		OWNER_TEST(a_spilled_syn_is_repeated_to_the_base),
		OWNER_TEST(only_embryonic_entries_are_evicted_and_only_after_a_handshakes_time),
		OWNER_TEST(an_embryonic_entry_is_followed_only_by_segments_that_fit),
		OWNER_TEST(a_forged_syn_takes_nothing_from_a_live_connection),
		OWNER_TEST(a_syn_again_goes_where_the_first_went_though_the_owner_has_changed),
		OWNER_TEST(ports_used_again_after_an_end_make_a_new_flow),
		OWNER_TEST(a_forged_reset_does_not_end_a_connection),
		OWNER_TEST(after_fin_the_other_half_goes_on),
		OWNER_TEST(an_entry_lives_for_its_idle_time_around_every_wrap),
		OWNER_TEST(a_flow_is_taken_for_another_only_if_tag_and_set_are_equal),
		OWNER_TEST(a_false_match_harms_one_flow_and_no_other),
		OWNER_TEST(flows_of_the_base_are_learned_in_the_last_part_of_its_claim),
		OWNER_TEST(a_flow_that_cannot_be_learned_keeps_the_claim_alive),
		OWNER_TEST(use_of_the_base_is_noted_but_not_by_quoted_flows),
		OWNER_TEST(a_quoted_flow_goes_where_its_segments_go_and_changes_nothing),
		OWNER_TEST(in_a_settled_slot_entries_that_say_the_same_are_left_to_end),
		OWNER_TEST(udp_flows_are_learned_with_the_base_while_its_claim_lasts),
		OWNER_TEST(udp_policies_say_how_a_flow_is_held),
		OWNER_TEST(a_policy_of_reset_holds_for_errors_and_without_memory_too),
		OWNER_TEST(without_memory_the_base_serves_all_while_it_has_a_claim),
		OWNER_TEST(a_slot_of_nobody_leaves_new_flows_to_its_base),
		OWNER_TEST(use_of_an_exception_is_noted_in_its_slot),
		OWNER_TEST(an_exception_that_is_not_prolonged_is_not_noted),
	};

	return cmocka_run_group_tests_name("owner", tests, NULL, NULL);
}
