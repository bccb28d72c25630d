/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The exchange between nodes that announce the same addresses: "may I withdraw?", and who announces.
 *
 * A thread looks at the own announce page every ANNOUNCE_EXCHANGE_LOOK_MS. A question that it finds
 * there goes at once to all other nodes that the document makes announce the address, at any site.
 * What they confirm goes to the own weir-announce. Twice a second, and with each question, these
 * nodes also say what they announce; the own weir-announce gets the sum of it.
 *
 * Age. A question carries the clock of the node that sends it. Nothing of another node's clock is
 * used: what a peer says counts from the moment at which it was asked, and for
 * ANNOUNCE_EXCHANGE_GOOD_MS. A peer that is silent is unknown, and never a reason to withdraw.
 *
 * A peer proves with the peers' token that it belongs to the cluster, and its answer comes from its
 * api address over TLS. It speaks for the addresses alone that the own document makes it announce.
 *
 * Implemented in mgmt/api/announce_exchange.c; the answering side is mgmt/api/handle_peer_announce.c.
 * The main thread starts and stops it.
 */
#ifndef WEIR_MGMT_API_ANNOUNCE_EXCHANGE_H
#define WEIR_MGMT_API_ANNOUNCE_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/api/core.h"

#define ANNOUNCE_EXCHANGE_LOOK_MS    50u   /**< between two looks at the own page */
#define ANNOUNCE_EXCHANGE_EVERY_MS   500u  /**< between two rounds without a question */
#define ANNOUNCE_EXCHANGE_RETRY_MS   1000u /**< a peer that gave no answer is left alone so long */
#define ANNOUNCE_EXCHANGE_TIMEOUT_MS 800   /**< for a peer's answer: less than a question lives */
#define ANNOUNCE_EXCHANGE_GOOD_MS    2000u /**< so long what a peer said counts */
#define ANNOUNCE_EXCHANGE_SILENT_MS  3000u /**< tried for so long without any answer: silent */
#define ANNOUNCE_EXCHANGE_ANSWER_MAX ((size_t)1 << 20) /**< bytes: 4,096 addresses and answers */
#define ANNOUNCE_EXCHANGE_QUERIES    4u /**< of peers that the own weir-announce has at a time */

/** Start the thread. @return 0 or -errno */
int announce_exchange_start(struct core *core) MUST_CHECK;
/** End it; core->stopping is set. */
void announce_exchange_stop(struct core *core);

/**
 * A peer's questions have come: whether they may go to the own weir-announce now. To be followed by
 * announce_exchange_leave(). Under the lock.
 * @param peer  its place among the document's nodes
 */
bool announce_exchange_enter(struct core *core, size_t peer) MUST_CHECK;
/** The questions are answered. Under the lock. */
void announce_exchange_leave(struct core *core);

#endif
