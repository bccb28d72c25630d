/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Why a change of configuration was not made.
 *
 * Implemented in mgmt/api/change_refused.c; under the core's lock.
 */
#ifndef WEIR_MGMT_API_CHANGE_REFUSED_H
#define WEIR_MGMT_API_CHANGE_REFUSED_H

#include "mgmt/api/core.h"
#include "mgmt/http/http.h"

/** Fill @p reply with the problem; @p err and @p changed as intent_change() gave them. */
void change_refused_reply(struct core *core, int err, const struct intent_changed *changed,
                          struct http_reply *reply);

#endif
