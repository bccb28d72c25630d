/* SPDX-License-Identifier: BSD-2-Clause */
/* Levels in force, as weir-dns tells them: all of an answer is understood, or nothing of it. */
#include "ctl_server.h"

#include <stdlib.h>

#include "mgmt/observe/levels.h"
#include "tests/unit/suite.h"

static struct ctl_server dns; /* weir-dns */
static char run_dir[64];

static int setup(void **state)
{
	(void)state;
	strcpy(run_dir, "/tmp/weir-levels-XXXXXX");
	if (!mkdtemp(run_dir))
		return -1;
	ctl_server_start(&dns, run_dir, "dns");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ctl_server_stop(&dns);
	return unlink(dns.path) || rmdir(run_dir);
}

static void what_is_told_is_taken(void **state)
{
	struct ramp_levels got;

	(void)state;
	dns.answer =
	        "{\"ok\":true,\"levels\":[{\"override\":\"d1-1\",\"generation\":9007199254740991,\"epoch\":4294967295,\"step\":4294967295,"
	        "\"level_ppm\":1000000,\"longest_ttl_s\":30,\"arrived\":true},"
	        "{\"override\":\"d2-1\",\"generation\":1,\"epoch\":0,\"step\":0,\"level_ppm\":0,\"longest_ttl_s\":0,"
	        "\"arrived\":false}]}";
	assert_true(levels_request(run_dir, &got));
	assert_string_equal(dns.asked, "{\"do\":\"levels\"}");
	assert_int_equal(got.n, 2);
	const struct ramp_record *l = ramp_find_any(got.items, got.n, "d1-1");
	assert_non_null(l);
	assert_true(l->generation == 9007199254740991 && l->level_ppm == 1000000);
	assert_true(l->longest_ttl_s == 30 && l->arrived);
	l = ramp_find_any(got.items, got.n, "d2-1");
	assert_non_null(l);
	assert_false(l->arrived);
	assert_null(ramp_find_any(got.items, got.n, "d2"));
	dns.answer = "{\"ok\":true,\"levels\":[]}";
	assert_true(levels_request(run_dir, &got));
	assert_int_equal(got.n, 0);
}

#define LEVEL(id, generation, ppm, ttl, arrived)                                                   \
	"{\"levels\":[{\"override\":" id ",\"generation\":" generation                             \
	",\"epoch\":0,\"step\":0,\"level_ppm\":" ppm ",\"longest_ttl_s\":" ttl                     \
	",\"arrived\":" arrived "}]}"

static void an_answer_that_is_wrong_anywhere_says_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"ok\":false,\"error\":\"nothing is served yet\"}",
		"{\"levels\":{}}",
		"{\"levels\":[7]}",
		LEVEL("\"12345678901234567890123456789012\"", "1", "0", "0", "true"),
		LEVEL("7", "1", "0", "0", "true"),
		LEVEL("\"a\"", "0", "0", "0", "true"),
		LEVEL("\"a\"", "9007199254740992", "0", "0", "true"),
		LEVEL("\"a\"", "1", "1000001", "0", "true"),
		LEVEL("\"a\"", "1", "-1", "0", "true"),
		LEVEL("\"a\"", "1", "0", "-1", "true"),
		LEVEL("\"a\"", "1", "0", "2147483648", "true"),
		LEVEL("\"a\"", "1", "0", "0", "1"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ramp_levels got = { .n = 77 };

		dns.answer = bad[i];
		if (!levels_request(run_dir, &got) || got.n != 77)
			fail_msg("taken: %s", bad[i]);
	}
}

static void more_levels_than_there_is_room_for_are_refused(void **state)
{
	static char text[16384];
	struct ramp_levels got = { .n = 77 };

	(void)state;
	for (unsigned n = RAMP_LEVELS_MAX; n <= RAMP_LEVELS_MAX + 1; n++) {
		size_t at = (size_t)snprintf(text, sizeof(text), "{\"levels\":[");

		for (unsigned i = 0; i < n; i++)
			at += (size_t)snprintf(
			        text + at, sizeof(text) - at,
			        "%s{\"override\":\"a%u\",\"generation\":1,\"epoch\":0,\"step\":0,"
			        "\"level_ppm\":0,\"longest_ttl_s\":0,\"arrived\":true}",
			        i ? "," : "", i);
		snprintf(text + at, sizeof(text) - at, "]}");
		dns.answer = text;
		assert_true(levels_request(run_dir, &got));
		assert_int_equal(got.n, RAMP_LEVELS_MAX);
	}
}

static void a_process_that_does_not_answer_is_not_at_level_0(void **state)
{
	struct ramp_levels got = { .n = 77 };

	(void)state;
	dns.answer = CTL_SILENT;
	assert_true(levels_request(run_dir, &got));
	dns.answer = CTL_CLOSES;
	assert_true(levels_request(run_dir, &got));
	assert_int_equal(dns.n_asked, 2);
	ctl_server_stop(&dns);
	assert_false(levels_request(run_dir, &got)); /* its socket is left over */
	assert_int_equal(unlink(dns.path), 0);
	assert_false(levels_request(run_dir, &got));
	assert_int_equal(got.n, 77);
	ctl_server_start(&dns, run_dir, "dns");
}

SUITE(levels)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_told_is_taken),
		TEST(an_answer_that_is_wrong_anywhere_says_nothing),
		TEST(more_levels_than_there_is_room_for_are_refused),
		TEST(a_process_that_does_not_answer_is_not_at_level_0),
	};

	return cmocka_run_group_tests_name("mgmt levels", tests, NULL, NULL);
}
