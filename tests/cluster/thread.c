/* SPDX-License-Identifier: BSD-2-Clause */
/* base/thread.h by the scheduler's threads. */
#include "base/thread.h"

#include <errno.h>

#include "tests/cluster/sched.h"

int thread_start(struct thread *t, void *(*run)(void *arg), void *arg)
{
	t->runs = sched_start(sched_host(), run, arg, &t->id);
	return t->runs ? 0 : -EAGAIN;
}

void thread_join(struct thread *t)
{
	if (t->runs)
		sched_join(t->id);
	t->runs = false;
}

void thread_block_signals(sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, NULL, before);
}
