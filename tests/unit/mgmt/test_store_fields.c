/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever is put into the store comes back field by field after a restart; what is kept is
 * bounded; who, and for which request.
 */
#include "fixture.h"

#include <errno.h>
#include <sqlite3.h>

#include "mgmt/store/store.h"
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

static struct store *open_store(void)
{
	char why[EVENT_TEXT_MAX];
	struct store *s = NULL;

	assert_int_equal(store_open(place.state, &s, why), 0);
	assert_string_equal(why, "");
	return s;
}

static struct store *open_again(struct store *s)
{
	store_close(s);
	return open_store();
}

/* As another program would, beside the store. */
static void run_sql(const char *text)
{
	char path[PATH_MAX];
	sqlite3 *db = NULL;

	snprintf(path, sizeof(path), "%s/store/store.db", place.state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* A text of the most that @p field has room for. */
#define FILL(field, letter)                                                                        \
	do {                                                                                       \
		memset(field, letter, sizeof(field) - 1);                                          \
		(field)[sizeof(field) - 1] = '\0';                                                 \
	} while (0)

static struct version full_version(uint64_t number)
{
	struct version v = { .number = number,
		             .time_ms = NOW_MS + 1,
		             .effective_ms = NOW_MS + 2,
		             .base = number > 4 ? 4 : 0,
		             .confirm_within_ms = 60000 };

	FILL(v.digest, 'a');
	FILL(v.parent, 'b');
	FILL(v.author, 'c');
	FILL(v.reason, 'd');
	FILL(v.node, 'e');
	FILL(v.principal, 'f');
	FILL(v.hash_key, '0');
	return v;
}

static void put_version(struct store *s, const struct version *v)
{
	struct files files = { 0 };

	assert_int_equal(files_add(&files, "weir.conf", "x", 1), 0);
	assert_int_equal(store_put_version(s, v, &files), 0);
	files_fini(&files);
}

static void a_version_comes_back_with_each_field(void **state)
{
	struct version v = full_version(5), got;
	struct store *s = open_store();

	(void)state;
	put_version(s, &v);
	s = open_again(s);
	assert_int_equal(store_version(s, 5, &got), 0);
	assert_memory_equal(&got, &v, sizeof(v));
	/* Put again without some of them: nothing of the earlier record is left. */
	v.base = 0;
	v.principal[0] = v.hash_key[0] = '\0';
	put_version(s, &v);
	s = open_again(s);
	assert_int_equal(store_version(s, 5, &got), 0);
	assert_int_equal(got.base, 0);
	assert_string_equal(got.principal, "");
	assert_string_equal(got.hash_key, "");
	assert_string_equal(got.author, v.author);
	store_close(s);
}

static void versions_are_listed_newest_first_up_to_a_number(void **state)
{
	static const struct {
		uint64_t before;
		size_t max;
		int n;
		uint64_t first, last;
	} rows[] = {
		{ 0, 9, 4, 9, 1 }, { 0, 2, 2, 9, 4 }, { 9, 9, 3, 4, 1 }, { 4, 9, 2, 3, 1 },
		{ 5, 1, 1, 4, 4 }, { 2, 9, 1, 1, 1 }, { 1, 9, 0, 0, 0 },
	};
	static const uint64_t numbers[] = { 3, 9, 1, 4 };
	struct version v = full_version(0), list[9];
	struct store *s = open_store();

	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		v.number = numbers[i];
		put_version(s, &v);
	}
	for (size_t i = 0; i < COUNT(rows); i++) {
		int n = store_versions(s, rows[i].before, list, rows[i].max);

		if (n != rows[i].n || (n && list[0].number != rows[i].first) ||
		    (n && list[n - 1].number != rows[i].last))
			fail_msg("row %zu: %d", i, n);
	}
	assert_int_equal(store_version(s, 2, &v), -ENOENT);
	assert_int_equal(store_version(s, 10, &v), -ENOENT);
	assert_int_equal(store_version(s, 4, &v), 0);
	assert_int_equal(v.number, 4);
	store_close(s);
}

static struct override full_override(const char *id)
{
	struct override o = { .kind = MODEL_OVERRIDE_FORCE_UP,
		              .target = MODEL_TARGET_BACKEND,
		              .generation = 11,
		              .created_ms = NOW_MS + 1,
		              .from_ms = NOW_MS + 2,
		              .over_ms = 33,
		              .until_ms = NOW_MS + 44,
		              .from_ppm = 555,
		              .ended = true };

	snprintf(o.id, sizeof(o.id), "%s", id);
	FILL(o.pool, 'p');
	FILL(o.name, 'n');
	FILL(o.author, 'a');
	FILL(o.reason, 'r');
	FILL(o.node, 'o');
	FILL(o.principal, 'q');
	return o;
}

static void an_override_comes_back_with_each_field(void **state)
{
	struct override o = full_override("n-1"), list[] = { full_override("n-3") };
	struct overrides set = { .items = &o, .n_items = 1 }, got = { 0 };
	struct store *s = open_store();

	(void)state;
	assert_int_equal(store_put_overrides(s, &set), 0);
	assert_int_equal(store_put_some(s, list, 1), 0);
	s = open_again(s);
	assert_int_equal(store_overrides(s, &got, NOW_MS), 0);
	assert_int_equal(got.n_items, 2);
	assert_memory_equal(&got.items[0], &o, sizeof(o));
	assert_memory_equal(&got.items[1], &list[0], sizeof(o));
	overrides_fini(&got);
	/* Exactly the set: what is not in it goes. */
	o.generation = 12;
	o.principal[0] = '\0';
	assert_int_equal(store_put_overrides(s, &set), 0);
	s = open_again(s);
	assert_int_equal(store_overrides(s, &got, NOW_MS), 0);
	assert_int_equal(got.n_items, 1);
	assert_int_equal(got.items[0].generation, 12);
	assert_string_equal(got.items[0].principal, "");
	overrides_fini(&got);
	store_close(s);
}

static struct event full_event(uint64_t id)
{
	struct event e = { .id = id, .time_ms = NOW_MS + (int64_t)id };

	FILL(e.kind, 'k');
	FILL(e.subject, 's');
	FILL(e.message, 'm');
	FILL(e.node, 'n');
	return e;
}

static void events_come_back_oldest_first_and_the_last_are_kept(void **state)
{
	struct event list[] = { full_event(3), full_event(4), full_event(5) }, got[4];
	struct store *s = open_store();

	(void)state;
	assert_int_equal(store_put_events(s, list, 0), 0);
	assert_int_equal(store_events(s, got, 4), 0);
	assert_int_equal(store_put_events(s, list, 3), 0);
	s = open_again(s);
	assert_int_equal(store_events(s, got, 4), 3);
	assert_memory_equal(got, list, sizeof(list));
	assert_int_equal(store_events(s, got, 2), 2);
	assert_int_equal(got[0].id, 4);
	list[0].id = 10003; /* ten thousand are kept: number 3 goes, 4 stays */
	assert_int_equal(store_put_events(s, list, 1), 0);
	assert_int_equal(store_events(s, got, 4), 3);
	assert_int_equal(got[0].id, 4);
	store_close(s);
}

static void a_deadline_comes_back_with_each_field(void **state)
{
	struct pending p = { .number = 7, .due_ms = 88, .left_ms = 99 }, got;
	struct store *s = open_store();

	(void)state;
	FILL(p.digest, 'd');
	FILL(p.boot, 'b');
	assert_int_equal(store_put_pending(s, &p), 0);
	p.number = 8; /* in place of the other */
	assert_int_equal(store_put_pending(s, &p), 0);
	s = open_again(s);
	assert_int_equal(store_pending(s, &got), 0);
	assert_int_equal(got.number, 8);
	assert_int_equal(got.due_ms, 88);
	assert_int_equal(got.left_ms, 99);
	assert_string_equal(got.digest, p.digest);
	assert_string_equal(got.boot, p.boot);
	p.left_ms = -1;
	assert_int_equal(store_put_pending(s, &p), 0);
	assert_int_equal(store_pending(s, &got), -EBADMSG);
	store_close(s);
}

static unsigned reply_status(struct store *s, const char *key, int64_t now_ms, const char *expected)
{
	char digest[DIGEST_TEXT_MAX] = "", *body = NULL;
	unsigned status = 999;
	int err = store_reply(s, key, digest, &status, &body, now_ms);

	assert_true(err == 0 || err == -ENOENT);
	if (err)
		return 999;
	assert_string_equal(digest, "request");
	assert_string_equal(body, expected);
	free(body);
	return status;
}

static void an_answer_is_kept_for_a_day_exactly_and_so_many(void **state)
{
	struct store *s = open_store();

	(void)state;
	assert_int_equal(store_put_reply(s, "k", "request", 201, "{\"a\":1}", NOW_MS), 0);
	s = open_again(s);
	assert_int_equal(reply_status(s, "k", NOW_MS + 86400000, "{\"a\":1}"), 201);
	assert_int_equal(reply_status(s, "k", NOW_MS + 86400001, ""), 999);
	assert_int_equal(store_put_reply(s, "k", "request", 409, "no", NOW_MS + 1), 0);
	assert_int_equal(reply_status(s, "k", NOW_MS, "no"), 409);
	/* Another day's answer drops it for good. */
	assert_int_equal(store_put_reply(s, "l", "request", 200, "", NOW_MS + 86400002), 0);
	assert_int_equal(reply_status(s, "k", NOW_MS, ""), 999);
	/* 1,024 are kept: with 1,023 later ones that is the last but one. */
	run_sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1022)"
	        " INSERT INTO replies SELECT 'm'||i, 'request', 200, 'b', 1790086400003+i FROM n");
	assert_int_equal(store_put_reply(s, "n", "request", 200, "b", NOW_MS + 86400003), 0);
	assert_int_equal(reply_status(s, "l", NOW_MS + 86400003, ""), 200);
	assert_int_equal(store_put_reply(s, "o", "request", 200, "b", NOW_MS + 86400003), 0);
	assert_int_equal(reply_status(s, "l", NOW_MS + 86400003, ""), 999);
	assert_int_equal(reply_status(s, "m1", NOW_MS + 86400003, "b"), 200);
	store_close(s);
}

/*
 * A change leaves behind that its request was carried out, in the same transaction; the answer
 * takes its place.
 */
static void what_a_request_made_is_kept_with_the_change(void **state)
{
	struct store_request r = { .key = "k", .digest = "request", .now_ms = NOW_MS };
	struct override list[] = { full_override("n-2"), full_override("n-3") };
	struct version v = full_version(7);
	struct store *s = open_store();

	(void)state;
	put_version(s, &v); /* for no request */
	assert_int_equal(reply_status(s, "", NOW_MS, ""), 999);
	store_for(s, &r);
	assert_int_equal(store_put_some(s, list, 0), 0);
	assert_int_equal(reply_status(s, "k", NOW_MS, ""), 999); /* nothing was made */
	assert_int_equal(store_put_some(s, list, 2), 0);
	assert_int_equal(reply_status(s, "k", NOW_MS, "{\"override\":\"n-2\"}"), 0);
	snprintf(r.key, sizeof(r.key), "l");
	store_for(s, &r);
	put_version(s, &v);
	assert_int_equal(reply_status(s, "l", NOW_MS, "{\"version\":7}"), 0);
	store_for(s, NULL);
	put_version(s, &(struct version){ .number = 5 });
	s = open_again(s);
	assert_int_equal(reply_status(s, "l", NOW_MS, "{\"version\":7}"), 0);
	assert_int_equal(store_put_reply(s, "l", "request", 200, "done", NOW_MS), 0);
	assert_int_equal(reply_status(s, "l", NOW_MS, "done"), 200);
	store_close(s);
}

static int64_t count_rows(const char *table)
{
	char path[PATH_MAX], text[64];
	sqlite3_stmt *q = NULL;
	sqlite3 *db = NULL;

	snprintf(path, sizeof(path), "%s/store/store.db", place.state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	snprintf(text, sizeof(text), "SELECT count(*) FROM %s", table);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return n;
}

/* A version that is forgotten leaves nothing behind, in any table. */
static void a_forgotten_version_leaves_no_row(void **state)
{
	static const char *const tables[] = { "versions", "version_files", "blobs" };
	struct version v = full_version(3), got;
	struct store *s = open_store();
	struct files files = { 0 };

	(void)state;
	put_version(s, &v);
	v.number = 1003; /* the thousandth after it */
	v.digest[0] = 'c';
	assert_int_equal(files_add(&files, "weir.conf", "other", 5), 0);
	assert_int_equal(store_put_version(s, &v, &files), 0);
	assert_int_equal(store_version(s, 3, &got), -ENOENT);
	v.number = 1004;
	v.digest[1] = 'c';
	assert_int_equal(store_put_version(s, &v, &files), 0);
	assert_int_equal(store_version(s, 1003, &got), 0); /* it is within a thousand */
	store_close(s);
	for (size_t i = 0; i < COUNT(tables); i++) {
		int64_t n = count_rows(tables[i]), expected = i == 2 ? 1 : 2;

		if (n != expected)
			fail_msg("%s has %lld rows", tables[i], (long long)n);
	}
	files_fini(&files);
}

/* Small files of any version are found by digest, and not those of none. */
static void a_file_is_found_by_its_digest(void **state)
{
	struct version v = full_version(1);
	struct files files = { 0 };
	struct store *s = open_store();
	char *bytes = NULL;
	size_t n = 9;

	(void)state;
	assert_int_equal(files_add(&files, "weir.conf", "a\0b", 3), 0);
	assert_int_equal(files_add(&files, "empty", "", 0), 0);
	assert_int_equal(store_put_version(s, &v, &files), 0);
	const char *whole = files_find(&files, "weir.conf")->digest;
	const char *empty = files_find(&files, "empty")->digest;
	assert_true(store_has_blob(s, whole) && store_has_blob(s, empty));
	assert_int_equal(store_blob(s, whole, &bytes, &n), 0);
	assert_int_equal(n, 3);
	assert_memory_equal(bytes, "a\0b", 3);
	free(bytes);
	assert_int_equal(store_blob(s, empty, &bytes, &n), 0);
	assert_int_equal(n, 0);
	free(bytes);
	bytes = NULL;
	assert_false(store_has_blob(s, v.digest));
	assert_int_equal(store_blob(s, v.digest, &bytes, &n), -ENOENT);
	assert_null(bytes);
	assert_string_equal(store_reason(s), ""); /* that is no failure */
	files_fini(&files);
	store_close(s);
}

/* A record that does not fit its fields is damage: nothing of it is given, and it is said. */
static void a_damaged_row_is_corrupt(void **state)
{
	static const char *const harms[] = {
		"UPDATE versions SET text=json_set(text, '$.digest', 'short')",
		"UPDATE versions SET text=json_set(text, '$.parent', 'x')",
		"UPDATE versions SET text=json_set(text, '$.author', hex(randomblob(40)))",
		"UPDATE versions SET text=json_set(text, '$.author', 'a' || char(10) || 'b')",
		"UPDATE versions SET text=json_set(text, '$.reason', hex(randomblob(128)))",
		"UPDATE versions SET text=json_set(text, '$.node', hex(randomblob(40)))",
		"UPDATE versions SET text=json_set(text, '$.principal', hex(randomblob(40)))",
		"UPDATE versions SET text=json_set(text, '$.hash_key', 'x')",
		"UPDATE versions SET text=json_set(text, '$.number', 0)",
		"UPDATE versions SET text=json_set(text, '$.time_ms', -1)",
		"UPDATE versions SET text='[]'",
		"UPDATE versions SET text='{'",
		"UPDATE versions SET text=''",
	};
	struct version v = full_version(5), got;

	(void)state;
	for (size_t i = 0; i < COUNT(harms); i++) {
		struct store *s = open_store();

		run_sql("DELETE FROM versions");
		put_version(s, &v);
		run_sql(harms[i]);
		got = (struct version){ .number = 77 };
		if (store_version(s, 5, &got) != -EBADMSG || got.number != 77)
			fail_msg("%s", harms[i]);
		store_close(s);
	}
}

SUITE(store_fields)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_version_comes_back_with_each_field, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(versions_are_listed_newest_first_up_to_a_number,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(an_override_comes_back_with_each_field, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(events_come_back_oldest_first_and_the_last_are_kept,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_deadline_comes_back_with_each_field, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(an_answer_is_kept_for_a_day_exactly_and_so_many,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_request_made_is_kept_with_the_change, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_forgotten_version_leaves_no_row, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_is_found_by_its_digest, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_row_is_corrupt, setup, teardown),
	};

	return cmocka_run_group_tests_name("store fields", tests, NULL, NULL);
}
