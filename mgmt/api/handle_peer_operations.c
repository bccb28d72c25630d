/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nodes ask of each other about operations. A request brings records and steps that this node
 * lacks; the answer says what it has, what is in force and what it measures. Whatever comes is
 * bounded and checked as from a stranger: a token says who asks, not that it is right.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/levels.h"
#include "mgmt/api/operation_measure.h"
#include "mgmt/api/operations.h"
#include "mgmt/api/to_json.h"
#include "mgmt/operations/record_json.h"
#include "mgmt/store/step.h"
#include "mgmt/store/records.h"

#define STEPS_ACCEPTED_MAX 64u
#define LEVELS_TIMEOUT_MS  300 /* weir-dns answers at once, or is not there */

/* Whether the sender is another node of this cluster. Under the lock. */
static bool sender_ok(struct core *core, const json_t *body, struct http_reply *reply)
{
	const struct model *m = intent_model(core->intent);
	const char *cluster = json_string_value(json_object_get(body, "cluster"));
	const char *node = json_string_value(json_object_get(body, "node"));

	if (!cluster || !node) {
		http_problem(reply, 400, "bad-request", "expected node, cluster and records");
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

/* Take the records that came. Under the lock. @return how many could not be taken */
static size_t accept_records(struct core *core, const json_t *list)
{
	struct operation *op = calloc(1, sizeof(*op));
	size_t bad = 0;

	for (size_t i = 0; op && i < json_array_size(list) && i < OPERATIONS_SEND_MAX; i++)
		if (operation_from_json(json_array_get(list, i), op) ||
		    operations_receive(core, op) < 0)
			bad++;
	operations_store_unstored(core);
	free(op);
	return bad;
}

/* Take the steps that came. Under the lock. */
static void accept_steps(struct core *core, const json_t *list)
{
	struct override *steps = calloc(STEPS_ACCEPTED_MAX, sizeof(*steps));
	size_t n = 0;

	for (size_t i = 0; steps && i < json_array_size(list) && n < STEPS_ACCEPTED_MAX; i++)
		if (!record_from_json(&override_record, json_array_get(list, i), &steps[n], NULL) &&
		    override_epoch(steps[n].generation))
			n++;
	if (n && intent_merge(core->intent, steps, n, clock_believed_ms()) > 0)
		core_changed(core);
	free(steps);
}

void handle_peer_operations(struct core *core, struct http_request *r, struct http_reply *reply)
{
	bool measures = json_is_true(json_object_get(r->json, "measure"));
	struct levels *levels = calloc(1, sizeof(*levels));
	size_t bad = 0;

	core_lock(core);
	bool ok = core->operations && levels && sender_ok(core, r->json, reply);
	if (ok) {
		bad = accept_records(core, json_object_get(r->json, "records"));
		accept_steps(core, json_object_get(r->json, "overrides"));
	} else if (!core->operations || !levels) {
		http_problem(reply, 503, "busy", "out of memory, or just starting");
	}
	core_unlock(core);
	if (bad)
		log_warn("peer-operations-malformed", "records=%zu", bad);
	if (!ok) {
		free(levels);
		return;
	}
	bool has_dns = levels_has_dns(levels_request(core->dirs.run, LEVELS_TIMEOUT_MS, levels));
	json_t *measure = measures ? operation_measure_json(core) : json_null();
	core_lock(core);
	const struct model *m = intent_model(core->intent);
	reply->json = json_pack("{s:s, s:s, s:I, s:o, s:o, s:b, s:o}", "node", core->dirs.node,
	                        "cluster", m ? m->cluster : "", "boot_ms",
	                        (json_int_t)clock_mono_ms(), "have", operations_digest_json(core),
	                        "levels", operations_levels_json(core, has_dns ? levels : NULL),
	                        "dns", has_dns, "measure", measure ? measure : json_null());
	core_unlock(core);
	reply->status = 200;
	free(levels);
}

void handle_peer_operation(struct core *core, struct http_request *r, struct http_reply *reply)
{
	core_lock(core);
	const struct operations_item *item = operations_find(core, r->parts[0]);
	if (item)
		reply->json = operation_to_json(&item->op);
	core_unlock(core);
	reply->status = 200;
	if (!item)
		http_problem(reply, 404, "not-found", "there is no operation %.40s", r->parts[0]);
	else if (!reply->json)
		http_problem(reply, 503, "busy", "out of memory");
}

void handle_peer_measure(struct core *core, struct http_request *r, struct http_reply *reply)
{
	(void)r;
	core_lock(core);
	struct intent_shared *shared = intent_share(core->intent);
	core_unlock(core);
	json_t *announced = operation_announced_json(core, intent_shared_model(shared));

	reply->json = operation_measure_json(core);
	reply->status = 200;
	if (announced)
		json_object_set_new(reply->json, "announcements", announced);
	intent_unshare(shared);
	if (!reply->json)
		http_problem(reply, 503, "busy", "out of memory");
}
