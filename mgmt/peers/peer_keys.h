/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Observed keys between nodes: what a peer answers to the query `keys`.
 *
 *   age_ms      null: weir-dns does not run there, or is silent; then nothing else is said
 *   covered_s   of the window of 600 s
 *   keys        [[KEY, name, queries]], most queries first; KEY in 16 hexadecimal digits
 *   names       [[name, queries, others, longest_ttl_s, cached_ms]]: how long answers that were
 *               given stay in caches
 *   answers     [[SERVICE, SITE, answers]], identities in hexadecimal digits
 *
 * An answer is taken whole or refused. It is bounded as the page is (weir/steer_keys.h), and nothing
 * of the peer's clock is used: what it says counts from when it was asked.
 *
 * Implemented in mgmt/peers/peer_keys.c; any thread, not under the lock.
 */
#ifndef WEIR_MGMT_PEERS_PEER_KEYS_H
#define WEIR_MGMT_PEERS_PEER_KEYS_H

#include <jansson.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/steer_keys.h"

/** Bytes of an answer: all rows with their longest numbers, and as much again. */
#define PEER_KEYS_ANSWER_MAX ((size_t)4 << 20)
/** A TTL above a week is none of ours. */
#define PEER_KEYS_TTL_MAX_S 604800u

/**
 * What this node observed, for its peers: given; NULL: out of memory.
 * @param keys  NULL: they are not known
 */
MUST_CHECK json_t *peer_keys_make(const struct steer_keys *keys, uint64_t now_ms);
/**
 * Read a peer's answer. One whose weir-dns observes nothing, or is silent, says nothing.
 * @param queried_ms  monotonic: when it was asked
 * @param out         given; times are this node's
 * @return 0; -EINVAL, with @p out untouched
 */
int peer_keys_read(const json_t *answer, uint64_t queried_ms, struct steer_keys **out) MUST_CHECK
        NONNULL(3);

#endif
