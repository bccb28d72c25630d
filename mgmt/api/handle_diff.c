/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What differs between two versions, of this node or of a peer. Files are compared as text; what
 * the difference means comes from the same plan that an apply shows, made from the models of both
 * versions (mgmt/api/earlier.h).
 * The files' text is for who may read files. A peer's version is fetched for this request and not kept.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/api/earlier.h"
#include "mgmt/api/handle.h"
#include "mgmt/peers/peer_query.h"
#include "mgmt/peers/peers.h"
#include "mgmt/sync/shared_files.h"
#include "mgmt/core/to_json.h"
#include "mgmt/store/bootstrap.h"
#include "mgmt/files/linediff.h"
#include "weir/json.h"

#define PEER_QUERY_MS  5000 /* for a peer: a person waits */
#define COMPARE_WAIT_S 30u  /* for other requests that compare: each takes a few seconds */

/* One side of a comparison. */
struct side {
	char node[MODEL_NAME_MAX]; /* "": this one */
	uint64_t number;           /* 0: the head */
	struct files files;
};

/* "N", "head", "NODE" (its head) or "NODE:N". */
static bool read_side(const char *text, struct side *out)
{
	const char *colon = strchr(text, ':'), *digits = colon ? colon + 1 : text;
	size_t n = strspn(digits, "0123456789");
	bool is_number = n > 0 && n < 16 && !digits[n];

	*out = (struct side){ .number = is_number ? strtoull(digits, NULL, 10) : 0 };
	if ((colon && !out->number) || (is_number && !out->number))
		return false;
	if (is_number && !colon)
		return true;
	n = colon ? (size_t)(colon - text) : strlen(text);
	if (n == 0 || n >= sizeof(out->node))
		return false;
	if (colon || strcmp(text, "head") != 0)
		memcpy(out->node, text, n); /* the rest is zero */
	return true;
}

/* A version of this node. */
static int read_own(struct core *core, struct side *side)
{
	struct version v;

	core_lock(core);
	const struct version *head = intent_head(core->intent);
	if (!side->number && head)
		side->number = head->number;
	core_unlock(core);
	return side->number ? earlier_files(core, side->number, &v, &side->files) : -ENOENT;
}

/* The number of the head that a peer said last; 0: none. Under the lock. */
static uint64_t find_peer_head(const struct core *core, const char *node)
{
	const struct peers_report *reports;
	size_t n = peers_report(core, &reports);
	const struct peers_report *v = peers_find(reports, n, node);

	return v ? v->number : 0;
}

/*
 * The address of the peer whose side it is, and its head where no number is said. @return whether there is one
 * with an address
 */
static bool find_peer(struct core *core, struct side *side, char api[CLIENT_URL_MAX])
{
	core_lock(core);
	bool ok = peers_copy_api(join_model(core->intent), side->node, api);

	if (!side->number)
		side->number = find_peer_head(core, side->node);
	core_unlock(core);
	return ok;
}

/* Fetch a version from a peer. */
static int fetch_side(struct core *core, const char *api, struct side *side,
                      char err_text[HTTP_TEXT_MAX])
{
	struct client_request r = { .timeout_ms = PEER_QUERY_MS };
	int err = -EHOSTUNREACH;

	if (!side->number) {
		snprintf(err_text, HTTP_TEXT_MAX, "no version of the node is known");
		return err;
	}
	peer_query_one(core, NULL, api, "version",
	               json_pack("{s:I}", "number", (json_int_t)side->number), &r);
	if (r.answer)
		err = files_from_json(json_object_get(r.answer, "files"),
		                      &(struct file_source){ core_find_file, core }, &side->files,
		                      err_text);
	else
		snprintf(err_text, HTTP_TEXT_MAX, "%s", r.failure);
	json_decref(r.answer);
	return err;
}

/* Get the files of one side, or say why not. */
static bool get_side(struct core *core, const char *text, struct side *side,
                     struct http_reply *reply)
{
	char api[CLIENT_URL_MAX], err_text[HTTP_TEXT_MAX] = "";

	if (!read_side(text, side)) {
		http_problem(reply, 404, "not-found",
		             "%.60s is not a version number, a node name or NODE:NUMBER", text);
		return false;
	}
	if (!*side->node || !strcmp(side->node, core->dirs.node)) {
		shared_files_require(core, side->number);
		int err = read_own(core, side);

		if (err)
			handle_version_unread(err, reply);
		return err == 0;
	}
	if (!find_peer(core, side, api)) {
		http_problem(reply, 404, "not-found",
		             "there is no node %.60s with an api address in the configuration",
		             side->node);
		return false;
	}
	if (fetch_side(core, api, side, err_text)) {
		http_problem(reply, 503, "peer-unreachable",
		             "node %.60s did not send the version: %s", side->node, err_text);
		return false;
	}
	return true;
}

static json_t *list_changes(void *arg, const struct model *from, const struct model *to,
                            const struct change_plan *plan)
{
	json_t *whole = plan_to_json(plan);
	json_t *changes = json_incref(json_object_get(whole, "changes"));

	(void)arg;
	(void)from;
	(void)to;
	json_decref(whole);
	return changes;
}

/* Compare the models of both versions, laid out below @p dir; null if this release cannot read one of them. */
static json_t *compare_models_in(const struct core *core, const char *dir, const struct files *from,
                                 const struct files *to, handle_say *say, void *arg)
{
	struct model_errors errors_a = { 0 }, errors_b = { 0 };
	struct model *a = NULL, *b = NULL;
	struct change_plan plan = { 0 };
	json_t *changes = json_null();

	if (!earlier_model(core, dir, from, &a, &errors_a) &&
	    !earlier_model(core, dir, to, &b, &errors_b) && !plan_compare(a, b, &plan)) {
		changes = say(arg, a, b, &plan);
		plan_fini(&plan);
	}
	model_free(a);
	model_free(b);
	model_errors_free(&errors_a);
	model_errors_free(&errors_b);
	return changes;
}

json_t *handle_compare(struct core *core, const struct files *from, const struct files *to,
                       handle_say *say, void *arg)
{
	char dir[PATH_MAX];

	if (earlier_begin(core, COMPARE_WAIT_S, dir))
		return json_null();
	json_t *changes = compare_models_in(core, dir, from, to, say, arg);

	earlier_end(core, dir);
	return changes;
}

#define DIFF_ROWS(X, t)                                                                            \
	X(t, uint64_t, from)                                                                       \
	X(t, uint64_t, to)                                                                         \
	X(t, const char *, from_node)                                                              \
	X(t, const char *, to_node)                                                                \
	X(t, json_t *, changes, .or_null = true, .each = &plan_change_shown)                       \
	X(t, const char *, text, .or_null = true)
RECORD_ANSWER(diff_answer, "difference", DIFF_ROWS);

void handle_version_diff(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct side from = { 0 }, to = { 0 };

	if (get_side(core, r->parts[0], &from, reply) && get_side(core, r->parts[1], &to, reply)) {
		bool has_text = r->role >= HTTP_OPERATOR;
		char *text = has_text ? linediff_files(&from.files, &to.files) : NULL;

		const struct diff_answer a = {
			.from = from.number,
			.to = to.number,
			.from_node = *from.node ? from.node : core->dirs.node,
			.to_node = *to.node ? to.node : core->dirs.node,
			.changes = handle_compare(core, &from.files, &to.files, list_changes, NULL),
			.text = !has_text ? NULL
			        : text    ? text
			                  : "",
		};

		reply->json = record_shown(&diff_answer_kind, &a);
		reply->status = 200;
		free(text);
	}
	files_fini(&from.files);
	files_fini(&to.files);
}
