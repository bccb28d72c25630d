/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pthread_create() leaves its id undefined when it fails, and joining such an id is undefined, too.
 * So the struct keeps whether a thread runs beside its id.
 */
#include "base/thread.h"

int thread_start(struct thread *t, void *(*run)(void *arg), void *arg)
{
	int err = pthread_create(&t->id, NULL, run, arg);

	t->runs = err == 0;
	return -err;
}

void thread_join(struct thread *t)
{
	if (t->runs)
		pthread_join(t->id, NULL);
	t->runs = false;
}
