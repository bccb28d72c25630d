/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Heads of peers that are unrelated to ours, and the commands that make one of them the head
 * everywhere.
 *
 * Implemented in mgmt/api/diverged.c; any thread, under the core's lock.
 */
#ifndef WEIR_MGMT_API_DIVERGED_H
#define WEIR_MGMT_API_DIVERGED_H

#include <jansson.h>

#include "mgmt/api/http.h"

struct core;

/**
 * What has diverged: `{own, heads: [{node, number, digest, author, reason, made_on, time,
 * provisional}], cure: [{keeps, on, command}]}` with `own` of this node and `heads` of its peers.
 * Each command keeps one head and names the others; it is to be run as printed on the node that it
 * stands beside. Under the lock. @return given; NULL: nothing has diverged
 */
json_t *diverged_to_json(const struct core *core);
/**
 * Make @p reply the refusal of a change: the heads, and the commands that resolve it. Under the
 * lock.
 */
void diverged_refuse(const struct core *core, struct http_reply *reply);

#endif
