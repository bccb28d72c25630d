/* SPDX-License-Identifier: BSD-2-Clause */
/* What is compared with what: sides by number, by node, or both. What a peer sends is compared in tests/cluster/scenes_diff.c. */
#include "api_world.h"

#include <dirent.h>

#include "mgmt/files/gather.h"
#include "mgmt/store/copy.h"
#include "mgmt/store/history.h"
#include "mgmt/store/records.h"
#include "tests/unit/suite.h"

static unsigned ask_diff(const char *from, const char *to)
{
	char what[300];

	snprintf(what, sizeof(what), "GET /v1/versions/%s/diff/%s", from, to);
	return ask_route(what, NULL);
}

/* A node without an address cannot be asked; this one by its own name is not asked over the network. */
static void a_side_is_a_version_a_node_or_both(void **state)
{
#define NO_VERSION "there is no such version"
#define NO_NODE(n) "there is no node " n " with an api address in the configuration"
#define NO_SIDE    " is not a version number, a node name or NODE:NUMBER"
	static const struct {
		const char *text, *detail;
	} rows[] = {
		{ "1", "" },
		{ "head", "" },
		{ "ams-1", "" },
		{ "ams-1:1", "" },
		{ "2", NO_VERSION },
		{ "12", NO_VERSION },
		{ "ams-1:2", NO_VERSION },
		{ "fra-1", NO_NODE("fra-1") },
		{ "fra-1:12", NO_NODE("fra-1") },
		{ "lon-1", NO_NODE("lon-1") },
		{ "12x", NO_NODE("12x") }, /* a node may be called so */
		{ "head:3", NO_NODE("head") },
		{ "123456789012345", NO_VERSION },
		{ "1234567890123456", NO_NODE("1234567890123456") },
		{ "0", NO_SIDE },
		{ "fra-1:0", NO_SIDE },
		{ "fra-1:", NO_SIDE },
		{ "fra-1:head", NO_SIDE },
		{ "fra-1:1x", NO_SIDE },
		{ ":12", NO_SIDE },
		{ "0123456789012345678901234567890123456789012345678901234567890123456789",
		  NO_SIDE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int second = 0; second < 2; second++) {
			unsigned status =
			        second ? ask_diff("1", rows[i].text) : ask_diff(rows[i].text, "1");

			if (status != (*rows[i].detail ? 404 : 200) ||
			    !strstr(text_at("detail"), rows[i].detail))
				fail_msg("\"%s\": %u %s", rows[i].text, status, text_at("detail"));
			if (status == 200)
				assert_int_equal(number_at(second ? "to" : "from"), 1);
		}
}

/* Version 2, as a store has decided it: with @p from replaced by @p to, whatever this release makes of it. */
static void decide_version(const char *from, const char *to)
{
	struct files files = fixture_files(from, to);
	struct version v = *intent_head(this_node.intent);
	struct shared_change c;
	struct shared_answer a;

	v.number = 2;
	v.time_ms = v.effective_ms = NOW_MS + 10;
	memcpy(v.parent, v.digest, sizeof(v.parent));
	files_digest(&files, v.digest);
	shared_change_begin(&c, "two");
	shared_change_put(&c, "version/2", &version_record, &v);
	shared_change_put(&c, "head", &history_head_record, &(struct history_head){ 2 });
	assert_int_equal(copy_decide(intent_store(this_node.intent), &c,
	                             &(struct copy_version){ &v, &files }, &a),
	                 0);
	shared_change_fini(&c);
	shared_answer_fini(&a);
	files_fini(&files);
	world_close();
	world_open();
}

static void check_sides(int from, int to)
{
	assert_string_equal(text_at("from_node"), "ams-1");
	assert_int_equal(number_at("from"), from);
	assert_string_equal(text_at("to_node"), "ams-1");
	assert_int_equal(number_at("to"), to);
}

static void two_own_versions_are_compared(void **state)
{
	(void)state;
	decide_version("max_backends = 10", "max_backends = 30");
	assert_int_equal(ask_diff("1", "head"), 200);
	check_sides(1, 2);
	assert_non_null(strstr(text_at("text"), "\n-  { name = \"web-ams\";"));
	assert_non_null(strstr(text_at("text"), "max_backends = 30"));
	assert_int_equal(count_at("changes"), 1);
	assert_string_equal(text_at("changes.0.path"), "pools/web-ams/max_backends");
	assert_string_equal(text_at("changes.0.to"), "30");
	assert_int_equal(ask_diff("head", "1"), 200);
	check_sides(2, 1);
	assert_string_equal(text_at("changes.0.to"), "10");
	assert_int_equal(ask_diff("2", "ams-1:2"), 200);
	assert_string_equal(text_at("text"), "");
	assert_int_equal(count_at("changes"), 0);
	assert_int_equal(ask_diff("9", "1"), 404);
	assert_int_equal(ask_diff("1", "9"), 404);
	asker.role = HTTP_ONCALL; /* the files' text is for operators */
	assert_int_equal(ask_diff("1", "2"), 200);
	assert_int_equal(count_at("changes"), 1);
	assert_true(json_is_null(value_at("text")));
}

/* Directories of versions below STATE/config. One whose removal has begun has a longer name. */
static unsigned count_laid_out(void)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	assert_int_equal(proc_path(place.state, PROC_CONFIG_DIR, path), 0);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += strlen(entry->d_name) == DIGEST_TEXT_MAX - 1 || !strcmp(entry->d_name, "diff");
	closedir(dir);
	return n;
}

static bool is_laid_out(const struct version *v)
{
	char path[PATH_MAX];

	assert_int_equal(gather_dir(place.state, v->digest, path), 0);
	return !access(path, F_OK);
}

/* Files are laid out before they are read, also those of another release. Versions in force stay. */
static void what_was_compared_is_laid_out_no_longer_than_that(void **state)
{
	(void)state;
	decide_version("schema = 1;", "schema = 99;");
	assert_int_equal(intent_head(this_node.intent)->number, 1);
	for (int back = 0; back < 2; back++) {
		unsigned n = count_laid_out();

		assert_int_equal(back ? ask_diff("2", "1") : ask_diff("1", "2"), 200);
		assert_true(json_is_null(value_at("changes")));
		assert_non_null(strstr(text_at("text"), back ? "-schema = 99;" : "+schema = 99;"));
		assert_in_range(count_laid_out(), n, n + !back); /* the place itself may stay */
		assert_true(is_laid_out(intent_head(this_node.intent)));
	}
}

SUITE(diff_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(a_side_is_a_version_a_node_or_both),
		T(two_own_versions_are_compared),
		T(what_was_compared_is_laid_out_no_longer_than_that),
	};

	world_begin();
	return cmocka_run_group_tests_name("diff parts", tests, NULL, NULL);
}
