/* SPDX-License-Identifier: BSD-2-Clause */
/* The lock that all share, waits under it, and base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "mgmt/core/core.h"
#include "mgmt/files/files.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static uint64_t fake_ms, worked_until_ns;
static bool is_faked, is_working;

static int own_clock_gettime(clockid_t id, struct timespec *out)
{
	bool works = id == CLOCK_THREAD_CPUTIME_ID && is_working;
	uint64_t ns = works ? worked_until_ns : fake_ms * 1000000;

	if (!works && !(id == CLOCK_BOOTTIME && is_faked))
		return __real_clock_gettime(id, out);
	*out = (struct timespec){ .tv_sec = (time_t)(ns / 1000000000),
		                  .tv_nsec = (long)(ns % 1000000000) };
	return 0;
}

static struct core node;

static int setup(void **state)
{
	pthread_condattr_t monotonic;

	(void)state;
	memset(&node, 0, sizeof(node));
	pthread_mutex_init(&node.lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC); /* as main.c does */
	pthread_cond_init(&node.changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	is_faked = is_working = false;
	return 0;
}

/* RFC 4648, section 10, and what is none. */
static void base64_is_decoded_whole_or_not_at_all(void **state)
{
	static const struct {
		const char *text, *bytes; /* NULL: it is none */
	} rows[] = {
		{ "", "" },
		{ "Zg==", "f" },
		{ "Zm8=", "fo" },
		{ "Zm9v", "foo" },
		{ "Zm9vYg==", "foob" },
		{ "Zm9vYmE=", "fooba" },
		{ "Zm9vYmFy", "foobar" },
		{ "Z", NULL },
		{ "Zg", NULL },
		{ "Zg=", NULL },
		{ "Zm9vYg", NULL },
		{ "Zm9v!g==", NULL },
		{ "====", NULL },
		{ "Zg==Zg==", NULL },
		{ "Z=8=", NULL },
		{ "    Zm9v", NULL },
		{ "Zm9v    ", NULL },
		{ "Zm9v\n\n\n\n", NULL },
		{ "+/+/", "\xfb\xff\xbf" },
		{ "Zm9vYmFy=", NULL },
	};
	char out[16];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ssize_t n = files_base64_bytes(rows[i].text, out, sizeof(out));
		ssize_t wanted = rows[i].bytes ? (ssize_t)strlen(rows[i].bytes) : -1;

		if (n != wanted || (n > 0 && memcmp(out, rows[i].bytes, (size_t)n) != 0))
			fail_msg("\"%s\": %zd", rows[i].text, n);
		if (!rows[i].bytes)
			continue;
		char *text = files_base64_text(rows[i].bytes, strlen(rows[i].bytes));
		assert_string_equal(text, rows[i].text);
		free(text);
		memset(out, 'x',
		       sizeof(out)); /* it has as much room as is needed, or a byte less */
		assert_int_equal(files_base64_bytes(rows[i].text, out, (size_t)wanted), wanted);
		assert_int_equal(out[wanted], 'x');
		if (wanted > 0)
			assert_int_equal(files_base64_bytes(rows[i].text, out, (size_t)wanted - 1),
			                 -1);
	}
}

static void a_wait_that_is_over_does_not_wait(void **state)
{
	(void)state;
	is_faked = true;
	fake_ms = 5000;
	core_lock(&node);
	assert_false(core_wait(&node, 4000));
	assert_false(core_wait(&node, 5000));
	is_faked = false;
	node.stopping = true;
	assert_false(core_wait(&node, clock_mono_ms() + 60000));
	core_unlock(&node);
}

/* Two seconds and some are more than one of the clock's seconds: none is lost on the way. */
static void a_wait_takes_its_time_and_gives_the_lock_up(void **state)
{
	uint64_t began_ms = clock_mono_ms(), given = node.use.n_given;

	(void)state;
	core_lock(&node);
	assert_true(core_wait(&node, began_ms + 30));
	core_unlock(&node);
	assert_true(clock_mono_ms() >= began_ms + 29);
	assert_int_equal(node.use.n_given, given + 2);
}

static void *change_later(void *arg)
{
	(void)arg;
	core_lock(&node); /* which who waits has given up */
	node.under_way.n = 1;
	node.stopping = node.event_polls.n[0] != 0;
	core_changed(&node);
	core_unlock(&node);
	return NULL;
}

#define ROUND_MS 20u

static unsigned n_rounds;

static uint64_t count_round(void *core)
{
	((struct core *)core)->stopping = ++n_rounds == 4;
	return clock_mono_ms() + ROUND_MS;
}

static void *change_often(void *arg)
{
	(void)arg;
	core_lock(&node);
	while (core_wait(&node, clock_mono_ms() + 1))
		core_changed(&node);
	core_unlock(&node);
	return NULL;
}

/* From begin to begin, however often the thread is woken in between. */
static void rounds_come_at_their_time(void **state)
{
	uint64_t began_ms = clock_mono_ms();
	pthread_t thread;

	(void)state;
	node.stopping = false;
	n_rounds = 0;
	assert_int_equal(pthread_create(&thread, NULL, change_often, NULL), 0);
	core_run_rounds(&node, count_round, &node, ROUND_MS);
	assert_int_equal(n_rounds, 4);
	assert_true(clock_mono_ms() >= began_ms + 60);
	core_run_rounds(&node, count_round, &node, ROUND_MS); /* the process ends */
	assert_int_equal(n_rounds, 4);
	pthread_join(thread, NULL);
	node.stopping = false;
}

static uint64_t change_itself(void *core)
{
	node.stopping = ++n_rounds == 3;
	core_changed(core);
	return clock_mono_ms() + ROUND_MS;
}

static void what_a_round_changes_makes_no_other_one_due(void **state)
{
	uint64_t began_ms = clock_mono_ms();

	(void)state;
	n_rounds = 0;
	node.stopping = false;
	core_run_rounds(&node, change_itself, &node, 0);
	assert_int_equal(n_rounds, 3);
	assert_true(clock_mono_ms() >= began_ms + 2 * ROUND_MS);
	node.stopping = false;
}

/* A round that gives the lock up; meanwhile something changes. */
static uint64_t change_meanwhile(void *core)
{
	pthread_t thread;

	node.event_polls.n[0] = ++n_rounds == 3; /* then it ends */
	core_unlock(core);
	assert_int_equal(pthread_create(&thread, NULL, change_later, NULL), 0);
	pthread_join(thread, NULL);
	core_lock(core);
	return clock_mono_ms() + 600000;
}

static void a_change_that_a_round_has_missed_makes_the_next_one_due(void **state)
{
	(void)state;
	n_rounds = 0;
	node.stopping = false;
	core_run_rounds(&node, change_meanwhile, &node, ROUND_MS);
	assert_int_equal(n_rounds, 3);
	node.stopping = false;
	node.event_polls.n[0] = 0;
}

static void a_change_ends_all_waits(void **state)
{
	uint64_t began_ms = clock_mono_ms();
	pthread_t thread;

	(void)state;
	for (int stops = 0; stops < 2; stops++) {
		node.under_way.n = 0;
		node.event_polls.n[0] = (size_t)stops;
		core_lock(&node);
		assert_int_equal(pthread_create(&thread, NULL, change_later, NULL), 0);
		while (node.under_way.n == 0)
			assert_int_equal(core_wait(&node, began_ms + 600000), !stops);
		core_unlock(&node);
		pthread_join(thread, NULL);
	}
	assert_true(clock_mono_ms() < began_ms + 300000);
}

static void the_longest_hold_is_kept(void **state)
{
	(void)state;
	is_working = true;
	static const struct {
		uint64_t worked_ns, longest_ns;
	} rows[] = { { 3000000000, 3000000000 },
		     { 2999999999, 3000000000 },
		     { 3000000001, 3000000001 },
		     { 5, 3000000001 } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		core_lock(&node);
		worked_until_ns += rows[i].worked_ns;
		core_unlock(&node);
		assert_true(node.use.longest_held_ns == rows[i].longest_ns);
	}
}

/* Work before a wait is no part of the hold after it. */
static void a_wait_begins_a_new_hold(void **state)
{
	(void)state;
	is_working = true;
	core_lock(&node);
	worked_until_ns += 1000000;
	assert_true(core_wait(&node, clock_mono_ms() + 2));
	worked_until_ns += 300;
	core_unlock(&node);
	assert_true(node.use.longest_held_ns == 300);
}

static void *hold_lock(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&node.lock);
	return NULL;
}

/* A lock that nobody gives up for ten seconds of looking is stuck; who looked longer ago does not know. */
static void a_lock_that_is_never_given_up_is_seen(void **state)
{
	static const struct {
		uint64_t at_ms;
		bool is_given, moves;
	} rows[] = {
		{ 1000, false, true },
		{ 3000, false, true },
		{ 6000, false, true },
		{ 9000, false, true },
		{ 10999, false, true },
		{ 11000, false, false },
		{ 12000, false, false },
		{ 13000, true, true }, /* given up and taken again */
		{ 15000, false, true },
		{ 18000, false, true },
		{ 21000, false, true },
		{ 22999, false, true },
		{ 23000, false, false },
		{ 26001, false, true }, /* nobody looked for more than three seconds */
		{ 29001, false, true },
	};
	pthread_t thread;

	(void)state;
	is_faked = true;
	fake_ms = 500;
	assert_true(core_is_moving(&node));
	fake_ms = 1000;
	assert_true(core_is_moving(&node));
	assert_int_equal(pthread_mutex_trylock(&node.lock), 0); /* it has not kept it */
	pthread_mutex_unlock(&node.lock);
	assert_int_equal(pthread_create(&thread, NULL, hold_lock, NULL), 0);
	pthread_join(thread, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake_ms = rows[i].at_ms;
		node.use.n_given += rows[i].is_given;
		if (core_is_moving(&node) != rows[i].moves)
			fail_msg("at %d", (int)rows[i].at_ms);
	}
}

SUITE(core_parts)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(base64_is_decoded_whole_or_not_at_all),
		T(a_wait_that_is_over_does_not_wait),
		T(a_wait_takes_its_time_and_gives_the_lock_up),
		T(a_change_ends_all_waits),
		T(rounds_come_at_their_time),
		T(a_change_that_a_round_has_missed_makes_the_next_one_due),
		T(what_a_round_changes_makes_no_other_one_due),
		T(the_longest_hold_is_kept),
		T(a_wait_begins_a_new_hold),
		T(a_lock_that_is_never_given_up_is_seen),
	};

	answer_clock_gettime = own_clock_gettime;
	return cmocka_run_group_tests_name("core parts", tests, NULL, NULL);
}
