/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Requests to etcd's JSON gateway: each with its path and its body.
 *
 * etcd ignores fields that it does not know. A misspelt "compare" would make a transaction an
 * unconditional write, and no answer would show it. So all bodies are made here, from these
 * structs, and nowhere by hand. What etcd would refuse, or what would be cut, is refused before
 * anything is sent.
 *
 * Implemented in mgmt/etcd/request.c. Pure functions: any thread.
 * Each returns 0 and gives @p out (etcd_request_fini()); -EINVAL with a sentence in @p reason; or
 * -ENOMEM, with a sentence as well. On failure @p out is untouched.
 */
#ifndef WEIR_MGMT_ETCD_REQUEST_H
#define WEIR_MGMT_ETCD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/etcd/etcd.h"

struct etcd_request {
	const char *path; /**< "/v3/kv/txn" */
	char *body;       /**< JSON, with a NUL behind it */
	size_t n;         /**< its bytes */
};

/** Keys to read or to delete. */
struct etcd_range {
	struct etcd_bytes key; /**< 1 to ETCD_KEY_MAX bytes */
	bool prefix;           /**< all keys that begin with it, itself included */
	/** with a prefix: only keys behind this one, which begins with it; n 0: all. For the next page */
	struct etcd_bytes after;
	int64_t revision; /**< as of this one; 0: the newest */
	int64_t limit;    /**< most keys of an answer; 0: no limit */
	bool keys_only, count_only;
	bool newest_first; /**< by mod_revision, instead of by key; not with after */
};

/**
 * One condition of a transaction: that a key was last changed at this revision; 0: that it is not there. With a prefix: that
 * none of the keys that begin with it was changed after this revision; of keys that are gone nothing is known.
 */
struct etcd_compare {
	struct etcd_bytes key;
	int64_t mod_revision;
	bool prefix;
};

enum etcd_op_kind { ETCD_PUT, ETCD_DELETE, ETCD_RANGE, ETCD_N_OP_KINDS };

struct etcd_op {
	enum etcd_op_kind kind;
	/** the key; with ETCD_DELETE also prefix; with ETCD_RANGE all of it */
	struct etcd_range on;
	struct etcd_bytes value; /**< ETCD_PUT: 0 to ETCD_VALUE_MAX bytes */
	int64_t lease;           /**< ETCD_PUT: the key goes with this lease; 0: it stays */
};

/**
 * If all compares hold, the operations of success are done, else those of failure; all at one
 * revision. Each list has at most ETCD_OPS_MAX entries. No key is written twice in one list, and
 * none is written that a delete of the list covers: etcd would refuse it.
 */
struct etcd_txn {
	const struct etcd_compare *compares;
	size_t n_compares;
	const struct etcd_op *success, *failure;
	size_t n_success, n_failure;
};

void etcd_request_fini(struct etcd_request *r);

MUST_CHECK int etcd_request_range(const struct etcd_range *range, struct etcd_request *out,
                                  char reason[ETCD_REASON_MAX]);
MUST_CHECK int etcd_request_txn(const struct etcd_txn *txn, struct etcd_request *out,
                                char reason[ETCD_REASON_MAX]);
/**
 * Watch the key or prefix of @p range (its other fields are not used) from revision @p from >= 1 on,
 * with progress notifications.
 */
MUST_CHECK int etcd_request_watch(const struct etcd_range *range, int64_t from,
                                  struct etcd_request *out, char reason[ETCD_REASON_MAX]);
/** A new lease of @p ttl_s, 1 to ETCD_TTL_MAX_S, whose id etcd chooses. */
MUST_CHECK int etcd_request_grant(int64_t ttl_s, struct etcd_request *out,
                                  char reason[ETCD_REASON_MAX]);
MUST_CHECK int etcd_request_keepalive(int64_t lease, struct etcd_request *out,
                                      char reason[ETCD_REASON_MAX]);
MUST_CHECK int etcd_request_authenticate(const char *user, const char *password,
                                         struct etcd_request *out, char reason[ETCD_REASON_MAX]);
/** What one member says of itself. */
MUST_CHECK int etcd_request_status(struct etcd_request *out, char reason[ETCD_REASON_MAX]);
/** List the alarms of all members. */
MUST_CHECK int etcd_request_alarms(struct etcd_request *out, char reason[ETCD_REASON_MAX]);
MUST_CHECK int etcd_request_members(struct etcd_request *out, char reason[ETCD_REASON_MAX]);
/** Add a member by the URL at which others will reach it, as a learner, which has no vote. */
MUST_CHECK int etcd_request_member_add(const char *peer_url, struct etcd_request *out,
                                       char reason[ETCD_REASON_MAX]);
/** Give a learner its vote. */
MUST_CHECK int etcd_request_member_promote(uint64_t member_id, struct etcd_request *out,
                                           char reason[ETCD_REASON_MAX]);
MUST_CHECK int etcd_request_member_remove(uint64_t member_id, struct etcd_request *out,
                                          char reason[ETCD_REASON_MAX]);

/** Whether @p key is one of those that @p range asks for. */
bool etcd_range_has(const struct etcd_range *range, struct etcd_bytes key);
/** Whether one key is before, equal to, or behind another, as memcmp() says. */
int etcd_bytes_compare(struct etcd_bytes a, struct etcd_bytes b);

#endif
