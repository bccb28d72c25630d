/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The members of the store's etcd: listed, added, removed.
 *
 * A new member is a learner first: it gets all that the others have, and has no vote. One that is dead from the start
 * would otherwise count for the majority, and two members, one of them dead, decide nothing any more.
 *
 * Each function returns 0 and @p out; or -EINPROGRESS (it may be carried out; not of a list), or as the reads of mgmt/etcd/gateway.h;
 * etcd_gateway_reason() says why.
 *
 * Implemented in mgmt/setup/store_members.c. As mgmt/etcd/gateway.h says of threads.
 */
#ifndef WEIR_MGMT_SETUP_STORE_MEMBERS_H
#define WEIR_MGMT_SETUP_STORE_MEMBERS_H

#include "base/checked.h"
#include "mgmt/etcd/gateway.h"

MUST_CHECK int store_members_list(struct etcd_gateway *g, struct etcd_members *out);
/** Add a learner at @p peer_url; out->added is its id. */
MUST_CHECK int store_members_add(struct etcd_gateway *g, const char *peer_url,
                                 struct etcd_members *out);
/** Give a learner its vote. -EINVAL: it has not got all yet, or is no learner any more */
MUST_CHECK int store_members_promote(struct etcd_gateway *g, uint64_t id, struct etcd_members *out);
MUST_CHECK int store_members_remove(struct etcd_gateway *g, uint64_t id, struct etcd_members *out);

/** The member with this peer's URL; NULL: there is none. */
const struct etcd_member *store_members_find_peer(const struct etcd_members *l,
                                                  const char *peer_url);
/** The member with this name; NULL: there is none. */
const struct etcd_member *store_members_find_name(const struct etcd_members *l, const char *name);
/** How many have a vote. */
size_t store_members_voters(const struct etcd_members *l);

/**
 * Where members with a vote answer clients, by TLS alone: @p first before the others, unless it is "". @return how many
 */
uint32_t store_members_urls(const struct etcd_members *l, const char *first,
                            char out[ETCD_ENDPOINTS_MAX][ETCD_URL_MAX]);

#endif
