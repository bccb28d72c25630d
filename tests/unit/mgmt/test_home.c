/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "mgmt/store/store_dir.h"
#include "mgmt/store/store.h"
#include "tests/unit/suite.h"

#define OTHER 54321 /* a user that is none of ours */

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

static const char *name_in(const struct fixture *f, const char *name)
{
	static char path[16][PATH_MAX];
	static int i;

	i = (i + 1) % 16;
	snprintf(path[i], PATH_MAX, "%s/%s", f->state, name);
	return path[i];
}

static void run_sql(const char *path, const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static void copy_file(const char *from, const char *to)
{
	char command[PATH_MAX * 2 + 8];

	snprintf(command, sizeof(command), "cp %s %s", from, to);
	assert_int_equal(system(command), 0);
}

/* The number of versions in the store as it is when it has been opened. */
static int versions_in(const struct fixture *f)
{
	char why[EVENT_TEXT_MAX];
	struct version list[8];
	struct store *s;

	assert_int_equal(store_open(f->state, &s, why), 0);
	int n = store_versions(s, 0, list, 8);

	store_close(s);
	return n;
}

/* A version as the store has it. */
#define VERSION(number, digit)                                                                     \
	"INSERT INTO versions VALUES(" number ",'{\"number\":" number                              \
	",\"digest\":\"' || replace(hex(zeroblob(32)), '0', '" digit "') || '\"}');"
static const char add_two[] = VERSION("1", "a") VERSION("2", "b");

static void make_two(const struct fixture *f)
{
	assert_int_equal(versions_in(f), 0);
	run_sql(name_in(f, "store/store.db"), add_two);
}

/* A journal that takes the deletion of all versions back: who plays it has two again. Leaves a store with none. */
static void make_journal(const char *db, const char *kept)
{
	char journal[PATH_MAX];
	sqlite3 *sql;

	snprintf(journal, sizeof(journal), "%s-journal", db);
	assert_int_equal(sqlite3_open(db, &sql), SQLITE_OK);
	/* no room for changed pages: they are written, and so is the journal, before the end */
	assert_int_equal(
	        sqlite3_exec(sql,
	                     "PRAGMA cache_size=1; BEGIN; DELETE FROM versions;"
	                     "CREATE TABLE filler(a);"
	                     "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c"
	                     " LIMIT 300) INSERT INTO filler SELECT hex(zeroblob(900)) FROM c;",
	                     NULL, NULL, NULL),
	        SQLITE_OK);
	copy_file(journal, kept);
	assert_int_equal(sqlite3_exec(sql, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(sql);
	(void)unlink(journal);
}

static void the_store_is_in_a_directory_of_its_own(void **state)
{
	const struct fixture *f = *state;
	struct stat st;

	assert_int_equal(versions_in(f), 0);
	assert_int_equal(stat(name_in(f, "store"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(lstat(name_in(f, "store/store.db"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	/* what lies beside the directory is none of it */
	assert_int_equal(lstat(name_in(f, "store.db"), &st), -1);
	fixture_write(f->state, "store.db", "planted");
	fixture_write(f->state, "store.lock", "planted");
	assert_int_equal(versions_in(f), 0);
}

static void a_running_process_keeps_its_store(void **state)
{
	const struct fixture *f = *state;
	char why[EVENT_TEXT_MAX];
	struct store *s, *second;

	assert_int_equal(store_open(f->state, &s, why), 0);
	assert_int_equal(store_open(f->state, &second, why), -EBUSY);
	store_close(s);
	assert_int_equal(versions_in(f), 0);
}

static void a_journal_of_the_own_user_is_rolled_back(void **state)
{
	const struct fixture *f = *state;

	make_two(f);
	make_journal(name_in(f, "store/store.db"), name_in(f, "kept"));
	assert_int_equal(rename(name_in(f, "kept"), name_in(f, "store/store.db-journal")), 0);
	assert_int_equal(versions_in(f), 2);
}

static void expect_refused(const struct fixture *f, const char *expected)
{
	char why[EVENT_TEXT_MAX];
	struct store *s;

	assert_int_equal(store_open(f->state, &s, why), -EPERM);
	print_message("  %s\n", why);
	assert_non_null(strstr(why, expected));
}

static void what_belongs_to_another_user_is_refused_until_it_is_gone(void **state)
{
	const struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	make_two(f);
	assert_int_equal(chown(name_in(f, "store/store.db"), OTHER, OTHER), 0);
	expect_refused(f, "belongs to");
	assert_int_equal(chown(name_in(f, "store/store.db"), 0, 0), 0);
	assert_int_equal(versions_in(f), 2);
	/* in the directory itself */
	static const char *const besides[] = { "-journal", "-wal", "-shm" };

	for (size_t i = 0; i < sizeof(besides) / sizeof(besides[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "store/store.db%s", besides[i]);
		fixture_write(f->state, name, "x");
		assert_int_equal(chown(name_in(f, name), OTHER, OTHER), 0);
		expect_refused(f, name + strlen("store/"));
		assert_int_equal(unlink(name_in(f, name)), 0);
	}
	assert_int_equal(chmod(name_in(f, "store/store.db"), 0666), 0);
	expect_refused(f, "mode");
	assert_int_equal(chmod(name_in(f, "store/store.db"), 0660),
	                 0); /* the group may not either */
	expect_refused(f, "mode");
	assert_int_equal(chmod(name_in(f, "store/store.db"), 0644), 0);
	assert_int_equal(link(name_in(f, "store/store.db"), name_in(f, "other")), 0);
	expect_refused(f, "other names");
	assert_int_equal(unlink(name_in(f, "other")), 0);
	assert_int_equal(versions_in(f), 2);
	/* the directory itself */
	assert_int_equal(chown(name_in(f, "store"), OTHER, OTHER), 0);
	expect_refused(f, "store");
	assert_int_equal(chown(name_in(f, "store"), 0, 0), 0);
	assert_int_equal(versions_in(f), 2);
}

SUITE(home)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_store_is_in_a_directory_of_its_own),
		T(a_running_process_keeps_its_store),
		T(a_journal_of_the_own_user_is_rolled_back),
		T(what_belongs_to_another_user_is_refused_until_it_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
