/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations: listing, showing and waiting for them, beginning one, and orders on one. What an order
 * does is in operation_order.c and operation_begin.c; this file reads requests and answers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/core/field.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/change/handle_scope.h"
#include "mgmt/api/poll.h"
#include "mgmt/controller/operation_command.h"
#include "mgmt/controller/operation_order.h"
#include "mgmt/controller/operation_show.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/sync/operations.h"
#include "mgmt/sync/shared_run.h"
#include "mgmt/core/shared_state.h"

#define WAIT_MAX_MS 60000u

static void set_outcome(struct operation_outcome *out, struct http_reply *reply)
{
	const char *key;
	json_t *value;

	if (out->status && out->status < 300) {
		reply->status = out->status;
		reply->json = out->json;
		if (!reply->json)
			http_problem(reply, 503, "busy", "out of memory");
		return;
	}
	http_problem(reply, out->status ? out->status : 503, out->code ? out->code : "busy", "%s",
	             out->text);
	json_object_foreach(out->json, key, value) json_object_set(reply->json, key, value);
	json_decref(out->json);
}

/* --- looking --- */

void handle_operations(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const char *state = http_query(r, "state");
	const struct operations_item *item;
	uint64_t limit;

	if (state && strcmp(state, "live") != 0 && operation_state_find(state) < 0) {
		http_problem(reply, 400, "bad-request",
		             "state: expected \"live\" or a state, such as \"moving\"");
		return;
	}
	if (!handle_number(r, "limit", 1, OPERATIONS_MAX, OPERATIONS_MAX, &limit, reply))
		return;
	json_t *items = json_array();

	core_lock(core);
	for (size_t i = 0; (item = operations_at(core, i)); i++) {
		if (state && (strcmp(state, "live") != 0
		                      ? strcmp(state, operation_state_text(item->op.state)) != 0
		                      : operation_is_over(&item->op)))
			continue;
		json_array_append_new(items, operation_summary_json(item));
	}
	core_unlock(core);
	handle_list(items, limit, reply);
}

/* While the store is silent an operation is shown as it was known last, which may be a step behind. Under the lock. */
static void add_silence(const struct core *core, const struct operation *op, json_t *shown)
{
	if (!core->shared || shared_state_is_ready(core) || operation_is_over(op))
		return;
	char line[OPERATION_COMMAND_MAX];
	const char *clocked = operation_clocked_text(op, line);
	json_t *text =
	        json_sprintf("the store is not reached: this is as it was known last, and no "
	                     "step begins until it is reached (weir store status)%s%s",
	                     clocked ? ". Without it: " : "", clocked ? clocked : "");

	json_object_set_new(shown, "warnings", json_pack("[o]", text));
}

/* What an operation is compared with while a request waits. */
struct known_operation {
	const char *id;
	uint64_t seq;
};

static bool is_operation_same(struct core *core, const void *arg)
{
	const struct known_operation *known = arg;
	const struct operations_item *item = operations_find(core, known->id);

	return item && item->op.seq == known->seq;
}

void handle_operation(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct known_operation known = { .id = r->parts[0] };
	uint64_t wait_ms;

	if (!handle_number(r, "wait_ms", 0, WAIT_MAX_MS, 0, &wait_ms, reply) ||
	    !handle_number(r, "since", 0, UINT64_MAX / 2, 0, &known.seq, reply))
		return;
	uint64_t until_ms = clock_mono_ms() + wait_ms;

	core_lock(core);
	/* without a place to wait it is shown as it is: an operation is never out of sight */
	if (http_query(r, "since"))
		(void)poll_wait(core, r, until_ms, &core->operation_polls,
		                HTTP_POLLS_OPERATIONS_MAX, is_operation_same, &known);
	const struct operations_item *item = operations_find(core, known.id);

	if (item) {
		reply->json = operation_show_json(item);
		reply->status = 200;
		add_silence(core, &item->op, reply->json);
	}
	core_unlock(core);
	if (!item)
		http_problem(reply, 404, "not-found", "there is no operation %.40s", r->parts[0]);
}

void handle_arrivals(struct core *core, struct http_request *r, struct http_reply *reply)
{
	http_doing(r, "asks all nodes what arrives");
	struct operation_snapshot *snapshot = operation_snapshot_at(core, true, r->parts[0]);
	const struct model_site *site =
	        snapshot && snapshot->m ? model_site(snapshot->m, r->parts[0]) : NULL;

	reply->json = site ? operation_arrivals_json(snapshot, site) : NULL;
	reply->status = 200;
	if (snapshot && !site)
		http_problem(reply, 404, "not-found", "there is no site %.64s", r->parts[0]);
	else if (!reply->json)
		http_problem(reply, 503, "busy", "out of memory");
	operation_snapshot_free(snapshot);
}

/* --- orders --- */

/* Who has asked gives the command, whoever is named as its author. */
static void set_principal(const struct http_request *r, struct operation_person *person)
{
	person->principal = r->identity;
	if (!person->author)
		person->author = r->principal;
}

void handle_operation_begin(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct operation_outcome out;
	struct operation_body body;
	struct field_reader f;
	bool dry_run;

	if (!handle_flag(r, "dry_run", &dry_run, reply) || !handle_wait_ok(r, reply))
		return;
	operation_body_read(r->json, clock_believed_ms(), &f, &body);
	set_principal(r, &body.person);
	if (!field_end(&f, reply) || !handle_scope_has_sites(core, r, &body, reply) ||
	    !handle_may_command(core, reply))
		return;
	if (body.what == OPERATION_BODY_UNDRAIN && dry_run)
		http_problem(reply, 422, "invalid", "dry_run: is for drain and shift");
	if (reply->status)
		return;
	http_doing(r, "asks all nodes what they measure");
	if (body.what == OPERATION_BODY_UNDRAIN)
		operation_undrain(core, &body, r, &out);
	else
		operation_begin(core, &body, r, dry_run, &out);
	set_outcome(&out, reply);
}

void handle_operation_order(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const char *verb = strrchr(r->path, '/') + 1; /* the table has those of orders alone */
	struct operation_order order = { .what = operation_order_find(verb), .request = r };
	struct operation_outcome out;
	struct field_reader f;

	if (!handle_no_dry_run(r, reply))
		return;
	operation_body_read_command(r->json, &f, &order.person);
	if (!field_end(&f, reply) || !handle_scope_has_operation(core, r, r->parts[0], reply) ||
	    !handle_may_command(core, reply))
		return;
	set_principal(r, &order.person);
	http_doing(r, "asks all nodes what they have in force");
	operation_order_run(core, r->parts[0], &order, &out);
	set_outcome(&out, reply);
}

/* --- an order that another node passed on --- */

/* What a person has no words for: how it was meant, as the node that was asked has understood it. */
static bool read_meant(const json_t *body, struct operation_order *order)
{
	json_int_t over_ms = json_integer_value(json_object_get(body, "over_ms")),
	           goal_ppm = json_integer_value(json_object_get(body, "goal_ppm")),
	           until_ms = json_integer_value(json_object_get(body, "until_ms")),
	           by_ms = json_integer_value(json_object_get(body, "by_ms"));

	order->person = (struct operation_person){ .principal = json_get_text(body, "principal"),
		                                   .now = json_has_true(body, "now"),
		                                   .over_ms = over_ms,
		                                   .goal_ppm = (uint32_t)goal_ppm,
		                                   .until_ms = until_ms,
		                                   .withdraw = json_has_true(body, "withdraw") };
	order->by_ms = (uint64_t)by_ms;
	return order->person.principal && strlen(order->person.principal) < PRINCIPAL_MAX &&
	       over_ms >= 0 && over_ms <= OPERATION_OVER_MAX_MS && goal_ppm >= 0 &&
	       goal_ppm <= MODEL_PPM_ALL && until_ms >= 0 && by_ms > 0;
}

void handle_peer_operation_order(struct core *core, struct http_request *r,
                                 struct http_reply *reply)
{
	const char *id = json_get_text(r->json, "id"), *word = json_get_text(r->json, "order");
	struct operation_order order = { .what = operation_order_find(word ? word : "") };
	static const char *const meant[] = { "principal", "now",      "over_ms", "goal_ppm",
		                             "until_ms",  "withdraw", "by_ms",   "node",
		                             "cluster",   "query",    "id",      "order" };
	struct operation_outcome out;
	struct field_reader f;

	if (order.what >= OPERATION_ORDER_COUNT || order.what == OPERATION_ORDER_OWN || !id ||
	    strlen(id) >= MODEL_ID_MAX || !read_meant(r->json, &order)) {
		http_problem(
		        reply, 400, "bad-request",
		        "expected a principal, an order, its deadline, a pace of up to 7 days, and a level");
		return;
	}
	json_t *own = json_copy(r->json);
	for (size_t i = 0; i < sizeof(meant) / sizeof(meant[0]); i++)
		json_object_del(own, meant[i]);
	operation_body_read_command(own, &f, &order.person);
	if (!order.person.author)
		order.person.author = "";
	if (field_end(&f, reply)) {
		operation_order_run_here(core, id, &order, &out);
		reply->json = json_pack("{s:i, s:s, s:s, s:o}", "status", (int)out.status, "code",
		                        out.code ? out.code : "", "text", out.text, "json",
		                        out.json ? out.json : json_null());
		reply->status = 200;
	}
	json_decref(own);
}
