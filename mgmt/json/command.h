/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * JSON for overrides and the commands that make them (docs/api.md): the same from weir-mgmt and
 * from `weir ... --offline`. Values are given.
 *
 * Implemented in mgmt/json/command.c. Any thread; what takes a struct intent needs the core's lock
 * in weir-mgmt.
 */
#ifndef WEIR_MGMT_JSON_COMMAND_H
#define WEIR_MGMT_JSON_COMMAND_H

#include <jansson.h>

#include "mgmt/json/field.h"
#include "mgmt/judge/waiting_slots.h"
#include "mgmt/store/command.h"
#include "record/fields.h"

#define ETAG_TEXT_MAX 256u /**< bytes, as HTTP_TEXT_MAX */

/**
 * Decode the body of a request. The caller ends @p f, which has the errors, by field_close(); only
 * without an error is @p c a command. Its texts are borrowed from @p body; author is NULL when it
 * is not given. The caller sets dry_run and generation, which are no part of the body.
 */
void command_from_json(const json_t *body, int64_t now_ms, struct field_reader *f,
                       struct command *c);
/** RFC 3339, or null for never (MODEL_TIME_NEVER) and for 0. */
MUST_CHECK json_t *time_to_json(int64_t wall_clock_ms);
/** The answer to the end of an override that has ended already: nothing was changed. */
MUST_CHECK json_t *nothing_to_end_to_json(const struct command *c, const struct command_result *r);
/** The ETag of an override. */
void override_etag(const struct override *o, char out[ETAG_TEXT_MAX]);
MUST_CHECK json_t *override_to_json(const struct overrides *all, const struct override *o,
                                    int64_t now_ms);
/** Of struct waiting, which the answer to a drain has. */
extern const struct record_kind waiting_shown;
/** What override_to_json() and command_to_json() make, and what nodes_add_json() adds. */
extern const struct record_kind override_shown, command_body_kind, command_answer_kind,
        change_nodes_kind;
/** Of a document: [{file, line, field, message}]. */
MUST_CHECK json_t *errors_to_json(const struct model_errors *errors);
MUST_CHECK json_t *guards_to_json(const struct guard_result *guards);
/** The answer to a command; @p note, which may be NULL, is added to its own notes. */
MUST_CHECK json_t *command_to_json(const struct intent *in, const struct command *c,
                                   const struct command_result *result, const char *note,
                                   int64_t now_ms);
/**
 * How far a node is with a change; @p unwritten_reason as intent_unwritten_reason(), @p behind
 * (taken) the processes that lack it.
 */
MUST_CHECK json_t *node_to_json(const char *node, const char *unwritten_reason, bool in_force,
                                json_t *behind);
/** The same where no more is known. */
MUST_CHECK json_t *node_state_json(const char *node, const char *state);
/** Add to the answer to a change which nodes have it; takes @p nodes. */
void nodes_add_json(json_t *answer, uint64_t document, bool complete, json_t *nodes);

#endif
