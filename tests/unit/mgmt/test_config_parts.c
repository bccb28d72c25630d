/* SPDX-License-Identifier: BSD-2-Clause */
/* What a change of configuration asks for, as it is read from a request, and who may ask it. */
#include "asked.h"

/* The private parts too. */
#include "mgmt/api/handle_config.c"

static struct http_reply answer;
static struct change_request change;

static int setup(void **state)
{
	memset(&answer, 0, sizeof(answer));
	memset(&change, 0, sizeof(change));
	return asked_setup(state);
}

static int teardown(void **state)
{
	end_change_request(&change);
	http_reply_fini(&answer);
	return asked_teardown(state);
}

/* Read a change with @p more fields. @return the status of its refusal; 0: it is sound */
static unsigned read_with(const char *more, enum http_role role)
{
	struct http_request r = { .role = role, .principal = "ada", .identity = "token:ada" };
	char body[512];

	end_change_request(&change);
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	snprintf(body, sizeof(body), "{\"reason\":\"x\",\"files\":{\"weir.conf\":\"\"}%s%s}",
	         *more ? "," : "", more);
	r.json = json_loads(body, 0, NULL);
	assert_non_null(r.json);
	bool ok = read_change(&this_node, &r, ORIGIN_REQUEST, &change, &answer);
	assert_int_equal(ok, answer.status == 0);
	change.change.author = change.change.author ? "somebody" : NULL; /* the request's text */
	json_decref(r.json);
	return answer.status;
}

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void a_confirmation_has_a_time(void **state)
{
	static const struct {
		const char *more;
		unsigned status;
		int64_t ms;
	} rows[] = {
		{ "", 0, -1 },
		{ "\"confirm_within\":\"none\"", 0, 0 },
		{ "\"confirm_within\":\"5m\"", 0, 300000 },
		{ "\"confirm_within\":\"24h\"", 0, 86400000 },
		{ "\"confirm_within\":\"86401s\"", 422, 0 },
		{ "\"confirm_within\":\"0s\"", 422, 0 },
		{ "\"confirm_within\":\"soon\"", 422, 0 },
		{ "\"confirm_within\":\"none\",\"pending\":\"join\"", 422, 0 },
		{ "\"confirm_within\":\"5m\",\"pending\":\"join\"", 0, 300000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned status = read_with(rows[i].more, HTTP_OPERATOR);

		if (status != rows[i].status ||
		    (!status && change.change.confirm_within_ms != rows[i].ms))
			fail_msg("%s: %u", rows[i].more, status);
	}
}

static void what_becomes_of_a_pending_version_is_said(void **state)
{
	(void)state;
	assert_int_equal(read_with("", HTTP_OPERATOR), 0);
	assert_int_equal(change.change.pending, INTENT_PENDING_REFUSE);
	assert_int_equal(read_with("\"pending\":\"refuse\"", HTTP_OPERATOR), 0);
	assert_int_equal(change.change.pending, INTENT_PENDING_REFUSE);
	assert_int_equal(read_with("\"pending\":\"confirm\"", HTTP_OPERATOR), 0);
	assert_int_equal(change.change.pending, INTENT_PENDING_CONFIRM);
	assert_int_equal(read_with("\"pending\":\"join\"", HTTP_OPERATOR), 0);
	assert_int_equal(change.change.pending, INTENT_PENDING_JOIN);
	assert_int_equal(read_with("\"pending\":\"ignore\"", HTTP_OPERATOR), 422);
}

/* What the request says counts more than the file's own line. */
static void a_file_is_made_from_a_version(void **state)
{
	(void)state;
	assert_int_equal(read_with("\"base\":\"12\",\"replace\":true", HTTP_OPERATOR), 0);
	assert_string_equal(change.from.base, "12");
	assert_true(change.change.replace);
	assert_false(change.from.guess);
	assert_int_equal(read_with("\"base\":\"unknown\"", HTTP_OPERATOR), 0);
	assert_string_equal(change.from.base, "");
	assert_true(change.from.guess);
	assert_false(change.change.replace);
	assert_int_equal(read_with("\"base\":\"v12-0123456789abcdef\"", HTTP_OPERATOR), 0);
	assert_string_equal(change.from.base, "v12-0123456789abcdef");
	assert_int_equal(read_with("\"base\":\"twelve\"", HTTP_OPERATOR), 422);
	assert_int_equal(read_with("\"skip_bad_zones\":true", HTTP_OPERATOR), 0);
	assert_true(change.change.skip_bad_zones);
}

/* The former texts of a body that has these fields alone. */
static unsigned read_body(const char *body)
{
	struct http_request r = { .role = HTTP_ADMIN, .principal = "ada", .identity = "token:ada" };

	end_change_request(&change);
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	r.json = json_loads(body, 0, NULL);
	assert_non_null(r.json);
	(void)read_change(&this_node, &r, ORIGIN_VERSION, &change, &answer);
	json_decref(r.json);
	return answer.status;
}

static void texts_have_their_greatest_lengths(void **state)
{
	static const struct {
		const char *before, *after;
		size_t max;
	} rows[] = {
		{ "{\"reason\":\"", "\"}", 255 },
		{ "{\"reason\":\"x\",\"author\":\"", "\"}", 63 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t n = rows[i].max; n <= rows[i].max + 1; n++) {
			char letters[300], body[400];

			memset(letters, 'x', n);
			letters[n] = '\0';
			snprintf(body, sizeof(body), "%s%s%s", rows[i].before, letters,
			         rows[i].after);
			assert_int_equal(read_body(body), n > rows[i].max ? 422 : 0);
		}
	assert_int_equal(read_body("{\"reason\":\"\"}"), 422);
	assert_int_equal(read_body("{\"reason\":\"   \"}"), 422);
	assert_int_equal(read_body("{\"reason\":\" x\"}"), 0);
	assert_int_equal(read_body("{}"), 422);
	assert_int_equal(read_body("{\"reason\":\"x\",\"replace\":true}"), 422); /* has no file */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_confirmation_has_a_time),
		T(what_becomes_of_a_pending_version_is_said),
		T(a_file_is_made_from_a_version),
		T(texts_have_their_greatest_lengths),
	};

	return cmocka_run_group_tests_name("config parts", tests, NULL, NULL);
}
