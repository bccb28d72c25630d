/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A thread that may be joined whether it could be started or not; and threads that get no signals.
 *
 * Implemented in base/thread.c. The thread that starts one joins it.
 */
#ifndef WEIR_BASE_THREAD_H
#define WEIR_BASE_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/checked.h"

/** Zeroed: not started. */
struct thread {
	pthread_t id;
	bool runs;
};

/** Start it. @return 0, or -errno (-ENOMEM: no memory for its stack, or a limit of threads): it was not started, and thread_join() does nothing */
MUST_CHECK int thread_start(struct thread *t, void *(*run)(void *arg), void *arg);
/** Wait for its end; at once where it was never started or was joined already. */
void thread_join(struct thread *t);
/**
 * Block signals in this thread, and so in those that it starts from now on: a signal for the process
 * goes to any thread that does not block it, and ends the process if only the loop's thread waits for
 * it. Signals that a thread itself can cause are not blocked: the kernel ends a process that blocks
 * such a signal, and two of them have handlers (base/page_guard.h, base/sandbox.h).
 * @param before  out: what to restore by pthread_sigmask(SIG_SETMASK)
 */
void thread_block_signals(sigset_t *before);

#endif
