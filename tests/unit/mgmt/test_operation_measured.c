/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a node tells of its own measurements: new flows from the page of weir-dataplane, and how much
 * of its pools is up by its own checks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "whole_json.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "mgmt/sync/operations.h"
#include "weir/measure.h"

#include "mgmt/controller/operation_measure.c" /* the private parts too */

static char dir[64];
static struct page *page;
static struct measure_page *rows;
static struct core core;

static struct model_site sites[] = { { .name = "ams" }, { .name = "fra" } };
static struct model_service services[] = { { .name = "web" }, { .name = "api" } };
static const struct model_check check = { .interval_ms = 1000 };
static struct model_backend backends[] = { { .id = 11, .weight = 100 },
	                                   { .id = 12, .weight = 300 } };
static struct model_pool pools[] = {
	{ .name = "web-ams", .site = &sites[0], .min_healthy_percent = 30 },
	{ .name = "web-fra", .site = &sites[1], .min_healthy_percent = 30 },
};
static struct model_node self = { .name = "ams-1", .site = &sites[0] };
static struct model m = {
	.services = services, .n_services = 2, .pools = pools, .n_pools = 2, .self = &self
};

static int setup(void **state)
{
	char path[96];

	(void)state;
	strcpy(dir, "/tmp/weir-measured-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(core.dirs.run, sizeof(core.dirs.run), "%s", dir);
	snprintf(path, sizeof(path), "%s/" MEASURE_PAGE_FILE, dir);
	if (page_create(path, MEASURE_PAGE_KIND, MEASURE_PAGE_LAYOUT, measure_page_bytes(2, 1),
	                &page))
		return -1;
	rows = page_payload(page);
	rows->max_services = 2;
	rows->max_pools = 1;
	rows->node = (struct measure_node){
		.n_services = 1, .n_pools = 1, .last_ms = 1000, .recent_ms = 10000
	};
	measure_page_services(rows)->service = hash_text("web");
	measure_page_pools(rows)->pool = hash_text("web-ams");
	page_alive(page, clock_mono_ms());
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	page_close(page);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

/* Field @p name of row @p of in part @p part. @return -1: there is none */
static json_int_t number_of(const json_t *flows, const char *part, const char *of, const char *name)
{
	const json_t *row = json_object_get(json_object_get(flows, part), of);
	const json_t *value = json_object_get(row, name);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static void rates_are_of_the_window_that_they_were_counted_in(void **state)
{
	struct measure_service *web = measure_page_services(rows);
	struct measure_pool *pool = measure_page_pools(rows);

	(void)state;
	web->recent = (struct measure_flows){ .new_flows = 70, .packets = 900 };
	web->last = (struct measure_flows){ .new_flows = 5 };
	pool->recent =
	        (struct measure_use){ .own_flows = 60, .own_packets = 800, .backup_flows = 10 };
	rows->node.reason_last[FWD_REASON_NO_BACKEND] = 4;
	json_t *flows = flows_json(&core, &m);
	assert_int_equal(json_integer_value(json_object_get(flows, "window_ms")), 10000);
	assert_int_equal(json_object_size(json_object_get(flows, "services")), 1);
	assert_int_equal(number_of(flows, "services", "web", "new_milli"), 7000);
	assert_int_equal(number_of(flows, "services", "web", "packets_milli"), 90000);
	assert_int_equal(number_of(flows, "pools", "web-ams", "own_milli"), 6000);
	assert_int_equal(number_of(flows, "pools", "web-ams", "own_packets_milli"), 80000);
	assert_int_equal(number_of(flows, "pools", "web-ams", "backup_milli"), 1000);
	const json_t *drops = json_object_get(flows, "drops");
	assert_int_equal(json_object_size(drops), 1); /* 4 in the last second */
	assert_int_equal(json_integer_value(json_object_get(drops, "no_backend")), 4000);
	json_decref(flows);
}

/* The last second tells sooner that clients suffer; where it has too few, the last ten do. */
static void ratios_need_a_sample(void **state)
{
	struct measure_service *web = measure_page_services(rows);
	const uint64_t enough = 2 * MEASURE_SAMPLE_MIN;

	(void)state;
	web->recent = (struct measure_flows){ .sampled = enough,
		                              .repeated = enough / 4,
		                              .followed = enough / 2 };
	web->last = (struct measure_flows){ .sampled = MEASURE_SAMPLE_MIN,
		                            .repeated = MEASURE_SAMPLE_MIN };
	json_t *flows = flows_json(&core, &m);
	assert_int_equal(number_of(flows, "services", "web", "repeated_ppm"), 1000000);
	assert_int_equal(number_of(flows, "services", "web", "silent_ppm"), 500000);
	json_decref(flows);
	web->last.sampled = MEASURE_SAMPLE_MIN - 1;
	flows = flows_json(&core, &m);
	assert_int_equal(number_of(flows, "services", "web", "repeated_ppm"), 250000);
	json_decref(flows);
	web->recent.sampled = MEASURE_SAMPLE_MIN - 1;
	flows = flows_json(&core, &m);
	assert_int_equal(number_of(flows, "services", "web", "repeated_ppm"), -1);
	assert_int_equal(number_of(flows, "services", "web", "silent_ppm"), -1);
	json_decref(flows);
}

static int by_hash(const void *a, const void *b)
{
	uint64_t x = ((const struct measure_service *)a)->service;
	uint64_t y = ((const struct measure_service *)b)->service;

	return (x > y) - (x < y);
}

/* A cluster of a thousand pools and more: none is left out, and the answer fits. */
static void each_of_two_thousand_services_is_told(void **state)
{
	static struct model_service many[2000];
	static char names[2000][MODEL_NAME_MAX];
	struct model big = { .services = many, .n_services = 2000, .self = &self };
	char path[96];

	(void)state;
	page_close(page);
	snprintf(path, sizeof(path), "%s/" MEASURE_PAGE_FILE, dir);
	assert_int_equal(page_create(path, MEASURE_PAGE_KIND, MEASURE_PAGE_LAYOUT,
	                             measure_page_bytes(2000, 0), &page),
	                 0);
	rows = page_payload(page);
	rows->max_services = 2000;
	rows->node =
	        (struct measure_node){ .n_services = 2000, .last_ms = 1000, .recent_ms = 10000 };
	for (size_t i = 0; i < 2000; i++) {
		snprintf(names[i], sizeof(names[i]), "service-%050zu", i);
		many[i].name = names[i];
		measure_page_services(rows)[i] = (struct measure_service){
			.service = hash_text(names[i]),
			.recent = { .new_flows = 1000000 + i, .packets = 100000000 },
		};
	}
	qsort(measure_page_services(rows), 2000, sizeof(struct measure_service), by_hash);
	page_alive(page, clock_mono_ms());
	json_t *flows = flows_json(&core, &big);
	assert_int_equal(number_of(flows, "services", names[0], "new_milli"), 100000000);
	assert_int_equal(number_of(flows, "services", names[1999], "new_milli"), 100199900);
	assert_int_equal(json_object_size(json_object_get(flows, "services")), 2000);
	char *text = json_dumps(flows, JSON_COMPACT);
	assert_non_null(text);
	assert_in_range(strlen(text), 200000, OPERATIONS_ANSWER_MAX / 10);
	free(text);
	json_decref(flows);
}

static void what_is_old_or_has_no_window_is_not_told(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		rows->node.recent_ms = i == 1 ? 0 : i == 3 ? 4999 : i == 0 ? 5000 : 10000;
		page_alive(page, clock_mono_ms() - (i == 2 ? 2100 : 0));
		json_t *flows = flows_json(&core, &m);
		assert_int_equal(json_is_object(flows), i == 0);
		assert_int_equal(json_is_null(flows), i != 0);
		json_decref(flows);
	}
}

/* Of the node's own drills alone, in the order of the document, and only while they are counted. */
static void drills_are_told_as_they_are_counted(void **state)
{
	static struct model_override overrides[] = {
		{ .kind = MODEL_OVERRIDE_DRILL, .id = "ams-1-4" },
		{ .kind = MODEL_OVERRIDE_DRAIN, .id = "ams-1-5" }, /* is no drill */
		{ .kind = MODEL_OVERRIDE_DRILL, .id = "ams-1-6" }, /* is not counted here */
		{ .kind = MODEL_OVERRIDE_DRILL, .id = "ams-1-7" },
	};
	static const char *const counted[] = { "ams-1-7", "ams-1-5", "ams-1-4" };
	static const struct {
		uint64_t state;
		const char *word;
	} words[] = { { 0, "over" }, { 1, "prepares" }, { 2, "sends" }, { 3, "unknown" } };
	struct model with = { .self = &self, .overrides = overrides, .n_overrides = 4 };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		rows->node.drills[i] = (struct measure_drill){ .drill = hash_text(counted[i]),
			                                       .begun = 500 + i,
			                                       .repeated = 40 + i,
			                                       .followed = 300 + i,
			                                       .kept = 9000 + i,
			                                       .state = 2 };
	for (size_t i = 0; i < 4; i++) {
		char expected[512];

		rows->node.drills[2].state = words[i].state;
		snprintf(expected, sizeof(expected),
		         "[{'id':'ams-1-4','state':'%s','begun':502,'repeated':42,'followed':302,"
		         "'kept':9002},{'id':'ams-1-7','state':'sends','begun':500,'repeated':40,"
		         "'followed':300,'kept':9000}]",
		         words[i].word);
		expect_whole(words[i].word, drills_json(&core, &with), expected);
	}
	page_alive(page, clock_mono_ms() - 2100);
	expect_whole("weir-dataplane is silent", drills_json(&core, &with), "[]");
	page_alive(page, clock_mono_ms());
	with.n_overrides = 0;
	expect_whole("there is none", drills_json(&core, &with), "[]");
	struct core elsewhere = { .dirs = { .run = "/nonexistent" } };
	expect_whole("no dataplane was here", drills_json(&elsewhere, &with), "[]");
}

static void a_pool_is_up_by_the_weight_of_its_backends(void **state)
{
	static const struct {
		enum health_state one, two;
		bool has_check;
		uint64_t up, unknown;
	} cases[] = {
		{ HEALTH_UP, HEALTH_DOWN, true, 250000, 0 },
		{ HEALTH_DOWN, HEALTH_UP, true, 750000, 0 },
		{ HEALTH_UP, HEALTH_UNKNOWN, true, 250000, 750000 },
		{ HEALTH_UNKNOWN, HEALTH_UNKNOWN, true, 0, 1000000 },
		{ HEALTH_DOWN, HEALTH_DOWN, true, 0, 0 },
		{ HEALTH_DOWN, HEALTH_DOWN, false, 1000000, 0 },
	};
	static struct health_page health;
	const uint64_t targets[] = { health_target_backend("web-ams", 11),
		                     health_target_backend("web-ams", 12) };

	(void)state;
	pools[0].backends = backends;
	pools[0].n_backends = 2;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t up, unknown;

		assert_int_equal(health_set_targets(&health, targets, 2, 1), 0);
		health_write(&health, health_find_index(&health, targets[0]), cases[i].one);
		health_write(&health, health_find_index(&health, targets[1]), cases[i].two);
		pools[0].check = cases[i].has_check ? &check : NULL;
		weigh_pool(&pools[0], &health, &up, &unknown);
		assert_int_equal(up, cases[i].up);
		assert_int_equal(unknown, cases[i].unknown);
	}
	json_t *list = pools_json(&m, &health), *row = json_object_get(list, "web-ams");
	assert_int_equal(json_object_size(list), 1); /* that of fra is no pool of this site */
	assert_int_equal(json_integer_value(json_object_get(row, "up_ppm")), 1000000);
	assert_int_equal(json_integer_value(json_object_get(row, "min_ppm")), 300000);
	json_decref(list);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(rates_are_of_the_window_that_they_were_counted_in),
		TEST(ratios_need_a_sample),
		TEST(each_of_two_thousand_services_is_told),
		TEST(what_is_old_or_has_no_window_is_not_told),
		TEST(drills_are_told_as_they_are_counted),
		TEST(a_pool_is_up_by_the_weight_of_its_backends),
	};

	return cmocka_run_group_tests_name("operation measured", tests, NULL, NULL);
}
