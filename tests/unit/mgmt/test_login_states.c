/* SPDX-License-Identifier: BSD-2-Clause */
/* What is stated of the file of tokens: a missing one is fine, an unreadable one and bad lines are not. */
#include "fixture.h"

#include <sys/resource.h>

#include "base/clock.h"
#include "mgmt/core/core.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/stats.h"

#define DIGEST "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"

static struct fixture place;
static struct core this_node;
static struct logins logins;
static struct conditions said;

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	memset(&this_node, 0, sizeof(this_node));
	memset(&logins, 0, sizeof(logins));
	snprintf(this_node.dirs.conf, sizeof(this_node.dirs.conf), "%s", place.conf);
	return stats_create(place.root, "mgmt", 16, &this_node.stats);
}

static int teardown(void **state)
{
	(void)state;
	stats_close(this_node.stats);
	fixture_remove(&place);
	return 0;
}

/* @p most: descriptors that there may be */
static size_t state_with(rlim_t most)
{
	struct rlimit old, low;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = most;
	conditions_begin(this_node.stats, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	logins_state(&this_node, &logins);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	conditions_end(this_node.stats);
	assert_int_equal(conditions_read(place.root, "mgmt", &said), 0);
	for (size_t i = 0; i < said.n; i++)
		assert_int_equal(said.items[i].level, !strcmp(said.items[i].code, "token-ends")
		                                              ? CONDITION_NOTE
		                                              : CONDITION_DEGRADED);
	return said.n;
}

static size_t state_once(void)
{
	return state_with(64);
}

static void no_file_is_no_trouble(void **state)
{
	(void)state;
	assert_int_equal(state_once(), 0);
	assert_int_equal(logins.error, 0);
	assert_true(logins.looked);
}

static void a_file_that_cannot_be_read_is_said(void **state)
{
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/" TOKENS_FILE, place.conf);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(state_once(), 1);
	assert_string_equal(said.items[0].code, "tokens-unreadable");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(state_once(), 0); /* it was looked at again */
}

/* A shortage of descriptors is over at some time, and the file does not change by that. */
static void a_file_that_could_not_be_read_is_read_again(void **state)
{
	(void)state;
	fixture_write(place.conf, TOKENS_FILE, "# none\n");
	assert_int_equal(state_with(3), 1);
	assert_string_equal(said.items[0].code, "tokens-unreadable");
	assert_int_equal(state_once(), 0);
}

/* One line more than are named makes one sentence more. */
static void bad_lines_are_named_and_the_rest_is_counted(void **state)
{
	(void)state;
	for (size_t n = 1; n <= LOGINS_BAD_MAX + 2; n++) {
		char text[2048] = "", name[32];

		for (size_t i = 0; i < n; i++)
			strcat(text, "nonsense\n");
		fixture_write(place.conf, TOKENS_FILE, text);
		logins.looked = false; /* the clock's grain may hide the change */
		assert_int_equal(state_once(), n > LOGINS_BAD_MAX ? LOGINS_BAD_MAX + 1 : n);
		snprintf(name, sizeof(name), TOKENS_FILE ":%zu",
		         n > LOGINS_BAD_MAX ? (size_t)LOGINS_BAD_MAX : n);
		assert_string_equal(
		        said.items[n > LOGINS_BAD_MAX ? LOGINS_BAD_MAX - 1 : n - 1].subject, name);
		if (n > LOGINS_BAD_MAX)
			assert_int_equal(atoi(said.items[LOGINS_BAD_MAX].text), n - LOGINS_BAD_MAX);
	}
}

/* The first ones are named, whatever their order in the file; what ends later or never is not. */
static void tokens_that_end_are_notes(void **state)
{
	static const int days[] = { 13, 1, 15, -3, 5, 2, 3, 4, 6, 7, 8, 9 };
	char text[4096] = "ever viewer " DIGEST "\n", at[CLOCK_TEXT_MAX];
	int64_t now_ms = clock_believed_ms();

	(void)state;
	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
		size_t n = strlen(text);

		snprintf(text + n, sizeof(text) - n, "in%d viewer " DIGEST " until=%s\n", days[i],
		         clock_text(now_ms + days[i] * (int64_t)86400000, at));
		fixture_write(place.conf, TOKENS_FILE, text);
		logins.looked = false;
		size_t found = state_once();
		assert_int_equal(found, i < 3 ? (i ? 2 : 1) : i < 9 ? i : LOGINS_END_MAX);
		for (size_t k = 1; k < found; k++)
			assert_true(logins.ends[k - 1].until_ms <= logins.ends[k].until_ms);
	}
	assert_string_equal(said.items[0].subject, "in-3");
	assert_non_null(strstr(said.items[0].text, "has ended"));
	assert_string_equal(said.items[1].subject, "in1");
	assert_non_null(strstr(said.items[1].text, "token in1 ends "));
	assert_string_equal(said.items[LOGINS_END_MAX - 1].subject, "in7");
	fixture_write(place.conf, TOKENS_FILE, "ever viewer " DIGEST "\n");
	logins.looked = false;
	assert_int_equal(state_once(), 0);
}

SUITE(login_states)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(no_file_is_no_trouble),
		T(a_file_that_cannot_be_read_is_said),
		T(a_file_that_could_not_be_read_is_read_again),
		T(bad_lines_are_named_and_the_rest_is_counted),
		T(tokens_that_end_are_notes),
	};

	return cmocka_run_group_tests_name("login states", tests, NULL, NULL);
}
