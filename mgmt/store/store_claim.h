/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Which store is below a prefix of etcd: the record "store" says its id, from its first moment on. One compare decides
 * who makes it, so two that begin a store at the same prefix do not both succeed.
 *
 * Implemented in mgmt/store/store_claim.c. One thread at a time.
 */
#ifndef WEIR_MGMT_STORE_STORE_CLAIM_H
#define WEIR_MGMT_STORE_STORE_CLAIM_H

#include "base/checked.h"
#include "mgmt/store/shared_etcd.h"
#include "mgmt/store/store_conf.h"

#define STORE_CLAIM_RECORD "store" /**< its name below the prefix */

/**
 * Find the store below @p prefix.
 * @param id         out: "": the store's record is not there
 * @param n_records  out: all that is below the prefix
 * @return 0; -EBADMSG: what is there is not Weir's; or as the reads of mgmt/etcd/gateway.h; each with a reason
 */
MUST_CHECK int store_claim_find(const struct etcd_settings *settings, const char *prefix,
                                char id[STORE_ID_MAX], size_t *n_records,
                                char reason[ETCD_REASON_MAX]);
/** The id of the store whose records are @p l; "": it has none. @return 0; -EBADMSG: the record is not Weir's */
MUST_CHECK int store_claim_of(const struct shared_records *l, char id[STORE_ID_MAX]);
/**
 * Begin the store @p id below @p prefix, which has nothing.
 * @return 0; -EEXIST: a store is there; -EINPROGRESS: it is not known whether it was begun; or -errno; each with a reason
 */
MUST_CHECK int store_claim_make(const struct etcd_settings *settings, const char *prefix,
                                const char *id, char reason[ETCD_REASON_MAX]);
/** Write a new random id. @return 0 or -errno */
MUST_CHECK int store_claim_new_id(char id[STORE_ID_MAX]);

#endif
