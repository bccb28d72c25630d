/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The section "health" of the exchange: what the weir-health of each node sees of the services. What
 * peers say is kept in pages (weir/peer_page.h).
 *
 * The own document bounds what comes in: words of its services' targets are accepted, everything else
 * is ignored.
 *
 * Implemented in mgmt/peers/peer_health.c; called by the exchange's thread alone.
 */
#ifndef WEIR_MGMT_PEERS_PEER_HEALTH_H
#define WEIR_MGMT_PEERS_PEER_HEALTH_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/peers/exchange_words.h"
#include "weir/peer_page.h"

#define PEER_HEALTH_MALFORMED_MAX 16u /**< malformed words: with more the answer is refused */

struct page;

/** The document as this section needs it, zeroed at the start. */
struct health_section {
	uint64_t *targets; /**< of the services, each once */
	size_t n_targets;
	uint64_t document;
	uint64_t digest; /**< of the own words that peers got last */
};

/** Follow the document; under the core's lock. @return whether the targets are others: pages are to be written again */
bool peer_health_follow(struct health_section *h, struct core *core);
void peer_health_fini(struct health_section *h);
/**
 * Look at the own health page and put what it says into @p own, which the core's lock guards.
 * @return whether there are other words
 */
bool peer_health_look(struct health_section *h, struct core *core, struct exchange_word *own);

/** Make the page of @p node. @return 0 or -errno */
MUST_CHECK int peer_health_open(const char *run_dir, const char *node, struct page **out);
/** Remove it with its node: its last words must not count as current. NULL is fine. */
void peer_health_drop(const char *run_dir, const char *node, struct page *page);
/**
 * Write a peer's words into its page, with the time until which they are good; on failure the page stays.
 * @param body      {TARGET: WORD}, both as 16 hex digits; NULL: the words that are there
 * @param true_ms   monotonic
 * @return 0; -EINVAL: they are malformed; -ENOSPC or -ENOMEM: of this node
 */
MUST_CHECK int peer_health_write(const struct health_section *h, struct page *page,
                                 const json_t *body, uint64_t true_ms);

#endif
