/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of configuration: what a version's record says, what is refused and why, and what is
 * left behind.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "mgmt/files/blobs.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/bootstrap.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct fixture place;

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&place);
	return 0;
}

static struct intent *open_node(int64_t now_ms)
{
	struct intent_options options = { .conf_dir = place.conf,
		                          .state_dir = place.state,
		                          .node = "ams-1" };
	struct intent *in = NULL;

	assert_int_equal(intent_open(&options, now_ms, &in), 0);
	return in;
}

/* Make @p change to the fixture's file with another first line; @p out: the version. */
static int apply_words(struct intent *in, const char *words, struct intent_change change,
                       int64_t now_ms, struct version *out)
{
	struct files files = fixture_files("# two sites", words ? words : "# two sites");
	struct intent_changed changed = { 0 };

	if (words)
		change.files = &files;
	if (!change.author) {
		change.author = "jw";
		change.reason = "CHG-1";
	}
	int err = intent_change(in, &change, now_ms, &changed);
	if (out)
		*out = changed.version;
	intent_changed_fini(&changed);
	files_fini(&files);
	return err;
}

static const struct intent_change plainly = { .confirm_within_ms = -1 };

static const char *last_event(struct intent *in)
{
	const struct journal *j = intent_journal(in);

	return journal_find(j, journal_last(j))->message;
}

static void a_version_s_record_says_who_when_and_from_what(void **state)
{
	struct intent *in = open_node(NOW_MS);
	struct version first = *intent_head(in), v, stored;

	(void)state;
	assert_true(first.time_ms == NOW_MS && first.effective_ms == NOW_MS);
	assert_string_equal(first.parent, "");
	assert_string_equal(first.node, "ams-1");
	assert_string_equal(first.principal, "weir");
	assert_int_equal(first.confirm_by_ms, 0);
	intent_for(in, "token:ci", NULL);
	assert_int_equal(apply_words(in, "# two", plainly, NOW_MS + 5000, &v), 0);
	assert_int_equal(v.number, 2);
	assert_true(v.time_ms == NOW_MS + 5000);
	assert_true(v.effective_ms == NOW_MS + 7000); /* all nodes have it two seconds later */
	assert_string_equal(v.parent, first.digest);
	assert_string_not_equal(v.digest, first.digest);
	assert_string_equal(v.author, "jw");
	assert_string_equal(v.reason, "CHG-1");
	assert_string_equal(v.principal, "token:ci");
	assert_string_equal(v.hash_key, first.hash_key);
	assert_int_equal(strlen(v.hash_key), 16);
	assert_int_equal(intent_version(in, 2, &stored, NULL), 0);
	assert_memory_equal(&stored, &v, sizeof(v));
	assert_string_equal(last_event(in), "version 2 by jw (token:ci): CHG-1");
	/* A clock that has gone back: versions are in order all the same. */
	assert_int_equal(apply_words(in, "# three", plainly, NOW_MS + 5000, &v), 0);
	assert_true(v.time_ms == NOW_MS + 5001);
	assert_int_equal(apply_words(in, "# four", plainly, NOW_MS + 100, &v), 0);
	assert_true(v.time_ms == NOW_MS + 5002);
	assert_int_equal(apply_words(in, "# five", plainly, NOW_MS + 6000, &v), 0);
	assert_true(v.time_ms == NOW_MS + 6000);
	intent_close(in);
}

static void a_dry_run_says_what_would_be_and_changes_nothing(void **state)
{
	struct intent_change dry = { .dry_run = true, .confirm_within_ms = 7000 };
	struct intent *in = open_node(NOW_MS);
	struct version v;
	char dir[PATH_MAX];

	(void)state;
	assert_int_equal(apply_words(in, "# two", dry, NOW_MS + 10, &v), 0);
	assert_int_equal(v.number, 2);
	assert_true(v.confirm_by_ms == NOW_MS + 7010);
	assert_int_equal(v.confirm_left_ms, 7000);
	assert_int_equal(intent_head(in)->number, 1);
	assert_int_equal(intent_document(in), 1);
	snprintf(dir, sizeof(dir), "%s/config/%s", place.state, v.digest);
	assert_int_equal(access(dir, F_OK), -1); /* what was laid out for it is gone */
	snprintf(dir, sizeof(dir), "%s/config/%s", place.state, intent_head(in)->digest);
	assert_int_equal(access(dir, F_OK), 0);
	/* Of the files in force: they stay, too. */
	assert_int_equal(apply_words(in, "# two sites", dry, NOW_MS + 20, &v), 0);
	assert_int_equal(v.number, 1);
	assert_int_equal(access(dir, F_OK), 0);
	intent_close(in);
}

static void a_deadline_is_as_asked_or_as_the_risk_demands(void **state)
{
	static const struct {
		const char *why, *from, *to;
		int64_t asked_ms, has_ms;
	} rows[] = {
		{ "no risk", "# two sites", "# a", -1, 0 },
		{ "no risk, and asked", "# two sites", "# b", 1, 1 },
		{ "a risk", "port = 80", "port = 81", -1, 300000 },
		{ "a risk, and other words", "port = 80", "port = 82", 90000, 90000 },
		{ "a risk, and asked for none", "port = 80", "port = 83", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct intent *in = open_node(NOW_MS);
		struct files files = fixture_files(rows[i].from, rows[i].to);
		struct intent_change change = { .files = &files,
			                        .author = "jw",
			                        .reason = "",
			                        .confirm_within_ms = rows[i].asked_ms };
		struct intent_changed changed;

		assert_int_equal(intent_change(in, &change, NOW_MS + 10, &changed), 0);
		int64_t by_ms = rows[i].has_ms ? NOW_MS + 10 + rows[i].has_ms : 0;
		if (changed.confirm_within_ms != rows[i].has_ms ||
		    changed.version.confirm_by_ms != by_ms ||
		    changed.version.confirm_left_ms > rows[i].has_ms ||
		    changed.version.confirm_left_ms < rows[i].has_ms - 5000 ||
		    intent_head(in)->confirm_by_ms != by_ms)
			fail_msg("%s: %lld", rows[i].why, (long long)changed.confirm_within_ms);
		assert_string_equal(last_event(in),
		                    by_ms ? "version 2 by jw (weir) (to be confirmed)"
		                          : "version 2 by jw (weir)");
		intent_changed_fini(&changed);
		files_fini(&files);
		intent_close(in);
		teardown(NULL);
		setup(NULL);
	}
}

/* A first version needs no confirmation, whatever is asked: there is nothing to go back to. */
static void a_first_version_is_confirmed(void **state)
{
	struct intent_change asked = { .confirm_within_ms = 60000 };
	struct version v;

	(void)state;
	fixture_write(place.conf, FILES_MAIN, "schema = 1;\n");
	struct intent *in = open_node(NOW_MS);
	assert_null(intent_head(in));
	assert_int_equal(apply_words(in, "# one", asked, NOW_MS + 10, &v), 0);
	assert_int_equal(v.number, 1);
	assert_int_equal(intent_head(in)->confirm_by_ms, 0);
	assert_true(v.effective_ms == NOW_MS + 10);
	intent_close(in);
}

static void hide_store(bool hidden)
{
	char path[PATH_MAX], beside[PATH_MAX];

	snprintf(path, sizeof(path), "%s/store", place.state);
	snprintf(beside, sizeof(beside), "%s/beside", place.state);
	if (hidden) {
		assert_int_equal(rename(path, beside), 0);
		fixture_write(place.state, "store", "in the way");
	} else {
		assert_int_equal(unlink(path), 0);
		assert_int_equal(rename(beside, path), 0);
	}
}

static void without_a_store_versions_are_refused_and_overrides_taken(void **state)
{
	struct intent_change back = { .rollback_to = 1, .confirm_within_ms = 0 };
	struct override o = {
		.id = "n-1", .name = "ams", .generation = 1, .until_ms = MODEL_TIME_NEVER
	};
	struct version v;

	(void)state;
	intent_close(open_node(NOW_MS));
	hide_store(true);
	struct intent *in = open_node(NOW_MS + 10);
	assert_null(intent_store(in));
	assert_null(intent_store_to_read(in));
	assert_string_equal(intent_store_state(in), "failing");
	assert_true(strlen(intent_store_reason(in)) > 0);
	assert_int_equal(apply_words(in, "# two", plainly, NOW_MS + 20, NULL), -EROFS);
	assert_int_equal(apply_words(in, NULL, back, NOW_MS + 20, NULL), -EROFS);
	assert_int_equal(intent_version(in, 1, &v, NULL), -EROFS);
	assert_int_equal(intent_last_confirmed(in, &v), 0);
	assert_int_equal(intent_head(in)->number, 1);
	assert_int_equal(intent_merge(in, &o, 1, NOW_MS + 20), 1);
	assert_int_equal(intent_merge(in, &o, 1, NOW_MS + 20), 0);
	intent_close(in);
	hide_store(false);
}

static void a_large_number_of_versions_leaves_eight_laid_out(void **state)
{
	struct intent *in = open_node(NOW_MS);
	char dirs[10][PATH_MAX], words[32];

	(void)state;
	snprintf(dirs[0], PATH_MAX, "%s/config/%s", place.state, intent_head(in)->digest);
	for (int i = 1; i < 10; i++) {
		snprintf(words, sizeof(words), "# %d", i);
		assert_int_equal(apply_words(in, words, plainly, NOW_MS + i, NULL), 0);
		snprintf(dirs[i], PATH_MAX, "%s/config/%s", place.state, intent_head(in)->digest);
	}
	for (int i = 0; i < 10; i++)
		if ((access(dirs[i], F_OK) == 0) != (i >= 2))
			fail_msg("version %d", i + 1);
	assert_int_equal(intent_version(in, 1, &(struct version){ 0 }, NULL), 0);
	intent_close(in);
}

/* Versions of other nodes come while a candidate is read: what is laid out for it may be an old version's. */
static void what_a_candidate_reads_stays_laid_out(void **state)
{
	struct intent *in = open_node(NOW_MS);
	struct intent_change back = { .rollback_to = 1, .author = "jw", .reason = "" };
	struct intent_candidate c;
	char dirs[2][PATH_MAX], words[32];

	(void)state;
	for (uint32_t i = 1; i <= RECENT_MAX; i++) {
		if (i <= 2)
			snprintf(dirs[i - 1], PATH_MAX, "%s/config/%s", place.state,
			         intent_head(in)->digest);
		snprintf(words, sizeof(words), "# %u", i);
		if (i < RECENT_MAX)
			assert_int_equal(apply_words(in, words, plainly, NOW_MS + i, NULL), 0);
	}
	assert_int_equal(intent_candidate_begin(in, &back, NOW_MS + 50, &c), 0);
	for (int i = 0; i < 2; i++) {
		struct recent other;

		assert_int_equal(intent_load_one(in, intent_head(in), &other), 0);
		intent_push_recent(in, &other);
		effective_follow(in, NOW_MS + 60);
	}
	assert_int_equal(access(dirs[0], F_OK), 0); /* the candidate's */
	assert_int_equal(access(dirs[1], F_OK), -1);
	intent_candidate_read(in, &c);
	assert_int_equal(c.err, 0);
	intent_candidate_drop(in, &c);
	assert_int_equal(access(dirs[0], F_OK), -1);
	intent_close(in);
}

/* An upload that no version names goes with the next change, once it is old. */
static void a_change_removes_old_uploads(void **state)
{
	char digest[DIGEST_TEXT_MAX], path[PATH_MAX];
	struct timespec old[2] = { { .tv_sec = NOW_MS / 1000 - 7 * 86400 },
		                   { .tv_sec = NOW_MS / 1000 - 7 * 86400 } };
	struct intent *in = open_node(NOW_MS);
	uint64_t have;

	(void)state;
	digest_bytes("upload", 6, digest);
	assert_false(intent_has_file(in, digest, &have));
	assert_int_equal(have, 0);
	assert_int_equal(blobs_add(place.state, digest, 6, 0, "upl", 3), 0);
	assert_false(intent_has_file(in, digest, &have));
	assert_int_equal(have, 3);
	assert_int_equal(blobs_add(place.state, digest, 6, 3, "oad", 3), 0);
	assert_true(intent_has_file(in, digest, &have));
	assert_int_equal(have, 6);
	assert_int_equal(apply_words(in, "# two", plainly, NOW_MS + 10, NULL), 0);
	assert_int_equal(blobs_path(place.state, digest, path), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	assert_true(intent_has_file(in, digest, &have));
	assert_int_equal(apply_words(in, "# three", plainly, NOW_MS + 20, NULL), 0);
	assert_false(intent_has_file(in, digest, &have));
	intent_close(in);
}

/* A file of a change comes from what was uploaded, or from any version of ours. */
static void files_are_found_by_digest_or_refused(void **state)
{
	char digest[DIGEST_TEXT_MAX], zone[DIGEST_TEXT_MAX], none[DIGEST_TEXT_MAX], path[PATH_MAX];
	struct intent *in = open_node(NOW_MS);
	struct files files = { 0 };
	uint64_t have;

	(void)state;
	digest_bytes("upload", 6, digest);
	digest_bytes(fixture_zone, strlen(fixture_zone), zone);
	digest_bytes("none", 4, none);
	assert_true(intent_has_file(in, zone, &have));
	assert_int_equal(intent_find_file(in, "z", zone, strlen(fixture_zone), &files), 0);
	assert_string_equal(files_find(&files, "z")->digest, zone);
	assert_int_equal(intent_find_file(in, "n", none, 4, &files), -ENOENT);
	assert_int_equal(blobs_add(place.state, digest, 6, 0, "upl", 3), 0);
	assert_int_equal(intent_find_file(in, "u", digest, 6, &files), -ENOENT); /* not all of it */
	assert_int_equal(blobs_add(place.state, digest, 6, 3, "oad", 3), 0);
	assert_int_equal(intent_find_file(in, "u", digest, 5, &files), -EBADMSG);
	assert_null(files_find(&files, "u"));
	assert_int_equal(intent_find_file(in, "u", digest, 6, &files), 0);
	assert_int_equal(files_find(&files, "u")->n_bytes, 6);
	assert_memory_equal(files_find(&files, "u")->bytes, "upload", 6);
	assert_int_equal(intent_find_file(in, "../u", digest, 6, &files), -EINVAL);
	/* It is damaged at equal length. */
	assert_int_equal(blobs_path(place.state, digest, path), 0);
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "U", 1, 0), 1);
	close(fd);
	assert_int_equal(intent_find_file(in, "v", digest, 6, &files), -EBADMSG);
	files_fini(&files);
	intent_close(in);
}

/* What people keep out of service goes by names: a plan says when a change gives a target another one, as it returns. */
static void a_rename_that_ends_an_override_is_risky(void **state)
{
	static const struct {
		const char *from, *to, *target;
		enum model_override_kind kind;
		int64_t until_ms;
		bool ended, is_risky;
	} rows[] = {
		{ "\"b2\"", "\"b9\"", "b2", MODEL_OVERRIDE_DISABLE, MODEL_TIME_NEVER, false, true },
		{ "\"b2\"", "\"b9\"", "b2", MODEL_OVERRIDE_DRAIN, MODEL_TIME_NEVER, false, true },
		{ "\"b2\"", "\"b9\"", "b2", MODEL_OVERRIDE_FORCE_UP, MODEL_TIME_NEVER, false,
		  true },
		/* of another, over, or still there */
		{ "\"b2\"", "\"b9\"", "b1", MODEL_OVERRIDE_DISABLE, MODEL_TIME_NEVER, false,
		  false },
		{ "\"b2\"", "\"b9\"", "b2", MODEL_OVERRIDE_DISABLE, NOW_MS + 5, false, false },
		{ "\"b2\"", "\"b9\"", "b2", MODEL_OVERRIDE_DISABLE, NOW_MS + 5, true, false },
		{ "# two", "# too", "b2", MODEL_OVERRIDE_DISABLE, MODEL_TIME_NEVER, false, false },
		/* another server by the same name: the override is its */
		{ "10.1.1.12\"; weight = 100", "10.1.1.13\"; weight = 1", "b2",
		  MODEL_OVERRIDE_DISABLE, MODEL_TIME_NEVER, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct override o = { .id = "n-1",
			              .kind = rows[i].kind,
			              .target = MODEL_TARGET_BACKEND,
			              .pool = "web-ams",
			              .generation = 1,
			              .created_ms = NOW_MS,
			              .from_ms = NOW_MS,
			              .until_ms = rows[i].until_ms,
			              .ended = rows[i].ended };
		struct files files = fixture_files(rows[i].from, rows[i].to);
		struct intent_change change = { .files = &files,
			                        .author = "jw",
			                        .reason = "",
			                        .dry_run = true,
			                        .confirm_within_ms = -1 };
		struct intent_changed changed = { 0 };
		struct intent *in = open_node(NOW_MS);
		const char *found = NULL;

		snprintf(o.name, sizeof(o.name), "%s", rows[i].target);
		assert_int_equal(intent_merge(in, &o, 1, NOW_MS + 1), 1);
		assert_int_equal(intent_change(in, &change, NOW_MS + 10, &changed), 0);
		for (size_t k = 0; k < changed.plan.n_risks; k++)
			if (!strcmp(changed.plan.risks[k].rule->name, "override-lost"))
				found = changed.plan.risks[k].text;
		if (!found == rows[i].is_risky)
			fail_msg("%zu: %s", i, found ? found : "no risk");
		if (found) {
			assert_non_null(strstr(
			        found,
			        "pool web-ams: backend b2 becomes b9, without override n-1: "));
			assert_int_equal(changed.plan.n_risks_all, 1);
			assert_true(changed.confirm_within_ms > 0);
		}
		intent_changed_fini(&changed);
		files_fini(&files);
		intent_close(in);
		assert_int_equal(files_remove_dir(place.state), 0);
		assert_int_equal(mkdir(place.state, 0755), 0);
	}
}

/*
 * Going back to what was confirmed needs no confirmation, whatever is asked; nothing joins it,
 * nothing is confirmed by it.
 */
static void a_return_to_the_confirmed_version_waits_for_nobody(void **state)
{
	static const enum intent_pending how[] = { INTENT_PENDING_REFUSE, INTENT_PENDING_CONFIRM,
		                                   INTENT_PENDING_JOIN };
	struct intent *in = open_node(NOW_MS);
	struct version v, undone;
	int64_t now_ms = NOW_MS;

	(void)state;
	for (size_t i = 0; i < COUNT(how); i++) {
		const struct intent_change waits = { .confirm_within_ms = 60000 },
		                           other = { .confirm_within_ms = 0 },
		                           back = { .confirm_within_ms = 60000, .pending = how[i] };

		assert_int_equal(apply_words(in, "# next", waits, now_ms += 10, &undone), 0);
		assert_true(undone.confirm_by_ms > 0);
		assert_int_equal(apply_words(in, "# other", other, now_ms += 10, NULL), -EBUSY);
		assert_int_equal(apply_words(in, "# two sites", back, now_ms += 10, &v), 0);
		assert_int_equal(v.number, 1);
		assert_int_equal(v.confirm_by_ms, 0);
		assert_int_equal(intent_head(in)->confirm_by_ms, 0);
		assert_int_equal(intent_head(in)->number, v.number);
		assert_int_equal(intent_version(in, undone.number, &v, NULL), 0);
		assert_true(v.confirm_within_ms > 0);
	}
	intent_close(in);
}

/* A bad zone keeps the file of the version in force, not that of an earlier one. */
static void a_skipped_zone_keeps_the_file_of_the_head(void **state)
{
	static const char bad[] = "@ SOA ns1 host 3 60 60 60 60\n@ NS ns1\nns1 A 1.2.3\n";
	struct intent *in = open_node(NOW_MS);
	struct intent_changed changed = { 0 };
	struct files files = fixture_files(NULL, NULL), one = { 0 };
	struct intent_change change = { .files = &files, .author = "jw", .reason = "" };
	char second[512];

	(void)state;
	snprintf(second, sizeof(second), "%s; the second\n", fixture_zone);
	assert_int_equal(files_add(&one, "good", second, strlen(second)), 0);
	assert_int_equal(files_add(&one, "bad", bad, strlen(bad)), 0);
	assert_int_equal(files_put(&files, "shop.example.zone", files_find(&one, "good")), 0);
	assert_int_equal(intent_change(in, &change, NOW_MS + 10, &changed), 0);
	intent_changed_fini(&changed);
	files_fini(&files);
	files = fixture_files("# two sites", "# third");
	assert_int_equal(files_put(&files, "shop.example.zone", files_find(&one, "bad")), 0);
	assert_int_equal(intent_change(in, &change, NOW_MS + 20, &changed), -EINVAL);
	assert_int_equal(intent_head(in)->number, 2);
	intent_changed_fini(&changed);
	change.skip_bad_zones = true;
	assert_int_equal(intent_change(in, &change, NOW_MS + 30, &changed), 0);
	assert_int_equal(changed.skipped.n_skipped, 1);
	assert_string_equal(changed.skipped.skipped[0], "shop.example");
	assert_true(changed.skipped.n_warnings > 0); /* why */
	assert_non_null(strstr(changed.skipped.warnings[0], "shop.example.zone:"));
	assert_int_equal(changed.errors.n_items, 0);
	intent_changed_fini(&changed);
	assert_int_equal(intent_head(in)->number, 3);
	assert_string_equal(files_find(intent_head_files(in), "shop.example.zone")->bytes, second);
	assert_non_null(strstr(files_find(intent_head_files(in), FILES_MAIN)->bytes, "# third"));
	files_fini(&files);
	files_fini(&one);
	intent_close(in);
}

SUITE(changes)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_rename_that_ends_an_override_is_risky, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_return_to_the_confirmed_version_waits_for_nobody,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_skipped_zone_keeps_the_file_of_the_head, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_version_s_record_says_who_when_and_from_what,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_dry_run_says_what_would_be_and_changes_nothing,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_deadline_is_as_asked_or_as_the_risk_demands,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_first_version_is_confirmed, setup, teardown),
		cmocka_unit_test_setup_teardown(
		        without_a_store_versions_are_refused_and_overrides_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(a_large_number_of_versions_leaves_eight_laid_out,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_change_removes_old_uploads, setup, teardown),
		cmocka_unit_test_setup_teardown(files_are_found_by_digest_or_refused, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(what_a_candidate_reads_stays_laid_out, setup,
		                                teardown),
	};

	return cmocka_run_group_tests_name("changes", tests, NULL, NULL);
}
