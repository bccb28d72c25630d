/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The threads in which handlers run, and the way back to the server's own thread.
 *
 * Threads are started when there is work that no idle one takes, up to a bound, and stay. Jobs are in their owner's
 * memory.
 *
 * Implemented in mgmt/http/work.c; called by a server's own thread, the end apart: the main
 * thread closes a pool when that thread has ended.
 */
#ifndef WEIR_MGMT_HTTP_WORK_H
#define WEIR_MGMT_HTTP_WORK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"

struct http_job {
	struct http_job *next;
	void (*run)(struct http_job *job); /**< in a thread of the pool */
};

struct http_pool;

/** @p wake_fd, an eventfd, is written when a job is done, once until http_pool_done() takes it. @return 0 or -ENOMEM */
int http_pool_open(size_t n_threads, int wake_fd, struct http_pool **out) MUST_CHECK;
/** End the threads; all jobs are done. NULL is fine. */
void http_pool_close(struct http_pool *p);
/** Whether a job that is given now starts at once. */
bool http_pool_is_free(struct http_pool *p);
/** Run @p job. @return 0, or -errno: there is no thread and none can be started */
int http_pool_give(struct http_pool *p, struct http_job *job) MUST_CHECK;
/** Take the jobs that are done, linked by next. */
struct http_job *http_pool_done(struct http_pool *p);

#endif
