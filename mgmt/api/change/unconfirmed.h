/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a person who wants a further change reads about a version that is not confirmed yet.
 *
 * Implemented in mgmt/api/change/unconfirmed.c; called by the threads of handlers.
 */
#ifndef WEIR_MGMT_API_UNCONFIRMED_H
#define WEIR_MGMT_API_UNCONFIRMED_H

#include <jansson.h>

#include "mgmt/core/core.h"
#include "mgmt/http/http.h"
#include "record/fields.h"

/**
 * Make @p reply the refusal of a change that must not make the head permanent by the way. Under
 * the lock.
 */
void unconfirmed_refuse(struct core *core, struct http_reply *reply);
/**
 * Add `unconfirmed` to the @p answer of a plan if an apply of what was planned would be refused so:
 * `{version, author, rolls_back_to, confirm_by, canary?}`. Under the lock.
 */
void unconfirmed_add_json(struct core *core, const struct intent_changed *planned, json_t *answer);
/** What that adds. */
extern const struct record_kind unconfirmed_shown_kind;

#endif
