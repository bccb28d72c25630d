/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From what nodes say to whom clients are: rows of the sample become arrivals, by the key that their
 * prefix would have. What is malformed is left out, and a list that was cut says so.
 */
#include "tests/unit/mgmt/projection_scene.h"

#include "mgmt/controller/operation_measure.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/operations/projection_internal.h"
#include "tests/unit/suite.h"

static struct operation_snapshot *view;
static struct model_node nodes[2];

static int begin_test(void **state)
{
	int err = setup(state);

	view = calloc(1, sizeof(*view));
	if (err || !view)
		return -1;
	view->m = &m;
	view->n_reports = 2;
	for (uint32_t i = 0; i < 2; i++) {
		nodes[i] = (struct model_node){ .name = i ? "fra-1" : "ams-1", .site = &sites[i] };
		view->reports[i] = (struct operation_report){
			.node = &nodes[i], .measure = json_pack("{s:{s:[]}}", "flows", "sources")
		};
	}
	return 0;
}

static int end_test(void **state)
{
	for (size_t i = 0; i < 2; i++)
		json_decref(view->reports[i].measure);
	free(view);
	return teardown(state);
}

static void say_source(uint32_t report, const char *service, const char *prefix, json_int_t n,
                       json_int_t sampled)
{
	json_t *list =
	        json_object_get(json_object_get(view->reports[report].measure, "flows"), "sources");

	json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I}", "service", service, "prefix",
	                                      prefix, "flows", n, "sampled", sampled));
}

static void rows_become_arrivals(void **state)
{
	const struct projection_arrival *a;

	(void)state;
	say_source(0, "web", "192.0.2.0/24", 512, 2);
	say_source(1, "api", "2001:db8:1:200::/56", 256, 1);
	assert_int_equal(operation_sources_add(view, projector), 0);
	assert_int_equal(projector->n_arrivals, 2);
	assert_true(projector->arrivals_whole);
	a = projector->arrivals;
	assert_true(a[0].service == WEB && a[0].site == AMS && a[0].flows == 512);
	assert_int_equal(a[0].sampled, 2);
	assert_memory_equal(a[0].key, ((uint8_t[8]){ 4, 192, 0, 2 }), 8);
	assert_true(a[1].service == API && a[1].site == FRA);
	assert_memory_equal(a[1].key, ((uint8_t[8]){ 6, 0x20, 0x01, 0x0d, 0xb8, 0, 1, 2 }), 8);
}

static void malformed_rows_are_left_out(void **state)
{
	static const struct {
		const char *service, *prefix;
		json_int_t flows, sampled;
	} rows[] = {
		{ "nobody", "192.0.2.0/24", 5, 5 },
		{ "web", "192.0.2.0", 5, 5 },
		{ "web", "192.0.2.0/25", 5, 5 },
		{ "web", "2001:db8::/48", 5, 5 },
		{ "web", "192.0.2.0/24", 0, 0 },
		{ "web", "192.0.2.0/24", -1, 1 },
		{ "web", "192.0.2.0/24", 5, 6 },
		{ "web", "192.0.2.0/24", (json_int_t)1 << 50, 1 },
		{ "web", "192.0.2.0/24", 5, -1 },
		{ "web", "", 5, 5 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		say_source(0, rows[i].service, rows[i].prefix, rows[i].flows, rows[i].sampled);
	assert_int_equal(operation_sources_add(view, projector), 0);
	assert_int_equal(projector->n_arrivals, 0);
}

static void a_list_that_is_cut_or_missing_is_not_whole(void **state)
{
	char prefix[32];

	(void)state;
	for (uint32_t i = 0; i < OPERATION_MEASURE_SOURCES_MAX; i++) {
		snprintf(prefix, sizeof(prefix), "10.0.%u.0/24", i);
		say_source(0, "web", prefix, 1, 1);
	}
	assert_int_equal(operation_sources_add(view, projector), 0);
	assert_int_equal(projector->n_arrivals, OPERATION_MEASURE_SOURCES_MAX);
	assert_false(projector->arrivals_whole);
	json_decref(view->reports[0].measure);
	view->reports[0].measure = NULL;
	assert_int_equal(operation_sources_add(view, projector), 0);
	assert_false(projector->arrivals_whole);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, end_test)

SUITE(operation_sources)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_become_arrivals),
		TEST(malformed_rows_are_left_out),
		TEST(a_list_that_is_cut_or_missing_is_not_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
