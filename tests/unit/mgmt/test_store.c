/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>

#include "mgmt/store/journal.h"
#include "mgmt/store/store.h"
#include "tests/unit/suite.h"
#include "weir/when.h"

#define DIGEST_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

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

static struct store *open_in(const struct fixture *f)
{
	char why[EVENT_TEXT_MAX];
	struct store *s = NULL;

	assert_int_equal(store_open(f->state, &s, why), 0);
	return s;
}

static void names_that_lead_out_are_no_files_of_a_version(void **state)
{
	(void)state;
	static const char *const bad[] = { "",     "/",   "/a",   "a/",          "a//b",
		                           ".",    "..",  "../a", "a/../b",      ".hidden",
		                           "a/.b", "a b", "a\n",  "caf\xc3\xa9", "a\\b" };
	static const char *const good[] = { "a", "weir.conf", "zones/a.zone", "A-1_2.3" };
	struct files files = { 0 };

	for (size_t i = 0; i < COUNT(bad); i++) {
		print_message("  '%s'\n", bad[i]);
		assert_int_equal(files_add(&files, bad[i], "x", 1), -EINVAL);
	}
	for (size_t i = 0; i < COUNT(good); i++)
		assert_int_equal(files_add(&files, good[i], "x", 1), 0);
	assert_int_equal(files_add(&files, "a", "y", 1), -EEXIST);
	assert_int_equal(files_add(&files, "big", good, FILES_BYTES_MAX), -E2BIG);
	assert_int_equal(files.n_items, COUNT(good));
	files_fini(&files);
}

static void the_digest_depends_on_names_and_bytes_not_on_order(void **state)
{
	(void)state;
	struct files a = { 0 }, b = { 0 };
	char x[DIGEST_TEXT_MAX], y[DIGEST_TEXT_MAX];

	files_add(&a, "one", "1", 1);
	files_add(&a, "two", "2", 1);
	files_add(&b, "two", "2", 1);
	files_add(&b, "one", "1", 1);
	assert_string_equal(files_digest(&a, x), files_digest(&b, y));
	files_fini(&b);
	files_add(&b, "one", "2", 1);
	files_add(&b, "two", "1", 1);
	assert_string_not_equal(x, files_digest(&b, y));
	files_fini(&a);
	files_fini(&b);
}

static void a_version_comes_back_with_its_bytes(void **state)
{
	struct store *s = open_in(*state);
	struct version v = { .number = 3, .author = "jw", .time_ms = NOW_MS }, got;
	struct files files = { 0 }, back = { 0 };

	files_add(&files, "weir.conf", "a\0b", 3);
	files_add(&files, "empty", "", 0);
	files_digest(&files, v.digest);
	assert_int_equal(store_put_version(s, &v, &files), 0);
	store_close(s);
	s = open_in(*state);
	assert_int_equal(store_version(s, 2, &got), -ENOENT);
	assert_int_equal(store_files(s, 2, &back), -ENOENT);
	assert_int_equal(store_version(s, 3, &got), 0);
	assert_memory_equal(&got, &v, sizeof(v));
	assert_int_equal(store_files(s, 3, &back), 0);
	assert_int_equal(back.n_items, 2);
	assert_memory_equal(files_find(&back, "weir.conf")->bytes, "a\0b", 3);
	files_fini(&files);
	files_fini(&back);
	store_close(s);
}

static void bytes_that_do_not_fit_their_digest_are_not_handed_out(void **state)
{
	const struct fixture *f = *state;
	struct store *s = open_in(f);
	struct version v = { .number = 1, .author = "jw", .digest = DIGEST_A };
	struct files files = { 0 };
	char path[PATH_MAX];
	sqlite3 *db = NULL;

	files_add(&files, "weir.conf", "whole", 5);
	files_digest(&files, v.digest);
	assert_int_equal(store_put_version(s, &v, &files), 0);
	files_fini(&files);
	store_close(s);
	snprintf(path, sizeof(path), "%s/store/store.db", f->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE blobs SET bytes = 'other'", NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(db);
	s = open_in(f);
	assert_int_equal(store_files(s, 1, &files), -EBADMSG);
	assert_int_equal(files.n_items, 0);
	store_close(s);
}

static void only_the_last_thousand_versions_are_kept(void **state)
{
	struct store *s = open_in(*state);
	struct version v = { .author = "jw", .digest = DIGEST_A }, list[4];
	struct files files = { 0 };

	for (uint64_t i = 1; i <= STORE_VERSIONS_MAX + 5; i += 251) {
		char text[16];

		snprintf(text, sizeof(text), "%d", (int)i);
		files_add(&files, "weir.conf", text, strlen(text));
		v.number = i;
		files_digest(&files, v.digest);
		assert_int_equal(store_put_version(s, &v, &files), 0);
		files_fini(&files);
	}
	assert_int_equal(store_versions(s, 0, list, 4), 4);
	assert_int_equal(list[0].number, 1005);
	assert_int_equal(store_files(s, 1, &files), -ENOENT);
	for (uint64_t above = STORE_VERSIONS_MAX; above < STORE_VERSIONS_MAX + 2; above++) {
		v.number = 252 + above - 1; /* a thousand with 252, and one more */
		files_add(&files, "weir.conf", "", 0);
		assert_int_equal(store_put_version(s, &v, &files), 0);
		files_fini(&files);
		assert_int_equal(store_files(s, 252, &files),
		                 above == STORE_VERSIONS_MAX ? 0 : -ENOENT);
		files_fini(&files);
	}
	assert_int_equal(store_files(s, 503, &files), 0);
	files_fini(&files);
	store_close(s);
}

/* Files of versions that nobody has decided: none of them is a version, and the oldest go. */
static void what_is_staged_is_no_version(void **state)
{
	struct store *s = open_in(*state);
	struct version v = { .number = 7, .author = "jw", .digest = DIGEST_A }, list[4];
	char digests[STORE_STAGED_MAX + 2][DIGEST_TEXT_MAX];
	struct files files = { 0 };

	for (size_t i = 0; i < STORE_STAGED_MAX + 2; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%zu", i);
		assert_int_equal(files_add(&files, "weir.conf", text, strlen(text)), 0);
		files_digest(&files, digests[i]);
		memcpy(v.digest, digests[i], sizeof(v.digest));
		v.time_ms = NOW_MS + (int64_t)i;
		assert_int_equal(store_stage_version(s, &v, &files), 0);
		assert_int_equal(store_stage_version(s, &v, &files), 0); /* again: one */
		files_fini(&files);
	}
	store_close(s);
	s = open_in(*state);
	assert_int_equal(store_versions(s, 0, list, 4), 0);
	for (size_t i = 0; i < STORE_STAGED_MAX + 2; i++) {
		assert_int_equal(store_staged_files(s, digests[i], &files), i < 2 ? -ENOENT : 0);
		files_fini(&files);
	}
	/* those of a version that is put are its own, and no others' */
	assert_int_equal(store_staged_files(s, v.digest, &files), 0);
	assert_int_equal(store_put_version(s, &v, &files), 0);
	files_fini(&files);
	assert_int_equal(store_staged_files(s, v.digest, &files), -ENOENT);
	assert_int_equal(store_staged_files(s, digests[STORE_STAGED_MAX], &files), 0);
	files_fini(&files);
	assert_int_equal(store_files(s, 7, &files), 0);
	files_fini(&files);
	assert_int_equal(store_versions(s, 0, list, 4), 1);
	/* one whose digest begins alike is another */
	memcpy(v.digest, digests[STORE_STAGED_MAX], sizeof(v.digest));
	v.digest[DIGEST_TEXT_MAX - 2] ^= 1;
	assert_int_equal(store_staged_files(s, v.digest, &files), -ENOENT);
	store_close(s);
}

/* A request is carried out if the very version that was staged for it is put, and not one with the same files. */
static void a_request_is_carried_out_with_its_version(void **state)
{
	static const struct {
		const char *why;
		int64_t time_ms;
		bool repeats; /* staged once more, for nobody */
		bool is_carried_out;
	} rows[] = {
		{ "this very version", NOW_MS, false, true },
		{ "another with the same files", NOW_MS + 1, false, false },
		{ "a peer staged it, too", NOW_MS, true, true },
	};
	struct store *s = open_in(*state);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct store_request request = { .now_ms = NOW_MS };
		struct version v = { .number = 3 + i, .author = "jw", .time_ms = NOW_MS };
		char text[16], asked[DIGEST_TEXT_MAX], *body = NULL;
		struct files files = { 0 };
		unsigned status = 9;

		print_message("  %s\n", rows[i].why);
		snprintf(text, sizeof(text), "%zu", i);
		assert_int_equal(files_add(&files, "weir.conf", text, strlen(text)), 0);
		files_digest(&files, v.digest);
		snprintf(request.key, sizeof(request.key), "key%zu", i);
		snprintf(request.digest, sizeof(request.digest), "%s", DIGEST_A);
		store_for(s, &request);
		assert_int_equal(store_stage_version(s, &v, &files), 0);
		store_for(s, NULL);
		if (rows[i].repeats)
			assert_int_equal(store_stage_version(s, &v, &files), 0);
		assert_int_equal(store_reply(s, request.key, asked, &status, &body, NOW_MS),
		                 -ENOENT);
		store_close(s); /* it dies meanwhile */
		s = open_in(*state);
		v.time_ms = rows[i].time_ms;
		assert_int_equal(store_put_version(s, &v, &files), 0);
		files_fini(&files);
		int err = store_reply(s, request.key, asked, &status, &body, NOW_MS);

		assert_int_equal(err, rows[i].is_carried_out ? 0 : -ENOENT);
		if (err)
			continue;
		assert_int_equal(status, 0);
		assert_string_equal(asked, DIGEST_A);
		snprintf(text, sizeof(text), "{\"version\":%zu}", 3 + i);
		assert_string_equal(body, text);
		free(body);
	}
	store_close(s);
}

static void a_file_that_is_no_store_is_called_corrupt_and_can_be_put_aside(void **state)
{
	const struct fixture *f = *state;
	char why[EVENT_TEXT_MAX];
	struct store *s = open_in(f);

	store_close(s);
	fixture_write(f->state, "store/store.db", "this is no database, whatever its name may say");
	assert_int_equal(store_open(f->state, &s, why), -EBADMSG);
	assert_true(strlen(why) > 0);
	assert_int_equal(store_put_aside(f->state, NOW_MS), 0);
	s = open_in(f);
	store_close(s);
}

static void events_are_numbered_without_gaps_and_the_oldest_go(void **state)
{
	struct store *s = open_in(*state);
	struct journal *j = journal_new("n", 8);

	for (int i = 1; i <= 20; i++)
		assert_int_equal(journal_add(j, NOW_MS + i, "store", "s", "event %d", i), i);
	assert_int_equal(journal_oldest(j), 13);
	assert_null(journal_find(j, 12));
	assert_null(journal_find(j, 21));
	assert_string_equal(journal_find(j, 13)->message, "event 13");
	assert_int_equal(journal_flush(j, s), 0);
	journal_free(j);
	j = journal_new("n", 8);
	assert_int_equal(journal_load(j, s), 0);
	assert_int_equal(journal_last(j), 20);
	assert_int_equal(journal_oldest(j), 13);
	assert_int_equal(journal_add(j, NOW_MS, "store", "s", "more"), 21);
	journal_free(j);
	store_close(s);
}

static void replies_are_kept_for_a_day(void **state)
{
	struct store *s = open_in(*state);
	char digest[DIGEST_TEXT_MAX], *body = NULL;
	unsigned status = 0;

	assert_int_equal(store_put_reply(s, "k", "d", 201, "{}", NOW_MS), 0);
	assert_int_equal(store_reply(s, "x", digest, &status, &body, NOW_MS), -ENOENT);
	assert_int_equal(store_reply(s, "k", digest, &status, &body, NOW_MS + 1000), 0);
	assert_int_equal(status, 201);
	assert_string_equal(body, "{}");
	free(body);
	assert_int_equal(store_reply(s, "k", digest, &status, &body, NOW_MS + 86400001), -ENOENT);
	store_close(s);
}

static void durations_and_instants_are_read_as_people_write_them(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} durations[] = {
		{ "0", 0 },
		{ "5m", 300000 },
		{ "1h30m", 5400000 },
		{ "90s", 90000 },
		{ "500ms", 500 },
		{ "2d", 172800000 },
		{ "1m500ms", 60500 },
		{ "", -1 },
		{ "5", -1 },
		{ "m", -1 },
		{ "5x", -1 },
		{ "-5m", -1 },
		{ "5m1h", -1 },
		{ "5m5m", -1 },
		{ "5 m", -1 },
		{ "400d", -1 },
		{ "999999999999999999s", -1 },
		{ "1h30", -1 },
		{ "366d", 31622400000 },
		{ "366d1ms", -1 },
		{ "365d23h59m60s", 31622400000 },
	};
	int64_t ms;

	for (size_t i = 0; i < COUNT(durations); i++) {
		print_message("  '%s'\n", durations[i].text);
		ms = -1;
		assert_int_equal(when_duration(durations[i].text, &ms),
		                 durations[i].ms < 0 ? -EINVAL : 0);
		assert_true(ms == durations[i].ms);
	}
	assert_int_equal(when_instant("+4h", NOW_MS, &ms), 0);
	assert_true(ms == NOW_MS + 14400000);
	assert_int_equal(when_instant("never", NOW_MS, &ms), 0);
	assert_true(ms == MODEL_TIME_NEVER);
	assert_int_equal(when_instant("2026-11-20T10:00:00+01:00", NOW_MS, &ms), 0);
	assert_true(ms == 1795165200000);
	assert_int_equal(when_instant("+", NOW_MS, &ms), -EINVAL);
	assert_int_equal(when_instant("4h", NOW_MS, &ms), -EINVAL);
}

static sqlite3 *open_raw(const struct fixture *f)
{
	char path[PATH_MAX];
	sqlite3 *db = NULL;

	snprintf(path, sizeof(path), "%s/store/store.db", f->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

static void run_raw(sqlite3 *db, const char *text)
{
	char *why = NULL;

	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
}

static void a_deadline_survives_a_restart(void **state)
{
	struct store *s = open_in(*state);
	struct pending p = { .number = 7, .digest = "d", .boot = "b", .due_ms = 9, .left_ms = 5 },
	               got;

	assert_int_equal(store_pending(s, &got), -ENOENT);
	assert_int_equal(store_put_pending(s, &p), 0);
	store_close(s);
	s = open_in(*state);
	assert_int_equal(store_pending(s, &got), 0);
	assert_true(got.number == 7 && got.due_ms == 9 && got.left_ms == 5);
	assert_string_equal(got.boot, "b");
	p.number = 0;
	assert_int_equal(store_put_pending(s, &p), 0);
	assert_int_equal(store_pending(s, &got), -ENOENT);
	store_close(s);
}

static int write_events(struct store *s)
{
	static const struct event two[] = {
		{ .id = 1, .time_ms = NOW_MS, .kind = "store", .subject = "s", .message = "one" },
		{ .id = 2, .time_ms = NOW_MS, .kind = "store", .subject = "s", .message = "two" },
	};

	return store_put_events(s, two, COUNT(two));
}

static int write_version(struct store *s, uint64_t number)
{
	const struct version v = { .number = number, .author = "jw", .digest = DIGEST_A };
	struct files files = { 0 };

	files_add(&files, "weir.conf", "a", 1);
	int err = store_put_version(s, &v, &files);

	files_fini(&files);
	return err;
}

static int write_first_version(struct store *s)
{
	return write_version(s, 1);
}

static int write_reply(struct store *s)
{
	return store_put_reply(s, "k", "d", 201, "{}", NOW_MS);
}

/*
 * How many rows of each kind another reader of the file sees, events first: it waits for no
 * writer.
 */
static void assert_rows(const struct fixture *f, const int want[3])
{
	static const char *const tables[] = { "events", "versions", "replies" };
	sqlite3 *db = open_raw(f);

	for (size_t i = 0; i < COUNT(tables); i++) {
		char text[64];
		sqlite3_stmt *q = NULL;

		snprintf(text, sizeof(text), "SELECT count(*) FROM %s", tables[i]);
		assert_int_equal(sqlite3_prepare_v2(db, text, -1, &q, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(q), SQLITE_ROW);
		assert_int_equal(sqlite3_column_int(q, 0), want[i]);
		sqlite3_finalize(q);
	}
	run_raw(db, "BEGIN IMMEDIATE; ROLLBACK;"); /* nor does a writer keep it */
	sqlite3_close(db);
}

/*
 * Whether SQLite takes the transaction back by itself or leaves it open: nothing of it is kept,
 * and the next write works.
 */
static void after_a_write_that_fails_the_next_one_works(void **state)
{
	static int (*const writes[])(struct store *) = { write_events, write_first_version,
		                                         write_reply };
	/* the first two fail when a part is written already */
	static const char *const where[] = { "INSERT ON events WHEN NEW.id=2",
		                             "INSERT ON version_files", "INSERT ON replies" };
	static const char *const how[] = { "ABORT", "FAIL", "ROLLBACK" };

	for (size_t i = 0; i < COUNT(writes) * COUNT(how); i++) {
		size_t kind = i / COUNT(how), next = (kind + 1) % COUNT(writes);
		char text[160];
		int rows[3] = { 0, 0, 0 };
		struct store *s = open_in(*state);
		sqlite3 *db = open_raw(*state);

		print_message("  %s %s\n", where[kind], how[i % COUNT(how)]);
		snprintf(text, sizeof(text),
		         "CREATE TRIGGER t BEFORE %s BEGIN SELECT RAISE(%s,'x'); END", where[kind],
		         how[i % COUNT(how)]);
		run_raw(db, text);
		assert_int_equal(writes[kind](s), -EIO);
		assert_rows(*state, rows);
		assert_int_equal(writes[next](s), 0);
		rows[next] += next == 0 ? 2 : 1;
		assert_rows(*state, rows);
		run_raw(db, "DROP TRIGGER t");
		assert_int_equal(writes[kind](s), 0);
		rows[kind] += kind == 0 ? 2 : 1;
		assert_rows(*state, rows);
		run_raw(db, "DELETE FROM events; DELETE FROM versions; DELETE FROM replies;");
		sqlite3_close(db);
		store_close(s);
	}
}

/* Versions that are there, newest first. */
static const char *list_numbers(struct store *s)
{
	static char text[160];
	struct version list[32];
	int n = store_versions(s, 0, list, COUNT(list));
	size_t at = 0;

	text[0] = '\0';
	for (int i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%u", i ? " " : "",
		                       (unsigned)list[i].number);
	return text;
}

/*
 * The version with which files are too many goes, and all before it; the last ten stay whatever they
 * have.
 */
static void versions_of_too_many_files_go(void **state)
{
	static const struct {
		const char *why;
		int crowded;      /* one version */
		unsigned n_files; /* which it gets */
		const char *left;
	} rows[] = {
		{ "as many as may be", 3, STORE_FILES_MAX - 14,
		  "14 13 12 11 10 9 8 7 6 5 4 3 2 1" },
		{ "one more", 3, STORE_FILES_MAX - 13, "14 13 12 11 10 9 8 7 6 5 4 3 2" },
		{ "three more", 3, STORE_FILES_MAX - 11, "14 13 12 11 10 9 8 7 6 5 4" },
		{ "the tenth before the newest", 4, STORE_FILES_MAX, "14 13 12 11 10 9 8 7 6 5" },
		{ "one of the last ten", 5, STORE_FILES_MAX, "14 13 12 11 10 9 8 7 6 5" },
		{ "a staged one", -7, STORE_FILES_MAX, "14 13 12 11 10 9 8 7 6 5 4 3 2 1" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct store *s = open_in(*state);
		sqlite3 *db = open_raw(*state);
		char text[256];

		print_message("  %s\n", rows[i].why);
		for (uint64_t number = 1; number < 14; number++)
			assert_int_equal(write_version(s, number), 0);
		snprintf(text, sizeof(text),
		         "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n<%u) "
		         "INSERT INTO version_files SELECT %d, 'f'||n, 'd' FROM c",
		         rows[i].n_files, rows[i].crowded);
		run_raw(db, text);
		assert_int_equal(write_version(s, 14), 0);
		assert_string_equal(list_numbers(s), rows[i].left);
		run_raw(db, "DELETE FROM versions; DELETE FROM version_files;");
		sqlite3_close(db);
		store_close(s);
	}
}

SUITE(store)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_lead_out_are_no_files_of_a_version),
		cmocka_unit_test(the_digest_depends_on_names_and_bytes_not_on_order),
		cmocka_unit_test(durations_and_instants_are_read_as_people_write_them),
		cmocka_unit_test_setup_teardown(a_version_comes_back_with_its_bytes, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(
		        bytes_that_do_not_fit_their_digest_are_not_handed_out, setup, teardown),
		cmocka_unit_test_setup_teardown(only_the_last_thousand_versions_are_kept, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(
		        a_file_that_is_no_store_is_called_corrupt_and_can_be_put_aside, setup,
		        teardown),
		cmocka_unit_test_setup_teardown(versions_of_too_many_files_go, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_staged_is_no_version, setup, teardown),
		cmocka_unit_test_setup_teardown(a_request_is_carried_out_with_its_version, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(events_are_numbered_without_gaps_and_the_oldest_go,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_deadline_survives_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(replies_are_kept_for_a_day, setup, teardown),
		cmocka_unit_test_setup_teardown(after_a_write_that_fails_the_next_one_works, setup,
		                                teardown),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
