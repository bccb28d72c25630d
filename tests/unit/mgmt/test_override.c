/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"
#include "set_digest.h"

#include <errno.h>

#include "base/clock.h"
#include "mgmt/overrides/override.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define KEPT_MS ((int64_t)604800000)

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct override make_override(unsigned id, uint64_t generation, int64_t until_ms,
                                     const char *reason)
{
	struct override o = { .kind = MODEL_OVERRIDE_DRAIN,
		              .generation = generation,
		              .created_ms = NOW_MS,
		              .from_ms = NOW_MS,
		              .until_ms = until_ms };

	snprintf(o.id, sizeof(o.id), "n-%u", id);
	snprintf(o.name, sizeof(o.name), "ams");
	snprintf(o.reason, sizeof(o.reason), "%s", reason);
	return o;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Any two orders, with repetitions, lead to the same set. */
static void merging_is_commutative_associative_and_idempotent(void **state)
{
	(void)state;
	uint64_t random = 88172645463325252ull;

	for (int round = 0; round < 200; round++) {
		struct override all[24];
		struct overrides a = { 0 }, b = { 0 };
		char x[DIGEST_TEXT_MAX], y[DIGEST_TEXT_MAX];

		for (size_t i = 0; i < COUNT(all); i++)
			all[i] = make_override((unsigned)(next_random(&random) % 6),
			                       1 + next_random(&random) % 4, NOW_MS + 1000,
			                       next_random(&random) % 2 ? "one" : "two");
		for (size_t i = 0; i < COUNT(all); i++)
			assert_true(overrides_merge(&a, &all[i], NOW_MS) >= 0);
		for (size_t i = 0; i < 10 * COUNT(all); i++)
			overrides_merge(&b, &all[next_random(&random) % COUNT(all)], NOW_MS);
		for (size_t i = COUNT(all); i-- > 0;) {
			overrides_merge(&b, &all[i], NOW_MS);
			assert_int_equal(overrides_merge(&b, &all[i], NOW_MS), 0);
		}
		assert_string_equal(set_digest(&a, x), set_digest(&b, y));
		overrides_fini(&a);
		overrides_fini(&b);
	}
}

static void a_tombstone_is_not_brought_back(void **state)
{
	(void)state;
	struct overrides set = { 0 };
	struct override live = make_override(1, 1, MODEL_TIME_NEVER, ""), dead = live;

	dead.generation = 2;
	dead.ended = true;
	dead.until_ms = NOW_MS;
	assert_int_equal(overrides_merge(&set, &live, NOW_MS), 1);
	assert_int_equal(overrides_merge(&set, &dead, NOW_MS), 1);
	assert_int_equal(overrides_merge(&set, &live, NOW_MS), 0);
	assert_int_equal(overrides_live(&set, NOW_MS), 0);
	assert_int_equal(set.n_items, 1);
	overrides_fini(&set);
}

static void what_is_forgotten_is_not_taken_again(void **state)
{
	(void)state;
	struct overrides set = { 0 };
	struct override o = make_override(1, 1, NOW_MS + 1000, "");
	int64_t later = NOW_MS + KEPT_MS + 1000;

	assert_int_equal(overrides_merge(&set, &o, NOW_MS), 1);
	assert_int_equal(overrides_prune(&set, later - 1), 0);
	assert_int_equal(overrides_prune(&set, later), 1);
	assert_int_equal(overrides_merge(&set, &o, later), 0);
	assert_int_equal(set.n_items, 0);
	overrides_fini(&set);
}

static void a_full_set_drops_tombstones_and_never_the_living(void **state)
{
	(void)state;
	struct overrides set = { 0 };

	for (unsigned i = 0; i < OVERRIDES_MAX; i++) {
		struct override o =
		        make_override(i, 1, i == 10 ? NOW_MS - 5 : MODEL_TIME_NEVER, "");

		assert_int_equal(overrides_merge(&set, &o, NOW_MS), 1);
	}
	struct override more = make_override(OVERRIDES_MAX, 1, MODEL_TIME_NEVER, "");
	assert_int_equal(overrides_merge(&set, &more, NOW_MS), 1);
	assert_null(overrides_find(&set, "n-10")); /* which stood before the new one's place */
	for (size_t i = 0; i < set.n_items; i++)
		assert_ptr_equal(overrides_find(&set, set.items[i].id), &set.items[i]);
	more = make_override(OVERRIDES_MAX + 1, 1, MODEL_TIME_NEVER, "");
	assert_int_equal(overrides_merge(&set, &more, NOW_MS), -ENOSPC);
	assert_int_equal(set.n_items, OVERRIDES_MAX);
	overrides_fini(&set);
}

static void malformed_ones_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		size_t off;
		char byte;
	} cases[] = {
		{ "no id", offsetof(struct override, id), '\0' },
		{ "an upper-case name", offsetof(struct override, name), 'A' },
		{ "a pool for a site", offsetof(struct override, pool), 'p' },
		{ "a control character in the reason", offsetof(struct override, reason), '\n' },
		{ "an escape in the author", offsetof(struct override, author), 27 },
	};
	struct override good = make_override(1, 1, NOW_MS, "x");

	assert_true(override_ok(&good));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct override o = good;

		print_message("  %s\n", cases[i].why);
		((char *)&o)[cases[i].off] = cases[i].byte;
		assert_false(override_ok(&o));
	}
	good.generation = 0;
	assert_false(override_ok(&good));
	good = make_override(1, 1, NOW_MS, "x");
	good.over_ms = -1;
	assert_false(override_ok(&good));
	good = make_override(1, 1, CLOCK_END_MS - 1, "x");
	assert_true(override_ok(&good));
	good.until_ms = CLOCK_END_MS; /* no text has this time, and the document has texts */
	assert_false(override_ok(&good));
	good.until_ms = MODEL_TIME_NEVER;
	assert_true(override_ok(&good));
	good.created_ms = CLOCK_END_MS;
	assert_false(override_ok(&good));
	good.created_ms = 0;
	good.from_ms = MODEL_TIME_NEVER - 1;
	assert_false(override_ok(&good));
}

/* The last value of each field that is taken; one more is refused. */
static void each_field_is_taken_up_to_its_limit(void **state)
{
	static const struct {
		const char *why;
		size_t off, size;
		int64_t last;
	} cases[] = {
		{ "a hold", offsetof(struct override, kind), 4, MODEL_OVERRIDE_HOLD },
		{ "53 bits of generations", offsetof(struct override, generation), 8,
		  ((int64_t)1 << 53) - 1 },
		{ "366 days", offsetof(struct override, over_ms), 8, 31622400000 },
		{ "all of it", offsetof(struct override, from_ppm), 4, 1000000 },
	};
	struct override good = make_override(1, 1, NOW_MS, "with spaces ~");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct override o = good;
		int64_t value = cases[i].last;

		memcpy((char *)&o + cases[i].off, &value, cases[i].size); /* little-endian */
		if (!override_ok(&o))
			fail_msg("%s is refused", cases[i].why);
		value++;
		memcpy((char *)&o + cases[i].off, &value, cases[i].size);
		if (override_ok(&o))
			fail_msg("more than %s is taken", cases[i].why);
	}
	good.from_ms = good.created_ms = 0;
	assert_true(override_ok(&good));
	good.target = MODEL_TARGET_BACKEND;
	assert_false(override_ok(&good)); /* of no pool */
	snprintf(good.pool, sizeof(good.pool), "p");
	assert_true(override_ok(&good));
}

static void a_hold_stops_the_ramp_where_it_is(void **state)
{
	(void)state;
	struct overrides set = { 0 };
	struct override drain = make_override(1, 1, NOW_MS + 1000000, ""),
	                hold = make_override(2, 1, MODEL_TIME_NEVER, "");

	drain.over_ms = 100000;
	hold.kind = MODEL_OVERRIDE_HOLD;
	hold.from_ms = NOW_MS + 30000;
	assert_int_equal(overrides_merge(&set, &drain, NOW_MS), 1);
	assert_int_equal(overrides_level(&set, &drain, NOW_MS + 50000), 500000);
	assert_int_equal(overrides_merge(&set, &hold, NOW_MS), 1);
	assert_int_equal(overrides_level(&set, &drain, NOW_MS + 50000), 300000);
	assert_string_equal(overrides_state(&set, &drain, NOW_MS + 5000000), "held");
	assert_int_equal(overrides_level(&set, &hold, NOW_MS + 50000),
	                 300000); /* it holds that much */
	hold.ended = true;
	assert_int_equal(overrides_level(&set, &hold, NOW_MS + 50000), 0);
	overrides_fini(&set);
}

static void what_is_held_past_its_end_is_neither_done_nor_forgotten(void **state)
{
	(void)state;
	struct overrides set = { 0 };
	struct override drain = make_override(1, 1, NOW_MS + 1000000, "");
	int64_t late_ms = NOW_MS + 2 * KEPT_MS;

	drain.over_ms = 100000;
	assert_int_equal(overrides_merge(&set, &drain, NOW_MS), 1);
	struct override *o = &set.items[0];
	assert_string_equal(overrides_state(&set, o, late_ms), "done");
	o->how = RAMP_HELD_SITE;
	o->at_ms = o->until_ms - 1;
	assert_string_equal(overrides_state(&set, o, late_ms), "expired_held");
	assert_int_equal(overrides_level(&set, o, late_ms), 1000000);
	assert_int_equal(overrides_live(&set, late_ms), 1);
	assert_int_equal(overrides_prune(&set, late_ms), 0);
	o->how = RAMP_LATE;
	o->at_ms = o->until_ms + 25000;
	assert_string_equal(overrides_state(&set, o, late_ms), "returning");
	assert_int_equal(overrides_level(&set, o, late_ms), 750000);
	o->how = RAMP_HELD_CLOCK;
	o->at_ms = o->from_ms + 50000;
	assert_string_equal(overrides_state(&set, o, NOW_MS + 900000), "held");
	assert_int_equal(overrides_level(&set, o, NOW_MS + 900000), 500000);
	o->how = RAMP_LATE;
	o->at_ms = o->until_ms + o->over_ms;
	assert_string_equal(overrides_state(&set, o, late_ms), "done");
	assert_int_equal(overrides_prune(&set, late_ms), 1);
	overrides_fini(&set);
}

static void an_end_is_the_ramps_end_only_where_there_is_a_ramp(void **state)
{
	(void)state;
	struct override o = make_override(1, 1, NOW_MS + 1000, "");

	o.over_ms = 500;
	assert_int_equal(override_done_ms(&o), NOW_MS + 1500); /* a site's return */
	assert_false(override_is_done(&o, NOW_MS + 1499));
	assert_true(override_is_done(&o, NOW_MS + 1500));
	o.kind = MODEL_OVERRIDE_DISABLE;
	assert_int_equal(override_done_ms(&o), NOW_MS + 1000);
	o.kind = MODEL_OVERRIDE_DRAIN;
	o.target = MODEL_TARGET_BACKEND; /* its over_ms is the drain's deadline, not a ramp */
	assert_int_equal(override_done_ms(&o), NOW_MS + 1000);
	assert_true(override_is_done(&o, NOW_MS + 1000));
	o.until_ms = MODEL_TIME_NEVER - 500;
	assert_int_equal(override_done_ms(&o), MODEL_TIME_NEVER);
	o.ended = true;
	assert_true(override_is_done(&o, 0));
}

static void of_many_tombstones_the_oldest_goes_first(void **state)
{
	(void)state;
	struct overrides set = { 0 };

	for (unsigned i = 0; i < OVERRIDES_MAX; i++) {
		int64_t until_ms = i == 5     ? NOW_MS - 10
		                   : i == 9   ? NOW_MS - 30
		                   : i == 700 ? NOW_MS - 20
		                              : MODEL_TIME_NEVER;
		struct override o = make_override(i, 1, until_ms, "");

		assert_int_equal(overrides_merge(&set, &o, NOW_MS), 1);
	}
	assert_int_equal(set.n_items, OVERRIDES_MAX);
	static const char *const order[] = { "n-9", "n-700", "n-5" };
	for (unsigned i = 0; i < COUNT(order); i++) {
		struct override more = make_override(OVERRIDES_MAX + i, 1, MODEL_TIME_NEVER, "");

		assert_non_null(overrides_find(&set, order[i]));
		assert_int_equal(overrides_merge(&set, &more, NOW_MS), 1);
		assert_null(overrides_find(&set, order[i]));
	}
	overrides_fini(&set);
}

static void a_tombstone_is_kept_for_a_week_exactly(void **state)
{
	(void)state;
	struct overrides set = { 0 };
	struct override dead = make_override(1, 1, NOW_MS, "");

	dead.ended = true;
	assert_int_equal(overrides_merge(&set, &dead, NOW_MS), 1);
	assert_int_equal(overrides_prune(&set, NOW_MS + KEPT_MS - 1), 0);
	assert_int_equal(overrides_prune(&set, NOW_MS + KEPT_MS), 1);
	assert_int_equal(set.n_items, 0);
	overrides_fini(&set);
}

static void a_hold_counts_from_its_instant_and_of_several_the_first(void **state)
{
	(void)state;
	struct overrides set = { 0 };
	struct override drain = make_override(1, 1, NOW_MS + 1000000, ""),
	                late = make_override(2, 1, MODEL_TIME_NEVER, ""), early;

	drain.over_ms = 100000;
	late.kind = MODEL_OVERRIDE_HOLD;
	late.from_ms = NOW_MS + 60000;
	early = late;
	snprintf(early.id, sizeof(early.id), "n-3");
	early.from_ms = NOW_MS + 40000;
	assert_int_equal(overrides_merge(&set, &drain, NOW_MS), 1);
	assert_int_equal(overrides_merge(&set, &late, NOW_MS), 1);
	assert_int_equal(overrides_merge(&set, &early, NOW_MS), 1);
	assert_int_equal(overrides_level(&set, &drain, NOW_MS + 39999), 399990);
	assert_int_equal(overrides_level(&set, &drain, NOW_MS + 80000), 400000);
	assert_null(overrides_hold(&set, &drain, NOW_MS + 39999));
	assert_string_equal(overrides_hold(&set, &drain, NOW_MS + 40000)->id, "n-3");
	snprintf(drain.name, sizeof(drain.name), "fra"); /* another site's ramp goes on */
	assert_null(overrides_hold(&set, &drain, NOW_MS + 80000));
	overrides_fini(&set);
}

static void ids_tell_node_and_instant_apart(void **state)
{
	(void)state;
	char a[MODEL_ID_MAX], b[MODEL_ID_MAX];

	override_make_id("ams-1", NOW_MS, 7, a);
	override_make_id("ams-1", NOW_MS, 8, b);
	assert_string_not_equal(a, b);
	override_make_id("ams-1", NOW_MS + 1, 7, b);
	assert_string_not_equal(a, b);
	assert_true(!strncmp(a, "ams-1-", 6));
	override_make_id("a-node-with-a-very-long-name", NOW_MS, 4096 + 7, b); /* 12 bits of salt */
	assert_true(!strncmp(b, "a-node-with-a-ve-", 17));
	assert_string_equal(strrchr(a, '-'), strrchr(b, '-'));
}

SUITE(override)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_ones_are_refused),
		cmocka_unit_test(each_field_is_taken_up_to_its_limit),
		cmocka_unit_test(merging_is_commutative_associative_and_idempotent),
		cmocka_unit_test(a_tombstone_is_not_brought_back),
		cmocka_unit_test(what_is_forgotten_is_not_taken_again),
		cmocka_unit_test(a_full_set_drops_tombstones_and_never_the_living),
		cmocka_unit_test(a_hold_stops_the_ramp_where_it_is),
		cmocka_unit_test(what_is_held_past_its_end_is_neither_done_nor_forgotten),
		cmocka_unit_test(an_end_is_the_ramps_end_only_where_there_is_a_ramp),
		cmocka_unit_test(of_many_tombstones_the_oldest_goes_first),
		cmocka_unit_test(a_tombstone_is_kept_for_a_week_exactly),
		cmocka_unit_test(a_hold_counts_from_its_instant_and_of_several_the_first),
		cmocka_unit_test(ids_tell_node_and_instant_apart),
	};

	return cmocka_run_group_tests_name("override", tests, NULL, NULL);
}
