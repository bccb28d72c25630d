/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * How much of the API's servers one source may have: connections, requests under way, handshakes,
 * failed logins.
 *
 * A source is an IPv4 address, an IPv6 /64, or a user of the UNIX socket. Pure; time is passed in.
 * One thread.
 *
 * Implemented in mgmt/http/limit.c; called by a server's own thread.
 */
#ifndef WEIR_MGMT_HTTP_LIMIT_H
#define WEIR_MGMT_HTTP_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "base/addr.h"
#include "base/hash.h"

#define HTTP_SOURCES_WAYS    8u   /**< sources in a bucket */
#define HTTP_SOURCES_BUCKETS 256u /**< 2,048 sources in all: several times the connections */

/** So much at once, then so much a second: a token bucket, full at the start. */
struct http_rate {
	uint32_t burst, a_second;
};
struct http_tokens {
	uint64_t used_milli; /**< of the burst, in thousandths; 0: it is full */
	uint64_t at_ms;
};

/** Take one token. @return whether there was one */
bool http_tokens_spend(struct http_tokens *t, struct http_rate rate, uint64_t now_ms);
/** Whether there is one; takes none. */
bool http_tokens_left(struct http_tokens *t, struct http_rate rate, uint64_t now_ms);

struct http_source {
	struct addr key;
	bool used;
	bool was_peer;    /**< it showed the peers' token since it is in the table */
	unsigned n_conns; /**< connections now */
	unsigned n_runs;  /**< requests under way now */
	struct http_tokens handshakes, failures, drops;
	uint64_t active_ms;
};

/** Zeroed but for the key: empty. */
struct http_sources {
	struct hash_key key; /**< random, so that nobody can choose who shares a bucket */
	struct http_source at[HTTP_SOURCES_BUCKETS][HTTP_SOURCES_WAYS];
};

/** The key of an address: itself, or the /64 of an IPv6 one. */
struct addr http_source_of(const struct addr *a);
/**
 * Find the source of @p key, or make it in place of the one without connections that was seen
 * longest ago.
 * @return NULL when all of its bucket have connections
 */
struct http_source *http_sources_find(struct http_sources *s, const struct addr *key,
                                      uint64_t now_ms);

/**
 * Bytes that requests and answers of all connections may hold together, and what of that
 * strangers may.
 */
struct http_budget {
	size_t all, strangers; /**< limits */
	size_t used, used_by_strangers;
};

/** Take @p n bytes. @return whether they were there */
bool http_budget_reserve(struct http_budget *b, bool stranger, size_t n) MUST_CHECK;
void http_budget_give(struct http_budget *b, bool stranger, size_t n);

#endif
