/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An order is decided by fresh facts: all nodes are asked before. The engine works on a copy of the
 * record, which replaces the record only if that did not change meanwhile; then the order is tried
 * again with what is there now.
 */
#include "mgmt/controller/operation_order.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/plain.h"
#include "mgmt/controller/operation_command.h"
#include "mgmt/controller/operation_decide.h"
#include "mgmt/controller/operation_show.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/sync/operations_list.h"
#include "mgmt/controller/operations_run.h"
#include "mgmt/peers/peer_query.h"
#include "mgmt/core/shared_state.h"
#include "mgmt/operations/engine.h"
#include "mgmt/operations/regression.h"
#include "weir/json.h"

#define TRIES_MAX  3u
#define PASS_ON_MS 6000  /* the owner asks all nodes, too */
#define ORDER_MS   4500u /* and has so long to decide: the rest is for its answer */
#define ANSWER_MAX ((size_t)1 << 20)

static const struct {
	const char *word;
	operation_command *run;
} orders[OPERATION_ORDER_COUNT] = {
	[OPERATION_ORDER_HOLD] = { "hold", operation_hold },
	[OPERATION_ORDER_RESUME] = { "resume", operation_resume },
	[OPERATION_ORDER_ABORT] = { "abort", operation_abort },
	[OPERATION_ORDER_OWN] = { "take", operation_own },
	[OPERATION_ORDER_RETURN] = { "return", operation_return },
	[OPERATION_ORDER_REDIRECT] = { "further", operation_redirect },
};

enum operation_order_do operation_order_find(const char *word)
{
	int i = 0;

	while (i < OPERATION_ORDER_COUNT && strcmp(orders[i].word, word) != 0)
		i++;
	return (enum operation_order_do)i;
}

bool operation_refuse(struct operation_outcome *out, unsigned status, const char *code,
                      const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(out->text, sizeof(out->text), format, list);
	va_end(list);
	plain_cut(out->text, sizeof(out->text));
	json_decref(out->json);
	out->json = NULL;
	out->status = status;
	out->code = code;
	return false;
}

void operation_refuse_undecided(const struct core *core, const char *id,
                                enum operation_decided decided, const char *reason,
                                struct operation_outcome *out)
{
	if (decided == OPERATION_UNCLEAR)
		operation_refuse(out, 503, "outcome-unknown",
		                 "it is not known whether operation %s was begun or changed (%s): "
		                 "look at it before you try again",
		                 id, reason);
	else if (shared_state_is_alone(core))
		operation_refuse(
		        out, 503, "store",
		        "the store of this node cannot keep the operation (%s): nothing was "
		        "changed; act by the clock (--scheduled)",
		        reason);
	else
		operation_refuse(
		        out, 503, "store-unavailable",
		        "the store of all nodes does not decide (%s), so nothing may go on "
		        "by itself. Without it: weir drain site SITE --scheduled --until TIME "
		        "--reason TEXT, weir undrain site SITE --scheduled --reason TEXT",
		        reason);
}

/* --- at this node --- */

/* What the engine asked when it refused: guards of the state that goes on, with what the order adds. */
static void judge_order(struct operation *op, const struct operation_facts *facts,
                        const struct operation_order *order,
                        struct operation_verdict verdicts[OPERATION_GUARD_COUNT])
{
	operation_add(op, &order->person);
	if (operation_is_held(op))
		op->state = op->hold.from;
	well_begin(op, facts);
	operation_judge(op, facts, op->step_runs ? OPERATION_DURING : OPERATION_BEFORE, verdicts);
	for (int g = 0; order->what == OPERATION_ORDER_OWN && g < OPERATION_GUARD_COUNT; g++)
		if (g != OPERATION_GUARD_MAJORITY)
			verdicts[g].ok =
			        true; /* a new owner holds first: the rest is asked later */
}

/* Add to a refusal by a guard how to go past it, for whoever gave the order. */
static void add_way_past(struct operation_outcome *out, const struct operation *op,
                         const struct operation_order *order, const struct operation_facts *facts,
                         enum rule_id guard)
{
	struct operation_verdict verdicts[OPERATION_GUARD_COUNT] = { 0 };
	struct operation *with = MEMORY_NEW(struct operation);

	*with = *op;
	judge_order(with, facts, order, verdicts);
	verdicts[guard].ok = false;
	out->json = operation_order_refusal(op, with, orders[order->what].word,
	                                    order->person.reason, verdicts, facts);
	free(with);
}

static void refuse_order(struct operation_outcome *out, const struct operation *op,
                         const struct operation_order *order, const struct operation_facts *facts,
                         int err, const char *error)
{
	if (err == -EALREADY)
		operation_refuse(out, 409, "operation", "operation %s: nothing to do: %s", op->id,
		                 *error ? error : operation_state_text(op->state));
	else if (err == -EBUSY || err > 0)
		operation_refuse(out, 409, "guard", "%s", error);
	else
		operation_refuse(out, 409, "operation", "operation %s is %s: %s", op->id,
		                 operation_state_text(op->state),
		                 *error ? error : "this order is not for that state");
	if (err > 0 && order->what != OPERATION_ORDER_REDIRECT)
		add_way_past(out, op, order, facts, (enum rule_id)(err - OPERATION_REFUSED));
}

/* The node that asked has answered that it failed. */
static bool is_late(const struct operation_order *order)
{
	return order->by_ms && clock_mono_ms() > order->by_ms;
}

/* Replace the record unless it changed since it was copied, or it is too late. @return whether that is decided */
static bool commit_order(struct core *core, const struct operation *was, struct operation *op,
                         const struct operation_order *order,
                         const struct operation_snapshot *snapshot,
                         const struct operation_observed *observed, struct operation_outcome *out)
{
	enum operation_decided decided = OPERATION_OVERTAKEN;
	char reason[ETCD_REASON_MAX];

	core_lock(core);
	struct operations_item *item = operations_find(core, op->id);
	bool same = item && operation_is_same(&item->op, was);
	bool late = is_late(order);
	if (same && !late)
		decided = operation_decide(core, was, op, order->if_unowned, reason);
	item = operations_find(core, op->id);
	if (item && decided == OPERATION_DECIDED) {
		operations_note_observed(item, snapshot, observed);
		operation_note_request(core, order->request, op->id);
		journal_add(intent_journal(core->intent), clock_believed_ms(), "operation", op->id,
		            "%s by %s: %s", orders[order->what].word, order->person.principal,
		            order->person.reason);
		out->status = 200;
		operations_poke(core);
	}
	if (late)
		operation_refuse(out, 503, "busy",
		                 "the owner took too long to decide: nothing was changed");
	else if (decided == OPERATION_UNDECIDED || decided == OPERATION_UNCLEAR)
		operation_refuse_undecided(core, op->id, decided, reason, out);
	core_unlock(core);
	return decided != OPERATION_OVERTAKEN || late;
}

void operation_order_answer(struct core *core, const char *id, struct operation_outcome *out)
{
	operations_watch(core, id);
	core_lock(core);
	const struct operations_item *item = operations_find(core, id);
	out->json = item ? operation_show_json(item) : NULL;
	core_unlock(core);
}

/* What one try works on: the record as it was and as it becomes, and the facts. */
struct order_try {
	struct operation was, op;
	struct operation_begin_flows *begin; /* from malloc() */
	struct operation_observed observed;
};

/*
 * The facts as a tick of the engine has them, so that it is not refused by what the engine would not hold by.
 * @return false: out of memory
 */
static bool look_for_order(const struct operation_snapshot *snapshot, struct order_try *try)
{
	if (!try->begin)
		try->begin = operation_list_flows(snapshot, &try->op);
	if (!try->begin)
		return false;
	operation_gather(snapshot, &try->op, 0, &try->observed);
	operation_project(snapshot, &try->op, try->begin, &try->observed);
	return true;
}

/* One try. @return whether it is decided */
static bool try_order(struct core *core, const char *id, const struct operation_order *order,
                      struct order_try *try, struct operation_outcome *out)
{
	const struct operation *was = &try->was;
	struct operation *op = &try->op;
	struct operation_observed *observed = &try->observed;
	char error[OPERATION_DETAIL_MAX] = "";

	core_lock(core);
	const struct operations_item *item = operations_find(core, id);
	if (item) {
		try->was = try->op = item->op;
		free(try->begin);
		try->begin = operations_copy_begin(item);
	}
	core_unlock(core);
	if (!item) {
		operation_refuse(out, 404, "not-found", "there is no operation %.40s", id);
		return true;
	}
	if (order->what != OPERATION_ORDER_OWN && !operations_is_own(core, was)) {
		operation_refuse(out, 409, "operation", "node %s owns it now; try again",
		                 was->owner);
		return true;
	}
	struct operation_snapshot *snapshot = operation_snapshot_now(core);
	if (!snapshot || !look_for_order(snapshot, try)) {
		operation_snapshot_free(snapshot);
		operation_refuse(out, 503, "busy", "out of memory");
		return true;
	}
	int err = orders[order->what].run(op, &observed->facts, &order->person, clock_believed_ms(),
	                                  error);
	bool decided = true;
	if (err)
		refuse_order(out, was, order, &observed->facts, err, error);
	else
		decided = commit_order(core, was, op, order, snapshot, observed, out);
	free(observed->projection);
	operation_snapshot_free(snapshot);
	return decided;
}

void operation_order_run_here(struct core *core, const char *id,
                              const struct operation_order *order, struct operation_outcome *out)
{
	struct order_try *try = calloc(1, sizeof(*try));
	bool decided = false;

	*out = (struct operation_outcome){ .status = 0 };
	for (unsigned i = 0; try && !decided && i < TRIES_MAX; i++)
		decided = try_order(core, id, order, try, out);
	if (!decided)
		operation_refuse(out, 503, "busy",
		                 "the operation keeps changing, or out of memory");
	if (out->status == 200)
		operation_order_answer(core, id, out);
	if (try)
		free(try->begin);
	free(try);
}

/* --- at its owner --- */

/* The owner's address. @return false: the document has none */
static bool find_owner_api(struct core *core, const char *owner, char api[256])
{
	core_lock(core);
	bool found = peers_copy_api(intent_model(core->intent), owner, api);
	core_unlock(core);
	return found;
}

/* What an owner may refuse by, and what counts where it says anything else. */
static const struct refusal {
	unsigned status;
	const char *code;
} passed_refusals[] = {
	{ 404, "not-found" },
	{ 409, "operation" },
	{ 409, "guard" },
	{ 503, "store-unavailable" },
	{ 503, "outcome-unknown" },
	{ 503, "store" },
	{ 503, "busy" },
};

static const struct refusal *find_refusal(json_int_t status, const char *code)
{
	const size_t n = sizeof(passed_refusals) / sizeof(passed_refusals[0]);
	const struct refusal *of_status = NULL;

	for (size_t i = 0; i < n; i++) {
		if ((json_int_t)passed_refusals[i].status != status)
			continue;
		if (code && !strcmp(code, passed_refusals[i].code))
			return &passed_refusals[i];
		of_status = status == 503 || of_status ? of_status : &passed_refusals[i];
	}
	return of_status ? of_status : &passed_refusals[n - 1];
}

static void read_passed(const json_t *answer, struct operation_outcome *out)
{
	json_int_t status = json_integer_value(json_object_get(answer, "status"));
	const char *text = json_get_text(answer, "text");
	const char *code = json_get_text(answer, "code");
	json_t *json = json_object_get(answer, "json");

	if (status == 200) {
		out->status = 200;
		out->json = json_incref(json);
		return;
	}
	const struct refusal *r = find_refusal(status, code);

	operation_refuse(out, r->status, r->code, "%s",
	                 text ? text : "the owner's answer is malformed");
	if (out->status == 409 && json_is_object(json))
		out->json = json_incref(json);
}

static const struct record_kind person_record =
        RECORD_OF(struct operation_person, "person", NULL, SHOW(struct operation_person, principal),
                  SHOW(struct operation_person, now), SHOW(struct operation_person, over_ms),
                  SHOW(struct operation_person, goal_ppm), SHOW(struct operation_person, until_ms),
                  SHOW(struct operation_person, withdraw), SHOW(struct operation_person, reason),
                  SHOW(struct operation_person, author));
#define PASSED_ORDER_ROWS(X, t)                                                                    \
	X(t, const struct operation_person *, person, AS_ROWS(person_record), .behind = true)      \
	X(t, uint64_t, by_ms)                                                                      \
	X(t, json_t *, override_guards)                                                            \
	X(t, json_t *, without)
RECORD_SHOWN(passed_order, "order", PASSED_ORDER_ROWS);

static json_t *order_json(const struct operation_person *person, uint64_t by_ms)
{
	json_t *guards = json_array(), *without = json_array();

	for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
		if (person->overridden[g])
			json_array_append_new(guards, json_string(rule_rows[g].name));
	for (size_t i = 0; i < person->without.n; i++)
		json_array_append_new(without, json_string(person->without.items[i]));
	return SHOWN(passed_order, .person = person, .by_ms = by_ms, .override_guards = guards,
	             .without = without);
}

/*
 * Until when the owner may carry out an order that is sent now, on its own boot clock: an owner that was
 * frozen reads the order long after the person read that it failed. Its clock is at least as far
 * as it said, and as long as that is ago. @return 0: it does not answer now
 */
static uint64_t find_deadline(struct core *core, struct peer_client *client, const char *owner)
{
	uint64_t request_ms = clock_mono_ms(), by_ms = 0;

	operations_query(core, client, false, NULL);
	core_lock(core);
	const struct operations_said *said = operations_said_of(core, owner);
	if (said && said->boot_ms && said->heard_ms >= request_ms)
		by_ms = said->boot_ms + (clock_mono_ms() - said->heard_ms) + ORDER_MS;
	core_unlock(core);
	return by_ms;
}

static void send_order(struct core *core, struct peer_client *client, const char *id,
                       const char *owner, const char *api, const struct operation_order *order,
                       uint64_t by_ms, struct operation_outcome *out)
{
	struct client_request r = { .timeout_ms = PASS_ON_MS, .answer_max = ANSWER_MAX };
	json_t *more = order_json(&order->person, by_ms);

	json_object_set_new(more, "id", json_string(id));
	json_object_set_new(more, "order", json_string(orders[order->what].word));
	peer_query_one(core, client, api, "order", more, &r);
	if (r.answer)
		read_passed(r.answer, out);
	else
		operation_refuse(
		        out, 409, "owner-unreachable",
		        "node %s owns operation %s and has not answered (%s): it carries the "
		        "order out within %u s or not at all, see weir operation %s; to go on "
		        "from here: weir operation %s take --reason TEXT",
		        owner, id, r.failure, (ORDER_MS + 999) / 1000, id, id);
	json_decref(r.answer);
}

static void pass_on(struct core *core, const char *id, const char *owner, const char *api,
                    const struct operation_order *order, struct operation_outcome *out)
{
	struct peer_client client = { .multi = NULL };

	uint64_t by_ms = find_deadline(core, &client, owner);
	if (by_ms)
		send_order(core, &client, id, owner, api, order, by_ms, out);
	else
		operation_refuse(out, 409, "owner-unreachable",
		                 "node %s owns operation %s and does not answer: nothing was "
		                 "changed; to go on from here: weir operation %s take --reason "
		                 "TEXT",
		                 owner, id, id);
	client_close(&client);
}

void operation_order_run(struct core *core, const char *id, const struct operation_order *order,
                         struct operation_outcome *out)
{
	char owner[MODEL_NAME_MAX] = "", api[256] = "";

	*out = (struct operation_outcome){ .status = 0 };
	core_lock(core);
	const struct operations_item *item = operations_find(core, id);
	if (item)
		memcpy(owner, item->op.owner, sizeof(owner));
	core_unlock(core);
	bool here =
	        !*owner || order->what == OPERATION_ORDER_OWN || !strcmp(owner, core->dirs.node);
	if (here)
		operation_order_run_here(core, id, order, out);
	else if (find_owner_api(core, owner, api))
		pass_on(core, id, owner, api, order, out);
	else
		operation_refuse(
		        out, 409, "owner-unreachable",
		        "node %s owns operation %s, and the configuration has no address of "
		        "it; to go on from here: weir operation %s take --reason TEXT",
		        owner, id, id);
}

void operation_note_request(struct core *core, const struct http_request *r, const char *id)
{
	struct store *store = intent_store(core->intent);

	core_attach(core, r);
	if (store && store_note_operation(store, id))
		log_warn("request-not-noted", "operation=%s error=\"%s\"", id, store_reason(store));
	core_detach(core);
}
