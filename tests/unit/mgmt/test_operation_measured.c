/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a node tells of its own measurements: new flows from the page of weir-dataplane, and how much
 * of its pools is up by its own checks.
 */
#include "tests/unit/suite.h"
#include "this_node.h"
#include "told_time.h"

#include "measured_page.h"
#include "mgmt/controller/operation_measure.h"
#include "mgmt/sync/operations.h"
#include "weir/health.h"
#include "whole_json.h"

static struct page *page;
static struct measure_page *rows;

static int setup(void **state)
{
	(void)state;
	node_make();
	node_configure("services = ( ",
	               "services = ( { name = \"api\"; protocol = \"tcp\"; port = 81; at = ( "
	               "{ site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; } ); }, ");
	node_configure("\"10.1.1.12\"; weight = 100;", "\"10.1.1.12\"; weight = 300;");
	node_configure("max_backends = 10;", "max_backends = 10; min_healthy = \"30%\";");
	rows = measured_page_web(node_place.root, 0, &page);
	return 0;
}

static int teardown(void **state)
{
	page_close(page);
	return node_teardown(state);
}

/* A part of what is told, given. */
static json_t *tell_part(const char *name)
{
	if (!this_node.intent)
		node_open(NOW_MS);
	json_t *all = operation_measure_json(&this_node, NULL),
	       *it = json_incref(json_object_get(all, name));

	json_decref(all);
	return it;
}

/* Field @p name of row @p of in @p where. @return -1: there is none */
static json_int_t number_of(const json_t *flows, const char *where, const char *of,
                            const char *name)
{
	const json_t *row = json_object_get(json_object_get(flows, where), of);
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
	json_t *flows = tell_part("flows");
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
	json_t *flows = tell_part("flows");
	assert_int_equal(number_of(flows, "services", "web", "repeated_ppm"), 1000000);
	assert_int_equal(number_of(flows, "services", "web", "silent_ppm"), 500000);
	json_decref(flows);
	web->last.sampled = MEASURE_SAMPLE_MIN - 1;
	flows = tell_part("flows");
	assert_int_equal(number_of(flows, "services", "web", "repeated_ppm"), 250000);
	json_decref(flows);
	web->recent.sampled = MEASURE_SAMPLE_MIN - 1;
	flows = tell_part("flows");
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
	static char names[2000][MODEL_NAME_MAX], text[1 << 19];
	size_t n = 0;

	(void)state;
	page_close(page);
	rows = measured_page_make(node_place.root, 2000, 0, &page);
	for (size_t i = 0; i < 2000; i++) {
		snprintf(names[i], sizeof(names[i]), "service-%050zu", i);
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		                      "{ name = \"%s\"; protocol = \"tcp\"; port = %zu; at = ( "
		                      "{ site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; } "
		                      "); }, ",
		                      names[i], 1000 + i);
		measure_page_services(rows)[i] = (struct measure_service){
			.service = hash_text(names[i]),
			.recent = { .new_flows = 1000000 + i, .packets = 100000000 },
		};
	}
	qsort(measure_page_services(rows), 2000, sizeof(struct measure_service), by_hash);
	snprintf(text + n, sizeof(text) - n, "services = ( ");
	memmove(text + 13, text, n);
	memcpy(text, "services = ( ", 13);
	text[n + 13] = '\0';
	node_configure("services = ( ", text);
	json_t *flows = tell_part("flows");
	assert_int_equal(number_of(flows, "services", names[0], "new_milli"), 100000000);
	assert_int_equal(number_of(flows, "services", names[1999], "new_milli"), 100199900);
	assert_int_equal(json_object_size(json_object_get(flows, "services")), 2000);
	char *told = json_dumps(flows, JSON_COMPACT);
	assert_non_null(told);
	assert_in_range(strlen(told), 200000, OPERATIONS_ANSWER_MAX / 10);
	free(told);
	json_decref(flows);
}

static void what_is_old_or_has_no_window_is_not_told(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		rows->node.recent_ms = i == 1 ? 0 : i == 3 ? 4999 : i == 0 ? 5000 : 10000;
		page_alive(page, clock_mono_ms() - (i == 2 ? 2100 : 0));
		json_t *flows = tell_part("flows");
		assert_int_equal(json_is_object(flows), i == 0);
		assert_int_equal(json_is_null(flows), i != 0);
		json_decref(flows);
	}
}

/* Of the node's own drills alone, in the order of the document, and only while they are counted. */
static void drills_are_told_as_they_are_counted(void **state)
{
	static const struct {
		const char *id;
		enum model_override_kind kind;
	} made[] = {
		{ "ams-1-4", MODEL_OVERRIDE_DRILL },
		{ "ams-1-5", MODEL_OVERRIDE_DRAIN }, /* is no drill */
		{ "ams-1-6", MODEL_OVERRIDE_DRILL }, /* is not counted here */
		{ "ams-1-7", MODEL_OVERRIDE_DRILL },
	};
	static const char *const counted[] = { "ams-1-7", "ams-1-5", "ams-1-4" };
	static const struct {
		uint64_t state;
		const char *word;
	} words[] = { { 0, "over" }, { 1, "prepares" }, { 2, "sends" }, { 3, "unknown" } };
	const int64_t now_ms = clock_believed_ms();
	char path[PATH_MAX];

	(void)state;
	node_open(now_ms);
	expect_whole("there is none", tell_part("drills"), "[]");
	for (size_t i = 0; i < 4; i++) {
		struct override o = { .kind = made[i].kind,
			              .target = MODEL_TARGET_SITE,
			              .name = "ams",
			              .generation = 1,
			              .created_ms = now_ms,
			              .from_ms = now_ms,
			              .until_ms = now_ms + 600000,
			              .author = "jw",
			              .reason = "x",
			              .node = "ams-1" };

		snprintf(o.id, sizeof(o.id), "%s", made[i].id);
		if (o.kind == MODEL_OVERRIDE_DRILL)
			assert_int_equal(prefix_parse("198.51.100.0/24", &o.clients), 0);
		assert_int_equal(intent_merge(this_node.intent, &o, 1, now_ms), 1);
	}
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
		expect_whole(words[i].word, tell_part("drills"), expected);
	}
	page_alive(page, clock_mono_ms() - 2100);
	expect_whole("weir-dataplane is silent", tell_part("drills"), "[]");
	assert_int_equal(proc_path(node_place.root, MEASURE_PAGE_FILE, path), 0);
	assert_int_equal(unlink(path), 0);
	expect_whole("no dataplane was here", tell_part("drills"), "[]");
	expect_whole("nor flows", tell_part("flows"), "null");
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
	struct health_page *health;
	char path[PATH_MAX];

	(void)state;
	page_close(page);
	assert_int_equal(proc_path(node_place.root, PROC_HEALTH_PAGE, path), 0);
	assert_int_equal(
	        page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT, sizeof(*health), &page), 0);
	health = page_payload(page);
	page_publish(page);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[128];

		if (!cases[i].has_check) {
			node_close();
			assert_int_equal(files_remove_dir(node_place.state), 0);
			assert_int_equal(mkdir(node_place.state, 0755), 0);
			node_configure("check = \"web\"; ", "");
		}
		if (!this_node.intent)
			node_open(NOW_MS);
		const struct model_pool *pool =
		        model_pool(intent_model(this_node.intent), "web-ams");
		const uint64_t targets[] = { health_target_backend("web-ams", pool->backends[0].id),
			                     health_target_backend("web-ams",
			                                           pool->backends[1].id) };
		assert_int_equal(health_set_targets(health, targets, 2, 1), 0);
		health_write(health, health_find_index(health, targets[0]), cases[i].one);
		health_write(health, health_find_index(health, targets[1]), cases[i].two);
		page_alive(page, clock_mono_ms());
		snprintf(expected, sizeof(expected),
		         "{'web-ams':{'up_ppm':%llu,'unknown_ppm':%llu,'min_ppm':300000}}",
		         (unsigned long long)cases[i].up, (unsigned long long)cases[i].unknown);
		expect_whole("of this site alone", tell_part("pools"), expected);
	}
}

SUITE(operation_measured)
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

	told_time_begin(TOLD_BOOT); /* a page that is made on a busy machine is not old for that */
	told_ms = 1000000;
	return cmocka_run_group_tests_name("operation measured", tests, NULL, NULL);
}
