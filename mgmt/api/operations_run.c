/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread looks four times a second whether a round is due. A round asks all nodes first; then the
 * engine of each operation that this node owns decides by what they said; then whatever it changed
 * is stored and goes to all nodes at once, before the next round.
 *
 * The engine runs on the record under the lock; the facts are gathered before, without it. If the
 * record was replaced meanwhile (a person's command, another owner), these facts are not used.
 */
#include "mgmt/api/operations_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/api/keys_gather.h"
#include "mgmt/api/operation_show.h"
#include "mgmt/api/operation_snapshot.h"
#include "mgmt/operations/engine.h"
#include "mgmt/store/step.h"

/* --- writing --- */

_Static_assert((int)OPERATION_ANNOUNCE_NORMAL == MODEL_VIPS_ANNOUNCED &&
                       (int)OPERATION_ANNOUNCE_SHUTDOWN == MODEL_VIPS_SHUTDOWN &&
                       (int)OPERATION_ANNOUNCE_WITHDRAWN == MODEL_VIPS_WITHDRAWN,
               "what an operation announces is what an override says");

/* The override that makes the write of @p act of one target. */
static void operations_make_override(const struct operation *op,
                                     const struct operation_target *target,
                                     const struct operation_act *act, const char *node,
                                     struct override *out)
{
	const struct operation_write *write = &act->write;

	*out = (struct override){ .kind = MODEL_OVERRIDE_DRAIN,
		                  .target = MODEL_TARGET_SITE,
		                  .generation =
		                          override_generation(write->epoch, false, write->step),
		                  .created_ms = op->created_ms,
		                  .from_ms = write->from_ms,
		                  .over_ms = write->over_ms,
		                  .until_ms = write->ended ? write->from_ms : MODEL_TIME_NEVER,
		                  .from_ppm = write->from_ppm,
		                  .ended = write->ended,
		                  .is_step = true,
		                  .to_ppm = write->to_ppm,
		                  .own_vips = (enum model_vips)act->own,
		                  .shared_vips = (enum model_vips)act->shared,
		                  .late_from_ms = write->late_from_ms };
	snprintf(out->id, sizeof(out->id), "%s", target->override_id);
	snprintf(out->name, sizeof(out->name), "%s", target->site);
	snprintf(out->service, sizeof(out->service), "%s", op->service);
	snprintf(out->operation, sizeof(out->operation), "%s", op->id);
	snprintf(out->author, sizeof(out->author), "%s", op->author);
	snprintf(out->reason, sizeof(out->reason), "%s", op->reason);
	snprintf(out->principal, sizeof(out->principal), "%s", op->principal);
	snprintf(out->node, sizeof(out->node), "%s", node);
}

/* The engine gives its last write with each tick; one that is there already changes nothing. */
static bool write_steps(struct core *core, const struct operation *op,
                        const struct operation_act *act, int64_t now_ms)
{
	const struct operation_write *write = &act->write;
	struct override list[OPERATION_TARGETS_MAX];

	for (uint32_t i = 0; i < op->n_targets; i++) {
		operations_make_override(op, &op->targets[i], act, core->dirs.node, &list[i]);
		if (!override_ok(&list[i])) { /* of a record that a peer made */
			log_error("operation-step-not-written", "id=%s error=\"%s\"", op->id,
			          "the record makes no override");
			return false;
		}
	}
	int n = intent_merge(core->intent, list, op->n_targets, now_ms);
	if (n < 0)
		log_error("operation-step-not-written", "id=%s error=\"%s\"", op->id, strerror(-n));
	if (n <= 0)
		return false;
	log_note("operation-step", "id=%s epoch=%u step=%u from_ppm=%u to_ppm=%u", op->id,
	         write->epoch, write->step, write->from_ppm, write->to_ppm);
	core_changed(core);
	return true;
}

/*
 * Announcements change without a step of the level: then the last write goes out once more, under
 * the next number, at the level where it is. Not while a level moves, as that would end its ramp:
 * until then the overrides keep what they say.
 */
static void settle_announcements(struct core *core, struct operation *op, struct operation_act *act,
                                 int64_t now_ms)
{
	const struct operation_write *write = &act->write;
	const struct override *o =
	        overrides_find(intent_overrides(core->intent), op->targets[0].override_id);

	if (!act->has_write || *act->handed_over || !o || write->ended ||
	    o->generation != override_generation(write->epoch, false, write->step) ||
	    ((int)o->own_vips == (int)act->own && (int)o->shared_vips == (int)act->shared))
		return;
	if (op->step_runs) {
		act->own = (enum operation_announce)o->own_vips;
		act->shared = (enum operation_announce)o->shared_vips;
		return;
	}
	op->write.step = ++op->writes;
	op->write.from_ppm = operation_hold_from(op, op->write.to_ppm);
	op->write.from_ms = now_ms + OPERATION_AHEAD_MS;
	op->write.over_ms = 0;
	op->seq++;
	act->write = op->write;
	act->changed = true;
}

/* Do what the engine says: store the record, write the steps, note events. @return whether other nodes must know */
static bool operations_apply(struct core *core, struct operations_item *item,
                             struct operation_act *act, int64_t now_ms)
{
	bool written = false;

	settle_announcements(core, &item->op, act, now_ms);
	if (act->changed)
		operations_changed(core, item);
	if (act->has_write)
		written = write_steps(core, &item->op, act, now_ms);
	for (size_t i = 0; i < act->n_events && i < OPERATION_EVENTS_MAX; i++)
		journal_add(intent_journal(core->intent), now_ms, "operation", item->op.id, "%s",
		            act->events[i].text);
	if (act->n_events)
		core_changed(core);
	return act->changed || written;
}

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
			                        .has_record = from->has_record == OPERATION_YES,
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

/* What the sites had when the running way began: the projection compares with it. */
static void note_begin(struct operations_item *item, const struct operation_begin_flows *begin)
{
	if (has_begin(item, &item->op))
		return;
	if (!item->begin)
		item->begin = calloc(1, sizeof(*item->begin));
	if (item->begin)
		*item->begin = *begin;
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
	begin->unseen_known = projection->unseen_known;
	begin->unseen_ppm = projection->unseen_ppm;
}

/* --- a round --- */

static bool is_same_record(const struct operation *a, const struct operation *b)
{
	return a->epoch == b->epoch && a->seq == b->seq && !strcmp(a->owner, b->owner);
}

/* Run the engine on the record. Under the lock. @return whether something changed for other nodes */
static bool run_engine(struct core *core, struct operations_item *item,
                       const struct operation_snapshot *snapshot,
                       const struct operation_begin_flows *begin,
                       const struct operation_observed *observed, uint64_t now_ms)
{
	struct operation_act *act = calloc(1, sizeof(*act));
	int64_t believed_ms = clock_believed_ms();

	if (!act)
		return false;
	note_begin(item, begin);
	note_unseen(item, observed->projection);
	operation_next(&item->op, &observed->facts, believed_ms, act);
	item->ticked_ms = now_ms;
	operations_note_observed(item, snapshot, observed);
	bool changed = operations_apply(core, item, act, believed_ms);
	free(act);
	return changed;
}

/* One operation of this node. Not under the lock. @return whether something changed for others */
static bool tick_operation(struct core *core, const struct operation_snapshot *snapshot,
                           const char *id)
{
	struct operation *op = calloc(1, sizeof(*op));
	struct operation_observed *observed = calloc(1, sizeof(*observed));
	struct operation_begin_flows *begin = calloc(1, sizeof(*begin));
	uint64_t now_ms = clock_mono_ms(), ticked_ms = 0;
	bool changed = false;

	core_lock(core);
	const struct operations_item *item = op ? operations_find(core, id) : NULL;
	bool runs = item && observed && begin && operations_is_own(core, &item->op) &&
	            !operation_is_over(&item->op);
	if (runs) {
		*op = item->op;
		ticked_ms = item->ticked_ms;
		if (has_begin(item, op))
			*begin = *item->begin;
	}
	core_unlock(core);
	if (runs) {
		if (!begin->known)
			operation_list_flows(snapshot, op, begin);
		operation_gather(snapshot, op, ticked_ms ? (int64_t)(now_ms - ticked_ms) : 0,
		                 observed);
		operation_project(snapshot, op, begin, observed);
		core_lock(core);
		struct operations_item *again = operations_find(core, id);
		if (again && is_same_record(&again->op, op))
			changed = run_engine(core, again, snapshot, begin, observed, now_ms);
		core_unlock(core);
	}
	if (observed)
		free(observed->projection);
	free(observed);
	free(begin);
	free(op);
	return changed;
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
	struct operation *op = calloc(1, sizeof(*op));
	struct operation_observed *observed = calloc(1, sizeof(*observed));

	core_lock(core);
	const struct operations_item *item = op ? operations_find(core, id) : NULL;
	if (item)
		*op = item->op;
	core_unlock(core);
	if (item && observed) {
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

void operations_spread(struct core *core, const char *id)
{
	struct keys_gather *keys = keys_gather_new();
	struct peer_client client = { .multi = NULL };

	if (!keys)
		return;
	client_open(&client, core->dirs.conf);
	operations_query(core, &client, false);
	client_close(&client);
	struct operation_snapshot *snapshot = operation_snapshot_make(core, keys, NULL);
	if (snapshot)
		watch_operation(core, snapshot, id);
	operation_snapshot_free(snapshot);
	keys_gather_free(keys);
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

/* No peer is asked for keys: nothing is projected here. */
static void watch_others(struct core *core)
{
	struct operations *o = core->operations;
	char ids[OPERATIONS_MAX][MODEL_ID_MAX];

	core_lock(core);
	size_t n = list_live(core, false, ids);
	core_unlock(core);
	struct operation_snapshot *snapshot =
	        n ? operation_snapshot_make(core, o->keys, NULL) : NULL;
	for (size_t i = 0; snapshot && i < n; i++)
		watch_operation(core, snapshot, ids[i]);
	operation_snapshot_free(snapshot);
}

/* Not under the lock. */
static void run_operations(struct core *core)
{
	struct operations *o = core->operations;
	char ids[OPERATIONS_MAX][MODEL_ID_MAX];
	bool changed = false;

	core_lock(core);
	size_t n = list_live(core, true, ids);
	core_unlock(core);
	operations_query(core, &o->client, n > 0);
	struct operation_snapshot *snapshot =
	        n ? operation_snapshot_make(core, o->keys, &o->client) : NULL;
	for (size_t i = 0; snapshot && i < n; i++)
		changed |= tick_operation(core, snapshot, ids[i]);
	operation_snapshot_free(snapshot);
	if (changed) /* what is new goes out at once */
		operations_query(core, &o->client, false);
	if (!n)
		watch_others(core);
}

static void run_round(struct core *core)
{
	struct operations *o = core->operations;
	uint64_t now_ms = clock_mono_ms();

	operations_load(core);
	operations_store_unstored(core);
	uint64_t pause = pause_ms(core);
	if (!o->poked && (!pause || now_ms - o->ran_ms < pause))
		return;
	o->poked = false;
	o->ran_ms = now_ms;
	core_unlock(core);
	run_operations(core);
	core_lock(core);
}

static void *run_thread(void *core)
{
	core_run_rounds(core, run_round, OPERATIONS_FAST_MS);
	return NULL;
}

int operations_start(struct core *core)
{
	struct operations *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->keys = keys_gather_new();
	if (!o->keys) {
		free(o);
		return -ENOMEM;
	}
	client_open(&o->client, core->dirs.conf);
	core_lock(core);
	core->operations = o;
	operations_load(core);
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
		json_decref(o->said[i].have);
		json_decref(o->said[i].levels);
		json_decref(o->said[i].measure);
	}
	free(o);
}
