/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables in hugepages: where the file lies, that it is found, moved, replaced and removed, and what
 * happens without pages. The hugetlbfs is a directory of the test's; the kernel's numbers and the
 * choice of a NUMA node are in the test's hands.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/mempolicy.h>

#include "base/log.h"
#include "weir/hugepages.h"

#define PAGE_BYTES (2ull << 20)
#define N_CPUS     2

static struct {
	char dir[64], mount[96], pins[96];
	bool no_mount;
	uint64_t free_bytes, free_other;
	bool one_file; /* more than one has no room */
	int n_logged;
	char logged[512];       /* the last one */
	int node, node_of_file; /* that memory is taken from now; when the file was filled */
} edge;

static int edge_find(const char *mounts, struct hugepages_mount *out)
{
	assert_string_equal(mounts, "/proc/mounts");
	if (edge.no_mount)
		return -ENOENT;
	snprintf(out->path, sizeof(out->path), "%s", edge.mount);
	out->page_bytes = PAGE_BYTES;
	return 0;
}

static int count_files(void);

static uint64_t edge_free(const char *sysfs, uint64_t page_bytes)
{
	assert_string_equal(sysfs, "/sys/kernel/mm/hugepages");
	assert_true(!page_bytes || page_bytes == PAGE_BYTES);
	if (edge.one_file && count_files())
		return 0;
	return edge.free_bytes + (page_bytes ? 0 : edge.free_other);
}

static uint64_t edge_of_file(int fd)
{
	char link[64], path[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	assert_true(n > 0);
	path[n] = 0;
	return strncmp(path, edge.mount, strlen(edge.mount)) ? 0 : PAGE_BYTES;
}

/* set_mempolicy() alone */
static long edge_syscall(long number, ...)
{
	const unsigned long *mask;
	va_list list;
	int mode;

	assert_int_equal(number, SYS_set_mempolicy);
	va_start(list, number);
	mode = va_arg(list, int);
	mask = va_arg(list, const unsigned long *);
	va_end(list);
	edge.node = mode == MPOL_PREFERRED ? __builtin_ctzl(mask[0]) : -1;
	return 0;
}

static int edge_fallocate(int fd, int mode, off_t off, off_t len)
{
	edge.node_of_file = edge.node;
	return fallocate(fd, mode, off, len);
}

static void edge_log(int level, const char *event, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void edge_log(int level, const char *event, const char *format, ...)
{
	va_list list;

	(void)level;
	assert_string_equal(event, "tables-in-memory");
	va_start(list, format);
	vsnprintf(edge.logged, sizeof(edge.logged), format, list);
	va_end(list);
	edge.n_logged++;
}

#define log_at            edge_log
#define hugepages_find    edge_find
#define hugepages_free    edge_free
#define hugepages_of_file edge_of_file
#define syscall           edge_syscall
#define fallocate         edge_fallocate
#include "dataplane/dpdk/hugefile.c"
#undef fallocate
#include "dataplane/dpdk/tablefile.c"
#include "dataplane/dpdk/tables_dir.c"

static const struct driver_sizes small = { 4, 4, 2, 4, 64, 4 }, large = { 8, 8, 4, 8, 128, 8 };

static int setup(void **state)
{
	(void)state;
	memset(&edge, 0, sizeof(edge));
	strcpy(edge.dir, "/tmp/weir-huge-XXXXXX");
	if (!mkdtemp(edge.dir))
		return -1;
	snprintf(edge.mount, sizeof(edge.mount), "%s/mount", edge.dir);
	snprintf(edge.pins, sizeof(edge.pins), "%s/pins", edge.dir);
	edge.free_bytes = 64 * PAGE_BYTES;
	edge.node = edge.node_of_file = -2;
	return mkdir(edge.mount, 0755) || mkdir(edge.pins, 0750);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", edge.dir);
	return system(command);
}

static const char *tables_path(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/tables", edge.pins);
	return path;
}

/* How many files there are in the hugetlbfs. */
static int count_files(void)
{
	char path[128];
	struct dirent *e;
	int n = 0;

	snprintf(path, sizeof(path), "%s/weir", edge.mount);
	DIR *dir = opendir(path);

	while (dir && (e = readdir(dir)))
		n += e->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

static bool open_tables(struct tablefile *f, struct hugefile_request *request)
{
	struct driver_reason why;
	bool kept;

	assert_int_equal(tables_dir_open(edge.pins, &small, N_CPUS, request, f, &kept, &why), 0);
	return kept;
}

static void expect_mark(uint64_t mark)
{
	struct driver_reason why;
	struct tablefile f;

	assert_int_equal(tablefile_open(&f, tables_path(), false, &why), 0);
	assert_int_equal(f.tables.exceptions[3].word[7], mark);
	assert_int_equal(f.tables.root->hash_key[1], mark);
	tablefile_unmap(&f.tables);
}

static void tables_in_hugepages_are_found_by_readers_and_by_the_next_process(void **state)
{
	struct hugefile_request request = { .node = -1 };
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
	assert_true(open_tables(&f, &request));
	assert_int_equal(f.page_bytes, PAGE_BYTES);
	tablefile_close(&f);
	assert_int_equal(count_files(), 1);
}

static void tables_of_a_former_release_are_moved(void **state)
{
	struct hugefile_request request = { .node = -1 };
	struct tablefile f;

	(void)state;
	assert_false(open_tables(&f, NULL));
	assert_int_equal(f.page_bytes, 0);
	f.tables.exceptions[3].word[7] = f.tables.root->hash_key[1] = 43;
	tablefile_close(&f);
	assert_int_equal(count_files(), 0);
	assert_true(open_tables(&f, &request));
	assert_int_equal(f.page_bytes, PAGE_BYTES);
	assert_int_equal(f.tables.exceptions[3].word[7], 43);
	assert_memory_equal(&f.sizes, &small, sizeof(small));
	tablefile_close(&f);
	assert_int_equal(count_files(), 1);
	expect_mark(43);
}

/* Another release's tables, and those that a process died over, are of no use to anybody. */
static void tables_that_nobody_can_use_make_room_for_new_ones(void **state)
{
	struct hugefile_request request = { .node = -1 };
	struct driver_reason why;
	struct tablefile f, next;

	(void)state;
	edge.one_file = true;
	open_tables(&f, &request);
	((struct file_head *)f.memory)->layout++;
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
		edge.n_logged = 0;
		assert_int_equal(open_tables(&f, &request), turn);
		tablefile_close(&f);
		assert_int_equal(edge.n_logged, 1);
		assert_non_null(strstr(edge.logged, " page_kb=2048 "));
	}
}

static void without_pages_the_tables_lie_in_ordinary_memory_and_it_is_said(void **state)
{
	static const struct {
		const char *why, *says;
		uint64_t free_bytes, free_other, keep_bytes;
		bool no_mount, is_file;
	} cases[] = {
		{ "no hugetlbfs", "no hugetlbfs is mounted", 64 * PAGE_BYTES, 0, 0, true, false },
		{ "no page", "0 MiB of hugepages are free", 0, 0, 0, false, false },
		{ "pages of another size", "are free", 0, 1ull << 30, 0, false, false },
		{ "pages that packets need", "packets 128", 64 * PAGE_BYTES, 0, 64 * PAGE_BYTES,
		  false, false },
		{ "no directory", "cannot be used", 64 * PAGE_BYTES, 0, 0, false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hugefile_request request = { .node = -1, .keep_bytes = cases[i].keep_bytes };
		struct tablefile f;
		char path[128];

		edge.no_mount = cases[i].no_mount;
		edge.free_bytes = cases[i].free_bytes;
		edge.free_other = cases[i].free_other;
		snprintf(path, sizeof(path), "%s/weir", edge.mount);
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
	assert_int_equal(count_files(), 0);
}

/* A former release replaced the link by a file of its own, without a look at where it led. */
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

static void memory_is_taken_from_the_node_of_the_nics(void **state)
{
	struct hugefile_request request = { .node = 3 };
	struct tablefile f;

	(void)state;
	open_tables(&f, &request);
	tablefile_close(&f);
	assert_int_equal(edge.node_of_file, 3);
	assert_int_equal(edge.node, -1); /* other memory comes from where it came from before */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(tables_in_hugepages_are_found_by_readers_and_by_the_next_process),
		T(tables_of_a_former_release_are_moved),
		T(tables_that_nobody_can_use_make_room_for_new_ones),
		T(each_start_says_where_the_tables_lie),
		T(without_pages_the_tables_lie_in_ordinary_memory_and_it_is_said),
		T(larger_tables_are_made_beside_the_present_ones),
		T(nothing_is_left_when_all_is_removed),
		T(files_that_no_link_names_any_more_are_removed),
		T(two_nodes_of_a_machine_have_files_of_their_own),
		T(a_link_to_any_other_file_is_refused_and_its_target_stays),
		T(memory_is_taken_from_the_node_of_the_nics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
