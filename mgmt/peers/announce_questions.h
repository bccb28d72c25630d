/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Between nodes that announce the same addresses: "may I withdraw?", and who else announces.
 *
 * A thread looks at the own announce page every ANNOUNCE_QUESTIONS_LOOK_MS. A question that it finds
 * there goes at once to all other nodes that the document makes announce the address, at any site.
 * What they confirm goes to the own weir-announce. Twice a second that one also gets the sum of what
 * the exchange (mgmt/peers/exchange.h) has heard: which other nodes announce each address.
 *
 * Age. A question carries the clock of the node that sends it. Nothing of another node's clock is
 * used. A peer that is silent is unknown, and never a reason to withdraw.
 *
 * A peer proves with the peers' token that it belongs to the cluster, and its answer to a question comes from
 * its api address over TLS; what it announces may have been passed on by a node of its site. It speaks for the
 * addresses alone that the own document makes it announce.
 *
 * Implemented in mgmt/peers/announce_questions.c; the answering side is
 * mgmt/api/handle_announce_questions.c. The main thread starts and stops it.
 */
#ifndef WEIR_MGMT_PEERS_ANNOUNCE_QUESTIONS_H
#define WEIR_MGMT_PEERS_ANNOUNCE_QUESTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/core/core.h"

#define ANNOUNCE_QUESTIONS_LOOK_MS    50u   /**< between two looks at the own page */
#define ANNOUNCE_QUESTIONS_IDLE_MS    1000u /**< the same while no node shares an address */
#define ANNOUNCE_QUESTIONS_EVERY_MS   500u /**< the own weir-announce gets who announces so often */
#define ANNOUNCE_QUESTIONS_RETRY_MS   1000u /**< a peer that gave no answer is left alone so long */
#define ANNOUNCE_QUESTIONS_TIMEOUT_MS 800   /**< for a peer's answer: less than a question lives */
#define ANNOUNCE_QUESTIONS_GOOD_MS    2000u /**< so long a question lives */
#define ANNOUNCE_QUESTIONS_ANSWER_MAX ((size_t)1 << 18) /**< bytes: 4,096 answers */
#define ANNOUNCE_QUESTIONS_AT_ONCE    4u /**< of peers that the own weir-announce has at a time */

/** Start the thread. @return 0 or -errno */
int announce_questions_start(struct core *core) MUST_CHECK;
/** End it; core->stopping is set. */
void announce_questions_stop(struct core *core);

/**
 * A peer's questions have come: whether they may go to the own weir-announce now. To be followed by
 * announce_questions_leave(). Under the lock.
 * @param peer  its place among the document's nodes
 */
bool announce_questions_enter(struct core *core, size_t peer) MUST_CHECK;
/** The questions are answered. Under the lock. */
void announce_questions_leave(struct core *core);

#endif
