/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A thread that may be joined whether it could be started or not.
 *
 * Implemented in base/thread.c. The thread that starts one joins it.
 */
#ifndef WEIR_BASE_THREAD_H
#define WEIR_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "base/checked.h"

/** Zeroed: not started. */
struct thread {
	pthread_t id;
	bool runs;
};

/** Start it. @return 0, or -errno: it was not started, and thread_join() does nothing */
MUST_CHECK int thread_start(struct thread *t, void *(*run)(void *arg), void *arg);
/** Wait for its end; at once where it was never started or was joined already. */
void thread_join(struct thread *t);

#endif
