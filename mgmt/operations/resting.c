/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The states in which levels rest: late, drained, empty, and a shift at its level.
 *
 * Drained is what packets say: the own backends of each target accept fewer new flows than
 * max(1 % of before, 1/s). Where no packet can be measured, names do: after two TTLs without an
 * answer that names a target, the state is "drained, not confirmed by packets".
 *
 * Clients that come back for a while are late again, and a site whose established flows speak again is not empty. A
 * keepalive or a scanner is no reason. An empty site is drained first, for either reason: so late is said after a time
 * of new flows alone.
 */
#include <string.h>

#include "mgmt/operations/engine_internal.h"

#define BACK_MS 30000 /* clients that come back for less leave the state as it is */

/* Whether a target's own backends get (almost) no new flows. */
static enum operation_truth is_quiet(const struct operation_target *target,
                                     const struct operation_site *site)
{
	uint64_t before = target->baseline.known ? target->baseline.value : 0;

	if (!site || !site->flows.known)
		return OPERATION_UNKNOWN;
	/* quiet: flows < max(before / 100, 1), in whole numbers */
	if (site->flows.value >= (before + 99) / 100 && site->flows.value >= 1)
		return OPERATION_NO;
	return site->incomplete ? OPERATION_UNKNOWN : OPERATION_YES;
}

static bool is_any_reached(const struct tick *t, const char *site)
{
	for (size_t i = 0; i < t->facts->n_nodes; i++) {
		const struct operation_node *node = &t->facts->nodes[i];

		if (node->reached && node->site && !strcmp(node->site, site))
			return true;
	}
	return false;
}

/* Why nobody can tell whether a target is quiet. */
static void wait_for_flows(struct tick *t, const char *name, const struct operation_site *site)
{
	if (!is_any_reached(t, name))
		tick_wait(t, "no node of site %s is reached: its new flows are not known", name);
	else if (site && site->flows.known)
		tick_wait(t, "a node of site %s is absent: its new flows are not known", name);
	else
		tick_wait(t, "new flows of site %s are not measured", name);
}

static enum operation_truth are_quiet(struct tick *t)
{
	enum operation_truth all = OPERATION_YES;

	for (uint32_t i = 0; i < t->op->n_targets; i++) {
		const struct operation_target *target = &t->op->targets[i];
		const struct operation_site *site = facts_site(t->facts, target->site);
		enum operation_truth quiet = is_quiet(target, site);

		if (quiet == OPERATION_NO) {
			tick_wait(t, "own backends of site %s still accept %llu new flows a second",
			          target->site, (unsigned long long)site->flows.value);
			return OPERATION_NO;
		}
		if (quiet == OPERATION_UNKNOWN) {
			wait_for_flows(t, target->site, site);
			all = OPERATION_UNKNOWN;
		}
	}
	return all;
}

/* Whether the established flows of all targets are silent, too. */
static bool are_silent(const struct tick *t)
{
	for (uint32_t i = 0; i < t->op->n_targets; i++) {
		const struct operation_site *site = facts_site(t->facts, t->op->targets[i].site);

		if (!site || site->incomplete || !site->established.known ||
		    site->established.value)
			return false;
	}
	return true;
}

/* Whether it is known that established flows of a target are not. */
static bool is_any_heard(const struct tick *t)
{
	for (uint32_t i = 0; i < t->op->n_targets; i++) {
		const struct operation_site *site = facts_site(t->facts, t->op->targets[i].site);

		if (site && site->established.known && site->established.value)
			return true;
	}
	return false;
}

static bool is_another_out(const struct tick *t)
{
	for (size_t i = 0; i < t->facts->n_sites; i++) {
		const struct operation_site *site = &t->facts->sites[i];

		if (site->serves && site->out == OPERATION_YES &&
		    !operation_targets_site(t->op, site->name))
			return true;
	}
	return false;
}

/*
 * After a cut heals, two drains together may leave no site, or a service none. The younger is held, so that a person
 * looks; traffic stays as it is. A service whose other sites have died is no reason: at its end this one returns.
 * @return whether it was held
 */
static bool hold_together(struct tick *t)
{
	struct operation_verdict verdicts[OPERATION_GUARD_COUNT];
	const struct operation_verdict *last = &verdicts[OPERATION_GUARD_LAST_SITE];
	struct operation_facts facts = *t->facts;

	facts.left_alone = facts.left_together;
	if (!is_another_out(t) && !facts.left_together)
		return false;
	operation_judge(t->op, &facts, OPERATION_DURING, verdicts);
	for (size_t i = 0; i < t->facts->n_others && !last->ok && !last->unknown; i++) {
		if (!facts_is_older(&t->facts->others[i], t->op) || last->overridden)
			continue;
		tick_hold(t, OPERATION_GUARD_LAST_SITE,
		          "%s, together with operation %s, which is older", last->detail,
		          t->facts->others[i].id);
		return true;
	}
	return false;
}

static void become_drained(struct tick *t)
{
	struct operation *op = t->op;

	history_late(t);
	op->n_after = history_loads(t, op->after);
	if (!op->drained_ms)
		op->drained_ms = t->now_ms;
	tick_enter(t, OPERATION_DRAINED);
}

void stay_late(struct tick *t)
{
	struct operation *op = t->op;
	enum operation_truth quiet;

	if (hold_together(t))
		return;
	history_late(t);
	quiet = are_quiet(t);
	if (quiet == OPERATION_NO)
		op->unnamed_ms = 0; /* clients come, whoever names the site */
	if (quiet == OPERATION_YES) {
		become_drained(t);
	} else if (quiet == OPERATION_UNKNOWN &&
	           op->unnamed_ms >= 2 * (int64_t)step_ttl_s(op) * 1000) {
		op->n_after = history_loads(t, op->after);
		tick_enter(t, OPERATION_DRAINED_UNCONFIRMED);
	}
}

void stay_unconfirmed(struct tick *t)
{
	enum operation_truth quiet;

	if (hold_together(t))
		return;
	quiet = are_quiet(t);
	if (quiet == OPERATION_YES)
		become_drained(t);
	else if (quiet == OPERATION_NO)
		tick_enter(t, OPERATION_LATE);
}

void stay_drained(struct tick *t)
{
	struct operation *op = t->op;
	bool empty = op->state == OPERATION_EMPTY, come;

	if (hold_together(t))
		return;
	history_late(t);
	come = are_quiet(t) == OPERATION_NO; /* which says at which site */
	if (!come)
		tick_wait(t, "%s", empty ? "" : "established flows are not silent yet");
	if (!come && !(empty && is_any_heard(t)))
		op->waited_ms = 0;
	if (op->waited_ms >= BACK_MS)
		tick_enter(t, empty ? OPERATION_DRAINED : OPERATION_LATE);
	else if (!empty && !come && are_silent(t))
		tick_enter(t, OPERATION_EMPTY);
}

void stay_shift(struct tick *t)
{
	tick_wait(t, "%s", t->op->until_ms == MODEL_TIME_NEVER ? "" : "its end (--until)");
}
