/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that was made from an old version: which one that is, what it takes back, and in which
 * words that is refused.
 */
#include "api_world.h"

#include <sys/stat.h>

#include "mgmt/api/change/old_file.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static unsigned n_allocated, fails_at; /* by calloc(); 0: none */
static unsigned fails_in_check;

/* Of what grows, as a list or what an arena gives; without the rest the process ends (memory_must()). */
static void *own_calloc(size_t n, size_t size)
{
	return (n > 1 || size > 65536) && ++n_allocated == fails_at ? NULL : __real_calloc(n, size);
}

#define B2 "name = \"b2\"; address = \"10.1.1.12\"; weight = 100"

/* The fixture's file in which b2 weighs @p weight. */
static struct files file_with(unsigned weight)
{
	char b2[96];

	snprintf(b2, sizeof(b2), "name = \"b2\"; address = \"10.1.1.12\"; weight = %u", weight);
	return fixture_files(B2, b2);
}

static void apply_as(const char *principal, const char *author, unsigned weight, int64_t now_ms)
{
	struct files files = file_with(weight);
	struct intent_change change = { .files = &files,
		                        .author = author,
		                        .reason = "because",
		                        .pending = INTENT_PENDING_IGNORE };
	struct intent_changed changed = { 0 };

	intent_for(this_node.intent, principal, NULL);
	assert_int_equal(intent_change(this_node.intent, &change, now_ms, &changed), 0);
	intent_for(this_node.intent, NULL, NULL);
	intent_changed_fini(&changed);
	files_fini(&files);
}

/* Versions 1 (100, Weir itself), 2 (60, ada), 3 (70, bob), 4 (80, ada as another user). */
static int setup_versions(void **state)
{
	world_setup(state);
	fails_at = 0;
	apply_as("token:ops", "ada", 60, NOW_MS + 2000);
	apply_as("token:ops", "bob", 70, NOW_MS + 3000);
	apply_as("user:root", "ada", 80, NOW_MS + 4000);
	return 0;
}

/* What the check of a file with @p weight says; @p told is given. */
static int check_as(unsigned weight, const char *base, bool guess, const char *principal,
                    const char *author, json_t **told)
{
	struct files files = file_with(weight);
	const struct intent_change change = { .files = &files, .author = "eve", .reason = "x" };
	struct old_file from = { .guess = guess, .principal = principal, .author = author };
	struct intent_candidate draft;

	*told = NULL;
	snprintf(from.base, sizeof(from.base), "%s", base);
	assert_int_equal(intent_candidate_begin(this_node.intent, &change, NOW_MS + 5000, &draft),
	                 0);
	intent_candidate_read(this_node.intent, &draft);
	assert_int_equal(draft.err, 0);
	n_allocated = 0;
	fails_at = fails_in_check;
	int err = old_file_check(&this_node, &from, &draft, told);
	fails_at = 0;
	intent_candidate_drop(this_node.intent, &draft);
	files_fini(&files);
	return err;
}

static int check_file(unsigned weight, const char *base, bool guess, json_t **told)
{
	return check_as(weight, base, guess, "token:ops", "eve", told);
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

/* The base is seen in what is told: a file with the base's own value takes back what came since. */
static void the_base_is_found_by_name_or_by_person(void **state)
{
	struct version third;
	char with_digest[48], wrong_digest[48];

	(void)state;
	assert_int_equal(intent_version(this_node.intent, 3, &third, NULL), 0);
	snprintf(with_digest, sizeof(with_digest), "v3-%.16s", third.digest);
	snprintf(wrong_digest, sizeof(wrong_digest), "v4-%.16s", third.digest);
	const struct {
		const char *base, *principal, *author;
		unsigned weight;
		int err;
		const char *told;
	} rows[] = {
		{ "4", "", "", 70, 0, "" },
		{ "3", "", "", 70, -ESTALE, "v3-" },
		{ "v2", "", "", 60, -ESTALE, "v2-" },
		{ "1", "", "", 100, -ESTALE, "v1-" },
		{ with_digest, "", "", 70, -ESTALE, "v3-" },
		{ wrong_digest, "", "", 70, -ENOENT, "v1-" }, /* all that is looked at */
		{ "5", "", "", 70, -ENOENT, "v1-" },
		{ "0", "", "", 70, -ENOENT, "v1-" },
		{ "nonsense", "", "", 70, -ENOENT, "v1-" },
		{ "5", "", "", 65, -ENOENT, "" }, /* a value that nobody had */
		{ "", "user:root", "ada", 70, 0, "" },
		{ "", "token:ops", "bob", 70, -ESTALE, "v3-" },
		{ "", "token:ops", "bob", 60, -ESTALE, "v3-" }, /* older than his last */
		{ "", "token:ops", "ada", 60, -ESTALE, "v2-" },
		{ "", "token:ops", "ada", 100, -ESTALE, "v2-" },
		{ "", "token:ops", "eve", 100, -ESTALE, "v1-" }, /* never: all that is looked at */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *told;
		int err = check_as(rows[i].weight, rows[i].base, true, rows[i].principal,
		                   rows[i].author, &told);

		if (err != rows[i].err || strncmp(text_of(told, "base"), rows[i].told, 3) != 0)
			fail_msg("row %zu: %d %s", i, err, text_of(told, "base"));
		assert_int_equal(json_is_true(json_object_get(told, "certain")),
		                 err == -ESTALE && *rows[i].base != '\0');
		json_decref(told);
	}
}

static void only_what_others_made_since_is_taken_back(void **state)
{
	static const struct {
		const char *why, *base;
		unsigned weight;
		bool guess;
		int err;
		bool told;
	} rows[] = {
		{ "as it was then", "3", 70, false, -ESTALE, true },
		{ "as it was before", "3", 60, false, -ESTALE, true },
		{ "a third value, and the base is known", "3", 65, false, -ESTALE, true },
		{ "a third value, and the base is guessed", "", 65, true, 0, false },
		{ "an old value, and the base is guessed", "", 100, true, -ESTALE, true },
		{ "made from the head", "4", 70, false, 0, false },
		{ "nothing is known of it", "", 70, false, 0, false },
		{ "an unknown base", "9", 70, false, -ENOENT, true },
		{ "an unknown base, and nothing changes", "9", 80, false, 0, false },
		{ "an unknown base, and a third value", "9", 65, false, -ENOENT, false },
		{ "nothing changes", "1", 80, false, 0, false },
	};
	char base_dir[PATH_MAX];

	(void)state;
	snprintf(base_dir, sizeof(base_dir), "%s/base", place.state);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *told;
		int err = check_file(rows[i].weight, rows[i].base, rows[i].guess, &told);

		if (err != rows[i].err)
			fail_msg("%s: %d", rows[i].why, err);
		assert_int_equal(told != NULL, rows[i].told);
		assert_int_equal(access(base_dir, F_OK),
		                 -1); /* nothing is left of the old versions */
		json_decref(told);
	}
}

/*
 * What is not known must not pass for what takes nothing back, whichever version it was: versions 3, 2 and 1 are looked at in
 * turn, and memory ends within each.
 */
static void a_look_that_fails_ends_the_comparison(void **state)
{
	unsigned n_failed[3] = { 0 }, n_all;
	char base_dir[PATH_MAX];
	json_t *told;

	(void)state;
	snprintf(base_dir, sizeof(base_dir), "%s/base", place.state);
	assert_int_equal(check_file(60, "1", false, &told), -ESTALE);
	json_decref(told);
	n_all = n_allocated;
	for (unsigned at = 1; at <= n_all; at++) {
		fails_in_check = at;
		int err = check_file(60, "1", false, &told);

		if (!err)
			fail_msg("allocation %u of %u", at, n_all);
		n_failed[(at - 1) * 3 / n_all] += err == -ENOMEM;
		assert_int_equal(told != NULL, err == -ESTALE);
		assert_int_equal(access(base_dir, F_OK), -1);
		json_decref(told);
	}
	fails_in_check = 0;
	assert_true(n_failed[0] > 0 && n_failed[1] > 0 && n_failed[2] > 0);
}

/* What another user has put in the place of old versions stays as it is. */
static void what_is_of_another_user_is_not_touched(void **state)
{
	char base_dir[PATH_MAX], below[PATH_MAX + 8];
	json_t *told;

	(void)state;
	snprintf(base_dir, sizeof(base_dir), "%s/base", place.state);
	snprintf(below, sizeof(below), "%s/below", base_dir);
	assert_int_equal(mkdir(base_dir, 0700), 0);
	assert_int_equal(mkdir(below, 0700), 0);
	assert_int_equal(chown(base_dir, 12345, 12345), 0);
	assert_int_equal(check_file(60, "1", false, &told), -EPERM);
	assert_null(told);
	assert_int_equal(access(below, F_OK), 0);
}

static void what_is_taken_back_has_all_its_fields(void **state)
{
	char made[CLOCK_TEXT_MAX], base[48];
	struct version v;
	json_t *told;

	(void)state;
	assert_int_equal(intent_version(this_node.intent, 2, &v, NULL), 0);
	snprintf(base, sizeof(base), "v2-%.16s", v.digest);
	assert_int_equal(check_file(60, "2", false, &told), -ESTALE);
	assert_string_equal(text_of(told, "base"), base);
	assert_true(json_is_true(json_object_get(told, "certain")));
	assert_int_equal(json_integer_value(json_object_get(told, "n_takes_back")), 1);
	const json_t *one = json_array_get(json_object_get(told, "takes_back"), 0);
	assert_string_equal(text_of(one, "path"), "pools/web-ams/backends/b2/weight");
	assert_string_equal(text_of(one, "kind"), "changed");
	assert_string_equal(text_of(one, "now"), "80");
	assert_string_equal(text_of(one, "file"), "60");
	assert_int_equal(json_integer_value(json_object_get(one, "version")), 4);
	assert_string_equal(text_of(one, "principal"), "user:root");
	assert_string_equal(text_of(one, "author"), "ada");
	assert_string_equal(text_of(one, "node"), "ams-1");
	assert_string_equal(text_of(one, "time"), clock_text(NOW_MS + 4000, made));
	assert_string_equal(text_of(one, "reason"), "because");
	json_decref(told);
	assert_int_equal(check_file(100, "", true, &told), -ESTALE);
	assert_false(json_is_true(json_object_get(told, "certain")));
	json_decref(told);
}

/* A file with mistakes is refused for them; without a head there is nothing to lose. */
static void a_draft_that_is_refused_anyway_is_not_compared(void **state)
{
	const struct old_file from = { .base = "9" };
	struct plan_change one = { .path = "p" };
	struct intent_candidate draft = { .plan = { .changes = &one, .n_changes = 1 } };
	json_t *told = NULL;

	(void)state;
	assert_int_equal(old_file_check(&this_node, &from, &draft, &told), 0);
	draft.head = intent_model(this_node.intent);
	assert_int_equal(old_file_check(&this_node, &from, &draft, &told), -ENOENT);
	draft.err = -EINVAL;
	assert_int_equal(old_file_check(&this_node, &from, &draft, &told), 0);
	assert_null(told);
}

/* The fixture's file with sixty more backends, of one weight. */
static struct files file_with_many(unsigned weight)
{
	char list[4096] = "max_backends = 100;\n    backends = ( ";
	size_t n = strlen(list);

	for (int i = 0; i < 60; i++)
		n += (size_t)snprintf(
		        list + n, sizeof(list) - n,
		        "{ name = \"x%d\"; address = \"10.1.2.%d\"; weight = %u; },\n", i, i + 1,
		        weight);
	return fixture_files("max_backends = 10;\n    backends = ( ", list);
}

static void apply_files(struct files files)
{
	struct intent_change change = { .files = &files, .author = "bob", .reason = "many" };
	struct intent_changed changed = { 0 };

	assert_int_equal(intent_change(this_node.intent, &change, clock_believed_ms(), &changed),
	                 0);
	intent_changed_fini(&changed);
	files_fini(&files);
}

/* Fifty are shown, all are counted. */
static void very_many_settings_are_counted(void **state)
{
	struct files files;
	struct old_file from = { .base = "5" };
	struct intent_candidate draft;
	json_t *told = NULL;

	(void)state;
	apply_files(file_with_many(50)); /* version 5 */
	apply_files(file_with_many(60));
	files = file_with_many(50);
	const struct intent_change change = { .files = &files, .author = "eve", .reason = "x" };
	assert_int_equal(intent_candidate_begin(this_node.intent, &change, NOW_MS, &draft), 0);
	intent_candidate_read(this_node.intent, &draft);
	assert_int_equal(old_file_check(&this_node, &from, &draft, &told), -ESTALE);
	intent_candidate_drop(this_node.intent, &draft);
	files_fini(&files);
	const json_t *list = json_object_get(told, "takes_back");
	assert_int_equal(json_array_size(list), 50);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "version")),
	                 6);
	assert_int_equal(json_integer_value(json_object_get(told, "n_takes_back")), 60);
	assert_int_equal(strncmp(text_of(told, "base"), "v5-", 3), 0);
	json_decref(told);
}

/* --- the refusal --- */

static json_t *make_setting(const char *path, const char *kind, const char *now, const char *file)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "path", path, "kind", kind, "now", now,
	                 "file", file, "version", 7, "author", "ada");
}

/* The detail of a refusal, and its status and code as "412 stale: ...". Takes @p list. */
static const char *detail_of_refusal(const char *base, int err, json_t *list, int n)
{
	static char text[1200];
	struct old_file from = { .guess = true };
	struct http_reply reply = { 0 };
	json_t *told = json_pack("{s:s, s:i, s:o}", "base", "v5-abc", "n_takes_back", n,
	                         "takes_back", list);

	snprintf(from.base, sizeof(from.base), "%s", base);
	old_file_refuse(&this_node, &from, err, told, &reply);
	snprintf(text, sizeof(text), "%u %s: %s", reply.status, text_of(reply.json, "code"),
	         text_of(reply.json, "detail"));
	assert_int_equal(json_object_get(reply.json, "takes_back") != NULL,
	                 err == -ESTALE || err == -ENOENT);
	http_reply_fini(&reply);
	json_decref(told);
	return text;
}

static void a_refusal_says_what_to_do(void **state)
{
	(void)state;
	assert_string_equal(
	        detail_of_refusal("v9-abc", -ENOENT, json_array(), 0),
	        "412 base-unknown: version v9-abc, from which the file is said to be made, is not among the last 32 "
	        "versions of this node (now at version 4), so what others changed since is not known. Make the file "
	        "again from the version in force, or apply it with replace");
	assert_string_equal(
	        detail_of_refusal("v9-abc", -ENOENT,
	                          json_pack("[o]", make_setting("p/w", "changed", "60", "100")), 1),
	        "412 base-unknown: version v9-abc, from which the file is said to be made, is not among the last 32 "
	        "versions of this node (now at version 4), so what others changed since is not known for certain; it "
	        "takes back p/w is 60 (version 7 by ada), the file has 100. Make the file again from the version in "
	        "force, or apply it with replace");
	assert_string_equal(detail_of_refusal("", -ENOMEM, json_array(), 0),
	                    "503 busy: earlier versions cannot be read: Cannot allocate memory");
	assert_string_equal(detail_of_refusal("", -EIO, json_array(), 0),
	                    "500 internal: earlier versions cannot be read: Input/output error");
}

static void a_refusal_names_settings_in_words(void **state)
{
	(void)state;
	assert_string_equal(
	        detail_of_refusal("v5", -ESTALE,
	                          json_pack("[o]", make_setting("p/w", "changed", "60", "100")), 1),
	        "412 old-file: the file takes back 1 setting changed since version v5-abc, "
	        "from which it was made: p/w is 60 (version 7 by ada), the file has 100");
	json_t *list = json_pack("[o, o]", make_setting("p/a", "added", "", ""),
	                         make_setting("p/b", "removed", "", ""));
	assert_string_equal(
	        detail_of_refusal("", -ESTALE, list, 2),
	        "412 old-file: the file takes back 2 settings changed since version v5-abc, "
	        "its author's last, or the oldest that is compared: p/a was removed (version 7 by ada), the file has "
	        "it; p/b was added (version 7 by ada), the file has none");
}

static void a_refusal_names_three_settings_at_most(void **state)
{
	json_t *list = json_array();

	(void)state;
	for (int i = 0; i < 5; i++) {
		char path[] = "p0";

		path[1] = (char)('0' + i);
		json_array_append_new(list, make_setting(path, "changed", "1", "2"));
	}
	const char *text = detail_of_refusal("v5", -ESTALE, list, 5);
	assert_non_null(strstr(text, "back 5 settings "));
	assert_non_null(strstr(text, ": p0 is 1 (version 7 by ada), the file has 2; p1 is 1 "));
	assert_non_null(strstr(text, "; p2 is 1 (version 7 by ada), the file has 2"));
	assert_null(strstr(text, "p3"));
	assert_int_not_equal(text[strlen(text) - 1], ' ');
}

/* Long values are cut where they are readable still. */
static void long_settings_are_cut_at_whole_characters(void **state)
{
	char now[400], file[400];

	(void)state;
	for (size_t n = 0; n < 4; n++) {
		memset(now, 'x', n);
		memset(file, 'y', n);
		now[n] = file[n] = '\0';
		for (int i = 0; i < 120; i++) {
			strcat(now, "\xe2\x82\xac");
			strcat(file, "\xe2\x82\xac");
		}
		json_t *list = json_pack("[o, o, o]", make_setting("p1", "changed", now, "1"),
		                         make_setting("p2", "changed", "1", file),
		                         make_setting("p3", "changed", now, file));
		const char *text = detail_of_refusal("v5", -ESTALE, list, 3);

		assert_non_null(
		        strstr(text, "\xe2\x82\xac (version 7 by ada), the file has 1; p2"));
		assert_null(strchr(text, '?'));
	}
}

SUITE(old_file_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_versions, world_teardown)
	const struct CMUnitTest tests[] = {
		T(the_base_is_found_by_name_or_by_person),
		T(only_what_others_made_since_is_taken_back),
		T(a_look_that_fails_ends_the_comparison),
		T(what_is_of_another_user_is_not_touched),
		T(what_is_taken_back_has_all_its_fields),
		T(a_draft_that_is_refused_anyway_is_not_compared),
		T(very_many_settings_are_counted),
		T(a_refusal_says_what_to_do),
		T(a_refusal_names_settings_in_words),
		T(a_refusal_names_three_settings_at_most),
		T(long_settings_are_cut_at_whole_characters),
	};

	answer_calloc = own_calloc;
	world_begin();
	return cmocka_run_group_tests_name("old file parts", tests, NULL, NULL);
}
