/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Edits of single objects: PUT, PATCH and DELETE on their paths, and several as one version (POST /v1/changes). The text of
 * the version in force is edited in place (weir/edit.h); then it goes the ordinary way of a change (handle_config.h).
 *
 * An attempt has the lock of candidates from its look at what is in force to its commit, so edits at one node never meet.
 * Where another node's change came first, the next attempt looks again: only the ETags of the objects that are edited
 * decide, so that writers of different objects never collide, and of writers of one object the later one gets it as it is
 * now.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/change/handle_config.h"
#include "mgmt/api/change/handle_scope.h"
#include "mgmt/api/change/unconfirmed.h"
#include "weir/edit.h"
#include "weir/json.h"

#define ROOT         "/v1/"
#define ATTEMPTS_MAX 5u
#define MOVED_MS     2000u /* for the version that came first to arrive here */
#define TOKEN_DIGITS 32    /* of SHA-256 */

/* An edit as a request has it; texts and JSON are the request's. */
struct requested_edit {
	enum edit_how how;
	struct object_path path;
	const char *if_match, *if_none_match; /* "": not given */
	const json_t *value;
};

/* All edits of a request. */
struct requested_change {
	struct requested_edit *edits;
	size_t n;
	bool is_list;                 /* POST /v1/changes */
	char digest[DIGEST_TEXT_MAX]; /* of the list */
	const char *token;            /* NULL: none */
};

/* What is in force as an attempt finds it. */
struct edited_version {
	struct intent_shared *shared;
	const struct model *m;
	struct files files;
	uint64_t number;
	char digest[DIGEST_TEXT_MAX];
};

/* An object as it is in force; no JSON: it is not there. */
struct edited_object {
	json_t *json;
	char etag[OBJECT_ETAG_MAX];
};

/* Say which edit of several an answer is about. */
static void add_edit_number(const struct requested_change *a, size_t i, struct http_reply *reply)
{
	if (a->is_list)
		json_object_set_new(reply->json, "edit", json_integer((json_int_t)i));
}

/* --- what is in force --- */

/* Share the model in force and copy its files: large ones are named, not read. */
static bool open_edited(struct core *core, struct edited_version *out, struct http_reply *reply)
{
	*out = (struct edited_version){ 0 };
	core_lock(core);
	const struct version *head = intent_head(core->intent);
	const struct files *files = intent_head_files(core->intent);
	int err = 0;

	if (head && files)
		out->shared = intent_share(core->intent);
	if (out->shared) {
		out->m = intent_shared_configured(out->shared);
		out->number = head->number;
		memcpy(out->digest, head->digest, sizeof(out->digest));
		err = files_copy(&out->files, files);
	}
	core_unlock(core);
	if (!head)
		http_problem(reply, 404, "not-found", "there is no configuration yet");
	else if (!files)
		http_problem(reply, 503, "store",
		             "the files of the version in force are lost here: apply it whole");
	else if (!out->shared || err || out->m->meta.version != out->number ||
	         strcmp(out->m->meta.digest, out->digest) != 0) {
		http_problem(reply, 503, "busy", "the version in force is just being written");
		reply->retry_s = 1;
	} else {
		return true;
	}
	intent_unshare(out->shared);
	out->shared = NULL;
	files_fini(&out->files);
	return false;
}

static void close_edited(struct edited_version *v)
{
	intent_unshare(v->shared);
	files_fini(&v->files);
}

/* Whether that is in force still. Under the lock. */
static bool is_edited_in_force(const struct core *core, const struct edited_version *v)
{
	const struct version *head = intent_head(core->intent);

	return head && head->number == v->number && !strcmp(head->digest, v->digest);
}

/* --- preconditions --- */

static bool is_same_object(const struct object_path *a, const struct object_path *b)
{
	bool same = a->kind == b->kind && a->n_names == b->n_names;

	for (unsigned i = 0; same && i < a->n_names; i++)
		same = !strcmp(a->names[i], b->names[i]);
	return same;
}

static void refuse_no_memory(struct http_reply *reply)
{
	http_problem(reply, 503, "busy", "out of memory: nothing was changed; try again");
	reply->retry_s = 1;
}

/* Each object once, however many edits it has. @return given, NULL: memory is short */
static struct edited_object *look_at_objects(const struct edited_version *v,
                                             const struct requested_change *a)
{
	struct edited_object *now = calloc(a->n, sizeof(*now));
	bool ok = now;

	for (size_t i = 0; ok && i < a->n; i++) {
		size_t k = 0;

		while (k < i && !is_same_object(&a->edits[k].path, &a->edits[i].path))
			k++;
		if (k < i) {
			now[i] = now[k];
			json_incref(now[i].json);
		} else if (object_find(v->m, &a->edits[i].path)) {
			now[i].json = object_json(v->m, &a->edits[i].path);
			ok = now[i].json && !object_etag(now[i].json, now[i].etag);
		}
	}
	if (ok)
		return now;
	for (size_t i = 0; now && i < a->n; i++)
		json_decref(now[i].json);
	free(now);
	return NULL;
}

static void refuse_stale(const struct edited_object *now, const struct object_path *path,
                         struct http_reply *reply)
{
	char text[OBJECT_PATH_MAX];

	object_path_text(path, text);
	http_problem(reply, 412, "stale", "%.300s %s%s", text,
	             now->json ? "is another one now: its ETag is " : "is not there any more",
	             now->etag);
	json_object_set_new(reply->json, "head", json_string(now->etag));
	json_object_set(reply->json, "object", now->json ? now->json : json_null());
}

/* Whether the object is as its writer saw it. Of several edits the engine says whether an object is there when its turn comes. */
static bool precondition_ok(const struct edited_version *v, const struct requested_change *a,
                            size_t i, const struct edited_object *now, struct http_reply *reply)
{
	const struct requested_edit *e = &a->edits[i];
	bool is_tagged = *e->if_match && strcmp(e->if_match, "*") != 0,
	     may_create = e->how == EDIT_PUT && !*e->if_match;
	char text[OBJECT_PATH_MAX];

	if (!a->is_list && !now->json && (!may_create || !object_find_around(v->m, &e->path)))
		http_problem(reply, 404, "not-found", "the configuration in force has no %.300s",
		             object_path_text(&e->path, text));
	else if (!*e->if_match && !*e->if_none_match)
		http_problem(reply, 428, "if-match-required",
		             "send If-Match with the object's ETag or \"*\", or to create it "
		             "If-None-Match: *");
	else if (*e->if_match && *e->if_none_match)
		http_problem(reply, 400, "bad-request", "If-Match or If-None-Match, not both");
	else if (*e->if_none_match && (strcmp(e->if_none_match, "*") != 0 || e->how != EDIT_PUT))
		http_problem(reply, 400, "bad-request",
		             "If-None-Match is \"*\", of a PUT that creates an object");
	else if ((is_tagged && !http_names_etag(e->if_match, now->etag, false)) ||
	         (*e->if_none_match && now->json && !a->is_list))
		refuse_stale(now, &e->path, reply);
	else
		return true;
	add_edit_number(a, i, reply);
	return false;
}

/* --- the text --- */

/* The files that are read for an edit, until it is done. */
struct edit_reading {
	const struct files *files;
	struct files_text *texts;
	size_t n;
};

static int read_for_edit(void *arg, const char *name, const char **bytes, size_t *n)
{
	struct edit_reading *r = arg;
	const struct files_item *item = files_find(r->files, name);
	struct files_text *texts = item ? realloc(r->texts, (r->n + 1) * sizeof(*texts)) : NULL;

	if (!texts)
		return item ? -ENOMEM : -ENOENT;
	r->texts = texts;
	int err = files_read(item, &texts[r->n]);
	if (err)
		return err;
	*bytes = texts[r->n].bytes;
	*n = texts[r->n].n;
	r->n++;
	return 0;
}

static json_t *list_errors(const struct edit_refusal *refusal)
{
	json_t *list = json_array();

	for (size_t i = 0; i < refusal->n_errors; i++)
		json_array_append_new(list, JSON_TEXTS({ "field", refusal->errors[i].path },
		                                       { "detail", refusal->errors[i].detail }));
	return list;
}

static json_t *list_positions(const struct edit_refusal *refusal)
{
	json_t *list = json_array();

	for (size_t i = 0; i < refusal->n_positions; i++)
		json_array_append_new(list,
		                      json_with(json_with(json_object(), "file",
		                                          json_text(refusal->positions[i].file)),
		                                "line", json_integer(refusal->positions[i].line)));
	return list;
}

static json_t *list_referents(const struct edit_refusal *refusal)
{
	json_t *list = json_array();

	for (size_t i = 0; i < refusal->n_referents; i++)
		json_array_append_new(list, json_text(refusal->referents[i]));
	return list;
}

static void refuse_edits(const struct requested_change *a, const struct edited_object *now,
                         const struct edit_refusal *refusal, struct http_reply *reply)
{
	const char *code = edit_code_text(refusal->code);
	size_t i = refusal->edit < a->n ? refusal->edit : 0;

	switch (refusal->code) {
	case EDIT_NOT_FOUND:
		http_problem(reply, 404, code, "%s", refusal->text);
		break;
	case EDIT_EXISTS:
		refuse_stale(&now[i], &a->edits[i].path, reply);
		break;
	case EDIT_INVALID:
		http_problem(reply, 422, code, "%s", refusal->text);
		json_object_set_new(reply->json, "errors", list_errors(refusal));
		break;
	case EDIT_REFERENCED:
		http_problem(reply, 409, code, "%s", refusal->text);
		json_object_set_new(reply->json, "referents", list_referents(refusal));
		break;
	case EDIT_SHARED_INCLUDE:
	case EDIT_NOT_EDITABLE:
		http_problem(reply, 409, code, "%s", refusal->text);
		json_object_set_new(reply->json, "positions", list_positions(refusal));
		break;
	}
	add_edit_number(a, i, reply);
}

/* Put the files that the edits made in the place of those in force. */
static int replace_files(const struct edit_result *result, struct files *files)
{
	int err = 0;

	for (size_t i = 0; i < result->n_files && !err; i++) {
		const struct edit_file *f = &result->files[i];
		struct files one = { 0 };

		err = files_add(&one, f->name, f->bytes, f->n);
		if (!err)
			err = files_put(files, f->name, &one.items[0]);
		files_fini(&one);
	}
	return err;
}

/* Edit the text of @p v. @param now  the objects @return whether it is edited; else @p reply says why not */
static bool edit_files(struct edited_version *v, const struct requested_change *a,
                       const struct edited_object *now, struct http_reply *reply)
{
	struct edit_reading reading = { .files = &v->files };
	struct edit *edits = calloc(a->n, sizeof(*edits));
	struct edit_result result = { 0 };
	int err = edits ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < a->n; i++)
		edits[i] = (struct edit){ .how = a->edits[i].how,
			                  .create = *a->edits[i].if_none_match ? EDIT_IF_NOT_THERE
			                                                       : EDIT_IF_THERE,
			                  .path = a->edits[i].path,
			                  .value = a->edits[i].value,
			                  .current = now[i].json };
	if (!err)
		err = edit_configuration(read_for_edit, &reading, FILES_MAIN, edits, a->n, &result);
	for (size_t i = 0; i < reading.n; i++)
		files_read_end(&reading.texts[i]);
	free(reading.texts);
	bool is_refused = err == -EINVAL;
	if (!err)
		err = replace_files(&result, &v->files);
	if (is_refused)
		refuse_edits(a, now, &result.refusal, reply);
	else if (err == -ENOMEM)
		refuse_no_memory(reply);
	else if (err == -E2BIG)
		http_problem(reply, 413, "too-large", "the files would be too large");
	else if (err)
		http_problem(reply, 500, "internal", "%s", strerror(-err));
	edit_result_free(&result);
	free(edits);
	return !err;
}

/* @return whether the edits are made in the text; else @p reply says why not */
static bool make_edits(struct edited_version *v, const struct requested_change *a,
                       struct http_reply *reply)
{
	struct edited_object *now = look_at_objects(v, a);
	bool ok = now;

	if (!now)
		refuse_no_memory(reply);
	for (size_t i = 0; ok && i < a->n; i++)
		ok = precondition_ok(v, a, i, &now[i], reply);
	ok = ok && edit_files(v, a, now, reply);
	for (size_t i = 0; now && i < a->n; i++)
		json_decref(now[i].json);
	free(now);
	return ok;
}

/* --- the change --- */

/*
 * What a plan was made of: the version in force, the edits, the overrides, the risks that were found. The same token at the
 * change means that nothing of that is another. Under the lock.
 */
static void make_token(struct core *core, const struct edited_version *v,
                       const struct requested_change *a, const struct intent_candidate *candidate,
                       char out[DIGEST_TEXT_MAX])
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (f) {
		fprintf(f, "%" PRIu64 " %s %s %s", v->number, v->digest, a->digest,
		        core_overrides_digest(core));
		for (size_t i = 0; i < candidate->plan.n_risks; i++)
			fprintf(f, "\n%s", candidate->plan.risks[i].text);
		fclose(f);
	}
	digest_bytes(text ? text : "", text ? n : 0, out);
	out[TOKEN_DIGITS] = '\0';
	free(text);
}

/* A plan, as an answer, becomes the refusal of a change that was planned otherwise. */
static void refuse_other_plan(const char *token, struct http_reply *reply)
{
	json_t *plan = json_incref(json_object_get(reply->json, "plan"));

	http_problem(
	        reply, 409, "plan-changed",
	        "the plan is another now: the version in force, the overrides or the edits are "
	        "not those that the token was made for; look at the new plan");
	json_object_set_new(reply->json, "plan", plan);
	json_object_set_new(reply->json, "token", json_string(token));
}

/* Commit the candidate, unless it was planned otherwise, and fill @p reply. Under both locks. */
static void commit_edits(struct core *core, const struct edited_version *v,
                         const struct requested_change *a, struct change_request *c,
                         struct intent_candidate *candidate, int err, struct http_reply *reply)
{
	const struct requested_edit *only = a->is_list ? NULL : &a->edits[0];
	char token[DIGEST_TEXT_MAX] = "";
	json_t *object = NULL;

	if (!err && a->is_list)
		make_token(core, v, a, candidate, token);
	bool is_other = *token && a->token && strcmp(a->token, token) != 0;
	bool is_trial = c->change.dry_run, is_proposal = c->change.is_proposal;
	if (!err && only && only->how != EDIT_DELETE && candidate->model)
		object = object_json(candidate->model, &only->path);
	c->change.dry_run |= is_other;
	c->change.is_proposal &= !is_other;
	handle_change_commit(core, c, candidate, err, reply);
	c->change.dry_run = is_trial;
	c->change.is_proposal = is_proposal;
	if (reply->status > 299) {
		json_decref(object);
		return;
	}
	if (is_other)
		refuse_other_plan(token, reply);
	else if (a->is_list && is_trial)
		json_object_set_new(reply->json, "token", json_string(token));
	if (only) {
		reply->etag[0] = '\0';
		if (object && object_etag(object, reply->etag))
			reply->etag[0] = '\0';
		json_object_set_new(reply->json, "object", object ? object : json_null());
	}
}

/* Whether another change came first; which may not be here yet. */
static bool is_overtaken(const struct http_reply *reply)
{
	const char *code = json_get_text(reply->json, "code");

	return reply->status == 412 && code &&
	       (!strcmp(code, "stale") || !strcmp(code, "not-here"));
}

/* Wait for what came first. Under the core's lock. */
static void await_other_version(struct core *core, const struct edited_version *v)
{
	uint64_t until_ms = clock_mono_ms() + MOVED_MS;

	while (is_edited_in_force(core, v) && core_wait(core, until_ms))
		;
}

/* Try once. @return false: what is in force became another meanwhile, and @p reply says so */
static bool try_edits(struct core *core, const struct requested_change *a, struct change_request *c,
                      struct http_reply *reply)
{
	struct edited_version v;
	struct intent_candidate candidate;

	http_doing(c->request, "waiting for another change to finish");
	pthread_mutex_lock(&core->candidate_lock);
	http_doing(c->request, "editing the configuration");
	if (!open_edited(core, &v, reply) || !make_edits(&v, a, reply)) {
		pthread_mutex_unlock(&core->candidate_lock);
		close_edited(&v);
		return true;
	}
	c->change.files = &v.files;
	int err = handle_change_prepare(core, c, &candidate);
	bool is_moved = !is_edited_in_force(core, &v);
	if (!is_moved) {
		commit_edits(core, &v, a, c, &candidate, err, reply);
		is_moved = is_overtaken(reply);
		if (is_moved)
			await_other_version(core, &v);
	} else {
		if (!err)
			intent_candidate_drop(core->intent, &candidate);
		http_problem(reply, 412, "stale", "another change came first");
	}
	handle_change_unlock(core);
	close_edited(&v);
	return !is_moved;
}

/*
 * Edits are judged by their paths, before, as one may change nothing, and again by what becomes of the objects. What others have from
 * an edited object, as sites' weights, they have not been given: it is not touched.
 */
static bool begin_scope(struct core *core, const struct http_request *r,
                        const struct requested_change *a, struct change_request *c,
                        struct object_path **paths, struct http_reply *reply)
{
	*paths = r->is_scoped ? calloc(a->n, sizeof(**paths)) : NULL;
	if (!r->is_scoped)
		return true;
	if (!*paths) {
		refuse_no_memory(reply);
		return false;
	}
	for (size_t i = 0; i < a->n; i++)
		(*paths)[i] = a->edits[i].path;
	c->paths = *paths;
	c->n_paths = a->n;
	return handle_scope_has(core, r, *paths, a->n, reply) &&
	       handle_scope_begin(core, r, c, reply);
}

static void change_by_edits(struct core *core, const struct http_request *r,
                            const struct requested_change *a, struct change_request *c,
                            struct http_reply *reply)
{
	struct object_path *paths;
	bool may = begin_scope(core, r, a, c, &paths, reply), is_done = !may;

	c->request = r;
	for (unsigned i = 0; i < ATTEMPTS_MAX && !is_done; i++) {
		http_reply_fini(reply);
		is_done = try_edits(core, a, c, reply);
	}
	if (!is_done && json_has_text(reply->json, "code", "stale")) {
		http_problem(reply, 503, "busy",
		             "other changes came first %u times: nothing was changed; try again",
		             ATTEMPTS_MAX);
		reply->retry_s = 1;
	}
	json_decref(c->outside);
	free(paths);
	if (may)
		handle_change_answer(core, r, c, reply);
}

static bool read_how(const char *method, enum edit_how *out)
{
	static const char *const names[] = {
		[EDIT_PUT] = "PUT", [EDIT_PATCH] = "PATCH", [EDIT_DELETE] = "DELETE"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], method)) {
			*out = (enum edit_how)i;
			return true;
		}
	return false;
}

/* --- one object --- */

/* The query of an edit says what the bodies of other changes say. */
#define TERMS_ROWS(X, t)                                                                           \
	SAID_ROWS(X, t)                                                                            \
	CHANGE_TERMS(X, t)
RECORD_ANSWER(edit_terms, "query", TERMS_ROWS);

static bool read_flags(const struct http_request *r, struct change_request *c,
                       struct http_reply *reply)
{
	*c = (struct change_request){ .origin = ORIGIN_REQUEST };
	return handle_change_flags(r, c, reply);
}

static void use_terms(const struct http_request *r, struct field_reader *f,
                      const struct edit_terms *t, struct change_request *c)
{
	c->change.reason = t->reason;
	c->change.author = t->author ? t->author : r->principal;
	const struct change_terms terms = CHANGE_TERMS_OF(t);

	handle_change_read(f, r, &terms, &c->change);
}

#define QUERY_TERM(r, type, name, ...) { #name, http_query(r, #name) },

void handle_object_edit(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct requested_edit edit = { .if_match = r->if_match,
		                       .if_none_match = r->if_none_match,
		                       .value = r->json };
	struct requested_change a = { .edits = &edit, .n = 1 };
	struct change_request c;
	struct edit_terms terms;
	struct field_reader f;

	if (!read_how(r->method, &edit.how) ||
	    object_path_read(r->path + strlen(ROOT), NULL, &edit.path) ||
	    object_is_list(&edit.path)) {
		http_problem(reply, 404, "not-found", "there is no resource %.300s", r->path);
		return;
	}
	if (!read_flags(r, &c, reply))
		return;
	json_t *query =
	        json_texts((const char *const[][2]){ TERMS_ROWS(QUERY_TERM, r){ NULL, NULL } });
	field_read(&f, query, &edit_terms_kind, &terms);
	use_terms(r, &f, &terms, &c);
	if (handle_change_close(&f, r, &c, reply))
		change_by_edits(core, r, &a, &c, reply);
	json_decref(query);
}

/* --- several --- */

static const struct record_kind any_object = { .name = "object" };
#define EDIT_ROWS(X, t)                                                                            \
	X(t, const char *, method, .most = 6, .one_of = "PUT|PATCH|DELETE")                        \
	X(t, const char *, path, .most = OBJECT_PATH_MAX - 1)                                      \
	X(t, const char *, if_match, .most = HTTP_TEXT_MAX - 1, .spare = true)                     \
	X(t, const char *, if_none_match, .most = HTTP_TEXT_MAX - 1, .spare = true)                \
	X(t, json_t *, value, .spare = true, .of = &any_object)
RECORD_ANSWER(edit_body, "edit", EDIT_ROWS);
#define CHANGES_BODY_ROWS(X, t)                                                                                                    \
	X(t, json_t *, edits, .each = &edit_body_kind,                                                                             \
	  .example =                                                                                                               \
	          "[{\"method\": \"PATCH\", \"path\": \"pools/web\", \"if_match\": \"*\", \"value\": {\"max_remove\": \"40%\"}}]") \
	TERMS_ROWS(X, t)                                                                                                           \
	X(t, const char *, token, .most = TOKEN_DIGITS, .spare = true)
RECORD_ANSWER(changes_body, "edits and reason", CHANGES_BODY_ROWS);
#define COPY_TERM(t, type, name, ...) .name = body.name,

static bool read_edit(const json_t *given, struct requested_edit *out, struct http_reply *reply)
{
	struct edit_body body;
	struct field_reader f;

	field_read(&f, given, &edit_body_kind, &body);
	if (body.method && !read_how(body.method, &out->how))
		field_refuse(&f, "method", "expected PUT, PATCH or DELETE");
	if (body.path &&
	    (object_path_read(body.path, NULL, &out->path) || object_is_list(&out->path)))
		field_refuse(&f, "path", "expected that of an object, as pools/NAME/backends/NAME");
	bool has_value = body.method && strcmp(body.method, "DELETE") != 0;
	if (body.method && has_value != (body.value != NULL))
		field_refuse(&f, "value", has_value ? "is required" : "is not for DELETE");
	out->if_match = body.if_match ? body.if_match : "";
	out->if_none_match = body.if_none_match ? body.if_none_match : "";
	out->value = body.value;
	return field_end(&f, reply);
}

static bool read_edits(const json_t *given, struct requested_change *a, struct http_reply *reply)
{
	a->n = json_array_size(given);
	a->edits = calloc(a->n, sizeof(*a->edits));
	char *text = json_dumps(given, JSON_COMPACT | JSON_SORT_KEYS);
	bool ok = a->edits && text;

	if (!ok)
		refuse_no_memory(reply);
	digest_bytes(text ? text : "", text ? strlen(text) : 0, a->digest);
	free(text);
	for (size_t i = 0; ok && i < a->n; i++) {
		ok = read_edit(json_array_get(given, i), &a->edits[i], reply);
		if (!ok)
			add_edit_number(a, i, reply);
	}
	return ok;
}

void handle_changes(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct requested_change a = { .is_list = true };
	struct changes_body body;
	struct change_request c;
	struct field_reader f;

	if (!read_flags(r, &c, reply))
		return;
	field_read(&f, r->json, &changes_body_kind, &body);
	const struct edit_terms terms = { TERMS_ROWS(COPY_TERM, ) };
	use_terms(r, &f, &terms, &c);
	size_t n = json_array_size(body.edits);
	if (body.edits && (n == 0 || n > EDIT_MAX))
		field_refuse(&f, "edits", "expected a list of 1 to %u edits", EDIT_MAX);
	a.token = body.token;
	if (handle_change_close(&f, r, &c, reply) && read_edits(body.edits, &a, reply))
		change_by_edits(core, r, &a, &c, reply);
	free(a.edits);
}

/* --- the answer --- */

#define EDIT_ANSWER_ROWS(X, t)                                                                     \
	CHANGE_ROWS(X, t)                                                                          \
	X(t, json_t *, object, .later = true, .or_null = true, .of = &any_object)
#define CHANGES_ANSWER_ROWS(X, t)                                                                  \
	CHANGE_ROWS(X, t)                                                                          \
	X(t, const char *, token, .later = true)
RECORD_ANSWER(edit_answer, "change", EDIT_ANSWER_ROWS);
RECORD_ANSWER(changes_answer, "change", CHANGES_ANSWER_ROWS);
