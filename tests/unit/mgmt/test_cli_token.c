/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir token new` (mgmt/cli/cmd_token.c): what is said and how it ends, by what becomes of a real file. */
#include "fixture.h"
#include "cli_said.h"

#include "base/lock.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static int rename_err; /* of the new file, as the disk or the rights say */

static int own_rename(const char *from, const char *to)
{
	errno = rename_err;
	return errno ? -1 : __real_rename(from, to);
}

/* Nobody waits five seconds here. */
static int own_usleep(useconds_t us)
{
	(void)us;
	return 0;
}

static struct fixture place;

static int set_up(void **state)
{
	(void)state;
	rename_err = 0;
	fixture_make(&place);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_remove(&place);
	return 0;
}

static int make_token(const char *name, const char *role, const char *format)
{
	return format ? WEIR("token", "new", name, role, "--conf-dir", place.conf, format)
	              : WEIR("token", "new", name, role, "--conf-dir", place.conf);
}

static void assert_refused(int status, const char *name, const char *role, const char *before,
                           const char *after)
{
	char expected[512];

	snprintf(expected, sizeof(expected), "%s%s%s", before, *before ? "" : place.conf, after);
	for (int json = 0; json < 2; json++) {
		assert_int_equal(make_token(name, role, json ? "--json" : NULL), status);
		assert_told(expected);
		assert_string_equal(shown, "");
	}
}

static void each_failure_says_what_to_do_and_shows_no_token(void **state)
{
	static const struct {
		int err, status;
		const char *told;
	} rows[] = {
		{ EACCES, CLI_DENIED, "/tokens cannot be changed: do it as root\n" },
		{ EPERM, CLI_DENIED, "/tokens cannot be changed: do it as root\n" },
		{ ENOSPC, CLI_UNREACHABLE,
		  "/tokens cannot be changed: No space left on device; nothing was changed\n" },
	};
	char path[256];
	int fd;

	(void)state;
	assert_refused(CLI_USAGE, "a b", "oncall", "\"a b\" cannot be a token's name",
	               ": expected 1 to 63 of A-Z a-z 0-9 . _ -, and not \"anonymous\"\n");
	assert_refused(CLI_USAGE, "ann", "boss", "\"boss\" is no role",
	               ": expected viewer, oncall, operator, admin, metrics or peer (docs/api.md "
	               "says what each may do)\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rename_err = rows[i].err;
		assert_refused(rows[i].status, "ann", "oncall", "", rows[i].told);
	}
	rename_err = 0;
	snprintf(path, sizeof(path), "%s/tokens.lock", place.conf);
	assert_int_equal(lock_acquire(path, &fd), 0);
	snprintf(path, sizeof(path), "another command adds a token to %s: try again\n", place.conf);
	assert_refused(CLI_CONFLICT, "ann", "oncall", path, "");
	close(fd);
	assert_int_equal(make_token("ann", "viewer", NULL), CLI_OK);
	assert_refused(CLI_CONFLICT, "ann", "oncall", "",
	               "/tokens has a token named ann: take another name, or take that line out "
	               "first, which ends that token at once\n");
	snprintf(path, sizeof(path), "%s/tokens", place.conf);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_refused(CLI_USAGE, "ann", "oncall", "",
	               "/tokens is no regular file: run this where the file itself is "
	               "(--conf-dir)\n");
}

/* On standard output alone, so that it can be kept by a script. */
static void a_token_is_shown_once(void **state)
{
	char token[65] = "", expected[256];

	(void)state;
	assert_int_equal(make_token("ann", "oncall", NULL), CLI_OK);
	assert_int_equal(strspn(shown, "0123456789abcdef"), 64);
	assert_string_equal(shown + 64, "\n");
	assert_null(strstr(told, shown));
	assert_int_equal(make_token("bob", "oncall", "--json"), CLI_OK);
	assert_int_equal(sscanf(shown,
	                        "{\"name\":\"bob\",\"role\":\"oncall\",\"token\":\"%64[0-9a-f]",
	                        token),
	                 1);
	snprintf(expected, sizeof(expected),
	         "{\"name\":\"bob\",\"role\":\"oncall\",\"token\":\"%s\"}\n", token);
	assert_int_equal(strlen(token), 64);
	assert_string_equal(shown, expected);
	assert_told("");
}

SUITE(cli_token)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_failure_says_what_to_do_and_shows_no_token,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_token_is_shown_once, set_up, tear_down),
	};

	answer_rename = own_rename;
	answer_usleep = own_usleep;
	return cmocka_run_group_tests_name("cli token", tests, NULL, NULL);
}
