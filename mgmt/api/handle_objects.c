/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects of the version in force (weir/object.h), for every kind by the same two handlers. What is shown is this node's
 * effective model with that model's own version, so both belong together also while another version comes, but for members
 * that programs registered: no version has them. The model is shared, and its JSON is made without the lock.
 *
 * A list is read in pages. A cursor has the version's digest and where the page before it ended: the pages of one version
 * make up one list, and after another version a cursor is refused.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/api/handle.h"
#include "mgmt/core/list_filter.h"
#include "mgmt/api/route.h"
#include "weir/object.h"
#include "weir/suggest.h"

#define LIMIT_DEFAULT 100u
#define WITHIN_MOST                                                                                \
	10000u /* objects within those of a page, as many as one pool has: it ends behind them */
#define CURSOR_DIGITS 16 /* of the version's digest */
#define ROOT          "/v1/"

/* The configuration in force, shared for as long as it is looked at. */
struct objects_look {
	struct intent_shared *shared;
	const struct model *m;
};

static bool open_in_force(struct core *core, struct objects_look *out, struct http_reply *reply)
{
	core_lock(core);
	out->shared = intent_share(core->intent);
	core_unlock(core);
	if (!out->shared) {
		http_problem(reply, 404, "not-found", "there is no configuration yet");
		return false;
	}
	out->m = intent_shared_configured(out->shared); /* a member is no object */
	reply->version = out->m->meta.version;
	return true;
}

/* What the server left encoded is decoded here; what it has decoded stays what it is, as no name has a '%'. */
static bool read_path(const struct http_request *r, struct object_path *out)
{
	return object_path_read(r->path + strlen(ROOT), NULL, out) == 0;
}

/* Answer with @p json (taken), unless the client has it already. */
static void answer_object(const struct http_request *r, json_t *json, const json_t *tagged,
                          struct http_reply *reply)
{
	if (!json || object_etag(tagged, reply->etag)) {
		json_decref(json);
		http_problem(reply, 503, "busy", "out of memory; try again");
		return;
	}
	reply->json = json;
	reply->status = http_names_etag(r->if_none_match, reply->etag, true) ? 304 : 200;
}

static void refuse_unknown(const struct http_request *r, struct http_reply *reply)
{
	http_problem(reply, 404, "not-found", "the configuration in force has no %.200s",
	             r->path + strlen(ROOT));
}

void handle_object(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct object_path path;
	struct objects_look in;

	if (!open_in_force(core, &in, reply))
		return;
	if (!read_path(r, &path) || !object_find(in.m, &path)) {
		refuse_unknown(r, reply);
	} else {
		json_t *json = object_json(in.m, &path);

		answer_object(r, json, json, reply);
	}
	intent_unshare(in.shared);
}

/* Whether objects of this kind have a setting @p field, "labels.region", that is no group. */
static bool field_ok(const json_t *schema, const char *field, struct http_reply *reply)
{
	struct suggest_best suggest = { .given = field };
	char path[HTTP_TEXT_MAX], text[SUGGEST_TEXT_MAX];
	const char *at = field, *name;
	json_t *one;

	while (schema && *at) {
		size_t n = strcspn(at, ".");

		snprintf(path, sizeof(path), "%.*s", (int)n, at);
		suggest = (struct suggest_best){ .given = path };
		json_object_foreach(json_object_get(schema, "properties"), name, one)
		        suggest_try(&suggest, name);
		schema = json_object_get(json_object_get(schema, "properties"), path);
		at += n + (at[n] == '.');
	}
	bool is_group = json_has_text(schema, "type", "object") ||
	                json_has_text(schema, "items.type", "object");
	if (!schema || !*field)
		http_problem(reply, 400, "bad-request", "filter: there is no setting %s%s", field,
		             suggest_text(&suggest, text));
	else if (is_group)
		http_problem(reply, 400, "bad-request", "filter: %s is a group", field);
	return !is_group && schema && *field;
}

static bool read_filter(const struct http_request *r, enum object_kind kind, struct list_filter *f,
                        struct http_reply *reply)
{
	if (!list_filter_read(r, f, reply))
		return false;
	json_t *schema = f->n ? object_schema(kind) : NULL;
	bool ok = true;

	for (size_t i = 0; ok && i < f->n; i++)
		ok = field_ok(schema, f->fields[i], reply);
	json_decref(schema);
	return ok;
}

/* Where a page begins. @return whether there is such a page; else @p reply says why not */
static bool read_cursor(const struct http_request *r, const struct model *m, size_t *from,
                        struct http_reply *reply)
{
	const char *cursor = http_query(r, "cursor");
	size_t n_digits = cursor ? strspn(cursor, "0123456789abcdef") : 0;
	const char *number = cursor ? cursor + n_digits + 1 : "";

	*from = 0;
	if (!cursor)
		return true;
	if (n_digits != CURSOR_DIGITS || cursor[n_digits] != '-' || !*number ||
	    strlen(number) > 6 || number[strspn(number, "0123456789")]) {
		http_problem(reply, 400, "bad-request", "cursor must be the next of an answer");
		return false;
	}
	if (strncmp(cursor, m->meta.digest, CURSOR_DIGITS) != 0) {
		http_problem(reply, 410, "cursor-expired",
		             "another version came into force: read the list from its beginning");
		return false;
	}
	*from = strtoull(number, NULL, 10);
	return true;
}

#define OBJECTS_ROWS(X, t)                                                                         \
	X(t, json_t *, items)                                                                      \
	X(t, const char *, next, .or_null = true)                                                  \
	X(t, uint64_t, version)
RECORD_ANSWER(objects_answer, "objects", OBJECTS_ROWS);

/* How many objects are within @p object: backends of a pool, sites of a service. */
static size_t count_within(const json_t *object)
{
	const char *name;
	size_t n = 0;
	json_t *one;

	json_object_foreach((json_t *)(uintptr_t)object, name, one) n += json_array_size(one);
	return n;
}

/* The objects of a page, from @p i on; then @p i is where the next one begins. @return NULL: memory is short */
static json_t *make_page(const struct model *m, const struct object_path *path,
                         const struct list_filter *filter, uint64_t limit, size_t *i)
{
	size_t n = object_count(m, path), n_within = 0;
	json_t *items = json_array();

	for (; items && *i < n && json_array_size(items) < limit && n_within < WITHIN_MOST; ++*i) {
		json_t *object = object_json_at(m, path, *i);

		if (object && !list_filter_fits(filter, object)) {
			json_decref(object);
			continue;
		}
		n_within += count_within(object);
		if (json_array_append_new(items, object)) {
			json_decref(items);
			return NULL;
		}
	}
	return items;
}

static void answer_page(const struct http_request *r, const struct model *m,
                        const struct object_path *path, struct http_reply *reply)
{
	char next[CURSOR_DIGITS + 24];
	struct list_filter filter;
	uint64_t limit;
	size_t at;

	if (!handle_number(r, "limit", 1, OBJECTS_LIMIT_MOST, LIMIT_DEFAULT, &limit, reply) ||
	    !read_filter(r, path->kind, &filter, reply) || !read_cursor(r, m, &at, reply))
		return;
	struct objects_answer a = { .items = make_page(m, path, &filter, limit, &at),
		                    .version = m->meta.version };
	json_t *items = json_incref(a.items);
	snprintf(next, sizeof(next), "%.16s-%zu", m->meta.digest, at);
	if (at < object_count(m, path))
		a.next = next;
	answer_object(r, items ? record_shown(&objects_answer_kind, &a) : NULL, items, reply);
	json_decref(items);
}

void handle_objects(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct object_path path;
	struct objects_look in;

	if (!open_in_force(core, &in, reply))
		return;
	if (!read_path(r, &path) || !object_find_around(in.m, &path))
		refuse_unknown(r, reply);
	else
		answer_page(r, in.m, &path, reply);
	intent_unshare(in.shared);
}
