/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The addresses that this node announces, and which other nodes announce them as well, at any site:
 * by the document alone.
 *
 * A peer here is one of a list of nodes that the caller chooses, at most ANNOUNCE_PEERS_MAX.
 *
 * Implemented in mgmt/peers/announce_shared.c. Pure functions: any thread.
 */
#ifndef WEIR_MGMT_PEERS_ANNOUNCE_SHARED_H
#define WEIR_MGMT_PEERS_ANNOUNCE_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"

struct model;
struct model_node;

#define ANNOUNCE_PEERS_MAX 256u /**< nodes, as in the schema */

/** A set of peers, one bit each in the order of the list. */
struct announce_peers {
	uint64_t bits[ANNOUNCE_PEERS_MAX / 64];
};

static inline bool announce_peers_have(const struct announce_peers *s, size_t peer)
{
	return s->bits[peer / 64] >> peer % 64 & 1;
}

static inline void announce_peers_set(struct announce_peers *s, size_t peer, bool on)
{
	s->bits[peer / 64] &= ~((uint64_t)1 << peer % 64);
	s->bits[peer / 64] |= (uint64_t)on << peer % 64;
}

/** Whether a peer is in both. */
static inline bool announce_peers_meet(const struct announce_peers *a,
                                       const struct announce_peers *b)
{
	uint64_t both = 0;

	for (size_t i = 0; i < ANNOUNCE_PEERS_MAX / 64; i++)
		both |= a->bits[i] & b->bits[i];
	return both != 0;
}

/** An address of this node. The caller keeps what the peers say beside what the document says. */
struct announce_shared {
	struct addr address;             /**< first: sorted by it */
	struct announce_peers peers;     /**< these announce it as well, by the document */
	bool is_shared;                  /**< there is one */
	struct announce_peers announced; /**< the caller's: these say that they announce it */
	struct announce_peers unsure;    /**< the caller's: these cannot say whether they do */
	uint64_t carried_ms; /**< the caller's: of the question that was carried last; 0: none */
};

/**
 * The other nodes that have an API of at most @p api_max bytes with NUL and share an address with
 * this one, in the document's order.
 * @param out  [n_max], borrows from @p m
 * @return how many
 */
size_t announce_shared_peers(const struct model *m, size_t api_max, const struct model_node **out,
                             size_t n_max);
/**
 * List this node's addresses, sorted, each once; none without a routing daemon.
 * @param peers  [n_peers], at most ANNOUNCE_PEERS_MAX
 * @param out    from malloc(), given; NULL when there are none
 * @return 0 or -ENOMEM
 */
MUST_CHECK int announce_shared_list(const struct model *m, const struct model_node *const *peers,
                                    size_t n_peers, struct announce_shared **out, size_t *n);
/** The row of @p address in the sorted @p list, or NULL. */
struct announce_shared *announce_shared_find(struct announce_shared *list, size_t n,
                                             const struct addr *address);

#endif
