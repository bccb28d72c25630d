/* SPDX-License-Identifier: BSD-2-Clause */
/* Overrides found by their target (mgmt/overrides/override_index.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/overrides/override_index.h"
#include "tests/unit/suite.h"

#define N 200

static struct override items[N];

/* Targets that differ in one part only, mixed: sites and backends, pools and names. */
static void fill_items(void)
{
	memset(items, 0, sizeof(items));
	for (size_t i = 0; i < N; i++) {
		size_t k = i * 7919 % N;
		bool is_backend = k % 4 != 0;

		items[i].target = is_backend ? MODEL_TARGET_BACKEND : MODEL_TARGET_SITE;
		snprintf(items[i].pool, sizeof(items[i].pool), is_backend ? "p%zu" : "", k % 3);
		snprintf(items[i].name, sizeof(items[i].name), "b%zu", k % 5);
		snprintf(items[i].id, sizeof(items[i].id), "o-%03zu", i);
	}
}

/* The same by going through all of them. */
static size_t count_slowly(enum model_target_kind kind, const char *pool, const char *name,
                           const struct override **out)
{
	size_t n = 0;

	for (size_t i = 0; i < N; i++)
		if (items[i].target == kind && !strcmp(items[i].pool, pool) &&
		    !strcmp(items[i].name, name))
			out[n++] = &items[i];
	return n;
}

static void each_target_has_its_own_in_their_order(void **state)
{
	static const char *const pools[] = { "", "p0", "p1", "p2", "p3" };
	static const enum model_target_kind kinds[] = { MODEL_TARGET_SITE, MODEL_TARGET_BACKEND,
		                                        MODEL_TARGET_NODE };
	const struct overrides all = { .items = items, .n_items = N };
	const struct override *expected[N];
	const struct override *const *found;
	struct override_index index;
	size_t n_all = 0;
	char name[8];

	(void)state;
	fill_items();
	assert_int_equal(override_index_init(&index, &all), 0);
	for (size_t i = 0; i < 3 * 5 * 6; i++) {
		enum model_target_kind kind = kinds[i % 3];
		const char *pool = pools[i / 3 % 5];

		snprintf(name, sizeof(name), "b%zu", i / 15);
		size_t n = count_slowly(kind, pool, name, expected);

		assert_int_equal(override_index_find(&index, kind, pool, name, &found), n);
		for (size_t k = 0; k < n; k++)
			assert_ptr_equal(found[k], expected[k]);
		n_all += n;
	}
	assert_int_equal(n_all, N);
	override_index_fini(&index);
}

static void without_overrides_there_is_nothing_to_find(void **state)
{
	const struct overrides none = { .items = NULL, .n_items = 0 };
	const struct override *const *found;
	struct override_index index;

	(void)state;
	assert_int_equal(override_index_init(&index, &none), 0);
	assert_int_equal(override_index_find(&index, MODEL_TARGET_SITE, "", "ams", &found), 0);
	assert_int_equal(override_index_init(&index, NULL), 0);
	assert_int_equal(override_index_find(&index, MODEL_TARGET_SITE, "", "ams", &found), 0);
	override_index_fini(&index);
}

SUITE(override_index)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_target_has_its_own_in_their_order),
		cmocka_unit_test(without_overrides_there_is_nothing_to_find),
	};

	return cmocka_run_group_tests_name("override index", tests, NULL, NULL);
}
