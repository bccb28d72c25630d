/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of ramps: whole or not at all (weir/ramp.h). */
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

#include "tests/unit/suite.h"
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

static const struct ramp_record *find_ramp(size_t n, const char *id, uint64_t generation,
                                           uint32_t epoch, uint32_t step)
{
	const struct model_override o = {
		.id = id, .generation = generation, .epoch = epoch, .step = step
	};

	return ramp_find(list, n, &o);
}

static void what_is_written_is_read(void **state)
{
	struct ramp_record records[] = {
		{ .id = "ams-1-k3",
		  .generation = 4,
		  .at_ms = 1780000000000,
		  .how = RAMP_HELD_SITE },
		{ .id = "b", .generation = 9007199254740991, .how = RAMP_FREE },
		{ .id = "c", .generation = 1, .at_ms = 999999999999999999, .how = RAMP_LATE },
		{ .id = "d", .generation = 2, .at_ms = 5, .how = RAMP_HELD_CLOCK },
		{ .id = "e",
		  .generation = 2,
		  .epoch = 4294967295,
		  .step = 7,
		  .at_ms = 5,
		  .level_known = true,
		  .level_ppm = 250000,
		  .longest_ttl_s = 30,
		  .falls = true },
		{ .id = "f",
		  .generation = 2,
		  .epoch = 64,
		  .step = 4294967295,
		  .at_ms = 6,
		  .level_known = true,
		  .arrived = true }
	};

	(void)state;
	assert_int_equal(ramp_read(dir, list), 0); /* no file */
	assert_int_equal(ramp_write(dir, records, COUNT(records)), 0);
	assert_int_equal(ramp_read(dir, list), COUNT(records));
	for (size_t i = 0; i < COUNT(records); i++) {
		assert_string_equal(list[i].id, records[i].id);
		assert_int_equal(list[i].generation, records[i].generation);
		assert_int_equal(list[i].at_ms, records[i].at_ms);
		assert_int_equal(list[i].how, records[i].how);
		assert_int_equal(list[i].epoch, records[i].epoch);
		assert_int_equal(list[i].step, records[i].step);
		assert_int_equal(list[i].level_known, records[i].level_known);
		assert_int_equal(list[i].level_ppm, records[i].level_ppm);
		assert_int_equal(list[i].longest_ttl_s, records[i].longest_ttl_s);
		assert_int_equal(list[i].falls, records[i].falls);
		assert_int_equal(list[i].arrived, records[i].arrived);
	}
	assert_ptr_equal(find_ramp(4, "b", 9007199254740991, 0, 0), &list[1]);
	assert_null(find_ramp(4, "b", 1, 0, 0)); /* another generation's ramp begins anew */
	assert_null(find_ramp(1, "b", 9007199254740991, 0, 0));
	assert_ptr_equal(find_ramp(5, "e", 2, 4294967295, 7), &list[4]);
	assert_null(find_ramp(5, "e", 2, 4294967294, 7)); /* and another owner's, */
	assert_null(find_ramp(5, "e", 2, 4294967295, 8)); /* and another step's */
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
		{ "a word behind a step",
		  "weir-ramps 1\na 1 5 free 64 2 500000 rises arrived 5 x\nend\n" },
		{ "two words behind a step",
		  "weir-ramps 1\na 1 5 free 64 2 500000 rises arrived 5 x y\nend\n" },
		{ "a word too few", "weir-ramps 1\na 1 5\nend\n" },
		{ "a number of 19 digits", "weir-ramps 1\na 1 1000000000000000000 free\nend\n" },
		{ "half of a step", "weir-ramps 1\na 1 5 free 64 2 500000 rises\nend\n" },
		{ "a level above all",
		  "weir-ramps 1\na 1 5 free 64 2 1000001 rises arrived 5\nend\n" },
		{ "an unknown way", "weir-ramps 1\na 1 5 free 64 2 500000 up arrived 5\nend\n" },
		{ "a TTL beyond DNS's",
		  "weir-ramps 1\na 1 5 free 64 2 5 rises moves 2147483649\nend\n" },
		{ "a TTL below 0", "weir-ramps 1\na 1 5 free 64 2 500000 rises arrived -5\nend\n" },
		{ "no epoch and step", "weir-ramps 1\na 1 5 free 500000 rises arrived 5\nend\n" },
		{ "an epoch beyond all",
		  "weir-ramps 1\na 1 5 free 4294967296 2 500000 rises arrived 5\nend\n" },
		{ "a step beyond all",
		  "weir-ramps 1\na 1 5 free 64 4294967296 500000 rises arrived 5\nend\n" },
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
	assert_false(list[0].level_known);
	write_file("weir-ramps 1\na 1 5 free 64 2 500000 falls moves 30\nend\n");
	assert_int_equal(ramp_read(dir, list), 1);
	assert_true(list[0].level_known && list[0].falls && !list[0].arrived);
	assert_int_equal(list[0].level_ppm, 500000);
	assert_int_equal(list[0].longest_ttl_s, 30);
	write_file("weir-ramps 1\na 1 5 free 64 2 1000000 falls moves 2147483648\nend\n");
	assert_int_equal(ramp_read(dir, list), 1);
	assert_int_equal(list[0].longest_ttl_s, 2147483648);
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

SUITE(ramp)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(damage_anywhere_is_seen),
		cmocka_unit_test(an_id_has_its_room),
		cmocka_unit_test(each_way_of_a_ramp_has_its_word),
		cmocka_unit_test(the_limit_of_records_is_exact),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
