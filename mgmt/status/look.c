/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What needs the lock is copied, or shared by reference (the model, which never changes), in one
 * go. The pages are opened before and belong to the look alone. Long lists are then made without
 * the lock.
 */
#include "mgmt/status/look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sorted.h"
#include "mgmt/store/bootstrap.h"

/* Under the lock. @return 0 or -ENOMEM */
static int list_members(const struct core *core, struct look *l)
{
	const struct member_list *all = intent_members(core->intent);
	uint64_t now_ms = clock_mono_ms();

	l->members = malloc((all->n + 1) * sizeof(*l->members));
	for (size_t i = 0; l->members && i < all->n; i++) {
		const struct member *m = all->items[i];

		if (m->left_ms || member_is_expired(m, now_ms))
			l->members[l->n_members++] =
			        (struct look_member){ m->key, m->left_ms != 0 };
	}
	if (l->n_members)
		qsort(l->members, l->n_members, sizeof(*l->members), sorted_by_u64);
	return l->members ? 0 : -ENOMEM;
}

const char *look_member_state(const struct look *l, const struct model_pool *pool,
                              const struct model_backend *b)
{
	uint64_t key = member_key(pool->name, b->name);
	const struct look_member *found = l->n_members ? bsearch(&key, l->members, l->n_members,
	                                                         sizeof(*l->members), sorted_by_u64)
	                                               : NULL;

	if (!b->registered)
		return NULL;
	return !found ? "registered" : found->leaves ? "leaving" : "expired";
}

int look_init(struct core *core, struct look *l)
{
	l->core = core;
	l->now_ms = clock_believed_ms();
	observe_open(core->dirs.run, &l->pages);
	gather_process(core->dirs.run, OBSERVE_SUPERVISOR, &core->watch, &l->supervisor,
	               &l->supervisor_conditions);
	core_lock(core);
	const struct version *head = intent_head(core->intent);

	l->shared = intent_share(core->intent);
	l->m = intent_shared_model(l->shared);
	int err = overrides_copy(&l->overrides, intent_overrides(core->intent));
	if (!err)
		err = list_members(core, l);
	l->has_head = head != NULL;
	if (!intent_waiting(core->intent, &l->waiting))
		l->waiting.number = 0;
	l->joins = join_waits(core->intent) || *intent_document_refusal(core->intent, NULL);
	if (head)
		l->head = *head;
	confirm_well_say(core, l->waits);
	l->document = intent_document(core->intent);
	l->store_state = intent_store_state(core->intent);
	snprintf(l->store_reason, sizeof(l->store_reason), "%s", intent_store_reason(core->intent));
	snprintf(l->unwritten_reason, sizeof(l->unwritten_reason), "%s",
	         intent_unwritten_reason(core->intent));
	for (int p = 0; p < OBSERVE_COUNT; p++)
		l->processes[p] = observe_look(core, (enum observe_process)p, &l->conditions[p]);
	l->running_ms = clock_mono_ms() - core->started_ms;
	const struct peers_report *peer_reports;
	l->n_peer_reports = peers_report(core, &peer_reports);
	if (l->n_peer_reports)
		memcpy(l->peer_reports, peer_reports, l->n_peer_reports * sizeof(*peer_reports));
	l->has_token = peers_has_token(core);
	l->dns = json_incref(observe_dns(core));
	l->drain = node_drain_copy(core);
	l->n_loads = peers_loads(core, l->loads, GUARD_SITES_MAX);
	core_unlock(core);
	return err;
}

void look_fini(struct look *l)
{
	observe_close(&l->pages);
	overrides_fini(&l->overrides);
	free(l->members);
	intent_unshare(l->shared);
	json_decref(l->dns);
}

const struct peers_report *look_peer(const struct look *l, const char *node)
{
	return peers_find(l->peer_reports, l->n_peer_reports, node);
}
