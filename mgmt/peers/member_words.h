/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Renewals of members between nodes: a section of the exchange. A renewal is written nowhere. The node that heard it says
 * so for MEMBER_WORDS_MS, again every MEMBER_WORDS_EVERY_MS, so that who asks late or loses an answer misses none; as text of
 * nine letters a member: a digest of its name, and its age.
 *
 * Implemented in mgmt/peers/member_words.c. Pure; any thread.
 */
#ifndef WEIR_MGMT_PEERS_MEMBER_WORDS_H
#define WEIR_MGMT_PEERS_MEMBER_WORDS_H

#include <jansson.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/overrides/member.h"

#define MEMBER_WORDS_MS       6000u
#define MEMBER_WORDS_EVERY_MS 2000u

/** What this node heard itself, by its monotonic clock, given; NULL: memory is short. */
json_t *member_words_to_json(const struct member_list *members, uint64_t now_ms);
/**
 * Read what another node heard, of words that were true at @p true_ms.
 * @param out  from malloc(), given, sorted by member
 * @return 0; -EINVAL: they are none; or -ENOMEM
 */
MUST_CHECK int member_words_read(const json_t *words, uint64_t true_ms, struct member_heard **out,
                                 size_t *n);

#endif
