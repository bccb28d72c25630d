/* SPDX-License-Identifier: BSD-2-Clause */
/* Which sites are down, as it is kept over a restart. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/steering/decided.h"
#include "tests/unit/suite.h"

#define TARGETS_MOST (2u * 64u * 4096u) /* as decided.c has it */

static int set_up(void **state)
{
	static char dir[32];

	strcpy(dir, "/tmp/weir-decided.XXXXXX");
	*state = mkdtemp(dir);
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", (const char *)*state);
	return system(command);
}

static void what_is_decided_is_kept_whole_or_not_at_all(void **state)
{
	const char *dir = *state;
	struct decided d, again;
	char path[PATH_MAX];

	assert_int_equal(decided_open(&d, dir), 0);
	assert_false(d.known);
	for (uint64_t i = 1; i <= 200; i++)
		decided_add(&d, i * 7919 % 1000 << 40);
	decided_end(&d, false);
	assert_false(d.known); /* too little was seen to say so */
	assert_false(d.changed);
	assert_true(decided_is_down(&d, 7919 % 1000ull << 40));
	decided_begin(&d);
	decided_add(&d, UINT64_MAX);
	decided_add(&d, 1);
	decided_end(&d, true);
	assert_true(d.known && d.changed);
	assert_int_equal(decided_write(dir, d.items, d.n), 0);
	assert_int_equal(decided_open(&again, dir), 0);
	assert_true(again.known && !again.changed);
	assert_int_equal(again.n, 2);
	assert_true(decided_is_down(&again, 1) && decided_is_down(&again, UINT64_MAX));
	assert_false(decided_is_down(&again, 2));
	decided_begin(&again);
	decided_add(&again, UINT64_MAX);
	decided_add(&again, 1);
	decided_end(&again, true);
	assert_false(again.changed); /* in another order */
	decided_begin(&again);
	decided_add(&again, UINT64_MAX);
	decided_add(&again, 2);
	decided_end(&again, true);
	assert_true(again.changed); /* as many, but others */
	decided_begin(&again);
	decided_add(&again, 3);
	again.failed = true; /* no room for all: not even when there is room for one more */
	decided_add(&again, 4);
	decided_end(&again, true);
	assert_true(again.n == 2 && decided_is_down(&again, 2));
	decided_close(&again);
	snprintf(path, sizeof(path), "%s/%s", dir, DECIDED_FILE);
	assert_int_equal(decided_open(&again, dir), 0);
	decided_close(&again);
	for (int i = 0; i < 2; i++) { /* a line is missing; something follows */
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		fprintf(f, "weir-sites 1\n%s0000000000000001\nend 2\n%s",
		        i ? "0000000000000002\n" : "", i ? "more\n" : "");
		assert_int_equal(fclose(f), 0);
		assert_int_equal(decided_open(&again, dir), -EPROTO);
		assert_false(again.known || again.n);
		decided_close(&again);
	}
	assert_int_equal(decided_write(dir, d.items, d.n), 0);
	assert_int_equal(truncate(path, 40), 0); /* torn: not believed, and none of it */
	assert_int_equal(decided_open(&again, dir), -EPROTO);
	assert_false(again.known || again.n);
	decided_close(&again);
	decided_close(&d);
}

static void that_all_are_up_is_worth_keeping_once(void **state)
{
	struct decided d;

	assert_int_equal(decided_open(&d, *state), 0);
	decided_begin(&d);
	decided_end(&d, true);
	assert_true(d.known && d.changed); /* nothing is down, and now that is known */
	d.changed = false;
	decided_begin(&d);
	decided_end(&d, true);
	assert_false(d.changed);
	decided_begin(&d);
	decided_add(&d, 5);
	decided_end(&d, true);
	assert_true(d.changed);
	d.changed = false;
	decided_begin(&d);
	decided_add(&d, 6); /* as many, another one */
	decided_end(&d, true);
	assert_true(d.changed);
	d.changed = false;
	decided_begin(&d);
	decided_add(&d, 7); /* too little is heard now: what was known once stays so, and is kept */
	decided_end(&d, false);
	assert_true(d.known && d.changed);
	assert_true(decided_is_down(&d, 7) && !decided_is_down(&d, 6));
	decided_close(&d);
}

/* Lines of a file: what a torn disk, another release or a person may leave. */
static void a_file_is_taken_whole_or_not_at_all(void **state)
{
#define ONE "0000000000000001\n"
	static const struct {
		const char *text;
		int err;
		size_t n;
	} cases[] = {
		{ "weir-sites 1\nend 0\n", 0, 0 },
		{ "weir-sites 1\n" ONE "00000000000000ff\nend 2\n", 0, 2 },
		{ "weir-sites 1\nffffffffffffffff\n" ONE "end 2\n", 0, 2 }, /* in any order */
		{ "", -EPROTO, 0 },
		{ "weir-sites 2\nend 0\n", -EPROTO, 0 },
		{ "weir-sites 1\n", -EPROTO, 0 },
		{ "weir-sites 1\n" ONE, -EPROTO, 0 },
		{ "weir-sites 1\n" ONE "end 0\n", -EPROTO, 0 },
		{ "weir-sites 1\n" ONE "end 2\n", -EPROTO, 0 },
		{ "weir-sites 1\n" ONE "end 1", -EPROTO, 0 },
		{ "weir-sites 1\n" ONE "end 1 \n", -EPROTO, 0 },
		{ "weir-sites 1\n" ONE "end 1x\n", -EPROTO, 0 },
		{ "weir-sites 1\n" ONE "end\n", -EPROTO, 0 },
		{ "weir-sites 1\n" ONE "end 1\n\n", -EPROTO, 0 },
		{ "weir-sites 1\n1\nend 1\n", -EPROTO, 0 },
		{ "weir-sites 1\n000000000000001\nend 1\n", -EPROTO, 0 },
		{ "weir-sites 1\n00000000000000001\nend 1\n", -EPROTO, 0 },
		{ "weir-sites 1\n0000000000000001 \nend 1\n", -EPROTO, 0 },
		{ "weir-sites 1\nx000000000000001\nend 1\n", -EPROTO, 0 },
		{ "weir-sites 1\n\nend 0\n", -EPROTO, 0 },
	};
	const char *dir = *state;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, DECIDED_FILE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct decided d;
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		assert_true(fputs(cases[i].text, f) >= 0);
		assert_int_equal(fclose(f), 0);
		assert_int_equal(decided_open(&d, dir), cases[i].err);
		assert_int_equal(d.known, cases[i].err == 0);
		assert_int_equal(d.n, cases[i].n);
		assert_false(d.changed);
		if (cases[i].n)
			assert_true(decided_is_down(&d, 1) && !decided_is_down(&d, 2));
		decided_close(&d);
	}
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0); /* it is there, and no file */
	{
		struct decided d;

		assert_true(decided_open(&d, dir) < 0);
		assert_false(d.known);
		decided_close(&d);
		assert_true(decided_write(dir, NULL, 0) < 0);
	}
}

/* What is written is what is read: at each size at which the lists grow. */
static void lists_of_any_length_are_kept(void **state)
{
	static const unsigned sizes[] = { 0, 1, 63, 64, 65, 127, 128, 129, 1000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct decided d, again;

		assert_int_equal(decided_open(&d, *state), 0);
		decided_begin(&d);
		for (uint64_t k = sizes[i]; k; k--)
			decided_add(&d, k << 32 | 5);
		decided_end(&d, true);
		assert_int_equal(decided_write(*state, d.items, d.n), 0);
		assert_int_equal(decided_open(&again, *state), 0);
		assert_int_equal(again.n, sizes[i]);
		for (uint64_t k = 1; k <= sizes[i]; k++) {
			assert_true(again.items[k - 1] == (k << 32 | 5));
			assert_true(decided_is_down(&again, k << 32 | 5));
			assert_false(decided_is_down(&again, k << 32));
		}
		assert_false(decided_is_down(&again, 0));
		assert_false(decided_is_down(&again, UINT64_MAX));
		decided_close(&again);
		decided_close(&d);
	}
}

/* Any of several targets may be another one. */
static void a_change_of_any_target_is_kept(void **state)
{
	static const uint64_t was[] = { 10, 20, 30, 40 };
	struct decided d;

	assert_int_equal(decided_open(&d, *state), 0);
	for (unsigned i = 0; i <= 4; i++) {
		for (unsigned changed = 0; changed < 2; changed++) {
			decided_begin(&d);
			for (unsigned k = 0; k < 4; k++)
				decided_add(&d, was[k] + (changed && k == i));
			d.changed = false;
			decided_end(&d, true);
			if (changed)
				assert_int_equal(d.changed, i < 4);
		}
	}
	decided_close(&d);
	assert_true(!d.items && !d.next && !d.n && !d.room && !d.known);
}

/* As many as a document can have; one more is not believed. */
static void there_is_room_for_all_targets_and_no_more(void **state)
{
	struct decided d;

	assert_int_equal(decided_open(&d, *state), 0);
	for (unsigned more = 0; more < 2; more++) {
		decided_begin(&d);
		for (uint64_t k = 1; k <= TARGETS_MOST + more; k++)
			decided_add(&d, k);
		assert_int_equal(d.failed, more);
		decided_end(&d, true);
		assert_int_equal(d.n, TARGETS_MOST);
		assert_true(decided_is_down(&d, TARGETS_MOST));
		assert_false(decided_is_down(&d, TARGETS_MOST + 1));
	}
	decided_close(&d);
}

/* A round that found no memory changes nothing; the next one does. */
static void a_round_without_memory_leaves_what_was(void **state)
{
	struct decided d;

	assert_int_equal(decided_open(&d, *state), 0);
	decided_begin(&d);
	decided_add(&d, 1);
	decided_end(&d, true);
	decided_begin(&d);
	decided_add(&d, 2);
	d.failed = true;
	decided_end(&d, true);
	assert_true(decided_is_down(&d, 1) && !decided_is_down(&d, 2));
	decided_begin(&d);
	decided_add(&d, 2);
	decided_end(&d, true);
	assert_true(decided_is_down(&d, 2) && !decided_is_down(&d, 1));
	decided_close(&d);
}

SUITE(decided)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_decided_is_kept_whole_or_not_at_all, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(that_all_are_up_is_worth_keeping_once, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_file_is_taken_whole_or_not_at_all, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(lists_of_any_length_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_change_of_any_target_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_is_room_for_all_targets_and_no_more, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_round_without_memory_leaves_what_was, set_up,
		                                tear_down),
	};

	return cmocka_run_group_tests_name("decided", tests, NULL, NULL);
}
