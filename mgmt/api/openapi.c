/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The description of the interface (OpenAPI 3.1), made from the table of routes that answers
 * requests.
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/api/handle.h"
#include "mgmt/api/route.h"

#define WORD_MAX 64u /* bytes of a word of the table */

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

static json_t *make_parameter(const char *name, const char *in)
{
	return json_pack("{s:s, s:s, s:b, s:{s:s}}", "name", name, "in", in, "required",
	                 !strcmp(in, "path"), "schema", "type", "string");
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

/*
 * Turn the notation of the table ("name:type", "!" when required) into a JSON schema: there is no
 * second description to keep.
 */
static json_t *describe_body(const struct route *r)
{
	json_t *properties = json_object(), *required = json_array();
	const char *at = r->body;
	char word[WORD_MAX];

	while (next_list_word(&at, word)) {
		char *type = strchr(word, ':');
		size_t n = strlen(word);

		if (word[n - 1] == '!')
			word[n - 1] = '\0';
		*type++ = '\0';
		if (r->body[at - r->body - 1] == '!')
			json_array_append_new(required, json_string(word));
		json_object_set_new(properties, word, json_pack("{s:s}", "type", type));
	}
	return json_pack("{s:b, s:{s:{s:{s:s, s:b, s:o, s:o}}}}", "required",
	                 json_array_size(required) > 0, "content", "application/json", "schema",
	                 "type", "object", "additionalProperties", 0, "properties", properties,
	                 "required", required);
}

static json_t *describe_operation(const struct route *r, unsigned n_parts)
{
	static const char *const roles[] = { "none",   "metrics",  "peer", "viewer",
		                             "oncall", "operator", "admin" };
	json_t *o = json_pack("{s:s, s:s, s:o, s:{s:{s:s}, s:{s:s, s:{s:{s:{s:s}}}}}}", "summary",
	                      r->summary, "x-role", roles[r->role], "parameters",
	                      list_parameters(r, n_parts), "responses", "2XX", "description",
	                      "as docs/api.md describes it", "default", "description",
	                      "a problem (RFC 9457)", "content", "application/problem+json",
	                      "schema", "$ref", "#/components/schemas/problem");

	if (!strcmp(r->method, "POST"))
		json_object_set_new(o, "requestBody", describe_body(r));
	return o;
}

static json_t *describe_components(void)
{
	return json_pack("{s:{s:{s:s, s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}}}},"
	                 " s:{s:{s:s, s:s}}}",
	                 "schemas", "problem", "type", "object", "properties", "type", "type",
	                 "string", "title", "type", "string", "status", "type", "integer", "code",
	                 "type", "string", "detail", "type", "string", "securitySchemes", "token",
	                 "type", "http", "scheme", "bearer");
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
		                    describe_operation(&route_table[i], n_parts));
	}
	reply->json = json_pack("{s:s, s:{s:s, s:s}, s:[{s:[]}], s:o, s:o}", "openapi", "3.1.0",
	                        "info", "title", "Weir", "version", WEIR_RELEASE, "security",
	                        "token", "paths", paths, "components", describe_components());
	reply->status = 200;
}
