/* SPDX-License-Identifier: BSD-2-Clause */
/* Which overrides are told as what people request of a target. */
#include "fixture.h"

#include <jansson.h>

#include "mgmt/status/status.h"
#include "tests/unit/suite.h"

static struct status seen;
static struct override items[2];

/* A drain of site ams since a second, and beside it another one. */
static int setup(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	for (size_t i = 0; i < 2; i++) {
		items[i] = (struct override){ .kind = MODEL_OVERRIDE_DRAIN,
			                      .target = MODEL_TARGET_SITE,
			                      .name = "ams",
			                      .generation = 1,
			                      .level_ppm = 1000000,
			                      .from_ms = NOW_MS - 1000,
			                      .until_ms = MODEL_TIME_NEVER };
		snprintf(items[i].id, sizeof(items[i].id), "o-%zu", i);
	}
	seen.look.now_ms = NOW_MS;
	seen.look.overrides = (struct overrides){ .items = items, .n_items = 1 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	status_fini(&seen);
	return 0;
}

/* What is requested of site ams: its state, and how many overrides say so. */
static void expect_intent(const char *state, size_t n)
{
	status_fini(&seen);
	assert_int_equal(status_index(&seen), 0);
	json_t *intent = status_intent(&seen, MODEL_TARGET_SITE, "", "ams", "", 100);

	assert_string_equal(json_string_value(json_object_get(intent, "state")), state);
	assert_int_equal(json_array_size(json_object_get(intent, "overrides")), n);
	assert_int_equal(status_has_intent(&seen, MODEL_TARGET_SITE, "", "ams"), n > 0);
	json_decref(intent);
}

static void a_drain_of_one_service_is_listed_and_drains_no_site(void **state)
{
	(void)state;
	expect_intent("drain", 1);
	snprintf(items[0].service, sizeof(items[0].service), "web");
	expect_intent("serve", 1);
}

/* A row of a service has the site's drains and its own, and none of another service. */
static void a_drain_of_one_service_is_its_own_intent(void **state)
{
	static const struct {
		const char *drained, *service, *word;
		json_int_t level;
		size_t n;
	} rows[] = { { "web", "web", "drain", 1000000, 1 },
		     { "web", "mail", "serve", 0, 0 },
		     { "", "mail", "drain", 1000000, 1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(items[0].service, sizeof(items[0].service), "%s", rows[i].drained);
		status_fini(&seen);
		assert_int_equal(status_index(&seen), 0);
		json_t *intent =
		        status_intent(&seen, MODEL_TARGET_SITE, "", "ams", rows[i].service, 100);

		assert_string_equal(json_string_value(json_object_get(intent, "state")),
		                    rows[i].word);
		assert_int_equal(json_integer_value(json_object_get(intent, "level_ppm")),
		                 rows[i].level);
		assert_int_equal(json_array_size(json_object_get(intent, "overrides")), rows[i].n);
		json_decref(intent);
	}
}

static void what_is_over_is_not_told(void **state)
{
	(void)state;
	seen.look.overrides.n_items = 2;
	expect_intent("drain", 2);
	items[1].kind = MODEL_OVERRIDE_DISABLE;
	items[1].until_ms = NOW_MS - 500;
	expect_intent("drain", 1);
	seen.look.overrides.n_items = 1;
	items[0] = items[1];
	expect_intent("serve", 0);
}

SUITE(status_intent)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_drain_of_one_service_is_listed_and_drains_no_site),
		T(a_drain_of_one_service_is_its_own_intent),
		T(what_is_over_is_not_told),
	};

	return cmocka_run_group_tests_name("status intent", tests, NULL, NULL);
}
