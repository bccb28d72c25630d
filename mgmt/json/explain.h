/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The explanation of a DNS answer (weir/explain.h): its request read from texts, and its result as
 * JSON, the same from weir-mgmt and from `weir dns explain`.
 *
 * Implemented in mgmt/json/explain.c. Any thread.
 */
#ifndef WEIR_MGMT_JSON_EXPLAIN_H
#define WEIR_MGMT_JSON_EXPLAIN_H

#include "base/checked.h"
#include "record/fields.h"
#include "weir/explain.h"

/**
 * Set who sends the query: @p client is an address (the resolver's), or a prefix that the resolver
 * sends as client subnet; @p resolver is the resolver's own address. Both may be NULL: this host.
 * @return NULL, or what is wrong, beginning with the parameter's name
 */
const char *explain_set_sender(struct explain_request *r, const char *client,
                               const char *resolver) MUST_CHECK;

/** Of struct explanation, as it is shown. */
extern const struct record_kind explanation_shown;

#endif
