/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The records. They are in an array sorted by their begin, the newest first. A full one keeps the
 * newest of those that are over; one that is not over is never dropped.
 */
#include "mgmt/sync/operations_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "mgmt/observe/levels.h"
#include "mgmt/core/shared_state.h"
#include "mgmt/core/to_json.h"
#include "mgmt/operations/record_parts.h"
#include "mgmt/store/copy.h"
#include "mgmt/overrides/hlc.h"
#include "mgmt/overrides/override.h"
#include "record/fields.h"
#include "mgmt/store/shared_etcd.h"

/* --- steps as overrides --- */

_Static_assert((int)OPERATION_ANNOUNCE_NORMAL == MODEL_VIPS_ANNOUNCED &&
                       (int)OPERATION_ANNOUNCE_SHUTDOWN == MODEL_VIPS_SHUTDOWN &&
                       (int)OPERATION_ANNOUNCE_WITHDRAWN == MODEL_VIPS_WITHDRAWN,
               "what an operation announces is what an override says");

/* The override that makes @p write of @p op, its last one or one to come, at one target. */
static void make_override(const struct operation *op, const struct operation_write *write,
                          const struct operation_target *target, struct override *out)
{
	*out = (struct override){ .kind = MODEL_OVERRIDE_DRAIN,
		                  .target = MODEL_TARGET_SITE,
		                  .generation = op->stamp,
		                  .epoch = write->epoch,
		                  .step = write->step,
		                  .created_ms = op->created_ms,
		                  .from_ms = write->from_ms,
		                  .over_ms = write->over_ms,
		                  .until_ms = write->ended ? write->from_ms : MODEL_TIME_NEVER,
		                  .from_ppm = write->from_ppm,
		                  .ended = write->ended,
		                  .is_step = true,
		                  .to_ppm = write->to_ppm,
		                  .own_vips = (enum model_vips)write->own,
		                  .shared_vips = (enum model_vips)write->shared,
		                  .late_from_ms = write->late_from_ms };
	snprintf(out->id, sizeof(out->id), "%s", target->override_id);
	snprintf(out->name, sizeof(out->name), "%s", target->site);
	snprintf(out->service, sizeof(out->service), "%s", op->service);
	snprintf(out->operation, sizeof(out->operation), "%s", op->id);
	snprintf(out->author, sizeof(out->author), "%s", op->author);
	snprintf(out->reason, sizeof(out->reason), "%s", op->reason);
	snprintf(out->principal, sizeof(out->principal), "%s", op->principal);
	snprintf(out->node, sizeof(out->node), "%s", op->owner);
}

/*
 * Whether there is nothing to do: all targets have the write, or a later one. Where an override of an operation that is over
 * is not there any more, a person has ended it since, and it does not come back.
 */
static bool has_write(const struct core *core, const struct operation *op,
                      const struct override list[])
{
	for (uint32_t i = 0; i < op->n_targets; i++) {
		const struct override *o =
		        overrides_find(intent_overrides(core->intent), list[i].id);

		if (o ? override_compare(o, &list[i]) < 0 : !operation_is_over(op))
			return false;
	}
	return true;
}

/* Whether @p o is a person's command at a target that was given since the operation began. */
static bool overrules_operation(const struct override *o, const struct operation *op)
{
	return o->target == MODEL_TARGET_SITE && o->kind != MODEL_OVERRIDE_DRILL && !o->epoch &&
	       o->generation > op->stamp && operation_targets_site(op, o->name);
}

/* The operation ends once its owner hears of that. */
static bool is_overruled(const struct core *core, const struct operation *op)
{
	const struct overrides *all = intent_overrides(core->intent);

	for (size_t i = 0; i < all->n_items; i++)
		if (overrules_operation(&all->items[i], op))
			return true;
	return false;
}

void operations_make_steps(struct core *core, const struct operation *op)
{
	const struct operation_write *write = &op->write;
	struct override list[OPERATION_TARGETS_MAX];

	/* one that ended before its first step has none; a person's command is the last word */
	if (!write->epoch || rule_is(OPERATION_END_COMMAND, op->hold.code) ||
	    is_overruled(core, op))
		return;
	for (uint32_t i = 0; i < op->n_targets; i++) {
		make_override(op, write, &op->targets[i], &list[i]);
		if (!override_ok(&list[i])) {
			log_error("operation-step-not-written", "id=%s error=\"%s\"", op->id,
			          "the record makes no override");
			return;
		}
	}
	if (has_write(core, op, list))
		return;
	int n = intent_merge(core->intent, list, op->n_targets, clock_believed_ms());

	if (n < 0)
		log_error("operation-step-not-written", "id=%s error=\"%s\"", op->id, strerror(-n));
	if (n <= 0)
		return;
	log_note("operation-step", "id=%s epoch=%u step=%u from_ppm=%u to_ppm=%u", op->id,
	         write->epoch, write->step, write->from_ppm, write->to_ppm);
	core_changed(core);
}

bool operations_is_own(const struct core *core, const struct operation *op)
{
	return !strcmp(op->owner, core->dirs.node);
}

struct operations_item *operations_find(struct core *core, const char *id)
{
	struct operations *o = core->operations;

	for (size_t i = 0; o && i < o->n; i++)
		if (!strcmp(o->items[i]->op.id, id))
			return o->items[i];
	return NULL;
}

struct operations_item *operations_at(struct core *core, size_t i)
{
	struct operations *o = core->operations;

	return o && i < o->n ? o->items[i] : NULL;
}

struct operations_item *operations_of_site(struct core *core, const char *site)
{
	struct operations *o = core->operations;

	for (size_t i = 0; o && i < o->n; i++)
		if (!operation_is_over(&o->items[i]->op) &&
		    operation_targets_site(&o->items[i]->op, site))
			return o->items[i];
	return NULL;
}

void operations_poke(struct core *core)
{
	core->operations->poked = true;
	core_changed(core);
}

/* --- the list --- */

void operations_free_item(struct operations_item *item)
{
	json_decref(item->outlook);
	free(item->begin);
	free(item);
}

static void drop_item(struct operations *o, size_t at)
{
	operations_free_item(o->items[at]);
	o->n--;
	memmove(o->items + at, o->items + at + 1, (o->n - at) * sizeof(o->items[0]));
}

/* Whether @p a comes before @p b in the list. */
static bool is_younger(const struct operation *a, const struct operation *b)
{
	if (a->created_ms != b->created_ms)
		return a->created_ms > b->created_ms;
	return strcmp(a->id, b->id) > 0;
}

/* Make room for @p op. One that is over and older than all that are over has none. */
static bool make_room(struct operations *o, const struct operation *op)
{
	for (size_t i = o->n; o->n == OPERATIONS_MAX && i-- > 0;) {
		if (!operation_is_over(&o->items[i]->op))
			continue;
		if (operation_is_over(op) && is_younger(&o->items[i]->op, op))
			return false;
		drop_item(o, i);
	}
	return o->n < OPERATIONS_MAX;
}

bool operations_have_room(const struct core *core)
{
	const struct operations *o = core->operations;
	size_t n_live = 0;

	for (size_t i = 0; i < o->n; i++)
		n_live += !operation_is_over(&o->items[i]->op);
	return n_live < OPERATIONS_MAX;
}

/* A new record at its place. @return 0 or -ENOSPC */
static int add_item(struct operations *o, const struct operation *op, struct operations_item **out)
{
	size_t at = 0;

	if (!make_room(o, op))
		return -ENOSPC;
	struct operations_item *item = MEMORY_NEW(struct operations_item);
	while (at < o->n && is_younger(&o->items[at]->op, op))
		at++;
	memmove(o->items + at + 1, o->items + at, (o->n - at) * sizeof(o->items[0]));
	o->items[at] = item;
	o->n++;
	*out = item;
	return 0;
}

/* What this node judged as the owner is not so any more once another node is it. */
static void forget_verdicts(struct operations_item *item)
{
	item->judged = false;
	json_decref(item->outlook);
	item->outlook = NULL;
}

/* Another node became the owner of what this one had. */
static void note_lost_owner(struct core *core, const struct operation *was,
                            const struct operation *op)
{
	if (!*was->owner || !operations_is_own(core, was) || operations_is_own(core, op) ||
	    operation_is_over(was))
		return;
	journal_add(intent_journal(core->intent), clock_believed_ms(), "operation", op->id,
	            "node %s owns it now, epoch %u; this node had it in epoch %u: %s at %u%%",
	            op->owner, op->epoch, was->epoch, operation_state_text(was->state),
	            was->level_ppm / 10000);
}

int operations_put(struct core *core, const struct operation *op, int64_t revision)
{
	struct operations_item *item = operations_find(core, op->id);
	int err = item ? 0 : add_item(core->operations, op, &item);

	if (err)
		return err;
	note_lost_owner(core, &item->op, op);
	if (strcmp(item->op.owner, op->owner) != 0 || item->op.epoch != op->epoch)
		item->ticked_ms = 0; /* another owner: its engine starts here, if it is this node */
	if (!operations_is_own(core, op))
		forget_verdicts(item);
	item->op = *op;
	item->revision = revision;
	item->unread = false;
	item->undecided_ms = 0;
	operations_make_steps(core, op);
	core_changed(core);
	return 0;
}

/* --- what the store has --- */

/** Where records are read: this node's copy, or all that the store has, as it came. */
struct record_source {
	struct core *core;
	struct store *copy; /* NULL: the list */
	const struct shared_records *list;
};

/* Give each record whose name begins with @p prefix to @p receive. @return < 0: -errno */
static int each_record(const struct record_source *from, const char *prefix,
                       int (*receive)(void *arg, const struct shared_record *r), void *arg)
{
	int err = 0;

	if (from->copy)
		return copy_each(from->copy, prefix, receive, arg);
	for (size_t i = 0; err >= 0 && i < from->list->n; i++)
		if (!strncmp(from->list->records[i].name, prefix, strlen(prefix)))
			err = receive(arg, &from->list->records[i]);
	return err;
}

static int add_observed(void *whole, const struct shared_record *r)
{
	return operation_parts_add(whole, r->text);
}

/* Read the whole record whose state is @p r. @return 0 or -errno */
static int read_whole(const struct record_source *from, const struct shared_record *r,
                      struct operation *out)
{
	const char *id = r->name + strlen(OPERATION_STATES_AT);
	char name[SHARED_NAME_MAX];
	json_t *whole = operation_parts_begin(r->text);
	int n = whole ? each_record(from, operation_observed_name(id, name), add_observed, whole)
	              : -EBADMSG;

	if (n >= 0)
		return operation_parts_end(whole, out);
	json_decref(whole);
	return n;
}

/* Keep what another node, or an earlier run, wrote of an operation. */
static int keep_record(void *arg, const struct shared_record *r)
{
	const struct record_source *from = arg;
	const char *id = r->name + strlen(OPERATION_STATES_AT);
	struct operations_item *item = operations_find(from->core, id);

	if (item && item->revision == r->revision) {
		item->unread = false;
		return 0;
	}
	struct operation *op = MEMORY_NEW(struct operation);
	int err = read_whole(from, r, op);

	if (!err && strcmp(op->id, id) != 0)
		err = -EBADMSG;
	if (!err)
		err = operations_put(from->core, op, r->revision);
	if (err && err != -ENOSPC) { /* one that is over, and there are many that are newer */
		log_warn("operation-not-read", "id=%s error=\"%s\"", id, strerror(-err));
		if (item)
			item->unread = true;
	}
	free(op);
	return 0;
}

static bool is_removed(const struct record_source *from, const char *id)
{
	char name[SHARED_NAME_MAX];
	struct shared_record r = { 0 };

	(void)operation_state_name(id, name);
	if (!from->copy)
		return !shared_records_find(from->list, name);
	int err = copy_read(from->copy, name, &r);

	free(r.text);
	return err == -ENOENT;
}

/* What the store does not have any more goes: it kept the newer ones. */
static void follow_source(struct record_source *from, int64_t revision)
{
	struct operations *o = from->core->operations;

	if (each_record(from, OPERATION_STATES_AT, keep_record, from) < 0)
		return;
	for (size_t i = o->n; i-- > 0;)
		if (o->items[i]->revision && is_removed(from, o->items[i]->op.id))
			drop_item(o, i);
	o->followed = revision;
}

/* The store of a node that is alone was made again, and has none of them: operation_keep_all() writes them. */
static void begin_again(struct operations *o)
{
	for (size_t i = 0; i < o->n; i++)
		o->items[i]->revision = 0;
	o->followed = 0;
}

void operations_follow(struct core *core)
{
	struct record_source from = { .core = core, .copy = intent_store(core->intent) };
	int64_t revision;

	if (!core->operations || !from.copy || copy_revision(from.copy, &revision))
		return;
	if ((revision < core->operations->followed ||
	     core->operations->n_renewals != intent_store_renewals(core->intent)) &&
	    shared_state_is_alone(core))
		begin_again(core->operations);
	core->operations->n_renewals = intent_store_renewals(core->intent);
	if (revision > core->operations->followed)
		follow_source(&from, revision);
}

void operations_follow_list(struct core *core, const struct shared_records *l)
{
	struct record_source from = { .core = core, .list = l };

	if (core->operations)
		follow_source(&from, l->revision);
}

/* --- for others --- */

size_t operations_list_unwritten(struct core *core, struct override out[OPERATIONS_UNWRITTEN_MAX])
{
	const struct overrides *all = intent_overrides(core->intent);
	const struct operations_item *item;
	size_t n = 0;

	for (size_t i = 0; (item = operations_at(core, i)); i++) {
		const struct operation *op = &item->op;
		const struct operation_write first = { .epoch = op->epoch,
			                               .from_ms = op->created_ms,
			                               .to_ppm = op->goal_ppm };

		for (uint32_t k = 0; !operation_is_over(op) && k < op->n_targets; k++)
			if (!overrides_find(all, op->targets[k].override_id) &&
			    n < OPERATIONS_UNWRITTEN_MAX)
				make_override(op, &first, &op->targets[k], &out[n++]);
	}
	return n;
}

/* The latest stamp of what was commanded at @p site. */
static uint64_t find_newest_at(struct core *core, const char *site, int64_t now_ms)
{
	struct override at = { .target = MODEL_TARGET_SITE };
	const struct operations_item *item;

	snprintf(at.name, sizeof(at.name), "%s", site);
	uint64_t newest = overrides_newest(intent_overrides(core->intent), &at, now_ms);

	for (size_t i = 0; (item = operations_at(core, i)); i++)
		if (operation_targets_site(&item->op, site) && item->op.stamp > newest)
			newest = item->op.stamp;
	return newest;
}

uint64_t operations_next_stamp(struct core *core, const struct operation_target *targets, size_t n,
                               int64_t now_ms)
{
	uint64_t newest = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t one = find_newest_at(core, targets[i].site, now_ms);

		newest = one > newest ? one : newest;
	}
	return hlc_next(newest, intent_stamp_ms(core->intent, now_ms));
}

static void add_until(struct core *core, json_t *override)
{
	const char *id = json_get_text(override, "operation");
	const struct operations_item *item = id ? operations_find(core, id) : NULL;

	if (item)
		json_object_set_new(override, "operation_until",
		                    operation_is_over(&item->op) ? json_null()
		                                                 : time_to_json(item->op.until_ms));
}

void operations_add_until(struct core *core, json_t *list)
{
	json_t *override;
	size_t i;

	add_until(core, list);
	json_array_foreach(list, i, override) add_until(core, override);
}

/* Which change of an override is in force. */
#define LEVEL_CHANGE_ROWS(X, t)                                                                    \
	X(t, uint64_t, generation) X(t, uint32_t, epoch) X(t, uint32_t, step)
RECORD_SHOWN(level_change, "change", LEVEL_CHANGE_ROWS);
#define LEVEL_ROWS(X, t)                                                                           \
	X(t, const char *, override)                                                               \
	X(t, const char *, site)                                                                   \
	X(t, json_t *, in_force, .spare = true, .of = &level_change_kind)                          \
	X(t, struct shown_number, level_ppm, .spare = true)                                        \
	X(t, struct shown_number, longest_ttl_s, .spare = true)
RECORD_SHOWN(level_row, "level", LEVEL_ROWS);

/* Find which change of an override is in force, and its level. If that is not known, @p out is untouched. */
static void find_in_force(const struct overrides *all, const struct override *o,
                          const struct ramp_record *level, bool has_levels, int64_t now_ms,
                          struct level_row *out)
{
	struct level_change change = { o->generation, o->epoch, o->step };

	/* weir-dns tells the levels of steps alone */
	if (level && !o->ended)
		change = (struct level_change){ level->generation, level->epoch, level->step };
	else if (has_levels && o->is_step && !override_is_done(o, now_ms))
		return; /* it runs, and has not taken it yet */
	out->level_ppm =
	        (struct shown_number){ true, level && !o->ended ? level->level_ppm
		                                                : overrides_level(all, o, now_ms) };
	out->in_force = record_shown(&level_change_kind, &change);
}

/* Where no weir-dns runs, the document's levels count: nobody answers by others there. */
json_t *operations_levels_json(struct core *core, const struct ramp_levels *levels)
{
	const struct overrides *all = intent_overrides(core->intent);
	int64_t now_ms = clock_believed_ms();
	json_t *list = json_array();

	for (size_t i = 0; i < all->n_items; i++) {
		const struct override *o = &all->items[i];
		const struct ramp_record *level =
		        levels ? ramp_find_any(levels->items, levels->n, o->id) : NULL;
		struct level_row row = { .override = o->id, .site = o->name };

		if (o->kind == MODEL_OVERRIDE_DRILL || o->target != MODEL_TARGET_SITE)
			continue;
		find_in_force(all, o, level, levels, now_ms, &row);
		/* once it has arrived it is known for how long answers with the one before may be used */
		if (level && level->arrived)
			row.longest_ttl_s = (struct shown_number){ true, level->longest_ttl_s };
		json_array_append_new(list, record_shown(&level_row_kind, &row));
	}
	return list;
}
