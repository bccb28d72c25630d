/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The table of the API's routes, and the one way through it: role, path, query, body,
 * idempotency key, handler.
 *
 * Implemented in mgmt/api/route.c. The gate is called by a server's own thread and must not wait;
 * route_handle() by the threads of handlers.
 */
#ifndef WEIR_MGMT_API_ROUTE_H
#define WEIR_MGMT_API_ROUTE_H

#include <string.h>

#include "base/checked.h"
#include "mgmt/http/http.h"
#include "record/fields.h"
#include "weir/object.h"

/** The query parameters of all that changes something; a route's may go on behind them. */
#define ROUTE_CHANGES "dry_run wait wait_ms"

/** Those of changes that gates are about, with these. */
#define ROUTE_GATED ROUTE_CHANGES " propose proposal"

/** Those of an edit, whose body is the object alone. */
#define ROUTE_EDITS                                                                                \
	ROUTE_GATED " reason author confirm_within confirm_if canary if_quiet without_gates pending"

/** Those of changes of members, which are the same however often they come: no key is needed, and nothing is a version. */
#define ROUTE_MEMBERS "override"

#define OBJECTS_LIMIT_MOST 1000u /**< objects of a page */
#define AUDIT_LIMIT_MOST   1000u /**< lines of the audit log likewise */

/** A route; "{}" in a path stands for one part of it, which the word before it names, or "{NAME}" its own. */
struct route {
	const char *method, *path;
	enum http_role role;            /**< the least that may */
	const char *query;              /**< the parameters that it knows, by spaces */
	const struct record_kind *body; /**< NULL: none, or a node's */
	http_handler *handler;
	const char *summary;
	const struct record_kind *answer; /**< what it answers; NULL: a text */
	bool is_list;                     /**< it answers a list of these (handle_list()) */
	/**
	 * A GET answers an object of this kind (object_schema()), or with an answer a page of these; an edit's body is one,
	 * and its answer has one. OBJECT_NONE: neither
	 */
	enum object_kind object;
	const char *media; /**< the type of a text */
};
extern const struct route route_table[];
extern const size_t route_table_n;

/** Whether a request of the route is carried out once for its Idempotency-Key, and answers as changes do. */
static inline bool route_is_change(const struct route *route)
{
	size_t n = strlen(ROUTE_CHANGES);

	return strcmp(route->method, "GET") != 0 && !strncmp(route->query, ROUTE_CHANGES, n) &&
	       (route->query[n] == ' ' || route->query[n] == '\0');
}
/** Whether a request of the route puts or takes away members. */
static inline bool route_is_of_members(const struct route *route)
{
	return !strcmp(route->query, ROUTE_MEMBERS);
}
/** Whether a request of the route gives or takes back a verdict of a program. */
static inline bool route_is_of_verdicts(const struct route *route)
{
	return strcmp(route->method, "GET") != 0 && !strncmp(route->path, "/v1/verdicts/", 13);
}
/** Whether a request of the route may be refused as changes are. */
static inline bool route_may_conflict(const struct route *route)
{
	return route_is_change(route) || route_is_of_members(route) || route_is_of_verdicts(route);
}
/** http_gate: whether there is such a route, the role reaches it, and a change is asked for in JSON. */
bool route_gate(struct core *core, const struct http_request *request,
                struct http_reply *reply) MUST_CHECK;
/** http_handler: answer a request by the table. */
void route_handle(struct core *core, struct http_request *request, struct http_reply *reply);

#endif
