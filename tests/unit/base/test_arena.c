/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/memory.h"
#include "tests/unit/suite.h"

static void a_full_arena_fails_and_remembers_it(void **state)
{
	(void)state;
	struct arena *a = arena_new(1000);

	assert_non_null(arena_alloc(a, 1, 500));
	memory_forget();
	assert_false(arena_failed(a) || arena_is_full(a));
	assert_null(arena_alloc(a, 1, 501));
	assert_true(arena_failed(a) && arena_is_full(a));
	assert_null(arena_printf(a, "%0501d", 0));
	assert_false(memory_failed());          /* of the machine none was missing */
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

/* A piece takes its bytes and what aligns the next, so that a limit is what a caller expects. */
static void what_is_used_is_what_was_given_out(void **state)
{
	static const struct {
		size_t n, size, used;
	} cases[] = { { 1, 1, 16 }, { 16, 1, 16 }, { 17, 1, 32 }, { 3, 5, 16 },       { 0, 8, 16 },
		      { 8, 0, 16 }, { 31, 1, 32 }, { 33, 1, 48 }, { 1, 70000, 70000 } };
	size_t sum = 0;
	struct arena *a = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_non_null(arena_alloc(a, cases[i].n, cases[i].size));
		sum += cases[i].used;
		assert_int_equal(arena_used(a), sum);
	}
	assert_false(arena_failed(a));
	arena_free(a);
}

static void a_limit_is_reached_exactly(void **state)
{
	struct arena *a = arena_new(64);

	(void)state;
	assert_non_null(arena_alloc(a, 48, 1));
	assert_non_null(arena_alloc(a, 16, 1));
	assert_int_equal(arena_used(a), 64);
	assert_false(arena_failed(a));
	assert_null(arena_alloc(a, 1, 1));
	assert_true(arena_failed(a));
	arena_free(a);
	a = arena_new(1 << 20);
	assert_non_null(arena_alloc(a, 1 << 20, 1)); /* all of it in one piece */
	assert_false(arena_failed(a));
	arena_free(a);
}

/* Small pieces share chunks also after a chunk was filled and a large piece came; all of it goes. */
static void an_arena_takes_what_it_needs_and_gives_it_back(void **state)
{
	size_t before = mallinfo2().uordblks;
	struct arena *a = arena_new(64 << 20);

	(void)state;
	for (int i = 0; i < 20000; i++) {
		assert_non_null(arena_alloc(a, 100, 1));
		if (i % 1000 == 500)
			assert_non_null(arena_alloc(a, 20000, 1));
	}
	size_t used = arena_used(a), held = mallinfo2().uordblks - before;
	assert_true(held < used + used / 4 + 200000);
	arena_free(a);
	assert_true(mallinfo2().uordblks <= before + 8192); /* what malloc() keeps aside */
}

static void the_last_of_several_owners_frees_it(void **state)
{
	size_t before = mallinfo2().uordblks;
	struct arena *a = arena_new(1 << 20);
	char *text = arena_strdup(a, "shared");

	(void)state;
	assert_ptr_equal(arena_share(a), a);
	assert_ptr_equal(arena_share(a), a);
	arena_free(a);
	arena_free(a);
	assert_string_equal(text, "shared");
	assert_non_null(arena_strdup(a, "more"));
	arena_free(a);
	assert_true(mallinfo2().uordblks <= before + 8192); /* what malloc() keeps aside */
}

SUITE(arena)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_arena_fails_and_remembers_it),
		cmocka_unit_test(sizes_that_overflow_fail),
		cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
		cmocka_unit_test(what_is_used_is_what_was_given_out),
		cmocka_unit_test(a_limit_is_reached_exactly),
		cmocka_unit_test(an_arena_takes_what_it_needs_and_gives_it_back),
		cmocka_unit_test(the_last_of_several_owners_frees_it),
		cmocka_unit_test(texts_are_copied_and_formatted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
