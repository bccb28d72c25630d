/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nothing wakes a thread when its client goes, so each wait is cut into moments. A server that is stopped lets all clients seem
 * gone, so its end takes no longer than that.
 */
#include "mgmt/api/poll.h"

#include <string.h>

#include "base/clock.h"

#define LOOK_EVERY_MS 250u /* whether the client is still there */

/*
 * Each kind of client has polls of its own, so that none can use up the others': anonymous,
 * tokens, users, root.
 */
static size_t kind_of_client(const struct http_request *r)
{
	if (r->local)
		return r->role >= HTTP_ADMIN ? 3 : 2;
	return strcmp(r->principal, "anonymous") ? 1 : 0;
}

bool poll_moment(struct core *core, const struct http_request *r, uint64_t until_ms)
{
	uint64_t now_ms = clock_mono_ms(), next_ms = now_ms + LOOK_EVERY_MS;

	return now_ms < until_ms && !http_gone(r) &&
	       core_wait(core, next_ms < until_ms ? next_ms : until_ms);
}

bool poll_wait(struct core *core, const struct http_request *r, uint64_t until_ms,
               struct polls *waiting, size_t most, poll_quiet *is_quiet, const void *arg)
{
	size_t *n = &waiting->n[kind_of_client(r)];

	if (!is_quiet(core, arg) || clock_mono_ms() >= until_ms)
		return true;
	if (*n >= most)
		return false;
	++*n;
	while (is_quiet(core, arg) && poll_moment(core, r, until_ms))
		;
	--*n;
	return true;
}
