/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread of the product that waits by core_wait() has its turns when the test says so, from turns_begin() on. A suite includes
 * this once.
 */
#ifndef WEIR_TESTS_MGMT_TOLD_TURNS_H
#define WEIR_TESTS_MGMT_TOLD_TURNS_H

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>

#include "tests/unit/answers.h"

static sem_t turn_begins, turn_ends;
/* Asked first, where the test sets it: whether a wait is none for a turn, and ends at once. It may let what is awaited come. */
static bool (*turn_goes_on)(void);

static int own_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                      const struct timespec *at)
{
	(void)cond;
	(void)at;
	if (turn_goes_on && turn_goes_on())
		return 0;
	pthread_mutex_unlock(mutex);
	sem_post(&turn_ends);
	while (sem_wait(&turn_begins))
		;
	pthread_mutex_lock(mutex);
	return ETIMEDOUT;
}

/* Before the thread is started. */
static inline void turns_begin(void)
{
	answer_pthread_cond_timedwait = own_pthread_cond_timedwait;
	sem_init(&turn_begins, 0, 0);
	sem_init(&turn_ends, 0, 0);
}

/* Until the thread waits again: once it was started, and then in play_turn(). */
static inline void await_turn(void)
{
	while (sem_wait(&turn_ends))
		;
}

static inline void play_turn(void)
{
	sem_post(&turn_begins);
	await_turn();
}

#endif
