/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the dataplane measures of new flows (dataplane/export/measurer.c), as a reader of its page
 * sees it: each figure is traced back to the tables.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/export/measurer.h"
#include "tests/unit/suite.h"
#include "weir/fwd/sample.h"

#include "tests/unit/dataplane/publish_scene.h"

#define T0 1000000u /* ms; the scene's first moment */

static struct measurer *m;
static struct measure *reader;

static int setup_measurer(void **state)
{
	if (setup(state))
		return -1;
	m = measurer_new(dir);
	return !m;
}

static int teardown_measurer(void **state)
{
	measure_close(reader);
	reader = NULL;
	measurer_free(m);
	return teardown(state);
}

/* The copy that a reader takes right after a tick. */
static const struct measure_node *read_tick(uint64_t now_ms)
{
	measurer_tick(m, &s.node, now_ms);
	if (!reader)
		assert_int_equal(measure_open(dir, &reader), 0);
	assert_int_equal(measure_read(reader, now_ms), 0);
	return measure_node(reader);
}

static uint32_t count_index(const char *service)
{
	return indexes_find(s.node.count_indexes, hash_text(service));
}

static void add_service_flows(const char *service, uint32_t cpu, uint64_t flows, uint64_t others)
{
	uint32_t at = cpu * s.node.sizes.service_counts + count_index(service);

	s.node.t.service_news[at].packets += flows;
	s.node.t.service_news[at].bytes += 60 * flows;
	s.node.t.service_counts[at].packets += others;
	s.node.t.service_counts[at].bytes += 100 * others;
}

static void add_backend_flows(uint32_t index, uint32_t cpu, uint64_t flows, uint64_t others)
{
	uint32_t at = cpu * s.node.sizes.backends + index;

	s.node.t.backend_news[at].packets += flows;
	s.node.t.backend_counts[at].packets += others;
}

static void totals_are_the_sum_of_all_cpus(void **state)
{
	const struct measure_service *web;
	const struct measure_pool *pool;

	(void)state;
	add_service_flows("web", 0, 3, 10);
	add_service_flows("web", 1, 4, 20);
	s.node.t.sample_counts[s.node.sizes.service_counts + count_index("web")] =
	        (struct fwd_sample_count){ 5, 6, 7, 8 };
	add_backend_flows(index_of("web-ams", 5), 1, 2, 30);
	read_tick(T0);
	web = measure_service(reader, "web");
	assert_non_null(web);
	assert_int_equal(web->total.new_flows, 7);
	assert_int_equal(web->total.packets, 37);
	assert_int_equal(web->total.bytes, 60 * 7 + 100 * 30);
	assert_int_equal(web->total.sampled, 5);
	assert_int_equal(web->total.repeated, 6);
	assert_int_equal(web->total.followed, 7);
	assert_int_equal(web->total.lost, 8);
	pool = measure_pool(reader, "web-ams");
	assert_non_null(pool);
	assert_int_equal(pool->total.own_flows, 2);
	assert_int_equal(pool->total.own_packets, 32);
	assert_int_equal(pool->total.backup_flows, 0);
	assert_null(measure_service(reader, "nobody"));
	assert_null(measure_pool(reader, "nobody"));
	for (uint64_t i = 1; i < 4; i++) { /* each reading is a new sum, and not one more */
		read_tick(T0 + i * MEASURER_MS);
		assert_int_equal(measure_service(reader, "web")->total.new_flows, 7);
		assert_int_equal(measure_service(reader, "web")->total.sampled, 5);
		assert_int_equal(measure_pool(reader, "web-ams")->total.own_flows, 2);
		assert_int_equal(measure_pool(reader, "web-ams")->total.own_packets, 32);
	}
}

static void drills_are_the_sum_of_all_cpus(void **state)
{
	const struct measure_drill *drill;

	(void)state;
	s.node.t.drills[2].id = hash_text("d1");
	s.node.t.drills[2].state = FWD_DRILL_SENDS;
	s.node.t.drill_counts[2] = (struct fwd_drill_count){ 5, 1, 3, 2 };
	s.node.t.drill_counts[FWD_DRILLS_MAX + 2] = (struct fwd_drill_count){ 50, 10, 30, 20 };
	read_tick(T0);
	assert_null(measure_drill(reader, "d2"));
	drill = measure_drill(reader, "d1");
	assert_non_null(drill);
	assert_int_equal(drill->begun, 55);
	assert_int_equal(drill->repeated, 11);
	assert_int_equal(drill->followed, 33);
	assert_int_equal(drill->kept, 22);
	assert_int_equal(drill->state, FWD_DRILL_SENDS);
}

static void nothing_is_known_of_a_window_at_first(void **state)
{
	const struct measure_node *node;
	uint64_t milli = 77;

	(void)state;
	node = read_tick(T0);
	assert_int_equal(node->last_ms, 0);
	assert_int_equal(node->recent_ms, 0);
	assert_false(measure_per_s_milli(5, node->last_ms, &milli));
	assert_int_equal(milli, 77);
}

static void windows_are_a_second_and_ten(void **state)
{
	const struct measure_node *node;

	(void)state;
	for (uint64_t ms = 0; ms <= 20000; ms += MEASURER_MS) {
		node = read_tick(T0 + ms);
		add_service_flows("web", 0, 5, 0); /* 25 a second */
		s.node.t.cpus[1].received += 10;
		s.node.t.cpus[0].reason[FWD_REASON_NO_BACKEND] += 2;
	}
	assert_in_range(node->last_ms, 900, 2000);
	assert_in_range(node->recent_ms, 9000, 11000);
	assert_int_equal(measure_service(reader, "web")->last.new_flows, node->last_ms / 40);
	assert_int_equal(measure_service(reader, "web")->recent.new_flows, node->recent_ms / 40);
	assert_int_equal(node->received_last, node->last_ms / 20);
	assert_int_equal(node->reason_last[FWD_REASON_NO_BACKEND], node->last_ms / 100);
	assert_int_equal(node->reason[FWD_REASON_NO_BACKEND], 198); /* of one reading earlier */
}

static void a_page_is_written_five_times_a_second_only(void **state)
{
	(void)state;
	read_tick(T0);
	add_service_flows("web", 0, 5, 0);
	read_tick(T0 + MEASURER_MS - 60);
	assert_int_equal(measure_service(reader, "web")->total.new_flows, 0);
	read_tick(T0 + MEASURER_MS);
	assert_int_equal(measure_service(reader, "web")->total.new_flows, 5);
}

static void counters_that_begin_again_are_no_loss(void **state)
{
	const struct measure_node *node;
	uint64_t began;

	(void)state;
	s.node.t.cpus[0].received = 1000;
	add_service_flows("web", 0, 500, 0);
	began = read_tick(T0)->began;
	s.node.t.cpus[0].received = 10;
	s.node.t.service_news[count_index("web")].packets = 3;
	node = read_tick(T0 + 1000);
	assert_int_not_equal(node->began, began);
	assert_int_equal(node->received_last, 10);
	assert_int_equal(measure_service(reader, "web")->last.new_flows, 3);
}

static void who_is_silent_is_not_believed(void **state)
{
	(void)state;
	read_tick(T0);
	assert_int_equal(measure_read(reader, T0 + 2000), 0);
	assert_int_equal(measure_read(reader, T0 + 2001), -ETIMEDOUT);
	assert_null(measure_node(reader));
	assert_null(measure_service(reader, "web"));
	read_tick(T0 + 5000);
}

/* --- the sample's width --- */

static void quiet_tables_have_all_flows_in_the_sample(void **state)
{
	(void)state;
	assert_int_equal(read_tick(T0)->one_of, 1);
	assert_int_equal(s.node.t.root->sample_wide, 255);
	assert_int_equal(measurer_one_of(measurer_width(0)), 1);
	assert_int_equal(measurer_one_of(measurer_width(50001)), 16);
	assert_int_equal(measurer_one_of(measurer_width(1000001)), 256);
}

static void a_flood_narrows_the_sample_at_once_and_quiet_widens_it_late(void **state)
{
	uint64_t ms = T0;

	(void)state;
	read_tick(ms);
	s.node.t.cpus[0].received += 1000000; /* within 200 ms */
	read_tick(ms += MEASURER_MS);         /* shown with the next reading (node_counts.h) */
	assert_int_equal(read_tick(ms += MEASURER_MS)->one_of, 256);
	for (int i = 0; i < 5 * 8; i++)
		assert_int_equal(read_tick(ms += MEASURER_MS)->one_of, 256);
	for (int i = 0; i < 5 * 8; i++)
		read_tick(ms += MEASURER_MS);
	assert_int_equal(measure_node(reader)->one_of, 1);
}

/* Else it would widen and narrow again and again. */
static void what_is_just_quiet_does_not_widen_it(void **state)
{
	uint64_t ms = T0;

	(void)state;
	read_tick(ms);
	s.node.t.cpus[0].received += 1000000;
	read_tick(ms += MEASURER_MS);
	assert_int_equal(read_tick(ms += MEASURER_MS)->one_of, 256);
	for (int i = 0; i < 5 * 25; i++) {
		s.node.t.cpus[0].received += 8000; /* 40,000 a second: below 50,000 */
		read_tick(ms += MEASURER_MS);
	}
	assert_int_equal(measure_node(reader)->one_of, 16);
	for (int i = 0; i < 5 * 25; i++) {
		s.node.t.cpus[0].received += 4000;
		read_tick(ms += MEASURER_MS);
	}
	assert_int_equal(measure_node(reader)->one_of, 1);
}

static void tables_of_an_earlier_process_keep_their_width(void **state)
{
	(void)state;
	s.node.t.cpus[0].received = 5;
	s.node.t.root->sample_wide = 0;
	assert_int_equal(read_tick(T0)->one_of, 256);
}

/* --- where flows come from --- */

static void put_sample(uint32_t i, uint64_t source, const char *service, uint32_t began_s)
{
	s.node.t.samples[i / 2].way[i % 2] = (struct fwd_sample){ .source = source,
		                                                  .tag = i + 1,
		                                                  .seq = began_s,
		                                                  .service = count_index(service),
		                                                  .began_s = began_s,
		                                                  .state = FWD_SAMPLE_USED };
}

#define V4(a, b, c) (4ull << 56 | (c) << 16 | (b) << 8 | (a))

static void prefixes_are_those_of_the_last_minute_most_flows_first(void **state)
{
	uint32_t now_s = (uint32_t)(compiler_now().ticks_ms / 1000);
	const struct measure_source *list;
	char text[ADDR_LONG_TEXT_MAX];

	(void)state;
	put_sample(0, V4(192, 0, 2), "web", now_s);
	put_sample(1, V4(198, 51, 100), "web", now_s);
	put_sample(2, V4(198, 51, 100), "web", now_s);
	put_sample(3, 6ull << 56 | 0xb80d0120, "dns", now_s);
	put_sample(4, V4(203, 0, 113), "web", now_s - 61); /* too old */
	read_tick(T0);
	assert_int_equal(measure_sources(reader, &list), 3);
	assert_string_equal(prefix_text(&list[0].prefix, text), "198.51.100.0/24");
	assert_int_equal(list[0].sampled, 2);
	assert_int_equal(list[0].flows, 2);
	assert_int_equal(list[0].last_ms, T0);
	assert_int_equal(list[0].service, hash_text("web"));
	for (int i = 1; i < 3; i++)
		if (!addr_is4(&list[i].prefix.addr)) {
			assert_string_equal(prefix_text(&list[i].prefix, text), "2001:db8::/56");
			assert_int_equal(list[i].service, hash_text("dns"));
		}
	read_tick(T0 + 1000); /* the same entries are not counted again */
	assert_int_equal(measure_sources(reader, &list), 3);
	assert_int_equal(list[0].flows, 2);
	read_tick(T0 + 61000);
	assert_int_equal(measure_sources(reader, &list), 0);
}

static void what_was_seen_a_minute_ago_no_longer_counts_beside_what_goes_on(void **state)
{
	uint32_t now_s = (uint32_t)(compiler_now().ticks_ms / 1000);
	const struct measure_source *list;

	(void)state;
	put_sample(0, V4(192, 0, 2), "web", now_s);
	put_sample(1, V4(192, 0, 2), "web", now_s);
	read_tick(T0);
	put_sample(2, V4(192, 0, 2), "web", now_s);
	read_tick(T0 + 30000);
	assert_int_equal(measure_sources(reader, &list), 1);
	assert_int_equal(list[0].sampled, 3);
	assert_int_equal(list[0].flows, 3);
	read_tick(T0 + 61000);
	assert_int_equal(measure_sources(reader, &list), 1);
	assert_int_equal(list[0].sampled, 1);
	assert_int_equal(list[0].flows, 1);
}

static void a_flood_of_prefixes_does_not_push_out_who_sends_much(void **state)
{
	uint32_t now_s = (uint32_t)(compiler_now().ticks_ms / 1000);
	const struct measure_source *list;
	char text[ADDR_LONG_TEXT_MAX];

	(void)state;
	for (uint32_t i = 0; i < 8192; i++) {
		bool is_client = i % 64 == 0;

		put_sample(i, is_client ? V4(192, 0, 2) : V4(10, i >> 8, i & 255), "web", now_s);
	}
	read_tick(T0);
	assert_int_equal(measure_sources(reader, &list), MEASURE_SOURCES_MAX);
	assert_string_equal(prefix_text(&list[0].prefix, text), "192.0.2.0/24");
	assert_int_equal(list[0].flows, 128);
}

static uint64_t cpu_ms(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Each entry is a new prefix, second after second: 50 ms of work, were each compared with all. */
static void a_flood_of_prefixes_takes_no_time(void **state)
{
	uint32_t now_s = (uint32_t)(compiler_now().ticks_ms / 1000);
	uint64_t least_ms = UINT64_MAX;

	(void)state;
	for (uint32_t round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < FWD_SAMPLE_BUCKETS * FWD_SAMPLE_WAYS; i++)
			put_sample(i, V4(10 + round, i >> 8, i & 255), "web", now_s - round);
		uint64_t before_ms = cpu_ms();

		read_tick(T0 + round * 1000);
		if (cpu_ms() - before_ms < least_ms)
			least_ms = cpu_ms() - before_ms;
	}
	assert_in_range(least_ms, 0, 20);
}

/* No page while the folder takes none; one attempt in five seconds, and one line of the log. */
static void a_page_that_cannot_be_made_is_tried_again_later(void **state)
{
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/%s", dir, MEASURE_PAGE_FILE);
	assert_int_equal(mkdir(path, 0700), 0);
	measurer_tick(m, &s.node, T0);
	assert_true(measurer_fault(m) < 0);
	assert_int_equal(rmdir(path), 0);
	measurer_tick(m, &s.node, T0 + 4900);
	assert_true(measurer_fault(m) < 0);
	assert_int_not_equal(access(path, F_OK), 0);
	measurer_tick(m, &s.node, T0 + 5000);
	assert_int_equal(measurer_fault(m), 0);
	assert_int_equal(access(path, F_OK), 0);
}

static void a_resize_makes_another_page(void **state)
{
	(void)state;
	read_tick(T0);
	s.node.sizes.service_counts--; /* as if they had been fewer */
	measurer_tick(m, &s.node, T0 + 1000);
	s.node.sizes.service_counts++;
	assert_int_equal(measure_read(reader, T0 + 1000), -ESTALE);
	assert_null(measure_node(reader));
}

#define MEASURER_TEST(name) cmocka_unit_test_setup_teardown(name, setup_measurer, teardown_measurer)

SUITE(measurer)
{
	const struct CMUnitTest tests[] = {
		MEASURER_TEST(totals_are_the_sum_of_all_cpus),
		MEASURER_TEST(drills_are_the_sum_of_all_cpus),
		MEASURER_TEST(nothing_is_known_of_a_window_at_first),
		MEASURER_TEST(windows_are_a_second_and_ten),
		MEASURER_TEST(a_page_is_written_five_times_a_second_only),
		MEASURER_TEST(counters_that_begin_again_are_no_loss),
		MEASURER_TEST(who_is_silent_is_not_believed),
		MEASURER_TEST(quiet_tables_have_all_flows_in_the_sample),
		MEASURER_TEST(a_flood_narrows_the_sample_at_once_and_quiet_widens_it_late),
		MEASURER_TEST(what_is_just_quiet_does_not_widen_it),
		MEASURER_TEST(tables_of_an_earlier_process_keep_their_width),
		MEASURER_TEST(prefixes_are_those_of_the_last_minute_most_flows_first),
		MEASURER_TEST(what_was_seen_a_minute_ago_no_longer_counts_beside_what_goes_on),
		MEASURER_TEST(a_flood_of_prefixes_does_not_push_out_who_sends_much),
		MEASURER_TEST(a_flood_of_prefixes_takes_no_time),
		MEASURER_TEST(a_page_that_cannot_be_made_is_tried_again_later),
		MEASURER_TEST(a_resize_makes_another_page),
	};

	return cmocka_run_group_tests_name("measurer", tests, NULL, NULL);
}
