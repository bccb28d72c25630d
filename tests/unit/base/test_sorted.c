/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sorted.h"
#include "tests/unit/suite.h"

/* Longer than its key, so that a wrong size shows. */
struct element {
	char name[3];
	int key;
};

static int compare_keys(const void *key, const void *item)
{
	int a = *(const int *)key, b = ((const struct element *)item)->key;

	return (a > b) - (a < b);
}

/* Each key in, between, before and behind the elements, in arrays of each length. */
static void a_key_is_found_or_its_place_is(void **state)
{
	struct element items[9];

	(void)state;
	for (int i = 0; i < 9; i++)
		items[i] = (struct element){ .key = 10 * i };
	for (int n = 0; n <= 9; n++)
		for (int key = -1; key <= 10 * n + 1; key++) {
			bool found = n % 2, is_there = key >= 0 && key % 10 == 0 && key < 10 * n;
			size_t at = sorted_index(&key, n ? items : NULL, (size_t)n, sizeof(*items),
			                         compare_keys, &found);
			int expected = key < 0 ? 0 : (key + 9) / 10;

			assert_int_equal(at, expected < n ? expected : n);
			assert_int_equal(found, is_there);
		}
}

static void of_equal_elements_the_first_is_found(void **state)
{
	static const int keys[] = { 1, 1, 3, 3, 3, 3, 5 };
	static const struct {
		int key;
		size_t at;
	} cases[] = { { 0, 0 }, { 1, 0 }, { 2, 2 }, { 3, 2 }, { 4, 6 }, { 5, 6 }, { 6, 7 } };
	struct element items[7] = { 0 };

	(void)state;
	for (size_t i = 0; i < 7; i++)
		items[i].key = keys[i];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
		        sorted_index(&cases[i].key, items, 7, sizeof(*items), compare_keys, NULL),
		        cases[i].at);
}

SUITE(sorted)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_found_or_its_place_is),
		cmocka_unit_test(of_equal_elements_the_first_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
