/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Which store is below a prefix of etcd: the record "store" says its id, from its first moment on. One compare decides
 * who makes it, so two that begin a store at the same prefix do not both succeed.
 *
 * The record also has the store's epoch. It rises whenever a person says that the store is right though nodes know more
 * than it has: it went back to a backup (`weir store accept`), or was lost and is made from a node's copy (`weir store
 * rebuild`). Nodes follow a higher epoch and refuse a lower one (mgmt/store/origin.h).
 *
 * Implemented in mgmt/store/store_claim.c. One thread at a time.
 */
#ifndef WEIR_MGMT_STORE_STORE_CLAIM_H
#define WEIR_MGMT_STORE_STORE_CLAIM_H

#include "base/checked.h"
#include "mgmt/store/origin.h"
#include "mgmt/store/shared_etcd.h"
#include "mgmt/store/store.h"
#include "mgmt/store/store_conf.h"

#define STORE_CLAIM_RECORD "store" /**< its name below the prefix */

/** How the store came to its epoch. */
enum store_claim_how { STORE_CLAIM_BEGUN, STORE_CLAIM_ACCEPTED, STORE_CLAIM_REBUILT };

/** The record. */
struct store_claim {
	char id[STORE_ID_MAX];
	uint64_t epoch;               /**< from 1 */
	char nonce[ORIGIN_NONCE_MAX]; /**< of this epoch */
	bool unfinished; /**< what it is to have is not there yet: no node takes anything from it */
	enum store_claim_how how;
	/** where, by whom and why the epoch began; "" where the store was begun */
	char node[MODEL_NAME_MAX], author[VERSION_AUTHOR_MAX], reason[VERSION_REASON_MAX];
	char principal[PRINCIPAL_MAX];
	int64_t time_ms;
};
extern const struct record_kind store_claim_record;

/**
 * Find the store below @p prefix.
 * @param out        the store's record, all empty: it is not there
 * @param n_records  out: all that is below the prefix; may be NULL
 * @return 0; -EBADMSG: what is there is not Weir's; or as the reads of mgmt/etcd/gateway.h; each with a reason
 */
MUST_CHECK int store_claim_look(const struct etcd_settings *settings, const char *prefix,
                                struct store_claim *out, size_t *n_records,
                                char reason[ETCD_REASON_MAX]);
/**
 * Read the store's record among @p l. @param out  all empty: it is not there
 * @param revision  out: of its last change, 0: it is not there; may be NULL
 * @return 0; -EBADMSG: the record is not Weir's
 */
MUST_CHECK int store_claim_read(const struct shared_records *l, struct store_claim *out,
                                int64_t *revision);
/**
 * Begin the store @p id below @p prefix, which has nothing, with epoch 1.
 * @param is_again  the id is one that nodes have copies of: nothing is taken from the store, or written into it, before
 *                  `weir store rebuild` has put a copy into it
 * @return 0; -EEXIST: a store is there; -EINPROGRESS: it is not known whether it was begun; or -errno; each with a reason
 */
MUST_CHECK int store_claim_make(const struct etcd_settings *settings, const char *prefix,
                                const char *id, bool is_again, char reason[ETCD_REASON_MAX]);
/** Write a new random id. @return 0 or -errno */
MUST_CHECK int store_claim_new_id(char id[STORE_ID_MAX]);
/** Write a new random nonce. @return 0 or -errno */
MUST_CHECK int store_claim_new_nonce(char nonce[ORIGIN_NONCE_MAX]);

#endif
