/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conditions of backup pools. That a backup serves because too few own backends are up is a trouble
 * of this site, though clients are served; that it serves late clients of a drain is what the drain
 * is to do, so it is a note.
 */
#include "dataplane/conditions.h"

#include "dataplane/process.h"
#include "weir/condition.h"
#include "weir/model.h"

static void state_serving(const struct compiler_pool *p, struct stats *s)
{
	const struct backup_state *state = &p->backup->state;
	bool late = state->cause == EFFECT_BACKUP_LATE;

	conditions_add(s, "backup-serves", late ? CONDITION_NOTE : CONDITION_DEGRADED,
	               p->plan->model->name, "new flows go to backup pool %s: %s",
	               p->plan->backup->name,
	               state->cause == EFFECT_BACKUP_NOT_NEEDED
	                       ? "its own backends are up again, and take them in some seconds"
	                       : effect_backup_cause_text((enum effect_backup_cause)state->cause));
	if (state->class == EFFECT_CLASS_LIMITED)
		conditions_add(s, "backup-limited", CONDITION_DEGRADED, p->plan->model->name,
		               "backup pool %s gets as much as backup_max allows (%u %% of the "
		               "slots); flows of the others stay with own backends, or are dropped "
		               "if none is up (reason backup_full): raise backup_max if the other "
		               "site has room",
		               p->plan->backup->name, state->share * 100u / BACKUP_SHARE_ALL);
}

/*
 * A backup that would not serve is redundancy lost, and has to be known before it is needed. A person who drains its site
 * wants that, and what no probe has proved yet is not known to be wrong: both are notes.
 */
static void state_obstacle(const struct compiler_pool *p, struct stats *s)
{
	enum effect_backup_unused obstacle = (enum effect_backup_unused)p->backup->state.obstacle;
	bool is_known = obstacle == EFFECT_BACKUP_SITE_DOWN || obstacle == EFFECT_BACKUP_POOL_DOWN;

	conditions_add(s, is_known ? "backup-refuses" : "backup-unready",
	               is_known ? CONDITION_DEGRADED : CONDITION_NOTE, p->plan->model->name,
	               "backup pool %s would not serve if it were needed now: %s. weir status says "
	               "of each service what is missing",
	               p->plan->backup->name, effect_backup_unused_text(obstacle));
}

static void state_backup(const struct compiler_pool *p, struct stats *s)
{
	const struct backup_state *state = &p->backup->state;

	if (state->class != EFFECT_CLASS_OWN)
		state_serving(p, s);
	else if (state->unused)
		conditions_add(s, "backup-unused", CONDITION_DEGRADED, p->plan->model->name,
		               "backup pool %s is needed (%s) and not used: %s",
		               p->plan->backup->name,
		               effect_backup_cause_text((enum effect_backup_cause)state->cause),
		               effect_backup_unused_text((enum effect_backup_unused)state->unused));
	else if (state->obstacle && state->cause == EFFECT_BACKUP_NOT_NEEDED)
		state_obstacle(p, s);
}

void conditions_state_backups(const struct process *p, struct stats *s)
{
	for (size_t i = 0; i < p->node.n_pools; i++)
		if (p->node.pools[i].backup)
			state_backup(&p->node.pools[i], s);
}
