/* SPDX-License-Identifier: BSD-2-Clause */
/* What is stated of the file of tokens: a missing one is fine, an unreadable one and bad lines are not. */
#include "fixture.h"

#include <sys/resource.h>

#include "mgmt/core/auth.h"
#include "mgmt/core/core.h"
#include "weir/condition.h"

static struct {
	char code[32], subject[64], text[256];
} said[32];
static size_t n_said;

static void __attribute__((format(printf, 5, 6)))
fake_add(struct stats *s, const char *code, enum condition_level level, const char *subject,
         const char *format, ...)
{
	va_list list;

	(void)s;
	assert_int_equal(level, CONDITION_DEGRADED);
	assert_true(n_said < 32);
	snprintf(said[n_said].code, sizeof(said[0].code), "%s", code);
	snprintf(said[n_said].subject, sizeof(said[0].subject), "%s", subject);
	va_start(list, format);
	vsnprintf(said[n_said++].text, sizeof(said[0].text), format, list);
	va_end(list);
}

/* The private parts too. */
#define conditions_add fake_add
#include "mgmt/core/logins.c"

static struct fixture place;
static struct core this_node;
static struct logins logins;

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	memset(&this_node, 0, sizeof(this_node));
	memset(&logins, 0, sizeof(logins));
	snprintf(this_node.dirs.conf, sizeof(this_node.dirs.conf), "%s", place.conf);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&place);
	return 0;
}

static size_t state_once(void)
{
	n_said = 0;
	logins_state(&this_node, &logins);
	return n_said;
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
	assert_string_equal(said[0].code, "tokens-unreadable");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(state_once(), 0); /* it was looked at again */
}

/* A shortage of descriptors is over at some time, and the file does not change by that. */
static void a_file_that_could_not_be_read_is_read_again(void **state)
{
	struct rlimit old, low;

	(void)state;
	fixture_write(place.conf, TOKENS_FILE, "# none\n");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	size_t n = state_once();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(n, 1);
	assert_string_equal(said[0].code, "tokens-unreadable");
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
		assert_string_equal(said[n > LOGINS_BAD_MAX ? LOGINS_BAD_MAX - 1 : n - 1].subject,
		                    name);
		if (n > LOGINS_BAD_MAX)
			assert_int_equal(atoi(said[LOGINS_BAD_MAX].text), n - LOGINS_BAD_MAX);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(no_file_is_no_trouble),
		T(a_file_that_cannot_be_read_is_said),
		T(a_file_that_could_not_be_read_is_read_again),
		T(bad_lines_are_named_and_the_rest_is_counted),
	};

	return cmocka_run_group_tests_name("login states", tests, NULL, NULL);
}
