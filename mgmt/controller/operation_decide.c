/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A change compares the revision of the record's state as the list has it. What was observed is written with it, in records of
 * its own, as far as it differs from what is there.
 *
 * A node that is alone goes on where its disk fails, so that a site is not left half drained; but nothing begins then.
 */
#include "mgmt/controller/operation_decide.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "mgmt/sync/operations_list.h"
#include "mgmt/sync/shared_commands.h"
#include "mgmt/sync/shared_lease.h"
#include "mgmt/sync/shared_run.h"
#include "mgmt/core/shared_state.h"
#include "mgmt/operations/record_parts.h"
#include "mgmt/store/copy.h"
#include "mgmt/store/shared_intent.h"
#include "record/fields.h"
#include "weir/json.h"

/* --- records of owners --- */

/** The record of an operation's owner. */
struct owner_record {
	char node[MODEL_NAME_MAX];
};
static const struct record_kind owner_record =
        RECORD_OF(struct owner_record, "owner", NULL, RECORD_TEXT(struct owner_record, node));

static const char *name_owner(const struct operation *op, char out[SHARED_NAME_MAX])
{
	snprintf(out, SHARED_NAME_MAX, SHARED_LEASED_AT "%s", op->id);
	return out;
}

static void put_owner(const struct core *core, const struct operation *op, int64_t lease,
                      struct shared_change *c)
{
	struct owner_record own;
	char name[SHARED_NAME_MAX];

	snprintf(own.node, sizeof(own.node), "%s", core->dirs.node);
	if (lease)
		shared_change_put_leased(c, name_owner(op, name), &owner_record, &own, lease);
	else
		shared_change_remove(c, name_owner(op, name));
}

/* The owner by the copy; a record that is none names nobody. @return the revision of what is there; 0: nothing */
static int64_t read_owner(struct core *core, const struct operation *op, struct owner_record *out)
{
	struct store *store = intent_store(core->intent);
	struct shared_record r = { 0 };
	char name[SHARED_NAME_MAX];

	if (!store || copy_read(store, name_owner(op, name), &r) ||
	    record_from_text(&owner_record, r.text, out, NULL))
		out->node[0] = '\0';
	free(r.text);
	return r.revision;
}

static void see_unowned(struct core *core, const struct operation *op, struct shared_change *c)
{
	struct owner_record owner;
	int64_t revision = read_owner(core, op, &owner);
	char name[SHARED_NAME_MAX];

	shared_change_see(c, name_owner(op, name), *owner.node ? 0 : revision);
}

bool operation_has_owner(struct core *core, const struct operation *op)
{
	struct owner_record owner;

	(void)read_owner(core, op, &owner);
	return *owner.node;
}

bool operation_is_owned_here(struct core *core, const struct operation *op)
{
	const struct shared_lease *lease = shared_run_lease(core);
	struct owner_record owner;

	if (!lease)
		return shared_state_is_alone(core);
	(void)read_owner(core, op, &owner);
	return shared_lease_is_fresh(lease) && !strcmp(owner.node, core->dirs.node);
}

/* --- a change --- */

#define KEPT_MAX    (OPERATIONS_MAX - 16u) /* records that are over, in the store */
#define REMOVED_MAX 2u                     /* of the older ones, with one that begins */
/* Parts that one change writes, besides the state: room is left for the owner, what is lost and what is removed; the first has less. */
#define CHANGE_MAX   16u
#define OBSERVED_MAX (CHANGE_MAX - 3u - 2 * REMOVED_MAX)
_Static_assert(OBSERVED_MAX > OPERATION_TARGETS_MAX, "the first change has a record for each site");

/* Whether the copy has @p json as the record @p name, whatever change wrote it. */
static bool is_kept(struct store *store, const char *name, const json_t *json)
{
	struct shared_record r = { 0 };

	if (copy_read(store, name, &r))
		return json_object_size(json) == 0;
	json_t *kept = json_read(r.text, strlen(r.text), 0, NULL);

	free(r.text);
	(void)json_object_del(kept, "change");
	bool is_same = json_equal(kept, json);

	json_decref(kept);
	return is_same;
}

/* Put the state, and what was observed since, up to @p most parts; more than fits goes with the next change. */
static void put_parts(struct store *store, const struct operation *op, size_t most,
                      struct shared_change *c)
{
	struct operation_part *parts = calloc(OPERATION_PARTS_MAX, sizeof(*parts));
	size_t n = parts ? operation_parts_make(op, parts) : 0, n_put = 0;
	char lost[SHARED_NAME_MAX];

	if (!n)
		c->err = -ENOMEM;
	else /* first: by it an unclear answer is settled */
		shared_change_put_json(c, parts[0].name, parts[0].json);
	for (size_t i = 1; i < n && n_put < most; i++) {
		if (is_kept(store, parts[i].name, parts[i].json))
			continue;
		shared_change_put_json(c, parts[i].name, parts[i].json);
		n_put++;
	}
	if (operation_lost_name(op, lost))
		shared_change_remove(c, lost);
	operation_parts_free(parts, n);
	free(parts);
}

/** The oldest of the records that are over. */
struct over_records {
	char oldest[REMOVED_MAX][MODEL_ID_MAX];
	size_t n;
};

static void find_over(struct core *core, struct over_records *over)
{
	const struct operations_item *item;

	/* the newest come first */
	for (size_t i = 0; (item = operations_at(core, i)); i++) {
		if (!operation_is_over(&item->op))
			continue;
		memmove(over->oldest + 1, over->oldest,
		        (REMOVED_MAX - 1) * sizeof(over->oldest[0]));
		memcpy(over->oldest[0], item->op.id, MODEL_ID_MAX);
		over->n++;
	}
}

/* So that the store does not fill: with a new operation the oldest that are over go. */
static void remove_oldest(struct core *core, struct shared_change *c)
{
	struct over_records over = { .n = 0 };
	char name[SHARED_NAME_MAX];

	find_over(core, &over);
	for (size_t i = 0; i < REMOVED_MAX && over.n >= KEPT_MAX + i; i++) {
		shared_change_remove(c, operation_state_name(over.oldest[i], name));
		shared_change_remove_all(c, operation_observed_name(over.oldest[i], name));
	}
}

/* What begins is a command at its sites: who began it may not have heard of another one. */
static void add_commands(struct core *core, const struct operation *op, struct shared_change *c)
{
	struct override o = { .target = MODEL_TARGET_SITE, .generation = op->stamp };

	snprintf(o.principal, sizeof(o.principal), "%s", op->principal);
	snprintf(o.node, sizeof(o.node), "%s", op->owner);
	for (uint32_t i = 0; i < op->n_targets; i++) {
		snprintf(o.id, sizeof(o.id), "%s", op->targets[i].override_id);
		snprintf(o.name, sizeof(o.name), "%s", op->targets[i].site);
		shared_commands_add_last(core, &o, c);
	}
}

static void make_change(struct core *core, const struct operation *op, bool begins,
                        int64_t revision, bool if_unowned, int64_t lease, struct shared_change *c)
{
	char name[SHARED_NAME_MAX];

	shared_intent_begin(core->intent, c);
	shared_change_see(c, operation_state_name(op->id, name), revision);
	if (if_unowned)
		see_unowned(core, op, c);
	put_parts(intent_store(core->intent), op,
	          begins ? OBSERVED_MAX - op->n_targets : OBSERVED_MAX, c);
	put_owner(core, op, lease, c);
	if (begins)
		remove_oldest(core, c);
	if (begins && !shared_state_is_alone(core))
		add_commands(core, op, c);
}

/* --- who decides it --- */

/* This node. */
static enum operation_decided decide_here(struct core *core, const struct shared_change *c,
                                          int64_t *revision, char reason[ETCD_REASON_MAX])
{
	struct shared_answer a;
	int err = copy_decide(intent_store(core->intent), c, NULL, &a);

	snprintf(reason, ETCD_REASON_MAX, "%s", err ? strerror(-err) : "");
	if (err)
		return OPERATION_UNDECIDED;
	*revision = a.revision;
	bool is_done = a.result == SHARED_DONE;

	shared_answer_fini(&a);
	return is_done ? OPERATION_DECIDED : OPERATION_OVERTAKEN;
}

/* The store of all nodes. */
static enum operation_decided decide_shared(struct core *core, const struct shared_change *c,
                                            int64_t *revision, char reason[ETCD_REASON_MAX])
{
	enum shared_result result = SHARED_UNKNOWN;
	int err = shared_run_decide(core, c, &result, revision, reason);

	if (err && !*reason)
		snprintf(reason, ETCD_REASON_MAX, "the change was not written: %s", strerror(-err));
	return err                        ? OPERATION_UNDECIDED
	       : result == SHARED_UNKNOWN ? OPERATION_UNCLEAR
	       : result == SHARED_DONE    ? OPERATION_DECIDED
	                                  : OPERATION_OVERTAKEN;
}

/* Whether another operation has a site of @p op: it may have come while the lock was given up. */
static bool has_rival(struct core *core, const struct operation *op)
{
	operations_follow(core);
	for (uint32_t i = 0; i < op->n_targets; i++) {
		const struct operations_item *item = operations_of_site(core, op->targets[i].site);

		if (item && strcmp(item->op.id, op->id) != 0)
			return true;
	}
	return false;
}

static bool is_unread(struct core *core, const char *id)
{
	const struct operations_item *item = operations_find(core, id);

	return item && item->unread;
}

/* Why operation @p id cannot be decided now; NULL: all is there. */
static const char *find_obstacle(struct core *core, const char *id)
{
	return is_unread(core, id) ? "its record there cannot be read"
	       : !shared_state_is_alone(core) && !core->shared
	               ? "this node has no store.conf: weir status says what to do"
	       : core->shared && !shared_run_lease(core) ? "store.conf is wrong"
	       : !intent_store(core->intent)             ? "this node's disk keeps nothing"
	                                                 : NULL;
}

/*
 * Write the change that makes @p op of what is at @p revision. The lock is given up meanwhile, unless this node decides alone:
 * for the lease, too, so that what begins looks for a rival after that. From there to the change nothing can come between.
 */
static enum operation_decided write_record(struct core *core, const struct operation *op,
                                           bool begins, int64_t *revision, bool if_unowned,
                                           char reason[ETCD_REASON_MAX])
{
	bool alone = shared_state_is_alone(core);
	bool owns = !alone && operations_is_own(core, op) && !operation_is_over(op);
	int64_t lease = owns ? shared_lease_need(shared_run_lease(core), reason) : 0;
	const char *obstacle = owns ? find_obstacle(core, op->id) : NULL;
	struct shared_change *c = MEMORY_NEW(struct shared_change);
	enum operation_decided decided = OPERATION_UNDECIDED;

	if (begins && has_rival(core, op)) {
		decided = OPERATION_OVERTAKEN;
	} else if (obstacle) { /* it came while the lock was given up: the disk may be full since */
		snprintf(reason, ETCD_REASON_MAX, "%s", obstacle);
	} else if (lease || !owns) {
		make_change(core, op, begins, *revision, if_unowned, lease, c);
		decided = alone ? decide_here(core, c, revision, reason)
		                : decide_shared(core, c, revision, reason);
		shared_change_fini(c);
	}
	free(c);
	return decided;
}

bool operation_may_decide(struct core *core, const char *id, bool begins,
                          char reason[ETCD_REASON_MAX])
{
	const char *obstacle = find_obstacle(core, id);
	uint64_t silent_ms;

	if (shared_state_is_alone(core) && !begins && !is_unread(core, id))
		return true;
	if (!obstacle && core->shared) {
		enum store_state state = shared_state_judge(core->shared, &silent_ms);

		if (state != STORE_READY && state != STORE_UNKNOWN)
			obstacle = shared_state_trouble(core->shared);
	}
	snprintf(reason, ETCD_REASON_MAX, "%s", obstacle ? obstacle : "");
	if (obstacle || !core->shared || !core->shared->is_full)
		return !obstacle;
	shared_state_note_full(core, -ENOSPC, reason);
	return false;
}

/* The revision of the record that is to be changed. @return whether it is what the caller has */
static bool find_revision(struct core *core, const struct operation *was,
                          const struct operation *op, int64_t *revision)
{
	const struct operations_item *item = operations_find(core, op->id);

	*revision = item ? item->revision : 0;
	return was ? item && operation_is_same(&item->op, was) : !item;
}

/* Let the list have what was decided, unless it has what followed already. */
static void put_decided(struct core *core, const struct operation *op, int64_t revision)
{
	const struct operations_item *item = operations_find(core, op->id);
	int err = item && item->revision > revision ? 0 : operations_put(core, op, revision);

	if (err)
		log_warn("operation-not-kept", "id=%s error=\"%s\"", op->id, strerror(-err));
}

/* Whether a part of what was observed in @p op is not in the store. */
static bool lacks_parts(struct store *store, const struct operation *op)
{
	struct operation_part *parts = calloc(OPERATION_PARTS_MAX, sizeof(*parts));
	size_t n = parts ? operation_parts_make(op, parts) : 0, n_kept = 0;

	while (n_kept < n &&
	       (n_kept == 0 || is_kept(store, parts[n_kept].name, parts[n_kept].json)))
		n_kept++;
	operation_parts_free(parts, n);
	free(parts);
	return n_kept < n;
}

/* Write the record, with as many changes as all of its parts take. @return whether there is a record */
static bool write_whole(struct core *core, const struct operation *op, int64_t *revision)
{
	char reason[ETCD_REASON_MAX];
	size_t n = 0;

	do {
		if (write_record(core, op, false, revision, false, reason) != OPERATION_DECIDED)
			return n > 0;
		n += OBSERVED_MAX;
	} while (n < OPERATION_PARTS_MAX && lacks_parts(intent_store(core->intent), op));
	return true;
}

void operation_keep_all(struct core *core)
{
	const struct operations_item *item;

	if (!shared_state_is_alone(core) || !intent_store(core->intent))
		return;
	for (size_t i = 0; (item = operations_at(core, i)); i++) {
		int64_t revision = 0;

		/* what fails is tried again with the next round */
		if (!item->revision && !item->unread && write_whole(core, &item->op, &revision))
			put_decided(core, &item->op, revision);
	}
}

enum operation_decided operation_decide(struct core *core, const struct operation *was,
                                        const struct operation *op, bool if_unowned,
                                        char reason[ETCD_REASON_MAX])
{
	enum operation_decided decided = OPERATION_UNDECIDED;
	int64_t revision;

	snprintf(reason, ETCD_REASON_MAX, "another change came first");
	operations_follow(core);
	if (!find_revision(core, was, op, &revision))
		return OPERATION_OVERTAKEN;
	const char *obstacle = find_obstacle(core, op->id);

	snprintf(reason, ETCD_REASON_MAX, "%s", obstacle ? obstacle : "");
	if (!obstacle)
		decided = write_record(core, op, !was, &revision, if_unowned, reason);
	if (was && decided == OPERATION_UNDECIDED && shared_state_is_alone(core) &&
	    !is_unread(core, op->id))
		decided = OPERATION_DECIDED;
	if (decided == OPERATION_DECIDED)
		put_decided(core, op, revision);
	else
		operations_follow(core);
	return decided;
}
