/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pthread_create() leaves its id undefined when it fails, and joining such an id is undefined, too.
 * So the struct keeps whether a thread runs beside its id.
 */
#include "base/thread.h"

#include <errno.h>

int thread_start(struct thread *t, void *(*run)(void *arg), void *arg)
{
	int err = pthread_create(&t->id, NULL, run, arg);

	t->runs = err == 0;
	return err == EAGAIN ? -ENOMEM : -err; /* "try again" would tell people nothing */
}

void thread_block_signals(sigset_t *before)
{
	static const int own[] = { SIGBUS, SIGSYS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP };
	sigset_t others;

	sigfillset(&others);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(&others, own[i]);
	pthread_sigmask(SIG_SETMASK, &others, before);
}

void thread_join(struct thread *t)
{
	if (t->runs)
		pthread_join(t->id, NULL);
	t->runs = false;
}
