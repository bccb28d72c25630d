/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The sections "head" and "load" of the exchange: what this node has in force and carries, and what
 * its peers say of that.
 *
 * Implemented in mgmt/peers/peers_head.c; all under the core's lock, peers_overrides_merge() apart.
 */
#ifndef WEIR_MGMT_PEERS_PEERS_HEAD_H
#define WEIR_MGMT_PEERS_PEERS_HEAD_H

#include "mgmt/peers/peers.h"

/**
 * {version, digest, version_key, overrides, hash_key, store?, store_origin?, drain, in_force, commands?}: given. Commands that the
 * store has not go with the head itself.
 */
json_t *peers_head_to_json(struct core *core);
/** {bits_per_s, port_bits_per_s, signs: [ppm or null] (mgmt/core/signs.h), clients}: given. */
json_t *peers_load_to_json(struct core *core);
/** Read a peer's head into its report. @return false: it is malformed, and the report stays */
bool peers_head_read(struct peers_report *report, const json_t *head);
/** Take the commands that @p node's head carries. @return whether one of them was new here */
bool peers_head_receive(struct core *core, const char *node, const json_t *head);
/** Read a peer's load into its report; a malformed one is not known. */
void peers_load_read(struct peers_report *report, const json_t *load);
/**
 * Read a peer's clock, which it looked at between the two times, into its report; a malformed one is
 * not known.
 */
void peers_clock_read(struct peers_report *report, const json_t *ms, uint64_t from_ms,
                      uint64_t to_ms);
/** Take the overrides of @p node's answer to the query `overrides` that are newer than this node's. Not under the lock. */
void peers_overrides_merge(struct core *core, const char *node, const json_t *answer);

#endif
