/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a node's first version comes from, and what is said of it.
 */
#include "fixture.h"

#include <errno.h>

#include "mgmt/store/bootstrap.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define AMS_LISTEN "dns_listen = [ \"192.0.2.53\" ];"
#define FRA_LISTEN "dns_listen = [ \"198.51.100.53\" ];"

static struct fixture place;

/* A node whose own file is the fixture's with @p from replaced by @p to. */
static void make_node(const char *from, const char *to)
{
	struct files files = fixture_files(from, to);

	fixture_make(&place);
	fixture_write(place.conf, FILES_MAIN, files_find(&files, FILES_MAIN)->bytes);
	files_fini(&files);
}

static struct intent *open_node(const char *node, bool shares, int64_t now_ms)
{
	struct intent_options options = {
		.conf_dir = place.conf, .state_dir = place.state, .node = node, .shares = shares
	};
	struct intent *in = NULL;

	assert_int_equal(intent_open(&options, now_ms, &in), 0);
	return in;
}

/* One that shares intent waits for the store; whoever has an address. */
static void a_node_waits_only_if_it_shares_intent(void **state)
{
	(void)state;
	for (int shares = 0; shares < 2; shares++)
		for (int has_peer = 0; has_peer < 2; has_peer++) {
			make_node(has_peer ? FRA_LISTEN : NULL,
			          FRA_LISTEN " api = \"https://10.2.0.1:8443\";");
			struct intent *in = open_node("ams-1", shares, NOW_MS);

			assert_int_equal(join_waits(in), shares);
			assert_int_equal(!intent_head(in), shares);
			assert_int_equal(!intent_model(in), shares);
			assert_string_equal(join_model(in)->self->name, "ams-1");
			assert_string_equal(join_refused(in), "");
			intent_tick(in, NOW_MS + 500);
			assert_int_equal(intent_document(in), !shares);
			join_start_alone(in, NOW_MS + 1000); /* nothing where it does not wait */
			assert_false(join_waits(in));
			assert_int_equal(intent_document(in), 1);
			assert_int_equal(intent_head(in)->number, 1);
			assert_int_equal(intent_head(in)->time_ms, NOW_MS + (shares ? 1000 : 0));
			assert_string_equal(intent_head(in)->author, "first start");
			assert_string_equal(intent_head(in)->reason,
			                    "read from the configuration directory");
			assert_true(join_is_provisional(intent_head(in)));
			intent_close(in);
			in = open_node("ams-1", shares, NOW_MS + 6000);
			assert_false(join_waits(in)); /* it has a version now */
			intent_close(in);
			fixture_remove(&place);
		}
}

/* Nobody decides for several nodes without a store: their configuration stays as it is. */
static void of_several_nodes_without_a_store_none_changes_anything(void **state)
{
	static const struct {
		const char *why, *from, *to, *node;
		bool is_refused;
	} rows[] = {
		{ "no node has an address", NULL, NULL, "ams-1", false },
		{ "only it has one itself", AMS_LISTEN,
		  AMS_LISTEN " api = \"https://10.1.0.1:8443\";", "ams-1", false },
		{ "the first node has one, it is the second", AMS_LISTEN,
		  AMS_LISTEN " api = \"https://10.1.0.1:8443\";", "fra-1", true },
		{ "the last node has one, it is the first", FRA_LISTEN,
		  FRA_LISTEN " api = \"https://10.2.0.1:8443\";", "ams-1", true },
		{ "the last node has one, and is it", FRA_LISTEN,
		  FRA_LISTEN " api = \"https://10.2.0.1:8443\";", "fra-1", false },
	};

	(void)state;
	/* the head names them, or the files that are to follow */
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int is_head = 0; is_head < 2; is_head++) {
			struct files files =
			        is_head ? fixture_files("# two sites", "# another")
			                : fixture_files(rows[i].from ? rows[i].from : "# two sites",
			                                rows[i].from ? rows[i].to : "# another");
			struct intent_change change = { .files = &files,
				                        .author = "jw",
				                        .reason = "x" };
			struct intent_changed changed = { 0 };

			make_node(is_head ? rows[i].from : NULL, rows[i].to);
			struct intent *in = open_node(rows[i].node, false, NOW_MS);
			int err = intent_change(in, &change, NOW_MS + 10, &changed);

			if (err != (rows[i].is_refused ? -ENOLINK : 0) ||
			    intent_head(in)->number != (rows[i].is_refused ? 1 : 2))
				fail_msg("%s: %d", rows[i].why, err);
			intent_changed_fini(&changed);
			change.dry_run = true;
			assert_int_equal(intent_change(in, &change, NOW_MS + 20, &changed), err);
			intent_changed_fini(&changed);
			change.pending = INTENT_PENDING_IGNORE; /* a plan may be seen */
			assert_int_equal(intent_change(in, &change, NOW_MS + 20, &changed), 0);
			intent_changed_fini(&changed);
			files_fini(&files);
			intent_close(in);
			fixture_remove(&place);
		}
}

/* What is edited is in force after a restart, unless the node is alone, or the file has a mistake. */
static void while_no_store_decides_a_node_runs_its_file(void **state)
{
	static const struct {
		bool has_peer, shares, is_read;
	} rows[] = { { false, false, false }, { true, false, true }, { false, true, true } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct version list[3];
		char digest[DIGEST_TEXT_MAX], text[9000];

		make_node(rows[i].has_peer ? FRA_LISTEN : NULL,
		          FRA_LISTEN " api = \"https://10.2.0.1:8443\";");
		struct intent *in = open_node("ams-1", rows[i].shares, NOW_MS);
		join_start_alone(in, NOW_MS);
		memcpy(digest, intent_head(in)->digest, sizeof(digest));
		snprintf(text, sizeof(text), "# edited\n%s",
		         files_find(intent_head_files(in), FILES_MAIN)->bytes);
		intent_close(in);
		for (int again = 0; again < 2; again++) {
			in = open_node("ams-1", rows[i].shares, NOW_MS + 1000);
			assert_string_equal(intent_head(in)->digest, digest);
			assert_int_equal(intent_head(in)->time_ms, NOW_MS); /* it is the same one */
			intent_close(in);
		}
		fixture_write(place.conf, FILES_MAIN, text);
		in = open_node("ams-1", rows[i].shares, NOW_MS + 2000);
		assert_int_equal(strcmp(intent_head(in)->digest, digest) != 0, rows[i].is_read);
		assert_true(join_is_provisional(intent_head(in)));
		assert_int_equal(store_versions(intent_store(in), 0, list, 3), 1);
		memcpy(digest, intent_head(in)->digest, sizeof(digest));
		intent_close(in);
		fixture_write(place.conf, FILES_MAIN, "schema = 1; nonsense = 1;\n");
		in = open_node("ams-1", rows[i].shares, NOW_MS + 3000);
		assert_string_equal(intent_head(in)->digest, digest);
		intent_close(in);
		fixture_remove(&place);
	}
}

/* The line that weir config show prints first names where a file is from, and is no part of it. */
static void the_line_of_the_base_is_no_part_of_the_first_version(void **state)
{
	struct files files = fixture_files(NULL, NULL);
	char text[9000], digest[DIGEST_TEXT_MAX];

	(void)state;
	files_digest(&files, digest);
	for (int shares = 0; shares < 2; shares++) {
		make_node(NULL, NULL);
		snprintf(text, sizeof(text), "# weir base v7-0123456789abcdef\n%s", fixture_config);
		fixture_write(place.conf, FILES_MAIN, text);
		struct intent *in = open_node("ams-1", shares, NOW_MS);

		join_start_alone(in, NOW_MS);
		assert_string_equal(intent_head(in)->digest, digest);
		intent_close(in);
		fixture_remove(&place);
	}
	files_fini(&files);
}

static void each_part_of_the_record_makes_it_provisional(void **state)
{
	const struct version first = { .number = 1,
		                       .author = "first start",
		                       .reason = "read from the configuration directory" };
	struct version v = first;

	(void)state;
	assert_true(join_is_provisional(&v));
	v.number = 0;
	assert_false(join_is_provisional(&v));
	v = first;
	v.parent[0] = 'a';
	assert_false(join_is_provisional(&v));
	v = first;
	snprintf(v.author, sizeof(v.author), "jw");
	assert_false(join_is_provisional(&v));
	v = first;
	snprintf(v.reason, sizeof(v.reason), "CHG-1");
	assert_false(join_is_provisional(&v));
}

/*
 * The first mistake is shown until there is a version; a file that is not there is said in the
 * log alone.
 */
static void a_file_with_a_mistake_is_refused_and_says_where(void **state)
{
	static const struct {
		const char *from, *to, *why;
	} rows[] = {
		{ "port = 80; hash", "port = 90000; hash", "line 19: services[0].port: " },
		{ "site = \"fra\"; check = \"web\"; mode = \"ipip\"",
		  "site = \"fra\"; check = \"web\"; mode = \"iip\"", "line 15: pools[1].mode: " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		make_node(rows[i].from, rows[i].to);
		struct intent *in = open_node("ams-1", false, NOW_MS);

		assert_false(join_waits(in)); /* nobody can be asked by such a file */
		assert_null(intent_head(in));
		assert_null(join_model(in));
		if (strncmp(join_refused(in), rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("%s", join_refused(in));
		assert_true(strlen(join_refused(in)) > strlen(rows[i].why));
		join_start_alone(in, NOW_MS + 10); /* it did not wait */
		assert_null(intent_head(in));
		struct files good = fixture_files(NULL, NULL);
		struct intent_change change = { .files = &good, .author = "jw", .reason = "good" };
		struct intent_changed changed = { 0 };
		assert_int_equal(intent_change(in, &change, NOW_MS + 30, &changed), 0);
		assert_string_equal(join_refused(in), "");
		intent_changed_fini(&changed);
		files_fini(&good);
		intent_close(in);
		fixture_remove(&place);
	}
}

static void a_node_without_a_file_has_nothing_in_force(void **state)
{
	char path[PATH_MAX];

	(void)state;
	make_node(NULL, NULL);
	snprintf(path, sizeof(path), "%s/" FILES_MAIN, place.conf);
	assert_int_equal(unlink(path), 0);
	struct intent *in = open_node("ams-1", false, NOW_MS);
	assert_false(join_waits(in));
	assert_null(intent_head(in));
	assert_string_equal(join_refused(in), "");
	intent_close(in);
	fixture_remove(&place);
}

SUITE(join_start)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_waits_only_if_it_shares_intent),
		cmocka_unit_test(of_several_nodes_without_a_store_none_changes_anything),
		cmocka_unit_test(while_no_store_decides_a_node_runs_its_file),
		cmocka_unit_test(the_line_of_the_base_is_no_part_of_the_first_version),
		cmocka_unit_test(each_part_of_the_record_makes_it_provisional),
		cmocka_unit_test(a_file_with_a_mistake_is_refused_and_says_where),
		cmocka_unit_test(a_node_without_a_file_has_nothing_in_force),
	};

	return cmocka_run_group_tests_name("join start", tests, NULL, NULL);
}
