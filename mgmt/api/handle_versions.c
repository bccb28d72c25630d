/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of versions, and the one in force. Both are read from the store under the lock;
 * versions that lost against another node's are listed apart, since their numbers belong to others
 * now.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/api/handle.h"
#include "mgmt/api/to_json.h"
#include "mgmt/store/shared_intent.h"

/* Versions that gave way to others: their numbers belong to those now. */
static json_t *lost_versions_to_json(struct store *store, uint64_t limit)
{
	size_t max = limit < STORE_LOST_MAX ? limit : STORE_LOST_MAX;
	struct version_lost *lost = calloc(max, sizeof(*lost));
	int n = lost ? store_lost(store, lost, max) : 0;
	json_t *list = json_array();

	for (int i = 0; i < n; i++) {
		json_t *item = version_to_json(&lost[i].version, NULL);

		json_object_set_new(item, "state", json_string("lost"));
		json_object_set_new(item, "lost", time_to_json(lost[i].lost_ms));
		json_object_set_new(item, "why", text_to_json(lost[i].reason));
		json_array_append_new(list, item);
	}
	free(lost);
	return list;
}

/* Of shared intent, one that was not confirmed, or was taken back, has ended for good. */
static json_t *kept_version_to_json(const struct core *core, const struct version *v)
{
	const struct version_history *h = shared_intent_history(core->intent);
	const struct version *head = intent_head(core->intent);
	json_t *json = version_to_json(v, head);
	enum chain_mark mark;

	if (h && head && head->number != v->number && history_version(h, v->number, &mark) &&
	    mark == CHAIN_ENDED)
		json_object_set_new(json, "state", json_string("ended"));
	return json;
}

void handle_versions(struct core *core, struct http_request *r, struct http_reply *reply)
{
	uint64_t limit, before;

	if (!handle_number(r, "limit", 1, 1000, 100, &limit, reply) ||
	    !handle_number(r, "before", 1, INT64_MAX, 0, &before, reply))
		return;
	struct version *list = calloc(limit, sizeof(*list));
	core_lock(core);
	struct store *store = intent_store_to_read(core->intent);
	const struct version *head = intent_head(core->intent);
	int n = store && list ? store_versions(store, before, list, limit) : -EROFS;
	if (n < 0) {
		const char *reason = intent_store_reason(core->intent);

		http_problem(reply, 503, "store", "the store fails: %s",
		             !*reason && store ? store_reason(store) : reason);
	} else {
		json_t *items = json_array();

		for (int i = 0; i < n; i++)
			json_array_append_new(items, kept_version_to_json(core, &list[i]));
		reply->json = json_pack("{s:o, s:o, s:o}", "items", items, "head",
		                        head ? json_integer((json_int_t)head->number) : json_null(),
		                        "lost", lost_versions_to_json(store, limit));
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
		reply->status = !strcmp(r->if_none_match, reply->etag) ? 304 : 200;
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
	if (!handle_part_number(r, 0, &number, reply))
		return;
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
