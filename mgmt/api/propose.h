/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Proposing a version to the peers, so that of two changes made at two nodes at the same time one
 * wins and the other is refused.
 *
 * 1. Reserve: the head is reserved first at the reachable node whose name sorts first (which may
 * be this one), then at the others.
 *
 * 2. Make: the version is written. No client knows of it yet: it is *untold*.
 *
 * 3. Hand over: the peers get the version in the same order. If one of them has another successor
 * of the same parent, an untold version gives way (mgmt/store/yield.h). Then the client is
 * answered.
 *
 * A peer that cannot be reached, and one of the former release (it answers 404), is named in the
 * answer and blocks nothing. If a network cut separates the peers that took a version from those
 * with another one, the version stays: the heads have diverged, and a person picks one.
 *
 * Implemented in mgmt/api/propose.c and propose_json.c; called by the threads of handlers, propose_resume() by the
 * peers' thread.
 */
#ifndef WEIR_MGMT_API_PROPOSE_H
#define WEIR_MGMT_API_PROPOSE_H

#include <stdbool.h>

#include "base/checked.h"
#include "mgmt/api/core.h"
#include "mgmt/api/http.h"
#include "mgmt/api/peers.h"
#include "mgmt/store/reserve.h"

/** What a node says to a proposal. */
enum propose_answer {
	PROPOSE_UNASKED,
	PROPOSE_GRANTED,  /**< it keeps the head for us */
	PROPOSE_RESERVED, /**< another node has reserved it */
	PROPOSE_STALE,    /**< it has another successor */
	PROPOSE_UNTOLD,   /**< it has one that it told nobody of yet */
	PROPOSE_ACCEPTED, /**< it has our version */
	PROPOSE_BEHIND,   /**< it must fetch what is before it first, and does */
	PROPOSE_REFUSED,  /**< it cannot take our version: see reason */
	PROPOSE_ABSENT,   /**< it cannot be asked: see reason */
};

struct propose_node {
	char name[MODEL_NAME_MAX], api[256];
	bool self;
	bool last_silent; /**< it did not answer a moment ago: it is asked together with the others */
	bool retried;     /**< the version was handed over twice */
	enum propose_answer answer;
	char holder[MODEL_NAME_MAX]; /**< who has the reservation; "": nobody said */
	char reason[HTTP_TEXT_MAX];  /**< PROPOSE_REFUSED, PROPOSE_ABSENT: why; else "" */
};

/** A proposal under way. Sorted by name. */
struct proposal {
	struct propose_node nodes[PEERS_MAX + 1];
	size_t n_nodes;         /**< 1: there are no peers to ask */
	struct version version; /**< as it is to be */
	struct version parent;
	bool has_parent;
	uint64_t begun_ms; /**< when the nodes were asked first */
};

/**
 * Reserve the head for version @p v. Under the lock, which is given up meanwhile; the caller holds
 * core->candidate_lock.
 * @return whether the version may be made now; else @p reply is 412
 */
bool propose_reserve(struct core *core, const struct version *v, struct proposal *p,
                     struct http_reply *reply) MUST_CHECK;
/** Give the reservations back: no version was made. As propose_reserve(). */
void propose_release(struct core *core, struct proposal *p);
/**
 * Hand the head, which was made by this proposal, to the peers. As propose_reserve().
 * @return whether it stays; else it gave way, and @p reply is 412
 */
bool propose_push(struct core *core, struct proposal *p, struct http_reply *reply) MUST_CHECK;
/**
 * Reserve this node's head for version @p v of @p node, made from @p parent (NULL: from nothing).
 * Under the lock.
 */
enum reserve_outcome propose_grant(struct core *core, const char *node,
                                   const struct version *parent, const struct version *v);
/** Add to an answer the nodes that could not be asked ("unreserved"), or refused ("not_taken"). */
void propose_add_unreserved(const struct proposal *p, json_t *answer);
/**
 * Hand to the peers what no request does: an untold head of an earlier run, as propose_push() does;
 * and, once, an automatic rollback that this node made. A peer whose version has a wrong address of
 * this node cannot fetch it. While there is a candidate, nothing is done: it is to be called again
 * and again. Not under the lock.
 */
void propose_resume(struct core *core);

#endif
