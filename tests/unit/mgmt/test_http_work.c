/* SPDX-License-Identifier: BSD-2-Clause */
/* The threads of handlers: how many are started, who is served first, what comes back, and what happens without threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "mgmt/http/work.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static int fails_with;
static unsigned n_threads;      /* that were started */
static atomic_uint n_idle;      /* of them wait for a job */
static atomic_bool holds_wakes; /* who is woken does not take its job yet */

static int own_pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *),
                              void *arg)
{
	int err = fails_with ? fails_with : __real_pthread_create(id, attributes, run, arg);

	n_threads += err == 0;
	return err;
}

static int own_pthread_cond_wait(pthread_cond_t *more, pthread_mutex_t *lock)
{
	n_idle++;
	int err = __real_pthread_cond_wait(more, lock);

	pthread_mutex_unlock(lock);
	while (holds_wakes)
		sched_yield();
	pthread_mutex_lock(lock);
	n_idle--;
	return err;
}

#define JOBS 4

struct held_job {
	struct http_job job;
	sem_t may_end;
	unsigned position; /* when it was begun: 1 for the first; 0: it was not */
	long thread;
	bool ended;
};

static struct held_job jobs[JOBS];
static sem_t begun;
static unsigned n_begun;
static int wake_fd;

static void run_held(struct http_job *job)
{
	struct held_job *h = (struct held_job *)job;

	h->position = ++n_begun; /* read after sem_wait(&begun) */
	h->thread = syscall(SYS_gettid);
	sem_post(&begun);
	sem_wait(&h->may_end);
	h->ended = true;
}

static int begin_work(void **state)
{
	(void)state;
	memset(jobs, 0, sizeof(jobs));
	for (size_t i = 0; i < JOBS; i++) {
		jobs[i].job.run = run_held;
		sem_init(&jobs[i].may_end, 0, 0);
	}
	sem_init(&begun, 0, 0);
	n_begun = 0;
	fails_with = 0;
	n_threads = 0;
	n_idle = 0;
	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(wake_fd >= 0);
	return 0;
}

static int end_work(void **state)
{
	(void)state;
	close(wake_fd);
	return 0;
}

/* Wait until @p n threads have nothing to do. */
static void wait_for_idle(unsigned n)
{
	while (n_idle != n)
		sched_yield();
}

static uint64_t count_wakes(void)
{
	struct pollfd p = { .fd = wake_fd, .events = POLLIN };
	uint64_t n = 0;

	assert_int_equal(poll(&p, 1, 30000), 1);
	assert_int_equal(read(wake_fd, &n, sizeof(n)), sizeof(n));
	return n;
}

static void a_job_that_is_done_comes_back_once(void **state)
{
	struct http_pool *p;

	(void)state;
	assert_int_equal(http_pool_open(2, wake_fd, &p), 0);
	assert_null(http_pool_done(p));
	assert_int_equal(http_pool_give(p, &jobs[0].job), 0);
	sem_wait(&begun);
	assert_null(http_pool_done(p)); /* begun, not done */
	sem_post(&jobs[0].may_end);
	assert_int_equal(count_wakes(), 1);
	wait_for_idle(1);
	assert_ptr_equal(http_pool_done(p), &jobs[0].job);
	assert_null(jobs[0].job.next);
	assert_null(http_pool_done(p));
	http_pool_close(p);
}

static void an_idle_thread_is_used_before_another_is_started(void **state)
{
	struct http_pool *p;

	(void)state;
	assert_int_equal(http_pool_open(2, wake_fd, &p), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(http_pool_give(p, &jobs[i].job), 0);
		sem_post(&jobs[i].may_end);
		sem_wait(&begun);
		wait_for_idle(1);
	}
	assert_int_equal(jobs[0].thread, jobs[1].thread);
	assert_int_equal(jobs[0].thread, jobs[2].thread);
	assert_int_equal(count_wakes(), 1); /* for all that is done and was not taken */
	size_t n = 0;
	for (struct http_job *job = http_pool_done(p); job; job = job->next)
		n++;
	assert_int_equal(n, 3);
	assert_int_equal(http_pool_give(p, &jobs[3].job), 0);
	sem_post(&jobs[3].may_end);
	sem_wait(&begun);
	wait_for_idle(1);
	assert_int_equal(count_wakes(), 1); /* again */
	assert_ptr_equal(http_pool_done(p), &jobs[3].job);
	http_pool_close(p);
}

/* Two threads; the third and the fourth job wait for one, in their order. */
static void no_more_than_the_bound_run_and_the_first_given_is_first(void **state)
{
	struct http_pool *p;

	(void)state;
	assert_int_equal(http_pool_open(2, wake_fd, &p), 0);
	assert_true(http_pool_is_free(p));
	assert_int_equal(http_pool_give(p, &jobs[0].job), 0);
	sem_wait(&begun);
	assert_true(http_pool_is_free(p)); /* a second may be started */
	assert_int_equal(http_pool_give(p, &jobs[1].job), 0);
	sem_wait(&begun);
	assert_int_not_equal(jobs[0].thread, jobs[1].thread);
	assert_false(http_pool_is_free(p));
	assert_int_equal(http_pool_give(p, &jobs[2].job), 0);
	assert_int_equal(http_pool_give(p, &jobs[3].job), 0);
	assert_int_equal(n_threads, 2);
	assert_int_equal(sem_trywait(&begun), -1);
	sem_post(&jobs[1].may_end); /* its thread takes the next */
	sem_wait(&begun);
	assert_int_equal(jobs[2].position, 3);
	assert_int_equal(jobs[2].thread, jobs[1].thread);
	assert_false(http_pool_is_free(p));
	sem_post(&jobs[0].may_end);
	sem_wait(&begun);
	assert_int_equal(jobs[3].position, 4);
	sem_post(&jobs[2].may_end);
	wait_for_idle(1);
	assert_true(http_pool_is_free(p));
	sem_post(&jobs[3].may_end);
	http_pool_close(p);
}

/* A thread that has been promised to a waiting job is not free for another. */
static void a_thread_that_is_spoken_for_is_not_free(void **state)
{
	struct http_pool *p;

	(void)state;
	assert_int_equal(http_pool_open(1, wake_fd, &p), 0);
	assert_int_equal(http_pool_give(p, &jobs[0].job), 0);
	sem_post(&jobs[0].may_end);
	wait_for_idle(1);
	assert_true(http_pool_is_free(p));
	holds_wakes = true;
	sem_post(&jobs[1].may_end);
	assert_int_equal(http_pool_give(p, &jobs[1].job), 0);
	assert_int_equal(n_idle, 1);
	assert_false(http_pool_is_free(p));
	holds_wakes = false;
	sem_wait(&begun);
	sem_wait(&begun);
	wait_for_idle(1);
	assert_true(http_pool_is_free(p));
	http_pool_close(p);
}

/* Nor is it the next job's: that one gets a thread of its own. */
static void a_job_behind_one_that_waits_has_its_own_thread(void **state)
{
	struct http_pool *p;

	(void)state;
	assert_int_equal(http_pool_open(3, wake_fd, &p), 0);
	assert_int_equal(http_pool_give(p, &jobs[0].job), 0);
	sem_post(&jobs[0].may_end);
	wait_for_idle(1);
	holds_wakes = true; /* the idle thread has not yet taken a job */
	assert_int_equal(http_pool_give(p, &jobs[1].job), 0);
	assert_int_equal(n_threads, 1);
	assert_int_equal(http_pool_give(p, &jobs[2].job), 0);
	assert_int_equal(n_threads, 2);
	holds_wakes = false;
	for (size_t i = 0; i < 3; i++)
		sem_wait(&begun);
	wait_for_idle(0);
	sem_post(&jobs[1].may_end);
	wait_for_idle(1);
	assert_int_equal(http_pool_give(p, &jobs[3].job), 0); /* the idle thread is its */
	assert_int_equal(n_threads, 2);
	for (size_t i = 2; i < JOBS; i++)
		sem_post(&jobs[i].may_end);
	http_pool_close(p);
}

static void closing_does_all_that_was_given(void **state)
{
	struct http_pool *p;

	(void)state;
	assert_int_equal(http_pool_open(1, wake_fd, &p), 0);
	for (size_t i = 0; i < JOBS; i++) {
		assert_int_equal(http_pool_give(p, &jobs[i].job), 0);
		sem_post(&jobs[i].may_end);
	}
	http_pool_close(p);
	for (size_t i = 0; i < JOBS; i++) {
		assert_true(jobs[i].ended);
		assert_int_equal(jobs[i].position, i + 1);
	}
	assert_int_equal(count_wakes(), 1);
	http_pool_close(NULL);
}

static void without_any_thread_a_job_is_refused(void **state)
{
	struct http_pool *p;

	(void)state;
	assert_int_equal(http_pool_open(2, wake_fd, &p), 0);
	fails_with = EAGAIN;
	assert_int_equal(http_pool_give(p, &jobs[0].job), -ENOMEM);
	assert_int_equal(n_threads, 0);
	fails_with = 0;
	assert_int_equal(http_pool_give(p, &jobs[1].job), 0);
	sem_wait(&begun);
	fails_with = EAGAIN; /* the thread that there is takes the next one when it can */
	assert_int_equal(http_pool_give(p, &jobs[2].job), 0);
	sem_post(&jobs[1].may_end);
	sem_wait(&begun);
	assert_int_equal(jobs[1].position, 1);
	assert_int_equal(jobs[2].position, 2);
	assert_int_equal(jobs[0].position, 0);
	sem_post(&jobs[2].may_end);
	http_pool_close(p);
}

SUITE(http_work)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin_work, end_work)
	const struct CMUnitTest tests[] = {
		T(a_job_that_is_done_comes_back_once),
		T(an_idle_thread_is_used_before_another_is_started),
		T(no_more_than_the_bound_run_and_the_first_given_is_first),
		T(a_thread_that_is_spoken_for_is_not_free),
		T(a_job_behind_one_that_waits_has_its_own_thread),
		T(closing_does_all_that_was_given),
		T(without_any_thread_a_job_is_refused),
	};

	answer_pthread_cond_wait = own_pthread_cond_wait;
	answer_pthread_create = own_pthread_create;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
