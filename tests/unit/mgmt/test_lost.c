/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store or the effective document is lost or damaged while weir-mgmt runs, or before it
 * starts.
 */
#include "fixture.h"

#include <fcntl.h>
#include <sqlite3.h>

#include "mgmt/store/command.h"
#include "mgmt/store/intent.h"
#include "mgmt/store/join.h"
#include "weir/condition.h"
#include "weir/stats.h"

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fixture_make(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_remove(*state);
	free(*state);
	return 0;
}

static struct intent *open_as(const struct fixture *f, const char *node, int64_t now_ms)
{
	struct intent_options options = { .conf_dir = f->conf,
		                          .state_dir = f->state,
		                          .node = node };
	struct intent *in = NULL;

	assert_int_equal(intent_open(&options, now_ms, &in), 0);
	return in;
}

static int apply_version(struct intent *in, const struct files *files, const char *reason,
                         int64_t now_ms, struct version *out)
{
	struct intent_change change = {
		.files = files, .author = "jw", .reason = reason, .confirm_within_ms = -1
	};
	struct intent_changed changed = { 0 };
	int err = intent_change(in, &change, now_ms, &changed);

	if (out)
		*out = changed.version;
	intent_changed_fini(&changed);
	return err;
}

static enum command_outcome drain_site(struct intent *in, const char *site, int64_t now_ms)
{
	struct command c = { .what = COMMAND_DRAIN,
		             .name = site,
		             .over_ms = 300000,
		             .from_ms = -1,
		             .until_ms = MODEL_TIME_NEVER,
		             .now = true,
		             .author = "jw",
		             .reason = "x" };
	static struct command_result result;
	struct guard_observed seen = { 0 };

	return command_run(in, &c, &seen, now_ms, &result);
}

static bool is_drained(const struct intent *in, const char *site, int64_t now_ms)
{
	const struct overrides *set = intent_overrides(in);
	const struct model *m = intent_model(in);
	size_t seen = 0;

	for (size_t i = 0; i < m->n_overrides; i++)
		seen += !m->overrides[i].ended && !strcmp(m->overrides[i].name, site);
	for (size_t i = 0; i < set->n_items; i++)
		if (!strcmp(set->items[i].name, site) && !override_is_done(&set->items[i], now_ms))
			return seen > 0;
	return false;
}

static void overwrite_file(const char *dir, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	for (int i = 0; i < 16384; i += 16)
		assert_int_equal(pwrite(fd, "not a database..", 16, i), 16);
	close(fd);
}

static void a_store_whose_file_is_removed_is_made_again(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files files = fixture_files("# two sites", "# other words");
	char path[PATH_MAX];

	assert_int_equal(apply_version(in, &files, "words", NOW_MS + 10, NULL), 0);
	snprintf(path, sizeof(path), "%s/store/store.db", f->state);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(drain_site(in, "ams", NOW_MS + 20), COMMAND_OK);
	assert_string_equal(intent_store_state(in), "rebuilt");
	assert_int_equal(access(path, F_OK), 0);
	intent_close(in);
	in = open_as(f, "ams-1", NOW_MS + 30);
	assert_true(is_drained(in, "ams", NOW_MS + 40));
	assert_int_equal(intent_head(in)->number, 2);
	assert_string_equal(intent_head(in)->reason, "words");
	files_fini(&files);
	intent_close(in);
}

/* Give the node a store that cannot be opened, or the right one again. */
static void hide_store(const struct fixture *f, bool hidden)
{
	char path[PATH_MAX], beside[PATH_MAX];

	snprintf(path, sizeof(path), "%s/store", f->state);
	snprintf(beside, sizeof(beside), "%s/beside", f->state);
	if (hidden) {
		assert_int_equal(rename(path, beside), 0);
		fixture_write(f->state, "store", "in the way");
	} else {
		assert_int_equal(unlink(path), 0);
		assert_int_equal(rename(beside, path), 0);
	}
}

static void a_store_that_comes_back_knows_who_and_until_when(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files files = fixture_files("# two sites", "# other words");
	struct intent_change change = {
		.files = &files, .author = "jw", .reason = "words", .confirm_within_ms = 60000
	};
	struct intent_changed changed = { 0 };

	assert_int_equal(intent_change(in, &change, NOW_MS + 10, &changed), 0);
	intent_changed_fini(&changed);
	intent_close(in);
	hide_store(f, true);
	in = open_as(f, "ams-1", NOW_MS + 1000);
	assert_string_equal(intent_store_state(in), "failing");
	assert_int_equal(intent_head(in)->number, 2);
	assert_int_equal(drain_site(in, "ams", NOW_MS + 1010), COMMAND_OK);
	hide_store(f, false);
	for (int i = 1; i < 15; i++)
		intent_tick(in, NOW_MS + 1000 + 1000 * i);
	assert_string_equal(intent_store_state(in), "ok");
	assert_string_equal(intent_head(in)->author, "jw");
	assert_string_equal(intent_head(in)->reason, "words");
	assert_true(intent_head(in)->confirm_by_ms > 0);
	assert_true(is_drained(in, "ams", NOW_MS + 20000));
	intent_close(in);
	in = open_as(f, "ams-1", NOW_MS + 21000);
	assert_string_equal(intent_head(in)->reason, "words");
	assert_true(is_drained(in, "ams", NOW_MS + 21000));
	files_fini(&files);
	intent_close(in);
}

static void effective_path(const struct fixture *f, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/effective.conf", f->state);
}

static void a_damaged_document_is_written_again(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	char path[PATH_MAX];
	struct stat whole, now;

	effective_path(f, path);
	assert_int_equal(stat(path, &whole), 0);
	intent_tick(in, NOW_MS + 1000);
	assert_int_equal(intent_document(in), 1); /* nothing has happened to it */
	assert_int_equal(truncate(path, 0), 0);
	intent_tick(in, NOW_MS + 2000);
	assert_int_equal(intent_document(in), 2);
	assert_int_equal(stat(path, &now), 0);
	assert_int_equal(now.st_size, whole.st_size);
	intent_tick(in, NOW_MS + 3000);
	assert_int_equal(intent_document(in), 2);
	overwrite_file(f->state, "effective.conf"); /* longer than it was */
	intent_tick(in, NOW_MS + 4000);
	assert_int_equal(intent_document(in), 3);
	assert_int_equal(unlink(path), 0);
	intent_tick(in, NOW_MS + 5000);
	assert_int_equal(intent_document(in), 4);
	assert_int_equal(stat(path, &now), 0);
	assert_int_equal(now.st_size, whole.st_size);
	intent_close(in);
}

static uint64_t count_events(struct intent *in, const char *text)
{
	const struct journal *j = intent_journal(in);
	uint64_t n = 0;

	for (uint64_t id = journal_oldest(j); id <= journal_last(j); id++)
		n += strcmp(journal_find(j, id)->message, text) == 0;
	return n;
}

/*
 * What has happened to the document is said, each time once; a process for one command looks
 * away.
 */
static void what_happened_to_a_document_is_said_once(void **state)
{
	static const char changed[] = "the effective document was changed by another program than "
	                              "weir-mgmt; it is written again",
	                  removed[] = "the effective document was removed; it is written again";
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		                           { .tv_sec = 5, .tv_nsec = 7 } };
	char path[PATH_MAX];

	effective_path(f, path);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0); /* nothing but its time */
	intent_tick(in, NOW_MS + 1000);
	assert_int_equal(count_events(in, changed), 1);
	assert_int_equal(count_events(in, removed), 0);
	assert_int_equal(unlink(path), 0);
	intent_tick(in, NOW_MS + 2000);
	intent_tick(in, NOW_MS + 3000);
	assert_int_equal(count_events(in, changed), 1);
	assert_int_equal(count_events(in, removed), 1);
	assert_int_equal(intent_document(in), 3);
	intent_close(in);
	struct intent_options options = {
		.conf_dir = f->conf, .state_dir = f->state, .node = "ams-1", .offline = true
	};
	assert_int_equal(intent_open(&options, NOW_MS + 4000, &in), 0);
	uint64_t document = intent_document(in);
	assert_int_equal(unlink(path), 0);
	intent_tick(in, NOW_MS + 4001);
	assert_int_equal(intent_document(in), document);
	intent_close(in);
}

/* State @p document as weir-PROCESS does. */
static void state_document(const struct fixture *f, const char *process, uint64_t document)
{
	struct stats *s;

	assert_int_equal(stats_create(f->root, process, 8, &s), 0);
	conditions_begin(s, document);
	conditions_end(s);
	stats_close(s);
}

static void a_lost_document_takes_no_number_back(void **state)
{
	const struct fixture *f = *state;
	struct intent_options options = {
		.conf_dir = f->conf, .state_dir = f->state, .run_dir = f->root, .node = "ams-1"
	};
	struct intent *in;
	char path[PATH_MAX];

	intent_close(open_as(f, "ams-1", NOW_MS));
	state_document(f, "dataplane", 40);
	state_document(f, "health", 41);
	state_document(f, "dns", UINT64_MAX); /* that page is damaged */
	effective_path(f, path);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(intent_open(&options, NOW_MS + 1000, &in), 0);
	assert_int_equal(intent_document(in), 42);
	intent_close(in);
	assert_int_equal(intent_open(&options, NOW_MS + 2000, &in), 0);
	assert_int_equal(intent_document(in), 43); /* and its own is the newest now */
	intent_close(in);
}

/* The messages of all events, in order, one a line. */
static void list_events(struct intent *in, char *out, size_t size)
{
	const struct journal *j = intent_journal(in);
	size_t n = 0;

	out[0] = '\0';
	for (uint64_t id = journal_oldest(j); id <= journal_last(j); id++) {
		assert_int_equal(journal_find(j, id)->id, id);
		n += (size_t)snprintf(out + n, size - n, "%s\n", journal_find(j, id)->message);
		assert_true(n < size);
	}
}

/*
 * A store that could not be opened at the start has the events of before: what was noted since
 * follows them.
 */
static void events_noted_without_a_store_follow_those_in_it(void **state)
{
	static char before[8192], after[8192], again[8192];
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);

	for (int i = 0; i < 9; i++)
		journal_add(intent_journal(in), NOW_MS, "peer", "peers", "early %d", i);
	list_events(in, before, sizeof(before));
	uint64_t last = journal_last(intent_journal(in));
	intent_close(in);
	hide_store(f, true);
	in = open_as(f, "ams-1", NOW_MS + 1000);
	journal_add(intent_journal(in), NOW_MS + 1000, "peer", "peers", "late 1");
	hide_store(f, false);
	for (int i = 1; i < 15; i++)
		intent_tick(in, NOW_MS + 1000 + 1000 * i);
	list_events(in, after, sizeof(after));
	assert_memory_equal(after, before, strlen(before));
	assert_non_null(strstr(after + strlen(before), "the store fails ("));
	assert_non_null(strstr(strstr(after, "the store fails ("), "late 1\n"));
	assert_non_null(strstr(strstr(after, "late 1\n"), "the store works again\n"));
	assert_int_equal(count_events(in, "late 1"), 1);
	assert_int_equal(journal_find(intent_journal(in), last)->time_ms, NOW_MS);
	assert_int_equal(journal_find(intent_journal(in), last + 1)->time_ms, NOW_MS + 1000);
	intent_close(in);
	in = open_as(f, "ams-1", NOW_MS + 21000);
	list_events(in, again, sizeof(again));
	assert_memory_equal(again, after, strlen(after));
	intent_close(in);
}

static void run_sql(const struct fixture *f, const char *text)
{
	char path[PATH_MAX];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/store/store.db", f->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* The file is sound, and a row in it is not: at a start, and when it is opened late. */
static void a_store_with_a_row_that_cannot_be_is_made_again(void **state)
{
	static const char *const wrong[] = {
		"UPDATE overrides SET text = json_set(text, '$.kind', 9)",
		"UPDATE events SET kind = X'00'"
	};
	const struct fixture *f = *state;

	for (size_t i = 0; i < 2 * sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct intent *in = open_as(f, "ams-1", NOW_MS);

		assert_int_equal(drain_site(in, "ams", NOW_MS), COMMAND_OK);
		intent_close(in);
		run_sql(f, wrong[i / 2]);
		if (i % 2)
			hide_store(f, true);
		in = open_as(f, "ams-1", NOW_MS + 1000);
		if (i % 2)
			hide_store(f, false);
		for (int k = 1; k < 15; k++)
			intent_tick(in, NOW_MS + 1000 + 1000 * k);
		assert_string_equal(intent_store_state(in), "rebuilt");
		assert_true(is_drained(in, "ams", NOW_MS + 20000));
		intent_close(in);
		in = open_as(f, "ams-1", NOW_MS + 21000);
		assert_string_equal(intent_store_state(in), "ok");
		assert_true(is_drained(in, "ams", NOW_MS + 21000));
		assert_int_equal(intent_head(in)->number, 1);
		intent_close(in);
	}
}

/* A new store has all that memory has, the events of before among it. */
static void a_store_that_is_made_again_has_the_events_that_memory_has(void **state)
{
	static char before[8192], after[8192];
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	char path[PATH_MAX];

	intent_tick(in, NOW_MS + 1000); /* stored */
	list_events(in, before, sizeof(before));
	snprintf(path, sizeof(path), "%s/store/store.db", f->state);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(drain_site(in, "ams", NOW_MS + 2000), COMMAND_OK);
	assert_string_equal(intent_store_state(in), "rebuilt");
	intent_close(in);
	in = open_as(f, "ams-1", NOW_MS + 3000);
	list_events(in, after, sizeof(after));
	assert_memory_equal(after, before, strlen(before));
	intent_close(in);
}

/* Keep a copy of the document, or put it back: the document of an earlier change. */
static void copy_document(const struct fixture *f, const char *from, const char *to)
{
	char command[512];

	snprintf(command, sizeof(command), "cp %s/%s %s/%s", f->state, from, f->state, to);
	assert_int_equal(system(command), 0);
}

/* Start without the store, on the document that is there, and give the store back. */
static struct intent *open_late(const struct fixture *f, int64_t now_ms)
{
	hide_store(f, true);
	struct intent *in = open_as(f, "ams-1", now_ms);
	assert_string_equal(intent_store_state(in), "failing");
	hide_store(f, false);
	return in;
}

static void tick_until_it_works(struct intent *in, int64_t now_ms)
{
	for (int i = 1; i < 15; i++)
		intent_tick(in, now_ms + 1000 * i);
	assert_string_equal(intent_store_state(in), "ok");
}

/*
 * What the store has is taken where it is newer, or tells more of the same; else it gets what is
 * in force.
 */
static void of_store_and_document_the_newer_one_counts(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files files = fixture_files("# two sites", "# other words");
	struct version v;

	copy_document(f, "effective.conf", "first");
	assert_int_equal(apply_version(in, &files, "words", NOW_MS + 10, NULL), 0);
	intent_close(in);
	copy_document(f, "first", "effective.conf");
	in = open_late(f, NOW_MS + 1000);
	assert_int_equal(intent_head(in)->number, 1);
	tick_until_it_works(in, NOW_MS + 1000);
	assert_int_equal(intent_head(in)->number, 2);
	assert_string_equal(intent_head(in)->reason, "words");
	assert_int_equal(intent_model(in)->meta.version, 2); /* and is in force */
	assert_true(intent_document(in) > 2);
	const struct version head = *intent_head(in);
	intent_close(in);
	/* another version of its number: the document's has been in force */
	run_sql(f,
	        "UPDATE versions SET text = json_set(text, '$.digest', json_extract(text, '$.parent'))"
	        " WHERE number = 2");
	in = open_late(f, NOW_MS + 30000);
	tick_until_it_works(in, NOW_MS + 30000);
	assert_string_equal(intent_head(in)->digest, head.digest);
	assert_int_equal(intent_version(in, 2, &v, NULL), 0);
	assert_string_equal(v.digest, head.digest);
	intent_close(in);
	/* the store has lost the second version */
	run_sql(f, "DELETE FROM versions WHERE number = 2");
	in = open_late(f, NOW_MS + 60000);
	tick_until_it_works(in, NOW_MS + 60000);
	assert_int_equal(intent_head(in)->number, 2);
	assert_int_equal(intent_version(in, 2, &v, NULL), 0);
	assert_string_equal(v.digest, head.digest);
	files_fini(&files);
	intent_close(in);
}

static enum command_outcome undrain_site(struct intent *in, const char *site, int64_t now_ms)
{
	const struct command c = { .what = COMMAND_UNDRAIN,
		                   .name = site,
		                   .over_ms = -1,
		                   .from_ms = -1,
		                   .until_ms = -1,
		                   .now = true,
		                   .author = "jw",
		                   .reason = "x" };
	static struct command_result result;
	struct guard_observed seen = { 0 };

	return command_run(in, &c, &seen, now_ms, &result);
}

/* An override that was ended stays so, wherever the end was kept. */
static void an_end_is_not_undone_by_an_older_document_or_store(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);

	assert_int_equal(drain_site(in, "ams", NOW_MS + 10), COMMAND_OK);
	copy_document(f, "effective.conf", "drained");
	assert_int_equal(undrain_site(in, "ams", NOW_MS + 20), COMMAND_OK);
	intent_close(in);
	copy_document(f, "drained", "effective.conf");
	in = open_late(f, NOW_MS + 1000);
	assert_true(is_drained(in, "ams", NOW_MS + 1000));
	tick_until_it_works(in, NOW_MS + 1000);
	assert_false(is_drained(in, "ams", NOW_MS + 20000)); /* the store knew of the end */
	/* now the store has a drain, and the end is in the document alone */
	assert_int_equal(drain_site(in, "fra", NOW_MS + 20000), COMMAND_OK);
	intent_close(in);
	in = open_late(f, NOW_MS + 30000);
	assert_int_equal(undrain_site(in, "fra", NOW_MS + 30010), COMMAND_OK);
	tick_until_it_works(in, NOW_MS + 31000);
	assert_false(is_drained(in, "fra", NOW_MS + 50000));
	intent_close(in);
	in = open_as(f, "ams-1", NOW_MS + 60000);
	assert_false(is_drained(in, "ams", NOW_MS + 60000));
	assert_false(is_drained(in, "fra", NOW_MS + 60000));
	intent_close(in);
}

/* A node that waits for its peers has no need to once its own store is there. */
static void a_store_that_comes_late_ends_the_waiting_for_peers(void **state)
{
	const struct fixture *f = *state;
	struct intent_options options = {
		.conf_dir = f->conf, .state_dir = f->state, .node = "ams-1", .start = INTENT_JOIN
	};
	struct files files = fixture_files("name = \"fra-1\";",
	                                   "name = \"fra-1\"; api = \"https://10.2.1.2:8443\";");
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	char path[PATH_MAX];

	assert_int_equal(apply_version(in, &files, "words", NOW_MS + 10, NULL), 0);
	intent_close(in);
	fixture_write(f->conf, "weir.conf", files_find(&files, FILES_MAIN)->bytes);
	files_fini(&files);
	effective_path(f, path);
	assert_int_equal(unlink(path), 0);
	hide_store(f, true);
	assert_int_equal(intent_open(&options, NOW_MS + 1000, &in), 0);
	assert_true(join_waits(in));
	hide_store(f, false);
	tick_until_it_works(in, NOW_MS + 1000);
	assert_false(join_waits(in));
	assert_int_equal(intent_head(in)->number, 2);
	assert_string_equal(intent_head(in)->reason, "words");
	assert_int_equal(access(path, F_OK), 0);
	intent_close(in);
}

/* Events are stored with each tick, and not by the end of the process alone. */
static void events_are_stored_while_it_runs(void **state)
{
	static struct event list[64];
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);

	journal_add(intent_journal(in), NOW_MS, "peer", "peers", "one");
	intent_tick(in, NOW_MS + 1000);
	int n = store_events(intent_store(in), list, 64);
	assert_int_equal(n, journal_last(intent_journal(in)));
	assert_string_equal(list[n - 1].message, "one");
	journal_add(intent_journal(in), NOW_MS, "peer", "peers", "two");
	intent_tick(in, NOW_MS + 2000);
	assert_int_equal(store_events(intent_store(in), list, 64), n + 1);
	assert_string_equal(list[n].message, "two");
	intent_close(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_store_whose_file_is_removed_is_made_again, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_store_that_comes_back_knows_who_and_until_when,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_document_is_written_again, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(what_happened_to_a_document_is_said_once, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_lost_document_takes_no_number_back, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(of_store_and_document_the_newer_one_counts, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(an_end_is_not_undone_by_an_older_document_or_store,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_store_that_comes_late_ends_the_waiting_for_peers,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(events_are_stored_while_it_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(events_noted_without_a_store_follow_those_in_it,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_store_with_a_row_that_cannot_be_is_made_again,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(
		        a_store_that_is_made_again_has_the_events_that_memory_has, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
