/* SPDX-License-Identifier: BSD-2-Clause */
/* What a change of configuration asks for, as it is read from a request, and who may ask it. */
#include "change.h"
#include "tests/unit/suite.h"

/* Apply the first line "# a", or say what that would do. @return the status */
static unsigned apply_with(const char *more, bool dry_run)
{
	return apply_change("# a", more, dry_run ? "dry_run=true" : "wait_ms=0");
}

static void a_confirmation_has_a_time(void **state)
{
	static const struct {
		const char *more;
		unsigned status;
		int64_t ms;
	} rows[] = {
		{ "{}", 200, 0 }, /* it is not risky */
		{ "{\"confirm_within\":\"none\"}", 200, 0 },
		{ "{\"confirm_within\":\"5m\"}", 200, 300000 },
		{ "{\"confirm_within\":\"24h\"}", 200, 86400000 },
		{ "{\"confirm_within\":\"86401s\"}", 422, 0 },
		{ "{\"confirm_within\":\"0s\"}", 422, 0 },
		{ "{\"confirm_within\":\"soon\"}", 422, 0 },
		{ "{\"confirm_within\":\"none\",\"pending\":\"join\"}", 422, 0 },
		{ "{\"confirm_within\":\"5m\",\"pending\":\"join\"}", 200, 300000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (apply_with(rows[i].more, true) != rows[i].status ||
		    number_at("plan.confirm_within_ms") != rows[i].ms)
			fail_msg("%s: %u", rows[i].more, answer.status);
}

/* A risky change has one of itself; the client may say that it needs none. */
static void a_risky_change_is_to_be_confirmed(void **state)
{
	static const char b1[] = "{ name = \"b1\"; address = \"10.1.1.11\"; weight = 100; },";

	(void)state;
	for (int none = 0; none < 2; none++) {
		json_t *body = json_pack("{s:s, s:o}", "reason", "x", "files", files_with(b1, ""));

		if (none)
			json_object_set_new(body, "confirm_within", json_string("none"));
		assert_int_equal(ask_change(APPLY, body, "", "dry_run=true", "*"), 200);
		assert_int_equal(number_at("plan.confirm_within_ms") > 0, !none);
	}
}

static void what_becomes_of_a_pending_version_is_said(void **state)
{
	static const struct {
		const char *more;
		unsigned status;
		bool waits; /* the new version is to be confirmed, too */
	} rows[] = {
		{ "{}", 409, false },
		{ "{\"pending\":\"refuse\"}", 409, false },
		{ "{\"pending\":\"confirm\"}", 200, false },
		{ "{\"pending\":\"join\"}", 200, true },
		{ "{\"pending\":\"ignore\"}", 422, false },
	};

	(void)state;
	assert_int_equal(apply_line("# unconfirmed", "5m"), 201);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (apply_with(rows[i].more, true) != rows[i].status ||
		    (number_at("plan.confirm_within_ms") > 0) != rows[i].waits)
			fail_msg("%s: %u", rows[i].more, answer.status);
}

/* Versions 2 (more backends) and 3, of another person. What the request says counts more than the file's own line. */
static void a_file_is_made_from_a_version(void **state)
{
	static const struct {
		const char *line, *more;
		unsigned status;
		const char *code;
	} rows[] = {
		{ "# a", "{}", 200, "" }, /* nobody says */
		{ "# a", "{\"base\":\"2\"}", 200, "" },
		{ "# a", "{\"base\":\"1\"}", 412, "old-file" },
		{ "# a", "{\"base\":\"v1\"}", 412, "old-file" },
		{ "# a", "{\"base\":\"v1-0123456789abcdef\"}", 412, "base-unknown" },
		{ "# a", "{\"base\":\"12\"}", 412, "base-unknown" },
		{ "# a", "{\"base\":\"12\",\"replace\":true}", 200, "" },
		{ "# a", "{\"base\":\"twelve\"}", 422, "invalid" },
		{ "# a", "{\"base\":\"unknown\",\"author\":\"eve\"}", 412, "old-file" },
		{ "# a", "{\"base\":\"unknown\"}", 200, "" }, /* it is ada's last */
		{ "# weir base v1", "{}", 412, "old-file" },
		{ "# weir base v1", "{\"base\":\"2\"}", 200, "" },
		{ "# weir base v1", "{\"base\":\"unknown\"}", 412, "old-file" },
		{ "# a", "{\"skip_bad_zones\":true}", 200, "" },
		{ "# a", "{\"skip_bad_zones\":1}", 422, "invalid" },
	};

	(void)state;
	grow_pool();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (apply_change(rows[i].line, rows[i].more, "dry_run=true") != rows[i].status ||
		    strcmp(text_at("code"), rows[i].code) != 0)
			fail_msg("%s %s: %u %s", rows[i].line, rows[i].more, answer.status,
			         text_at("detail"));
}

/* Zones that are read again have a version that they are of, too. */
static void a_reload_has_a_base(void **state)
{
	(void)state;
	assert_int_equal(ask_route("POST /v1/zones/reload?dry_run=true",
	                           "{\"reason\":\"x\",\"base\":\"1\"}"),
	                 200);
	assert_int_equal(ask_route("POST /v1/zones/reload?dry_run=true",
	                           "{\"reason\":\"x\",\"base\":\"x\"}"),
	                 422);
}

/* The former texts of a body that has these fields alone. */
static unsigned roll_back(const char *body)
{
	return ask_route("POST /v1/versions/1/rollback?dry_run=true", body);
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
			assert_int_equal(roll_back(body), n > rows[i].max ? 422 : 200);
		}
	assert_int_equal(roll_back("{\"reason\":\"\"}"), 422);
	assert_int_equal(roll_back("{\"reason\":\"   \"}"), 422);
	assert_int_equal(roll_back("{\"reason\":\" x\"}"), 200);
	assert_int_equal(roll_back("{}"), 422);
	assert_int_equal(roll_back("{\"reason\":\"x\",\"replace\":true}"), 422); /* has no file */
}

SUITE(config_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(a_confirmation_has_a_time),
		T(a_risky_change_is_to_be_confirmed),
		T(what_becomes_of_a_pending_version_is_said),
		T(a_file_is_made_from_a_version),
		T(a_reload_has_a_base),
		T(texts_have_their_greatest_lengths),
	};

	world_begin();
	return cmocka_run_group_tests_name("config parts", tests, NULL, NULL);
}
