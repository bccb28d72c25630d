/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nodes ask of each other for operations: the levels in force at this one, and what it
 * measures. Whatever comes is checked as from a stranger: a token says who asks, not that it is
 * right.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/levels.h"
#include "mgmt/api/operation_measure.h"
#include "mgmt/api/operations.h"
#include "mgmt/api/to_json.h"
#include "mgmt/store/shared_intent.h"

#define LEVELS_TIMEOUT_MS 300  /* weir-dns answers at once, or is not there */
#define AWAIT_MS          300u /* for what the store sends to all at once */

/* Whether the sender is another node of this cluster. Under the lock. */
static bool sender_ok(struct core *core, const json_t *body, struct http_reply *reply)
{
	const struct model *m = intent_model(core->intent);
	const char *cluster = json_get_text(body, "cluster");
	const char *node = json_get_text(body, "node");

	if (!cluster || !node) {
		http_problem(reply, 400, "bad-request", "expected node and cluster");
		return false;
	}
	if (!m || strcmp(m->cluster, cluster) != 0) {
		http_problem(reply, 409, "other-cluster",
		             "this node belongs to another cluster or has no version yet");
		return false;
	}
	if (model_node(m, node) && strcmp(node, core->dirs.node) != 0)
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
	struct ramp_levels *levels = calloc(1, sizeof(*levels));

	core_lock(core);
	bool ok = core->operations && levels && sender_ok(core, r->json, reply);
	if (!ok && (!core->operations || !levels))
		http_problem(reply, 503, "busy", "out of memory, or just starting");
	core_unlock(core);
	if (!ok) {
		free(levels);
		return;
	}
	bool has_dns = levels_has_dns(levels_request(core->dirs.run, LEVELS_TIMEOUT_MS, levels));
	json_t *measure =
	        measures ? operation_measure_json(core, json_get_text(r->json, "announced_at"))
	                 : json_null();
	core_lock(core);
	await_revision(core, r->json);
	const struct model *m = intent_model(core->intent);
	reply->json =
	        json_pack("{s:s, s:s, s:I, s:o, s:b, s:o}", "node", core->dirs.node, "cluster",
	                  m ? m->cluster : "", "boot_ms", (json_int_t)clock_mono_ms(), "levels",
	                  operations_levels_json(core, has_dns ? levels : NULL), "dns", has_dns,
	                  "measure", measure ? measure : json_null());
	core_unlock(core);
	reply->status = 200;
	free(levels);
}

void handle_peer_measure(struct core *core, struct http_request *r, struct http_reply *reply)
{
	(void)r;
	reply->json = operation_measure_json(core, "");
	reply->status = 200;
	if (!reply->json)
		http_problem(reply, 503, "busy", "out of memory");
}
