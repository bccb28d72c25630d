/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables in hugepages: whose files are trusted, followed and removed. */
#include "tests/unit/dataplane/hugefile_scene.h"
#include "tests/unit/suite.h"

/* `weir run` has made it for a user who could not make it again. */
static void a_directory_of_another_user_stays(void **state)
{
	struct hugefile_request request = { .node = -1 };
	struct driver_reason why;
	struct tablefile f;

	(void)state;
	if (geteuid())
		skip();
	open_tables(&f, &request);
	tablefile_close(&f);
	assert_int_equal(chown(huge_path(), 12345, 12345), 0);
	assert_int_equal(tables_dir_remove(edge.pins, &why), 0);
	assert_int_equal(access(huge_path(), F_OK), 0);
	assert_int_equal(count_files(), 0);
}

static void a_reader_does_not_trust_the_file_of_another_user(void **state)
{
	struct hugefile_request request = { .node = -1 };
	struct driver_reason why;
	struct tablefile f;

	(void)state;
	if (geteuid())
		skip();
	for (int huge = 0; huge < 2; huge++) {
		(void)unlink(tables_path());
		open_tables(&f, huge ? &request : NULL);
		tablefile_close(&f);
		assert_int_equal(chown(tables_path(), 12345, 12345), 0);
		assert_int_equal(tablefile_open(&f, tables_path(), false, &why), -EPERM);
	}
}

static void two_nodes_of_a_machine_have_files_of_their_own(void **state)
{
	struct hugefile_request request = { .node = -1 };
	struct tablefile f, g;
	char first[96];

	(void)state;
	open_tables(&f, &request);
	strcpy(first, edge.pins);
	snprintf(edge.pins, sizeof(edge.pins), "%s/other", edge.dir);
	assert_int_equal(mkdir(edge.pins, 0750), 0);
	assert_false(open_tables(&g, &request));
	assert_int_equal(count_files(), 2);
	f.tables.exceptions[3].word[7] = f.tables.root->hash_key[1] = 46;
	tablefile_close(&f);
	tablefile_close(&g);
	strcpy(edge.pins, first);
	expect_mark(46);
}

/* Root may follow a link that another user has put there. */
static void a_link_to_any_other_file_is_refused_and_its_target_stays(void **state)
{
	struct driver_reason why;
	struct tablefile f;
	char other[128];

	(void)state;
	snprintf(other, sizeof(other), "%s/other", edge.dir);
	assert_int_equal(tablefile_make(&f, other, &small, N_CPUS, NULL, &why), 0);
	tablefile_close(&f);
	assert_int_equal(symlink(other, tables_path()), 0);
	for (int writable = 0; writable < 2; writable++)
		assert_int_equal(tablefile_open(&f, tables_path(), writable, &why), -ELOOP);
	assert_int_equal(tables_dir_remove(edge.pins, &why), 0);
	assert_int_equal(access(other, F_OK), 0);
}

/* Nor one of its own that leads to another file of a hugetlbfs. */
static void a_link_to_a_link_is_refused(void **state)
{
	struct hugefile_request request = { .node = -1 };
	char first[PATH_MAX], second[PATH_MAX];
	struct driver_reason why;
	struct tablefile f;

	(void)state;
	open_tables(&f, &request);
	tablefile_close(&f);
	strcpy(first, read_tables_link());
	snprintf(second, sizeof(second), "%s/second", machine.mount);
	assert_int_equal(symlink(first, second), 0);
	assert_int_equal(unlink(tables_path()), 0);
	assert_int_equal(symlink(second, tables_path()), 0);
	assert_int_equal(tablefile_open(&f, tables_path(), true, &why), -ELOOP);
	assert_int_equal(tablefile_open(&f, tables_path(), false, &why), -EPERM);
}

SUITE(hugefile_trust)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_directory_of_another_user_stays),
		T(a_reader_does_not_trust_the_file_of_another_user),
		T(two_nodes_of_a_machine_have_files_of_their_own),
		T(a_link_to_any_other_file_is_refused_and_its_target_stays),
		T(a_link_to_a_link_is_refused),
	};

	answer_all();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
