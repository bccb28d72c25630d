/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nodes ask of each other. Answers are whole records (mgmt/store/records.h), so
 * that they arrive unchanged; nothing here changes what is in force. Whatever comes is checked as from a stranger: a token
 * says who asks, not that it is right.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mgmt/api/handle.h"
#include "mgmt/observe/levels.h"
#include "mgmt/controller/operation_measure.h"
#include "mgmt/sync/operations.h"
#include "mgmt/peers/externals.h"
#include "mgmt/peers/peer_keys.h"
#include "mgmt/sync/shared_files.h"
#include "mgmt/peers/state_fetch.h"
#include "mgmt/core/to_json.h"
#include "mgmt/store/bootstrap.h"
#include "mgmt/store/records.h"
#include "mgmt/store/shared_intent.h"

#define AWAIT_MS 300u /* for what the store sends to all at once */

void handle_peer_overrides(struct core *core, struct http_request *r, struct http_reply *reply)
{
	json_t *items = json_array();

	(void)r;
	core_lock(core);
	const struct overrides *overrides = intent_overrides(core->intent);
	for (size_t i = 0; i < overrides->n_items; i++)
		json_array_append_new(items,
		                      record_to_json(&override_record, &overrides->items[i]));
	core_unlock(core);
	reply->json = json_pack("{s:o}", "items", items);
	reply->status = 200;
}

void handle_peer_verdicts(struct core *core, struct http_request *r, struct http_reply *reply)
{
	core_lock(core);
	reply->json = externals_answer(core->externals, r->json, clock_mono_ms());
	core_unlock(core);
	reply->status = 200;
	if (!reply->json)
		http_problem(reply, 400, "bad-request", "expected epoch and seq");
}

void handle_peer_version(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct files files = { 0 };
	struct version v;
	uint64_t number;

	if (!json_read_count(json_object_get(r->json, "number"), SHARED_NUMBER_END - 1, &number)) {
		http_problem(reply, 400, "bad-request", "expected a number");
		return;
	}
	core_lock(core);
	int err = intent_version(core->intent, number, &v, &files);
	core_unlock(core);
	if (err) {
		handle_version_unread(err, reply);
		return;
	}
	reply->json = json_pack("{s:o}", "files", contents_to_json(&files));
	reply->status = 200;
	files_fini(&files);
}

void handle_peer_stage(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct version v;

	if (record_from_json(&version_record, json_object_get(r->json, "version"), &v, NULL)) {
		http_problem(reply, 400, "bad-request", "expected a version");
		return;
	}
	if (!core->shared) {
		http_problem(reply, 409, "no-store", "this node shares no store");
		return;
	}
	int err = shared_files_stage(core, json_get_text(r->json, "node"), &v,
	                             json_object_get(r->json, "files"));

	reply->json = json_pack("{s:s}", "state", err ? "refused" : "staged");
	if (err)
		json_object_set_new(reply->json, "why", json_string(strerror(-err)));
	reply->status = 200;
}

void handle_peer_keys(struct core *core, struct http_request *r, struct http_reply *reply)
{
	uint64_t now_ms = clock_mono_ms();
	struct steer_keys *keys = NULL;

	(void)r;
	if (steer_keys_read(core->dirs.run, now_ms, &keys))
		keys = NULL;
	reply->json = peer_keys_make(keys, now_ms);
	reply->status = 200;
	if (!reply->json)
		http_problem(reply, 503, "busy", "out of memory");
	steer_keys_free(keys);
}

void handle_peer_connection_state(struct core *core, struct http_request *r,
                                  struct http_reply *reply)
{
	(void)r;
	reply->json = state_fetch_to_json(core);
	reply->status = 200;
	if (!reply->json)
		http_problem(reply, 503, "process-unreachable", "weir-dataplane does not answer");
}

/* --- for operations: the levels in force at this node, and what it measures --- */

/* Whether the sender is another node of the document in force; else @p reply says that it is not. Under the lock. */
static bool sender_ok(const struct core *core, const char *node, struct http_reply *reply)
{
	const struct model *m = intent_model(core->intent);

	if (m && model_node(m, node) && strcmp(node, core->dirs.node) != 0)
		return true;
	http_problem(reply, 410, "not-a-node",
	             "the document in force here has no other node of that name");
	return false;
}

/* What the peer knows of the store is about to be here. Under the lock, which is given up meanwhile. */
static void await_revision(struct core *core, const json_t *body)
{
	int64_t target = json_integer_value(json_object_get(body, "revision")), revision;
	uint64_t until_ms = clock_mono_ms() + AWAIT_MS;

	while (core->shared && !shared_intent_revision(core->intent, &revision) &&
	       revision < target && core_wait(core, until_ms))
		;
}

void handle_peer_operations(struct core *core, struct http_request *r, struct http_reply *reply)
{
	bool measures = json_has_true(r->json, "measure");
	struct ramp_levels *levels = MEMORY_NEW(struct ramp_levels);

	core_lock(core);
	bool ok = core->operations && sender_ok(core, json_get_text(r->json, "node"), reply);
	if (!core->operations)
		http_problem(reply, 503, "busy", "just starting");
	core_unlock(core);
	if (!ok) {
		free(levels);
		return;
	}
	bool has_dns = levels_request(core->dirs.run, levels);
	json_t *measure =
	        measures ? operation_measure_json(core, json_get_text(r->json, "announced_at"))
	                 : json_null();
	core_lock(core);
	await_revision(core, r->json);
	reply->json = json_pack("{s:I, s:o, s:b, s:o}", "boot_ms", (json_int_t)clock_mono_ms(),
	                        "levels", operations_levels_json(core, has_dns ? levels : NULL),
	                        "dns", has_dns, "measure", measure ? measure : json_null());
	core_unlock(core);
	reply->status = 200;
	free(levels);
}
