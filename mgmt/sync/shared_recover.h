/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a person says of a store that is not what the nodes know: that it is right as it is (`weir store accept`), or that it is lost
 * and is to be made again from this node's copy (`weir store rebuild`). Both raise the store's epoch by one compare, and all
 * nodes follow (mgmt/store/origin.h).
 *
 * Implemented in mgmt/sync/shared_recover.c. By threads of handlers, not under the core's lock.
 */
#ifndef WEIR_MGMT_SYNC_SHARED_RECOVER_H
#define WEIR_MGMT_SYNC_SHARED_RECOVER_H

#include "mgmt/core/core.h"
#include "mgmt/http/http.h"
#include "record/fields.h"

struct recover_request {
	const struct http_request *request; /**< its If-Match may have the etag of a dry run */
	const char *author, *reason;
	bool dry_run;
};

/**
 * Say that the store is right as it is. @p reply lists what this node has and the store has not; it is filled in any case
 */
void shared_recover_accept(struct core *core, const struct recover_request *q,
                           struct http_reply *reply);
/** Make the store, which is empty, from this node's copy. @p reply lists copies of other nodes; it is filled in any case */
void shared_recover_rebuild(struct core *core, const struct recover_request *q,
                            struct http_reply *reply);
/**
 * The answer to another node that asks for this one's copy (`store`). Under the lock.
 * @param after  versions with higher numbers are listed
 * @return given
 */
json_t *shared_recover_peer_json(const struct core *core, uint64_t after);
/** What the first two answer. */
extern const struct record_kind recovery_answer_kind;

#endif
