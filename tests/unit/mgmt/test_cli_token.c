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
	snprintf(path, sizeof(path), "another command changes the tokens of %s: try again\n",
	         place.conf);
	assert_refused(CLI_CONFLICT, "ann", "oncall", path, "");
	close(fd);
	assert_int_equal(make_token("ann", "viewer", NULL), CLI_OK);
	assert_refused(CLI_CONFLICT, "ann", "oncall", "",
	               "/tokens has a token named ann: take another name, or take that one out "
	               "first (weir token remove), which ends it at once\n");
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

/* What a token may, and never what it is; a line that is none is named. */
static void tokens_are_listed_and_removed(void **state)
{
	static const char listed[] =
	        "web, operator, of ada, until 2030-01-31T23:59:59.999Z, changes "
	        "pools:web-*,checks:web alone, from 192.0.2.0/24,::1/128 alone\n"
	        "no, viewer, changes nothing\n"
	        "old, viewer, ENDED 2020-01-31T12:00:00.000Z\n"
	        "line 4 is no token: ";
	char path[256], expected[512];

	(void)state;
	assert_int_equal(WEIR("token", "list", "--conf-dir", place.conf), CLI_OK);
	assert_string_equal(shown, "");
	assert_int_equal(WEIR("token", "new", "web", "operator", "--until", "2030-01-31",
	                      "--person", "ada", "--scope", "pools:web-*", "--scope", "checks:web",
	                      "--from", "192.0.2.0/24", "--from", "::1", "--conf-dir", place.conf),
	                 CLI_OK);
	assert_int_equal(
	        WEIR("token", "new", "no", "viewer", "--scope", "", "--conf-dir", place.conf),
	        CLI_OK);
	assert_int_equal(WEIR("token", "new", "old", "viewer", "--until", "2020-01-31T12:00:00Z",
	                      "--conf-dir", place.conf),
	                 CLI_USAGE);
	assert_int_equal(
	        WEIR("token", "new", "old", "viewer", "--until", "+0s", "--conf-dir", place.conf),
	        CLI_USAGE);
	snprintf(path, sizeof(path), "%s/tokens", place.conf);
	FILE *f = fopen(path, "a");
	assert_non_null(f);
	assert_true(fprintf(f, "old viewer %064d until=2020-01-31T12:00:00Z\nsecret secret\n", 0) >
	            0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(WEIR("token", "list", "--conf-dir", place.conf), CLI_OK);
	assert_int_equal(strncmp(shown, listed, strlen(listed)), 0);
	assert_null(strstr(shown, "secret"));
	assert_int_equal(WEIR("token", "list", "--json", "--conf-dir", place.conf), CLI_OK);
	assert_null(strstr(shown, "secret"));
	assert_non_null(strstr(
	        shown,
	        "{\"name\":\"old\",\"role\":\"viewer\",\"certificate\":null,\"until\":\"2020-01-31T12:00:00."
	        "000Z\",\"ended\":true,\"scoped\":false,\"scope\":null,\"from\":null}"));
	assert_int_equal(WEIR("token", "remove", "no", "--conf-dir", place.conf), CLI_OK);
	assert_int_equal(WEIR("token", "remove", "no", "--conf-dir", place.conf), CLI_USAGE);
	snprintf(expected, sizeof(expected), "%s has no token named no\n", path);
	assert_told(expected);
	assert_int_equal(WEIR("token", "new", "x", "viewer", "--person", "a scope=", "--conf-dir",
	                      place.conf),
	                 CLI_USAGE);
	assert_told("--person takes no blanks\n");
	assert_int_equal(WEIR("token", "new", "x", "viewer", "--person", "a", "--person", "b",
	                      "--conf-dir", place.conf),
	                 CLI_USAGE);
	assert_told("--person is given twice\n");
}

static void a_file_that_is_none_is_not_listed(void **state)
{
	char path[256], expected[512];

	(void)state;
	snprintf(path, sizeof(path), "%s/tokens", place.conf);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(WEIR("token", "list", "--conf-dir", place.conf), CLI_UNREACHABLE);
	snprintf(expected, sizeof(expected), "%s cannot be read: it is no regular file\n", path);
	assert_told(expected);
	assert_int_equal(rmdir(path), 0);
}

SUITE(cli_token)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_failure_says_what_to_do_and_shows_no_token,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_token_is_shown_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tokens_are_listed_and_removed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_that_is_none_is_not_listed, set_up,
		                                tear_down),
	};

	answer_rename = own_rename;
	answer_usleep = own_usleep;
	return cmocka_run_group_tests_name("cli token", tests, NULL, NULL);
}
