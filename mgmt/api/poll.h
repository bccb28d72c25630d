/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Requests that wait for what comes next: an event, another step of an operation. Each occupies a thread, so their number has a
 * limit, and a wait ends with its client.
 *
 * Implemented in mgmt/api/poll.c; called by the threads of handlers, under the core's lock.
 */
#ifndef WEIR_MGMT_API_POLL_H
#define WEIR_MGMT_API_POLL_H

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/http/http.h"

/** Whether nothing has come yet; @p arg is poll_wait()'s. Under the lock. */
typedef bool poll_quiet(struct core *core, const void *arg);

/**
 * Wait until something comes, @p until_ms (monotonic) or the end of the client or of the process.
 * @param waiting  the requests that wait for such things
 * @return false, at once: @p most of this kind of client wait already
 */
bool poll_wait(struct core *core, const struct http_request *r, uint64_t until_ms,
               struct polls *waiting, size_t most, poll_quiet *is_quiet, const void *arg);
/**
 * Wait until something changes, for a moment at most.
 * @return false, at once: @p until_ms has come, the client has gone, or the process ends
 */
bool poll_moment(struct core *core, const struct http_request *r, uint64_t until_ms);

#endif
