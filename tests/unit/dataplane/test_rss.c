/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/dpdk/rss.h"
#include "tests/unit/suite.h"

enum { ALL = (1 << RSS_FLOW_COUNT) - 1 };

/* A device with @p n_queues whose table of @p n_entries names the queues 0 to @p reached - 1 in turn. */
static struct rss_seen make_device(uint32_t n_queues, uint32_t n_entries, uint32_t reached)
{
	struct rss_seen s = {
		.hash_known = true, .requested = ALL, .got = ALL, .n_queues = n_queues
	};

	for (uint32_t i = 0; i < n_entries; i++)
		rss_entry(&s, i % reached);
	return s;
}

static const char *judged_as(struct rss_seen s)
{
	static char text[256];

	rss_judge(&s, text, sizeof(text));
	return text;
}

static void what_is_as_asked_is_not_spoken_of(void **state)
{
	struct rss_seen no_table = make_device(4, 0, 1), no_hash = make_device(8, 128, 8);

	(void)state;
	no_hash.hash_known = false;
	no_hash.got = 0;
	assert_string_equal(judged_as(make_device(8, 128, 8)), "");
	assert_string_equal(judged_as(make_device(3, 128, 3)), ""); /* 43, 43, 42 */
	assert_string_equal(judged_as(make_device(32, 512, 32)), "");
	assert_string_equal(judged_as(no_table), "");
	assert_string_equal(judged_as(no_hash), "");
}

static void a_queue_that_no_entry_names_is_told(void **state)
{
	(void)state;
	assert_string_equal(
	        judged_as(make_device(8, 128, 7)),
	        "its redirection table has 0 to 19 entries a queue: workers get unequal "
	        "shares");
	assert_non_null(strstr(judged_as(make_device(2, 128, 1)), "0 to 128 entries"));
}

static void it_is_open_where_frames_go_until_there_are_flows(void **state)
{
	const uint64_t none[2] = { 0 }, few[2] = { 0x7fffffff, 7 };

	(void)state;
	assert_int_equal(rss_watch(none, 2), RSS_OPEN);
	assert_int_equal(rss_watch(few, 2), RSS_OPEN);
}

static void several_flows_by_each_of_two_queues_are_spread(void **state)
{
	const uint64_t flows[4] = { 0, 15, 0xf0, 0 };

	(void)state;
	assert_int_equal(rss_watch(flows, 4), RSS_SPREAD);
}

static void many_flows_by_one_queue_are_not_spread(void **state)
{
	const uint64_t flows[3] = { 7, UINT64_MAX >> 32, 0 };

	(void)state;
	assert_int_equal(rss_watch(flows, 3), RSS_NOT_SPREAD);
}

static void what_is_no_flow_is_not_seen(void **state)
{
	(void)state;
	assert_int_equal(rss_flows_with(2, 0), 2);
	assert_int_equal(rss_flows_with(2, 64), 3);
	assert_int_equal(rss_flows_with(2, 63), 2 | 1ull << 63);
}

static void an_entry_for_a_queue_that_is_not_ours_is_told_first(void **state)
{
	struct rss_seen s = make_device(4, 128, 8);

	(void)state;
	s.got = 0;
	assert_string_equal(judged_as(s),
	                    "64 of the 128 entries of its redirection table name no queue "
	                    "of ours: those frames are lost");
	s = make_device(RSS_QUEUES_MAX, RSS_QUEUES_MAX, RSS_QUEUES_MAX);
	rss_entry(&s, UINT32_MAX);
	assert_int_equal(s.n_stray, 1);
}

static void a_flow_that_is_not_hashed_is_told_by_name(void **state)
{
	static const char *const names[] = { "TCP over IPv4", "TCP over IPv6", "UDP over IPv4",
		                             "UDP over IPv6", "IPv4",          "IPv6" };

	(void)state;
	for (uint32_t i = 0; i < RSS_FLOW_COUNT; i++) {
		struct rss_seen s = make_device(8, 128, 8);

		s.got &= ~(1u << i);
		assert_non_null(strstr(judged_as(s), names[i]));
		s.requested = s.got; /* what the device never claimed was not asked of it */
		assert_string_equal(judged_as(s), "");
	}
}

static void a_device_that_says_nothing_is_named_as_such(void **state)
{
	struct rss_seen s = make_device(8, 0, 1);

	(void)state;
	s.hash_known = false;
	assert_non_null(strstr(judged_as(s), "does not say"));
}

SUITE(rss)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_as_asked_is_not_spoken_of),
		cmocka_unit_test(a_queue_that_no_entry_names_is_told),
		cmocka_unit_test(it_is_open_where_frames_go_until_there_are_flows),
		cmocka_unit_test(several_flows_by_each_of_two_queues_are_spread),
		cmocka_unit_test(many_flows_by_one_queue_are_not_spread),
		cmocka_unit_test(what_is_no_flow_is_not_seen),
		cmocka_unit_test(an_entry_for_a_queue_that_is_not_ours_is_told_first),
		cmocka_unit_test(a_flow_that_is_not_hashed_is_told_by_name),
		cmocka_unit_test(a_device_that_says_nothing_is_named_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
