/* SPDX-License-Identifier: BSD-2-Clause */
/* Indexes and ranges of table elements (dataplane/tables/indexes.c, ranges.c). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/tables/indexes.h"
#include "dataplane/tables/ranges.h"
#include "tests/unit/suite.h"

static void a_full_table_gives_no_place(void **state)
{
	(void)state;
	struct indexes *p = indexes_new(1, 3);

	assert_non_null(p);
	assert_int_equal(indexes_allocate(p, 11), 1);
	assert_int_equal(indexes_allocate(p, 12), 2);
	assert_int_equal(indexes_allocate(p, 13), INDEX_NONE);
	assert_int_equal(indexes_n_free(p), 0);
	assert_int_equal(indexes_grow(p, 4), 0);
	assert_int_equal(indexes_allocate(p, 13), 3);
	indexes_free(p);
}

/* What is free before a table grows is free after it, and what is used stays where it is. */
static void a_table_grows_by_its_new_places(void **state)
{
	static const struct {
		uint32_t first, before, n_used, after, n_free;
	} rows[] = {
		{ 0, 4, 0, 6, 6 },   { 0, 4, 3, 6, 3 }, { 0, 4, 4, 6, 2 },
		{ 1, 4, 1, 9, 7 },   { 1, 4, 3, 4, 0 }, { 1, 4, 1, 3, 2 }, /* never smaller */
		{ 2, 5, 2, 64, 60 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct indexes *p = indexes_new(rows[i].first, rows[i].before);

		assert_non_null(p);
		assert_int_equal(indexes_n_free(p), rows[i].before - rows[i].first);
		for (uint32_t k = 0; k < rows[i].n_used; k++)
			assert_int_equal(indexes_allocate(p, 11 + k), rows[i].first + k);
		assert_int_equal(indexes_grow(p, rows[i].after), 0);
		if (indexes_n_free(p) != rows[i].n_free)
			fail_msg("row %zu: %u are free", i, indexes_n_free(p));
		for (uint32_t k = 0; k < rows[i].n_used + rows[i].n_free; k++)
			assert_int_equal(indexes_allocate(p, 11 + k), rows[i].first + k);
		assert_int_equal(indexes_n_free(p), 0);
		assert_int_equal(indexes_allocate(p, 7), INDEX_NONE);
		indexes_free(p);
	}
}

static void a_resting_place_is_not_given_to_another(void **state)
{
	(void)state;
	struct indexes *p = indexes_new(0, 1);

	assert_int_equal(indexes_allocate(p, 11), 0);
	indexes_quarantine(p, 0, 500);
	assert_int_equal(indexes_state(p, 0), INDEX_QUARANTINED);
	assert_int_equal(indexes_since_ms(p, 0), 500);
	assert_int_equal(indexes_allocate(p, 12), INDEX_NONE);
	indexes_release(p, 0);
	assert_int_equal(indexes_allocate(p, 12), 0);
	assert_int_equal(indexes_find(p, 11), INDEX_NONE);
	indexes_free(p);
}

static void an_owner_that_returns_finds_its_place(void **state)
{
	(void)state;
	struct indexes *p = indexes_new(0, 8);

	assert_int_equal(indexes_allocate(p, 11), 0);
	assert_int_equal(indexes_allocate(p, 12), 1);
	indexes_quarantine(p, 0, 1);
	assert_int_equal(indexes_allocate(p, 11), 0);
	assert_int_equal(indexes_state(p, 0), INDEX_USED);
	assert_int_equal(indexes_allocate(p, 11), 0);
	indexes_free(p);
}

static void found_places_are_adopted_once(void **state)
{
	(void)state;
	struct indexes *p = indexes_new(1, 4);

	assert_false(indexes_adopt(p, 0, 11)); /* before the first */
	assert_false(indexes_adopt(p, 4, 11)); /* behind the last */
	assert_true(indexes_adopt(p, 2, 11));
	assert_false(indexes_adopt(p, 2, 12));
	assert_false(indexes_adopt(p, 3, 11));
	assert_int_equal(indexes_allocate(p, 11), 2);
	assert_int_equal(indexes_allocate(p, 13), 1);
	assert_int_equal(indexes_allocate(p, 14), 3);
	indexes_free(p);
}

/* Many keys fall into few buckets; all are found, and released ones are not. */
static void many_places_come_and_go(void **state)
{
	(void)state;
	const uint32_t n = 20000;
	struct indexes *p = indexes_new(0, n);

	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(indexes_allocate(p, 7ull * i + 1), i);
	for (uint32_t i = 0; i < n; i += 3) {
		indexes_quarantine(p, i, 1);
		indexes_release(p, i);
	}
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(indexes_find(p, 7ull * i + 1), i % 3 ? i : INDEX_NONE);
	for (uint32_t i = 0; i < n; i += 3)
		assert_int_equal(indexes_allocate(p, 1ull << 40 | i), i);
	indexes_free(p);
}

static struct ranges ranges;

static void empty_ranges(uint32_t n_slots)
{
	ranges = (struct ranges){ .n_slots = n_slots };
}

static void ranges_that_do_not_fit_are_refused(void **state)
{
	(void)state;
	uint32_t first = 77;

	empty_ranges(1024);
	assert_int_equal(ranges_allocate(&ranges, 2048, &first), -ENOSPC);
	assert_int_equal(ranges_allocate(&ranges, UINT32_MAX, &first), -ENOSPC);
	assert_int_equal(first, 77);
	assert_int_equal(ranges_allocate(&ranges, 1024, &first), 0);
	assert_int_equal(ranges_allocate(&ranges, 1, &first), -ENOSPC);
}

static void a_gap_is_used_before_the_end(void **state)
{
	(void)state;
	uint32_t a, b, c, d;

	empty_ranges(4096);
	assert_int_equal(ranges_allocate(&ranges, 256, &a), 0);
	assert_int_equal(ranges_allocate(&ranges, 512, &b), 0);
	assert_int_equal(ranges_allocate(&ranges, 16, &c), 0); /* a whole block */
	assert_int_equal(b, 256);
	assert_int_equal(c, 768);
	ranges_quarantine(&ranges, b, 100);
	assert_int_equal(ranges_allocate(&ranges, 512, &d), 0);
	assert_int_equal(d, 800); /* what rests is not given away */
	ranges_release(&ranges, 101);
	assert_int_equal(ranges_allocate(&ranges, 1024, &a), 0);
	assert_int_equal(a, 1312);
	assert_int_equal(ranges_allocate(&ranges, 512, &d), 0);
	assert_int_equal(d, 256);
}

static void found_ranges_are_adopted_where_they_are(void **state)
{
	(void)state;
	uint32_t a;

	empty_ranges(1024);
	assert_int_equal(ranges_adopt(&ranges, 256, 256), 0);
	assert_int_equal(ranges_adopt(&ranges, 0, 512), -EEXIST);
	assert_int_equal(ranges_adopt(&ranges, 480, 32), -EEXIST);
	assert_int_equal(ranges_adopt(&ranges, 1000, 32), -ERANGE);
	assert_int_equal(ranges_adopt(&ranges, 1024, 32), -ERANGE);
	assert_int_equal(ranges_adopt(&ranges, 4096, 32), -ERANGE);
	assert_int_equal(ranges_adopt(&ranges, 0, 256), 0);
	assert_int_equal(ranges_allocate(&ranges, 512, &a), 0);
	assert_int_equal(a, 512);
}

/* All ranges, with the time of those in quarantine. */
static const char *say_ranges(void)
{
	static char text[512];
	size_t n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < ranges.n_items; i++) {
		const struct range *r = &ranges.items[i];

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u+%u", i ? " " : "", r->first,
		                      r->n);
		if (r->quarantined)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " since %u",
			                      (unsigned)r->since_ms);
		assert_true(n < sizeof(text));
	}
	return text;
}

/* One life of a table of 512 slots; after each step, all that is in it. */
static void ranges_are_where_each_step_leaves_them(void **state)
{
	enum step { TAKE, ADOPT, REST, FREE };
	static const struct {
		enum step step;
		uint32_t first, n; /* first: of TAKE, what is given */
		int result;
		const char *said;
	} rows[] = {
		{ FREE, 0, 9, 0, "" },
		{ ADOPT, 480, 32, 0, "480+32" }, /* the very end */
		{ ADOPT, 256, 33, 0, "256+64 480+32" },
		{ ADOPT, 128, 1, 0, "128+32 256+64 480+32" },
		{ ADOPT, 0, 32, 0, "0+32 128+32 256+64 480+32" },
		{ ADOPT, 96, 32, 0, "0+32 96+32 128+32 256+64 480+32" }, /* up to the next one */
		{ ADOPT, 32, 65, -EEXIST, "0+32 96+32 128+32 256+64 480+32" },
		{ ADOPT, 0, 1, -EEXIST, "0+32 96+32 128+32 256+64 480+32" },
		{ ADOPT, 288, 32, -EEXIST, "0+32 96+32 128+32 256+64 480+32" },
		{ ADOPT, 33, 31, -ERANGE, "0+32 96+32 128+32 256+64 480+32" },
		{ ADOPT, 320, 193, -ERANGE, "0+32 96+32 128+32 256+64 480+32" },
		{ ADOPT, 544, 32, -ERANGE, "0+32 96+32 128+32 256+64 480+32" },
		{ ADOPT, 320, UINT32_MAX, -ERANGE, "0+32 96+32 128+32 256+64 480+32" },
		{ ADOPT, 512, 0, 0, "0+32 96+32 128+32 256+64 480+32 512+0" },
		{ REST, 512, 1, 0, "0+32 96+32 128+32 256+64 480+32 512+0 since 1" },
		{ FREE, 0, 2, 0, "0+32 96+32 128+32 256+64 480+32" },
		{ TAKE, 32, 64, 0, "0+32 32+64 96+32 128+32 256+64 480+32" }, /* the first gap */
		{ TAKE, 320, 97, 0, "0+32 32+64 96+32 128+32 256+64 320+128 480+32" },
		{ TAKE, 7, 97, -ENOSPC, "0+32 32+64 96+32 128+32 256+64 320+128 480+32" },
		{ TAKE, 7, UINT32_MAX, -ENOSPC, "0+32 32+64 96+32 128+32 256+64 320+128 480+32" },
		{ REST, 5, 10, 0, "0+32 32+64 96+32 128+32 256+64 320+128 480+32" },
		{ REST, 0, 10, 0, "0+32 since 10 32+64 96+32 128+32 256+64 320+128 480+32" },
		{ REST, 128, 12, 0,
		  "0+32 since 10 32+64 96+32 128+32 since 12 256+64 320+128 480+32" },
		{ FREE, 0, 10, 0,
		  "0+32 since 10 32+64 96+32 128+32 since 12 256+64 320+128 480+32" },
		{ FREE, 0, 11, 0, "32+64 96+32 128+32 since 12 256+64 320+128 480+32" },
		{ TAKE, 160, 96, 0, "32+64 96+32 128+32 since 12 160+96 256+64 320+128 480+32" },
		{ TAKE, 0, 1, 0, "0+32 32+64 96+32 128+32 since 12 160+96 256+64 320+128 480+32" },
		{ FREE, 0, 13, 0, "0+32 32+64 96+32 160+96 256+64 320+128 480+32" },
		{ TAKE, 128, 32, 0, "0+32 32+64 96+32 128+32 160+96 256+64 320+128 480+32" },
		{ TAKE, 448, 32, 0, "0+32 32+64 96+32 128+32 160+96 256+64 320+128 448+32 480+32" },
		{ TAKE, 7, 1, -ENOSPC,
		  "0+32 32+64 96+32 128+32 160+96 256+64 320+128 448+32 480+32" },
	};

	(void)state;
	empty_ranges(512);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t first = 7;
		int result = 0;

		if (rows[i].step == TAKE)
			result = ranges_allocate(&ranges, rows[i].n, &first);
		else if (rows[i].step == ADOPT)
			result = ranges_adopt(&ranges, rows[i].first, rows[i].n);
		else if (rows[i].step == REST)
			ranges_quarantine(&ranges, rows[i].first, rows[i].n);
		else
			ranges_release(&ranges, rows[i].n);
		if (result != rows[i].result || strcmp(say_ranges(), rows[i].said) != 0 ||
		    (rows[i].step == TAKE && first != rows[i].first))
			fail_msg("step %zu: %d, %u, %s", i, result, first, say_ranges());
	}
}

/* As many as there is room for; and a table that has become shorter than what is in use. */
static void no_more_ranges_than_there_is_room_for(void **state)
{
	uint32_t first;

	(void)state;
	empty_ranges((RANGES_MAX + 9) * RANGE_BLOCK);
	for (uint32_t i = 0; i < RANGES_MAX; i++) {
		assert_int_equal(ranges_allocate(&ranges, 1, &first), 0);
		assert_int_equal(first, i * RANGE_BLOCK);
	}
	assert_int_equal(ranges_allocate(&ranges, 1, &first), -ENOSPC);
	assert_int_equal(ranges_adopt(&ranges, RANGES_MAX * RANGE_BLOCK, 1), -ENOSPC);
	assert_int_equal(ranges.n_items, RANGES_MAX);
	ranges_quarantine(&ranges, 64, 5);
	ranges_release(&ranges, 6);
	assert_int_equal(ranges_adopt(&ranges, RANGES_MAX * RANGE_BLOCK, 1), 0);
	assert_int_equal(ranges.n_items, RANGES_MAX);
	empty_ranges(64);
	assert_int_equal(ranges_allocate(&ranges, 64, &first), 0);
	ranges.n_slots = 32;
	assert_int_equal(ranges_allocate(&ranges, 1, &first), -ENOSPC);
	assert_int_equal(ranges.n_items, 1);
}

SUITE(indexes)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_table_gives_no_place),
		cmocka_unit_test(a_table_grows_by_its_new_places),
		cmocka_unit_test(a_resting_place_is_not_given_to_another),
		cmocka_unit_test(an_owner_that_returns_finds_its_place),
		cmocka_unit_test(found_places_are_adopted_once),
		cmocka_unit_test(many_places_come_and_go),
		cmocka_unit_test(ranges_that_do_not_fit_are_refused),
		cmocka_unit_test(a_gap_is_used_before_the_end),
		cmocka_unit_test(found_ranges_are_adopted_where_they_are),
		cmocka_unit_test(ranges_are_where_each_step_leaves_them),
		cmocka_unit_test(no_more_ranges_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
