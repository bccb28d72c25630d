/* SPDX-License-Identifier: BSD-2-Clause */
/* A body and its answer held against what GET /v1/openapi.json says of the route: each member of one is in the other, with its type; problems by their codes. */
#ifndef WEIR_TESTS_MGMT_DESCRIBED_H
#define WEIR_TESTS_MGMT_DESCRIBED_H

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/api/handle.h"
#include "mgmt/api/route.h"
#include "tests/unit/described.h"

static json_t *described_paths, *described_responses; /* of the interface, made once */
/* By the index of a route: an answer, and a body, of it was held against its schema. */
static bool described_answered[256], described_asked[256];

static inline bool described_is_path(const char *pattern, const char *path)
{
	while (*pattern && *path)
		if (*pattern == '{') {
			pattern += 2;
			path += strcspn(path, "/");
		} else if (*pattern++ != *path++) {
			return false;
		}
	return !*pattern && !*path;
}

/* The index of the route, or -1. */
static inline int described_find_route(const char *method, const char *path)
{
	for (size_t i = 0; i < route_table_n; i++)
		if (!strcmp(route_table[i].method, method) &&
		    described_is_path(route_table[i].path, path))
			return (int)i;
	return -1;
}

/* Whether @p path of the description, which has names for parts, is the route's: "/v1/versions/{version}". */
static inline bool described_is_of(const char *path, const char *pattern)
{
	while (*path && *path == *pattern) {
		if (*path == '{')
			path += strcspn(path, "}") - 1;
		path++;
		pattern++;
	}
	return !*path && !*pattern;
}

/* What is said of a route. */
static inline const json_t *described_route(const struct route *route)
{
	const char *path;
	json_t *methods, *found = NULL;
	char method[8] = "";

	for (size_t k = 0; route->method[k]; k++)
		method[k] = (char)(route->method[k] | 0x20);
	json_object_foreach(described_paths, path, methods) if (described_is_of(path, route->path))
	        found = methods;
	return json_object_get(found, method);
}

/* The schema of the 2XX answer of a route, or of its body; NULL: it has none. */
static inline const json_t *described_schema(const struct route *route, bool is_body)
{
	const json_t *of = described_route(route);

	of = is_body ? json_object_get(of, "requestBody")
	             : json_object_get(json_object_get(of, "responses"), "2XX");
	return json_object_get(json_object_get(json_object_get(of, "content"), "application/json"),
	                       "schema");
}

/* A body that was taken has what its rows say. Null is as if it were not there. */
static inline void described_hold_body(int i, const struct http_request *r)
{
	json_t *body = r->n_body ? json_loadb(r->body, r->n_body, 0, NULL) : json_object(), *one;
	const char *name;
	void *next;

	json_object_foreach_safe(body, next, name, one) if (json_is_null(one))
	        json_object_del(body, name);
	described_check(described_schema(&route_table[i], true), body, route_table[i].path);
	described_asked[i] |= r->n_body > 0;
	json_decref(body);
}

/* A problem's status is one of the route's, and its code one of that status. */
static inline void described_hold_problem(int i, const struct http_reply *reply)
{
	char status[16];

	snprintf(status, sizeof(status), "%u", reply->status);
	const json_t *at = json_object_get(
	        json_object_get(described_route(&route_table[i]), "responses"), status);
	const char *name = json_get_text(at, "$ref"), *code = json_get_text(reply->json, "code");
	at = json_object_get(described_responses, name ? strrchr(name, '/') + 1 : "");
	at = json_object_get(json_object_get(at, "content"), "application/problem+json");
	at = json_array_get(json_object_get(json_object_get(at, "schema"), "allOf"), 1);
	if (!json_lists(json_at(at, "properties.code.enum"), code ? code : ""))
		fail_msg("%s %s: %s %s is not described", route_table[i].method,
		         route_table[i].path, status, code ? code : "");
}

/* Hold a request and its answer against the description of its route. */
static inline void described_hold(struct core *core, const struct http_request *r,
                                  const struct http_reply *reply)
{
	int i = described_find_route(r->method, r->path);
	struct http_reply interface = { 0 };

	if (i < 0 || reply->status < 200)
		return;
	if (!described_paths) {
		handle_openapi(core, NULL, &interface);
		described_paths = json_incref(json_object_get(interface.json, "paths"));
		described_responses = json_incref(json_at(interface.json, "components.responses"));
		described_schemas = json_incref(json_at(interface.json, "components.schemas"));
		http_reply_fini(&interface);
	}
	if (reply->status > 399 && reply->json) /* else memory was short */
		described_hold_problem(i, reply);
	if (reply->status > 299)
		return;
	if (route_table[i].body)
		described_hold_body(i, r);
	if ((!route_table[i].answer && route_table[i].object == OBJECT_NONE) || !reply->json)
		return;
	described_check(described_schema(&route_table[i], false), reply->json, route_table[i].path);
	described_answered[i] = true;
}

#endif
