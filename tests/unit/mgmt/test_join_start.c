/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a node's first version comes from, who may make it the cluster's, and what is said of it.
 */
#include "fixture.h"

#include <errno.h>

#include "mgmt/store/join.h"

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

static struct intent *open_node(const char *node, enum intent_start start, int64_t now_ms)
{
	struct intent_options options = {
		.conf_dir = place.conf, .state_dir = place.state, .node = node, .start = start
	};
	struct intent *in = NULL;

	assert_int_equal(intent_open(&options, now_ms, &in), 0);
	return in;
}

static bool has_event(const struct intent *in, const char *text)
{
	const struct journal *j = intent_journal((struct intent *)(uintptr_t)in);

	for (uint64_t id = journal_oldest(j); id <= journal_last(j); id++)
		if (strstr(journal_find(j, id)->message, text))
			return true;
	return false;
}

static void a_node_waits_only_if_its_file_names_another_node_s_api(void **state)
{
	static const struct {
		const char *why, *from, *to, *node;
		bool waits;
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
	for (size_t i = 0; i < COUNT(rows); i++) {
		make_node(rows[i].from, rows[i].to);
		struct intent *in = open_node(rows[i].node, INTENT_JOIN, NOW_MS);

		if (join_waits(in) != rows[i].waits || !intent_head(in) != rows[i].waits)
			fail_msg("%s", rows[i].why);
		assert_ptr_equal(join_model(in) == intent_model(in), !rows[i].waits);
		assert_string_equal(join_refused(in), "");
		join_start_alone(in, NOW_MS + 1000); /* nothing where it does not wait */
		assert_int_equal(intent_head(in)->number, 1);
		assert_int_equal(intent_head(in)->time_ms, NOW_MS + (rows[i].waits ? 1000 : 0));
		assert_string_equal(intent_head(in)->author, "first start");
		assert_string_equal(intent_head(in)->reason,
		                    "read from the configuration directory");
		assert_true(join_is_provisional(intent_head(in)));
		intent_close(in);
		fixture_remove(&place);
	}
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
	v.n_supersedes = 1;
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
		struct intent *in = open_node("ams-1", INTENT_JOIN, NOW_MS);

		assert_false(join_waits(in)); /* nobody can be asked by such a file */
		assert_null(intent_head(in));
		assert_null(join_model(in));
		if (strncmp(join_refused(in), rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("%s", join_refused(in));
		assert_true(strlen(join_refused(in)) > strlen(rows[i].why));
		join_start_alone(in, NOW_MS + 10); /* it did not wait */
		assert_null(intent_head(in));
		assert_int_equal(join_settle(in, "jw", "x", NOW_MS + 20), -ENOENT);
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
	struct intent *in = open_node("ams-1", INTENT_JOIN, NOW_MS);
	assert_false(join_waits(in));
	assert_null(intent_head(in));
	assert_string_equal(join_refused(in), "");
	intent_close(in);
	fixture_remove(&place);
}

static void bootstrap_makes_an_applied_version_also_at_a_later_start(void **state)
{
	static const enum intent_start firsts[] = { INTENT_BOOTSTRAP, INTENT_ALONE };

	(void)state;
	for (size_t i = 0; i < COUNT(firsts); i++) {
		make_node(NULL, NULL);
		struct intent *in = open_node("ams-1", firsts[i], NOW_MS);
		assert_int_equal(join_is_provisional(intent_head(in)), firsts[i] == INTENT_ALONE);
		intent_close(in);
		for (int again = 0; again < 2; again++) { /* a second one changes nothing */
			in = open_node("ams-1", INTENT_BOOTSTRAP, NOW_MS + 1000 + again);
			assert_int_equal(intent_head(in)->number, 1);
			assert_string_equal(intent_head(in)->author, "bootstrap");
			assert_string_equal(intent_head(in)->reason, "started with --bootstrap");
			intent_close(in);
		}
		fixture_remove(&place);
	}
}

static void who_settles_is_noted_with_the_principal(void **state)
{
	struct version stored;

	(void)state;
	make_node(NULL, NULL);
	struct intent *in = open_node("ams-1", INTENT_ALONE, NOW_MS);
	intent_for(in, "user:root", NULL);
	assert_int_equal(join_settle(in, "jw", "ours", NOW_MS + 10), 0);
	intent_for(in, NULL, NULL);
	assert_string_equal(intent_head(in)->author, "jw");
	assert_string_equal(intent_head(in)->reason, "ours");
	assert_string_equal(intent_head(in)->principal, "user:root");
	assert_int_equal(intent_version(in, 1, &stored, NULL), 0);
	assert_string_equal(stored.reason, "ours");
	assert_string_equal(stored.principal, "user:root");
	assert_true(has_event(in, "jw made the provisional version 1 the first version"));
	intent_close(in);
	fixture_remove(&place);
}

/* A person with the very words of a first start settles it all the same. */
static void a_person_called_first_start_settles_it_too(void **state)
{
	(void)state;
	make_node(NULL, NULL);
	struct intent *in = open_node("ams-1", INTENT_ALONE, NOW_MS);
	assert_int_equal(join_settle(in, "first start", "read from the configuration directory",
	                             NOW_MS + 10),
	                 0);
	assert_false(join_is_provisional(intent_head(in)));
	assert_string_equal(intent_head(in)->author, "bootstrap");
	intent_close(in);
	fixture_remove(&place);
}

static void without_a_store_nothing_is_settled(void **state)
{
	char path[PATH_MAX], beside[PATH_MAX];

	(void)state;
	make_node(NULL, NULL);
	snprintf(path, sizeof(path), "%s/store", place.state);
	snprintf(beside, sizeof(beside), "%s/beside", place.state);
	intent_close(open_node("ams-1", INTENT_ALONE, NOW_MS));
	assert_int_equal(rename(path, beside), 0);
	fixture_write(place.state, "store", "in the way");
	struct intent *in = open_node("ams-1", INTENT_ALONE, NOW_MS + 10);
	assert_string_equal(intent_store_state(in), "failing");
	/* What was recovered from the document is an applied version: its record is not known. */
	assert_false(join_is_provisional(intent_head(in)));
	assert_int_equal(join_settle(in, "jw", "ours", NOW_MS + 20), -EALREADY);
	intent_close(in);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(beside, path), 0);
	fixture_remove(&place);
}

/* The versions of a second node, oldest first, from its own file and one change of it. */
static void offer_two(struct intent_offer offers[2], const char *weight)
{
	struct fixture own = place;
	char to[64];

	snprintf(to, sizeof(to), "weight = %s; },\n                 {", weight);
	struct files files = fixture_files("weight = 100; },\n                 {", to);
	struct intent_change change = { .files = &files, .author = "ann", .reason = "CHG-7" };
	struct intent_changed changed = { 0 };
	make_node(NULL, NULL);
	struct intent *in = open_node("fra-1", INTENT_BOOTSTRAP, NOW_MS - 100000);
	assert_int_equal(intent_change(in, &change, NOW_MS - 50000, &changed), 0);
	intent_changed_fini(&changed);
	for (uint64_t i = 0; i < 2; i++)
		assert_int_equal(intent_version(in, i + 1, &offers[i].version, &offers[i].files),
		                 0);
	files_fini(&files);
	intent_close(in);
	fixture_remove(&place);
	place = own;
}

static void free_two(struct intent_offer offers[2])
{
	for (int i = 0; i < 2; i++)
		files_fini(&offers[i].files);
}

/*
 * A list that begins later replaces the provisional version, which is kept among the lost ones
 * and named in an event.
 */
static void a_provisional_version_that_gives_way_is_kept_and_named(void **state)
{
	struct intent_offer offers[2] = { 0 };
	struct version_lost lost[2];
	char text[200];

	(void)state;
	offer_two(offers, "90");
	make_node("# two sites", "# others");
	struct intent *in = open_node("ams-1", INTENT_ALONE, NOW_MS);
	struct version own = *intent_head(in);
	assert_int_equal(intent_accept(in, &offers[1], 1, NOW_MS + 10), 0);
	assert_int_equal(intent_head(in)->number, 2);
	assert_int_equal(store_lost(intent_store(in), lost, 2), 1);
	assert_string_equal(lost[0].version.digest, own.digest);
	assert_string_equal(lost[0].reason, "provisional: a peer had an applied version");
	assert_int_equal(lost[0].lost_ms, NOW_MS + 10);
	snprintf(
	        text, sizeof(text),
	        "the provisional version 1 (%.16s) from this node's own weir.conf gave way to version 2 by ann",
	        own.digest);
	assert_true(has_event(in, text));
	free_two(offers);
	intent_close(in);
	fixture_remove(&place);
}

/*
 * One whose own first version is the parent, or the very head, of what is taken: nothing has
 * given way.
 */
static void what_leads_on_from_ours_makes_none_give_way(void **state)
{
	struct intent_offer offers[2] = { 0 };
	struct version_lost lost[2];

	(void)state;
	offer_two(offers, "90");
	make_node(NULL, NULL); /* the same file as the other's first */
	struct intent *in = open_node("ams-1", INTENT_ALONE, NOW_MS);
	assert_string_equal(intent_head(in)->digest, offers[0].version.digest);
	assert_int_equal(intent_accept(in, &offers[1], 1, NOW_MS + 10), 0);
	assert_int_equal(store_lost(intent_store(in), lost, 2), 0);
	assert_false(has_event(in, "gave way"));
	assert_int_equal(intent_version(in, 1, &(struct version){ 0 }, NULL), 0);
	intent_close(in);
	fixture_remove(&place);

	make_node(NULL, NULL);
	in = open_node("ams-1", INTENT_ALONE, NOW_MS);
	assert_int_equal(intent_accept(in, offers, 1, NOW_MS + 10), 0); /* its record alone */
	assert_string_equal(intent_head(in)->author, "bootstrap");
	assert_int_equal(store_lost(intent_store(in), lost, 2), 0);
	assert_false(has_event(in, "gave way"));
	intent_close(in);
	fixture_remove(&place);

	make_node("# two sites",
	          "# others"); /* another first version: replaced in place, and said */
	in = open_node("ams-1", INTENT_ALONE, NOW_MS);
	assert_int_equal(intent_accept(in, offers, 2, NOW_MS + 10), 0);
	assert_true(has_event(in, "gave way to version 2 by ann"));
	assert_int_equal(intent_version(in, 1, &(struct version){ 0 }, NULL), 0);
	intent_close(in);
	fixture_remove(&place);
	free_two(offers);
}

/*
 * What need not be fetched from a peer: a version of ours of that number and digest, unless ours
 * is provisional.
 */
static void only_an_applied_history_counts_as_had(void **state)
{
	struct intent_offer offers[2] = { 0 };

	(void)state;
	offer_two(offers, "90");
	make_node(NULL, NULL);
	struct intent *in = open_node("ams-1", INTENT_ALONE, NOW_MS);
	assert_false(join_has(in, intent_head(in)));
	assert_int_equal(join_settle(in, "jw", "ours", NOW_MS + 10), 0);
	assert_true(join_has(in, &offers[0].version)); /* of equal digest */
	assert_false(join_has(in, &offers[1].version));
	offers[0].version.digest[5] ^= 1;
	assert_false(join_has(in, &offers[0].version));
	intent_close(in);
	fixture_remove(&place);
	free_two(offers);
}

/* A node that waits takes any applied version, and ends its waiting by that. */
static void taking_a_version_ends_the_waiting(void **state)
{
	struct intent_offer offers[2] = { 0 };

	(void)state;
	offer_two(offers, "90");
	make_node(FRA_LISTEN, FRA_LISTEN " api = \"https://10.2.0.1:8443\";");
	struct intent *in = open_node("ams-1", INTENT_JOIN, NOW_MS);
	assert_true(join_waits(in));
	assert_string_equal(join_model(in)->self->name, "ams-1");
	assert_false(join_has(in, &offers[1].version));
	assert_int_equal(intent_accept(in, offers, 2, NOW_MS + 10), 0);
	assert_false(join_waits(in));
	assert_ptr_equal(join_model(in), intent_model(in));
	assert_false(has_event(in, "gave way"));
	join_start_alone(in, NOW_MS + 20);
	assert_int_equal(intent_head(in)->number, 2);
	intent_close(in);
	fixture_remove(&place);
	free_two(offers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_waits_only_if_its_file_names_another_node_s_api),
		cmocka_unit_test(each_part_of_the_record_makes_it_provisional),
		cmocka_unit_test(a_file_with_a_mistake_is_refused_and_says_where),
		cmocka_unit_test(a_node_without_a_file_has_nothing_in_force),
		cmocka_unit_test(bootstrap_makes_an_applied_version_also_at_a_later_start),
		cmocka_unit_test(who_settles_is_noted_with_the_principal),
		cmocka_unit_test(a_person_called_first_start_settles_it_too),
		cmocka_unit_test(without_a_store_nothing_is_settled),
		cmocka_unit_test(a_provisional_version_that_gives_way_is_kept_and_named),
		cmocka_unit_test(what_leads_on_from_ours_makes_none_give_way),
		cmocka_unit_test(only_an_applied_history_counts_as_had),
		cmocka_unit_test(taking_a_version_ends_the_waiting),
	};

	return cmocka_run_group_tests_name("join start", tests, NULL, NULL);
}
