/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When something that failed is tried again: ever later, so that what the kernel refuses for ever
 * costs nothing. Pure: times are passed in (ms since boot). Zeroed: nothing has failed.
 */
#ifndef ANNOUNCE_RETRY_H
#define ANNOUNCE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry {
	int err;          /* of the last try; 0: it went well */
	uint32_t wait_ms; /* after it */
	uint64_t at_ms;   /* of the next try */
};

static inline bool retry_is_due(const struct retry *r, uint64_t now_ms)
{
	return now_ms >= r->at_ms;
}

/* Note how a try ended: @p err, or 0. The first wait is @p first_ms, and it doubles to @p most_ms. */
static inline void retry_note(struct retry *r, int err, uint32_t first_ms, uint32_t most_ms,
                              uint64_t now_ms)
{
	uint32_t wait_ms = r->err ? r->wait_ms * 2 : first_ms;

	if (wait_ms > most_ms)
		wait_ms = most_ms;
	*r = (struct retry){ 0 };
	if (err)
		*r = (struct retry){ .err = err, .wait_ms = wait_ms, .at_ms = now_ms + wait_ms };
}

#endif
