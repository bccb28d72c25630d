/* SPDX-License-Identifier: BSD-2-Clause */
/* The state that nodes hand over, as text (dataplane/tables/compiler_handover.c). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/dataplane/stage.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct stage old, fresh;

static void store_verdict(struct stage *s, uint64_t backend, enum health_state state)
{
	int place = health_find_index(s->health, health_target_backend("web-ams", backend));

	health_write(s->health, place, health_make(state, 3, HEALTH_REASON_NONE, 1));
	compiler_read_verdicts(&s->node, &s->time);
}

static void begin_story(struct stage *s)
{
	stage_init(s);
	s->first.pools[0].agent = s->first.pools[1].agent = true;
	s->first.pools[0].check = (const void *)"";
	apply_world(s, &s->first);
	store_verdict(s, 5, HEALTH_UP);
	store_verdict(s, 9, HEALTH_UP);
}

/* On the old one backend 9 was dead for a while. */
static int setup(void **state)
{
	(void)state;
	begin_story(&old);
	store_verdict(&old, 9, HEALTH_DOWN);
	store_verdict(&old, 9, HEALTH_UP);
	begin_story(&fresh);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stage_fini(&old);
	stage_fini(&fresh);
	return 0;
}

static uint16_t hot_word(const struct stage *s, uint32_t i)
{
	return s->node.t.slots[i / 32].slot[i % 32] & FWD_SLOT_BACKEND;
}

static uint64_t named_of(const struct stage *s, uint32_t i)
{
	bool looks = s->node.t.slots[i / 32].slot[i % 32] & FWD_SLOT_UNSETTLED;

	return looks ? s->node.t.colds[i].list.earlier : 0;
}

/* Whether both nodes name the same, in whichever order. */
static bool same_names(uint32_t s)
{
	uint64_t a = named_of(&old, s), b = named_of(&fresh, s);
	uint32_t n = owner_list_n(a), found = 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < n; k++)
			found += (uint16_t)(a >> 16 * i) == (uint16_t)(b >> 16 * k);
	return found == n && owner_list_n(b) == n;
}

/* How many slots differ between the two nodes. */
static uint32_t count_differing(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < old.node.pools[0].n_slots; i++)
		n += hot_word(&old, i) != hot_word(&fresh, i) || !same_names(i);
	return n;
}

static void what_is_told_is_taken(void **state)
{
	(void)state;
	char *text = compiler_handover_write(&old.node, &old.time);
	uint32_t before = count_differing();

	assert_non_null(text);
	assert_true(before > 300);
	assert_int_equal(compiler_handover_read(&fresh.node, text, &fresh.time), 0);
	assert_int_equal(count_differing(), 0);
	free(text);
}

static void a_node_without_temporary_owners_tells_its_pools_alone(void **state)
{
	(void)state;
	char *text = compiler_handover_write(&fresh.node, &fresh.time);

	assert_string_equal(text, "pool web-ams 4096\n");
	free(text);
}

static void what_is_not_known_here_is_left_out(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "pool mail 4096\nbackend 0000000000000005\nslot 1 1 g1 ffffffff\n",
		  "another pool" },
		{ "pool web-ams 8192\nslot 1fff 0\n", "the pool had more slots" },
		{ "pool web-ams 4096\nbackend 0000000000000063\nslot 1 1 g1 ffffffff\n",
		  "another backend" },
		{ "pool web-ams 4096\nslot 1 3 g7 ffffffff\n", "backends that were not told" },
		{ "pool web-ams 4096\n", "nothing" },
		{ "", "not even that" },
	};

	fresh.time.wall_clock_ms += 1;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t before = count_differing();

		if (compiler_handover_read(&fresh.node, cases[i].text, &fresh.time) != 0 ||
		    count_differing() != before)
			fail_msg("%s", cases[i].why);
	}
}

static void what_is_malformed_is_refused_whole(void **state)
{
	(void)state;
#define GOOD "pool web-ams 4096\nbackend 0000000000000005\nbackend 0000000000000009\nslot 1 1\n"
	static const char *const cases[] = {
		GOOD "slot 1 1\n",
		GOOD "slot 0 1\n",
		GOOD "slot 1000 1\n",
		GOOD "slot 2 1",
		GOOD "slot 2 8000\n",
		GOOD "slot 2\n",
		GOOD "slot 2 1 g1\n",
		GOOD "slot 2 1 g1 \n",
		GOOD "slot 2 1 g1 100000000\n",
		GOOD "slot 2 1 2 1 2 1 2 1 2 1 2 1\n",
		GOOD "slot -2 1\n",
		GOOD "slot 0x2 1\n",
		GOOD "slot 2  1\n",
		GOOD "slot 22222222222222222 1\n",
		GOOD "slots\n",
		GOOD "\n",
		GOOD "backend 5 5\n",
		GOOD "backend\n",
		GOOD "pool web-ams\n",
		GOOD "pool web-ams 4096x\n",
		GOOD "pool web-ams -1\n",
		GOOD
		"pool "
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1\n",
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t before = count_differing();

		if (compiler_handover_read(&fresh.node, cases[i], &fresh.time) != -EPROTO ||
		    count_differing() != before)
			fail_msg("%s", cases[i]);
	}
	assert_int_equal(compiler_handover_read(&fresh.node, GOOD, &fresh.time), 0);
}

/* Any damage is refused or makes a list like others: owners of the pool, each once. */
static void damaged_text_leaves_sound_tables(void **state)
{
	(void)state;
	char *text = compiler_handover_write(&old.node, &old.time);
	size_t n = strlen(text);
	uint64_t random = 1;

	for (int i = 0; i < 3000; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		size_t at = (random >> 33) % (i % 2 ? n : 300);
		char was = text[at];

		text[at] = "0159afg \nsbp\t\xff"[random >> 20 & 15 ? (random >> 20 & 15) % 14 : 0];
		(void)compiler_handover_read(&fresh.node, text, &fresh.time);
		text[at] = was;
	}
	for (uint32_t s = 0; s < fresh.node.pools[0].n_slots; s++) {
		assert_true(hot_word(&fresh, s) > 0 &&
		            hot_word(&fresh, s) < fresh.node.sizes.backends);
		for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
			assert_true(owner_list_at(named_of(&fresh, s), i) <
			            fresh.node.sizes.backends);
	}
	free(text);
}

#define HANDOVER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(compiler_handover)
{
	const struct CMUnitTest tests[] = {
		HANDOVER_TEST(what_is_told_is_taken),
		HANDOVER_TEST(a_node_without_temporary_owners_tells_its_pools_alone),
		HANDOVER_TEST(what_is_not_known_here_is_left_out),
		HANDOVER_TEST(what_is_malformed_is_refused_whole),
		HANDOVER_TEST(damaged_text_leaves_sound_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
