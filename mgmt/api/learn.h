/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * State sync: while the own weir-dataplane says that it started on empty tables, its peers, the
 * nodes of the same site, are asked for what they know of slots, and the answer of one of them is
 * handed over (weir/guests.h).
 *
 * It runs in a thread of its own, which asks only the dataplane when all is well. A peer that is
 * itself waiting for state has none to give; if that is true of all of them, as when a site is
 * switched on, the dataplane gets an empty answer and stops waiting. An answer is used only if its
 * sender has the same head and overrides as this node: members that changed meanwhile come first.
 *
 * Implemented in mgmt/api/learn.c. The main thread starts and stops it; learn_tell() is for
 * handlers' threads.
 */
#ifndef WEIR_MGMT_API_LEARN_H
#define WEIR_MGMT_API_LEARN_H

#include <jansson.h>

#include "mgmt/api/core.h"

#define LEARN_EVERY_MS   500u              /**< between two questions to the own dataplane */
#define LEARN_TIMEOUT_MS 2000              /**< for a peer's answer */
#define LEARN_ANSWER_MAX ((size_t)4 << 20) /**< bytes */

/** Start the thread. @return 0 or -errno */
int learn_start(struct core *core);
/** End it; core->stopping is set. */
void learn_stop(struct core *core);

/** What this node's dataplane knows, for a peer: given; NULL when it does not answer. Not under the lock. */
json_t *learn_tell(struct core *core);

enum learn_word {
	LEARN_KNOWS,     /**< it told what it knows */
	LEARN_NOTHING,   /**< it is learning itself */
	LEARN_MALFORMED, /**< it is another node, or says nothing that makes sense */
};
/** What a peer's answer is worth. @param text  of one that knows, borrowed of @p answer */
enum learn_word learn_read(const json_t *answer, const char *node, const char *cluster,
                           const char **text);

#endif
