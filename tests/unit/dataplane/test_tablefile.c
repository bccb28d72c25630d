/* SPDX-License-Identifier: BSD-2-Clause */
/* The DPDK driver's file of tables: what is refused, what the next process finds. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/carry.h"
#include "dataplane/dpdk/tablefile.h"
#include "weir/layout.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct driver_sizes small = { .services = 4,
	                                   .service_counts = 4,
	                                   .pools = 2,
	                                   .backends = 4,
	                                   .slots = 64,
	                                   .exception_buckets = 4 };

static char path[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/test-tablefile-XXXXXX");
	int fd = mkstemp(path);

	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static void make_file(struct tablefile *f, const struct driver_sizes *sizes)
{
	struct driver_reason why = { "" };

	assert_int_equal(tablefile_make(f, path, sizes, 2, NULL, &why), 0);
}

/** Put @p n bytes of @p value at @p off of a file of small tables. */
static void spoil_file(off_t off, const void *value, size_t n)
{
	struct tablefile f;
	int fd;

	make_file(&f, &small);
	tablefile_close(&f);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, value, n, off), n);
	close(fd);
}

static void sizes_that_no_tables_have_are_refused(void **state)
{
	static const struct {
		const char *why;
		struct driver_sizes sizes;
		uint32_t n_cpus;
		int err;
	} cases[] = {
		{ "nothing", { 0 }, 1, -EINVAL },
		{ "no services", { 0, 4, 2, 4, 64, 4 }, 1, -EINVAL },
		{ "services are no power of two", { 3, 4, 2, 4, 64, 4 }, 1, -EINVAL },
		{ "more services than a hash names", { 1u << 30, 4, 2, 4, 64, 4 }, 1, -EINVAL },
		{ "no service can be counted", { 4, 0, 2, 4, 64, 4 }, 1, -EINVAL },
		{ "no pools", { 4, 4, 0, 4, 64, 4 }, 1, -EINVAL },
		{ "no backends", { 4, 4, 2, 0, 64, 4 }, 1, -EINVAL },
		{ "more backends than an index names", { 4, 4, 2, 32769, 64, 4 }, 1, -EINVAL },
		{ "no slots", { 4, 4, 2, 4, 0, 4 }, 1, -EINVAL },
		{ "slots are no whole blocks", { 4, 4, 2, 4, 65, 4 }, 1, -EINVAL },
		{ "no sets", { 4, 4, 2, 4, 64, 0 }, 1, -EINVAL },
		{ "sets are no power of two", { 4, 4, 2, 4, 64, 5 }, 1, -EINVAL },
		{ "no row of counters", { 4, 4, 2, 4, 64, 4 }, 0, -EINVAL },
		{ "more backends' counters than 32 bits name",
		  { 4, 4, 2, 32768, 64, 4 },
		  131072,
		  -EINVAL },
		{ "more services' counters than 32 bits name",
		  { 4, 65536, 2, 4, 64, 4 },
		  65536,
		  -EINVAL },
		{ "larger than any machine", { 4, 4, 4294967295u, 4, 4294967264u, 4 }, 1, -E2BIG },
		{ "as many counters as 32 bits name", { 4, 4, 2, 32768, 64, 4 }, 131071, -E2BIG },
	};
	struct driver_reason why;
	struct tablefile f;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		why.text[0] = 0;
		print_message("  %s\n", cases[i].why);
		assert_int_equal(
		        tablefile_make(&f, path, &cases[i].sizes, cases[i].n_cpus, NULL, &why),
		        cases[i].err);
		assert_true(why.text[0] != 0);
	}
}

/* What is said is the error of the call that failed, and nothing is left. */
static void a_file_that_cannot_be_made_says_why(void **state)
{
	struct tablefile f = { .len = 77 };
	char dir[] = "/tmp/test-tablefile-XXXXXX", in_the_way[64], below[80], text[200];
	const struct {
		const char *path;
		int err;
	} rows[] = {
		{ "/nonexistent/tables", ENOENT },
		{ in_the_way, EISDIR },
		{ below, ENOTDIR },
		{ "/proc/tables", ENOENT },
	};

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(in_the_way, sizeof(in_the_way), "%s", dir); /* which cannot be unlinked */
	snprintf(below, sizeof(below), "%s/below", path);    /* an ordinary file */
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct driver_reason why = { "" };

		assert_int_equal(tablefile_make(&f, rows[i].path, &small, 2, NULL, &why),
		                 -rows[i].err);
		snprintf(text, sizeof(text), "cannot be made: %s", strerror(rows[i].err));
		if (strncmp(why.text, rows[i].path, strlen(rows[i].path)) != 0 ||
		    !strstr(why.text, text))
			fail_msg("%s: %s", rows[i].path, why.text);
		assert_int_equal(f.len, 77);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void files_that_are_not_tables_are_refused(void **state)
{
	static const uint32_t one = 1, many = 1u << 20, other = FWD_TABLES_LAYOUT + 1;
	static const struct {
		const char *why;
		off_t off;
		const uint32_t *value;
	} cases[] = {
		{ "magic", 0, &one },
		{ "layout", 8, &other },
		{ "rows of counters", 12, &many },
		{ "services", 16, &many },
		{ "slots", 32, &one },
		{ "bytes", 40, &one },
		{ "root's layout", 4096, &other },
		{ "root's number of services", 4096 + 8, &many },
		{ "root's number of slots", 4096 + 24, &many },
	};
	struct driver_reason why = { "" };
	struct tablefile f;

	(void)state;
	assert_int_equal(tablefile_open(&f, "/nonexistent", true, &why), -ENOENT);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(tablefile_open(&f, path, true, &why), -EPROTO);
	for (size_t i = 0; i < COUNT(cases); i++) {
		spoil_file(cases[i].off, cases[i].value, 4);
		assert_int_equal(tablefile_open(&f, path, true, &why), -EPROTO);
	}
}

static void file_that_was_cut_is_refused(void **state)
{
	struct driver_reason why = { "" };
	struct tablefile f;

	(void)state;
	make_file(&f, &small);
	assert_int_equal(truncate(path, (off_t)f.len - 1), 0);
	tablefile_close(&f);
	assert_int_equal(tablefile_open(&f, path, true, &why), -EPROTO);
}

static void next_process_finds_what_the_last_one_left(void **state)
{
	struct driver_reason why = { "" };
	struct tablefile f, g;

	(void)state;
	make_file(&f, &small);
	f.tables.exceptions[3].word[7] = 42;
	f.tables.backend_counts[7].bytes = 43;
	f.tables.root->hash_key[1] = 44;
	tablefile_close(&f);
	tablefile_close(&f); /* nothing */
	assert_int_equal(tablefile_open(&g, path, false, &why), 0);
	assert_memory_equal(&g.sizes, &small, sizeof(small));
	assert_int_equal(g.tables.n_cpus, 2);
	assert_int_equal(g.tables.exceptions[3].word[7], 42);
	assert_int_equal(g.tables.backend_counts[7].bytes, 43);
	assert_int_equal(g.tables.root->hash_key[1], 44);
	tablefile_unmap(&g.tables);
	assert_null(g.tables.root);
}

static void a_file_that_is_cut_short_does_not_kill_its_readers(void **state)
{
	struct driver_reason why = { "" };
	struct tablefile f, g;

	(void)state;
	make_file(&f, &small);
	f.tables.root->hash_key[1] = 44;
	tablefile_close(&f);
	assert_int_equal(tablefile_open(&g, path, false, &why), 0);
	const uint8_t *memory = g.memory;

	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(g.tables.root->n_services, 0);
	assert_int_equal(g.tables.exceptions[3].word[7], 0);
	assert_int_equal(g.tables.root->hash_key[1], 0);
	tablefile_unmap(&g.tables);
	assert_null(g.tables.root);
	/* all of it is gone, although the head no longer says how long it is */
	assert_int_equal(msync((void *)(uintptr_t)memory, g.len, MS_ASYNC), -1);
	assert_int_equal(errno, ENOMEM);
}

static void expect_carried_exceptions(const struct fwd_exceptions *sets)
{
	for (uint32_t i = 1; i < 16; i += 4)
		assert_int_equal(sets[i].word[2], 142);
	for (uint32_t i = 0; i < 16; i += 4)
		assert_int_equal(sets[i].word[1], 51);
	assert_int_equal(sets[2].word[3], 52);
	assert_int_equal(sets[6].word[3], 53); /* the new word stays, */
	assert_int_equal(sets[6].word[0], 52); /* and the old one is next to it */
}

static void larger_tables_hold_what_the_smaller_ones_held(void **state)
{
	const struct driver_sizes large = { .services = 8,
		                            .service_counts = 8,
		                            .pools = 4,
		                            .backends = 8,
		                            .slots = 128,
		                            .exception_buckets = 16 };
	struct tablefile f, g;
	struct carry *carry;

	(void)state;
	make_file(&f, &small);
	f.tables.exceptions[1].word[2] = 42;
	f.tables.colds[63].kept_at = 43;
	f.tables.slots[1].slot[31] = 3;
	f.tables.backends[3].inner_mtu = 1500;
	f.tables.backend_counts[3].packets = 5;     /* row 0 */
	f.tables.backend_counts[4 + 3].packets = 6; /* row 1 */
	f.tables.cpus[0].reason[0] = 7;
	make_file(&g, &large);
	assert_int_equal(carry_begin(&f.tables, &g.tables, &carry), 0);
	f.tables.exceptions[0].word[1] = 51; /* packets go on by the old tables, */
	f.tables.exceptions[1].word[2] = 142;
	f.tables.exceptions[2].word[3] = 52;
	g.tables.exceptions[6].word[3] = 53; /* and by the new ones */
	f.tables.colds[3].kept_at = 9;
	f.tables.colds[4].kept_at = 10;
	g.tables.colds[4].kept_at = 11;
	f.tables.cpus[0].reason[0]++;
	carry_end(carry, &f.tables, &g.tables);
	carry_free(carry);
	expect_carried_exceptions(g.tables.exceptions);
	assert_int_equal(g.tables.colds[3].kept_at, 9);
	assert_int_equal(g.tables.colds[4].kept_at, 11);
	assert_int_equal(g.tables.colds[63].kept_at, 43);
	assert_int_equal(g.tables.slots[1].slot[31], 3);
	assert_int_equal(g.tables.backends[3].inner_mtu, 1500);
	assert_int_equal(g.tables.backend_counts[8 + 3].packets, 11);
	assert_int_equal(g.tables.cpus[1].reason[0], 8);
	assert_int_equal(g.tables.root->n_slots, 128);
	tablefile_close(&f);
	tablefile_close(&g);
}

/* The order is the file format: it never changes, and a new table comes last. */
static void tables_lie_in_the_order_of_the_format(void **state)
{
	static const char *const order[] = {
		"root",         "services",     "pools",  "slots",          "colds",
		"backends",     "exceptions",   "cpus",   "service_counts", "backend_counts",
		"fragments",    "destinations", "macs",   "samples",        "sample_counts",
		"service_news", "backend_news", "drills", "drill_counts"
	};
	struct layout_table tables[FWD_TABLE_COUNT];
	struct tablefile f;

	(void)state;
	make_file(&f, &small);
	layout_list(&f.tables, tables);
	for (size_t i = 0; i < COUNT(order); i++) {
		assert_string_equal(tables[i].name, order[i]);
		if (i > 0)
			assert_true(tables[i].memory > tables[i - 1].memory);
	}
	tablefile_close(&f);
}

/* No table reaches into another one, or beyond the file; each begins at a page. */
static void each_table_has_its_own_place(void **state)
{
	struct layout_table tables[FWD_TABLE_COUNT];
	struct driver_reason why;
	struct tablefile f;

	(void)state;
	make_file(&f, &small);
	layout_list(&f.tables, tables);
	for (size_t i = 0; i < FWD_TABLE_COUNT; i++) {
		uint8_t *at = tables[i].memory, *end = at + layout_bytes(&tables[i]);

		assert_non_null(at);
		assert_true(end > at);
		assert_int_equal((uintptr_t)at % 4096, 0);
		assert_true(at >= (uint8_t *)f.memory + 4096);
		assert_true(end <= (uint8_t *)f.memory + f.len);
		for (size_t k = 0; k < i; k++) {
			uint8_t *other = tables[k].memory;

			if (at < other + layout_bytes(&tables[k]) && other < end)
				fail_msg("%s and %s", tables[i].name, tables[k].name);
		}
	}
	for (size_t i = 1; i < FWD_TABLE_COUNT; i++)
		memset(tables[i].memory, (int)i, layout_bytes(&tables[i]));
	tablefile_close(&f);

	assert_int_equal(tablefile_open(&f, path, true, &why), 0);
	layout_list(&f.tables, tables);
	for (size_t i = 1; i < FWD_TABLE_COUNT; i++)
		for (size_t k = 0; k < layout_bytes(&tables[i]); k++)
			assert_int_equal(((uint8_t *)tables[i].memory)[k], i);
	tablefile_close(&f);
}

/* "r--s" or "rw-s": what the kernel says of the mapping at @p memory. */
static void assert_mapped(const void *memory, const char *rights)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512], at[32];
	bool found = false;

	snprintf(at, sizeof(at), "%lx-", (unsigned long)(uintptr_t)memory);
	while (fgets(line, sizeof(line), maps))
		if (!strncmp(line, at, strlen(at))) {
			found = true;
			assert_memory_equal(strchr(line, ' ') + 1, rights, 4);
		}
	fclose(maps);
	assert_true(found);
}

static void who_reads_cannot_write(void **state)
{
	struct driver_reason why;
	struct tablefile f;

	(void)state;
	make_file(&f, &small);
	assert_mapped(f.memory, "rw-s");
	tablefile_close(&f);
	for (int writable = 0; writable < 2; writable++) {
		assert_int_equal(tablefile_open(&f, path, writable, &why), 0);
		assert_mapped(f.memory, writable ? "rw-s" : "r--s");
		tablefile_close(&f);
	}
}

/* Packets believe root: one that says other sizes than the head leads beyond the file. */
static void a_root_that_contradicts_its_head_is_refused(void **state)
{
	static const size_t fields[] = {
		offsetof(struct fwd_root, layout),
		offsetof(struct fwd_root, n_services),
		offsetof(struct fwd_root, n_service_counts),
		offsetof(struct fwd_root, n_backends),
		offsetof(struct fwd_root, n_exception_buckets),
		offsetof(struct fwd_root, n_slots),
		offsetof(struct fwd_root, n_cpus),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(fields); i++) {
		struct driver_reason why = { "" };
		struct tablefile f;
		uint32_t value;

		make_file(&f, &small);
		memcpy(&value, (uint8_t *)f.tables.root + fields[i], sizeof(value));
		value *= 2;
		memcpy((uint8_t *)f.tables.root + fields[i], &value, sizeof(value));
		tablefile_close(&f);
		for (int writable = 0; writable < 2; writable++) {
			assert_int_equal(tablefile_open(&f, path, writable, &why), -EPROTO);
			assert_int_not_equal(why.text[0], 0);
		}
	}
}

SUITE(tablefile)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_that_no_tables_have_are_refused),
		cmocka_unit_test(tables_lie_in_the_order_of_the_format),
		cmocka_unit_test(each_table_has_its_own_place),
		cmocka_unit_test(who_reads_cannot_write),
		cmocka_unit_test(a_root_that_contradicts_its_head_is_refused),
		cmocka_unit_test(a_file_that_cannot_be_made_says_why),
		cmocka_unit_test(files_that_are_not_tables_are_refused),
		cmocka_unit_test(file_that_was_cut_is_refused),
		cmocka_unit_test(next_process_finds_what_the_last_one_left),
		cmocka_unit_test(a_file_that_is_cut_short_does_not_kill_its_readers),
		cmocka_unit_test(larger_tables_hold_what_the_smaller_ones_held),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
