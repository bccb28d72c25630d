/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a peer answers to POST /v1/peer/announcements (docs/api.md), checked as a whole before any of
 * it is used.
 *
 * Implemented in mgmt/api/announce_reply.c. Pure functions: any thread.
 */
#ifndef WEIR_MGMT_API_ANNOUNCE_REPLY_H
#define WEIR_MGMT_API_ANNOUNCE_REPLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "mgmt/store/guard.h"

/** An answer; what it points to belongs to the JSON. */
struct announce_reply {
	bool has_age;            /**< the peer has an announce page */
	uint64_t age_ms;         /**< if has_age: since its weir-announce showed a sign of life */
	const char *state;       /**< if has_age: its digest, 16 hexadecimal digits; else NULL */
	const json_t *addresses; /**< NULL: as before, or there is no page */
	const json_t *words;     /**< an array: one for each question, of any type */
};

/**
 * Read an answer.
 * @param node, cluster  who it must be; an answer of another is refused
 * @param known          the digest of the addresses that are known already; "": none are
 * @param n_questions    that it was sent
 * @return 0, or -EINVAL with @p reason and without @p out: nothing of the answer counts
 */
int announce_reply_read(const json_t *json, const char *node, const char *cluster,
                        const char *known, size_t n_questions, struct announce_reply *out,
                        const char **reason) MUST_CHECK;
/** What @p addresses says of an address. A word of a later release is unknown. */
enum guard_announced announce_reply_of(const json_t *addresses, const struct addr *address);
/** Whether @p word, the answer to a question, confirms. NULL does not. */
bool announce_reply_confirms(const json_t *word);

#endif
