/* SPDX-License-Identifier: BSD-2-Clause */
/* Indexes and ranges of table elements (dataplane/tables/indexes.c, ranges.c). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/tables/indexes.h"
#include "dataplane/tables/ranges.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_table_gives_no_place),
		cmocka_unit_test(a_resting_place_is_not_given_to_another),
		cmocka_unit_test(an_owner_that_returns_finds_its_place),
		cmocka_unit_test(found_places_are_adopted_once),
		cmocka_unit_test(many_places_come_and_go),
		cmocka_unit_test(ranges_that_do_not_fit_are_refused),
		cmocka_unit_test(a_gap_is_used_before_the_end),
		cmocka_unit_test(found_ranges_are_adopted_where_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
