/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records as JSON: states of versions, files by text or digest and back, verdicts of guards,
 * notes.
 */
#include "lone_node.h"

#include <errno.h>

#include "mgmt/core/to_json.h"
#include "mgmt/json/command.h"
#include "tests/unit/suite.h"
#include "weir/json.h"

static char found_name[64];

static int find_row(void *arg, const char *name, const char *digest, uint64_t n_bytes,
                    struct files *out)
{
	(void)arg;
	(void)digest;
	snprintf(found_name, sizeof(found_name), "%s", name);
	return n_bytes == 6 ? files_add(out, name, "digest", 6) : -ENOENT;
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

static void a_version_has_the_state_of_its_place(void **state)
{
	static const struct {
		uint64_t number, head; /* 0: there is no head */
		char digest;           /* of the head */
		int64_t confirm_by_ms;
		const char *word;
		bool has_deadline;
	} rows[] = {
		{ 3, 3, 'd', 0, "in_force", false },
		{ 3, 3, 'd', NOW_MS, "unconfirmed", true },
		{ 3, 3, 'e', 0, "superseded", false }, /* a node's own, under the same number */
		{ 3, 4, 'd', NOW_MS, "superseded", false },
		{ 3, 4, 'e', 0, "superseded", false },
		{ 3, 0, 'd', NOW_MS, "superseded", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* the deadline runs in the head: a kept record may have none */
		struct version v = { .number = rows[i].number };
		struct version head = { .number = rows[i].head,
			                .confirm_by_ms = rows[i].confirm_by_ms };

		memset(v.digest, 'd', DIGEST_TEXT_MAX - 1);
		memset(head.digest, rows[i].digest, DIGEST_TEXT_MAX - 1);
		json_t *told = version_to_json(&v, rows[i].head ? &head : NULL);
		if (strcmp(text_of(told, "state"), rows[i].word) != 0)
			fail_msg("row %zu: %s", i, text_of(told, "state"));
		assert_int_equal(!json_is_null(json_object_get(told, "confirm_by")),
		                 rows[i].has_deadline);
		assert_string_equal(text_of(told, "etag"), "v3-dddddddddddddddd");
		json_decref(told);
	}
}

static int read_files(const char *body, bool with_source, struct files *out)
{
	const struct file_source source = { find_row, NULL };
	json_t *object = json_loads(body, 0, NULL);
	char why[HTTP_TEXT_MAX];

	memset(out, 0, sizeof(*out));
	assert_non_null(object);
	int err = files_from_json(object, with_source ? &source : NULL, out, why);
	json_decref(object);
	return err;
}

#define MAIN "\"weir.conf\":\"x\""

static void files_come_as_texts_bytes_or_digests(void **state)
{
	static const struct {
		const char *body;
		bool source;
		int err;
		const char *bytes; /* of a.zone */
	} rows[] = {
		{ "{" MAIN ",\"a.zone\":\"text\"}", true, 0, "text" },
		{ "{" MAIN ",\"a.zone\":{\"base64\":\"Yg==\"}}", true, 0, "b" },
		{ "{" MAIN ",\"a.zone\":{\"digest\":\"d\",\"bytes\":6}}", true, 0, "digest" },
		{ "{" MAIN ",\"a.zone\":{\"digest\":\"d\",\"bytes\":6}}", false, -EINVAL, NULL },
		{ "{" MAIN ",\"a.zone\":{\"digest\":\"d\",\"bytes\":5}}", true, -ENOENT, NULL },
		{ "{" MAIN ",\"a.zone\":{\"digest\":\"d\",\"bytes\":-1}}", true, -EINVAL, NULL },
		{ "{" MAIN ",\"a.zone\":{\"digest\":\"d\"}}", true, -EINVAL, NULL },
		{ "{" MAIN ",\"a.zone\":{\"digest\":\"d\",\"bytes\":6,\"x\":1}}", true, -EINVAL,
		  NULL },
		{ "{" MAIN ",\"a.zone\":{\"base64\":\"Yg==\",\"digest\":\"d\"}}", true, -EINVAL,
		  NULL },
		{ "{" MAIN ",\"a.zone\":{\"base64\":\"Y\"}}", true, -EINVAL, NULL },
		{ "{" MAIN ",\"a.zone\":5}", true, -EINVAL, NULL },
		{ "{" MAIN ",\"../a\":\"x\"}", true, -EINVAL, NULL },
		{ "{\"a.zone\":\"text\"}", true, -EINVAL, NULL }, /* no weir.conf */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct files files;
		int err = read_files(rows[i].body, rows[i].source, &files);

		if (err != rows[i].err)
			fail_msg("row %zu: %d", i, err);
		if (err)
			continue;
		const struct files_item *item = files_find(&files, "a.zone");
		assert_int_equal(item->n_bytes, strlen(rows[i].bytes));
		assert_memory_equal(item->bytes, rows[i].bytes, item->n_bytes);
		files_fini(&files);
	}
}

/* As a text where JSON's reader takes one, so without NUL; else as base64. Either way they come back as they were. */
static void bytes_of_files_come_back_as_they_went(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *json;
	} rows[] = {
		{ "text\n", 5, "\"text\\n\"" },
		{ "", 0, "\"\"" },
		{ "a\0b", 3, "{\"base64\":\"YQBi\"}" },
		{ "caf\xc3\xa9", 5, "\"caf\xc3\xa9\"" },
		{ "caf\xc3\xa9", 4, "{\"base64\":\"Y2Fmww==\"}" }, /* cut */
		{ "\xff", 1, "{\"base64\":\"/w==\"}" },
		{ "a\0\xff", 3, "{\"base64\":\"YQD/\"}" },
		{ "\xc0\xaf", 2, "{\"base64\":\"wK8=\"}" },     /* a longer form than needed */
		{ "\xed\xa0\x80", 3, "{\"base64\":\"7aCA\"}" }, /* half of a pair */
		{ "\xf4\x90\x80\x80", 4, "{\"base64\":\"9JCAgA==\"}" }, /* past the last */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct files files = { 0 }, back = { 0 };
		char expected[128], why[HTTP_TEXT_MAX];

		assert_int_equal(files_add(&files, FILES_MAIN, "x", 1), 0);
		assert_int_equal(files_add(&files, "a.zone", rows[i].bytes, rows[i].n), 0);
		json_t *told = contents_to_json(&files);
		char *text = json_dumps(told, JSON_COMPACT | JSON_SORT_KEYS);
		snprintf(expected, sizeof(expected), "{\"a.zone\":%s,\"weir.conf\":\"x\"}",
		         rows[i].json);
		assert_non_null(text);
		assert_string_equal(text, expected);
		json_decref(told);
		told = json_loads(text, 0, NULL);
		assert_int_equal(files_from_json(told, NULL, &back, why), 0);
		assert_int_equal(files_find(&back, "a.zone")->n_bytes, rows[i].n);
		assert_memory_equal(files_find(&back, "a.zone")->bytes, rows[i].bytes, rows[i].n);
		json_decref(told);
		free(text);
		files_fini(&files);
		files_fini(&back);
	}
}

/* Only in a version that does not go whole. */
static void large_files_go_by_their_digest(void **state)
{
	static char big[FILES_SMALL_MAX + 2];
	struct files files = { 0 };
	char digest[DIGEST_TEXT_MAX];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	memset(digest, 'a', DIGEST_TEXT_MAX - 1);
	digest[DIGEST_TEXT_MAX - 1] = '\0';
	assert_int_equal(files_add(&files, FILES_MAIN, big, FILES_SMALL_MAX + 1), 0);
	assert_int_equal(files_add(&files, "big.zone", big, FILES_SMALL_MAX + 1), 0);
	assert_int_equal(files_add(&files, "edge.zone", big, FILES_SMALL_MAX), 0);
	json_t *told = contents_to_json(&files);
	assert_true(json_is_string(json_object_get(told, "big.zone")));
	json_decref(told);
	assert_int_equal(files_add_path(&files, "huge.zone", "/nowhere", digest, 100), 0);
	files.n_bytes = FILES_WHOLE_BYTES_MAX + 1;
	told = contents_to_json(&files);
	assert_true(json_is_string(json_object_get(told, FILES_MAIN)));
	assert_true(json_is_object(json_object_get(told, "big.zone")));
	assert_true(json_is_string(json_object_get(told, "edge.zone")));
	const json_t *huge = json_object_get(told, "huge.zone"); /* short, and not in memory */
	assert_string_equal(text_of(huge, "digest"), digest);
	assert_int_equal(json_integer_value(json_object_get(huge, "bytes")), 100);
	json_decref(told);
	files_fini(&files);
}

static void guards_are_told_by_what_they_know(void **state)
{
	struct guard_verdict verdicts[4] = { { .guard = "room", .ok = true },
		                             { .guard = "room", .ok = false },
		                             { .guard = "room", .ok = true, .unknown = true },
		                             { .guard = "room", .ok = false, .unknown = true } };
	static const char *const words[] = { "ok", "refused", "unknown", "unknown" };
	struct guard_result result = { .n_verdicts = 4 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		result.verdicts[i] = verdicts[i];
		snprintf(result.verdicts[i].detail, sizeof(result.verdicts[i].detail), "d");
	}
	json_t *told = guards_to_json(&result);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(text_of(json_array_get(told, i), "state"), words[i]);
		assert_int_equal(json_is_true(json_object_get(json_array_get(told, i), "ok")),
		                 verdicts[i].ok);
	}
	json_decref(told);
}

static void further_overrides_that_ended_are_told(void **state)
{
	static struct command_result result;
	const struct command c = { .what = COMMAND_UNDRAIN };

	(void)state;
	for (size_t n = 0; n < 3; n++) {
		result.n_others = n;
		json_t *told = command_to_json(this_node.intent, &c, &result, NULL, NOW_MS);

		assert_int_equal(json_array_size(json_object_get(told, "notes")), n > 0);
		assert_null(json_object_get(told, "dry_run"));
		json_decref(told);
	}
}

/* Bytes that are no UTF-8 must not make a whole answer fail. */
static void texts_are_told_whatever_they_hold(void **state)
{
	(void)state;
	json_t *told = json_text("a\xff"
	                         "b\xc3\xa4");
	assert_string_equal(json_string_value(told), "a?b??");
	json_decref(told);
	told = json_text("b\xc3\xa4");
	assert_string_equal(json_string_value(told), "b\xc3\xa4");
	json_decref(told);
	told = time_to_json(MODEL_TIME_NEVER);
	assert_true(json_is_null(told));
	json_decref(told);
	told = time_to_json(0);
	assert_true(json_is_null(told));
	json_decref(told);
}

/*
 * In a version that does not go whole: what comes behind eight megabytes, weir.conf among them,
 * goes by digest.
 */
static void a_large_version_goes_in_part_by_digests(void **state)
{
	static char text[65536];
	struct files files = { 0 };
	size_t n_whole = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(files_add(&files, "weir.conf", text, sizeof(text)), 0);
	for (unsigned i = 1; i <= FILES_WHOLE_MAX; i++) { /* one more than go whole */
		char name[16];

		snprintf(name, sizeof(name), "z%03u", i);
		assert_int_equal(files_add(&files, name, text, sizeof(text)), 0);
	}
	json_t *told = contents_to_json(&files);
	assert_int_equal(json_object_size(told), 257);
	assert_true(json_is_string(json_object_get(told, "weir.conf")));
	for (unsigned i = 1; i <= 256; i++) {
		char name[16];

		snprintf(name, sizeof(name), "z%03u", i);
		const json_t *item = json_object_get(told, name);
		bool whole = json_is_string(item);

		if (whole != (i <= 127)) /* 128 of 64 KiB */
			fail_msg("%s %s", name, whole ? "goes whole" : "goes by its digest");
		n_whole += whole;
		if (!whole)
			assert_int_equal(json_integer_value(json_object_get(item, "bytes")),
			                 sizeof(text));
	}
	assert_int_equal(n_whole, 127);
	json_decref(told);
	files_fini(&files);
}

SUITE(to_json_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, lone_node_setup, lone_node_close)
	const struct CMUnitTest tests[] = {
		T(a_version_has_the_state_of_its_place),
		T(files_come_as_texts_bytes_or_digests),
		T(bytes_of_files_come_back_as_they_went),
		T(a_version_has_the_state_of_its_place),
		T(a_large_version_goes_in_part_by_digests),
		T(large_files_go_by_their_digest),
		T(guards_are_told_by_what_they_know),
		T(further_overrides_that_ended_are_told),
		T(texts_are_told_whatever_they_hold),
	};

	return cmocka_run_group_tests_name("tell parts", tests, NULL, NULL);
}
