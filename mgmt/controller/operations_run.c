/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread looks whether a round is due: four times a second while an operation is not over, else when something changes. It
 * has a thread of its own, as a round waits for other nodes and for the store. A round asks all nodes first; then the
 * engine of each operation that this node owns says by their answers how its record changes, and that is decided
 * (mgmt/controller/operation_decide.h).
 *
 * The facts are gathered without the lock. If the record was replaced meanwhile (a person's command, another owner), these
 * facts are not used.
 */
#include "mgmt/sync/operations_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "mgmt/peers/keys_gather.h"
#include "mgmt/controller/operation_decide.h"
#include "mgmt/controller/operation_show.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/controller/operations_run.h"
#include "mgmt/operations/engine.h"

/* --- what is shown of the nodes --- */

static void note_nodes(struct operations_item *item, const struct operation_facts *facts)
{
	item->n_nodes = 0;
	for (size_t i = 0; i < facts->n_nodes && i < OPERATION_NODES_MAX; i++) {
		const struct operation_node *from = &facts->nodes[i];
		struct operations_node *to = &item->nodes[item->n_nodes++];

		*to = (struct operations_node){ .reached = from->reached,
			                        .absent =
			                                operation_is_without(&item->op, from->name),
			                        .level_known = from->levels[0].known,
			                        .epoch = from->levels[0].epoch,
			                        .step = from->levels[0].step,
			                        .level_ppm = from->levels[0].level_ppm };
		snprintf(to->node, sizeof(to->node), "%s", from->name);
	}
}

void operations_note_observed(struct operations_item *item,
                              const struct operation_snapshot *snapshot,
                              const struct operation_observed *observed)
{
	note_nodes(item, &observed->facts);
	operation_judge(&item->op, &observed->facts, OPERATION_DURING, item->verdicts);
	item->deciding = operation_count_deciding(&item->op, &observed->facts);
	item->judged = true;
	json_decref(item->outlook);
	item->outlook = operation_outlook_json(snapshot, &item->op, observed);
}

/* A plan that goes on from another level compares with the flows of that moment. */
static bool has_begin(const struct operations_item *item, const struct operation *op)
{
	return item->begin && item->begin_way == op->way && item->begin_ppm == op->plan_from_ppm;
}

struct operation_begin_flows *operations_copy_begin(const struct operations_item *item)
{
	return has_begin(item, &item->op) && item->begin->known ? operation_copy_flows(item->begin)
	                                                        : NULL;
}

/* What the sites had when the running way began: the projection compares with it. */
static void note_begin(struct operations_item *item, const struct operation_begin_flows *begin)
{
	if (has_begin(item, &item->op))
		return;
	free(item->begin);
	item->begin = operation_copy_flows(begin);
	item->begin_way = item->op.way;
	item->begin_ppm = item->op.plan_from_ppm;
}

/* The first projection of a way says who is unseen; it is not asked again. */
static void note_unseen(struct operations_item *item, const struct projection *projection)
{
	struct operation_begin_flows *begin = item->begin;

	if (!begin || !begin->known || begin->unseen_fixed || !projection)
		return;
	begin->unseen_fixed = true;
	begin->unseen_ppm = projection->unseen_ppm;
}

/* --- a round --- */

/*
 * Whether the record becomes @p op. Under the lock, which is given up meanwhile: both are copies, as the list may lose its own.
 */
static bool is_decided(struct core *core, const struct operation *was, const struct operation *op)
{
	char reason[ETCD_REASON_MAX];
	uint64_t now_ms = clock_mono_ms();
	enum operation_decided decided = operation_decide(core, was, op, false, reason);
	struct operations_item *item = operations_find(core, op->id);

	if (item)
		item->undecided_ms = decided == OPERATION_DECIDED ? 0
		                     : item->undecided_ms         ? item->undecided_ms
		                                                  : now_ms;
	if (decided == OPERATION_UNDECIDED || decided == OPERATION_UNCLEAR)
		log_warn("operation-waits", "id=%s reason=\"%s\"", op->id, reason);
	return decided == OPERATION_DECIDED;
}

/*
 * Run the engine on a copy of the record, which takes its place once that is decided. Until then the engine is run
 * again by the time that has passed since. Under the lock, which is given up meanwhile: the answer of the store may be late,
 * and the list has what was decided since; then it stays.
 */
static void run_engine(struct core *core, struct operations_item *item, struct operation *op,
                       const struct operation_snapshot *snapshot,
                       const struct operation_begin_flows *begin,
                       const struct operation_observed *observed, uint64_t now_ms)
{
	struct operation_act *act = MEMORY_NEW(struct operation_act);
	struct operation *was = MEMORY_NEW(struct operation);
	int64_t believed_ms = clock_believed_ms();

	note_begin(item, begin);
	note_unseen(item, observed->projection);
	*was = item->op;
	operation_next(op, &observed->facts, believed_ms, act);
	bool runs = !act->changed || is_decided(core, was, op);

	item = operations_find(core, op->id);
	for (size_t i = 0; runs && item && i < act->n_events && i < OPERATION_EVENTS_MAX; i++)
		journal_add(intent_journal(core->intent), believed_ms, "operation", op->id, "%s",
		            act->events[i]);
	if (runs && item && operation_is_same(&item->op, op)) {
		item->op = *op; /* with the times of this process */
		item->undecided_ms = 0;
		item->ticked_ms = now_ms;
	}
	if (item && operations_is_own(core, &item->op)) /* else it was handed over */
		operations_note_observed(item, snapshot, observed);
	free(was);
	free(act);
}

/*
 * Whether this node, which the record says owns it, may go on; it asks for that where it is not so. Under the lock, which is
 * given up meanwhile. @param op  out: a copy of the record
 */
static bool owns_operation(struct core *core, const char *id, struct operation *op)
{
	const struct operations_item *item = operations_find(core, id);

	if (!item || !operations_is_own(core, &item->op) || operation_is_over(&item->op))
		return false;
	*op = item->op;
	return operation_is_owned_here(core, op) || is_decided(core, op, op);
}

/* One operation of this node. Not under the lock. */
static void tick_operation(struct core *core, const struct operation_snapshot *snapshot,
                           const char *id)
{
	struct operation *op = MEMORY_NEW(struct operation);
	struct operation_observed *observed = MEMORY_NEW(struct operation_observed);
	struct operation_begin_flows *begin = NULL;
	uint64_t now_ms = clock_mono_ms(), ticked_ms = 0;

	core_lock(core);
	bool runs = owns_operation(core, id, op);
	const struct operations_item *item = runs ? operations_find(core, id) : NULL;
	runs = item && operations_is_own(core, &item->op);
	if (runs) {
		*op = item->op;
		ticked_ms = item->ticked_ms;
		begin = operations_copy_begin(item);
	}
	core_unlock(core);
	if (runs && !begin)
		begin = operation_list_flows(snapshot, op);
	if (runs && begin) {
		operation_gather(snapshot, op, ticked_ms ? (int64_t)(now_ms - ticked_ms) : 0,
		                 observed);
		operation_project(snapshot, op, begin, observed);
		core_lock(core);
		struct operations_item *again = operations_find(core, id);
		if (again && operation_is_same(&again->op, op))
			run_engine(core, again, op, snapshot, begin, observed, now_ms);
		core_unlock(core);
	}
	free(observed->projection);
	free(observed);
	free(begin);
	free(op);
}

/* The operations that are not over: those that this node owns, or the others. Under the lock. */
static size_t list_live(struct core *core, bool own, char ids[][MODEL_ID_MAX])
{
	const struct operations_item *item;
	size_t n = 0;

	for (size_t i = 0; (item = operations_at(core, i)); i++)
		if (operations_is_own(core, &item->op) == own && !operation_is_over(&item->op))
			memcpy(ids[n++], item->op.id, MODEL_ID_MAX);
	return n;
}

/* Note which nodes have an operation, and at which level: what this node shows. */
static void watch_operation(struct core *core, const struct operation_snapshot *snapshot,
                            const char *id)
{
	struct operation *op = MEMORY_NEW(struct operation);
	struct operation_observed *observed = MEMORY_NEW(struct operation_observed);

	core_lock(core);
	const struct operations_item *item = operations_find(core, id);
	if (item)
		*op = item->op;
	core_unlock(core);
	if (item) {
		operation_gather(snapshot, op, 0, observed);
		core_lock(core);
		struct operations_item *again = operations_find(core, id);
		if (again)
			note_nodes(again, &observed->facts);
		core_unlock(core);
	}
	free(observed);
	free(op);
}

void operations_watch(struct core *core, const char *id)
{
	struct operation_snapshot *snapshot = operation_snapshot_at(core, false, NULL);

	if (snapshot)
		watch_operation(core, snapshot, id);
	operation_snapshot_free(snapshot);
}

/* How long after the last round the next one is due; 0: never. Under the lock. */
static uint64_t pause_ms(struct core *core)
{
	const struct operations_item *item;
	int64_t now_ms = clock_believed_ms();
	uint64_t pause = 0;

	for (size_t i = 0; (item = operations_at(core, i)); i++) {
		uint64_t one = OPERATIONS_IDLE_MS;

		if (!operation_is_over(&item->op))
			one = !operations_is_own(core, &item->op) ? OPERATIONS_SLOW_MS
			      : item->op.write.from_ms > now_ms   ? OPERATIONS_FAST_MS
			                                          : OPERATIONS_EVERY_MS;
		pause = pause == 0 || one < pause ? one : pause;
	}
	return pause;
}

/* Run those that this node owns, or watch the others. Not under the lock. */
static void run_each(struct core *core, const struct operation_snapshot *snapshot, bool own)
{
	char ids[OPERATIONS_MAX][MODEL_ID_MAX];

	core_lock(core);
	size_t n = list_live(core, own, ids);
	core_unlock(core);
	for (size_t i = 0; i < n; i++)
		(own ? tick_operation : watch_operation)(core, snapshot, ids[i]);
}

/* Who owns none asks no peer for keys, as nothing is projected here. Not under the lock. */
static void run_operations(struct core *core)
{
	struct operations *o = core->operations;
	char ids[OPERATIONS_MAX][MODEL_ID_MAX];

	core_lock(core);
	bool owns = list_live(core, true, ids) > 0;
	bool any = owns || list_live(core, false, ids) > 0;
	core_unlock(core);
	operations_query(core, &o->client, owns, NULL);
	struct operation_snapshot *snapshot =
	        any ? operation_snapshot_make(core, o->keys, owns ? &o->client : NULL, NULL) : NULL;
	if (snapshot) {
		run_each(core, snapshot, true);
		run_each(core, snapshot, false);
	}
	operation_snapshot_free(snapshot);
}

/* Those that could not be written when they were decided. Under the lock. */
static void make_steps(struct core *core)
{
	const struct operations_item *item;

	for (size_t i = 0; (item = operations_at(core, i)); i++)
		operations_make_steps(core, &item->op);
}

static void look_at_operations(struct core *core)
{
	struct operations *o = core->operations;
	uint64_t now_ms = clock_mono_ms();

	operations_follow(core);
	operation_keep_all(core);
	make_steps(core);
	core_unlock(core);
	operation_own_abandoned(core);
	core_lock(core);
	uint64_t pause = pause_ms(core);
	if (!o->poked && (!pause || now_ms - o->ran_ms < pause))
		return;
	o->poked = false;
	o->ran_ms = now_ms;
	core_unlock(core);
	run_operations(core);
	core_lock(core);
}

/* When the thread looks again, if nothing changes. Under the lock. */
static uint64_t next_look_ms(struct core *core, uint64_t began_ms)
{
	const struct operations_item *item;
	uint64_t idle_ms = core->operations->ran_ms + OPERATIONS_IDLE_MS;

	for (size_t i = 0; (item = operations_at(core, i)); i++)
		if (!operation_is_over(&item->op) || !item->revision)
			return began_ms + OPERATIONS_FAST_MS;
	return idle_ms > began_ms ? idle_ms : began_ms + OPERATIONS_IDLE_MS;
}

static uint64_t run_round(void *core)
{
	uint64_t began_ms = clock_mono_ms();

	look_at_operations(core);
	return next_look_ms(core, began_ms);
}

static void *run_thread(void *core)
{
	core_run_rounds(core, run_round, core,
	                OPERATIONS_FAST_MS); /* many changes lead to one look */
	return NULL;
}

int operations_start(struct core *core)
{
	struct operations *o = MEMORY_NEW(struct operations);

	o->keys = keys_gather_new();
	core_lock(core);
	core->operations = o;
	operations_follow(core);
	core_unlock(core);
	return thread_start(&o->thread, run_thread, core);
}

void operations_stop(struct core *core)
{
	struct operations *o = core->operations;

	if (!o)
		return;
	thread_join(&o->thread);
	client_close(&o->client);
	keys_gather_free(o->keys);
	core_lock(core);
	core->operations = NULL;
	core_unlock(core);
	for (size_t i = 0; i < o->n; i++)
		operations_free_item(o->items[i]);
	for (size_t i = 0; i < o->n_said; i++) {
		json_decref(o->said[i].levels);
		json_decref(o->said[i].measure);
	}
	free(o);
}
