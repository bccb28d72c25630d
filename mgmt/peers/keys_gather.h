/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The keys that all nodes observed, gathered for a projection (mgmt/operations/projection.h), and how
 * many answers a second name a site.
 *
 * Nodes are asked on demand, several at once, and no more often than each KEYS_GATHER_EVERY_MS: while
 * no operation runs, nobody asks. What a node said counts for KEYS_GATHER_GOOD_MS; keys of ten
 * minutes do not change in one.
 *
 * Implemented in mgmt/peers/keys_gather.c. A struct keys_gather belongs to one thread, which does not
 * have the core's lock.
 */
#ifndef WEIR_MGMT_PEERS_KEYS_GATHER_H
#define WEIR_MGMT_PEERS_KEYS_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/http/client.h"
#include "mgmt/operations/projection.h"

#define KEYS_GATHER_EVERY_MS 5000u /**< between two questions to one node */
/** The same after two without an answer: one that is away must not slow the owner's rounds. */
#define KEYS_GATHER_RETRY_MS   30000u
#define KEYS_GATHER_GOOD_MS    60000u /**< so long what it said counts */
#define KEYS_GATHER_TIMEOUT_MS 500    /**< for a peer's answer */
/** Rates need two copies at least so far apart. */
#define KEYS_GATHER_RATE_MS 1000u

struct keys_gather;

/** Know of no node. */
MUST_CHECK struct keys_gather *keys_gather_new(void);
/** NULL is fine. */
void keys_gather_free(struct keys_gather *g);
/**
 * Bring the copies up to date: the own page each time, each peer of @p m that serves DNS when it is
 * due. Waits for peers.
 * @param client  the thread's; NULL: no peer is asked
 */
void keys_gather_refresh(struct keys_gather *g, struct core *core, struct peer_client *client,
                         const struct model *m) NONNULL(1, 2, 4);
/** Whether what @p node observed counts now: if not, a projection lacks its clients. */
bool keys_gather_is_heard(const struct keys_gather *g, const char *node) NONNULL();
/**
 * A projector of @p m with all copies that count, and the key by which weir-dns places clients.
 * @param out  given; projector_free()
 * @return 0; -ENOENT: that key is not known here; or -errno
 */
int keys_gather_projector(const struct keys_gather *g, const struct core *core,
                          const struct model *m, struct projector **out) MUST_CHECK NONNULL();
/**
 * Answers of @p node that named @p site for @p service (names), in thousandths a second.
 * @return false: it is not known; @p milli untouched then
 */
bool keys_gather_rate(const struct keys_gather *g, const char *node, const char *service,
                      const char *site, uint64_t *milli) MUST_CHECK NONNULL();

#endif
