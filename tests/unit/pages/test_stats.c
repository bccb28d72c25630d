/* SPDX-License-Identifier: BSD-2-Clause */
/* Signs of life on the stats page (weir/stats.h), as `weir run` reads them. */
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

#include <fcntl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/page.h"
#include "base/sandbox.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/stats.h"

static char dir[] = "/tmp/weir-stats.XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "stats.dns.page", "stats.dns.page.lock",
		                             "conditions.dns.page", "conditions.dns.page.lock" };
	char path[96];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

/* The value of (name, labels) as a reader finds it. @return false: there is none */
static bool read_value(const char *name, const char *labels, uint64_t *value)
{
	struct stats_reader *r;
	bool found = false;

	assert_int_equal(stats_reader_open(dir, "dns", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (!e->used || strcmp(e->name, name) || strcmp(e->labels, labels))
			continue;
		*value = e->value;
		found = true;
	}
	stats_reader_close(r);
	return found;
}

static void threads_count_and_end(void **state)
{
	struct stats *s;
	uint64_t v = 0;

	(void)state;
	assert_int_equal(stats_create(dir, "dns", 16, &s), 0);
	stats_add(stats_turns(s, "main"), 7);
	stats_add(stats_turns(s, "dns-1"), 9);
	assert_true(read_value(STATS_TURNS, "thread=\"main\"", &v));
	assert_int_equal(v, 7);
	assert_true(read_value(STATS_TURNS, "thread=\"dns-1\"", &v));
	assert_int_equal(v, 9);
	stats_turns_end(s, "dns-1");
	assert_false(read_value(STATS_TURNS, "thread=\"dns-1\"", &v));
	assert_true(read_value(STATS_TURNS, "thread=\"main\"", &v));
	stats_close(s);
}

static void jobs_have_limits(void **state)
{
	uint64_t v, from_ms = clock_mono_ms(), from_s = from_ms / 1000;
	struct stats *s;

	(void)state;
	stats_job_begin(NULL, "document", 5);
	assert_int_equal(stats_create(dir, "dns", 16, &s), 0);
	stats_job_begin(s, "document", 20);
	assert_true(read_value(STATS_JOB, "job=\"document\"", &v));
	assert_in_range(v, from_s + 20, clock_mono_ms() / 1000 + 21);
	assert_true(v * 1000 >= from_ms + 20000); /* never less than was asked for */
	stats_job_begin(s, "driver", 1000000);
	assert_true(read_value(STATS_JOB, "job=\"driver\"", &v));
	assert_in_range(v, from_s + STATS_JOB_MAX_S, clock_mono_ms() / 1000 + STATS_JOB_MAX_S + 1);
	stats_job_end(s, "document");
	assert_true(read_value(STATS_JOB, "job=\"document\"", &v));
	assert_int_equal(v, 0);
	assert_true(read_value(STATS_JOB, "job=\"driver\"", &v));
	assert_int_not_equal(v, 0);
	stats_close(s);
}

/* A thread or a job of the process before would be waited for; its counters go on. */
static void the_next_process_starts_without_signs(void **state)
{
	struct stats *s;
	uint64_t v = 0;

	(void)state;
	assert_int_equal(stats_create(dir, "dns", 16, &s), 0);
	stats_add(stats_turns(s, "main"), 5);
	stats_job_begin(s, "document", 300);
	stats_add(stats_get_counter(s, STATS_COUNTER, STATS_WORKER, "worker=\"0\"", ""), 3);
	stats_set(stats_get_counter(s, STATS_GAUGE, STATS_LISTENING, "address=\"192.0.2.1\"", ""),
	          1);
	stats_add(stats_get_counter(s, STATS_COUNTER, "weir_dns_queries_total", "", ""), 11);
	stats_close(s); /* as after a kill: nothing was tidied up */
	assert_int_equal(stats_create(dir, "dns", 16, &s), 0);
	assert_false(read_value(STATS_TURNS, "thread=\"main\"", &v));
	assert_false(read_value(STATS_JOB, "job=\"document\"", &v));
	assert_false(read_value(STATS_WORKER, "worker=\"0\"", &v));
	assert_false(read_value(STATS_LISTENING, "address=\"192.0.2.1\"",
	                        &v)); /* it has no socket yet */
	assert_true(read_value("weir_dns_queries_total", "", &v));
	assert_int_equal(v, 11);
	stats_close(s);
}

#define MOST 6 /* entries; one is weir_build_info */

/* A page of its own for each test: what lies there is gone. */
static struct stats *fresh_page(void)
{
	struct stats *s;

	assert_int_equal(stats_create(dir, "dns", 16, &s), 0);
	stats_remove(s, dir, "dns");
	assert_int_equal(stats_create(dir, "dns", MOST, &s), 0);
	return s;
}

static struct stats *open_again(struct stats *s)
{
	stats_close(s);
	assert_int_equal(stats_create(dir, "dns", MOST, &s), 0);
	return s;
}

static void add_count(struct stats *s, const char *name, uint64_t n)
{
	stats_add(stats_get_counter(s, STATS_COUNTER, name, "", ""), n);
}

static void a_place_that_is_given_back_is_used_again(void **state)
{
	struct stats *s = fresh_page();
	uint64_t v;

	(void)state;
	for (unsigned i = 0; i < 2; i++) { /* by the same process, and by the next one */
		for (char name[] = "a"; name[0] <= 'e'; name[0]++)
			add_count(s, name, 1);
		stats_drop(s, "b", "");
		assert_false(read_value("b", "", &v));
		if (i)
			s = open_again(s);
		add_count(s, "f", 4);
		assert_true(read_value("f", "", &v));
		assert_int_equal(v, 4);
		assert_false(read_value("weir_stats_overflow_total", "", &v) && v > 0);
		stats_drop(s, "f", "");
	}
	add_count(s, "b", 1);
	add_count(s, "too many", 3);
	assert_true(read_value("weir_stats_overflow_total", "", &v));
	assert_int_equal(v, 3);
	assert_false(read_value("too many", "", &v));
	stats_remove(s, dir, "dns");
}

static void a_name_that_is_cut_is_found_again(void **state)
{
	char name[200], labels[300];
	struct stats *s = fresh_page();
	uint64_t *first;

	(void)state;
	memset(name, 'n', sizeof(name));
	memset(labels, 'l', sizeof(labels));
	name[199] = labels[299] = '\0';
	first = stats_get_counter(s, STATS_COUNTER, name, labels, "");
	*first = 5;
	assert_ptr_equal(stats_get_counter(s, STATS_COUNTER, name, labels, ""), first);
	s = open_again(s);
	assert_int_equal(*stats_get_counter(s, STATS_COUNTER, name, labels, ""), 5);
	stats_remove(s, dir, "dns");
}

static void the_release_before_is_not_told_beside_this_one(void **state)
{
	struct stats *s = fresh_page();
	unsigned n = 0;
	uint64_t v;

	(void)state;
	stats_set(stats_get_counter(s, STATS_GAUGE, "weir_build_info", "version=\"0.0.1\"", ""), 1);
	assert_true(read_value("weir_build_info", "version=\"0.0.1\"", &v));
	s = open_again(s);
	assert_false(read_value("weir_build_info", "version=\"0.0.1\"", &v));
	struct stats_reader *r;
	assert_int_equal(stats_reader_open(dir, "dns", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++)
		n += stats_reader_entry(r, i)->used &&
		     !strcmp(stats_reader_entry(r, i)->name, "weir_build_info");
	stats_reader_close(r);
	assert_int_equal(n, 1);
	stats_remove(s, dir, "dns");
}

/* All that was there has its name again, whoever made it; what was given back has not. */
static void a_damaged_page_is_made_again_by_name(void **state)
{
	struct stats *s = fresh_page();
	char path[96];
	uint64_t v, *kept;

	(void)state;
	snprintf(path, sizeof(path), "%s/stats.dns.page", dir);
	add_count(s, "before", 3);
	s = open_again(s);
	kept = stats_get_counter(s, STATS_COUNTER, "after", "", "");
	*kept = 4;
	add_count(s, "gone", 1);
	stats_drop(s, "gone", "");
	assert_int_equal(truncate(path, 0), 0);
	stats_alive(s, 77);
	struct stats_reader *r;
	assert_int_equal(stats_reader_open(dir, "dns", &r), 0);
	assert_int_equal(stats_reader_alive_ms(r), 77);
	assert_int_equal(stats_reader_pid(r), getpid());
	stats_reader_close(r);
	assert_true(read_value("before", "", &v));
	assert_int_equal(v, 0);
	stats_add(kept, 2); /* who has the word counts on */
	assert_true(read_value("after", "", &v));
	assert_int_equal(v, 2);
	assert_true(read_value("weir_stats_overflow_total", "", &v));
	assert_false(read_value("gone", "", &v));
	assert_false(read_value("", "", &v));
	stats_remove(s, dir, "dns");
	assert_int_equal(access(path, F_OK), -1);
}

static void an_entry_whose_texts_do_not_end_is_none(void **state)
{
	static const struct {
		size_t off, n;
	} texts[] = {
		{ offsetof(struct stats_entry, name), sizeof(((struct stats_entry *)0)->name) },
		{ offsetof(struct stats_entry, labels), sizeof(((struct stats_entry *)0)->labels) },
		{ offsetof(struct stats_entry, help), sizeof(((struct stats_entry *)0)->help) },
	};
	char path[96], bytes[STATS_LABELS_MAX];
	struct stats_reader *r;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	snprintf(path, sizeof(path), "%s/stats.dns.page", dir);
	for (size_t i = 0; i < 3; i++) {
		struct stats *s = fresh_page();
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		assert_int_equal(stats_reader_open(dir, "dns", &r), 0);
		assert_int_equal(stats_reader_entry(r, 0)->used, 1);
		assert_int_equal(pwrite(fd, bytes, texts[i].n,
		                        (off_t)(sizeof(struct page_header) +
		                                sizeof(struct stats_head) + texts[i].off)),
		                 texts[i].n);
		assert_int_equal(stats_reader_entry(r, 0)->used, 0);
		assert_string_equal(stats_reader_entry(r, 0)->name, "");
		stats_reader_close(r);
		close(fd);
		stats_remove(s, dir, "dns");
	}
}

/* A page has room for thousands of entries; who reads it ten times a second looks at the hundred that are used. */
static void readers_stop_at_the_last_entry_that_was_used(void **state)
{
	struct stats_reader *r;
	struct stats *s;
	uint64_t v;

	(void)state;
	assert_int_equal(stats_create(dir, "dns", 30000, &s), 0);
	assert_int_equal(stats_reader_open(dir, "dns", &r), 0);
	size_t before = stats_reader_n(r);

	assert_in_range(before, 1, 2); /* the release, and what finds no room */
	add_count(s, "first", 1);
	add_count(s, "second", 2);
	assert_int_equal(stats_reader_n(r), before + 2);
	stats_drop(s, "first", "");
	assert_int_equal(stats_reader_n(r), before + 2);
	add_count(s, "third", 3);
	assert_int_equal(stats_reader_n(r), before + 2);
	assert_true(stats_reader_sum(r, "second", &v));
	stats_close(s);
	assert_int_equal(stats_create(dir, "dns", 30000, &s), 0);
	assert_int_equal(stats_reader_n(r), before + 2);
	stats_reader_close(r);
	stats_remove(s, dir, "dns");
}

/* Whoever may write to the page can write anything: nobody reads behind its end, and the next writer counts. */
static void a_number_of_entries_that_is_wrong_is_cut(void **state)
{
	static const uint64_t wrong[] = { UINT64_MAX, MOST + 2, 0 };
	char path[96];
	uint64_t v;

	(void)state;
	snprintf(path, sizeof(path), "%s/stats.dns.page", dir);
	for (size_t i = 0; i < 3; i++) {
		struct stats *s = fresh_page();
		struct stats_reader *r;
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		add_count(s, "a", 1);
		assert_int_equal(
		        pwrite(fd, &wrong[i], sizeof(wrong[i]), sizeof(struct page_header)),
		        sizeof(wrong[i]));
		close(fd);
		assert_int_equal(stats_reader_open(dir, "dns", &r), 0);
		assert_in_range(stats_reader_n(r), 0, MOST + 1);
		assert_int_equal(stats_reader_sum(r, "a", &v), wrong[i] != 0);
		s = open_again(s);
		add_count(s, "b", 2);
		assert_true(stats_reader_sum(r, "b", &v));
		assert_int_equal(v, 2);
		stats_reader_close(r);
		stats_remove(s, dir, "dns");
	}
}

/* A page that is too short for a head is none: nobody reads behind it. */
static void a_page_without_room_for_a_head_is_none(void **state)
{
	static const uint64_t sizes[] = { 0, 1, sizeof(struct stats_head) - 1 };
	char path[96];

	(void)state;
	snprintf(path, sizeof(path), "%s/stats.dns.page", dir);
	for (size_t i = 0; i < 3; i++) {
		struct stats *s = fresh_page();
		struct stats_reader *r;
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		assert_int_equal(pwrite(fd, &sizes[i], sizeof(sizes[i]),
		                        offsetof(struct page_header, size_bytes)),
		                 sizeof(sizes[i]));
		assert_int_equal(ftruncate(fd, (off_t)(sizeof(struct page_header) + sizes[i])), 0);
		close(fd);
		assert_int_equal(stats_reader_open(dir, "dns", &r), -EPROTO);
		stats_remove(s, dir, "dns");
	}
}

/* Its head may have stayed: the entries that were cut off are made again by name all the same. */
static void a_page_that_lost_its_end_is_made_again_too(void **state)
{
	struct stats *s;
	char path[96];
	uint64_t value, *words[8];

	(void)state;
	assert_int_equal(stats_create(dir, "dns", 16, &s), 0);
	for (int i = 0; i < 8; i++) {
		char labels[16];

		snprintf(labels, sizeof(labels), "i=\"%d\"", i);
		words[i] = stats_get_counter(s, STATS_COUNTER, "x_total", labels, "x");
		stats_set(words[i], 10);
	}
	snprintf(path, sizeof(path), "%s/stats.dns.page", dir);
	assert_int_equal(truncate(path, 100), 0);
	for (int i = 0; i < 8; i++)
		stats_add(words[i], 1); /* the file has its length again */
	stats_alive(s, clock_mono_ms());
	assert_true(read_value("x_total", "i=\"7\"", &value));
	assert_true(value < 10); /* it starts again */
	stats_add(words[7], 5);
	value = 0;
	assert_true(read_value("x_total", "i=\"7\"", &value));
	assert_true(value >= 5);
	stats_remove(s, dir, "dns");
}

/*
 * A process that runs without its filter because a person wants it so; of itself alone, so it is
 * another one's.
 */
static void a_filter_that_is_off_is_a_note(void **state)
{
	struct conditions *c = calloc(1, sizeof(*c));
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		struct stats *s;

		setenv(SANDBOX_VARIABLE, "none", 1);
		if (stats_create(dir, "dns", 8, &s) || sandbox_enter("dns"))
			_exit(1);
		conditions_begin(s, 7);
		conditions_end(s);
		stats_close(s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(conditions_read(dir, "dns", c), 0);
	assert_int_equal(c->n, 1);
	assert_string_equal(c->items[0].code, "sandbox-off");
	assert_int_equal(c->items[0].level, CONDITION_NOTE);
	assert_non_null(strstr(c->items[0].text, "weir-dns runs without a filter"));
	assert_non_null(strstr(c->items[0].text, SANDBOX_VARIABLE "=none"));
	free(c);
}

static void a_page_has_a_size_that_can_be(void **state)
{
	struct stats *s;

	(void)state;
	assert_int_equal(stats_create(dir, "dns", 0, &s), -EINVAL);
	assert_int_equal(stats_create(dir, "dns", 65536, &s), -EINVAL);
}

SUITE(stats)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_count_and_end),
		cmocka_unit_test(jobs_have_limits),
		cmocka_unit_test(the_next_process_starts_without_signs),
		cmocka_unit_test(a_place_that_is_given_back_is_used_again),
		cmocka_unit_test(a_name_that_is_cut_is_found_again),
		cmocka_unit_test(the_release_before_is_not_told_beside_this_one),
		cmocka_unit_test(a_damaged_page_is_made_again_by_name),
		cmocka_unit_test(an_entry_whose_texts_do_not_end_is_none),
		cmocka_unit_test(readers_stop_at_the_last_entry_that_was_used),
		cmocka_unit_test(a_number_of_entries_that_is_wrong_is_cut),
		cmocka_unit_test(a_page_without_room_for_a_head_is_none),
		cmocka_unit_test(a_page_that_lost_its_end_is_made_again_too),
		cmocka_unit_test(a_filter_that_is_off_is_a_note),
		cmocka_unit_test(a_page_has_a_size_that_can_be),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
