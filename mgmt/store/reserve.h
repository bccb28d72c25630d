/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A reservation: the promise of a node to let one other node make the next version.
 *
 * A pure module: time is passed in, on the boot clock. The node that applies a change reserves the
 * head at every node that it reaches, makes the version while its reservations are younger than
 * RESERVE_FRESH_MS, and hands the version over. A node keeps a reservation until it has a successor
 * of that head, or for RESERVE_KEPT_MS. So a reservation that is still fresh at the node that asked
 * is still kept at the node that gave it.
 *
 * Implemented in mgmt/store/reserve.c. One thread at a time (under weir-mgmt's lock).
 */
#ifndef WEIR_MGMT_STORE_RESERVE_H
#define WEIR_MGMT_STORE_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "mgmt/store/intent.h"

#define RESERVE_KEPT_MS  10000u /**< longer than fresh: one that is fresh is still kept */
#define RESERVE_FRESH_MS 5000u  /**< the version must be made within this time */

/** A reservation that was given; no node: there is none. */
struct reservation {
	char node[MODEL_NAME_MAX]; /**< who may make the next version */
	uint64_t number;           /**< of that version */
	uint64_t since_ms;
};

enum reserve_outcome {
	RESERVE_GRANTED,
	RESERVE_HELD,  /**< another node has it */
	RESERVE_STALE, /**< here is another successor of that head, or an unrelated head */
};

/**
 * Reserve the head for version @p number of @p node.
 *
 * @param r         the reservation of this node; replaced where one is granted
 * @param relation  of that version's parent to the head of this node, as intent_relate() has it
 * @param named     whether the head of this node is to be overridden by name
 */
enum reserve_outcome reserve_request(struct reservation *r, const char *node, uint64_t number,
                                     enum intent_relation relation, bool named, uint64_t now_ms);
/** End the reservation of @p node. */
void reserve_release(struct reservation *r, const char *node);
/** End a reservation whose head has a successor in @p head. */
void reserve_follow(struct reservation *r, const struct version *head);
/** The node that has the reservation; NULL: none. */
const char *reserve_holder(const struct reservation *r, uint64_t now_ms);
/**
 * Whether a version may be made by reservations of which the oldest was asked for at @p
 * requested_ms.
 */
bool reserve_is_fresh(uint64_t requested_ms, uint64_t now_ms);

#endif
