/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an answer of the API means, and whose socket is trusted (mgmt/cli/api.c, refusal.c, api_json.c).
 * How it is asked: test_cli_ask.c.
 */
#include "cli_said.h"

#include <jansson.h>

#include "mgmt/cli/api.h"
#include "tests/unit/suite.h"

static void the_exit_status_says_where_a_change_is(void **state)
{
	static const struct {
		const char *body;
		int status;
	} rows[] = {
		{ "{}", CLI_OK },
		{ "{\"complete\":true,\"nodes\":[{\"state\":\"refused\"}]}", CLI_OK },
		{ "{\"complete\":false}", CLI_TIMEOUT },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"in_force\"},{\"state\":\"pending\"}]}",
		  CLI_TIMEOUT },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"in_force\"},{\"state\":\"unreachable\"}]}",
		  CLI_PARTLY },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"differs\"},{\"state\":\"agreed\"}]}",
		  CLI_PARTLY },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"agreed\"},{\"state\":\"not_written\"}]}",
		  CLI_PARTLY },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"unreachable\"},{\"state\":\"not_written\"}]}",
		  CLI_TIMEOUT },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"refused\"},{\"state\":\"in_force\"}]}",
		  CLI_REJECTED },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"in_force\"},{\"state\":\"unreachable\"},{\"state\":\"refused\"}]}",
		  CLI_REJECTED },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"written\",\"rolled_back\":true}]}",
		  CLI_REJECTED },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"superseded\",\"rolled_back\":true},{\"state\":\"agreed\"}]}",
		  CLI_REJECTED },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"superseded\",\"rolled_back\":false},{\"state\":\"unreachable\"},{\"state\":\"agreed\"}]}",
		  CLI_CONFLICT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct api_reply reply = { .status = 200,
			                   .body = json_loads(rows[i].body, 0, NULL) };

		assert_non_null(reply.body);
		assert_int_equal(api_status(&reply), rows[i].status);
		api_reply_fini(&reply);
		assert_null(reply.body);
	}
}

static void each_status_of_http_has_an_exit_status(void **state)
{
	static const struct {
		long http;
		const char *code;
		int status;
		bool taken;
	} rows[] = {
		{ 199, "", CLI_USAGE, false },
		{ 200, "", CLI_OK, true },
		{ 201, "", CLI_OK, true },
		{ 299, "", CLI_OK, true },
		{ 300, "", CLI_USAGE, false },
		{ 400, "", CLI_USAGE, false },
		{ 401, "", CLI_DENIED, false },
		{ 403, "", CLI_DENIED, false },
		{ 404, "", CLI_USAGE, false },
		{ 409, "guard", CLI_REFUSED, false },
		{ 409, "stale", CLI_CONFLICT, false },
		{ 410, "", CLI_CONFLICT, false },
		{ 412, "", CLI_CONFLICT, false },
		{ 413, "", CLI_USAGE, false },
		{ 422, "", CLI_USAGE, false },
		{ 428, "", CLI_CONFLICT, false },
		{ 429, "", CLI_UNREACHABLE, false },
		{ 499, "", CLI_USAGE, false },
		{ 500, "", CLI_UNREACHABLE, false },
		{ 502, "", CLI_UNREACHABLE, false },
		{ 503, "", CLI_UNREACHABLE, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct api_reply reply = { .status = rows[i].http,
			                   .body = json_pack("{s:s}", "code", rows[i].code) };

		assert_int_equal(api_status(&reply), rows[i].status);
		assert_int_equal(api_succeeded(&reply), rows[i].taken);
		api_reply_fini(&reply);
	}
}

static void names_are_escaped_for_a_path(void **state)
{
	static const struct {
		const char *text, *escaped;
	} rows[] = { { "", "" },
		     { "web-ams.1_~Z9", "web-ams.1_~Z9" },
		     { "a/b c?&=%", "a%2Fb%20c%3F%26%3D%25" },
		     { "\xc3\xbc", "%C3%BC" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *escaped = api_escape(rows[i].text);

		assert_string_equal(escaped, rows[i].escaped);
		free(escaped);
	}
}

static void a_member_of_another_kind_is_none(void **state)
{
	json_t *o = json_pack("{s:s, s:i, s:f, s:n}", "text", "t", "whole", 7, "real", 0.5, "null");

	(void)state;
	assert_string_equal(api_text(o, "text", "-"), "t");
	assert_string_equal(api_text(o, "whole", "-"), "-");
	assert_null(api_text(o, "absent", NULL));
	assert_true(api_number(o, "whole", -1) == 7);
	assert_true(api_number(o, "real", -1) == 0.5);
	assert_true(api_number(o, "text", -1) == -1);
	assert_true(api_number(o, "null", -1) == -1);
	assert_true(api_number(NULL, "x", 3) == 3);
	json_decref(o);
}

/* A link is whose it is, whatever it leads to. */
static void a_socket_of_another_user_is_not_trusted(void **state)
{
	struct api_request get = { .method = "GET", .path = "/" };
	struct cli cli = { .json = false };
	char dir[] = "/tmp/weir-api.XXXXXX", target[64], link[64];
	struct api_reply reply;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(cli.dirs.run, sizeof(cli.dirs.run), "%s", dir);
	snprintf(target, sizeof(target), "%s/file", dir);
	snprintf(link, sizeof(link), "%s/api.sock", dir);
	assert_int_equal(api_call_quietly(&cli, &get, &reply), CLI_UNREACHABLE); /* there is none */
	fclose(fopen(target, "w"));
	assert_int_equal(symlink(target, link), 0);
	assert_int_equal(api_call_quietly(&cli, &get, &reply), CLI_UNREACHABLE);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(lchown(link, i ? 0 : 54321, 0), 0);
		assert_int_equal(chown(target, i ? 54321 : 0, 0), 0);
		if (i) {
			assert_int_equal(unlink(link), 0);
			assert_int_equal(rename(target, link), 0);
		}
		shown_begin();
		assert_int_equal(api_call_quietly(&cli, &get, &reply), CLI_DENIED);
		shown_end();
		assert_non_null(strstr(told, "is not trusted"));
	}
	unlink(link);
	rmdir(dir);
}

SUITE(cli_api)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_exit_status_says_where_a_change_is),
		cmocka_unit_test(each_status_of_http_has_an_exit_status),
		cmocka_unit_test(names_are_escaped_for_a_path),
		cmocka_unit_test(a_socket_of_another_user_is_not_trusted),
		cmocka_unit_test(a_member_of_another_kind_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
