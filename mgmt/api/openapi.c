/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The description of the interface (OpenAPI 3.1), made from the table of routes that answers
 * requests, and of answers from the rows that write them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/api/handle.h"
#include "mgmt/api/change/handle_config.h"
#include "mgmt/api/route.h"
#include "mgmt/audit/line.h"
#include "mgmt/json/command.h"
#include "mgmt/json/problem.h"
#include "mgmt/sync/operations.h"

#define WORD_MAX    64u /* bytes of a word of the table */
#define FLAG        "true|false"
#define NUMBER_MOST 999999999999999u /* of 15 digits: what handle_number() reads */

/* What does not depend on the routes. */
static const char about[] =
        "{\"openapi\": \"3.1.0\", \"info\": {\"title\": \"Weir\"}, \"security\": [{\"token\": []}, {\"certificate\": []}]}";
static const char problem_schema[] =
        "{\"type\": \"object\", \"properties\": {"
        "\"type\": {\"type\": \"string\"}, \"title\": {\"type\": \"string\"}, "
        "\"status\": {\"type\": \"integer\"}, \"code\": {\"type\": \"string\"}, "
        "\"detail\": {\"type\": \"string\"}, \"errors\": {\"type\": \"array\", \"items\": {\"type\": \"object\", "
        "\"properties\": {\"field\": {\"type\": \"string\"}, \"detail\": {\"type\": \"string\"}}, "
        "\"required\": [\"field\", \"detail\"]}}}, "
        "\"required\": [\"type\", \"title\", \"status\", \"code\", \"detail\"]}";
static const char security_schemes[] = "{\"token\": {\"type\": \"http\", \"scheme\": \"bearer\"},"
                                       " \"certificate\": {\"type\": \"mutualTLS\"}}";

#define FILTER "^[^=,]+=[^,]*(,[^=,]+=[^,]*)*$" /* of settings that the kind has */
/* Of members, as mgmt/api/handle_members.c knows them. */
#define MEMBER_FILTER                                                                              \
	"(id|address|weight|labels|labels\\.[^=,]+|ttl_s|state|since|leaves|gone|principal)=[^,]*"

/* What a query parameter may be: an integer, one of some words, true or false, or any text. The first row that fits counts. */
static const struct parameter {
	const char *path; /* NULL: any */
	const char *name;
	const char *words;    /* by '|' */
	const char *examples; /* of a text that is more than a name, by '|' */
	const char *pattern;  /* of a text */
	uint64_t least, most; /* of a number */
	uint64_t most_bytes;  /* of a text; 0: as many as any value has */
	bool is_required;
} parameter_table[] = {
	{ .path = "/v1/pools/{}/members", .name = "limit", .least = 1, .most = 1000 },
	{ .path = "/v1/verdicts", .name = "limit", .least = 1, .most = 1000 },
	{ .path = "/v1/versions", .name = "limit", .least = 1, .most = 1000 },
	{ .path = "/v1/events", .name = "limit", .least = 1, .most = 1000 },
	{ .path = "/v1/audit", .name = "limit", .least = 1, .most = AUDIT_LIMIT_MOST },
	{ .path = "/v1/audit",
	  .name = "since",
	  .examples = "2026-11-20T12:00:00Z|2026-11-20|-1h30m",
	  .pattern = "^([0-9]{4}-.*|-([0-9]+(d|h|m|s|ms))+)$" },
	{ .name = "who", .examples = "ada|token:ada|user:root" },
	{ .name = "object", .examples = "pools/web|sites/ams" },
	{ .name = "kind", .words = AUDIT_KIND_WORDS },
	{ .path = "/v1/overrides", .name = "limit", .least = 1, .most = OVERRIDES_MAX },
	{ .path = "/v1/operations", .name = "limit", .least = 1, .most = OPERATIONS_MAX },
#define LIMIT_OF_OBJECTS(kind, row, of, parent, word)                                              \
	{ .path = "/v1/" of, .name = "limit", .least = 1, .most = OBJECTS_LIMIT_MOST },
	OBJECT_KINDS(LIMIT_OF_OBJECTS){ .name = "limit", .least = 1, .most = 100000 },
	{ .name = "before", .least = 1, .most = NUMBER_MOST },
	{ .name = "since", .least = 0, .most = NUMBER_MOST },
	{ .path = "/v1/events", .name = "wait_ms", .least = 0, .most = 30000 },
	{ .name = "wait_ms", .least = 0, .most = 60000 },
	{ .name = "length", .examples = "1500" },
	{ .name = "override", .words = "last-backend" },
	{ .name = "wait", .words = "local|all" },
	{ .name = "dry_run", .words = FLAG },
	{ .name = "ended", .words = FLAG },
	{ .name = "propose", .words = FLAG },
	{ .name = "proposal", .examples = "ams-1-20fm49txqc6" },
	{ .name = "files", .words = FLAG },
	{ .name = "tcp", .words = FLAG },
	{ .name = "state", .examples = "live|moving" },
	{ .name = "source", .examples = "198.51.100.7:40000", .is_required = true },
	{ .name = "destination",
	  .examples = "203.0.113.10:80/tcp|203.0.113.10:53/udp",
	  .is_required = true },
	{ .name = "name", .examples = "www.example.org", .is_required = true },
	{ .name = "type", .examples = "A|AAAA" },
	{ .name = "client", .examples = "198.51.100.7|198.51.100.0/24" },
	{ .name = "resolver", .examples = "198.51.100.53" },
	{ .name = "at", .examples = "2026-11-20T12:00:00Z" },
	{ .name = "reason",
	  .examples = "more room",
	  .most_bytes = VERSION_REASON_MAX - 1,
	  .is_required = true },
	{ .name = "author", .examples = "ada", .most_bytes = VERSION_AUTHOR_MAX - 1 },
	{ .name = "confirm_within", .examples = "10m|none|24h", .pattern = CONFIRM_WITHIN_PATTERN },
	{ .name = "confirm_if", .examples = "well for 5m", .pattern = CONFIRM_IF_PATTERN },
	{ .name = "canary", .examples = "node/ams-1|ams", .most_bytes = CANARY_MAX - 1 },
	{ .name = "if_quiet", .words = "back|go" },
	{ .name = "without_gates", .examples = "holidays", .most_bytes = GATE_NAMES_MAX - 1 },
	{ .name = "pending", .words = "refuse|confirm|join" },
	{ .path = "/v1/services/{}/at",
	  .name = "filter",
	  .examples = "site=ams",
	  .pattern = FILTER },
	{ .path = "/v1/pools/{}/members",
	  .name = "filter",
	  .examples = "state=member",
	  .pattern = "^" MEMBER_FILTER "(," MEMBER_FILTER ")*$" },
	{ .name = "filter", .examples = "name=web-ams", .pattern = FILTER },
	{ .name = "path",
	  .examples = "pools/web-ams|pools/web-ams/backends/b2/weight",
	  .is_required = true },
	{ .path = "/v1/blame",
	  .name = "cursor",
	  .examples = "70-12-12-0f",
	  .pattern = "^[0-9]+-[0-9]+[~-][0-9]+-[0-9a-f]+$" },
	{ .name = "cursor",
	  .examples = "0123456789abcdef-100",
	  .pattern = "^[0-9a-f]{16}-[0-9]+$" },
};

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

/* Whether a request of the route edits an object. */
static bool is_edit(const struct route *r)
{
	return r->object != OBJECT_NONE && strcmp(r->method, "GET") != 0;
}

/* A word of a route's path. A part of it, "{}", has the name of what it is one of: "pool" below "pools"; or its own. */
struct path_word {
	const char *word;
	int n;
	bool is_part, is_one; /* is_one: a part follows */
};

/* The next word of @p at; false at the end. Begin with a zeroed @p s. */
static bool next_path_word(const char **at, struct path_word *s)
{
	const char *word = *at + strspn(*at, "/");
	size_t n = strcspn(word, "/");

	if (n == 0)
		return false;
	*at = word + n;
	s->is_part = word[0] == '{';
	s->is_one = !strncmp(*at, "/{", strlen("/{"));
	if (s->is_part && n > strlen("{}")) {
		s->word = word + 1;
		s->n = (int)(n - strlen("{}"));
	}
	if (s->is_part) /* else the word before it names it */
		return true;
	s->word = word;
	s->n = (int)n - (s->is_one && word[n - 1] == 's');
	return true;
}

/* The path with names for its parts: "/v1/versions/{version}". */
static void name_parts(const char *path, char out[HTTP_TEXT_MAX])
{
	struct path_word s = { .n = 0 };
	size_t n = 0;

	snprintf(out, HTTP_TEXT_MAX, "%s", path);
	for (const char *at = path, *from = at; next_path_word(&at, &s) && n < HTTP_TEXT_MAX;
	     from = at)
		if (s.is_part)
			n += (size_t)snprintf(out + n, HTTP_TEXT_MAX - n, "/{%.*s}", s.n, s.word);
		else
			n += (size_t)snprintf(out + n, HTTP_TEXT_MAX - n, "%.*s", (int)(at - from),
			                      from);
}

/* The method as the description has it: "get". */
static void write_method(const char *method, char out[WORD_MAX])
{
	size_t n = 0;

	for (; method[n] && n < WORD_MAX - 1; n++)
		out[n] = (char)(method[n] | 0x20);
	out[n] = '\0';
}

/*
 * What a generated client calls the request: the method (of a list "list") and the words of the path, those before a part as
 * of one: "listPools", "getPool", "putPoolBackend", "postVersionConfirm", "postWhatIf".
 */
static void name_operation(const struct route *r, char out[WORD_MAX])
{
	bool is_list = r->is_list || (r->object != OBJECT_NONE && r->answer && !is_edit(r));
	const char *at = r->path;
	struct path_word s = { .n = 0 };

	write_method(is_list ? "LIST" : r->method, out);
	while (next_path_word(&at, &s)) {
		size_t n = strlen(out);

		if (s.is_part || !strncmp(s.word, "v1/", strlen("v1/")))
			continue;
		snprintf(out + n, WORD_MAX - n, "%.*s", s.n, s.word);
		out[n] = (char)(out[n] & ~0x20);
	}
	for (char *dash; (dash = strchr(out, '-'));) { /* "WhatIf" */
		memmove(dash, dash + 1, strlen(dash));
		*dash = (char)(*dash & ~0x20);
	}
	char *dot = strchr(out, '.');
	if (dot) /* of openapi.json */
		*dot = '\0';
	if (!strcmp(r->path, "/v1/node")) /* one of /v1/nodes has its name */
		snprintf(out, WORD_MAX, "getThisNode");
}

static json_t *describe_type(const char *type)
{
	return json_with(json_object(), "type", json_string(type));
}

static json_t *describe_content(const char *type, json_t *schema)
{
	return json_with(json_object(), type, json_with(json_object(), "schema", schema));
}

static json_t *describe_json(json_t *schema)
{
	return describe_content("application/json", schema);
}

static const struct parameter *find_parameter(const char *path, const char *name)
{
	for (size_t i = 0; i < sizeof(parameter_table) / sizeof(parameter_table[0]); i++) {
		const struct parameter *p = &parameter_table[i];

		if (!strcmp(p->name, name) && (!p->path || !strcmp(p->path, path)))
			return p;
	}
	return NULL;
}

static json_t *describe_value(const struct parameter *p)
{
	json_t *o = describe_type(p && p->most ? "integer" : "string");

	if (p && p->most) {
		json_object_set_new(o, "minimum", json_integer((json_int_t)p->least));
		json_object_set_new(o, "maximum", json_integer((json_int_t)p->most));
	} else if (p && p->words) {
		json_object_set_new(o, "enum", record_words(p->words));
	} else {
		json_object_set_new(o, "maxLength",
		                    json_integer(p && p->most_bytes ? (json_int_t)p->most_bytes
		                                                    : HTTP_TEXT_MAX - 1));
	}
	if (p && p->pattern)
		json_object_set_new(o, "pattern", json_string(p->pattern));
	if (p && p->examples)
		json_object_set_new(o, "examples", record_words(p->examples));
	return o;
}

static json_t *make_parameter(const char *path, const char *name, const char *in)
{
	const struct parameter *p = !strcmp(in, "query") ? find_parameter(path, name) : NULL;
	json_t *o = json_with(json_object(), "name", json_string(name));

	json_object_set_new(o, "in", json_string(in));
	json_object_set_new(o, "required",
	                    json_boolean(!strcmp(in, "path") || (p && p->is_required)));
	json_object_set_new(o, "schema", describe_value(p));
	return o;
}

static json_t *list_parameters(const struct route *r)
{
	json_t *list = json_array();
	const char *at = r->query, *path = r->path;
	struct path_word s = { .n = 0 };
	char word[WORD_MAX];

	while (next_path_word(&path, &s)) {
		snprintf(word, sizeof(word), "%.*s", s.n, s.word);
		if (s.is_part)
			json_array_append_new(list, make_parameter(r->path, word, "path"));
	}
	while (next_list_word(&at, word))
		json_array_append_new(list, make_parameter(r->path, word, "query"));
	if (route_is_change(r)) {
		json_array_append_new(list, make_parameter(r->path, "If-Match", "header"));
		if (is_edit(r))
			json_array_append_new(list,
			                      make_parameter(r->path, "If-None-Match", "header"));
		json_array_append_new(list, make_parameter(r->path, "Idempotency-Key", "header"));
	}
	return list;
}

/* An object of rows has no other members, nor have objects in it. */
static void close_objects(json_t *schema)
{
	const char *name;
	json_t *one;

	json_object_foreach(json_object_get(schema, "properties"), name, one) close_objects(one);
	if (json_object_get(schema, "properties"))
		json_object_set_new(schema, "additionalProperties", json_false());
}

/*
 * A merge patch of what @p schema (taken) describes (RFC 7396): nothing is required, null deletes, and so within groups. An
 * array replaces the whole array, so its elements are whole.
 */
static json_t *describe_patch(json_t *schema)
{
	json_t *properties = json_object_get(schema, "properties"), *one;
	const char *name;
	void *next;

	json_object_del(schema, "required");
	json_object_foreach_safe(properties, next, name, one)
	{
		json_t *patch = json_deep_copy(one), *any = json_array();

		json_array_append_new(
		        any, json_object_get(patch, "properties") ? describe_patch(patch) : patch);
		json_array_append_new(any, describe_type("null"));
		json_object_set_new(properties, name, json_with(json_object(), "anyOf", any));
	}
	return schema;
}

/* What is said of objects of a kind, once for all of its routes: the object, a patch of it, the answer to an edit of it. */
#define OF_OBJECT ""
#define OF_PATCH  "-patch"
#define OF_EDIT   "-edited"

/* "pools-backends-patch" */
static void name_component(enum object_kind kind, const char *suffix, char out[HTTP_TEXT_MAX])
{
	size_t n = 0;

	for (const char *c = object_row(kind)->path; *c; c++)
		if (*c == '{')
			c += strlen("{}"); /* and the slash behind it */
		else
			out[n++] = (char)(*c == '/' ? '-' : *c);
	snprintf(out + n, HTTP_TEXT_MAX - n, "%s", suffix);
}

static json_t *refer_to(enum object_kind kind, const char *suffix)
{
	char name[HTTP_TEXT_MAX];

	name_component(kind, suffix, name);
	return json_with(json_object(), "$ref", json_sprintf("#/components/schemas/%s", name));
}

/* The body of a PUT is the object, of a PATCH what changes. */
static json_t *describe_object_body(const struct route *r)
{
	bool is_patch = !strcmp(r->method, "PATCH");

	return json_with(json_with(json_object(), "required", json_true()), "content",
	                 is_patch ? describe_content("application/merge-patch+json",
	                                             refer_to(r->object, OF_PATCH))
	                          : describe_json(refer_to(r->object, OF_OBJECT)));
}

/* The rows that read a body describe it. Between nodes it is any object. */
static json_t *describe_body(const struct route *r)
{
	if (is_edit(r))
		return describe_object_body(r);
	json_t *schema = r->body ? record_schema(r->body) : describe_type("object");
	bool is_required = json_array_size(json_object_get(schema, "required")) > 0;

	if (r->body)
		close_objects(schema);
	json_object_del(schema, "title");
	json_t *content = describe_json(schema);
	json_object_set_new(json_object_get(content, "application/json"), "example",
	                    r->body ? record_example(r->body) : json_object());
	return json_with(json_with(json_object(), "required", json_boolean(is_required)), "content",
	                 content);
}

/*
 * What was made is answered with which nodes have it. An answer that is given again after a crash has only what was made: so
 * nothing is said to be always there.
 */
static void describe_change(json_t *schema)
{
	json_t *added = record_schema(&change_nodes_kind),
	       *properties = json_object_get(schema, "properties");

	json_object_update_missing(properties, json_object_get(added, "properties"));
	json_object_set_new(properties, "recovered", describe_type("boolean"));
	json_object_del(schema, "required");
	json_decref(added);
}

/* An object, or a page of objects: by the rows of the schema. */
static json_t *describe_objects(const struct route *r)
{
	if (!r->answer)
		return refer_to(r->object, OF_OBJECT);
	json_t *schema = record_schema(r->answer);

	json_object_set_new(json_object_get(json_object_get(schema, "properties"), "items"),
	                    "items", refer_to(r->object, OF_OBJECT));
	return schema;
}

/* The answer to an edit: that of a change, with the object as it is then; null: it is removed. */
static json_t *describe_edited(enum object_kind kind)
{
	json_t *schema = record_schema(&edit_answer_kind), *any = json_array();

	describe_change(schema);
	json_array_append_new(any, refer_to(kind, OF_OBJECT));
	json_array_append_new(any, describe_type("null"));
	json_object_set_new(json_object_get(schema, "properties"), "object",
	                    json_with(json_object(), "anyOf", any));
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

	if (r->object != OBJECT_NONE && !is_edit(r)) {
		json_object_set_new(o, "content", describe_json(describe_objects(r)));
	} else if (is_edit(r)) {
		json_object_set_new(o, "content", describe_json(refer_to(r->object, OF_EDIT)));
	} else if (r->answer) {
		json_t *schema = record_schema(r->is_list ? &list : r->answer);

		if (route_is_change(r))
			describe_change(schema);
		json_object_set_new(o, "content", describe_json(schema));
	} else {
		json_object_set_new(
		        o, "content",
		        json_with(json_object(), r->media,
		                  json_with(json_object(), "schema", describe_type("string"))));
	}
	return o;
}

/* --- problems: which answer a request is said by what kind of request it is --- */

static const char *const kinds_of_requests[] = { "read", "body", "change", "peer", "nowhere" };
enum { READ, BODY, CHANGE, PEER, NOWHERE, KINDS_OF_REQUESTS };

static unsigned kind_of_request(const struct route *r)
{
	return r->role == HTTP_PEER        ? PEER
	       : route_may_conflict(r)     ? CHANGE
	       : !strcmp(r->method, "GET") ? READ
	                                   : BODY;
}

static bool may_answer(const struct problem *p, unsigned kind)
{
	switch (p->scope) {
	case PROBLEM_ANY:
		return true;
	case PROBLEM_NOWHERE:
		return kind == NOWHERE;
	case PROBLEM_BODY:
		return kind == BODY || kind == CHANGE || kind == PEER;
	case PROBLEM_CHANGE: /* nodes pass orders on, and ask of the store */
		return kind == CHANGE || kind == PEER;
	default:
		return kind == PEER;
	}
}

/* The codes that a kind of request has of a status, given; NULL: none. */
static json_t *codes_of(unsigned kind, const char *status)
{
	json_t *codes = json_array();

	for (size_t i = 0; i < problems_n; i++)
		if (may_answer(&problems[i], kind) && strstr(problems[i].statuses, status))
			json_array_append_new(codes, json_string(problems[i].code));
	if (json_array_size(codes) > 0)
		return codes;
	json_decref(codes);
	return NULL;
}

/* One of the problems, by its code. */
static json_t *describe_problem(const char *status, json_t *codes)
{
	json_t *schema = json_pack("{s:[{s:s}, {s:{s:{s:i}, s:{s:o}}}]}", "allOf", "$ref",
	                           "#/components/schemas/problem", "properties", "status", "const",
	                           atoi(status), "code", "enum", codes);
	json_t *content = json_with(json_object(), "application/problem+json",
	                            json_with(json_object(), "schema", schema));

	return json_with(json_with(json_object(), "description",
	                           json_string("a problem (RFC 9457): docs/api.md has the codes")),
	                 "content", content);
}

static const char *const statuses[] = { "400", "401", "403", "404", "405", "408", "409",
	                                "410", "412", "413", "414", "415", "417", "422",
	                                "428", "429", "431", "500", "501", "503", "505" };

static json_t *list_problem_responses(void)
{
	json_t *o = json_object();
	char name[WORD_MAX];

	for (unsigned kind = 0; kind < KINDS_OF_REQUESTS; kind++)
		for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
			json_t *codes = codes_of(kind, statuses[i]);

			snprintf(name, sizeof(name), "%s-%s", kinds_of_requests[kind], statuses[i]);
			if (codes)
				json_object_set_new(o, name, describe_problem(statuses[i], codes));
		}
	return o;
}

/* References to those of the route's kind. */
static void add_problems(json_t *responses, const struct route *r)
{
	unsigned kind = kind_of_request(r);

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		json_t *codes = codes_of(kind, statuses[i]);

		if (codes)
			json_object_set_new(
			        responses, statuses[i],
			        json_pack("{s:o}", "$ref",
			                  json_sprintf("#/components/responses/%s-%s",
			                               kinds_of_requests[kind], statuses[i])));
		json_decref(codes);
	}
}

static json_t *describe_route(const struct route *r)
{
	char name[WORD_MAX];
	static const char *const roles[] = { "none",   "metrics",  "peer", "viewer",
		                             "oncall", "operator", "admin" };
	json_t *responses = json_with(json_object(), "2XX", describe_answer(r)),
	       *o = json_with(json_object(), "summary", json_string(r->summary));

	if (!strcmp(r->method, "GET") && r->answer)
		json_object_set_new(responses, "304",
		                    json_with(json_object(), "description",
		                              json_string("If-None-Match has the present ETag")));
	add_problems(responses, r);
	name_operation(r, name);
	json_object_set_new(o, "operationId", json_string(name));
	json_object_set_new(o, "x-role", json_string(roles[r->role]));
	json_object_set_new(o, "parameters", list_parameters(r));
	json_object_set_new(o, "responses", responses);
	if (http_method_has_body(r->method))
		json_object_set_new(o, "requestBody", describe_body(r));
	return o;
}

static json_t *list_schemas(void)
{
	json_t *o = json_with(json_object(), "problem", json_loads(problem_schema, 0, NULL));
	char name[HTTP_TEXT_MAX];

	for (enum object_kind kind = 0; kind < OBJECT_NONE; kind++) {
		name_component(kind, OF_OBJECT, name);
		json_object_set_new(o, name, object_schema(kind));
		name_component(kind, OF_PATCH, name);
		json_object_set_new(o, name, describe_patch(object_schema(kind)));
		name_component(kind, OF_EDIT, name);
		json_object_set_new(o, name, describe_edited(kind));
	}
	return o;
}

static json_t *make_components(void)
{
	json_t *o = json_object();

	json_object_set_new(o, "schemas", list_schemas());
	json_object_set_new(o, "responses", list_problem_responses());
	json_object_set_new(o, "securitySchemes", json_loads(security_schemes, 0, NULL));
	return o;
}

void handle_openapi(struct core *core, struct http_request *r, struct http_reply *reply)
{
	json_t *paths = json_object();

	(void)core;
	(void)r;
	for (size_t i = 0; i < route_table_n; i++) {
		char path[HTTP_TEXT_MAX], method[WORD_MAX];

		name_parts(route_table[i].path, path);
		json_t *item = json_object_get(paths, path);
		if (!item) {
			item = json_object();
			json_object_set_new(paths, path, item);
		}
		write_method(route_table[i].method, method);
		json_object_set_new(item, method, describe_route(&route_table[i]));
	}
	reply->json = json_loads(about, 0, NULL);
	reply->dense = true; /* programs read it */
	json_object_set_new(json_object_get(reply->json, "info"), "version",
	                    json_string(WEIR_RELEASE));
	json_object_set_new(reply->json, "paths", paths);
	json_object_set_new(reply->json, "components", make_components());
	reply->status = 200;
}
