/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What all of mgmt/etcd/ shares: limits, and the values that requests and answers are made of.
 *
 * The folder is a client of etcd's v3 JSON gateway (etcd 3.4 and later, "/v3/..."). It knows
 * nothing of what Weir keeps there. Layers, each using only those before it: base64; request (all
 * bodies) and answer (all readers), both without I/O; stream (a watch's bytes) and attempts (what
 * the tries of a write add up to), without I/O, too; transfer (one request by libcurl); gateway
 * (several members); watch.
 *
 * Types and inline functions only.
 */
#ifndef WEIR_MGMT_ETCD_ETCD_H
#define WEIR_MGMT_ETCD_ETCD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ETCD_KEY_MAX    512u                  /**< bytes of a key */
#define ETCD_VALUE_MAX  ((size_t)1 << 20)     /**< bytes of a value */
#define ETCD_OPS_MAX    128u                  /**< etcd's own default: compares, operations */
#define ETCD_TXN_MAX    ((size_t)1408 * 1024) /**< bytes of keys and values; etcd's: 1.5 MiB in all */
#define ETCD_ANSWER_MAX ((size_t)8 << 20) /**< bytes of one answer, and of one line of a watch */
#define ETCD_REASON_MAX 256u              /**< bytes of a sentence with its NUL */
#define ETCD_TTL_MAX_S  86400             /**< of a lease */

/** Bytes of a key or a value; borrowed. Those of an answer have a NUL behind them, not counted. */
struct etcd_bytes {
	const char *at;
	size_t n;
};

/** A text as bytes, without its NUL. */
static inline struct etcd_bytes etcd_text(const char *text)
{
	return (struct etcd_bytes){ text, strlen(text) };
}

/** Who answered, and at which revision of the store. */
struct etcd_header {
	uint64_t cluster_id, member_id;
	int64_t revision; /**< 0: the answer has none (members) */
};

/** A key with its value. */
struct etcd_kv {
	struct etcd_bytes key, value;
	int64_t create_revision, mod_revision;
	int64_t version; /**< rises by one with each put since the key was made; 0: a deletion */
	int64_t lease;   /**< 0: none */
};

#endif
