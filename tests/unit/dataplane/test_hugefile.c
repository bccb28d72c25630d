/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables in hugepages: that the file is found, moved, replaced and removed, and what happens without pages. */
#include "tests/unit/dataplane/hugefile_scene.h"
#include "tests/unit/suite.h"

/* One page less, and there are too few; the pages of another size count for packets alone. */
static void the_last_free_page_is_taken(void **state)
{
	const uint64_t keep_bytes = 8 * PAGE_BYTES;

	(void)state;
	for (int short_by = 0; short_by < 3; short_by++) {
		struct hugefile_request request = { .node = -1, .keep_bytes = keep_bytes };
		struct driver_reason why;
		struct tablefile f;

		machine.free_bytes = (short_by == 1 ? 0 : 1) * PAGE_BYTES;
		machine.free_other = keep_bytes - (short_by == 2 ? OTHER_BYTES : 0);
		assert_int_equal(tablefile_make(&f, tables_path(), &small, N_CPUS, &request, &why),
		                 0);
		assert_int_equal(f.page_bytes, short_by ? 0 : PAGE_BYTES);
		if (!short_by)
			assert_int_equal(f.len, PAGE_BYTES);
		tablefile_close(&f);
	}
}

static void a_file_has_no_page_more_than_it_needs(void **state)
{
	struct hugefile_request request = { .node = -1 };
	uint64_t len = 0;

	(void)state;
	for (uint64_t pages = 1; pages < 3; pages++) {
		int fd = hugefile_make(tables_path(), pages * PAGE_BYTES, &request, &len);

		assert_true(fd >= 0);
		close(fd);
		assert_int_equal(len, pages * PAGE_BYTES);
	}
}

/* Another process may take them between the look and the file. */
static void pages_that_are_gone_by_then_are_told(void **state)
{
	struct hugefile_request request = { .node = 3 };
	struct driver_reason why;
	struct tablefile f;

	(void)state;
	edge.fallocate_says = ENOSPC;
	assert_int_equal(tablefile_make(&f, tables_path(), &small, N_CPUS, &request, &why), 0);
	assert_int_equal(f.page_bytes, 0);
	assert_non_null(strstr(request.reason.text, "cannot be made: No space left"));
	tablefile_close(&f);
	assert_int_equal(count_files(), 0);
	assert_int_equal(edge.node, -1);
}

static const struct driver_sizes large = { 8, 8, 4, 8, 128, 8 };

static void without_a_link_there_is_no_file(void **state)
{
	struct hugefile_request request = { .node = -1 };
	struct driver_reason why;
	struct tablefile f, next;
	char path[128];

	(void)state;
	open_tables(&f, &request);
	snprintf(path, sizeof(path), "%s/tables.next", edge.pins);
	assert_int_equal(mkdir(path, 0750), 0); /* in its way */
	assert_true(tables_dir_make_next(edge.pins, &large, N_CPUS, &request, &next, &why) < 0);
	assert_non_null(strstr(request.reason.text, "tables.next cannot be made"));
	assert_int_equal(count_files(), 1);
	tablefile_close(&f);
	assert_true(open_tables(&f, &request));
	tablefile_close(&f);
}

static void tables_in_hugepages_are_found_by_readers_and_by_the_next_process(void **state)
{
	struct hugefile_request request = { .node = -1 };
	char first[PATH_MAX];
	struct tablefile f;
	struct stat st;

	(void)state;
	assert_false(open_tables(&f, &request));
	assert_string_equal(request.reason.text, "");
	assert_int_equal(f.page_bytes, PAGE_BYTES);
	assert_int_equal(f.len % PAGE_BYTES, 0);
	f.tables.exceptions[3].word[7] = f.tables.root->hash_key[1] = 42;
	tablefile_close(&f);
	assert_int_equal(lstat(tables_path(), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(tables_path(), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_size % PAGE_BYTES, 0);
	assert_int_equal(count_files(), 1);
	expect_mark(42);
	strcpy(first, read_tables_link());
	assert_true(open_tables(&f, &request));
	assert_int_equal(f.page_bytes, PAGE_BYTES);
	tablefile_close(&f);
	assert_int_equal(count_files(), 1);
	assert_string_equal(read_tables_link(), first); /* nothing was moved */
}

/* The last byte of each table but the first, whose numbers packets believe. */
static uint8_t *last_byte(const struct tablefile *f, int i)
{
	struct layout_table tables[FWD_TABLE_COUNT];

	layout_list(&f->tables, tables);
	return (uint8_t *)tables[i].memory + layout_bytes(&tables[i]) - 1;
}

static void tables_in_ordinary_memory_are_moved(void **state)
{
	struct hugefile_request request = { .node = -1 };
	struct tablefile f;

	(void)state;
	assert_false(open_tables(&f, NULL));
	assert_int_equal(f.page_bytes, 0);
	f.tables.exceptions[3].word[7] = f.tables.root->hash_key[1] = 43;
	for (int i = 1; i < FWD_TABLE_COUNT; i++)
		*last_byte(&f, i) = (uint8_t)i;
	tablefile_close(&f);
	assert_int_equal(count_files(), 0);
	assert_true(open_tables(&f, &request));
	assert_int_equal(f.page_bytes, PAGE_BYTES);
	for (int i = 1; i < FWD_TABLE_COUNT; i++)
		assert_int_equal(*last_byte(&f, i), i);
	assert_int_equal(f.tables.root->hash_key[1], 43);
	assert_memory_equal(&f.sizes, &small, sizeof(small));
	tablefile_close(&f);
	assert_int_equal(count_files(), 1);
	assert_string_not_equal(read_tables_link(), "");
}

static void what_cannot_be_moved_stays_as_it_was(void **state)
{
	struct hugefile_request request = { .node = -1 };
	struct tablefile f;
	char next[128];

	(void)state;
	open_tables(&f, NULL);
	snprintf(next, sizeof(next), "%s/next", edge.pins);
	f.tables.root->hash_key[1] = 44;
	assert_int_equal(tablefile_move(&f, machine.mount, next, &request), -EISDIR);
	assert_non_null(strstr(request.reason.text, "cannot be put in place"));
	assert_int_equal(f.page_bytes, 0);
	assert_int_equal(f.tables.root->hash_key[1], 44);
	assert_int_equal(access(next, F_OK), -1);
	assert_int_equal(lstat(next, &(struct stat){ 0 }), -1); /* nor a link without a file */
	tablefile_close(&f);
}

static void the_memory_that_tables_were_moved_from_is_given_back(void **state)
{
	struct hugefile_request request = { .node = -1 };
	struct tablefile f;
	char next[128];

	(void)state;
	open_tables(&f, NULL);
	snprintf(next, sizeof(next), "%s/next", edge.pins);
	void *before = f.memory;
	size_t n = f.len;

	assert_int_equal(tablefile_move(&f, tables_path(), next, &request), 0);
	assert_true(f.memory != before);
	assert_int_equal(msync(before, n, MS_ASYNC), -1);
	assert_int_equal(errno, ENOMEM);
	tablefile_close(&f);
}

/* The file has the length that its tables need in whole pages. */
static void a_file_of_another_length_is_refused(void **state)
{
	static const int64_t by[] = { -(int64_t)PAGE_BYTES, -4096, 4096, (int64_t)PAGE_BYTES };

	(void)state;
	for (int huge = 0; huge < 2; huge++)
		for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
			struct hugefile_request request = { .node = -1 };
			struct driver_reason why;
			struct tablefile f;

			(void)unlink(tables_path());
			open_tables(&f, huge ? &request : NULL);
			int64_t n = (int64_t)f.len + by[i];

			tablefile_close(&f);
			assert_int_equal(truncate(tables_path(), n > 0 ? n : 0), 0);
			for (int writable = 0; writable < 2; writable++)
				assert_int_equal(tablefile_open(&f, tables_path(), writable, &why),
				                 -EPROTO);
		}
}

/* Another release's tables, and those that a process died over, are of no use to anybody. */
static void tables_that_nobody_can_use_make_room_for_new_ones(void **state)
{
	struct hugefile_request request = { .node = -1 };
	struct driver_reason why;
	struct tablefile f, next;

	(void)state;
	machine.one_file = true;
	open_tables(&f, &request);
	((uint32_t *)f.memory)[2]++; /* the layout's number */
	tablefile_close(&f);
	assert_false(open_tables(&f, &request));
	assert_int_equal(f.page_bytes, PAGE_BYTES);
	assert_int_equal(count_files(), 1);
	tablefile_close(&f);

	assert_int_equal(unlink(tables_path()), 0);
	assert_false(open_tables(&f, NULL));
	assert_int_equal(tables_dir_make_next(edge.pins, &large, N_CPUS, &request, &next, &why), 0);
	assert_int_equal(next.page_bytes, PAGE_BYTES);
	tablefile_close(&next);
	tablefile_close(&f);
	assert_true(open_tables(&f, &request));
	assert_int_equal(f.page_bytes, PAGE_BYTES);
	tablefile_close(&f);
}

/* An operator finds in the log where the tables lie, whichever process made them. */
static void each_start_says_where_the_tables_lie(void **state)
{
	struct hugefile_request request = { .node = -1 };
	struct tablefile f;

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		logged[0] = '\0';
		assert_int_equal(open_tables(&f, &request), turn);
		tablefile_close(&f);
		assert_string_equal(strchr(logged, '\n'), "\n"); /* one line */
		assert_non_null(strstr(logged, "tables-in-memory "));
		assert_non_null(strstr(logged, " page_kb=2048 "));
	}
}

static void without_pages_the_tables_lie_in_ordinary_memory_and_it_is_said(void **state)
{
	static const struct {
		const char *why, *says;
		uint64_t free_bytes, free_other, keep_bytes;
		int find_says;
		bool is_file;
	} cases[] = {
		{ "no hugetlbfs", "no hugetlbfs is mounted", 64 * PAGE_BYTES, 0, 0, ENOENT, false },
		{ "no list of mounts", "mounts cannot be read: Too many open files",
		  64 * PAGE_BYTES, 0, 0, EMFILE, false },
		{ "no page", "0 MiB of hugepages are free", 0, 0, 0, 0, false },
		{ "pages of another size", "are free", 0, 1ull << 30, 0, 0, false },
		{ "pages that packets need", "packets 128", 64 * PAGE_BYTES, 0, 64 * PAGE_BYTES, 0,
		  false },
		{ "no directory", "cannot be used", 64 * PAGE_BYTES, 0, 0, 0, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hugefile_request request = { .node = -1, .keep_bytes = cases[i].keep_bytes };
		struct tablefile f;
		char path[128];

		machine.find_says = cases[i].find_says;
		machine.free_bytes = cases[i].free_bytes;
		machine.free_other = cases[i].free_other;
		snprintf(path, sizeof(path), "%s/weir", machine.mount);
		(void)rmdir(path);
		if (cases[i].is_file)
			close(open(path, O_CREAT | O_WRONLY, 0600));
		(void)open_tables(&f, &request); /* kept from the second case on */
		assert_int_equal(f.page_bytes, 0);
		assert_non_null(strstr(request.reason.text, cases[i].says));
		f.tables.exceptions[3].word[7] = f.tables.root->hash_key[1] = 44;
		tablefile_close(&f);
		expect_mark(44);
	}
}

static void larger_tables_are_made_beside_the_present_ones(void **state)
{
	struct hugefile_request request = { .node = -1 };
	struct driver_reason why;
	struct tablefile f, next;

	(void)state;
	open_tables(&f, &request);
	for (int turn = 0; turn < 3; turn++) {
		assert_int_equal(
		        tables_dir_make_next(edge.pins, &large, N_CPUS, &request, &next, &why), 0);
		assert_int_equal(next.page_bytes, PAGE_BYTES);
		assert_int_equal(count_files(), 2);
		f.tables.root->generation = 1; /* still there */
		next.tables.exceptions[3].word[7] = next.tables.root->hash_key[1] = 45;
		if (turn == 1) { /* given up */
			tablefile_close(&next);
		} else {
			assert_int_equal(tables_dir_commit_next(edge.pins, &why), 0);
			tablefile_close(&f);
			f = next;
		}
		tables_dir_drop_next(edge.pins);
		assert_int_equal(count_files(), 1);
		expect_mark(45);
	}
	tablefile_close(&f);
}

static void nothing_is_left_when_all_is_removed(void **state)
{
	struct hugefile_request request = { .node = -1 };
	struct driver_reason why;
	struct tablefile f;

	(void)state;
	open_tables(&f, &request);
	tablefile_close(&f);
	assert_int_equal(tables_dir_remove(edge.pins, &why), 0);
	assert_int_equal(access(edge.pins, F_OK), -1);
	assert_int_equal(access(huge_path(), F_OK), -1);
}

/* A link may be removed, or replaced by a file, without a look at where it led. */
static void files_that_no_link_names_any_more_are_removed(void **state)
{
	struct hugefile_request request = { .node = -1 };
	struct tablefile f;

	(void)state;
	open_tables(&f, &request);
	tablefile_close(&f);
	assert_int_equal(unlink(tables_path()), 0);
	assert_false(open_tables(&f, NULL));
	tablefile_close(&f);
	assert_int_equal(count_files(), 0);
}

static void memory_is_taken_from_the_node_of_the_nics(void **state)
{
	static const struct {
		int node, is;
	} cases[] = { { 0, 0 }, { 3, 3 }, { 70, 70 }, { 1023, 1023 }, { 1024, -2 }, { -1, -1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hugefile_request request = { .node = cases[i].node };
		struct tablefile f;

		edge.node = -2; /* nothing has been asked of the kernel */
		(void)unlink(tables_path());
		open_tables(&f, &request);
		tablefile_close(&f);
		assert_int_equal(edge.node_of_file, cases[i].is);
		assert_int_equal(edge.node, -1); /* other memory comes from where it came before */
	}
}

SUITE(hugefile)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(tables_in_hugepages_are_found_by_readers_and_by_the_next_process),
		T(the_last_free_page_is_taken),
		T(a_file_has_no_page_more_than_it_needs),
		T(pages_that_are_gone_by_then_are_told),
		T(without_a_link_there_is_no_file),
		T(tables_in_ordinary_memory_are_moved),
		T(what_cannot_be_moved_stays_as_it_was),
		T(the_memory_that_tables_were_moved_from_is_given_back),
		T(a_file_of_another_length_is_refused),
		T(tables_that_nobody_can_use_make_room_for_new_ones),
		T(each_start_says_where_the_tables_lie),
		T(without_pages_the_tables_lie_in_ordinary_memory_and_it_is_said),
		T(larger_tables_are_made_beside_the_present_ones),
		T(nothing_is_left_when_all_is_removed),
		T(files_that_no_link_names_any_more_are_removed),
		T(memory_is_taken_from_the_node_of_the_nics),
	};

	answer_all();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
