/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The records. They are in an array sorted by their begin, the newest first. A full one keeps the
 * newest of those that are over; one that is not over is never dropped.
 */
#include "mgmt/api/operations_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/api/levels.h"
#include "mgmt/api/peers.h"
#include "mgmt/api/to_json.h"
#include "mgmt/operations/record_json.h"
#include "mgmt/store/operations.h"
#include "mgmt/store/step.h"
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

static char *record_text(const struct operation *op)
{
	json_t *json = operation_to_json(op);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	return text;
}

/* Write records [@p n] to the store in one transaction; a failure is tried again. Under the lock. */
static void store_items(struct core *core, struct operations_item **items, size_t n)
{
	struct store_operation list[OPERATIONS_MAX] = { { .id = NULL } };
	struct store *store = intent_store(core->intent);
	char *texts[OPERATIONS_MAX];
	size_t n_texts = 0;

	while (store && n_texts < n && (texts[n_texts] = record_text(&items[n_texts]->op))) {
		const struct operation *op = &items[n_texts]->op;

		list[n_texts] = (struct store_operation){ .id = op->id,
			                                  .text = texts[n_texts],
			                                  .over = operation_is_over(op) };
		n_texts++;
	}
	bool stored =
	        store && n_texts == n && !store_put_operations(store, list, n, clock_believed_ms());
	for (size_t i = 0; i < n; i++)
		items[i]->unstored = !stored;
	while (n_texts)
		free(texts[--n_texts]);
}

void operations_store_unstored(struct core *core)
{
	struct operations *o = core->operations;
	struct operations_item *items[OPERATIONS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++)
		if (o->items[i]->unstored)
			items[n++] = o->items[i];
	if (n)
		store_items(core, items, n);
}

void operations_changed(struct core *core, struct operations_item *item)
{
	store_items(core, &item, 1);
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

/* Whether @p a comes before @p b in the list. */
static bool is_younger(const struct operation *a, const struct operation *b)
{
	if (a->created_ms != b->created_ms)
		return a->created_ms > b->created_ms;
	return strcmp(a->id, b->id) > 0;
}

/*
 * Make room for @p op. One that is over and older than all that are over has none: what each node
 * keeps must not depend on the order in which it hears of records, or nodes would go on sending them to each other.
 */
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

/* A new record at its place. @return 0, -ENOSPC or -ENOMEM */
static int add_item(struct operations *o, const struct operation *op, struct operations_item **out)
{
	size_t at = 0;

	if (!make_room(o, op))
		return -ENOSPC;
	struct operations_item *item = calloc(1, sizeof(*item));
	if (!item)
		return -ENOMEM;
	item->op = *op;
	while (at < o->n && is_younger(&o->items[at]->op, op))
		at++;
	memmove(o->items + at + 1, o->items + at, (o->n - at) * sizeof(o->items[0]));
	o->items[at] = item;
	o->n++;
	*out = item;
	return 0;
}

/* What this node did as the owner is in no record any more, when another took it behind a cut. */
static void note_lost_owner(struct core *core, const struct operation *was,
                            const struct operation *op)
{
	if (!operations_is_own(core, was) || operations_is_own(core, op))
		return;
	journal_add(intent_journal(core->intent), clock_believed_ms(), "operation", op->id,
	            "node %s owns it now, epoch %u; this node had it in epoch %u: %s at %u%%",
	            op->owner, op->epoch, was->epoch, operation_state_text(was->state),
	            was->level_ppm / 10000);
}

/* Fields that are of the owner's process stay: they are neither sent nor stored. */
static void replace_record(struct core *core, struct operations_item *item,
                           const struct operation *op)
{
	const struct operation was = item->op;

	note_lost_owner(core, &was, op);
	item->op = *op;
	if (strcmp(was.owner, op->owner) != 0 || was.epoch != op->epoch)
		item->ticked_ms = 0; /* another owner: its engine starts here, if it is this node */
}

/* Take the record if it is newer than ours. @return as operations_receive(); @p out: if 1 */
static int receive_record(struct core *core, const struct operation *op,
                          struct operations_item **out)
{
	struct operations *o = core->operations;
	struct operations_item *item = operations_find(core, op->id);

	if (!o)
		return -ENOMEM;
	if (item && !operation_is_newer(op, &item->op))
		return 0;
	if (item) {
		replace_record(core, item, op);
	} else {
		int err = add_item(o, op, &item);

		if (err)
			return err == -ENOSPC && operation_is_over(op) ? 0 : err;
	}
	item->unstored = true;
	*out = item;
	core_changed(core);
	return 1;
}

int operations_receive(struct core *core, const struct operation *op)
{
	struct operations_item *item;

	return receive_record(core, op, &item);
}

/* Begun without a stored record, it would leave its levels behind when nodes restart. */
int operations_accept(struct core *core, const struct operation *op)
{
	struct operations *o = core->operations;
	struct operations_item *item;
	int received = receive_record(core, op, &item);

	if (received != 1)
		return received;
	store_items(core, &item, 1);
	if (!item->unstored)
		return 1;
	for (size_t i = 0; i < o->n; i++)
		if (o->items[i] == item) {
			drop_item(o, i);
			break;
		}
	return -EIO;
}

static void load_record(void *arg, const char *id, const char *text)
{
	struct core *core = arg;
	struct operation *op = calloc(1, sizeof(*op));
	json_t *json = json_read(text, strlen(text), 0, NULL);
	struct operations_item *item;

	if (!op || !json || operation_from_json(json, op))
		log_warn("operation-not-read", "id=%s", id);
	else if (!operations_find(core, op->id)) /* the store has more of them that are over */
		(void)add_item(core->operations, op, &item);
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

static struct override first_override(const struct operation *op,
                                      const struct operation_target *target)
{
	struct override o = { .kind = MODEL_OVERRIDE_DRAIN,
		              .target = MODEL_TARGET_SITE,
		              .generation = override_generation(op->epoch, false, 0),
		              .created_ms = op->created_ms,
		              .from_ms = op->created_ms,
		              .until_ms = MODEL_TIME_NEVER,
		              .is_step = true,
		              .to_ppm = op->goal_ppm };

	snprintf(o.id, sizeof(o.id), "%s", target->override_id);
	snprintf(o.name, sizeof(o.name), "%s", target->site);
	snprintf(o.service, sizeof(o.service), "%s", op->service);
	snprintf(o.operation, sizeof(o.operation), "%s", op->id);
	return o;
}

size_t operations_list_unwritten(struct core *core, struct override out[OPERATIONS_UNWRITTEN_MAX])
{
	const struct overrides *all = intent_overrides(core->intent);
	const struct operations_item *item;
	size_t n = 0;

	for (size_t i = 0; (item = operations_at(core, i)); i++) {
		const struct operation *op = &item->op;

		for (uint32_t k = 0; !operation_is_over(op) && k < op->n_targets; k++)
			if (!overrides_find(all, op->targets[k].override_id) &&
			    n < OPERATIONS_UNWRITTEN_MAX)
				out[n++] = first_override(op, &op->targets[k]);
	}
	return n;
}

static void add_until(struct core *core, json_t *override)
{
	const char *id = json_string_value(json_object_get(override, "operation"));
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

static bool is_owner_silent(const struct core *core, const struct operation *op)
{
	const struct peers_report *reports;
	size_t n = peers_report(core, &reports);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(reports[i].node, op->owner))
			return reports[i].state == PEERS_UNREACHABLE;
	return false;
}

/* Whether the owner has left the configuration: then nobody asks it any more. */
static bool is_owner_gone(const struct core *core, const struct operation *op)
{
	const struct model *m = intent_model(core->intent);

	for (size_t i = 0; m && i < m->n_nodes; i++)
		if (!strcmp(m->nodes[i].name, op->owner))
			return false;
	return m != NULL;
}

/* Whoever looks at another node must learn it there: the owner itself says nothing any more. */
static void add_owner(struct core *core, const struct operation *op)
{
	const char *reason = is_owner_gone(core, op)     ? "is not in the configuration any more"
	                     : is_owner_silent(core, op) ? "does not answer"
	                                                 : NULL;

	if (reason)
		conditions_add(
		        core->stats, "operation-owner-silent", CONDITION_DEGRADED, op->id,
		        "owner %s of the operation on site %s %s: levels stay as they are "
		        "and nothing goes on by itself; weir operation %s take --reason TEXT",
		        op->owner, op->targets[0].site, reason, op->id);
}

/* It goes on by itself, or a person names the node absent that it waits for. */
static void add_new_owner(struct core *core, const struct operation *op)
{
	conditions_add(core->stats, "operation-held", CONDITION_DEGRADED, op->id,
	               "the operation on site %s is held (%s): %s, then it goes on by itself%s%s; "
	               "weir operation %s resume --without NODE --reason TEXT, or abort",
	               op->targets[0].site, op->hold.code, op->hold.detail,
	               *op->waits ? "; now: " : "", op->waits, op->id);
}

void operations_add_warnings(struct core *core, const struct advice *advice, json_t *warnings)
{
	const struct operations_item *item;

	for (size_t i = 0; advice->n_nodes && (item = operations_at(core, i)); i++) {
		const struct operation *op = &item->op;
		size_t k = 0;

		while (k < advice->n_nodes && strcmp(advice->nodes[k].node, op->owner) != 0)
			k++;
		if (k == advice->n_nodes && !operation_is_over(op))
			json_array_append_new(
			        warnings,
			        json_sprintf("node %s owns the operation on site %s and is not in "
			                     "this configuration: nothing of it would go on by "
			                     "itself, nor return; first, at another node: weir "
			                     "operation %s take --reason TEXT",
			                     op->owner, op->targets[0].site, op->id));
	}
}

static void add_held(struct core *core, const struct operation *op)
{
	if (op->state == OPERATION_EXPIRED_HELD)
		conditions_add(
		        core->stats, "operation-expired-held", CONDITION_DEGRADED, op->id,
		        "the time of the operation on site %s is over while it is held (%s): "
		        "%s; return: weir operation %s resume --reason TEXT",
		        op->targets[0].site, op->hold.code, op->hold.detail, op->id);
	else if (!strcmp(op->hold.code, "taken"))
		add_new_owner(core, op);
	else
		conditions_add(
		        core->stats, "operation-held", CONDITION_DEGRADED, op->id,
		        "the operation on site %s is held (%s): %s; weir operation %s resume "
		        "--reason TEXT, or abort",
		        op->targets[0].site, op->hold.code, op->hold.detail, op->id);
}

/* A level whose operation is not known here, and that no other has taken over: nobody moves it or returns it. */
static bool is_lost(struct core *core, const struct override *o)
{
	const struct operations_item *item;

	if (o->kind != MODEL_OVERRIDE_DRAIN || o->target != MODEL_TARGET_SITE || o->ended ||
	    !*o->operation || operations_find(core, o->operation))
		return false;
	for (size_t i = 0; (item = operations_at(core, i)); i++)
		if (!operation_is_over(&item->op) && operation_has_override(&item->op, o->id))
			return false;
	return true;
}

static void add_lost(struct core *core, const struct override *o, uint32_t level_ppm)
{
	conditions_add(core->stats, "operation-lost", CONDITION_DEGRADED, o->name,
	               "%u %% of the site's clients are elsewhere by operation %s, which is not "
	               "known here (lost, or at nodes that are not reached): nothing moves or "
	               "returns by itself; weir undrain site %s%s%s --reason TEXT",
	               level_ppm / 10000, o->operation, o->name, *o->service ? " --service " : "",
	               o->service);
}

/* After a start records come from other nodes: that takes a moment. */
static void add_all_lost(struct core *core)
{
	const struct overrides *all = intent_overrides(core->intent);
	uint64_t now_ms = clock_mono_ms(), since_ms = core->operations->lost_ms;
	bool any = false;

	for (size_t i = 0; i < all->n_items; i++) {
		const struct override *o = &all->items[i];

		if (!is_lost(core, o))
			continue;
		any = true;
		if (since_ms && now_ms - since_ms >= OPERATIONS_LOST_MS)
			add_lost(core, o, overrides_level(all, o, clock_believed_ms()));
	}
	core->operations->lost_ms = !any ? 0 : since_ms ? since_ms : now_ms;
}

void operations_add_conditions(struct core *core)
{
	const struct operations *o = core->operations;

	for (size_t i = 0; o && i < o->n; i++) {
		const struct operation *op = &o->items[i]->op;

		if (operation_is_held(op))
			add_held(core, op);
		if (!operation_is_over(op))
			add_owner(core, op);
	}
	if (o)
		add_all_lost(core);
}
