/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The addresses that this node announces, and which other nodes announce them as well, at any site:
 * by the document alone.
 *
 * A peer here is one of a list of nodes that the caller chooses, at most PEERS_MAX; sets of peers
 * are bits in the order of that list.
 *
 * Implemented in mgmt/api/announce_shared.c. Pure functions: any thread.
 */
#ifndef WEIR_MGMT_API_ANNOUNCE_SHARED_H
#define WEIR_MGMT_API_ANNOUNCE_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"

struct model;
struct model_node;

/** An address of this node. The caller keeps what the peers say beside what the document says. */
struct announce_shared {
	struct addr address;
	uint64_t peers;      /**< bits: these announce it as well, by the document */
	uint64_t announced;  /**< bits, the caller's: these say that they announce it */
	uint64_t unsure;     /**< bits, the caller's: these cannot say whether they do */
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
 * @param peers  [n_peers], at most 64
 * @param out    from malloc(), given; NULL when there are none
 * @return 0 or -ENOMEM
 */
MUST_CHECK int announce_shared_list(const struct model *m, const struct model_node *const *peers,
                                    size_t n_peers, struct announce_shared **out, size_t *n);
/** The row of @p address in the sorted @p list, or NULL. */
struct announce_shared *announce_shared_find(struct announce_shared *list, size_t n,
                                             const struct addr *address);

#endif
