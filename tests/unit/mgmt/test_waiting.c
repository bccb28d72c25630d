/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a drain is told of slots that wait (mgmt/judge/waiting_slots.h), from an effect page as the
 * dataplane writes it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "mgmt/judge/waiting_slots.h"
#include "tests/unit/suite.h"
#include "tables_page.h"

#define NOW_MS    1000000
#define SETTLE_MS 60000

static char dir[] = "/tmp/weir-waiting.XXXXXX";
static char path[64];

static struct effect *write_effect(uint32_t full, uint32_t slots)
{
	const struct effect_pool pool = {
		.pool = hash_text("web"), .n_slots = 64, .n_backends = 1, .full = full
	};
	const struct effect_backend row = { .id = 7, .slots = slots, .alive = 1, .next_hop = 1 };
	struct effect *e;

	tables_page_write_pool(dir, clock_mono_ms(), &pool, &row);
	assert_int_equal(effect_open(dir, &e), 0);
	return e;
}

/* Five sets, a second apart; each claim ends as said. The last is in force. */
static struct model_pool make_pool(struct model_set sets[5], const int64_t until_ms[5])
{
	for (int i = 0; i < 5; i++)
		sets[i] = (struct model_set){ .from_ms = NOW_MS - 5000 + i * 1000,
			                      .until_ms = until_ms[i] };
	return (struct model_pool){ .name = "web",
		                    .agent = true,
		                    .settle_ms = SETTLE_MS,
		                    .member_sets = sets,
		                    .n_member_sets = 5 };
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/" EFFECT_PAGE_FILE, dir);
	return 0;
}

static int teardown(void **state)
{
	char lock[80];

	(void)state;
	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(lock);
	unlink(path);
	return rmdir(dir);
}

static void slots_that_wait_are_counted_and_have_an_end(void **state)
{
	(void)state;
	const int64_t until_ms[5] = { NOW_MS + 100, NOW_MS + 5000, NOW_MS + 30000, NOW_MS + 40000,
		                      MODEL_TIME_NEVER };
	struct effect *e = write_effect(50, 21);
	char text[WAITING_TEXT_MAX];
	struct model_set sets[5];
	struct model_pool pool = make_pool(sets, until_ms);
	struct waiting w;

	assert_true(waiting_find(&pool, e, 7, NOW_MS, &w));
	assert_int_equal(w.n_slots, 64);
	assert_int_equal(w.n_full, 50);
	assert_int_equal(w.n_own, 21);
	assert_int_equal(w.until_ms, NOW_MS + 5000); /* the third before the one in force */
	assert_non_null(strstr(waiting_text(&w, "web", text), "50 of 64 slots of pool web"));
	assert_non_null(strstr(text, "up to 21 slots of this backend"));
	assert_non_null(strstr(text, "1970-01-01T00:16:45"));
	effect_close(e);
}

/*
 * A set is in force from its instant on; a claim that is longer than any may be does not count as
 * one.
 */
static void the_set_in_force_says_whose_claims_count(void **state)
{
	(void)state;
	static const struct {
		int64_t last_from_ms, third_until_ms, end_ms;
	} rows[] = {
		{ NOW_MS, NOW_MS + 9000, NOW_MS + 9000 },     /* the last set: three before it */
		{ NOW_MS + 1, NOW_MS + 9000, NOW_MS + 5000 }, /* not yet: the third has no say */
		{ NOW_MS, NOW_MS + SETTLE_MS - 1, NOW_MS + SETTLE_MS - 1 },
		{ NOW_MS, NOW_MS + 2 * SETTLE_MS, NOW_MS + SETTLE_MS },
		{ NOW_MS + 1, NOW_MS + 2 * SETTLE_MS, NOW_MS + 5000 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int64_t until_ms[5] = { NOW_MS + 5000, rows[i].third_until_ms, NOW_MS + 100,
			                      NOW_MS + 40000, MODEL_TIME_NEVER };
		struct effect *e = write_effect(50, 21);
		struct model_set sets[5];
		struct model_pool pool = make_pool(sets, until_ms);
		struct waiting w;

		sets[4].from_ms = rows[i].last_from_ms;
		assert_true(waiting_find(&pool, e, 7, NOW_MS, &w));
		if (w.until_ms != rows[i].end_ms)
			fail_msg("row %zu: %d", i, (int)(w.until_ms - NOW_MS));
		effect_close(e);
	}
}

static void no_more_of_its_slots_wait_than_wait_at_all(void **state)
{
	(void)state;
	const int64_t until_ms[5] = { 0 };
	struct effect *e = write_effect(5, 21);
	struct model_set sets[5];
	struct model_pool pool = make_pool(sets, until_ms);
	struct waiting w;

	assert_true(waiting_find(&pool, e, 7, NOW_MS, &w));
	assert_int_equal(w.n_own, 5);
	assert_int_equal(w.until_ms, NOW_MS + SETTLE_MS); /* no claim is longer */
	effect_close(e);
}

static void where_nothing_waits_nothing_is_said(void **state)
{
	(void)state;
	const int64_t until_ms[5] = { 0 };
	static const struct {
		uint32_t full, slots;
		bool agent;
		uint64_t id;
		const char *why;
	} rows[] = {
		{ 0, 21, true, 7, "no list is full" },
		{ 9, 0, true, 7, "the backend owns no slot" },
		{ 9, 21, false, 7, "a pool without agents names nobody" },
		{ 9, 21, true, 8, "the backend is not in the tables" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct effect *e = write_effect(rows[i].full, rows[i].slots);
		struct model_set sets[5];
		struct model_pool pool = make_pool(sets, until_ms);
		struct waiting w;

		pool.agent = rows[i].agent;
		if (waiting_find(&pool, e, rows[i].id, NOW_MS, &w))
			fail_msg("%s", rows[i].why);
		assert_false(waiting_find(&pool, NULL, 7, NOW_MS, &w));
		effect_close(e);
	}
}

SUITE(waiting)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_that_wait_are_counted_and_have_an_end),
		cmocka_unit_test(the_set_in_force_says_whose_claims_count),
		cmocka_unit_test(no_more_of_its_slots_wait_than_wait_at_all),
		cmocka_unit_test(where_nothing_waits_nothing_is_said),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
