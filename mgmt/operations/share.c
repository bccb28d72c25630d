/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The share that a step ends with: new flows at the targets, of all, against the projection.
 *
 * The projection goes by queries. Where one resolver asks for many clients, flows may differ from it
 * within a band (mgmt/operations/projection_unseen.c). Outside of the band, the clients do not follow
 * their names: the step waits, and is held in the end.
 */
#include <stdio.h>

#include "mgmt/operations/engine_internal.h"

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

bool share_lets_end(struct tick *t, int64_t ttl_ms)
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
			tick_hold(t, "share", "%s", step->not_judged);
		return false;
	}
	describe_share(step, text);
	tick_wait(t, "%s", text);
	if (op->waited_ms >= 2 * ttl_ms + TICK_SHARE_MS)
		tick_hold(t, "share", "%s", text);
	return false;
}
