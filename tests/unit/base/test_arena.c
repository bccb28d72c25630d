/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void a_full_arena_fails_and_remembers_it(void **state)
{
	(void)state;
	struct arena *a = arena_new(1000);

	assert_non_null(arena_alloc(a, 1, 500));
	assert_false(arena_failed(a));
	assert_null(arena_alloc(a, 1, 501));
	assert_true(arena_failed(a));
	assert_non_null(arena_alloc(a, 1, 16)); /* what fits still fits */
	assert_true(arena_failed(a));
	arena_free(a);
}

static void sizes_that_overflow_fail(void **state)
{
	(void)state;
	struct arena *a = arena_new(SIZE_MAX);

	assert_null(arena_alloc(a, SIZE_MAX, 2));
	assert_null(arena_alloc(a, SIZE_MAX / 2 + 1, 2));
	assert_null(arena_alloc(a, SIZE_MAX - 1, 1));
	assert_true(arena_failed(a));
	arena_free(a);
}

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
	(void)state;
	struct arena *a = arena_new(64 << 20);

	/* Sizes around a chunk's own size come among small ones. */
	for (size_t i = 0; i < 3000; i++) {
		size_t n = i % 100 == 99 ? 70000 + i : i % 67;
		unsigned char *p = arena_alloc(a, n, 1);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(p[k], 0);
		memset(p, 0xff, n); /* a later piece that overlaps would not be zero */
	}
	assert_false(arena_failed(a));
	arena_free(a);
}

static void texts_are_copied_and_formatted(void **state)
{
	(void)state;
	struct arena *a = arena_new(1 << 20);
	char source[] = "backend";
	char *copy = arena_strdup(a, source);

	source[0] = 'x';
	assert_string_equal(copy, "backend");
	assert_string_equal(arena_printf(a, "%s[%d].%s", "pools", 2, copy), "pools[2].backend");
	assert_string_equal(arena_printf(a, "%s", ""), "");
	assert_true(arena_used(a) >= 8 + 17 + 1);
	arena_free(a);
	arena_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_arena_fails_and_remembers_it),
		cmocka_unit_test(sizes_that_overflow_fail),
		cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
		cmocka_unit_test(texts_are_copied_and_formatted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
