/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Peers: the other nodes' heads, overrides and loads, asked for every two seconds.
 *
 * A thread asks the peers, and takes newer overrides from them. It pushes nothing: a poke only makes the
 * other side ask sooner. Versions come from the store that the nodes share (mgmt/api/shared_run.h).
 *
 * Implemented in mgmt/api/peers.c, the thread in mgmt/api/peers_round.c. The main thread starts and
 * stops it; the other functions are for any thread, under the core's lock.
 */
#ifndef WEIR_MGMT_API_PEERS_H
#define WEIR_MGMT_API_PEERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/api/core.h"
#include "mgmt/api/http.h"
#include "mgmt/store/guard.h"

#define PEERS_MAX      64u    /**< nodes; those beyond are not asked */
#define PEERS_EVERY_MS 2000u  /**< between two rounds */
#define PEERS_STALE_MS 10000u /**< after which a peer's load is not known any more */

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
	enum peers_state state;
	uint64_t number;
	char digest[DIGEST_TEXT_MAX];
	struct version head;                  /**< its record of that; number 0: it has none */
	char hash_key[MODEL_FINGERPRINT_MAX]; /**< fingerprint of its key file; "": not known */
	uint64_t answered_ms;                 /**< monotonic: when it last answered; 0: never */
	uint64_t round; /**< counts answers, so that one can wait for the next */
	/** Monotonic: since when it has been behind with this version; 0: it is not. */
	uint64_t behind_ms;
	bool clock_known;        /**< whether it tells its clock: earlier releases do not */
	int64_t clock_offset_ms; /**< its clock less our boot clock */
	int64_t clock_slack_ms;  /**< by how much that may be wrong: half of what the answer took */
	bool load_known;
	uint64_t bits;      /**< a second */
	uint64_t port_bits; /**< a second: of its ports; 0: not known */
	char drain[16];     /**< where it is, as node_drain_state(); "": it does not say */
	bool unasked;       /**< it has no api address, or we have no token: nothing is exchanged */
	bool refused;       /**< it does not accept our peer.token */
	char unreachable_reason[HTTP_TEXT_MAX]; /**< a sentence; "": it is reachable */
	struct inforce inforce;                 /**< what it says of its head */
};

/** Start the thread. @return 0 or -errno */
int peers_start(struct core *core) MUST_CHECK;
/** End it; core->stopping is set. */
void peers_stop(struct core *core);
/** Ask now, and make the peers ask us. Under the lock. */
void peers_poke(struct core *core, bool notify_others);
/** The peers as last seen, at most PEERS_MAX; under the lock. @return how many */
size_t peers_report(const struct core *core, const struct peers_report **out);
/** Whether CONF/peer.token holds a token; true before it was looked for. Under the lock. */
bool peers_has_token(const struct core *core);
/** "agreed", "behind", "ahead", "differs", "unreachable", "unknown" */
const char *peers_state_text(enum peers_state state);
/** Bits a second from clients to each site, as far as known: @return how many were written */
size_t peers_loads(struct core *core, struct guard_load *out, size_t max);

#endif
