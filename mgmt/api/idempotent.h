/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Idempotency keys: a request with a key is carried out once
 * (draft-ietf-httpapi-idempotency-key-header).
 *
 * A key belongs to who was authenticated. Of requests with one key at a time the first is carried
 * out, the others wait and get its answer. A change keeps the key in its own transaction
 * (mgmt/store/store_record.c), or with what is staged where a store decides; so after a crash the same key finds what was
 * made.
 *
 * Implemented in mgmt/api/idempotent.c; called by the threads of handlers. both take the
 * core's lock.
 */
#ifndef WEIR_MGMT_API_IDEMPOTENT_H
#define WEIR_MGMT_API_IDEMPOTENT_H

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/http/http.h"

/**
 * Compute the digests of @p r; wait while another request has its key. @return whether @p reply
 * is filled already
 */
bool idempotent_begin(struct core *core, struct http_request *r,
                      struct http_reply *reply) MUST_CHECK;
/**
 * Store the answer and wake the requests that wait for it. To be called after each
 * idempotent_begin() that gave no answer.
 */
void idempotent_end(struct core *core, const struct http_request *r,
                    const struct http_reply *reply);

#endif
