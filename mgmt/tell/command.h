/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * JSON for overrides and the commands that make them (docs/api.md): the same from weir-mgmt and
 * from `weir ... --offline`. Values are given.
 *
 * Implemented in mgmt/tell/command.c. Any thread; what takes a struct intent needs the core's lock
 * in weir-mgmt.
 */
#ifndef WEIR_MGMT_TELL_COMMAND_H
#define WEIR_MGMT_TELL_COMMAND_H

#include <jansson.h>

#include "mgmt/store/command.h"

#define TELL_ETAG_MAX 256u /**< bytes, as HTTP_TEXT_MAX */

/** RFC 3339, or null for never (MODEL_WALL_NEVER) and for 0. */
json_t *tell_time(int64_t wall_ms);
/** The answer to the end of an override that has ended already: nothing was changed. */
json_t *tell_nothing_to_end(const struct command *c, const struct command_result *r);
/** A text that may not be UTF-8: bytes that are not are shown as '?'. */
json_t *tell_text(const char *text);
/** The ETag of an override. */
void tell_override_etag(const struct override *o, char out[TELL_ETAG_MAX]);
json_t *tell_override(const struct overrides *set, const struct override *o, int64_t now_ms);
json_t *tell_guards(const struct guard_result *guards);
json_t *tell_receivers(const struct guard_result *guards, bool sites);
/** The answer to a command; @p note, which may be NULL, is added to its own notes. */
json_t *tell_command(const struct intent *in, const struct command *c,
                     const struct command_result *result, const char *note, int64_t now_ms);
/** How far a node is with a change; @p write_why as intent_write_why(), @p behind (taken) the processes that lack it. */
json_t *tell_node(const char *node, const char *write_why, bool in_force, json_t *behind);
/** Add to the answer to a change which nodes have it; takes @p nodes. */
void tell_nodes(json_t *answer, uint64_t document, bool complete, json_t *nodes);

#endif
