/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <errno.h>

#include "mgmt/store/join.h"

/* The fixture's files, of which the node of fra has an API address. */
static struct files own_files(void)
{
	return fixture_files(
	        "dns_listen = [ \"198.51.100.53\" ];",
	        "dns_listen = [ \"198.51.100.53\" ]; api = \"https://10.2.0.1:8443\";");
}

static void make_peers(struct fixture *f)
{
	struct files files = own_files();

	fixture_make(f);
	fixture_write(f->conf, FILES_MAIN, files_find(&files, FILES_MAIN)->bytes);
	files_fini(&files);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	make_peers(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_remove(*state);
	free(*state);
	return 0;
}

static struct intent *open_to(const struct fixture *f, const char *node, enum intent_start start,
                              int64_t now_ms)
{
	struct intent_options options = {
		.conf_dir = f->conf, .state_dir = f->state, .node = node, .start = start
	};
	struct intent *in = NULL;

	assert_int_equal(intent_open(&options, now_ms, &in), 0);
	return in;
}

static struct version version_of(uint64_t number, char digest, bool provisional)
{
	struct version v = { .number = number };

	memset(v.digest, digest, DIGEST_TEXT_MAX - 1);
	snprintf(v.author, sizeof(v.author), "%s", provisional ? "first start" : "jw");
	snprintf(v.reason, sizeof(v.reason), "%s",
	         provisional ? "read from the configuration directory" : "CHG-1");
	return v;
}

static void how_versions_stand_to_each_other(void **state)
{
	enum { UNDECIDED = -1 };
	static const struct {
		const char *why;
		struct {
			unsigned number;
			char digest;
			bool provisional;
		} ours, theirs;
		int expected;
	} rows[] = {
		{ "two that start from one file", { 1, 'a', 1 }, { 1, 'a', 1 }, INTENT_AGREED },
		{ "two that start from two files", { 1, 'a', 1 }, { 1, 'b', 1 }, UNDECIDED },
		{ "an applied one replaces ours", { 1, 'a', 1 }, { 20, 'b', 0 }, INTENT_AHEAD },
		{ "so does an applied first one", { 1, 'a', 1 }, { 1, 'b', 0 }, INTENT_AHEAD },
		{ "and the record of an equal one", { 1, 'a', 1 }, { 1, 'a', 0 }, INTENT_AHEAD },
		{ "ours replaces theirs", { 20, 'a', 0 }, { 1, 'b', 1 }, INTENT_BEHIND },
		{ "one that has the same already", { 1, 'a', 0 }, { 1, 'a', 1 }, INTENT_AGREED },
		{ "equal digests, theirs is later", { 5, 'a', 0 }, { 6, 'a', 0 }, INTENT_AHEAD },
		{ "equal digests, ours is later", { 6, 'a', 0 }, { 5, 'a', 0 }, INTENT_BEHIND },
		{ "one version", { 6, 'a', 0 }, { 6, 'a', 0 }, INTENT_AGREED },
		{ "what history must say", { 6, 'a', 0 }, { 7, 'b', 0 }, UNDECIDED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct version ours = version_of(rows[i].ours.number, rows[i].ours.digest,
		                                 rows[i].ours.provisional);
		struct version theirs = version_of(rows[i].theirs.number, rows[i].theirs.digest,
		                                   rows[i].theirs.provisional);
		enum intent_relation relation = INTENT_DIVERGED;
		bool decided = join_relate(&ours, &theirs, &relation);

		if ((decided ? (int)relation : UNDECIDED) != rows[i].expected)
			fail_msg("%s: %d", rows[i].why, decided ? (int)relation : UNDECIDED);
	}
}

static void only_an_untouched_first_version_is_provisional(void **state)
{
	struct version v = version_of(1, 'a', true);

	(void)state;
	assert_true(join_is_provisional(&v));
	v.number = 2;
	assert_false(join_is_provisional(&v));
	v.number = 1;
	memset(v.parent, 'b', DIGEST_TEXT_MAX - 1);
	assert_false(join_is_provisional(&v));
	v = version_of(1, 'a', false);
	assert_false(join_is_provisional(&v));
}

static void a_node_that_joins_puts_nothing_in_force(void **state)
{
	struct intent *in = open_to(*state, "ams-1", INTENT_JOIN, NOW_MS);

	assert_true(join_waits(in));
	assert_null(intent_head(in));
	assert_null(intent_model(in));
	assert_int_equal(join_model(in)->n_nodes, 2);
	intent_tick(in, NOW_MS + 1000);
	assert_int_equal(intent_document(in), 0);
	join_start_alone(in, NOW_MS + 5000);
	assert_false(join_waits(in));
	assert_true(join_is_provisional(intent_head(in)));
	assert_int_equal(intent_document(in), 1);
	intent_close(in);
	in = open_to(*state, "ams-1", INTENT_JOIN, NOW_MS + 6000);
	assert_false(join_waits(in)); /* it has a version now */
	intent_close(in);
}

/* The line that weir config show prints first names where a file is from, and is no part of it. */
static void the_line_of_the_base_is_no_part_of_the_first_version(void **state)
{
	static const enum intent_start starts[] = { INTENT_ALONE, INTENT_BOOTSTRAP };
	const struct fixture *f = *state;
	struct files files = own_files();
	char text[9000], digest[DIGEST_TEXT_MAX];

	files_digest(&files, digest);
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		snprintf(text, sizeof(text), "# weir base v7-0123456789abcdef\n%s",
		         files_find(&files, FILES_MAIN)->bytes);
		fixture_write(f->conf, FILES_MAIN, text);
		struct intent *in = open_to(f, "ams-1", starts[i], NOW_MS);

		assert_string_equal(intent_head(in)->digest, digest);
		intent_close(in);
		fixture_remove(*state);
		make_peers(*state);
	}
	files_fini(&files);
}

/* A second node, with a version 2 that was applied there. */
static struct intent *open_other(struct fixture *f, struct intent_offer offers[2], int64_t now_ms)
{
	struct intent_changed changed = { 0 };
	struct files files = fixture_files("weight = 100; },\n                 {",
	                                   "weight = 90; },\n                 {");
	struct intent_change change = { .files = &files, .author = "jw", .reason = "CHG-1" };

	fixture_make(f);
	struct intent *in = open_to(f, "fra-1", INTENT_BOOTSTRAP, now_ms);
	assert_false(join_is_provisional(intent_head(in)));
	assert_int_equal(intent_change(in, &change, now_ms + 10, &changed), 0);
	intent_changed_fini(&changed);
	files_fini(&files);
	for (uint64_t i = 0; i < 2; i++)
		assert_int_equal(intent_version(in, i + 1, &offers[i].version, &offers[i].files),
		                 0);
	return in;
}

static void an_applied_version_of_a_peer_is_taken(void **state)
{
	struct intent_offer offers[2] = { 0 };
	struct fixture second;
	struct intent *b = open_other(&second, offers, NOW_MS - 100000);
	bool waits[] = { true, false };

	for (int i = 0; i < 2; i++) { /* by one that waits, and by one that has begun alone */
		struct intent *a = open_to(*state, "ams-1", i ? INTENT_ALONE : INTENT_JOIN, NOW_MS);

		assert_true(join_waits(a) == waits[i]);
		assert_int_equal(intent_relate(a, &offers[1].version, 1), INTENT_AHEAD);
		assert_false(join_has(a, &offers[0].version));
		assert_int_equal(intent_accept(a, &offers[1], 1, NOW_MS + 10), 0);
		assert_int_equal(intent_head(a)->number, 2);
		assert_int_equal(intent_relate(a, &offers[1].version, 1), INTENT_AGREED);
		assert_int_equal(intent_version(a, 1, &(struct version){ 0 }, NULL), -ENOENT);
		intent_close(a);
		fixture_remove(*state);
		make_peers(*state);
	}
	for (int i = 0; i < 2; i++)
		files_fini(&offers[i].files);
	intent_close(b);
	fixture_remove(&second);
}

static void a_peer_s_provisional_version_is_taken_only_if_it_is_our_own_file(void **state)
{
	struct intent *in = open_to(*state, "ams-1", INTENT_JOIN, NOW_MS);
	struct files files = own_files();
	struct version v = version_of(1, 'a', true);

	assert_int_equal(intent_relate(in, &v, 1), INTENT_BEHIND);
	files_digest(&files, v.digest);
	assert_int_equal(intent_relate(in, &v, 1), INTENT_AHEAD);
	files_fini(&files);
	intent_close(in);
}

static void a_person_settles_a_provisional_version(void **state)
{
	struct intent *in = open_to(*state, "ams-1", INTENT_ALONE, NOW_MS);
	char digest[DIGEST_TEXT_MAX];

	memcpy(digest, intent_head(in)->digest, sizeof(digest));
	assert_int_equal(join_settle(in, "jw", "ours", NOW_MS + 10), 0);
	assert_int_equal(join_settle(in, "jw", "ours", NOW_MS + 20), -EALREADY);
	intent_close(in);
	in = open_to(*state, "ams-1", INTENT_ALONE, NOW_MS + 1000);
	assert_int_equal(intent_head(in)->number, 1);
	assert_string_equal(intent_head(in)->digest, digest);
	assert_string_equal(intent_head(in)->author, "jw");
	intent_close(in);
}

static void applying_the_file_of_a_provisional_version_settles_it(void **state)
{
	struct intent *in = open_to(*state, "ams-1", INTENT_ALONE, NOW_MS);
	struct files files = own_files();
	struct intent_change change = { .files = &files,
		                        .author = "jw",
		                        .reason = "first",
		                        .dry_run = true,
		                        .confirm_within_ms = -1 };
	struct intent_changed changed;

	assert_int_equal(intent_change(in, &change, NOW_MS + 10, &changed), 0);
	assert_true(changed.settles && !changed.changed);
	intent_changed_fini(&changed);
	assert_true(join_is_provisional(intent_head(in))); /* a dry run */
	change.dry_run = false;
	assert_int_equal(intent_change(in, &change, NOW_MS + 20, &changed), 0);
	assert_true(changed.settles && !changed.changed);
	assert_string_equal(changed.version.author, "jw");
	intent_changed_fini(&changed);
	assert_false(join_is_provisional(intent_head(in)));
	assert_int_equal(intent_head(in)->number, 1);
	assert_int_equal(intent_change(in, &change, NOW_MS + 30, &changed), 0);
	assert_false(changed.settles || changed.changed); /* once */
	intent_changed_fini(&changed);
	files_fini(&files);
	intent_close(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_versions_stand_to_each_other),
		cmocka_unit_test(only_an_untouched_first_version_is_provisional),
		cmocka_unit_test_setup_teardown(a_node_that_joins_puts_nothing_in_force, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(
		        the_line_of_the_base_is_no_part_of_the_first_version, setup, teardown),
		cmocka_unit_test_setup_teardown(an_applied_version_of_a_peer_is_taken, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(
		        a_peer_s_provisional_version_is_taken_only_if_it_is_our_own_file, setup,
		        teardown),
		cmocka_unit_test_setup_teardown(a_person_settles_a_provisional_version, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(
		        applying_the_file_of_a_provisional_version_settles_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
