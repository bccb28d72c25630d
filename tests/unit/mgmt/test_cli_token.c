/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir token new` (mgmt/cli/cmd_token.c): what is said and how it ends, by what became of the file; that is the test's. */
#include "shown.h"

#include <errno.h>

#include "mgmt/cli/api.h"
#include "mgmt/store/tokens.h"

static int file_err;

static int fake_new(const char *conf_dir, const char *name, const char *role,
                    char token[DIGEST_TEXT_MAX])
{
	assert_string_equal(conf_dir, "/conf");
	assert_string_equal(name, "ann");
	assert_string_equal(role, "oncall");
	snprintf(token, DIGEST_TEXT_MAX, "%s", "0123abcd");
	return file_err;
}

#define tokens_new fake_new
#include "mgmt/cli/cmd_token.c" /* its edge is ours */

static int call_command(bool json)
{
	struct cli cli = { .dirs.conf = "/conf", .json = json };
	const struct cli_args args = { .at = { "ann", "oncall" }, .n = 2 };

	shown_begin();
	int status = cli_token_new(&cli, &args);

	shown_end();
	return status;
}

static void each_failure_says_what_to_do_and_shows_no_token(void **state)
{
	static const struct {
		int err, status;
		const char *told;
	} rows[] = {
		{ -EINVAL, CLI_USAGE,
		  "\"ann\" cannot be a token's name: expected 1 to 63 of A-Z a-z 0-9 . _ -, and not \"anonymous\"\n" },
		{ -ENOKEY, CLI_USAGE,
		  "\"oncall\" is no role: expected viewer, oncall, operator, admin, metrics or peer (docs/api.md says "
		  "what each may do)\n" },
		{ -EEXIST, CLI_CONFLICT,
		  "/conf/tokens has a token named ann: take another name, or take that line out first, which ends that "
		  "token at once\n" },
		{ -EBUSY, CLI_CONFLICT, "another command adds a token to /conf: try again\n" },
		{ -EMEDIUMTYPE, CLI_USAGE,
		  "/conf/tokens is no regular file: run this where the file itself is (--conf-dir)\n" },
		{ -EACCES, CLI_DENIED, "/conf/tokens cannot be changed: do it as root\n" },
		{ -EPERM, CLI_DENIED, "/conf/tokens cannot be changed: do it as root\n" },
		{ -ENOSPC, CLI_UNREACHABLE,
		  "/conf/tokens cannot be changed: No space left on device; nothing was changed\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int json = 0; json < 2; json++) {
			file_err = rows[i].err;
			assert_int_equal(call_command(json), rows[i].status);
			assert_string_equal(told, rows[i].told);
			assert_string_equal(shown, "");
		}
}

/* On standard output alone, so that it can be kept by a script. */
static void a_token_is_shown_once(void **state)
{
	(void)state;
	file_err = 0;
	assert_int_equal(call_command(false), CLI_OK);
	assert_string_equal(shown, "0123abcd\n");
	assert_int_equal(call_command(true), CLI_OK);
	assert_string_equal(shown,
	                    "{\"name\":\"ann\",\"role\":\"oncall\",\"token\":\"0123abcd\"}\n");
	assert_string_equal(told, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_failure_says_what_to_do_and_shows_no_token),
		cmocka_unit_test(a_token_is_shown_once),
	};

	return cmocka_run_group_tests_name("cli token", tests, NULL, NULL);
}
