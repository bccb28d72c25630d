/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which version last changed what is in force at a path (mgmt/json/blame.h). Versions are read one after the other, each laid out
 * for itself, until the request has taken its time; a cursor goes on from there. Ended versions are left out: what they changed
 * was taken back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mgmt/json/blame.h"
#include "mgmt/api/earlier.h"
#include "mgmt/api/handle.h"
#include "mgmt/files/gather.h"
#include "mgmt/json/setting.h"
#include "mgmt/rules/plan.h"
#include "mgmt/store/shared_intent.h"
#include "weir/json.h"

#define BLAME_MS 2000u /* so long a request reads: behind that is one version more, or none */
#define WAIT_S   5u    /* for others that read earlier versions */
#define WHOLE_PATHS                                                                                \
	(OBJECT_PATH_MAX + HTTP_TEXT_MAX) /* bytes of a path with what is behind its object */

/* What a zone's files say is no setting of a text, and is another one with each change of them, as a plan has it. */
#define CONTENTS        "contents"
#define CONTENTS_DIGITS 16

/* --- the path --- */

struct blame_query {
	struct object_path path;
	char object[OBJECT_PATH_MAX];
	const char *setting; /* behind the object; "": all of it */
};

/* A list in an object is a setting of that: the backends of a pool. @return false: it is none */
static bool make_setting(struct blame_query *a)
{
	const struct object_row *row = object_row(a->path.kind);

	if (!object_is_list(&a->path))
		return true;
	if (row->parent == OBJECT_NONE)
		return false;
	a->setting = strrchr(row->path, '/') + 1;
	a->path.kind = row->parent;
	return true;
}

/* @return whether there may be such a thing; else @p reply says so */
static bool read_blamed_path(const struct http_request *r, struct blame_query *a,
                             struct http_reply *reply)
{
	const char *given = http_query(r, "path");
	char suggestion[SUGGEST_TEXT_MAX];

	if (!given) {
		http_problem(reply, 400, "bad-request",
		             "path must name an object or a setting: pools/NAME/check");
		return false;
	}
	if (object_path_read(given, &a->setting, &a->path) || !make_setting(a)) {
		http_problem(reply, 404, "not-found",
		             "%.200s is no path of an object or of a setting", given);
		return false;
	}
	object_path_text(&a->path, a->object);
	if (a->path.kind == OBJECT_ZONE && !strcmp(a->setting, CONTENTS))
		return true;
	json_t *schema = object_schema(a->path.kind);
	bool ok = setting_describe(schema, a->setting, suggestion);

	json_decref(schema);
	if (!ok)
		http_problem(reply, 404, "not-found", "%.100s has no setting %.100s%s", a->object,
		             a->setting, suggestion);
	return ok;
}

/* The path of a row: that of the object, the setting of the path, and the row's own. */
static const char *row_path(const struct blame_query *a, const char *row, char out[WHOLE_PATHS])
{
	snprintf(out, WHOLE_PATHS, "%s%s%s%s%s", a->object, *a->setting ? "/" : "", a->setting,
	         *row ? "/" : "", row);
	return out;
}

/* --- reading --- */

struct blame_reading {
	struct core *core;
	const struct http_request *request;
	const struct blame_query *query;
	char dir[PATH_MAX];
	char laid_out[PATH_MAX]; /* of the version before; "": none */
	uint64_t until_ns;
};

/* What is laid out of one version is there until the next one, which links equal files to it. */
static void note_laid_out(struct blame_reading *g, const char *digest)
{
	char path[PATH_MAX];

	if (gather_dir(g->dir, digest, path) || !strcmp(path, g->laid_out))
		return;
	if (*g->laid_out)
		files_remove_dir(g->laid_out);
	memcpy(g->laid_out, path, sizeof(path));
}

static json_t *make_object(const struct model *m, const struct object_path *path)
{
	json_t *object = object_json(m, path);

	if (object && path->kind == OBJECT_ZONE) {
		const struct model_zone *zone = object_find(m, path);

		json_object_set_new(object, CONTENTS,
		                    json_sprintf("%.*s", CONTENTS_DIGITS, zone->digest));
	}
	return object;
}

static int read_model(struct blame_reading *g, const struct files *files, json_t **object,
                      char *reason, size_t size)
{
	struct model_errors errors = { 0 };
	struct model *m = NULL;
	int err = earlier_model(g->core, g->dir, files, &m, &errors);

	if (err == -EINVAL)
		gather_first_error(&errors, reason, size);
	else if (err)
		snprintf(reason, size, "%s", strerror(-err));
	if (!err && object_find(m, &g->query->path)) {
		*object = make_object(m, &g->query->path);
		err = *object ? 0 : -ENOMEM;
	}
	model_free(m);
	model_errors_free(&errors);
	return err;
}

/* One under this number that is another version is not this one's files: this node was apart then. */
static int read_version(void *arg, const struct version *v, json_t **object, char *reason,
                        size_t size)
{
	struct blame_reading *g = arg;
	struct files files = { 0 };
	struct version own = { 0 };
	int err = earlier_files(g->core, v->number, &own, &files);

	if (!err && strcmp(own.digest, v->digest) != 0)
		err = -ENOENT;
	if (err)
		snprintf(reason, size, "%s",
		         err == -ENOENT    ? "its files are not here"
		         : err == -EBADMSG ? "its files are damaged"
		         : err == -EROFS   ? "the store fails"
		                           : strerror(-err));
	else
		err = read_model(g, &files, object, reason, size);
	if (*own.digest)
		note_laid_out(g, own.digest);
	files_fini(&files);
	return err;
}

/* Asked before each version but the first, so that every request gets on by one. */
static bool may_go_on(void *arg)
{
	const struct blame_reading *g = arg;

	return clock_mono_ns() < g->until_ns && !http_gone(g->request);
}

/* --- the answer --- */

#define BLAMED_ROWS(X, t)                                                                          \
	X(t, const char *, path)                                                                   \
	X(t, const char *, kind, .one_of = "added|removed|changed")                                \
	X(t, json_t *, from)                                                                       \
	X(t, json_t *, to)                                                                         \
	X(t, bool, certain)                                                                        \
	X(t, uint64_t, version)                                                                    \
	X(t, const char *, author)                                                                 \
	X(t, const char *, principal)                                                              \
	X(t, const char *, reason)                                                                 \
	X(t, const char *, node)                                                                   \
	X(t, struct shown_time, time)
RECORD_SHOWN(blamed, "blamed", BLAMED_ROWS);

#define UNREAD_ROWS(X, t)                                                                          \
	X(t, uint64_t, version)                                                                    \
	X(t, const char *, reason)
RECORD_SHOWN(unread, "unread version", UNREAD_ROWS);

#define BLAME_ANSWER_ROWS(X, t)                                                                    \
	X(t, const char *, path)                                                                   \
	X(t, uint64_t, version)                                                                    \
	X(t, json_t *, items, .each = &blamed_kind)                                                \
	X(t, json_t *, open, .element = &record_string)                                            \
	X(t, struct shown_number, before)                                                          \
	X(t, json_t *, unread, .each = &unread_kind)                                               \
	X(t, uint64_t, more)                                                                       \
	X(t, const char *, next, .or_null = true)
RECORD_ANSWER(blame_answer, "blame", BLAME_ANSWER_ROWS);

static json_t *show_found(const struct blame_query *a, const struct blame *b,
                          const struct blame_found *f, const struct version *v)
{
	json_t *now = blame_now(b, f->row);
	char path[WHOLE_PATHS];

	return SHOWN(blamed, .path = row_path(a, f->row, path),
	             .kind = plan_kind_text(!f->from ? PLAN_ADDED
	                                    : !now   ? PLAN_REMOVED
	                                             : PLAN_CHANGED),
	             .from = json_incref(f->from), .to = json_incref(now), .certain = f->is_certain,
	             .version = v->number, .author = v->author, .principal = v->principal,
	             .reason = v->reason, .node = v->node, .time = { v->time_ms });
}

static json_t *list_found(const struct blame_query *a, const struct blame *b,
                          const struct version *list)
{
	json_t *items = json_array();

	for (size_t i = 0; i < b->n_found; i++)
		json_array_append_new(items,
		                      show_found(a, b, &b->found[i], &list[b->found[i].version]));
	return items;
}

static json_t *list_open(const struct blame_query *a, const struct blame *b)
{
	json_t *paths = json_array(), *value;
	char path[WHOLE_PATHS];
	const char *row;
	size_t i = 0;

	json_object_foreach(b->now, row, value)
	{
		if (i == b->n_rows)
			break;
		if (!b->is_found[i++])
			json_array_append_new(paths, json_text(row_path(a, row, path)));
	}
	return paths;
}

static json_t *list_unread(const struct blame *b, const struct version *list)
{
	json_t *items = json_array();

	for (size_t i = 0; i < b->n_unread; i++)
		json_array_append_new(items,
		                      SHOWN(unread, .version = list[b->unread[i].version].number,
		                            .reason = b->unread[i].reason));
	return items;
}

static void answer_blame(const struct blame_query *a, const struct blame *b,
                         const struct version *list, struct http_reply *reply)
{
	char path[WHOLE_PATHS], next[BLAME_MARK_MAX];
	struct blame_answer answer = { .path = row_path(a, "", path),
		                       .version = list[0].number,
		                       .items = list_found(a, b, list),
		                       .open = list_open(a, b),
		                       .before = { b->n_open > 0, list[b->at].number },
		                       .unread = list_unread(b, list),
		                       .more = b->n_more };

	if (b->n_open > 0 && !b->is_at_end) {
		blame_mark(b, list, next);
		answer.next = next;
	}
	reply->json = record_shown(&blame_answer_kind, &answer);
	reply->status = 200;
}

/* --- the request --- */

/* The versions that were in force, newest first, from the one in force on. @return how many, or -errno */
static int list_in_force(struct core *core, struct version *list, size_t max)
{
	core_lock(core);
	const struct version_history *known = shared_intent_history(core->intent);
	const struct version *head = intent_head(core->intent);
	int n = head ? handle_list_versions(core, head->number + 1, list, max) : -ENOENT;
	int kept = n > 0 ? (int)history_drop_ended(known, head->number, list, (size_t)n) : 0;

	if (n >= 0 && (!kept || list[0].number != head->number))
		n = -EROFS;
	core_unlock(core);
	return n < 0 ? n : kept;
}

/* From the version of the cursor on. @return how many of the list come before it; @p n: @p reply says why not */
static size_t find_begin(const struct http_request *r, const struct version *list, size_t n,
                         struct http_reply *reply)
{
	const char *cursor = http_query(r, "cursor");
	uint64_t begin = cursor ? blame_mark_begin(cursor) : 0;

	if (!cursor)
		return 0;
	size_t i = blame_find(list, n, begin);
	if (!begin)
		http_problem(reply, 400, "bad-request", "cursor must be the next of an answer");
	else if (i == n)
		http_problem(reply, 410, "cursor-expired",
		             "version %" PRIu64
		             " was not in force, or is no longer kept: begin without a cursor",
		             begin);
	return i;
}

/* With the directory to read in. */
static void blame_in(struct blame_reading *g, const struct version *list, size_t n, struct blame *b,
                     struct http_reply *reply)
{
	const struct blame_reader reader = { read_version, may_go_on, g };
	const char *cursor = http_query(g->request, "cursor");
	char reason[160] = "";
	json_t *object = NULL;

	if (read_version(g, &list[0], &object, reason, sizeof(reason))) {
		http_problem(reply, 503, "store", "version %" PRIu64 " cannot be read: %s",
		             list[0].number, reason);
		return;
	}
	int err = blame_begin(b, object, g->query->setting);

	json_decref(object);
	if (err) {
		http_problem(reply, 503, "busy", "out of memory; try again");
	} else if (cursor && !blame_resume(b, list, n, cursor)) {
		http_problem(reply, 400, "bad-request",
		             "cursor must be the next of an answer for this path");
	} else {
		blame_walk(b, list, n, &reader);
		if (blame_is_nothing(b))
			http_problem(reply, 404, "not-found",
			             "none of the versions that are kept here has %.100s%s%.100s",
			             g->query->object, *g->query->setting ? "/" : "",
			             g->query->setting);
		else
			answer_blame(g->query, b, list, reply);
	}
}

static void blame_list(struct core *core, struct http_request *r, const struct blame_query *a,
                       const struct version *list, size_t n, struct http_reply *reply)
{
	struct blame_reading g = { .core = core,
		                   .request = r,
		                   .query = a,
		                   .until_ns = clock_mono_ns() + (uint64_t)BLAME_MS * 1000000 };
	int err = earlier_begin(core, WAIT_S, g.dir);

	if (err) {
		http_problem(reply, 503, "busy", "earlier versions cannot be read now: %s",
		             err == -EBUSY ? "other requests read them" : strerror(-err));
		reply->retry_s = 1;
		return;
	}
	struct blame *b = MEMORY_NEW(struct blame);

	blame_in(&g, list, n, b, reply);
	blame_fini(b);
	free(b);
	earlier_end(core, g.dir);
}

void handle_blame(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct blame_query a;

	if (!read_blamed_path(r, &a, reply))
		return;
	http_doing(r, "reading earlier versions");
	struct version *list = calloc(STORE_VERSIONS_MAX, sizeof(*list));
	int n = list ? list_in_force(core, list, STORE_VERSIONS_MAX) : -ENOMEM;

	if (n == -ENOENT) {
		http_problem(reply, 404, "not-found", "there is no configuration yet");
	} else if (n <= 0) {
		http_problem(reply, 503, n == -ENOMEM ? "busy" : "store",
		             n == -ENOMEM ? "out of memory; try again" : "the store fails");
	} else {
		size_t i = find_begin(r, list, (size_t)n, reply);

		if (!reply->status)
			blame_list(core, r, &a, list + i, (size_t)n - i, reply);
	}
	free(list);
}
