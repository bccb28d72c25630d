/* SPDX-License-Identifier: BSD-2-Clause */
/* Work beside a loop (base/loop_job.c), with real threads. A call of the system fails where a step says so. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop_job.h"
#include "tests/unit/calls.h"
#include "tests/unit/suite.h"

static struct loop *loop;
static struct loop_job *job;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_t worker;
static unsigned n_begun, n_worked, n_taken, n_wanted;
static unsigned newest, seen; /* what there is to see, and what the last work saw */
static unsigned n_starts;     /* accept() starts the next piece so often */
static uint64_t again_ms[8];  /* what accept() says, from the first on */
static int errors[8];         /* and what it hears */
static uint64_t taken_ms;

static void begin_once(void *arg)
{
	assert_ptr_equal(arg, &loop);
	n_begun++;
}

static void work_once(void *arg)
{
	assert_ptr_equal(arg, &loop);
	pthread_mutex_lock(&gate);
	worker = pthread_self();
	seen = newest;
	n_worked++; /* shared without a lock, as the header promises: thread sanitizer looks */
	pthread_mutex_unlock(&gate);
}

static uint64_t accept_once(void *arg, int err)
{
	assert_ptr_equal(arg, &loop);
	assert_in_range(n_taken, 0, 7);
	assert_int_equal(n_begun, n_taken + 1);
	errors[n_taken] = err;
	taken_ms = clock_mono_ms();
	if (n_starts) {
		n_starts--;
		loop_job_start(job);
		assert_int_equal(n_begun, n_taken + 1); /* not before this one is taken */
	}
	if (n_taken + 1 == n_wanted)
		loop_stop(loop);
	return again_ms[n_taken++];
}

static int open_job(void **state)
{
	static const struct loop_work work = { begin_once, work_once, accept_once, &loop };

	(void)state;
	n_begun = n_worked = n_taken = n_starts = newest = seen = 0;
	memset(again_ms, 0, sizeof(again_ms));
	job = NULL;
	return loop_open(&loop) || loop_job_open(loop, &work, &job);
}

static int close_job(void **state)
{
	(void)state;
	loop_job_close(job);
	loop_close(loop);
	return 0;
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

/* Until @p n pieces are taken, 10 s at most; then no further one comes. */
static void run_until_taken(unsigned n)
{
	struct loop_timer end = { .cb = stop_loop, .arg = loop };

	for (int rest = 0; rest < 2; rest++) {
		n_wanted = rest ? 0 : n;
		if (!rest && n_taken == n)
			continue;
		assert_int_equal(loop_timer_set(loop, &end, clock_mono_ms() + (rest ? 30 : 10000)),
		                 0);
		assert_int_equal(loop_run(loop), 0);
		loop_timer_cancel(loop, &end);
		assert_int_equal(n_taken, n);
	}
}

static void work_is_done_beside_the_loop_and_taken_once(void **state)
{
	(void)state;
	for (unsigned round = 1; round <= 2; round++) {
		pthread_mutex_lock(&gate);
		loop_job_start(job);
		pthread_mutex_unlock(&gate);
		run_until_taken(round);
		assert_int_equal(n_worked, round);
		assert_int_equal(errors[round - 1], 0);
		assert_false(pthread_equal(worker, pthread_self()));
	}
}

/* However often it is wanted, and the last piece sees the newest. */
static void what_is_wanted_meanwhile_is_done_once_more(void **state)
{
	(void)state;
	for (unsigned round = 1; round <= 2; round++) {
		loop_job_start(job);
		pthread_mutex_lock(&gate);
		newest = round;
		pthread_mutex_unlock(&gate);
		for (unsigned i = 0; i < 3; i++)
			loop_job_start(job);
		run_until_taken(2 * round);
		assert_int_equal(n_worked, 2 * round);
		assert_int_equal(seen, round);
	}
}

static void who_takes_it_may_start_the_next(void **state)
{
	(void)state;
	n_starts = 4;
	loop_job_start(job);
	run_until_taken(5);
	assert_int_equal(n_worked, 5);
}

static void work_without_a_thread_is_said_at_once(void **state)
{
	(void)state;
	again_ms[0] = 5;
	calls_fail("pthread_create", 1, EAGAIN, false);
	loop_job_start(job);
	assert_int_equal(calls_end(), 1);
	assert_int_equal(n_taken, 1);
	assert_int_equal(errors[0], -ENOMEM);
	assert_int_equal(n_worked, 0);
	run_until_taken(2);
	assert_int_equal(errors[1], 0);
	assert_int_equal(n_worked, 1);
	loop_job_start(job); /* the one that follows has no thread */
	loop_job_start(job);
	calls_fail("pthread_create", 1, EAGAIN, false);
	run_until_taken(4);
	assert_int_equal(calls_end(), 1);
	assert_int_equal(errors[3], -ENOMEM);
	assert_int_equal(n_worked, 2);
}

/* And not after another one has begun: of two, the last decides. */
static void what_may_pass_is_tried_again_when_it_is_due(void **state)
{
	uint64_t first_ms;

	(void)state;
	again_ms[0] = 40;
	loop_job_start(job);
	n_wanted = 1;
	assert_int_equal(loop_run(loop), 0);
	first_ms = taken_ms;
	run_until_taken(2);
	assert_true(taken_ms >= first_ms + 40);
	again_ms[2] = 1;
	loop_job_start(job);
	loop_job_start(job);
	run_until_taken(4);
	loop_job_later(job, 10);
	loop_job_later(job, 0);
	run_until_taken(4);
	loop_job_later(job, 10);
	run_until_taken(5);
	assert_int_equal(n_worked, 5);
}

/* Or the loop would never hear of it. */
static void an_interrupted_word_to_the_loop_is_said_again(void **state)
{
	(void)state;
	calls_fail("write", 1, EINTR, false);
	loop_job_start(job);
	run_until_taken(1);
	assert_int_equal(calls_end(), 1);
}

static void an_end_waits_and_says_nothing(void **state)
{
	(void)state;
	loop_job_later(job, 1);
	loop_job_start(job);
	loop_job_close(job);
	assert_int_equal(n_worked, 1);
	job = NULL;
	run_until_taken(0);
	loop_job_close(NULL);
}

static void what_cannot_be_opened_leaves_nothing(void **state)
{
	static const struct {
		const char *call;
		int err;
	} cases[] = { { "eventfd", EMFILE }, { "epoll_ctl", ENOSPC } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct loop_job *other = NULL;
		int before = dup(0), after;

		close(before);
		calls_fail(cases[i].call, 1, cases[i].err, false);
		assert_int_equal(loop_job_open(loop, &(struct loop_work){ 0 }, &other),
		                 -cases[i].err);
		assert_int_equal(calls_end(), 1);
		assert_null(other);
		after = dup(0);
		close(after);
		assert_int_equal(after, before);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_job, close_job)

SUITE(loop_job)
{
	static const struct CMUnitTest tests[] = {
		T(work_is_done_beside_the_loop_and_taken_once),
		T(what_is_wanted_meanwhile_is_done_once_more),
		T(who_takes_it_may_start_the_next),
		T(work_without_a_thread_is_said_at_once),
		T(what_may_pass_is_tried_again_when_it_is_due),
		T(an_interrupted_word_to_the_loop_is_said_again),
		T(an_end_waits_and_says_nothing),
		T(what_cannot_be_opened_leaves_nothing),
	};

	return cmocka_run_group_tests_name("loop_job", tests, NULL, NULL);
}
