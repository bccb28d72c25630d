/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Work beside a loop: a thread does one piece of work, and the loop hears when it is done, so that what takes
 * long (reading and compiling a document) holds up nothing else.
 *
 * The two sides never run at the same time on what they share, so that it needs no lock: starting the
 * work gives it to the thread, and before done() is called the thread has been joined.
 *
 * Implemented in base/loop_job.c. The loop's thread calls all of this.
 */
#ifndef WEIR_BASE_LOOP_JOB_H
#define WEIR_BASE_LOOP_JOB_H

#include <stdbool.h>

#include "base/checked.h"
#include "base/loop.h"

struct loop_job;

/**
 * @param work  called with @p arg in the thread
 * @param done  called with @p arg by the loop, once the thread has ended; it may start the next piece
 * @return 0, with @p out for loop_job_close(), or -errno
 */
MUST_CHECK int loop_job_open(struct loop *l, loop_cb *work, loop_cb *done, void *arg,
                             struct loop_job **out);
/** Begin a piece of work. @return 0; -EBUSY: one is being done; or -errno: there is no thread for it */
MUST_CHECK int loop_job_start(struct loop_job *j);
/** Whether work was begun that done() was not called for yet. */
bool loop_job_runs(const struct loop_job *j);
/** Wait for what is being done, without a call of done(). NULL is fine. @return whether there was any */
bool loop_job_close(struct loop_job *j);

#endif
