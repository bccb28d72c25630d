/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Work beside a loop: a thread does one piece of work, and the loop accepts what came of it, so that what takes
 * long (reading and compiling a document) holds up nothing else. The newest counts: work that is asked for
 * while it is being done is done once more afterwards, however often it was asked for.
 *
 * The two sides never run at the same time on what they share, so that it needs no lock: starting the
 * work gives it to the thread, and before accept() is called the thread has been joined.
 *
 * Implemented in base/loop_job.c. The loop's thread calls all of this.
 */
#ifndef WEIR_BASE_LOOP_JOB_H
#define WEIR_BASE_LOOP_JOB_H

#include <stdint.h>

#include "base/checked.h"
#include "base/loop.h"

struct loop_job;

/** A piece of work, and who accepts what came of it. */
struct loop_work {
	/** Called by the loop before the thread starts; NULL: nothing is to be prepared. */
	loop_cb *begin;
	/** Called in the thread. */
	loop_cb *work;
	/**
	 * Called by the loop, once the thread has ended.
	 * @param err  0; or -errno: there was no thread for it, and nothing was done
	 * @return after how many ms it is to be done again; 0: when loop_job_start() is called next
	 */
	uint64_t (*accept)(void *arg, int err);
	/** Of all three. */
	void *arg;
};

/** @return 0, with @p out for loop_job_close(), or -errno */
MUST_CHECK int loop_job_open(struct loop *l, const struct loop_work *work, struct loop_job **out);
/**
 * Begin the work of @p job, a struct loop_job; while it is being done or accepted: once more afterwards. This is
 * a loop_cb, for watches. Without a thread accept() is called at once.
 */
void loop_job_start(void *job);
/** Begin it after @p after_ms, unless it is started earlier; 0: not by itself. As what accept() returns. */
void loop_job_later(struct loop_job *j, uint64_t after_ms);
/** Wait for what is being done, without a call of accept(). NULL is fine. */
void loop_job_close(struct loop_job *j);

#endif
