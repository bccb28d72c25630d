/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Peer health: what the weir-health of each peer sees, asked once a second and kept in pages
 * (weir/peer_page.h).
 *
 * It runs in a thread of its own, so that fetching a version from a peer does not delay it. While
 * something of the own health page is in motion, the peers are asked four times a second. A peer
 * that does not answer is left alone for a while, so that it does not hold up the others. The own
 * document bounds what comes in: words of its services' targets are accepted, everything else is
 * ignored.
 *
 * Implemented in mgmt/api/health_exchange.c. The main thread starts and stops it; health_exchange_to_json()
 * is for handlers' threads, health_exchange_accept() is pure but for the page.
 */
#ifndef WEIR_MGMT_API_HEALTH_EXCHANGE_H
#define WEIR_MGMT_API_HEALTH_EXCHANGE_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/api/core.h"
#include "weir/peer_page.h"

#define HEALTH_EXCHANGE_EVERY_MS      1000u  /**< between two rounds */
#define HEALTH_EXCHANGE_FAST_MS       250u   /**< the same while something is in motion */
#define HEALTH_EXCHANGE_MOTION_MS     10000u /**< so long after a change they are asked fast */
#define HEALTH_EXCHANGE_RETRY_MS      2000u  /**< after no answer */
#define HEALTH_EXCHANGE_TIMEOUT_MS    1000   /**< for a peer's answer */
#define HEALTH_EXCHANGE_ANSWER_MAX    ((size_t)4 << 20) /**< bytes */
#define HEALTH_EXCHANGE_MALFORMED_MAX 16u /**< malformed words: with more the answer is refused */

/** Start the thread. @return 0 or -errno */
int health_exchange_start(struct core *core) MUST_CHECK;
/** End it; core->stopping is set. */
void health_exchange_stop(struct core *core);

/** What this node sees of the services, for its peers: given. Not under the lock. */
json_t *health_exchange_to_json(struct core *core);
/**
 * Write the words of a peer into its page, with the time until which they are good; on failure the
 * page stays.
 * @param node, cluster  who it must be; an answer of another is refused
 * @param targets        of the own document's services, each once
 * @param queried_ms     monotonic: when it was asked
 * @return 0, or -EINVAL with @p reason
 */
int health_exchange_accept(struct peer_page *page, const json_t *answer, const char *node,
                           const char *cluster, const uint64_t *targets, size_t n,
                           uint64_t queried_ms, const char **reason) MUST_CHECK;

#endif
