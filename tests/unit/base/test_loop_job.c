/* SPDX-License-Identifier: BSD-2-Clause */
/* Work beside a loop (base/loop_job.c), with real threads. A call of the system fails where a step says so. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop_job.h"
#include "tests/unit/calls.h"
#include "tests/unit/suite.h"

static struct loop *loop;
static struct loop_job *job;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_t worker;
static unsigned n_worked, n_done, n_wanted;

static void work_once(void *arg)
{
	assert_ptr_equal(arg, &loop);
	pthread_mutex_lock(&gate);
	worker = pthread_self();
	n_worked++; /* shared without a lock, as the header promises: thread sanitizer looks */
	pthread_mutex_unlock(&gate);
}

static void count_done(void *arg)
{
	assert_ptr_equal(arg, &loop);
	assert_false(loop_job_runs(job));
	assert_int_equal(n_worked, ++n_done);
	if (n_done < n_wanted)
		assert_int_equal(loop_job_start(job), 0);
	else
		loop_stop(loop);
}

static int open_job(void **state)
{
	(void)state;
	n_worked = n_done = 0;
	n_wanted = 1;
	job = NULL;
	return loop_open(&loop) || loop_job_open(loop, work_once, count_done, &loop, &job);
}

static int close_job(void **state)
{
	(void)state;
	(void)loop_job_close(job);
	loop_close(loop);
	return 0;
}

static void work_is_done_beside_the_loop_and_said_once(void **state)
{
	(void)state;
	for (unsigned round = 1; round <= 2; round++) {
		pthread_mutex_lock(&gate);
		assert_int_equal(loop_job_start(job), 0);
		assert_true(loop_job_runs(job));
		assert_int_equal(loop_job_start(job), -EBUSY);
		pthread_mutex_unlock(&gate);
		n_wanted = n_done + 1;
		assert_int_equal(loop_run(loop), 0);
		assert_int_equal(n_done, round);
		assert_false(pthread_equal(worker, pthread_self()));
		assert_false(loop_job_runs(job));
	}
}

static void what_hears_of_it_may_start_the_next(void **state)
{
	(void)state;
	n_wanted = 5;
	assert_int_equal(loop_job_start(job), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(n_worked, 5);
	assert_int_equal(n_done, 5);
}

static void work_without_a_thread_is_not_begun(void **state)
{
	(void)state;
	for (unsigned round = 1; round <= 2; round++) {
		calls_fail("pthread_create", 1, EAGAIN, false);
		assert_int_equal(loop_job_start(job), -EAGAIN);
		assert_int_equal(calls_end(), 1);
		assert_false(loop_job_runs(job));
		n_wanted = round;
		assert_int_equal(loop_job_start(job), 0);
		assert_int_equal(loop_run(loop), 0);
		assert_int_equal(n_done, round);
	}
}

static void an_end_waits_and_says_nothing(void **state)
{
	(void)state;
	assert_int_equal(loop_job_start(job), 0);
	assert_true(loop_job_close(job));
	assert_int_equal(n_worked, 1);
	assert_int_equal(n_done, 0);
	assert_int_equal(loop_job_open(loop, work_once, count_done, &loop, &job), 0);
	assert_false(loop_job_close(job));
	job = NULL;
	assert_false(loop_job_close(NULL));
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
		assert_int_equal(loop_job_open(loop, work_once, count_done, &loop, &other),
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
		T(work_is_done_beside_the_loop_and_said_once),
		T(what_hears_of_it_may_start_the_next),
		T(work_without_a_thread_is_not_begun),
		T(an_end_waits_and_says_nothing),
		T(what_cannot_be_opened_leaves_nothing),
	};

	return cmocka_run_group_tests_name("loop_job", tests, NULL, NULL);
}
