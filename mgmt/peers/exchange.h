/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The exchange between nodes: each node asks all nodes of its own site, and three of each other site,
 * which pass on what they heard from the nodes of theirs.
 *
 * One thread asks all peers, over connections that stay open. An answer is held until there is news,
 * for a while at most. What is said is in sections (mgmt/peers/exchange_words.h): the head goes to
 * the peers' reports, health into pages. Other threads put queries in the same request
 * (mgmt/peers/peer_query.h), over connections of their own: those are never held.
 *
 * Implemented in mgmt/peers/exchange.c (the asking side) and mgmt/api/handle_exchange.c (the answers).
 * The main thread starts and stops it.
 */
#ifndef WEIR_MGMT_PEERS_EXCHANGE_H
#define WEIR_MGMT_PEERS_EXCHANGE_H

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/peers/exchange_words.h"
#include "mgmt/http/http.h"

#define EXCHANGE_WAIT_MS 2000u /**< an answer to a node of the own site is held so long at most */
#define EXCHANGE_SITE_WAIT_MS                                                                      \
	1250u /**< the same to a node of another site: its words are older already */
#define EXCHANGE_WAIT_MAX_MS 5000u /**< the longest that an asking node may wish */
#define EXCHANGE_LOOK_MS     250u  /**< between two looks at what this node says */
#define EXCHANGE_SILENT_MS                                                                         \
	6000u /**< without any word: as long as a question may wait for its answer */
#define EXCHANGE_FAILING_MS 3000u /**< since its first question that failed */

/** What held answers wait for: news of the answering node, or of any node of its site. */
enum exchange_bell { EXCHANGE_OWN_NEWS, EXCHANGE_SITE_NEWS };

/** What a node said. */
struct exchange_heard {
	const struct exchange_word *announced, *arrivals; /**< good under the lock; NULL: nothing */
	/**
	 * It gives no answer of any kind, and there was no word of it for EXCHANGE_SILENT_MS; or it is not asked, and nodes of
	 * its site are heard that say nothing of it.
	 */
	bool is_silent;
};
/** Under the lock. */
struct exchange_heard exchange_hear(const struct core *core, const char *node);
/**
 * A question to @p node for what it says now of @p section, whole, and what else is new; from malloc().
 * Under the lock. NULL: it is no peer, or memory is short.
 */
char *exchange_question_now(const struct core *core, const char *node,
                            enum exchange_section section);

/** Start the thread. @return 0 or -errno */
int exchange_start(struct core *core) MUST_CHECK;
/** End it; core->stopping is set. */
void exchange_stop(struct core *core);

#endif
