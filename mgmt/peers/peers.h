/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Peers: what the other nodes have in force, as far as the exchange (mgmt/peers/exchange.h) has heard.
 *
 * Implemented in mgmt/peers/peers.c; any thread, under the core's lock.
 */
#ifndef WEIR_MGMT_PEERS_PEERS_H
#define WEIR_MGMT_PEERS_PEERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "mgmt/core/core.h"
#include "mgmt/http/http.h"
#include "mgmt/overrides/guard.h"
#include "mgmt/store/origin.h"
#include "mgmt/store/store_conf.h"

#define PEERS_MAX      256u   /**< nodes, as in the schema */
#define PEERS_STALE_MS 10000u /**< after which what a peer has said does not count any more */

enum peers_state {
	PEERS_UNASKED,
	PEERS_AGREED,
	PEERS_BEHIND,
	PEERS_AHEAD,
	PEERS_DIFFERS,
	PEERS_UNREACHABLE
};

struct peers_report {
	char node[MODEL_NAME_MAX], site[MODEL_NAME_MAX];
	enum peers_state state,
	        logged;  /**< logged: as its last event, or else the last look, has it */
	uint64_t number; /**< of its version; 0: it has none */
	char digest[DIGEST_TEXT_MAX];
	char overrides[DIGEST_TEXT_MAX]; /**< a digest over all of its overrides */
	/** fingerprint of the key that its version was made with; "": it has no version */
	char version_key[MODEL_FINGERPRINT_MAX];
	char hash_key[MODEL_FINGERPRINT_MAX]; /**< fingerprint of its key file; "": not known */
	bool store_known;
	char store[STORE_ID_MAX]; /**< id of the store that its store.conf names; "": it has none */
	/** Of what its copy of the store is: epoch, nonce, etcd; "": not known, or its store does not work. */
	char store_origin[ORIGIN_TEXT_MAX];
	/** Monotonic: since when that is not what this node's copy is of; 0: it is, or is not known. */
	uint64_t apart_ms;
	/** Monotonic: when this was true, heard from it or from a node of its site; 0: never. */
	uint64_t answered_ms;
	/** Monotonic: since when it has been behind with this version; 0: it is not. */
	uint64_t behind_ms;
	bool clock_known;        /**< only of nodes that are asked themselves */
	int64_t clock_offset_ms; /**< its clock less our boot clock */
	int64_t clock_slack_ms;  /**< by how much that may be wrong: half of what the answer took */
	struct sign_rates signs; /**< of its last seconds */
	enum signs_clients clients; /**< of the version that is tried there */
	bool load_known;
	uint64_t bits;      /**< a second */
	uint64_t port_bits; /**< a second: of its ports; 0: not known */
	bool trouble_known;
	uint64_t troubles;                 /**< as struct judgements has them */
	char trouble[INFORCE_TROUBLE_MAX]; /**< why it is not well, as struct judgements has it */
	char drain[16]; /**< where it is, as node_drain_state(); "": it does not say */
	bool unasked;   /**< it has no api address, or we have no token: nothing is exchanged */
	bool refused;   /**< it does not accept our peer.token */
	char unreachable_reason[HTTP_TEXT_MAX]; /**< a sentence; "": it is reachable */
	struct inforce inforce;                 /**< what it says of its head */
};

/**
 * The version that is to be in force at a peer: this node's, but where one is tried at a place first (weir/canary.h), and one of
 * both is not of it. NULL: none is in force here. Under the lock; valid until a record is taken
 */
const struct version *peers_expected(const struct core *core, const struct peers_report *v);
/**
 * Relate the peers to what this node has in force now, and write events of peers that are reachable no more
 * or again. @return whether the state of one is another
 */
bool peers_relate(struct core *core);
/** The peers as last heard, at most PEERS_MAX. @return how many */
size_t peers_report(const struct core *core, const struct peers_report **out);
/** The report of @p node among @p n; NULL: there is none. Valid as they are. */
const struct peers_report *peers_find(const struct peers_report *reports, size_t n,
                                      const char *node);
/** Whether CONF/peer.token holds a token; true before it was looked for. */
bool peers_has_token(const struct core *core);
/** The store that it uses, if it was heard lately and says so: as above; NULL: not known. */
const char *peers_store(const struct peers_report *v, uint64_t now_ms);
/** Whether it is heard and takes its changes from elsewhere than a node whose copy is of @p ours ("": not known). */
bool peers_is_apart(const struct peers_report *v, const char *ours, uint64_t now_ms);
/** Whether it was heard lately and tells its clock: only who answers this node itself does. */
bool peers_hears_clock(const struct peers_report *v, uint64_t now_ms);
/** "agreed", "behind", "ahead", "differs", "unreachable", "unknown" */
const char *peers_state_text(enum peers_state state);
/** Bits a second from clients to each site that has nodes, as far as known: @return how many were written */
size_t peers_loads(struct core *core, struct guard_rate *out, size_t max);

/** Copy the api address of node @p name. @param m  may be NULL  @return false: it has none; @p out is "" then */
bool peers_copy_api(const struct model *m, const char *name, char out[256]);

#endif
