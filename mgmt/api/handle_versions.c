/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of versions, and the one in force. Both are read under the lock: from the records of who decides, else
 * from this node's own store.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/api/handle.h"
#include "mgmt/sync/shared_files.h"
#include "mgmt/core/to_json.h"
#include "mgmt/store/shared_intent.h"

/*
 * One that was not confirmed, or was taken back, has ended for good. What is in force by the store waits for its files, where it
 * is not in force here, and a newer one for the store's word that it has ended.
 */
static json_t *kept_version_to_json(const struct core *core, const struct version *v)
{
	const struct version_history *h = shared_intent_history(core->intent);
	const struct version *head = intent_head(core->intent);
	struct pending_clock clock;
	struct version waiting;
	enum chain_mark mark;

	if (intent_waiting(core->intent, &waiting) && version_is_same(v, &waiting))
		return version_to_json(v, &waiting); /* elsewhere, too */
	if (version_is_same(v, head) || !history_version(h, v->number, &mark))
		return version_to_json(v, head);
	pending_clock_read(&clock);
	const struct version *chosen = history_in_force(h, clock.now_ms);

	return version_state_json(v, head,
	                          mark == CHAIN_ENDED                     ? VERSION_ENDED
	                          : chosen && v->number >= chosen->number ? VERSION_WAITING
	                                                                  : VERSION_SUPERSEDED);
}

int handle_list_versions(struct core *core, uint64_t before, struct version *list, size_t max)
{
	const struct version_history *h = shared_intent_history(core->intent);
	const struct version *newest = history_head(h), *v;
	struct store *store = intent_store_to_read(core->intent);
	int n = 0;

	if (!newest)
		return store ? store_versions(store, before, list, max) : -EROFS;
	uint64_t number = before && before <= newest->number ? before - 1 : newest->number;

	/* the oldest are gone, and with them their numbers */
	for (size_t i = 0; i < STORE_VERSIONS_MAX && number > 0 && (size_t)n < max; i++)
		if ((v = history_version(h, number--, NULL)))
			list[n++] = *v;
	/* of older ones there is no record any more, where another decides now */
	if (store && (size_t)n < max) {
		uint64_t below = n ? list[n - 1].number : before;
		int older = store_versions(store, below, list + n, max - (size_t)n);

		n += older > 0 ? older : 0;
	}
	return n;
}

/* The answer to GET /v1/versions. Its head is the version in force: not the newest one, where that has ended or is not here yet. */
#define VERSIONS_ROWS(X, t)                                                                        \
	X(t, json_t *, items, .each = &version_shown)                                              \
	X(t, struct shown_number, head)                                                            \
	X(t, const char *, etag, .or_null = true)
RECORD_ANSWER(versions_answer, "versions", VERSIONS_ROWS);

void handle_versions(struct core *core, struct http_request *r, struct http_reply *reply)
{
	uint64_t limit, before;

	if (!handle_number(r, "limit", 1, 1000, 100, &limit, reply) ||
	    !handle_number(r, "before", 1, INT64_MAX, 0, &before, reply))
		return;
	struct version *list = calloc(limit, sizeof(*list));
	char etag[HTTP_TEXT_MAX];
	core_lock(core);
	struct store *store = intent_store_to_read(core->intent);
	const struct version *head = intent_head(core->intent);
	int n = list ? handle_list_versions(core, before, list, limit) : -ENOMEM;
	if (n < 0) {
		const char *reason = intent_store_reason(core->intent);

		http_problem(reply, 503, "store", "the store fails: %s",
		             !*reason && store ? store_reason(store) : reason);
	} else {
		struct versions_answer a = { .items = json_array(),
			                     .head = { head, head ? head->number : 0 },
			                     .etag = head ? version_etag_text(head, etag) : NULL };

		for (int i = 0; i < n; i++)
			json_array_append_new(a.items, kept_version_to_json(core, &list[i]));
		reply->json = record_shown(&versions_answer_kind, &a);
		reply->status = 200;
	}
	core_unlock(core);
	free(list);
}

void handle_version_unread(int err, struct http_reply *reply)
{
	if (err == -ENOENT)
		http_problem(reply, 404, "not-found", "there is no such version");
	else
		http_problem(
		        reply, 503, "store",
		        "the version cannot be read: %s; weir status shows the error of the store",
		        err == -EINVAL || err == -EBADMSG ? "its record is damaged"
		        : err == -EROFS                   ? "the store fails"
		                                          : strerror(-err));
}

void handle_config_get(struct core *core, struct http_request *r, struct http_reply *reply)
{
	core_lock(core);
	const struct version *head = intent_head(core->intent);
	if (!head) {
		http_problem(reply, 404, "not-found", "there is no configuration yet");
	} else {
		version_etag(head, reply->etag);
		reply->status = http_names_etag(r->if_none_match, reply->etag, true) ? 304 : 200;
		reply->json = version_to_json(head, head);
		json_object_set_new(reply->json, "files",
		                    contents_to_json(intent_head_files(core->intent)));
	}
	core_unlock(core);
}

void handle_version(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct files files = { 0 };
	struct version v;
	uint64_t number;
	bool contents;

	if (!handle_flag(r, "files", &contents, reply))
		return;
	if (contents && r->role < HTTP_OPERATOR) {
		http_problem(reply, 403, "forbidden", "files need the role operator");
		return;
	}
	if (!handle_part_number(r, &number, reply))
		return;
	if (r->role >= HTTP_OPERATOR) /* it asks other nodes, and may take a while */
		shared_files_require(core, number);
	core_lock(core);
	int err = intent_version(core->intent, number, &v, &files);
	if (err) {
		handle_version_unread(err, reply);
	} else {
		reply->json = kept_version_to_json(core, &v);
		json_object_set_new(reply->json, "files",
		                    contents ? contents_to_json(&files) : files_to_json(&files));
		reply->status = 200;
		version_etag(&v, reply->etag);
	}
	core_unlock(core);
	files_fini(&files);
}
