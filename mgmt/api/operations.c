/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The records. They are in an array sorted by their begin, the newest first. A full one makes room
 * by dropping the oldest that is over; one that is not over is never dropped.
 */
#include "mgmt/api/operations_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/api/levels.h"
#include "mgmt/operations/record_json.h"
#include "mgmt/store/operations.h"
#include "weir/condition.h"
#include "weir/json.h"

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

/* --- keeping --- */

/* Write the record to the store; a failure is tried again. Under the lock. */
static void store_item(struct core *core, struct operations_item *item)
{
	struct store *store = intent_store(core->intent);
	json_t *json = store ? operation_to_json(&item->op) : NULL;
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	item->unstored =
	        !text || store_put_operation(store, item->op.id, text, operation_is_over(&item->op),
	                                     clock_believed_ms());
	free(text);
	json_decref(json);
}

/* Those that the store could not take so far. Under the lock. */
void operations_store_unstored(struct core *core)
{
	struct operations *o = core->operations;

	for (size_t i = 0; i < o->n; i++)
		if (o->items[i]->unstored)
			store_item(core, o->items[i]);
}

void operations_changed(struct core *core, struct operations_item *item)
{
	store_item(core, item);
	core_changed(core);
}

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

static bool make_room(struct operations *o)
{
	for (size_t i = o->n; o->n == OPERATIONS_MAX && i-- > 0;)
		if (operation_is_over(&o->items[i]->op))
			drop_item(o, i);
	return o->n < OPERATIONS_MAX;
}

/* A new record at its place. @return 0, -ENOSPC or -ENOMEM */
static int add_item(struct operations *o, const struct operation *op, struct operations_item **out)
{
	size_t at = 0;

	if (!make_room(o))
		return -ENOSPC;
	struct operations_item *item = calloc(1, sizeof(*item));
	if (!item)
		return -ENOMEM;
	item->op = *op;
	while (at < o->n && o->items[at]->op.created_ms > op->created_ms)
		at++;
	memmove(o->items + at + 1, o->items + at, (o->n - at) * sizeof(o->items[0]));
	o->items[at] = item;
	o->n++;
	*out = item;
	return 0;
}

/* Fields that are of the owner's process stay: they are neither sent nor stored. */
static void replace_record(struct operations_item *item, const struct operation *op)
{
	const struct operation was = item->op;

	item->op = *op;
	if (strcmp(was.owner, op->owner) != 0 || was.epoch != op->epoch)
		item->ticked_ms = 0; /* another owner: its engine starts here, if it is this node */
}

int operations_accept(struct core *core, const struct operation *op)
{
	struct operations *o = core->operations;
	struct operations_item *item = operations_find(core, op->id);

	if (!o)
		return -ENOMEM;
	if (item && !operation_is_newer(op, &item->op))
		return 0;
	if (item) {
		replace_record(item, op);
	} else {
		int err = add_item(o, op, &item);

		if (err)
			return err;
	}
	store_item(core, item);
	core_changed(core);
	return 1;
}

static void load_record(void *arg, const char *id, const char *text)
{
	struct core *core = arg;
	struct operation *op = calloc(1, sizeof(*op));
	json_t *json = json_read(text, strlen(text), 0, NULL);
	struct operations_item *item;

	if (op && json && !operation_from_json(json, op) && !operations_find(core, op->id))
		(void)add_item(core->operations, op, &item);
	else
		log_warn("operation-not-read", "id=%s", id);
	json_decref(json);
	free(op);
}

/* The store's records, once it can be read. Under the lock. */
void operations_load(struct core *core)
{
	struct store *store = intent_store_to_read(core->intent);

	if (core->operations->loaded || !store)
		return;
	int n = store_operations(store, load_record, core);
	if (n < 0)
		log_warn("operations-not-read", "error=\"%s\"", strerror(-n));
	core->operations->loaded = n >= 0;
}

/* --- for others --- */

json_t *operations_digest_json(struct core *core)
{
	const struct operations *o = core->operations;
	json_t *all = json_object();

	for (size_t i = 0; o && i < o->n; i++) {
		const struct operation *op = &o->items[i]->op;

		json_object_set_new(all, op->id,
		                    json_pack("[I, I, s]", (json_int_t)op->epoch,
		                              (json_int_t)op->seq, op->owner));
	}
	return all;
}

/* The generation that is in force for an override, and its level; false: it is not known. */
static bool find_in_force(const struct overrides *all, const struct override *o,
                          const struct levels *levels, int64_t now_ms, uint64_t *generation,
                          uint32_t *level_ppm)
{
	const struct level *level = levels ? levels_find(levels, o->id) : NULL;

	if (level && !o->ended) {
		*generation = level->generation;
		*level_ppm = level->level_ppm;
		return true;
	}
	if (levels && !o->ended)
		return false; /* weir-dns runs, and has not taken it yet */
	*generation = o->generation;
	*level_ppm = overrides_level(all, o, now_ms);
	return true;
}

/* Once a level has arrived it is known for how long answers with the one before may be used. */
static void add_ttl(json_t *row, const struct levels *levels, const char *id)
{
	const struct level *level = levels ? levels_find(levels, id) : NULL;

	if (level && level->arrived)
		json_object_set_new(row, "longest_ttl_s", json_integer(level->longest_ttl_s));
}

/* Where no weir-dns runs, the document's levels count: nobody answers by others there. */
json_t *operations_levels_json(struct core *core, const struct levels *levels)
{
	const struct overrides *all = intent_overrides(core->intent);
	int64_t now_ms = clock_believed_ms();
	json_t *list = json_array();

	for (size_t i = 0; i < all->n_items; i++) {
		const struct override *o = &all->items[i];
		uint64_t generation;
		uint32_t level_ppm;

		if (o->kind != MODEL_OVERRIDE_DRAIN || o->target != MODEL_TARGET_SITE)
			continue;
		json_t *row = json_pack("{s:s, s:I}", "override", o->id, "generation",
		                        (json_int_t)o->generation);
		if (find_in_force(all, o, levels, now_ms, &generation, &level_ppm)) {
			json_object_set_new(row, "in_force", json_integer((json_int_t)generation));
			json_object_set_new(row, "level_ppm", json_integer(level_ppm));
		}
		add_ttl(row, levels, o->id);
		json_array_append_new(list, row);
	}
	return list;
}

void operations_add_conditions(struct core *core)
{
	const struct operations *o = core->operations;

	for (size_t i = 0; o && i < o->n; i++) {
		const struct operation *op = &o->items[i]->op;

		if (!operation_is_held(op))
			continue;
		conditions_add(
		        core->stats,
		        op->state == OPERATION_EXPIRED_HELD ? "operation-expired-held"
		                                            : "operation-held",
		        CONDITION_DEGRADED, op->id,
		        "the operation on site %s is held (%s): %s; weir operation %s resume "
		        "--reason TEXT, or abort",
		        op->targets[0].site, op->hold.code, op->hold.detail, op->id);
	}
}
