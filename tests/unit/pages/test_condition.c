/* SPDX-License-Identifier: BSD-2-Clause */
/* What processes state of themselves (weir/condition.h). */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/owner.h"
#include "base/page.h"
#include "base/sandbox.h"
#include "pages/condition_internal.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/stats.h"

static char dir[] = "/tmp/weir-condition.XXXXXX";

static struct stats *open_stats(void)
{
	struct stats *s;

	assert_int_equal(stats_create(dir, "dns", 8, &s), 0);
	return s;
}

static void remove_pages(void)
{
	static const char *const names[] = { "stats.dns.page", "stats.dns.page.lock",
		                             "conditions.dns.page", "conditions.dns.page.lock" };
	char path[96];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(dir); /* nothing else is left behind */
}

static int remove_all(void **state)
{
	(void)state;
	remove_pages();
	return 0;
}

static struct conditions *read_all(void)
{
	struct conditions *c = malloc(sizeof(*c));

	assert_non_null(c);
	memset(c, 0xee, sizeof(*c));
	assert_int_equal(conditions_read(dir, "dns", c), 0);
	return c;
}

static void a_round_is_read_as_it_was_stated(void **state)
{
	(void)state;
	struct stats *s = open_stats();
	uint64_t from_ms = clock_mono_ms();

	conditions_begin(s, 17);
	conditions_add(s, "port-missing", CONDITION_DOWN, "eth1", "there is no interface %s",
	               "eth1");
	conditions_add(s, "next-hop-unusable", CONDITION_DEGRADED, "web/b1", "unreachable");
	conditions_end(s);
	struct conditions *c = read_all();

	assert_int_equal(c->document, 17);
	assert_int_equal(c->n, 2);
	assert_int_equal(c->n_left_out, 0);
	assert_int_equal(c->worst, CONDITION_DOWN);
	assert_string_equal(c->items[0].code, "port-missing");
	assert_string_equal(c->items[0].subject, "eth1");
	assert_string_equal(c->items[0].text, "there is no interface eth1");
	assert_int_equal(c->items[0].level, CONDITION_DOWN);
	assert_string_equal(c->items[1].code, "next-hop-unusable");
	assert_int_equal(c->items[1].level, CONDITION_DEGRADED);
	assert_in_range(c->at_ms, from_ms, clock_mono_ms());
	assert_int_equal(c->items[0].since_ms, c->at_ms);
	free(c);
	stats_close(s);
}

static void nothing_is_seen_of_a_round_before_its_end(void **state)
{
	(void)state;
	struct stats *s = open_stats();

	conditions_begin(s, 1);
	conditions_add(s, "a", CONDITION_NOTE, "", "first");
	conditions_end(s);
	conditions_begin(s, 2);
	conditions_add(s, "b", CONDITION_DOWN, "", "never stated");
	struct conditions *c = read_all();

	assert_int_equal(c->document, 1);
	assert_int_equal(c->n, 1);
	assert_string_equal(c->items[0].code, "a");
	free(c);
	conditions_begin(s, 3); /* what was begun and not ended is forgotten */
	conditions_end(s);
	c = read_all();
	assert_int_equal(c->document, 3);
	assert_int_equal(c->n, 0);
	assert_int_equal(c->worst, CONDITION_NOTE);
	free(c);
	stats_close(s);
}

static void state_pair(struct stats *s, const char *second)
{
	conditions_begin(s, 1);
	conditions_add(s, "port-missing", CONDITION_DEGRADED, second, "moved up");
	conditions_add(s, "port-missing", CONDITION_DEGRADED, "eth1", "another text");
	conditions_end(s);
}

static void since_lasts_as_long_as_the_condition_and_over_a_restart(void **state)
{
	(void)state;
	struct stats *s = open_stats();

	state_pair(s, "eth7");
	struct conditions *c = read_all();
	uint64_t since_ms = c->items[1].since_ms;

	free(c);
	stats_close(s);
	usleep(5000);     /* the clock counts milliseconds */
	s = open_stats(); /* the next process of this name */
	state_pair(s, "eth8");
	c = read_all();
	assert_int_equal(c->items[1].since_ms, since_ms);
	assert_true(c->items[0].since_ms > since_ms); /* eth8 is new */
	free(c);
	conditions_begin(s, 1);
	conditions_end(s);
	usleep(2000); /* the clock counts milliseconds */
	state_pair(s, "eth8");
	c = read_all();
	assert_true(c->items[1].since_ms > since_ms); /* it was over meanwhile */
	free(c);
	stats_close(s);
}

static void the_same_subject_counts_once_with_its_highest_level(void **state)
{
	(void)state;
	struct stats *s = open_stats();

	conditions_begin(s, 1);
	conditions_add(s, "a", CONDITION_DEGRADED, "x", "one");
	conditions_add(s, "a", CONDITION_NOTE, "x", "two");
	conditions_add(s, "a", CONDITION_DOWN, "x", "three");
	conditions_add(s, "a", CONDITION_DOWN, "x", "four"); /* who said it first is told */
	conditions_end(s);
	struct conditions *c = read_all();

	assert_int_equal(c->n, 1);
	assert_int_equal(c->items[0].level, CONDITION_DOWN);
	assert_string_equal(c->items[0].text, "three");
	free(c);
	stats_close(s);
}

/* Both words count: other codes of a subject, other subjects of a code, and what only begins alike. */
static void conditions_are_told_apart_by_code_and_subject(void **state)
{
	static const char *const said[][2] = {
		{ "port-missing", "eth1" },  { "port-no-carrier", "eth1" },
		{ "port-missing", "eth2" },  { "port-missing", "" },
		{ "port", "eth1" },          { "port-missing", "eth" },
		{ "port-missing", "eth11" },
	};
	struct stats *s = open_stats();
	struct conditions *c;

	(void)state;
	conditions_begin(s, 1);
	for (int twice = 0; twice < 2; twice++)
		for (size_t i = 0; i < 7; i++)
			conditions_add(s, said[i][0], CONDITION_NOTE, said[i][1], "%zu", i);
	conditions_end(s);
	c = read_all();
	assert_int_equal(c->n, 7);
	for (size_t i = 0; i < 7; i++) {
		char text[8];

		snprintf(text, sizeof(text), "%zu", i);
		assert_string_equal(c->items[i].code, said[i][0]);
		assert_string_equal(c->items[i].subject, said[i][1]);
		assert_string_equal(c->items[i].text, text);
	}
	free(c);
	stats_close(s);
	stats_close(NULL);
}

static void a_full_page_keeps_the_worst_and_counts_the_rest(void **state)
{
	(void)state;
	struct stats *s = open_stats();
	char name[16];

	conditions_begin(s, 1);
	for (unsigned i = 0; i < CONDITIONS_MAX + 10; i++) {
		snprintf(name, sizeof(name), "b%u", i);
		conditions_add(s, "next-hop-unusable", CONDITION_DEGRADED, name, "no route");
	}
	conditions_add(s, "no-port", CONDITION_DOWN, "", "nothing is forwarded");
	conditions_end(s);
	struct conditions *c = read_all();
	unsigned n_down = 0;

	assert_int_equal(c->n, CONDITIONS_MAX);
	assert_int_equal(c->n_left_out, 11);
	assert_int_equal(c->worst, CONDITION_DOWN);
	for (uint32_t i = 0; i < c->n; i++)
		n_down += c->items[i].level == CONDITION_DOWN;
	assert_int_equal(n_down, 1);
	free(c);
	stats_close(s);
}

/* Else a page that was full once would say for ever that something is missing on it. */
static void each_round_counts_what_it_leaves_out_itself(void **state)
{
	struct stats *s = open_stats();
	char name[16];

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		const unsigned n_over = 2 - k;

		conditions_begin(s, 1);
		for (unsigned i = 0; i < CONDITIONS_MAX + n_over; i++) {
			snprintf(name, sizeof(name), "b%u", i);
			conditions_add(s, "next-hop-unusable", CONDITION_DEGRADED, name,
			               "no route");
		}
		conditions_end(s);
		struct conditions *c = read_all();

		assert_int_equal(c->n_left_out, n_over);
		free(c);
	}
	stats_close(s);
}

/* Who was there stays: what is shown would change with each round otherwise. */
static void a_full_page_keeps_the_first_of_one_level(void **state)
{
	(void)state;
	struct stats *s = open_stats();
	char name[16];

	conditions_begin(s, 1);
	for (unsigned i = 0; i < CONDITIONS_MAX + 3; i++) {
		snprintf(name, sizeof(name), "b%u", i);
		conditions_add(s, "next-hop-unusable", CONDITION_DEGRADED, name, "no route");
	}
	conditions_end(s);
	struct conditions *c = read_all();

	assert_int_equal(c->n_left_out, 3);
	for (unsigned i = 0; i < CONDITIONS_MAX; i++) {
		snprintf(name, sizeof(name), "b%u", i);
		assert_string_equal(c->items[i].subject, name);
	}
	free(c);
	stats_close(s);
}

static void a_text_is_cut_between_characters(void **state)
{
	(void)state;
	struct stats *s = open_stats();
	char text[CONDITION_TEXT_MAX + 8];

	for (unsigned shift = 0; shift < 4; shift++) {
		memset(text, 'x', shift);
		for (size_t i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 4); /* U+20AC, three bytes */
		conditions_begin(s, 1);
		conditions_add(s, "a", CONDITION_NOTE, "", "%s", text);
		conditions_end(s);
		struct conditions *c = read_all();
		size_t n = strlen(c->items[0].text);

		assert_in_range(n, CONDITION_TEXT_MAX - 4, CONDITION_TEXT_MAX - 1);
		assert_int_equal((n - shift) % 3, 0);
		free(c);
	}
	stats_close(s);
}

static void a_page_that_is_lost_is_made_again_by_the_next_process(void **state)
{
	(void)state;
	struct conditions *c = malloc(sizeof(*c));
	struct stats *s = open_stats();
	char path[96];

	assert_non_null(c);
	stats_close(s);
	snprintf(path, sizeof(path), "%s/conditions.dns.page", dir);
	unlink(path);
	assert_int_equal(conditions_read(dir, "dns", c), -ENOENT);
	s = open_stats(); /* and the next process makes it again */
	stats_close(s);
	assert_int_equal(conditions_read(dir, "dns", c), 0);
	assert_int_equal(c->at_ms, 0);
	assert_int_equal(c->n, 0);
	free(c);
}

static void overwrite_bytes(off_t offset, const void *bytes, size_t n)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/conditions.dns.page", dir);
	int fd = open(path, O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, offset), n);
	close(fd);
}

#define AT(member) (sizeof(struct page_header) + offsetof(struct conditions_payload, member))

/* As a process does that was taken over, and writes what it likes: rounds that are whole. */
static void sign_banks(uint64_t sequence)
{
	static const struct hash_key key = { 0x77656972636f6e64u, 2 };
	static struct conditions banks[2];
	uint64_t digests[2];
	char path[96];

	snprintf(path, sizeof(path), "%s/conditions.dns.page", dir);
	int fd = open(path, O_RDONLY);

	assert_int_equal(pread(fd, banks, sizeof(banks), AT(banks)), sizeof(banks));
	close(fd);
	for (int i = 0; i < 2; i++) {
		size_t n = banks[i].n < CONDITIONS_MAX ? banks[i].n : CONDITIONS_MAX;

		digests[i] = hash_bytes(&key, &banks[i],
		                        offsetof(struct conditions, items) +
		                                n * sizeof(banks[i].items[0]));
	}
	overwrite_bytes(AT(digests), digests, sizeof(digests));
	overwrite_bytes(AT(sequence), &sequence, sizeof(sequence));
}

static void another_layout_is_refused(void **state)
{
	(void)state;
	struct conditions *c = malloc(sizeof(*c));
	const uint32_t layout = 99;

	assert_non_null(c);
	stats_close(open_stats());
	overwrite_bytes(offsetof(struct page_header, layout), &layout, sizeof(layout));
	assert_int_equal(conditions_read(dir, "dns", c), -EPROTO);
	free(c);
}

/* Whether a condition of which the round before says @p planted_ms keeps that; else it is new. */
static bool is_since_kept(uint64_t planted_ms)
{
	struct stats *s = open_stats();

	conditions_begin(s, 1);
	conditions_add(s, "port-missing", CONDITION_DEGRADED, "eth1", "a text");
	conditions_end(s);
	stats_close(s);
	/* the first round goes to the second bank */
	overwrite_bytes(AT(banks[1].items[0].since_ms), &planted_ms, sizeof(planted_ms));
	sign_banks(1);
	struct conditions *c = read_all();

	assert_int_equal(c->items[0].since_ms, planted_ms);
	free(c);
	s = open_stats();
	conditions_begin(s, 1);
	conditions_add(s, "port-missing", CONDITION_DEGRADED, "eth1", "a text");
	conditions_end(s);
	c = read_all();
	uint64_t since_ms = c->items[0].since_ms, at_ms = c->at_ms;

	free(c);
	stats_close(s);
	remove_pages();
	if (since_ms != planted_ms)
		assert_int_equal(since_ms, at_ms);
	return since_ms == planted_ms;
}

/* A page of before a restart of the machine, whose clock began again: nobody can say since when it is so. */
static void a_time_that_has_not_come_is_no_since(void **state)
{
	(void)state;
	uint64_t now_ms = clock_mono_ms();

	assert_true(is_since_kept(now_ms - 1));
	assert_true(is_since_kept(1));
	assert_false(is_since_kept(now_ms + 3600000));
	assert_false(is_since_kept(UINT64_MAX));
	assert_false(is_since_kept(0));
}

/* A process that was taken over writes what it likes into its page: neither terminals nor metrics suffer. */
static void a_hostile_page_gives_plain_texts(void **state)
{
	(void)state;
	static unsigned char noise[2 * sizeof(struct conditions)];

	memset(noise, 0x1b, sizeof(noise));
	stats_close(open_stats());
	overwrite_bytes(AT(banks), noise, sizeof(noise));
	sign_banks(2);
	struct conditions *c = read_all();

	assert_int_equal(c->n, CONDITIONS_MAX);
	for (uint32_t i = 0; i < c->n; i++) {
		assert_int_equal(strspn(c->items[i].code, "-"), CONDITION_CODE_MAX - 1);
		assert_int_equal(strspn(c->items[i].subject, "?"), CONDITION_SUBJECT_MAX - 1);
		assert_int_equal(strspn(c->items[i].text, "?"), CONDITION_TEXT_MAX - 1);
	}
	free(c);
}

static void a_damaged_page_gives_a_well_formed_copy(void **state)
{
	(void)state;
	static unsigned char noise[2 * sizeof(struct conditions)];

	memset(noise, 0xff, sizeof(noise));
	stats_close(open_stats());
	overwrite_bytes(AT(banks), noise, sizeof(noise));
	sign_banks(2);
	struct conditions *c = read_all();

	assert_int_equal(c->n, CONDITIONS_MAX);
	assert_int_equal(c->worst, CONDITION_DOWN);
	for (uint32_t i = 0; i < c->n; i++) {
		assert_in_range(c->items[i].level, CONDITION_NOTE, CONDITION_DOWN);
		assert_true(strlen(c->items[i].code) < CONDITION_CODE_MAX);
		assert_true(strlen(c->items[i].subject) < CONDITION_SUBJECT_MAX);
		assert_true(strlen(c->items[i].text) < CONDITION_TEXT_MAX);
	}
	free(c);
	struct stats *s = open_stats(); /* a writer takes it over, and goes on */

	conditions_begin(s, 5);
	conditions_add(s, "a", CONDITION_NOTE, "", "fine");
	conditions_end(s);
	c = read_all();
	assert_int_equal(c->n, 1);
	assert_int_equal(c->document, 5);
	free(c);
	stats_close(s);
}

/* All but the header, while the process that writes the page goes on. */
static void its_writer_outlives_a_damaged_page(void **state)
{
	static char garbage[2 * sizeof(struct conditions) + 16];
	struct stats *s = open_stats();

	(void)state;
	memset(garbage, 0xff, sizeof(garbage));
	state_pair(s, "b");
	overwrite_bytes(sizeof(struct page_header), garbage, sizeof(garbage));
	struct conditions *none = malloc(sizeof(*none));
	assert_non_null(none);
	none->n = 77;
	assert_int_equal(conditions_read(dir, "dns", none), -EPROTO); /* and no false "down" */
	assert_int_equal(none->n, 77);
	free(none);
	state_pair(s, "b");
	state_pair(s, "b");
	struct conditions *c = read_all();

	assert_int_equal(c->n, 2);
	assert_true(c->items[0].since_ms <= c->at_ms);
	free(c);
	stats_close(s);
}

/* Rounds of which all words say the same number, as fast as they go. */
static void write_rounds(void)
{
	struct stats *s = open_stats();

	for (uint64_t k = 1;; k++) {
		conditions_begin(s, k);
		for (unsigned i = 0; i < k % CONDITIONS_MAX; i++) {
			char name[16];

			snprintf(name, sizeof(name), "%u", i);
			conditions_add(s, "a", CONDITION_NOTE, name, "%llu", (unsigned long long)k);
		}
		conditions_end(s);
	}
}

static void a_round_is_never_seen_half(void **state)
{
	(void)state;
	struct conditions *c = calloc(1, sizeof(*c));
	uint64_t until_ms = clock_mono_ms() + 10000, last = 0;
	unsigned n_seen = 0;

	assert_non_null(c);
	stats_close(open_stats());
	pid_t writer = fork();

	if (writer == 0)
		write_rounds();
	while (n_seen < 400 && clock_mono_ms() < until_ms) {
		if (conditions_read(dir, "dns", c) || c->document == last)
			continue;
		last = c->document;
		n_seen++;
		assert_int_equal(c->n, last % CONDITIONS_MAX);
		for (uint32_t i = 0; i < c->n; i++)
			assert_int_equal(strtoull(c->items[i].text, NULL, 10), last);
	}
	kill(writer, SIGKILL); /* at any instant */
	waitpid(writer, NULL, 0);
	assert_true(n_seen > 10);
	assert_int_equal(conditions_read(dir, "dns", c), 0);
	assert_int_equal(c->n, c->document % CONDITIONS_MAX);
	free(c);
}

static void a_file_of_another_user_is_a_condition(void **state)
{
	(void)state;
	struct stats *s = open_stats();
	struct conditions *c;

	owner_note(dir, "mgmt", 4004, false);
	conditions_begin(s, 1);
	conditions_end(s);
	c = read_all();
	assert_int_equal(c->n, 1);
	assert_string_equal(c->items[0].code, "file-not-believed");
	assert_string_equal(c->items[0].subject, dir);
	assert_int_equal(c->items[0].level, CONDITION_DEGRADED);
	assert_non_null(strstr(c->items[0].text, "id 4004"));
	assert_non_null(strstr(c->items[0].text, "weir-mgmt"));
	free(c);
	owner_note(dir, "mgmt", 4004, true);
	conditions_begin(s, 1);
	conditions_end(s);
	c = read_all();
	assert_int_equal(c->n, 0);
	free(c);
	stats_close(s);
}

/* A process under its filter makes a call that no list has. */
static void state_a_refusal(void)
{
	struct stats *s;

	unsetenv(SANDBOX_VARIABLE);
	if (stats_create(dir, "dns", 8, &s) || sandbox_enter("dns"))
		_exit(1);
	if (unshare(CLONE_NEWNET) != -1 || errno != EPERM)
		_exit(2);
	conditions_begin(s, 7);
	conditions_end(s);
	stats_close(s);
	_exit(0);
}

static void a_refused_system_call_is_a_condition(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		state_a_refusal();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	struct conditions *c = read_all();

	assert_int_equal(c->n, 1);
	assert_string_equal(c->items[0].code, "system-call-refused");
	assert_string_equal(c->items[0].subject, "unshare");
	assert_int_equal(c->items[0].level, CONDITION_DEGRADED);
	assert_non_null(strstr(c->items[0].text, "weir-dns"));
	assert_non_null(strstr(c->items[0].text, "(count 1)"));
	assert_non_null(strstr(c->items[0].text, "handbook")); /* its end is not cut off */
	free(c);
}

#define T(f) cmocka_unit_test_teardown(f, remove_all)

SUITE(condition)
{
	const struct CMUnitTest tests[] = {
		T(a_round_is_read_as_it_was_stated),
		T(nothing_is_seen_of_a_round_before_its_end),
		T(since_lasts_as_long_as_the_condition_and_over_a_restart),
		T(the_same_subject_counts_once_with_its_highest_level),
		T(conditions_are_told_apart_by_code_and_subject),
		T(a_full_page_keeps_the_worst_and_counts_the_rest),
		T(each_round_counts_what_it_leaves_out_itself),
		T(a_full_page_keeps_the_first_of_one_level),
		T(a_text_is_cut_between_characters),
		T(a_page_that_is_lost_is_made_again_by_the_next_process),
		T(another_layout_is_refused),
		T(a_time_that_has_not_come_is_no_since),
		T(a_damaged_page_gives_a_well_formed_copy),
		T(its_writer_outlives_a_damaged_page),
		T(a_hostile_page_gives_plain_texts),
		T(a_round_is_never_seen_half),
		T(a_file_of_another_user_is_a_condition),
		T(a_refused_system_call_is_a_condition),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
