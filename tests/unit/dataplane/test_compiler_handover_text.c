/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text of the state that nodes hand over (dataplane/tables/compiler_handover.c), letter by
 * letter: a single slot, two pools.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/owners/owners_internal.h"
#include "tests/unit/suite.h"
#include "weir/conn_state.h"

#include "tests/unit/dataplane/stage.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SLOT     0x2fu
#define GUEST    OWNER_LIST_TEMPORARY
#define LOOKS    FWD_SLOT_UNSETTLED

static struct stage s;
static uint16_t one, two; /* the first pool's backends by their numbers in the text: 5 and 9 */

static void begin_stage(uint32_t n_slots)
{
	stage_init(&s);
	use_both_pools(&s.first);
	s.first.pools[0].n_slots = n_slots;
	s.first.model.limits.slots += n_slots;
	s.first.pools[0].agent = s.first.pools[1].agent = true;
	s.time = (struct compiler_time){ 100000, 5000000, 1700000000000 };
	for (size_t i = 0; i < 3; i++) { /* one set of long ago: nothing is told of itself */
		s.first.sets[i].from_ms = 0;
		s.first.sets[i].members = s.first.now;
	}
	apply_world(&s, &s.first);
	one = (uint16_t)s.node.pools[0].backends[0].index;
	two = (uint16_t)s.node.pools[0].backends[1].index;
}

static int setup(void **state)
{
	(void)state;
	begin_stage(4096);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stage_fini(&s);
	return 0;
}

static uint16_t *hot_word(const struct compiler_pool *p, uint32_t slot)
{
	slot += p->first_slot;
	return &s.node.t.slots[slot / FWD_SLOTS_PER_BLOCK].slot[slot % FWD_SLOTS_PER_BLOCK];
}

/* As if the owners had stored it. */
static void set_hot(const struct compiler_pool *p, uint32_t slot, uint16_t word)
{
	p->owners->hot[slot] = word;
	*hot_word(p, slot) = word;
}

static struct owner_list *list_of(const struct compiler_pool *p, uint32_t slot)
{
	return &s.node.t.colds[p->first_slot + slot].list;
}

static void expect_text(const char *wanted)
{
	char *text = compiler_handover_write(&s.node, &s.time);

	assert_non_null(text);
	assert_string_equal(text, wanted);
	free(text);
}

#define EMPTY "pool web-ams 4096\npool web-fra 4096\n"

static void a_slot_is_told_with_its_owner_and_all_that_it_names(void **state)
{
	const struct compiler_pool *p = &s.node.pools[0];

	(void)state;
	assert_int_equal(p->plan->n_backends, 2);
	expect_text(EMPTY);
	set_hot(p, SLOT, one | LOOKS);
	*list_of(p, SLOT) = (struct owner_list){ two | GUEST, { 5000 / 16 + 2 } };
	/*
	 * 5000 s is the ninth second of its unit: the claim lasts 8 + 32 s, to 1700000040 =
	 * 0x6553f128.
	 */
	expect_text("pool web-ams 4096\nbackend 0000000000000005\nbackend 0000000000000009\n"
	            "slot 2f 1 g2 6553f128\npool web-fra 4096\n");
	list_of(p, SLOT)->earlier |= (uint64_t)one << 16;
	list_of(p, SLOT)->end[1] = 5000 / 16;
	set_hot(p, SLOT, two | LOOKS);
	expect_text("pool web-ams 4096\nbackend 0000000000000005\nbackend 0000000000000009\n"
	            "slot 2f 2 g2 6553f128 1 6553f108\npool web-fra 4096\n");
}

static void each_pool_numbers_its_own_backends(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct compiler_pool *p = &s.node.pools[i];
		uint16_t guest = (uint16_t)p->backends[1 - i].index;

		set_hot(p, 4095, (uint16_t)p->backends[i].index | LOOKS);
		*list_of(p, 4095) = (struct owner_list){ guest | GUEST, { 5000 / 16 } };
	}
	expect_text("pool web-ams 4096\nbackend 0000000000000005\nbackend 0000000000000009\n"
	            "slot fff 1 g2 6553f108\n"
	            "pool web-fra 4096\nbackend 0000000000000005\nbackend 0000000000000009\n"
	            "slot fff 2 g1 6553f108\n");
}

static void pools_without_agents_and_those_to_come_are_not_told(void **state)
{
	(void)state;
	s.node.pools[0].waits = true;
	expect_text("pool web-fra 4096\n");
	s.node.pools[0].waits = false;
	s.first.pools[1].agent = false;
	expect_text("pool web-ams 4096\n");
}

#define LONG_POOL 65536u
#define FIRST     0x1000u /* slots from here on have four digits, so lines of a length */
#define LONG_HEAD "pool web-ams 65536\nbackend 0000000000000005\nbackend 0000000000000009\n"
#define LONG_LINE "slot %x 1 %s2 6553f108 g2 6553f108 g2 6553f108 g2 6553f108\n"

/*
 * Each slot names four others; the first @p shorter ones have a mark less, so a letter.
 * @param out  as many whole lines as have room, and a NUL. @return their length
 */
static size_t name_many(uint32_t shorter, char *out)
{
	const struct compiler_pool *p = &s.node.pools[0];
	size_t n = (size_t)sprintf(out, LONG_HEAD);

	for (uint32_t i = FIRST; i < LONG_POOL; i++) {
		bool marked = i >= FIRST + shorter;
		uint64_t newest = two | (marked ? GUEST : 0);
		char line[80];

		set_hot(p, i, one | LOOKS);
		*list_of(p, i) =
		        (struct owner_list){ newest | (uint64_t)(two | GUEST) * 0x1000100010000,
			                     { 312, 312, 312, 312 } };
		sprintf(line, LONG_LINE, i, marked ? "g" : "");
		if (n + strlen(line) < CONN_STATE_TEXT_MAX)
			n += (size_t)sprintf(out + n, "%s", line);
	}
	return n;
}

/* The last line that has room fills all of it; then one letter is too many. */
static void a_text_that_is_too_long_ends_with_a_line(void **state)
{
	char *wanted = malloc(CONN_STATE_TEXT_MAX);
	uint32_t left;

	assert_non_null(wanted);
	teardown(state);
	begin_stage(LONG_POOL);
	left = (uint32_t)(CONN_STATE_TEXT_MAX - 1 - name_many(0, wanted));
	assert_true(left > 0);
	for (uint32_t more = 0; more < 2; more++) {
		size_t n = name_many(60 - left - more, wanted);

		assert_int_equal(n, CONN_STATE_TEXT_MAX - 1 - (more ? 59 : 0));
		expect_text(wanted);
	}
	free(wanted);
}

#define HEAD "pool web-ams 4096\nbackend 0000000000000005\nbackend 0000000000000009\n"

static void what_is_told_of_a_slot_is_in_force_there(void **state)
{
	const struct compiler_pool *p = &s.node.pools[0];
	uint32_t slot = SLOT;

	(void)state;
	while (*hot_word(p, slot) != one)
		slot++;
	char text[256];

	snprintf(text, sizeof(text), HEAD "slot %x 1 g2 6553f128\n", slot);
	assert_int_equal(compiler_handover_read(&s.node, text, &s.time), 0);
	assert_int_equal(*hot_word(p, slot), one | LOOKS);
	assert_int_equal(list_of(p, slot)->earlier, two | GUEST);
	assert_int_equal(list_of(p, slot)->end[0], (5000 + 41) / 16);
	assert_int_equal(*hot_word(p, slot ^ 1) & LOOKS, 0);
	/* Numbers are of the text's own list, not of ours. */
	snprintf(text, sizeof(text),
	         "pool web-ams 4096\nbackend 0000000000000063\nbackend 0000000000000009\n"
	         "backend 0000000000000005\nslot %x 3 g2 6553f128\n",
	         slot + 1);
	assert_int_equal(compiler_handover_read(&s.node, text, &s.time), 0);
	if ((*hot_word(p, slot + 1) & FWD_SLOT_BACKEND) == one)
		assert_int_equal(list_of(p, slot + 1)->earlier & 0xffff, two | GUEST);
}

static const struct {
	const char *text;
	int err;
} limit_cases[] = {
	{ HEAD "slot fff 1\n", 0 },
	{ HEAD "slot 1000 1\n", -EPROTO },
	{ HEAD "slot ffffffff 1\n", -EPROTO },
	{ HEAD "slot 100000000 1\n", -EPROTO },
	{ HEAD "slot 1 7fff\n", 0 }, /* a number that was not told is nobody's */
	{ HEAD "slot 1 8000\n", -EPROTO },
	{ HEAD "slot 1 1 7fff ffffffff\n", 0 },
	{ HEAD "slot 1 1 8000 1\n", -EPROTO },
	{ HEAD "slot 1 1 1 100000000\n", -EPROTO },
	{ HEAD "slot 1 1 1 1 1 1 1 1 1 1\n", 0 },
	{ HEAD "slot 1 1 1 1 1 1 1 1 1 1 1 1\n", -EPROTO },
	{ HEAD "slot 0000000000000001 1\n", 0 },
	{ HEAD "slot 00000000000000001 1\n", -EPROTO },
	{ HEAD "slot 1 1 g 1\n", -EPROTO },
	{ HEAD "slot 1 1 gg1 1\n", -EPROTO },
	{ HEAD "slot 1 1 1g1 1\n", -EPROTO },
	{ HEAD "slot A 1\n", -EPROTO },
	{ HEAD "slot 1 1\n\n", -EPROTO },
	{ HEAD "slot 1 1\nslot 2 1\npool web-fra 4096\nslot 1 1\n", 0 },
	{ HEAD "slot 2 1\npool web-ams 4096\nslot 1 1\n", 0 },
	{ HEAD "backend ffffffffffffffff\n", 0 },
	{ HEAD "backend 00000000000000005\n", -EPROTO },
	{ "backend 5\nslot 1 1\n", 0 }, /* of no pool */
	{ "pool web-ams 4096 \n", -EPROTO },
	{ "pool web-ams  4096\n", -EPROTO },
	{ "pool web-ams +4096\n", -EPROTO },
	{ "pool \n", -EPROTO },
	{ "pool", -EPROTO },
	{ "pool 4096\n", -EPROTO },
};

/* At the very limits, and beyond. */
static void limits_of_the_text_are_exact(void **state)
{
	char text[MODEL_NAME_MAX + 16];

	(void)state;
	for (size_t i = 0; i < COUNT(limit_cases); i++)
		if (compiler_handover_read(&s.node, limit_cases[i].text, &s.time) !=
		    limit_cases[i].err)
			fail_msg("%s", limit_cases[i].text);
	for (int more = 0; more < 2; more++) { /* the longest name, and a longer one */
		memset(text, 'a', sizeof(text));
		memcpy(text, "pool ", 5);
		strcpy(text + 5 + MODEL_NAME_MAX - 1 + more, " 1\n");
		assert_int_equal(compiler_handover_read(&s.node, text, &s.time),
		                 more ? -EPROTO : 0);
	}
}

/* A text with one bad line changes nothing, wherever the line is. */
static void nothing_of_a_malformed_text_is_taken(void **state)
{
	const struct compiler_pool *p = &s.node.pools[0];
	uint32_t slot = 1;
	char text[256];

	(void)state;
	while (*hot_word(p, slot) != one)
		slot++;
	snprintf(text, sizeof(text), HEAD "slot %x 1 g2 6553f128\npool web-fra 4096\nslot x\n",
	         slot);
	assert_int_equal(compiler_handover_read(&s.node, text, &s.time), -EPROTO);
	assert_int_equal(*hot_word(p, slot), one);
	*strstr(text, "slot x") = '\0';
	assert_int_equal(compiler_handover_read(&s.node, text, &s.time), 0);
	assert_int_equal(*hot_word(p, slot), one | LOOKS);
}

#define TEXT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(compiler_handover_text)
{
	const struct CMUnitTest tests[] = {
		TEXT_TEST(a_slot_is_told_with_its_owner_and_all_that_it_names),
		TEXT_TEST(each_pool_numbers_its_own_backends),
		TEXT_TEST(pools_without_agents_and_those_to_come_are_not_told),
		TEXT_TEST(a_text_that_is_too_long_ends_with_a_line),
		TEXT_TEST(what_is_told_of_a_slot_is_in_force_there),
		TEXT_TEST(limits_of_the_text_are_exact),
		TEXT_TEST(nothing_of_a_malformed_text_is_taken),
	};

	return cmocka_run_group_tests_name("handover text", tests, NULL, NULL);
}
