/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a request may change (mgmt/rules/scope.h): a change is judged by all objects that it touches. Reading is not judged.
 *
 * Each of these answers at once for a token without a scope. Implemented in mgmt/api/change/handle_scope.c; called by the threads of
 * handlers, without the core's lock.
 */
#ifndef WEIR_MGMT_API_HANDLE_SCOPE_H
#define WEIR_MGMT_API_HANDLE_SCOPE_H

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/http/http.h"
#include "weir/object.h"

struct change_request;
struct command;
struct operation_body;

/** Whether @p r may change what is in no object, as @p what says; else @p reply says why not. */
MUST_CHECK bool handle_scope_has_all(const struct http_request *r, const char *what,
                                     struct http_reply *reply);
/** Whether it may change the objects, which need not be there; else @p reply says why not. */
MUST_CHECK bool handle_scope_has(struct core *core, const struct http_request *r,
                                 const struct object_path *paths, size_t n,
                                 struct http_reply *reply);
/** The same of the target of an override, and of the override @p id (which need not be there). */
MUST_CHECK bool handle_scope_has_target(struct core *core, const struct http_request *r,
                                        const struct command *c, struct http_reply *reply);
/** The same of the pool whose members change. */
MUST_CHECK bool handle_scope_has_pool(struct core *core, const struct http_request *r,
                                      const char *pool, struct http_reply *reply);
/** The same of the sites that an operation is to move, and of the operation @p id. */
MUST_CHECK bool handle_scope_has_sites(struct core *core, const struct http_request *r,
                                       const struct operation_body *body, struct http_reply *reply);
MUST_CHECK bool handle_scope_has_operation(struct core *core, const struct http_request *r,
                                           const char *id, struct http_reply *reply);
/**
 * Let the change be judged by its difference to what is in force: a refused one is -EPERM, and c->outside has the paths. A
 * change that joins an unconfirmed version sets a new deadline for it: that one is judged at once, as for a confirmation. @return
 * false: @p reply says what the token may not ask for
 */
MUST_CHECK bool handle_scope_begin(struct core *core, const struct http_request *r,
                                   struct change_request *c, struct http_reply *reply);
/** Make @p reply the refusal of a change that touches @p outside (taken); NULL: memory was short. */
void handle_scope_refuse(json_t *outside, struct http_reply *reply);
/** Whether it may confirm version @p number, by its difference to what would come back; else @p reply says why not. */
MUST_CHECK bool handle_scope_has_version(struct core *core, const struct http_request *r,
                                         uint64_t number, struct http_reply *reply);

#endif
