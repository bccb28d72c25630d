/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node's copy of shared intent: who wins, that nothing is half-written, what outlives the process, and what a
 * full disk or a damaged file does.
 */
#include "fixture.h"

#include <sqlite3.h>

#include "mgmt/store/copy.h"
#include "tests/unit/suite.h"

struct copy_thing {
	char text[200];
};

static const struct record_kind thing_record =
        RECORD_OF(struct copy_thing, "thing", NULL, RECORD_TEXT(struct copy_thing, text));

static struct store *open_store(const struct fixture *f)
{
	char reason[EVENT_TEXT_MAX];
	struct store *s = NULL;

	assert_int_equal(store_open(f->state, &s, reason), 0);
	return s;
}

/* All that the copy has, as "REVISION: NAME=TEXT@REVISION ..." */
struct shown {
	char text[2048];
	int refuse_at, n;
};

static int show_record(void *arg, const struct shared_record *r)
{
	struct shown *s = arg;
	size_t n = strlen(s->text);

	if (s->n++ == s->refuse_at)
		return -ECANCELED;
	snprintf(s->text + n, sizeof(s->text) - n, " %s=%s@%lld", r->name, r->text,
	         (long long)r->revision);
	return 0;
}

static void assert_copy(struct store *s, const char *prefix, const char *expected)
{
	struct shown shown = { .refuse_at = -1 };
	int64_t revision = -1;

	assert_int_equal(copy_revision(s, &revision), 0);
	snprintf(shown.text, sizeof(shown.text), "%lld:", (long long)revision);
	assert_true(copy_each(s, prefix, show_record, &shown) >= 0);
	assert_string_equal(shown.text, expected);
}

/* One change: see @p name at @p revision, then put it, or remove it. @return the result */
static enum shared_result change_one(struct store *s, const char *name, int64_t revision,
                                     const char *text)
{
	struct shared_answer a = { .result = SHARED_UNKNOWN };
	struct shared_change c;
	struct copy_thing t = { "" };

	shared_change_begin(&c, "c");
	shared_change_see(&c, name, revision);
	if (text) {
		snprintf(t.text, sizeof(t.text), "%s", text);
		shared_change_put(&c, name, &thing_record, &t);
	} else {
		shared_change_remove(&c, name);
	}
	assert_int_equal(copy_decide(s, &c, NULL, &a), 0);
	shared_change_fini(&c);
	enum shared_result result = a.result;

	shared_answer_fini(&a);
	return result;
}

static void of_two_that_saw_the_same_one_wins(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	assert_copy(s, "", "0:");
	for (int life = 0; life < 2; life++) { /* made, changed and removed, twice */
		int64_t at = life * 3;
		char text[128];

		assert_int_equal(change_one(s, "a", 0, "one"), SHARED_DONE);
		assert_int_equal(change_one(s, "a", 0, "two"), SHARED_REFUSED);
		snprintf(text, sizeof(text), "%lld: a={\"change\":\"c\",\"text\":\"one\"}@%lld",
		         (long long)at + 1, (long long)at + 1);
		assert_copy(s, "", text);
		assert_int_equal(change_one(s, "a", at + 1, "three"), SHARED_DONE);
		assert_int_equal(change_one(s, "a", at + 1, NULL), SHARED_REFUSED);
		assert_int_equal(change_one(s, "a", at + 3, NULL), SHARED_REFUSED);
		snprintf(text, sizeof(text), "%lld: a={\"change\":\"c\",\"text\":\"three\"}@%lld",
		         (long long)at + 2, (long long)at + 2);
		assert_copy(s, "", text);
		store_close(s);
		s = open_store(&f);
		assert_copy(s, "", text);
		assert_int_equal(change_one(s, "a", at + 2, NULL), SHARED_DONE);
		assert_int_equal(change_one(s, "a", at + 2, "four"), SHARED_REFUSED);
		snprintf(text, sizeof(text), "%lld:", (long long)at + 3);
		assert_copy(s, "", text);
	}
	store_close(s);
	fixture_remove(&f);
}

static void the_newest_record_that_never_changes_is_found(void **state)
{
	struct shared_record r = { 0 };
	struct fixture f;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	assert_int_equal(change_one(s, "head", 0, "x"), SHARED_DONE);
	assert_int_equal(copy_newest_final(s, &r), -ENOENT);
	static const char *const names[] = { "version/9",        "version/10",       "mark/9",
		                             "command/site/ams", "operation/mark/1", "versions" };
	static const char *const newest[] = { "version/9", "version/10", "mark/9",
		                              "mark/9",    "mark/9",     "mark/9" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(change_one(s, names[i], 0, "x"), SHARED_DONE);
		assert_int_equal(copy_newest_final(s, &r), 0);
		assert_string_equal(r.name, newest[i]);
		assert_int_equal(r.revision, i < 3 ? 2 + i : 4);
		free(r.text);
	}
	store_close(s);
	fixture_remove(&f);
}

static void who_is_refused_is_told_what_is_there(void **state)
{
	struct shared_answer a;
	struct shared_change c;
	struct fixture f;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	assert_int_equal(change_one(s, "a", 0, "one"), SHARED_DONE);
	assert_int_equal(change_one(s, "b", 0, "two"), SHARED_DONE);
	shared_change_begin(&c, "c2");
	shared_change_see(&c, "a", 1);
	shared_change_see(&c, "none", 0);
	shared_change_see(&c, "b", 1);
	shared_change_remove(&c, "a");
	assert_int_equal(copy_decide(s, &c, NULL, &a), 0);
	assert_int_equal(a.result, SHARED_REFUSED);
	assert_int_equal(a.n_now, 3);
	assert_string_equal(a.now[0].name, "a");
	assert_int_equal(a.now[0].revision, 1);
	assert_string_equal(a.now[0].text, "{\"change\":\"c\",\"text\":\"one\"}");
	assert_string_equal(a.now[1].name, "none");
	assert_int_equal(a.now[1].revision, 0);
	assert_null(a.now[1].text);
	assert_string_equal(a.now[2].name, "b");
	assert_int_equal(a.now[2].revision, 2);
	shared_answer_fini(&a);
	shared_change_fini(&c);
	assert_copy(s, "a", "2: a={\"change\":\"c\",\"text\":\"one\"}@1");
	store_close(s);
	fixture_remove(&f);
}

/* All whose names begin so: what was written after the revision refuses, what was removed does not. */
static void a_change_may_rest_on_many_records(void **state)
{
	static const struct {
		const char *prefix;
		int64_t revision;
		enum shared_result result;
		int64_t newest;
	} rows[] = {
		{ "a/", 1, SHARED_REFUSED, 3 },      { "a/", 2, SHARED_REFUSED, 3 },
		{ "b/", 1, SHARED_REFUSED, 2 },      { "none/", 0, SHARED_DONE, 0 },
		{ "gone/", 1, SHARED_DONE, 0 },      { "b/", 2, SHARED_DONE, 0 },
		{ "a/", INT64_MAX, SHARED_DONE, 0 },
	};
	struct fixture f;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	assert_int_equal(change_one(s, "a/1", 0, "one"), SHARED_DONE);
	assert_int_equal(change_one(s, "b/1", 0, "two"), SHARED_DONE);
	assert_int_equal(change_one(s, "a/2", 0, "three"), SHARED_DONE);
	assert_int_equal(change_one(s, "gone/1", 0, "four"), SHARED_DONE);
	assert_int_equal(change_one(s, "gone/1", 4, NULL), SHARED_DONE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct shared_answer a;
		struct shared_change c;

		print_message("  %zu\n", i);
		shared_change_begin(&c, "c2");
		shared_change_see_all(&c, rows[i].prefix, rows[i].revision);
		shared_change_remove(&c, "gone/1");
		assert_int_equal(copy_decide(s, &c, NULL, &a), 0);
		assert_int_equal(a.result, rows[i].result);
		const struct shared_record *newer = shared_answer_newer(&a, &c, rows[i].prefix);

		assert_int_equal(newer ? newer->revision : 0, rows[i].newest);
		shared_answer_fini(&a);
		shared_change_fini(&c);
	}
	store_close(s);
	fixture_remove(&f);
}

/* Each of what a change rests on decides, the first as well as the last; who is refused leaves no version behind. */
static void who_is_refused_leaves_nothing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	static const char *const seen[] = { "a", "b", "none" };

	assert_int_equal(change_one(s, "a", 0, "one"), SHARED_DONE);
	assert_int_equal(change_one(s, "b", 0, "two"), SHARED_DONE);
	for (size_t other = 0; other < 3; other++) {
		struct version v = { .number = 1, .digest = "d", .author = "ann" }, there;
		struct files files = { 0 };
		struct shared_answer a;
		struct shared_change c;

		assert_int_equal(files_add(&files, "weir.conf", "x", 1), 0);
		files_digest(&files, v.digest);
		shared_change_begin(&c, "c2");
		for (size_t i = 0; i < 3; i++)
			shared_change_see(&c, seen[i], i == other ? 9 : (int64_t)(i + 1) % 3);
		shared_change_remove(&c, "a");
		assert_int_equal(copy_decide(s, &c, &(struct copy_version){ &v, &files }, &a), 0);
		assert_int_equal(a.result, SHARED_REFUSED);
		assert_int_equal(store_version(s, 1, &there), -ENOENT);
		shared_answer_fini(&a);
		shared_change_fini(&c);
		files_fini(&files);
	}
	store_close(s);
	fixture_remove(&f);
}

static void a_change_is_written_whole_with_one_revision(void **state)
{
	static const struct copy_thing t = { "t" };
	struct shared_answer a;
	struct shared_change c;
	struct fixture f;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	assert_int_equal(change_one(s, "old", 0, "o"), SHARED_DONE);
	shared_change_begin(&c, "c2");
	shared_change_put(&c, "x/2", &thing_record, &t);
	shared_change_put(&c, "x/1", &thing_record, &t);
	shared_change_remove(&c, "old");
	shared_change_remove(&c, "never");
	assert_int_equal(copy_decide(s, &c, NULL, &a), 0);
	assert_int_equal(a.result, SHARED_DONE);
	assert_int_equal(a.revision, 2);
	assert_int_equal(a.n_now, 0);
	assert_copy(
	        s, "",
	        "2: x/1={\"change\":\"c2\",\"text\":\"t\"}@2 x/2={\"change\":\"c2\",\"text\":\"t\"}@2");
	assert_copy(s, "x/2", "2: x/2={\"change\":\"c2\",\"text\":\"t\"}@2");
	assert_copy(s, "X", "2:");
	shared_change_see(&c, "x/1", 2);
	c.err = -EINVAL; /* a change that went wrong while it was built */
	assert_int_equal(copy_decide(s, &c, NULL, &a), -EINVAL);
	shared_change_fini(&c);
	store_close(s);
	fixture_remove(&f);
}

static void a_whole_branch_goes_and_nothing_beside_it(void **state)
{
	static const char *const names[] = { "seen/1", "seen/1/a", "seen/1/b/c", "seen/10/a",
		                             "seen/%/a" };
	struct shared_answer a;
	struct shared_change c;
	struct fixture f;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(change_one(s, names[i], 0, "t"), SHARED_DONE);
	shared_change_begin(&c, "c");
	shared_change_remove_all(&c, "seen/1/");
	assert_int_equal(copy_decide(s, &c, NULL, &a), 0);
	shared_change_fini(&c);
	assert_copy(s, "seen/",
	            "6: seen/%/a={\"change\":\"c\",\"text\":\"t\"}@5 "
	            "seen/1={\"change\":\"c\",\"text\":\"t\"}@1 "
	            "seen/10/a={\"change\":\"c\",\"text\":\"t\"}@4");
	shared_change_begin(&c, "c");
	shared_change_remove_all(&c, "seen/%/"); /* no pattern */
	assert_int_equal(copy_decide(s, &c, NULL, &a), 0);
	shared_change_fini(&c);
	assert_copy(s, "seen/10", "7: seen/10/a={\"change\":\"c\",\"text\":\"t\"}@4");
	store_close(s);
	fixture_remove(&f);
}

static void a_copy_follows_in_order(void **state)
{
	struct shared_record list[] = { { .name = "a", .text = (char[]){ "{1}" } },
		                        { .name = "b", .text = (char[]){ "{2}" } } };
	struct fixture f;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	assert_int_equal(copy_follow(s, 7, list, 2), 0);
	assert_copy(s, "", "7: a={1}@7 b={2}@7");
	assert_int_equal(copy_follow(s, 7, list, 1), -ESTALE);
	assert_int_equal(copy_follow(s, 6, list, 1), -ESTALE);
	list[0].text = NULL;
	assert_int_equal(copy_follow(s, 9, list, 1), 0);
	assert_copy(s, "", "9: b={2}@7");
	assert_int_equal(copy_follow(s, 10, NULL, 0), 0);
	assert_copy(s, "", "10: b={2}@7");
	list[0] = (struct shared_record){ .name = "c", .text = (char[]){ "{3}" }, .revision = 3 };
	list[1].revision = 4;
	assert_int_equal(copy_install(s, 5, list, 1, NULL, 0),
	                 0); /* also of a store that went back */
	assert_copy(s, "", "5: c={3}@3");
	store_close(s);
	fixture_remove(&f);
}

static void damage_copy(const struct fixture *f, const char *sql)
{
	char path[PATH_MAX];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/store/store.db", f->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* What was there when this node came: the first list's, or an older store's. */
static void the_first_list_says_what_was_there(void **state)
{
	static const struct {
		const char *why;
		int64_t list, joined;
	} rows[] = {
		{ "the first", 100, 100 },
		{ "a later one", 250, 100 },
		{ "a restored store's", 60, 60 },
		{ "and a later one", 300, 60 },
	};
	const struct shared_record r = { .name = "a",
		                         .text = (char *)(uintptr_t) "{}",
		                         .revision = 7 };
	struct fixture f;
	int64_t joined = -1;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);

	assert_int_equal(copy_joined(s, &joined), 0);
	assert_int_equal(joined, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].why);
		assert_int_equal(copy_install(s, rows[i].list, &r, 1, NULL, 0), 0);
		assert_int_equal(copy_follow(s, rows[i].list + 1, &r, 1), 0);
		store_close(s);
		s = open_store(&f);
		assert_int_equal(copy_joined(s, &joined), 0);
		assert_int_equal(joined, rows[i].joined);
	}
	store_close(s);
	fixture_remove(&f);
}

static void assert_origin(struct store *s, const struct store_origin *expected)
{
	struct store_origin found = { .epoch = 77 };

	assert_int_equal(copy_origin(s, &found), 0);
	assert_true(found.cluster_id == expected->cluster_id && found.epoch == expected->epoch);
	assert_string_equal(found.nonce, expected->nonce);
}

/* Epoch, nonce and cluster are kept with the list that had them; one that takes its place says since when it counts. */
static void a_copy_knows_of_which_epoch_it_is(void **state)
{
	const struct store_origin one = { .cluster_id = UINT64_MAX, .epoch = 1, .nonce = "00aa" },
	                          two = { .cluster_id = 9, .epoch = 2, .nonce = "00bb" };
	struct store_origin found = { 0 };
	int64_t joined = -1;
	struct fixture f;
	bool went_back;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);

	assert_origin(s, &found);
	assert_int_equal(copy_install(s, 100, NULL, 0, &one, 0), 0);
	assert_int_equal(copy_set_went_back(s), 0);
	assert_int_equal(copy_install(s, 200, NULL, 0, &one, 0), 0);
	store_close(s);
	s = open_store(&f);
	assert_origin(s, &one);
	assert_int_equal(copy_went_back(s, &went_back), 0);
	assert_true(went_back);
	assert_int_equal(copy_install(s, 300, NULL, 0, &two, 290), 0);
	assert_int_equal(copy_install(s, 301, NULL, 0, NULL, 0), 0);
	assert_origin(s, &two);
	assert_int_equal(copy_joined(s, &joined), 0);
	assert_int_equal(joined, 290);
	assert_int_equal(copy_went_back(s, &went_back), 0);
	assert_false(went_back);
	store_close(s);
	damage_copy(&f, "UPDATE shared_origin SET nonce='a nonce that is far too long'");
	s = open_store(&f);
	assert_int_equal(copy_origin(s, &found), -EBADMSG);
	store_close(s);
	fixture_remove(&f);
}

static void a_copy_is_of_one_store(void **state)
{
	char was[COPY_STORE_MAX] = "x";
	struct fixture f;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);

	assert_int_equal(copy_bind(s, "one /weir/", was), 0);
	assert_string_equal(was, "");
	for (int life = 0; life < 2; life++) {
		assert_int_equal(copy_bind(s, "one /weir/", was), 0);
		assert_int_equal(copy_bind(s, "two /weir/", was), -EXDEV);
		assert_string_equal(was, "one /weir/");
		assert_int_equal(change_one(s, life ? "b" : "a", 0, "one"), SHARED_DONE);
		store_close(s);
		s = open_store(&f);
	}
	store_close(s);
	fixture_remove(&f);
}

static void a_node_that_decides_itself_was_always_there(void **state)
{
	struct fixture f;
	int64_t joined = -1;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);

	assert_int_equal(change_one(s, "a", 0, "one"), SHARED_DONE);
	assert_int_equal(copy_joined(s, &joined), 0);
	assert_int_equal(joined, 0);
	store_close(s);
	fixture_remove(&f);
}

static void what_cannot_be_a_revision_is_damage(void **state)
{
	static const char *const damages[] = {
		"UPDATE shared_revision SET revision=-1",
		"UPDATE shared_revision SET joined=-1",
		"UPDATE shared_revision SET joined=revision+1",
		"UPDATE shared_revision SET revision=9223372036854775807",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct fixture f;
		int64_t revision = 5, joined = 6;

		print_message("  %s\n", damages[i]);
		fixture_make(&f);
		struct store *s = open_store(&f);
		assert_int_equal(change_one(s, "a", 0, "one"), SHARED_DONE);
		store_close(s);
		damage_copy(&f, damages[i]);
		s = open_store(&f);
		assert_int_equal(copy_revision(s, &revision), -EBADMSG);
		assert_int_equal(copy_joined(s, &joined), -EBADMSG);
		assert_int_equal(revision, 5);
		assert_int_equal(joined, 6);
		store_close(s);
		fixture_remove(&f);
	}
}

static void a_record_is_read_by_name(void **state)
{
	struct shared_record r = { .revision = 99 };
	struct fixture f;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	assert_int_equal(copy_read(s, "a", &r), -ENOENT);
	assert_int_equal(r.revision, 99);
	assert_int_equal(change_one(s, "a", 0, "one"), SHARED_DONE);
	assert_int_equal(copy_read(s, "a", &r), 0);
	assert_string_equal(r.name, "a");
	assert_int_equal(r.revision, 1);
	assert_string_equal(r.text, "{\"change\":\"c\",\"text\":\"one\"}");
	free(r.text);
	store_close(s);
	fixture_remove(&f);
}

static void a_receiver_that_refuses_ends_it(void **state)
{
	struct shown shown = { .refuse_at = 1 };
	struct fixture f;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	assert_int_equal(change_one(s, "a", 0, "one"), SHARED_DONE);
	assert_int_equal(change_one(s, "b", 0, "two"), SHARED_DONE);
	assert_int_equal(copy_each(s, "", show_record, &shown), -ECANCELED);
	assert_int_equal(shown.n, 2);
	shown = (struct shown){ .refuse_at = -1 };
	assert_int_equal(copy_each(s, "", show_record, &shown), 2);
	store_close(s);
	fixture_remove(&f);
}

/* Change the file behind the store's back, while nobody has it open. */
static void what_cannot_be_a_record_is_damage(void **state)
{
	static const char *const damages[] = {
		"UPDATE shared SET revision=0",
		"UPDATE shared SET revision=-1",
		"UPDATE shared SET revision=9223372036854775807",
		"UPDATE shared SET name=printf('a%.*c', 256, 'x')",
		"DELETE FROM shared_revision",
	};
	struct shared_record r;
	struct shown shown = { .refuse_at = -1 };
	int64_t revision;

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct fixture f;
		bool is_record = i < 4;

		fixture_make(&f);
		struct store *s = open_store(&f);
		assert_int_equal(change_one(s, "a", 0, "one"), SHARED_DONE);
		store_close(s);
		damage_copy(&f, damages[i]);
		s = open_store(&f);
		print_message("  %s\n", damages[i]);
		if (is_record)
			assert_int_equal(copy_each(s, "a", show_record, &shown), -EBADMSG);
		if (i < 3)
			assert_int_equal(copy_read(s, "a", &r), -EBADMSG);
		/* the row of the revision is made again: older than its records, so all are read again */
		if (!is_record) {
			assert_int_equal(copy_revision(s, &revision), 0);
			assert_int_equal(revision, 0);
		}
		store_close(s);
		fixture_remove(&f);
	}
}

/* A record that cannot be written: what was to be written with it is not there either. */
static void what_fails_midway_leaves_all_as_it_was(void **state)
{
	static const struct copy_thing t = { "t" };
	struct shared_record list[] = { { .name = "a", .text = (char[]){ "{1}" }, .revision = 1 },
		                        { .name = "bad", .text = (char[]){ "{2}" }, .revision = 2 },
		                        { .name = "c", .text = (char[]){ "{3}" }, .revision = 3 } };
	const char *before = "1: kept={\"change\":\"c\",\"text\":\"k\"}@1";
	struct shared_answer a = { .result = SHARED_UNKNOWN };
	struct shared_change c;
	struct fixture f;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	assert_int_equal(change_one(s, "kept", 0, "k"), SHARED_DONE);
	store_close(s);
	damage_copy(&f, "CREATE TRIGGER full BEFORE INSERT ON shared WHEN NEW.name='bad'"
	                " BEGIN SELECT RAISE(ABORT, 'no room'); END");
	s = open_store(&f);
	shared_change_begin(&c, "c2");
	shared_change_see(&c, "kept", 1);
	for (size_t i = 0; i < 3; i++)
		shared_change_put(&c, list[i].name, &thing_record, &t);
	assert_true(copy_decide(s, &c, NULL, &a) < 0);
	assert_int_equal(a.result, SHARED_UNKNOWN); /* untouched */
	assert_string_equal(store_reason(s), "no room");
	shared_change_fini(&c);
	assert_copy(s, "", before);
	assert_true(copy_follow(s, 5, list, 3) < 0);
	assert_copy(s, "", before);
	assert_true(copy_install(s, 5, list, 3, NULL, 0) < 0);
	assert_copy(s, "", before);
	assert_int_equal(copy_follow(s, 5, list, 1), 0);
	store_close(s);
	fixture_remove(&f);
}

/* What a change rests on cannot be read: then it is not decided, whichever of them it is. */
static void what_cannot_be_compared_is_not_decided(void **state)
{
	static const char *const names[] = { "a", "b", "d" };
	struct fixture f;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(change_one(s, names[i], 0, "x"), SHARED_DONE);
	store_close(s);
	damage_copy(&f, "UPDATE shared SET revision=-1 WHERE name='b'");
	s = open_store(&f);
	for (size_t first = 0; first < 3; first++) {
		struct shared_answer a = { .result = SHARED_UNKNOWN };
		struct shared_change c;

		shared_change_begin(&c, "c2");
		for (size_t i = 0; i < 3; i++)
			shared_change_see(&c, names[(first + i) % 3],
			                  (int64_t)((first + i) % 3) + 1);
		shared_change_remove(&c, "a");
		assert_int_equal(copy_decide(s, &c, NULL, &a), -EBADMSG);
		assert_int_equal(a.result, SHARED_UNKNOWN);
		shared_change_fini(&c);
	}
	assert_copy(s, "a", "3: a={\"change\":\"c\",\"text\":\"x\"}@1");
	store_close(s);
	fixture_remove(&f);
}

/* Another process writes: nobody waits for ever, and nothing is half-done. */
static void a_lock_of_another_process_is_said(void **state)
{
	struct shared_answer a;
	struct shared_change c;
	char path[PATH_MAX];
	struct fixture f;
	sqlite3 *db;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	snprintf(path, sizeof(path), "%s/store/store.db", f.state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	shared_change_begin(&c, "c");
	shared_change_remove(&c, "a");
	assert_int_equal(copy_decide(s, &c, NULL, &a), -EBUSY);
	shared_change_fini(&c);
	sqlite3_close(db);
	assert_copy(s, "", "0:");
	store_close(s);
	fixture_remove(&f);
}

SUITE(copy)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_two_that_saw_the_same_one_wins),
		cmocka_unit_test(the_newest_record_that_never_changes_is_found),
		cmocka_unit_test(who_is_refused_is_told_what_is_there),
		cmocka_unit_test(a_change_may_rest_on_many_records),
		cmocka_unit_test(who_is_refused_leaves_nothing),
		cmocka_unit_test(a_change_is_written_whole_with_one_revision),
		cmocka_unit_test(a_whole_branch_goes_and_nothing_beside_it),
		cmocka_unit_test(a_copy_follows_in_order),
		cmocka_unit_test(the_first_list_says_what_was_there),
		cmocka_unit_test(a_copy_knows_of_which_epoch_it_is),
		cmocka_unit_test(a_copy_is_of_one_store),
		cmocka_unit_test(a_node_that_decides_itself_was_always_there),
		cmocka_unit_test(what_cannot_be_a_revision_is_damage),
		cmocka_unit_test(a_record_is_read_by_name),
		cmocka_unit_test(a_receiver_that_refuses_ends_it),
		cmocka_unit_test(what_cannot_be_a_record_is_damage),
		cmocka_unit_test(what_fails_midway_leaves_all_as_it_was),
		cmocka_unit_test(what_cannot_be_compared_is_not_decided),
		cmocka_unit_test(a_lock_of_another_process_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
