/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What of a request goes into the audit log (mgmt/audit/log.h), and whether a change may go on without it.
 *
 * On record is each request that changes something and was carried out, and each that was refused or failed: by right, by a
 * guard, as stale, as invalid. Dry runs that are not refused, and reads, are not.
 *
 * Implemented in mgmt/api/audit_request.c. audit_request_refused() is called by a server's own thread and does not wait; the others by
 * the threads of handlers.
 */
#ifndef WEIR_MGMT_API_AUDIT_REQUEST_H
#define WEIR_MGMT_API_AUDIT_REQUEST_H

#include "base/checked.h"
#include "mgmt/api/route.h"

struct audit_line;

/**
 * Whether a change of @p route may be carried out: its line will find room. What makes a version is refused otherwise; what who is on
 * call may do never is (overrides, operations, confirmations, rollbacks, the end of a drill), nor is what repairs the store.
 * @return false: @p reply says why not
 */
MUST_CHECK bool audit_request_may(struct core *core, const struct route *route,
                                  const struct http_request *r, struct http_reply *reply);
/** A request was refused by its head alone. */
void audit_request_refused(struct core *core, const struct http_request *r,
                           const struct http_reply *reply);
/** A request of @p route was answered. */
void audit_request_answered(struct core *core, const struct route *route,
                            const struct http_request *r, const struct http_reply *reply);
/** The line of a request, without its outcome. */
void audit_request_line(const struct http_request *r, struct audit_line *out);

#endif
