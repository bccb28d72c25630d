/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each guard judges for itself, and adds what it finds to its verdict; the table at the end has all of them, in the order of their list.
 */
#include "mgmt/operations/guards.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/operations/facts.h"
#include "mgmt/operations/regression.h"
#include "mgmt/overrides/guard.h"

struct guard_question {
	const struct operation *op;
	const struct operation_facts *facts;
	enum operation_moment moment;
};

/** Write one verdict that begins as "nothing was checked": ok, not checked, no margin. */
typedef void guard_function(const struct guard_question *q, struct operation_verdict *v);

/** What a guard has seen: something that is well; something that is missing, so that it cannot tell, and trips; a fault. */
enum finding { PASSES, LACKS, TRIPS };

/*
 * Add a finding, with a sentence. A verdict that has tripped for something known stays so; a missing value trips what
 * would have passed. So the detail names a fault before a gap, and of each the first.
 */
__attribute__((format(printf, 3, 4))) static void
add_finding(struct operation_verdict *v, enum finding finding, const char *format, ...)
{
	enum finding was = v->ok ? PASSES : v->unknown ? LACKS : TRIPS;
	va_list arguments;

	if (was > finding || (was == finding && finding != PASSES))
		return;
	va_start(arguments, format);
	(void)vsnprintf(v->detail, sizeof(v->detail), format, arguments);
	va_end(arguments);
	v->checked = true;
	v->ok = finding == PASSES;
	v->unknown = finding == LACKS;
}

/* --- the cluster --- */

/*
 * Guards about the cluster as a whole: who is reached, which clock they have, what else
 * is going on. Most of them cannot be overridden by name, because another command is meant for it.
 */

static void judge_majority(const struct guard_question *q, struct operation_verdict *v)
{
	size_t counted = 0, reached = 0;

	for (size_t i = 0; i < q->facts->n_nodes; i++) {
		const struct operation_node *node = &q->facts->nodes[i];

		if (operation_is_without(q->op, node->name))
			continue;
		counted++;
		reached += node->reached;
	}
	if (reached * 2 > counted)
		add_finding(v, PASSES, "%zu of %zu nodes are reached", reached, counted);
	else
		add_finding(v, TRIPS, "%zu of %zu nodes are reached, which is no majority", reached,
		            counted);
}

static void judge_clock(const struct guard_question *q, struct operation_verdict *v)
{
	if (q->facts->clock == OPERATION_YES)
		add_finding(v, PASSES, "the clock of node %s is believed", q->facts->self);
	else if (q->facts->clock == OPERATION_NO)
		add_finding(v, TRIPS, "the clock of node %s is not believed", q->facts->self);
	else
		add_finding(v, LACKS, "whether the clock of node %s is right is not known",
		            q->facts->self);
}

static void judge_unconfirmed(const struct guard_question *q, struct operation_verdict *v)
{
	if (q->facts->unconfirmed == OPERATION_NO)
		add_finding(v, PASSES, "no change waits to be confirmed");
	else if (q->facts->unconfirmed == OPERATION_YES)
		add_finding(v, TRIPS, "a change waits to be confirmed (weir confirm)");
	else
		add_finding(v, LACKS, "whether a change waits to be confirmed is not known");
}

/* An abort gives way to none: it takes back what brings others into trouble. */
static void judge_other(const struct guard_question *q, struct operation_verdict *v)
{
	if (q->op->state == OPERATION_ABORTING)
		return;
	for (size_t i = 0; i < q->facts->n_others; i++) {
		const struct operation_other *other = &q->facts->others[i];

		if (other->moves && facts_is_older(other, q->op))
			add_finding(v, TRIPS, "operation %s moves, and is older", other->id);
	}
	add_finding(v, PASSES, "no older operation moves");
}

static void judge_no_dns(const struct guard_question *q, struct operation_verdict *v)
{
	if (q->facts->document == OPERATION_DOCUMENT_NO_DNS)
		add_finding(v, TRIPS,
		            "no DNS name chooses the site, so no client can be sent elsewhere");
	else if (q->facts->document == OPERATION_DOCUMENT_UNKNOWN)
		add_finding(v, LACKS, "whether a DNS name chooses the site is not known");
	else
		add_finding(v, PASSES, "DNS names choose the site");
}

/* --- the load --- */

/*
 * The guard `room`: the load of each site that gets clients, now plus what the running step still
 * brings, against what the site states that it can carry.
 *
 * Where a capacity is stated, a load that is not known is no room. Where none is stated there is
 * nothing to compare, and the verdict says that it was not checked.
 */

/* Whether late clients may come to backup pools on top: with the last step, or all at once. */
static bool counts_backup(const struct guard_question *q, uint32_t point)
{
	if (q->op->way == OPERATION_BACK || q->op->goal_ppm != MODEL_PPM_ALL)
		return false;
	return q->op->now || point == q->op->n_plan;
}

/* What the projection lacks: the receiver's own load, or that of a target, whose clients come. */
static const char *find_unmeasured(const struct guard_question *q,
                                   const struct operation_site *receiver, bool bits)
{
	for (size_t i = 0; i < q->facts->n_sites; i++) {
		const struct operation_site *s = &q->facts->sites[i];
		bool known = bits ? s->bits.known : s->flows.known;

		if (!known && operation_targets_site(q->op, s->name) &&
		    (bits ? receiver->bits.known : receiver->flows.known))
			return s->name;
	}
	return receiver->name;
}

static void judge_load(const struct guard_question *q, const struct operation_site *site, bool bits,
                       struct operation_value capacity, struct operation_value load,
                       struct operation_verdict *v)
{
	const char *what = bits ? "bits" : "new flows";
	uint64_t percent = 0;
	enum guard_fit fit = capacity.value
	                             ? guard_fit(capacity.value, load.known, load.value, &percent)
	                             : GUARD_FIT_UNKNOWN;

	if (!capacity.known)
		return;
	if (fit == GUARD_FIT_UNKNOWN) {
		if (q->facts->unheard)
			add_finding(v, LACKS,
			            "which clients ask name server %s is not known, so there is no "
			            "room for %s at site %s",
			            q->facts->unheard, what, site->name);
		add_finding(v, LACKS,
		            "the %s of site %s are not known, so there is no room at site %s", what,
		            find_unmeasured(q, site, bits), site->name);
		return;
	}
	if (fit == GUARD_FIT_NO)
		add_finding(v, TRIPS,
		            "the %s of site %s would be %llu%% of its capacity; %u%% are allowed",
		            what, site->name, (unsigned long long)percent, GUARD_ROOM_PERCENT);
	else
		add_finding(v, PASSES, "all receivers stay below %u%% of their capacity",
		            GUARD_ROOM_PERCENT);
	percent = percent < 100 ? 100 - percent : 0;
	if (!v->margin.known || percent < v->margin.value)
		v->margin = (struct operation_value){ true, percent };
}

static void judge_point(const struct guard_question *q, uint32_t point, struct operation_verdict *v)
{
	for (size_t i = 0; i < q->facts->n_sites; i++) {
		const struct operation_site *site = &q->facts->sites[i];
		const struct operation_projected *at = &site->at[point];
		struct operation_value flows = at->flows, bits = at->bits;

		if (!facts_receives(q->op, site) || at->receives == OPERATION_NO)
			continue;
		if (counts_backup(q, point)) {
			flows = operation_value_add(flows, at->backup_flows);
			bits = operation_value_add(bits, at->backup_bits);
		}
		judge_load(q, site, false, site->capacity_flows, flows, v);
		judge_load(q, site, true, site->capacity_bits, bits, v);
	}
}

/* Before it begins, the end of the plan must have room, too: else it would be held half-way. */
static void judge_room(const struct guard_question *q, struct operation_verdict *v)
{
	uint32_t point = facts_point(q->op);
	uint32_t last = q->moment == OPERATION_BEGIN ? q->op->n_plan : point;

	if (q->op->way == OPERATION_OUT && facts_targets_down(q->op, q->facts)) {
		add_finding(v, PASSES,
		            "not checked: the site is down, its load has moved or is lost");
		v->checked = false;
		return;
	}
	for (; point <= last; point++)
		judge_point(q, point, v);
}

/* --- sites --- */

/*
 * Guards about sites: how many are left, and whether those that get clients are well.
 *
 * What the running way brings clients to is asked with facts_gains(): out, the sites that are no
 * target, are not out themselves and are not down; back, the targets. So a drained site is never
 * counted as a receiver. A site that only has a backup pool of a target is a receiver, too
 * (facts_receives()), but none that is left for clients.
 */

size_t operation_count_deciding(const struct operation *op, const struct operation_facts *facts)
{
	size_t n = 0;

	for (size_t i = 0; i < facts->n_sites; i++) {
		const struct operation_site *site = &facts->sites[i];

		n += site->out != OPERATION_YES &&
		     !(facts_is_complete(op) && operation_targets_site(op, site->name));
	}
	return n;
}

static void judge_last_site(const struct guard_question *q, struct operation_verdict *v)
{
	size_t left = 0, unknown = 0;

	if (q->op->way == OPERATION_BACK)
		return;
	for (size_t i = 0; i < q->facts->n_sites; i++) {
		const struct operation_site *site = &q->facts->sites[i];

		if (!facts_gains(q->op, site))
			continue;
		if (site->out == OPERATION_NO && facts_is_up(site) == OPERATION_YES)
			left++;
		else
			unknown++;
	}
	if (left)
		add_finding(v, PASSES, "%zu sites that are up are left", left);
	else if (unknown)
		add_finding(v, LACKS, "whether one of %zu other sites is up is not known", unknown);
	else
		add_finding(v, TRIPS, "no site that is up would be left");
	if (q->op->goal_ppm == MODEL_PPM_ALL && q->facts->left_alone)
		add_finding(v, TRIPS, "service %s would be left without a site that is up",
		            q->facts->left_alone);
	if (q->op->goal_ppm == MODEL_PPM_ALL && q->facts->left_unknown)
		add_finding(v, LACKS, "whether another site of service %s is up is not known",
		            q->facts->left_unknown);
}

static void judge_max_sites_out(const struct guard_question *q, struct operation_verdict *v)
{
	uint64_t max = q->facts->max_sites_out.value, out = 0, unknown = 0;

	if (q->op->way == OPERATION_BACK || !facts_is_complete(q->op))
		return;
	for (size_t i = 0; i < q->facts->n_sites; i++) {
		const struct operation_site *site = &q->facts->sites[i];
		enum operation_truth up = facts_is_up(site);

		if (operation_targets_site(q->op, site->name) || site->out == OPERATION_YES ||
		    site->held || up == OPERATION_NO)
			out++;
		else if (site->out == OPERATION_UNKNOWN || up == OPERATION_UNKNOWN)
			unknown++;
	}
	if (!q->facts->max_sites_out.known)
		add_finding(v, LACKS, "max_sites_out is not known");
	else if (out > max)
		add_finding(v, TRIPS, "%llu sites would be out; max_sites_out is %llu",
		            (unsigned long long)out, (unsigned long long)max);
	else if (out + unknown > max)
		add_finding(v, LACKS,
		            "whether %llu other sites are out is not known; max_sites_out is %llu",
		            (unsigned long long)unknown, (unsigned long long)max);
	else
		add_finding(v, PASSES, "%llu sites would be out; max_sites_out is %llu",
		            (unsigned long long)out, (unsigned long long)max);
}

/* Where a site can check this one from outside, its checks decide; else its own pools. */
static void judge_checks(const struct operation_site *site, struct operation_verdict *v)
{
	if (site->failing == OPERATION_YES)
		add_finding(v, TRIPS, "a VIP check of site %s fails", site->name);
	if (site->failing == OPERATION_UNKNOWN && site->checked)
		add_finding(v, LACKS, "whether VIP checks of site %s fail is not known",
		            site->name);
	if (site->pools == OPERATION_NO)
		add_finding(v, TRIPS, "a pool of site %s is below min_healthy", site->name);
	if (site->pools == OPERATION_UNKNOWN)
		add_finding(v, LACKS, "whether the pools of site %s are up is not known",
		            site->name);
}

static void judge_signs(const struct operation *op, const struct operation_site *site,
                        struct operation_verdict *v)
{
	enum operation_truth repeats = well_repeats(op, site), drops = well_drops(op, site);

	if (repeats == OPERATION_NO)
		add_finding(v, TRIPS, "repeated SYNs at site %s have risen to %llu/s", site->name,
		            (unsigned long long)site->repeats.value);
	if (drops == OPERATION_NO)
		add_finding(v, TRIPS, "drops at site %s have risen to %llu/s", site->name,
		            (unsigned long long)site->drops.value);
	if (repeats == OPERATION_UNKNOWN || drops == OPERATION_UNKNOWN)
		add_finding(v, LACKS, "repeated SYNs or drops at site %s are not known",
		            site->name);
}

static void judge_receivers(const struct guard_question *q, struct operation_verdict *v)
{
	for (size_t i = 0; i < q->facts->n_sites; i++) {
		const struct operation_site *site = &q->facts->sites[i];

		if (!facts_receives(q->op, site))
			continue;
		judge_checks(site, v);
		judge_signs(q->op, site, v);
		add_finding(v, PASSES, "all receivers are well%s",
		            site->checked ? "" : " (by their own pools: no site checks them)");
	}
}

static void judge_fresh(const struct guard_question *q, struct operation_verdict *v)
{
	if (!q->facts->ttl_s.known)
		add_finding(v, LACKS, "the longest TTL of the answers given is not known");
	for (size_t i = 0; i < q->facts->n_sites; i++) {
		const struct operation_site *site = &q->facts->sites[i];
		bool target = operation_targets_site(q->op, site->name);

		if (target ? !facts_is_measured(site) : !facts_receives(q->op, site))
			continue;
		if (!site->flows.known || !site->arrivals.known)
			add_finding(v, LACKS, "new flows of site %s are not measured", site->name);
		if (facts_receives(q->op, site) && (!site->repeats.known || !site->drops.known))
			add_finding(v, LACKS, "repeated SYNs and drops of site %s are not measured",
			            site->name);
	}
	add_finding(v, PASSES, "all that is needed was measured in the last seconds");
}

static void judge_backup(const struct guard_question *q, struct operation_verdict *v)
{
	if (q->op->way == OPERATION_BACK || q->op->goal_ppm != MODEL_PPM_ALL)
		return;
	for (uint32_t i = 0; i < q->op->n_targets; i++) {
		const struct operation_site *site = facts_site(q->facts, q->op->targets[i].site);

		if (!site || !site->has_backup || site->up == OPERATION_NO)
			continue;
		if (site->slots_with)
			add_finding(v, PASSES,
			            "late clients stay with own backends: service %s has the same "
			            "pool and backup, and is not drained",
			            site->slots_with);
		else if (site->backup_ok == OPERATION_NO)
			add_finding(v, TRIPS,
			            "a backup pool of site %s would not serve late clients",
			            site->name);
		else if (site->backup_ok == OPERATION_UNKNOWN)
			add_finding(
			        v, LACKS,
			        "whether the backup pools of site %s would serve late clients is not known",
			        site->name);
		else
			add_finding(v, PASSES, "backup pools would serve late clients");
	}
}

static guard_function *const guards[OPERATION_GUARD_COUNT] = {
	[OPERATION_GUARD_LAST_SITE] = judge_last_site,
	[OPERATION_GUARD_MAX_SITES_OUT] = judge_max_sites_out,
	[OPERATION_GUARD_ROOM] = judge_room,
	[OPERATION_GUARD_RECEIVERS] = judge_receivers,
	[OPERATION_GUARD_FRESH] = judge_fresh,
	[OPERATION_GUARD_UNCONFIRMED] = judge_unconfirmed,
	[OPERATION_GUARD_MAJORITY] = judge_majority,
	[OPERATION_GUARD_BACKUP] = judge_backup,
	[OPERATION_GUARD_NO_DNS] = judge_no_dns,
	[OPERATION_GUARD_CLOCK] = judge_clock,
	[OPERATION_GUARD_SHARE] =
	        NULL, /* judged where a step ends, with the time that it has for that (step.c) */
	[OPERATION_GUARD_OTHER] = judge_other,
};

void operation_judge(const struct operation *op, const struct operation_facts *facts,
                     enum operation_moment moment, struct operation_verdict *out)
{
	const struct guard_question q = { op, facts, moment };

	for (int i = 0; i < OPERATION_GUARD_COUNT; i++) {
		out[i] = (struct operation_verdict){
			.guard = (enum rule_id)i,
			.ok = true,
			.detail = "not checked",
			.overridden = op->overridden[i] && rule_may_override(i),
		};
		if (guards[i])
			guards[i](&q, &out[i]);
	}
}

const struct operation_verdict *operation_tripped(const struct operation_verdict *verdicts)
{
	const struct operation_verdict *missing = NULL;

	for (int i = 0; i < OPERATION_GUARD_COUNT; i++) {
		if (verdicts[i].ok || verdicts[i].overridden)
			continue;
		if (!verdicts[i].unknown)
			return &verdicts[i];
		if (!missing)
			missing = &verdicts[i];
	}
	return missing;
}
