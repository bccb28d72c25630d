/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of ramps: whole or not at all; and the marks of tunnel probes, one each, up to the last one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "weir/probe.h"
#include "weir/ramp.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char dir[] = "/tmp/weir-ramp.XXXXXX";
static struct ramp_record list[RAMP_RECORDS_MAX];

static void write_file(const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/" RAMP_FILE, dir);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void what_is_written_is_read(void **state)
{
	struct ramp_record records[] = { { "ams-1-k3", 4, 1780000000000, RAMP_HELD_SITE },
		                         { "b", 9007199254740991, 0, RAMP_FREE },
		                         { "c", 1, 999999999999999999, RAMP_LATE },
		                         { "d", 2, 5, RAMP_HELD_CLOCK } };

	(void)state;
	assert_int_equal(ramp_read(dir, list), 0); /* no file */
	assert_int_equal(ramp_write(dir, records, COUNT(records)), 0);
	assert_int_equal(ramp_read(dir, list), COUNT(records));
	for (size_t i = 0; i < COUNT(records); i++) {
		assert_string_equal(list[i].id, records[i].id);
		assert_int_equal(list[i].generation, records[i].generation);
		assert_int_equal(list[i].at_ms, records[i].at_ms);
		assert_int_equal(list[i].how, records[i].how);
	}
	assert_ptr_equal(ramp_find(list, 4, "b", 9007199254740991), &list[1]);
	assert_null(ramp_find(list, 4, "b", 1)); /* another generation's ramp begins anew */
	assert_null(ramp_find(list, 1, "b", 9007199254740991));
	assert_int_equal(ramp_write(dir, records, 0), 0);
	assert_int_equal(ramp_read(dir, list), 0);
}

static void damage_anywhere_is_seen(void **state)
{
	static const struct {
		const char *why, *text;
	} cases[] = {
		{ "empty", "" },
		{ "another format", "weir-ramps 2\nend\n" },
		{ "no end", "weir-ramps 1\na 1 5 free\n" },
		{ "cut in the end", "weir-ramps 1\na 1 5 free\nend" },
		{ "cut in a line", "weir-ramps 1\na 1 5 fr" },
		{ "bytes behind the end", "weir-ramps 1\na 1 5 free\nend\n\n" },
		{ "a record behind the end", "weir-ramps 1\nend\na 1 5 free\n" },
		{ "generation 0", "weir-ramps 1\na 0 5 free\nend\n" },
		{ "no id", "weir-ramps 1\n 1 5 free\nend\n" },
		{ "a negative instant", "weir-ramps 1\na 1 -5 free\nend\n" },
		{ "an unknown word", "weir-ramps 1\na 1 5 fast\nend\n" },
		{ "a word too many", "weir-ramps 1\na 1 5 free x\nend\n" },
		{ "a word too few", "weir-ramps 1\na 1 5\nend\n" },
		{ "a number of 19 digits", "weir-ramps 1\na 1 1000000000000000000 free\nend\n" },
		{ "two spaces", "weir-ramps 1\na  1 5 free\nend\n" },
	};

	(void)state;
	strcpy(list[0].id, "before");
	for (size_t i = 0; i < COUNT(cases); i++) {
		write_file(cases[i].text);
		if (ramp_read(dir, list) != -EINVAL)
			fail_msg("%s was read", cases[i].why);
	}
	assert_string_equal(list[0].id, "before"); /* untouched */
	write_file("weir-ramps 1\na 1 5 free\nend\n");
	assert_int_equal(ramp_read(dir, list), 1);
}

static void an_id_has_its_room(void **state)
{
	char text[128];

	(void)state;
	for (int n = (int)sizeof(list[0].id) - 1; n <= (int)sizeof(list[0].id); n++) {
		snprintf(text, sizeof(text), "weir-ramps 1\n%.*s 1 5 held-clock\nend\n", n,
		         "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii");
		write_file(text);
		assert_int_equal(ramp_read(dir, list), n < (int)sizeof(list[0].id) ? 1 : -EINVAL);
	}
	assert_int_equal(strlen(list[0].id), sizeof(list[0].id) - 1);
	assert_int_equal(list[0].how, RAMP_HELD_CLOCK);
}

/* Words that scripts and the status show. */
static void each_way_of_a_ramp_has_its_word(void **state)
{
	static const char *const words[] = { "free", "late", "held-clock", "held-site", "other" };
	static const enum ramp_how hows[] = { RAMP_FREE, RAMP_LATE, RAMP_HELD_CLOCK, RAMP_HELD_SITE,
		                              RAMP_HOW_COUNT };

	(void)state;
	for (size_t i = 0; i < COUNT(hows); i++)
		assert_string_equal(ramp_how_text(hows[i]), words[i]);
}

static void the_limit_of_records_is_exact(void **state)
{
	static struct ramp_record all[RAMP_RECORDS_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++) {
		snprintf(all[i].id, sizeof(all[i].id), "n-%zu", i);
		all[i].generation = 1;
	}
	assert_int_equal(ramp_write(dir, all, RAMP_RECORDS_MAX), 0);
	assert_int_equal(ramp_read(dir, list), RAMP_RECORDS_MAX);
	assert_string_equal(list[RAMP_RECORDS_MAX - 1].id, "n-4095");
	assert_int_equal(ramp_write(dir, all, RAMP_RECORDS_MAX + 1), 0);
	assert_int_equal(ramp_read(dir, list), -EINVAL);
}

/* A site with one pool of @p n backends that are probed through their tunnels. */
static int marks_of(size_t n, struct probe_mark **out, size_t *n_out)
{
	static struct model_backend backends[PROBES_MAX + 1];
	static struct model_site site = { .name = "ams" };
	static struct model_node node = { .name = "ams-1", .site = &site };
	static struct model_check check = { .name = "c", .via = MODEL_VIA_TUNNEL, .port = 80 };
	static struct model_pool pool = {
		.name = "web", .site = &site, .check = &check, .backends = backends
	};
	static struct addr addresses[4];
	static struct model_vip vip = { "shop", &site, addresses, 4 };
	static struct model_at at = { &site, &vip, &pool, 1 };
	static struct model_service service = { .name = "web", .port = 80, .at = &at, .n_at = 1 };
	const struct model m = {
		.self = &node, .pools = &pool, .n_pools = 1, .services = &service, .n_services = 1
	};

	/* the first of each family is probed: one that is not there would only be refused twice as often */
	struct probe_path paths[PROBE_PATHS_MAX];
	assert_int_equal(addr_parse("203.0.113.10", &addresses[0]), 0);
	assert_int_equal(addr_parse("203.0.113.11", &addresses[1]), 0);
	assert_int_equal(addr_parse("2001:db8::10", &addresses[2]), 0);
	assert_int_equal(addr_parse("2001:db8::11", &addresses[3]), 0);
	assert_int_equal(probe_paths(&m, &pool, paths), 2);
	assert_true(addr_equal(&paths[0].vip, &addresses[0]));
	assert_true(addr_equal(&paths[1].vip, &addresses[2]));
	assert_int_equal(paths[0].port, 80);
	for (size_t i = 0; i < n; i++)
		backends[i] = (struct model_backend){ .name = "b", .id = i, .pool = &pool };
	pool.n_backends = n;
	return probe_marks(&m, out, n_out);
}

static int by_mark(const void *a, const void *b)
{
	uint32_t x = ((const struct probe_mark *)a)->mark, y = ((const struct probe_mark *)b)->mark;

	return (x > y) - (x < y);
}

static void each_backend_has_a_mark_of_its_own_up_to_the_last(void **state)
{
	struct probe_mark *marks = NULL;
	uint32_t first;
	size_t n = 0;

	(void)state;
	assert_int_equal(marks_of(PROBES_MAX + 1, &marks, &n), -E2BIG);
	assert_int_equal(marks_of(1, &marks, &n), 0);
	first = marks[0].mark;
	free(marks);
	assert_int_equal(marks_of(PROBES_MAX, &marks, &n), 0);
	assert_int_equal(n, PROBES_MAX);
	assert_int_equal(marks[0].mark, first); /* it stays with its backend while others come */
	qsort(marks, n, sizeof(*marks), by_mark);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(marks[i].mark & PROBE_MARK_MASK, PROBE_MARK_BASE);
		if (i)
			assert_int_not_equal(marks[i].mark, marks[i - 1].mark);
	}
	free(marks);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(damage_anywhere_is_seen),
		cmocka_unit_test(an_id_has_its_room),
		cmocka_unit_test(each_way_of_a_ramp_has_its_word),
		cmocka_unit_test(the_limit_of_records_is_exact),
		cmocka_unit_test(each_backend_has_a_mark_of_its_own_up_to_the_last),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
