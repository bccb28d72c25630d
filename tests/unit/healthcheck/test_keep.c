/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of verdicts, to the byte: what is written, what is read back and how old it is, and writes beside the loop. */
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

#include "base/clock.h"
#include "fixture.h"
#include "healthcheck/keep.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool is_disk_full;

/* In the place of libc's. */
static int own_fsync(int fd)
{
	(void)fd;
	errno = ENOSPC;
	return is_disk_full ? -1 : 0;
}

static void write_text(const char *text)
{
	FILE *f = fopen(fixture_path("verdicts"), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static const char *read_text(char out[1024])
{
	FILE *f = fopen(fixture_path("verdicts"), "r");

	assert_non_null(f);
	out[fread(out, 1, 1023, f)] = '\0';
	fclose(f);
	return out;
}

/* Two targets with verdicts and one of which nothing is known. */
static struct target items[3];
static const struct targets targets = { .items = items, .n = 3 };

static int set_up(void **state)
{
	(void)state;
	memset(items, 0, sizeof(items));
	items[0] = (struct target){ .id = 0xfedcba9876543210,
		                    .verdict = verdict_of(HEALTH_DOWN),
		                    .last = HEALTH_REASON_REFUSED,
		                    .since_s = 0x11 };
	items[1].id = 2;
	items[2] = (struct target){ .id = 3,
		                    .verdict = verdict_of(HEALTH_UP),
		                    .last = HEALTH_REASON_OK,
		                    .since_s = 0x22,
		                    .damp_rule = { 5, 60000, 300000 } };
	items[2].damp = (struct damp){ .penalty = 2.5, .at_ms = clock_mono_ms() + 3600000 };
	return 0;
}

static void the_file_says_when_it_was_written_and_all_that_is_known(void **state)
{
	char text[1024], expected[1024];
	int64_t before_ms = clock_believed_ms(), at_ms;

	(void)state;
	assert_int_equal(keep_write(fixture_path("verdicts"), &targets), 0);
	read_text(text);
	assert_int_equal(sscanf(text, "weir-verdicts 2 %ld\n", &at_ms), 1);
	assert_in_range(at_ms, before_ms, clock_believed_ms());
	snprintf(expected, sizeof(expected),
	         "weir-verdicts 2 %ld\n"
	         "fedcba9876543210 0000001100000302 0\n"
	         "0000000000000003 0000002200000101 2500\n"
	         "end 2\n",
	         at_ms);
	assert_string_equal(text, expected);
}

/* A penalty counts as of the time of writing, and in thousandths. */
static void a_penalty_comes_back_with_its_age(void **state)
{
	static const struct {
		int64_t later_ms, least_ms, most_ms;
	} cases[] = { { 60000, 60000, 70000 }, { 0, 0, 10000 }, { -3600000, 0, 0 } };
	int64_t offset_ms = clock_believed_ms() - (int64_t)clock_mono_ms();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct saved_word *words = NULL;
		size_t n = 0;

		set_up(NULL);
		items[2].damp.at_ms = clock_mono_ms() - 60000; /* a half-life ago */
		clock_believe(offset_ms);
		assert_int_equal(keep_write(fixture_path("verdicts"), &targets), 0);
		clock_believe(offset_ms + cases[i].later_ms);
		assert_int_equal(keep_read(fixture_path("verdicts"), &words, &n), 0);
		assert_int_equal(n, 2);
		assert_int_equal(words[0].target, 3); /* sorted */
		assert_int_equal(words[1].target, 0xfedcba9876543210);
		assert_int_equal(words[0].word, 0x0000002200000101);
		assert_true(words[0].penalty > 1.1 && words[0].penalty <= 1.25);
		assert_true(words[1].penalty < 1e-9);
		for (size_t k = 0; k < n; k++)
			assert_in_range(words[k].age_ms, cases[i].least_ms, cases[i].most_ms);
		free(words);
	}
	clock_believe(offset_ms);
}

static void each_line_is_read_to_its_end(void **state)
{
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{ "weir-verdicts 2 1\n5 1 0\nend 1\n", 0 },
		{ "weir-verdicts 2 0\n5 1 123456789\nend 1\n", 0 },
		{ "weir-verdicts 2 1\nend 0\n", 0 },
		{ "weir-verdicts 2 1x\n5 1 0\nend 1\n", -EPROTO },
		{ "weir-verdicts 2 -1\n5 1 0\nend 1\n", -EPROTO },
		{ "weir-verdicts 2 x\n5 1 0\nend 1\n", -EPROTO },
		{ "weir-verdicts 2 1", -EPROTO },
		{ "weir-verdicts 2 1\n5 1 0x\nend 1\n", -EPROTO },
		{ "weir-verdicts 2 1\n5 1 0 \nend 1\n", -EPROTO },
		{ "weir-verdicts 2 1\n5 1  7\nend 1\n", -EPROTO },
		{ "weir-verdicts 2 1\n5 1 +7\nend 1\n", -EPROTO },
		{ "weir-verdicts 2 1\n5 1 7\nend 1x\n", -EPROTO },
		{ "weir-verdicts 2 1\n5 1 7\nend 1", -EPROTO },
		{ "weir-verdicts 2 1\n5 1 7\nend 0\n", -EPROTO },
		{ "weir-verdicts 2 1\n5 1 7\nend 2\n", -EPROTO },
		{ "weir-verdicts 2 1\n5 1 7\nend\n", -EPROTO },
		{ "weir-verdicts 2 1\n5 1\nend 1\n", -EPROTO },
		{ "weir-verdicts 2 1\n5 x 0\nend 1\n", -EPROTO },
		{ "weir-verdicts 1\n5 1\nend 1\n", -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct saved_word *words = NULL;
		size_t n = 77;
		int err;

		write_text(cases[i].text);
		err = keep_read(fixture_path("verdicts"), &words, &n);
		if (err != cases[i].err)
			print_error("%s", cases[i].text);
		assert_int_equal(err, cases[i].err);
		assert_int_equal(words != NULL, !err);
		free(words);
	}
}

/* @p n targets in a file. @return what reading it says */
static int read_many(unsigned n)
{
	FILE *f = fopen(fixture_path("verdicts"), "w");
	struct saved_word *words = NULL;
	size_t n_read = 0;
	int err;

	assert_non_null(f);
	fputs("weir-verdicts 2 1\n", f);
	for (unsigned i = n; i > 0; i--)
		fprintf(f, "%x 1 0\n", i);
	fprintf(f, "end %u\n", n);
	fclose(f);
	err = keep_read(fixture_path("verdicts"), &words, &n_read);
	for (size_t i = 0; i < n_read; i++)
		assert_int_equal(words[i].target, i + 1);
	assert_int_equal(n_read, err ? 0 : n);
	free(words);
	return err;
}

static void there_are_as_many_as_the_page_has_room_for(void **state)
{
	(void)state;
	assert_int_equal(read_many(HEALTH_TARGETS_MAX), 0);
	assert_int_equal(read_many(HEALTH_TARGETS_MAX + 1), -EPROTO);
}

static char *copy_of(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	return copy;
}

/* Once a write is under way, the next one waits for its end; one that is over does not stand in the way. */
static void one_write_at_a_time_is_under_way(void **state)
{
	static char long_path[PATH_MAX + 8];
	struct keep_writer w = { .started = true };
	bool changed = false;
	char text[1024];

	(void)state;
	assert_int_equal(keep_start_text(&w, fixture_path("verdicts"), copy_of("a"), 1), -EBUSY);
	assert_int_equal(keep_start(&w, fixture_path("verdicts"), &targets), -EBUSY);
	assert_int_equal(keep_poll(&w, &changed), 0);
	assert_true(w.started);
	w = (struct keep_writer){ 0 };
	memset(long_path, 'x', sizeof(long_path) - 1);
	assert_int_equal(keep_start_text(&w, long_path, copy_of("a"), 1), -ENAMETOOLONG);
	assert_false(w.started);
	assert_int_equal(keep_start_text(&w, fixture_path("verdicts"), copy_of("one"), 3), 0);
	while (!atomic_load(&w.done))
		usleep(1000);
	assert_int_equal(keep_start_text(&w, fixture_path("verdicts"), copy_of("two+"), 3), 0);
	assert_int_equal(keep_finish(&w), 0);
	assert_string_equal(read_text(text), "two");
	assert_int_equal(keep_finish(&w), 0); /* nothing is under way */
	assert_false(changed);
}

static void a_write_that_failed_says_so_once_and_is_wanted_again(void **state)
{
	struct keep_writer w = { 0 };
	bool changed = false;

	(void)state;
	changed = true; /* a write that is due stays due */
	assert_int_equal(keep_poll(&w, &changed), 0);
	assert_true(changed);
	changed = false;
	assert_int_equal(keep_start_text(&w, "/nonexistent/verdicts", copy_of("a"), 1), 0);
	while (!atomic_load(&w.done))
		usleep(1000);
	assert_int_equal(keep_poll(&w, &changed), -ENOENT);
	assert_true(changed);
	assert_int_equal(w.last, -ENOENT);
	changed = false;
	assert_int_equal(keep_poll(&w, &changed), 0);
	assert_false(changed);
	assert_int_equal(w.last, -ENOENT); /* until one ends well */
	assert_int_equal(keep_start_text(&w, fixture_path("verdicts"), copy_of("a"), 1), 0);
	assert_int_equal(keep_finish(&w), 0);
	assert_int_equal(w.last, 0);
}

/* Whoever waits for the write hears of it, and a later start has the verdicts of before. */
static void a_full_disk_is_said_and_keeps_the_file_of_before(void **state)
{
	struct keep_writer w = { 0 };
	char text[1024];

	(void)state;
	write_text("before");
	is_disk_full = true;
	assert_int_equal(keep_write(fixture_path("verdicts"), &targets), -ENOSPC);
	assert_int_equal(keep_start(&w, fixture_path("verdicts"), &targets), 0);
	assert_int_equal(keep_finish(&w), -ENOSPC);
	is_disk_full = false;
	assert_string_equal(read_text(text), "before");
}

SUITE(keep)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_file_says_when_it_was_written_and_all_that_is_known,
		                       set_up),
		cmocka_unit_test_setup(a_penalty_comes_back_with_its_age, set_up),
		cmocka_unit_test_setup(each_line_is_read_to_its_end, set_up),
		cmocka_unit_test_setup(there_are_as_many_as_the_page_has_room_for, set_up),
		cmocka_unit_test_setup(one_write_at_a_time_is_under_way, set_up),
		cmocka_unit_test_setup(a_write_that_failed_says_so_once_and_is_wanted_again,
		                       set_up),
		cmocka_unit_test_setup(a_full_disk_is_said_and_keeps_the_file_of_before, set_up),
	};

	answer_fsync = own_fsync;
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
