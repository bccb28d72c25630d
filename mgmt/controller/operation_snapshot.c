/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this node itself has and measures is made in the same form as a peer's answer, so that the
 * facts are gathered from all nodes by one code.
 */
#include "mgmt/controller/operation_snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mgmt/observe/levels.h"
#include "mgmt/peers/keys_gather.h"
#include "mgmt/controller/operation_measure.h"
#include "mgmt/sync/operations_list.h"
#include "mgmt/controller/operations_run.h"
#include "mgmt/peers/timekeep.h"

/* This node's own report. Under the lock. */
static void fill_own_report(struct operation_snapshot *v, struct operation_report *report,
                            const struct ramp_levels *levels, json_t *measure)
{
	report->self = report->reached = true;
	report->dns = levels != NULL;
	report->levels = operations_levels_json(v->core, levels);
	report->measure = json_incref(measure);
}

/* What a peer said, as far as it counts still. Under the lock. */
static void fill_peer_report(const struct operation_snapshot *v, struct operation_report *report)
{
	const struct operations_said *said = operations_said_of(v->core, report->node->name);

	if (!said)
		return;
	report->refuses = said->refuses;
	if (!said->heard_ms)
		return;
	report->reached = v->mono_ms - said->heard_ms <= OPERATIONS_HEARD_MS;
	report->dns = said->dns;
	if (report->reached)
		report->levels = json_incref(said->levels);
	if (said->measured_ms && v->mono_ms - said->measured_ms <= OPERATIONS_FRESH_MS)
		report->measure = json_incref(said->measure);
}

/* Under the lock. */
static void list_reports(struct operation_snapshot *v, const struct ramp_levels *levels,
                         json_t *measure)
{
	for (size_t i = 0; v->m && i < v->m->n_nodes && v->n_reports < PEERS_MAX + 1; i++) {
		struct operation_report *report = &v->reports[v->n_reports++];

		report->node = &v->m->nodes[i];
		if (!strcmp(report->node->name, v->self))
			fill_own_report(v, report, levels, measure);
		else
			fill_peer_report(v, report);
	}
}

static void list_held(struct operation_snapshot *v, const struct operation *op)
{
	if (!operation_is_held(op) || op->goal_ppm != MODEL_PPM_ALL || *op->service)
		return;
	for (uint32_t i = 0; i < op->n_targets && v->n_held < 64; i++) {
		struct operation_snapshot_held *held = &v->held[v->n_held++];

		memcpy(held->id, op->id, sizeof(held->id));
		memcpy(held->site, op->targets[i].site, sizeof(held->site));
	}
}

/* Operations that are not over. Under the lock. */
static void list_others(struct operation_snapshot *v)
{
	const struct operations_item *item;

	for (size_t i = 0; (item = operations_at(v->core, i)) && v->n_others < 64; i++) {
		if (operation_is_over(&item->op))
			continue;
		struct operation_other *other = &v->others[v->n_others++];

		*other = (struct operation_other){ .created_ms = item->op.created_ms,
			                           .moves = operation_moves(&item->op) };
		memcpy(other->id, item->op.id, sizeof(other->id));
		list_held(v, &item->op);
	}
}

/* As weir-dns has it: a clock that has stepped goes on by elapsed time, one never confirmed holds. */
static bool clock_is_fine(const struct operation_snapshot *v)
{
	enum wall_clock_hold hold = timekeep_hold(v->core);

	return !wall_clock_holds_ramps(hold) ||
	       (v->m && v->m->self && v->m->self->clock == MODEL_CLOCK_TRUSTED);
}

/* Under the lock. */
static int accept_locked(struct operation_snapshot *v, const struct ramp_levels *levels,
                         json_t *measure)
{
	const struct version *head = intent_head(v->core->intent);
	struct version waiting;

	v->shared = intent_share(v->core->intent);
	v->m = intent_shared_model(v->shared);
	v->now_ms = clock_believed_ms();
	v->mono_ms = clock_mono_ms();
	v->unconfirmed = intent_waiting(v->core->intent, &waiting);
	v->clock_fine = clock_is_fine(v);
	if (head && v->m && *head->hash_key) /* a file that was exchanged moves nobody */
		snprintf(v->key, sizeof(v->key), "%s", head->hash_key);
	list_reports(v, levels, measure);
	list_others(v);
	return overrides_copy(&v->overrides, intent_overrides(v->core->intent));
}

/* Whether a name server that is reached does not say which clients ask it. */
static bool is_unheard(const struct operation_snapshot *v, const struct keys_gather *keys)
{
	for (size_t i = 0; i < v->n_reports; i++)
		if (v->reports[i].reached && v->reports[i].node->n_dns_listen &&
		    !keys_gather_is_heard(keys, v->reports[i].node->name))
			return true;
	return false;
}

/* Ask for observed keys where they are due, and make the projector; none if keys are not known. */
static void make_projector(struct operation_snapshot *v, struct keys_gather *keys,
                           struct peer_client *client)
{
	if (!v->m)
		return;
	keys_gather_refresh(keys, v->core, client, v->m);
	if (is_unheard(v, keys)) /* asks only those that have just failed for the first time */
		keys_gather_refresh(keys, v->core, client, v->m);
	v->keys = keys;
	for (size_t i = 0; i < v->n_reports; i++)
		v->reports[i].keys = keys_gather_is_heard(keys, v->reports[i].node->name);
	if (keys_gather_projector(keys, v->core, v->m, &v->projector))
		v->projector = NULL;
	if (v->projector && operation_sources_add(v, v->projector)) {
		projector_free(v->projector);
		v->projector = NULL;
	}
}

struct operation_snapshot *operation_snapshot_make(struct core *core, struct keys_gather *keys,
                                                   struct peer_client *client,
                                                   const char *announced_at)
{
	struct operation_snapshot *v = MEMORY_NEW(struct operation_snapshot);
	struct ramp_levels *levels = MEMORY_NEW(struct ramp_levels);
	json_t *measure = operation_measure_json(core, announced_at);
	int err = measure ? 0 : -ENOMEM;

	if (!err) {
		bool has_dns = levels_request(core->dirs.run, levels);

		v->core = core;
		snprintf(v->self, sizeof(v->self), "%s", core->dirs.node);
		core_lock(core);
		err = core->operations ? accept_locked(v, has_dns ? levels : NULL, measure)
		                       : -ENOMEM;
		core_unlock(core);
	}
	json_decref(measure);
	free(levels);
	if (!err)
		make_projector(v, keys, client);
	if (!err)
		return v;
	operation_snapshot_free(v);
	return NULL;
}

struct operation_snapshot *operation_snapshot_at(struct core *core, bool measure,
                                                 const char *announced_at)
{
	struct peer_client client = { .multi = NULL };
	struct keys_gather *keys = keys_gather_new();
	struct operation_snapshot *v = NULL;

	operations_query(core, &client, measure, announced_at);
	v = operation_snapshot_make(core, keys, measure ? &client : NULL, announced_at);
	client_close(&client);
	if (v)
		v->own_keys = keys;
	else
		keys_gather_free(keys);
	return v;
}

struct operation_snapshot *operation_snapshot_now(struct core *core)
{
	return operation_snapshot_at(core, true, NULL);
}

void operation_snapshot_free(struct operation_snapshot *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->n_reports; i++) {
		json_decref(v->reports[i].levels);
		json_decref(v->reports[i].measure);
	}
	projector_free(v->projector);
	keys_gather_free(v->own_keys);
	overrides_fini(&v->overrides);
	intent_unshare(v->shared);
	free(v);
}
