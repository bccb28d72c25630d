/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * State sync: while the own weir-dataplane says that it started on empty tables, its peers, the
 * nodes of the same site, are asked for what they know of slots, and the answer of one of them is
 * handed over (weir/conn_state.h).
 *
 * It runs in a thread of its own, which asks only the dataplane when all is well. A peer that is
 * itself waiting for state has none to give; if that is true of all of them, as when a site is
 * switched on, the dataplane gets an empty answer and stops waiting. An answer is used only if its
 * sender has the same head and overrides as this node: members that changed meanwhile come first.
 *
 * Implemented in mgmt/peers/state_fetch.c. The main thread starts and stops it; state_fetch_to_json() is
 * for handlers' threads.
 */
#ifndef WEIR_MGMT_PEERS_STATE_FETCH_H
#define WEIR_MGMT_PEERS_STATE_FETCH_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/core/core.h"

#define STATE_FETCH_EVERY_MS   500u              /**< between two questions to the own dataplane */
#define STATE_FETCH_TIMEOUT_MS 2000              /**< for a peer's answer */
#define STATE_FETCH_ANSWER_MAX ((size_t)4 << 20) /**< bytes */

/** Start the thread. @return 0 or -errno */
int state_fetch_start(struct core *core) MUST_CHECK;
/** End it; core->stopping is set. */
void state_fetch_stop(struct core *core);

/**
 * What this node's dataplane knows, for a peer: given; NULL when it does not answer. Not under
 * the lock.
 */
json_t *state_fetch_to_json(struct core *core);

enum state_fetch_word {
	STATE_FETCH_KNOWS,     /**< it told what it knows */
	STATE_FETCH_NOTHING,   /**< it is learning itself */
	STATE_FETCH_MALFORMED, /**< there is none, or it says nothing that makes sense */
};
/** What a peer's answer is worth. @param text  of one that knows, borrowed of @p answer */
enum state_fetch_word state_fetch_read(const json_t *answer, const char **text) MUST_CHECK;

#endif
