/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The description of the interface (OpenAPI 3.1), made from the table of routes that answers
 * requests, and of answers from the rows that write them.
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/api/handle.h"
#include "mgmt/api/route.h"
#include "mgmt/json/command.h"

#define WORD_MAX 64u /* bytes of a word of the table */

/* What does not depend on the routes. */
static const char other_response[] =
        "{\"description\": \"a problem (RFC 9457)\", \"content\": "
        "{\"application/problem+json\": {\"schema\": {\"$ref\": \"#/components/schemas/problem\"}}}}";
static const char about[] =
        "{\"openapi\": \"3.1.0\", \"info\": {\"title\": \"Weir\"}, \"security\": [{\"token\": []}]}";
static const char components[] =
        "{\"schemas\": {\"problem\": {\"type\": \"object\", \"properties\": {"
        "\"type\": {\"type\": \"string\"}, \"title\": {\"type\": \"string\"}, "
        "\"status\": {\"type\": \"integer\"}, \"code\": {\"type\": \"string\"}, "
        "\"detail\": {\"type\": \"string\"}}}}, "
        "\"securitySchemes\": {\"token\": {\"type\": \"http\", \"scheme\": \"bearer\"}}}";

/* The next word of a list by spaces; false at its end. */
static bool next_list_word(const char **at, char out[WORD_MAX])
{
	*at += strspn(*at, " ");
	size_t n = strcspn(*at, " ");

	if (n == 0 || n >= WORD_MAX)
		return false;
	memcpy(out, *at, n);
	out[n] = '\0';
	*at += n;
	return true;
}

/* The path with names for its parts: "/v1/versions/{part1}". */
static void name_parts(const char *path, char out[HTTP_TEXT_MAX], unsigned *n_parts)
{
	size_t n = 0;

	*n_parts = 0;
	for (; *path && n < HTTP_TEXT_MAX - 16; path++)
		if (path[0] == '{') {
			n += (size_t)snprintf(out + n, HTTP_TEXT_MAX - n, "{part%u}", ++*n_parts);
			path++;
		} else {
			out[n++] = *path;
		}
	out[n] = '\0';
}

static json_t *describe_type(const char *type)
{
	return json_with(json_object(), "type", json_string(type));
}

static json_t *describe_json(json_t *schema)
{
	return json_with(json_object(), "application/json",
	                 json_with(json_object(), "schema", schema));
}

/* All parameters are texts. */
static json_t *make_parameter(const char *name, const char *in)
{
	json_t *o = json_with(json_object(), "name", json_string(name));

	json_object_set_new(o, "in", json_string(in));
	json_object_set_new(o, "required", json_boolean(!strcmp(in, "path")));
	json_object_set_new(o, "schema", describe_type("string"));
	return o;
}

static json_t *list_parameters(const struct route *r, unsigned n_parts)
{
	json_t *list = json_array();
	const char *at = r->query;
	char word[WORD_MAX];

	for (unsigned i = 1; i <= n_parts; i++) {
		snprintf(word, sizeof(word), "part%u", i);
		json_array_append_new(list, make_parameter(word, "path"));
	}
	while (next_list_word(&at, word))
		json_array_append_new(list, make_parameter(word, "query"));
	if (!strcmp(r->query, ROUTE_CHANGES)) {
		json_array_append_new(list, make_parameter("If-Match", "header"));
		json_array_append_new(list, make_parameter("Idempotency-Key", "header"));
	}
	return list;
}

/* The rows that read a body describe it. Between nodes it is any object. */
static json_t *describe_body(const struct route *r)
{
	json_t *schema = r->body ? record_schema(r->body) : describe_type("object");
	bool is_required = json_array_size(json_object_get(schema, "required")) > 0;

	if (r->body)
		json_object_set_new(schema, "additionalProperties", json_false());
	json_object_del(schema, "title");
	return json_with(json_with(json_object(), "required", json_boolean(is_required)), "content",
	                 describe_json(schema));
}

/*
 * What was made is answered with which nodes have it. An answer that is given again after a crash has only what was made: so
 * nothing is said to be always there.
 */
static void describe_change(json_t *schema)
{
	json_t *added = record_schema(&change_nodes_kind),
	       *properties = json_object_get(schema, "properties");

	json_object_update(properties, json_object_get(added, "properties"));
	json_object_set_new(properties, "recovered", describe_type("boolean"));
	json_object_del(schema, "required");
	json_decref(added);
}

/* An object, or a page of objects: by the rows of the schema. */
static json_t *describe_objects(const struct route *r)
{
	json_t *schema = r->answer ? record_schema(r->answer) : object_schema(r->object);

	if (r->answer)
		json_object_set_new(json_object_get(json_object_get(schema, "properties"), "items"),
		                    "items", object_schema(r->object));
	return schema;
}

/* What a route answers, by the rows that write it. */
static json_t *describe_answer(const struct route *r)
{
	const struct record_kind list =
	        RECORD_OF(struct handle_listed, "list", NULL,
	                  SHOW(struct handle_listed, items, .each = r->answer),
	                  SHOW(struct handle_listed, more));
	json_t *o =
	        json_with(json_object(), "description", json_string("as docs/api.md describes it"));

	if (r->object != OBJECT_NONE) {
		json_object_set_new(o, "content", describe_json(describe_objects(r)));
	} else if (r->answer) {
		json_t *schema = record_schema(r->is_list ? &list : r->answer);

		if (!strcmp(r->query, ROUTE_CHANGES))
			describe_change(schema);
		json_object_set_new(o, "content", describe_json(schema));
	}
	return o;
}

static json_t *describe_route(const struct route *r, unsigned n_parts)
{
	static const char *const roles[] = { "none",   "metrics",  "peer", "viewer",
		                             "oncall", "operator", "admin" };
	json_t *responses = json_with(json_object(), "2XX", describe_answer(r)),
	       *o = json_with(json_object(), "summary", json_string(r->summary));

	json_object_set_new(responses, "default", json_loads(other_response, 0, NULL));
	json_object_set_new(o, "x-role", json_string(roles[r->role]));
	json_object_set_new(o, "parameters", list_parameters(r, n_parts));
	json_object_set_new(o, "responses", responses);
	if (!strcmp(r->method, "POST"))
		json_object_set_new(o, "requestBody", describe_body(r));
	return o;
}

void handle_openapi(struct core *core, struct http_request *r, struct http_reply *reply)
{
	json_t *paths = json_object();

	(void)core;
	(void)r;
	for (size_t i = 0; i < route_table_n; i++) {
		char path[HTTP_TEXT_MAX];
		unsigned n_parts;

		name_parts(route_table[i].path, path, &n_parts);
		json_t *item = json_object_get(paths, path);
		if (!item) {
			item = json_object();
			json_object_set_new(paths, path, item);
		}
		json_object_set_new(item, strcmp(route_table[i].method, "GET") ? "post" : "get",
		                    describe_route(&route_table[i], n_parts));
	}
	reply->json = json_loads(about, 0, NULL);
	json_object_set_new(json_object_get(reply->json, "info"), "version",
	                    json_string(WEIR_RELEASE));
	json_object_set_new(reply->json, "paths", paths);
	json_object_set_new(reply->json, "components", json_loads(components, 0, NULL));
	reply->status = 200;
}
