/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steps of a way, the same for out, back and abort.
 *
 *   next step ──guards, record──▶ written, 2 s ahead ──all name servers──▶ in force
 *      ▲                                                                     │
 *      └──────── ended ◀── share as projected, or not judged ◀── TTL + 5 s, pace
 *
 * Each wait has its limit, after which the operation is held and names what did not come. The record
 * says that a step runs before anybody sees its write, and a write is always the same, so a restart
 * never makes a step twice.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "mgmt/operations/engine_internal.h"
#include "mgmt/operations/plan.h"
#include "mgmt/operations/regression.h"

/* --- the share that a step ends with --- */

/*
 * The share that a step ends with: new flows at the targets, of all, against the projection.
 *
 * The projection goes by queries. Where one resolver asks for many clients, flows may differ from it
 * within a band (mgmt/operations/projection.c). Outside of the band, the clients do not follow
 * their names: the step waits, and is held in the end.
 */

/* Whether a share can be measured: not where nobody says what a target or another site gets. */
static bool is_share_measured(const struct tick *t)
{
	for (size_t i = 0; i < t->facts->n_sites; i++) {
		const struct operation_site *site = &t->facts->sites[i];

		if (operation_targets_site(t->op, site->name)) {
			if (!facts_is_measured(site) || site->incomplete)
				return false;
		} else if (site->serves && (site->absent || site->incomplete)) {
			return false;
		}
	}
	return true;
}

/*
 * Too few packets say nothing of a share, and of the last step the packets themselves do. What is
 * missing is neither few nor right: *missing, and the step waits for it.
 */
static const char *reason_not_judged(const struct tick *t, const struct operation_step *step,
                                     bool *missing)
{
	const struct operation_facts *facts = t->facts;

	if (step->to_ppm == MODEL_PPM_ALL)
		return "all clients go elsewhere: packets decide";
	if (!is_share_measured(t))
		return "a site is down or its nodes are named absent: time decides";
	*missing = true;
	if (!facts->window_flows.known)
		return "how many new flows there are is not known";
	if (!facts->window_answers.known || !step->expected_ppm.known)
		return facts->unheard ? "a name server does not say which clients ask it"
		                      : "the projection is not known";
	*missing = false;
	if (facts->window_flows.value < TICK_FLOWS_MIN)
		return "fewer than 200 new flows were measured: time decides";
	if (facts->window_answers.value < TICK_ANSWERS_MIN)
		return "fewer than 1,000 answers were observed: time decides";
	*missing = !step->share_ppm.known;
	return *missing ? "new flows of a site are not known" : NULL;
}

/* What the share may be: as projected by queries, or within a band where one resolver asks for many. */
static void project_share(const struct tick *t, struct operation_step *step)
{
	const struct operation_band *band = &t->facts->share[facts_point(t->op)];

	step->least_ppm = band->least_ppm.known ? band->least_ppm : step->expected_ppm;
	step->most_ppm = band->most_ppm.known ? band->most_ppm : step->expected_ppm;
}

/* Whether new flows went as projected; unknown: what is needed to say it is missing. */
static enum operation_truth is_share_right(struct tick *t)
{
	struct operation_step *step = history_last(t->op);
	bool missing = false;
	const char *reason;

	step->share_ppm = facts_share(t->op, t->facts);
	step->expected_ppm = facts_expected(t->op, t->facts);
	project_share(t, step);
	reason = reason_not_judged(t, step, &missing);
	step->judged = !reason;
	(void)snprintf(step->not_judged, sizeof(step->not_judged), "%s", reason ? reason : "");
	if (reason)
		return missing ? OPERATION_UNKNOWN : OPERATION_YES;
	return step->share_ppm.value + TICK_SHARE_PPM >= step->least_ppm.value &&
	                       step->share_ppm.value <= step->most_ppm.value + TICK_SHARE_PPM
	               ? OPERATION_YES
	               : OPERATION_NO;
}

/* "44.7% of all; 25.0% to 50.0% were projected" */
static void describe_share(const struct operation_step *step, char text[OPERATION_DETAIL_MAX])
{
	double is = (double)step->share_ppm.value / 1e4;
	double least = (double)step->least_ppm.value / 1e4,
	       most = (double)step->most_ppm.value / 1e4;

	if (step->least_ppm.value == step->most_ppm.value)
		(void)snprintf(text, OPERATION_DETAIL_MAX,
		               "new flows at the site are %.1f%% of all; %.1f%% were projected", is,
		               most);
	else
		(void)snprintf(text, OPERATION_DETAIL_MAX,
		               "new flows at the site are %.1f%% of all; %.1f%% to %.1f%% were "
		               "projected",
		               is, least, most);
}

static bool may_share_end(struct tick *t, int64_t ttl_ms)
{
	struct operation *op = t->op;
	struct operation_step *step = history_last(op);
	enum operation_truth right = is_share_right(t);
	char text[OPERATION_DETAIL_MAX];

	if (right != OPERATION_UNKNOWN)
		op->unjudged_ms = 0;
	if (right == OPERATION_YES || op->overridden[OPERATION_GUARD_SHARE])
		return true;
	if (right == OPERATION_UNKNOWN) {
		tick_wait(t, "%s", step->not_judged);
		if (op->unjudged_ms >= TICK_UNKNOWN_MS)
			tick_hold(t, OPERATION_GUARD_SHARE, "%s", step->not_judged);
		return false;
	}
	describe_share(step, text);
	tick_wait(t, "%s", text);
	if (op->waited_ms >= 2 * ttl_ms + TICK_SHARE_MS)
		tick_hold(t, OPERATION_GUARD_SHARE, "%s", text);
	return false;
}

/* Those that are reached, in the order of the configuration. @param adds  to those that took part before */
static void note_nodes(struct operation *op, const struct operation_facts *facts, bool adds)
{
	uint64_t keys[OPERATION_NODES_MAX];
	uint32_t n = 0;

	for (size_t i = 0; i < facts->n_nodes && n < OPERATION_NODES_MAX; i++) {
		const struct operation_node *node = &facts->nodes[i];

		if (facts_is_counted(op, node) || (adds && operation_took_part(op, node->name)))
			keys[n++] = hash_text(node->name);
	}
	memcpy(op->took_part, keys, n * sizeof(keys[0]));
	op->n_took_part = n;
}

void step_note_nodes(struct tick *t)
{
	note_nodes(t->op, t->facts, false);
}

void step_begin_way(struct tick *t)
{
	struct operation *op = t->op;

	operation_plan(op, t->facts);
	step_note_nodes(t);
	op->n_signs = 0;
	well_begin(op, t->facts);
	if (op->way == OPERATION_OUT || !op->began_ms)
		op->began_ms = t->now_ms;
	op->key_fingerprint = t->facts->key_fingerprint;
	tick_change(t);
}

/*
 * A node that took part is not reached any more; NULL: none. A removed node is not missed. If this
 * node is removed itself, others say so, and that is the reason.
 */
static const struct operation_node *find_lost(const struct tick *t)
{
	const struct operation_node *lost = NULL;

	for (size_t i = 0; i < t->facts->n_nodes; i++) {
		const struct operation_node *node = &t->facts->nodes[i];

		if (!node->reached && operation_took_part(t->op, node->name) &&
		    !operation_is_without(t->op, node->name) &&
		    (!lost || (node->refuses && !lost->refuses)))
			lost = node;
	}
	return lost;
}

static void hold_lost(struct tick *t, const struct operation_node *lost)
{
	if (lost->refuses)
		tick_hold(t, OPERATION_HOLD_OWNER_REMOVED,
		          "the configuration of node %s does not have owner %s: take it over there",
		          lost->name, t->op->owner);
	else
		tick_hold(t, OPERATION_HOLD_NODE_LOST, "node %s is not reached any more",
		          lost->name);
}

/* A site to return to must be up as seen from outside: this is no guard that can be overridden. */
static const struct operation_site *find_down(const struct tick *t, enum operation_truth *up)
{
	for (uint32_t i = 0; i < t->op->n_targets; i++) {
		const struct operation_site *site = facts_site(t->facts, t->op->targets[i].site);

		*up = site ? facts_is_up(site) : OPERATION_UNKNOWN;
		if (site && *up != OPERATION_YES)
			return site;
	}
	return NULL;
}

/* Something is missing: not the same as bad, for a moment. @return whether it has been so too long */
static bool is_missing_long(const struct tick *t)
{
	return t->op->unknown_ms >= TICK_UNKNOWN_MS;
}

static bool is_way_back_open(struct tick *t, bool *missing)
{
	enum operation_truth up;
	const struct operation_site *site;

	if (t->op->way != OPERATION_BACK)
		return true;
	site = find_down(t, &up);
	if (!site)
		return true;
	*missing = up == OPERATION_UNKNOWN;
	if (!*missing || is_missing_long(t))
		tick_hold(t, OPERATION_HOLD_SITE_DOWN, "site %s is not up as seen from outside",
		          site->name);
	else
		tick_wait(t, "whether site %s is up is not known", site->name);
	return false;
}

static bool query_guards(struct tick *t, enum operation_moment moment, bool *missing)
{
	struct operation_verdict verdicts[OPERATION_GUARD_COUNT];
	const struct operation_verdict *tripped;
	const struct operation_node *lost = find_lost(t);

	if (lost) {
		hold_lost(t, lost);
		return false;
	}
	if (!is_way_back_open(t, missing))
		return false;
	operation_judge(t->op, t->facts, moment, verdicts);
	history_margins(t->op, verdicts);
	history_overridden(t, verdicts);
	tripped = operation_tripped(verdicts);
	if (!tripped)
		return true;
	*missing = tripped->unknown;
	if (!tripped->unknown || is_missing_long(t))
		tick_hold(t, tripped->guard, "%s", tripped->detail);
	else
		tick_wait(t, "%s", tripped->detail);
	return false;
}

bool step_query_guards(struct tick *t, enum operation_moment moment)
{
	bool missing = false, well;

	/* what comes back takes part again, and may be missed again */
	note_nodes(t->op, t->facts, true);
	well_begin(t->op, t->facts); /* of a site that gets clients only now */
	well = query_guards(t, moment, &missing);
	if (!missing)
		t->op->unknown_ms = 0;
	return well;
}

/* Waits for a level at a name server; holds where it has not come by @p limit_ms. */
static void await_level(struct tick *t, enum operation_truth has, const char *node,
                        const char *which, int64_t waited_ms, int64_t limit_ms)
{
	const char *how =
	        has == OPERATION_UNKNOWN ? "does not say whether it has" : "does not have";

	tick_wait(t, "node %s %s %s", node, how, which);
	if (waited_ms >= limit_ms)
		tick_hold(t, OPERATION_HOLD_NOT_IN_FORCE, "node %s %s %s", node, how, which);
}

/* Each node takes one step at a time: it must have the last one, or the level of a hold. */
static bool have_all_last(struct tick *t)
{
	struct operation *op = t->op;
	const char *missing = "";
	enum operation_truth has = level_is_reached(t, &missing);

	if (has == OPERATION_YES)
		return true;
	await_level(t, has, missing, "the level that the step starts from", op->waited_ms,
	            TICK_FORCE_MS);
	return false;
}

/*
 * A step that a hold stopped has its time, too: answers given before it are in use for one TTL. There are none where the
 * hold came before the level had moved.
 */
static bool has_last_settled(struct tick *t)
{
	const struct operation_step *last = history_last(t->op);
	int64_t ttl_ms = step_wait_ms(t->op);

	if (!last || last->ended_ms || t->op->level_ppm == last->from_ppm ||
	    (last->to_ppm > last->from_ppm) != (t->op->way == OPERATION_OUT))
		return true;
	tick_wait(t, "answers given before the hold may be in use");
	return t->op->waited_ms >= ttl_ms;
}

/* One step to the end is for a site that is down, and it may have come back meanwhile. */
static bool is_plan_outdated(const struct tick *t)
{
	const struct operation *op = t->op;
	uint32_t levels[OPERATION_PLAN_MAX];

	return !op->now && !(op->way == OPERATION_OUT && facts_targets_down(op, t->facts)) &&
	       plan_levels(op->level_ppm, op->plan_ppm[op->step], false, levels) > 1;
}

static void begin_step(struct tick *t)
{
	struct operation *op = t->op;
	uint32_t to_ppm = op->plan_ppm[op->step];

	if (is_plan_outdated(t)) {
		operation_plan(op, t->facts);
		tick_change(t);
		return; /* what is projected is of the former plan */
	}
	if (!step_query_guards(t, OPERATION_BEFORE) || !have_all_last(t) || !has_last_settled(t))
		return;
	level_write(t, op->level_ppm, to_ppm, t->now_ms + OPERATION_AHEAD_MS,
	            op->over_ms / op->n_plan);
	history_begin(t, op->level_ppm, to_ppm);
	history_measure(t);
	op->step_runs = true;
	op->in_step_ms = 0;
	op->waited_ms = 0;
	tick_note(t, "step from %u%% to %u%% of the clients elsewhere", op->level_ppm / 10000,
	          to_ppm / 10000);
}

uint64_t step_ttl_s(const struct operation *op)
{
	const struct operation_step *step = op->n_steps ? &op->steps[op->n_steps - 1] : NULL;

	return step && step->ttl_s.known ? step->ttl_s.value : TICK_TTL_UNKNOWN_S;
}

int64_t step_wait_ms(const struct operation *op)
{
	return (int64_t)step_ttl_s(op) * 1000 + MODEL_AFTER_TTL_MS;
}

/* Those that come later than one TTL after all were sent away are the backup's. The level stays meanwhile: it is no step. */
void step_open_backup(struct tick *t)
{
	struct operation *op = t->op;
	const struct operation_step *last = history_last(op);
	bool any = false;

	if (op->way != OPERATION_OUT || op->level_ppm != MODEL_PPM_ALL || op->late_from_ms)
		return;
	if (!op->full_ms)
		op->full_ms = t->now_ms;
	for (uint32_t i = 0; i < op->n_targets; i++) {
		const struct operation_site *site = facts_site(t->facts, op->targets[i].site);

		any = any || (site && site->has_backup && !site->slots_with);
	}
	if (!any)
		return;
	if (last) /* else it was drained before the operation began */
		op->late_from_ms = last->in_force_ms + (int64_t)step_ttl_s(op) * 1000;
	if (op->late_from_ms < t->now_ms + OPERATION_AHEAD_MS)
		op->late_from_ms = t->now_ms + OPERATION_AHEAD_MS;
	level_write(t, operation_hold_from(op, op->level_ppm), op->level_ppm, t->now_ms, 0);
}

static void await_force(struct tick *t)
{
	struct operation *op = t->op;
	const char *missing = "";
	int64_t limit_ms = OPERATION_AHEAD_MS + op->write.over_ms + TICK_FORCE_MS;
	enum operation_truth has = level_in_force(t, &missing);

	if (has == OPERATION_YES) {
		history_last(op)->in_force_ms = t->now_ms;
		if (t->facts->ttl_s.known)
			history_last(op)->ttl_s = t->facts->ttl_s;
		op->level_ppm = op->write.to_ppm;
		op->waited_ms = 0;
		step_open_backup(t);
		tick_change(t);
		return;
	}
	await_level(t, has, missing, "the level of the step in force", op->in_step_ms, limit_ms);
}

static long long count_seconds(int64_t left_ms)
{
	return (left_ms + 999) / 1000;
}

/* How long a step has at least: one TTL and 5 s, its pace, or what a first 1 % takes. */
static bool has_waited(struct tick *t, int64_t *ttl_ms)
{
	struct operation *op = t->op;
	const struct operation_step *step = history_last(op);
	bool canary = op->state == OPERATION_RETURNING && step->to_ppm == PLAN_CANARY_PPM;

	*ttl_ms = step_wait_ms(op);
	if (op->waited_ms < *ttl_ms) {
		tick_wait(t, "answers given before the step may be in use for %lld s more",
		          count_seconds(*ttl_ms - op->waited_ms));
		return false;
	}
	if (canary && op->waited_ms < PLAN_CANARY_MS) {
		tick_wait(t, "the first 1 %% of the clients is watched for %lld s more",
		          count_seconds(PLAN_CANARY_MS - op->waited_ms));
		return false;
	}
	if (op->in_step_ms < op->over_ms / op->n_plan) {
		tick_wait(t, "by its pace (--over) the step takes %lld s more",
		          count_seconds(op->over_ms / op->n_plan - op->in_step_ms));
		return false;
	}
	return true;
}

static void await_end(struct tick *t)
{
	struct operation *op = t->op;
	struct operation_step *step = history_last(op);
	int64_t ttl_ms;

	if (!has_waited(t, &ttl_ms)) {
		op->unjudged_ms = 0;
		return;
	}
	if (!may_share_end(t, ttl_ms))
		return;
	history_measure(t);
	step->ended_ms = t->now_ms;
	op->step++;
	op->step_runs = false;
	op->waited_ms = 0;
}

bool step_run(struct tick *t)
{
	struct operation *op = t->op;
	enum operation_state state = op->state;

	if (op->step_runs) {
		if (!step_query_guards(t, OPERATION_DURING))
			return false;
		if (!history_last(op)->in_force_ms)
			await_force(t);
		else
			await_end(t);
	}
	if (op->state != state || op->step_runs)
		return false;
	if (op->step < op->n_plan) {
		if (level_follow(t))
			operation_plan(op, t->facts); /* after a turn that may be past the first */
		else
			begin_step(t);
		return false;
	}
	return true;
}
