/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guards about sites: how many are left, and whether those that get clients are well.
 *
 * What the running way brings clients to is asked with facts_gains(): out, the sites that are no
 * target, are not out themselves and are not down; back, the targets. So a drained site is never
 * counted as a receiver. A site that only has a backup pool of a target is a receiver, too
 * (facts_receives()), but none that is left for clients.
 */
#include "mgmt/operations/facts.h"
#include "mgmt/operations/guard_internal.h"
#include "mgmt/operations/well.h"

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

void guard_last_site(const struct guard_question *q, struct operation_verdict *v)
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
		guard_pass(v, "%zu sites that are up are left", left);
	else if (unknown)
		guard_miss(v, "whether one of %zu other sites is up is not known", unknown);
	else
		guard_trip(v, "no site that is up would be left");
}

void guard_max_sites_out(const struct guard_question *q, struct operation_verdict *v)
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
		guard_miss(v, "max_sites_out is not known");
	else if (out > max)
		guard_trip(v, "%llu sites would be out; max_sites_out is %llu",
		           (unsigned long long)out, (unsigned long long)max);
	else if (out + unknown > max)
		guard_miss(v,
		           "whether %llu other sites are out is not known; max_sites_out is %llu",
		           (unsigned long long)unknown, (unsigned long long)max);
	else
		guard_pass(v, "%llu sites would be out; max_sites_out is %llu",
		           (unsigned long long)out, (unsigned long long)max);
}

/* Where a site can check this one from outside, its checks decide; else its own pools. */
static void judge_checks(const struct operation_site *site, struct operation_verdict *v)
{
	if (site->failing == OPERATION_YES)
		guard_trip(v, "a VIP check of site %s fails", site->name);
	if (site->failing == OPERATION_UNKNOWN && site->checked)
		guard_miss(v, "whether VIP checks of site %s fail is not known", site->name);
	if (site->pools == OPERATION_NO)
		guard_trip(v, "a pool of site %s is below min_healthy", site->name);
	if (site->pools == OPERATION_UNKNOWN)
		guard_miss(v, "whether the pools of site %s are up is not known", site->name);
}

static void judge_signs(const struct operation *op, const struct operation_site *site,
                        struct operation_verdict *v)
{
	enum operation_truth repeats = well_repeats(op, site), drops = well_drops(op, site);

	if (repeats == OPERATION_NO)
		guard_trip(v, "repeated SYNs at site %s have risen to %llu/s", site->name,
		           (unsigned long long)site->repeats.value);
	if (drops == OPERATION_NO)
		guard_trip(v, "drops at site %s have risen to %llu/s", site->name,
		           (unsigned long long)site->drops.value);
	if (repeats == OPERATION_UNKNOWN || drops == OPERATION_UNKNOWN)
		guard_miss(v, "repeated SYNs or drops at site %s are not known", site->name);
}

void guard_receivers(const struct guard_question *q, struct operation_verdict *v)
{
	for (size_t i = 0; i < q->facts->n_sites; i++) {
		const struct operation_site *site = &q->facts->sites[i];

		if (!facts_receives(q->op, site))
			continue;
		judge_checks(site, v);
		judge_signs(q->op, site, v);
		guard_pass(v, "all receivers are well%s",
		           site->checked ? "" : " (by their own pools: no site checks them)");
	}
}

void guard_fresh(const struct guard_question *q, struct operation_verdict *v)
{
	if (!q->facts->ttl_s.known)
		guard_miss(v, "the longest TTL of the answers given is not known");
	for (size_t i = 0; i < q->facts->n_sites; i++) {
		const struct operation_site *site = &q->facts->sites[i];
		bool target = operation_targets_site(q->op, site->name);

		if (target ? !facts_is_measured(site) : !facts_receives(q->op, site))
			continue;
		if (!site->flows.known || !site->arrivals.known)
			guard_miss(v, "new flows of site %s are not measured", site->name);
		if (facts_receives(q->op, site) && (!site->repeats.known || !site->drops.known))
			guard_miss(v, "repeated SYNs and drops of site %s are not measured",
			           site->name);
	}
	guard_pass(v, "all that is needed was measured in the last seconds");
}

void guard_backup(const struct guard_question *q, struct operation_verdict *v)
{
	if (q->op->way == OPERATION_BACK || q->op->goal_ppm != MODEL_PPM_ALL)
		return;
	for (uint32_t i = 0; i < q->op->n_targets; i++) {
		const struct operation_site *site = facts_site(q->facts, q->op->targets[i].site);

		if (!site || !site->has_backup || site->up == OPERATION_NO)
			continue;
		if (site->slots_with)
			guard_pass(v,
			           "late clients stay with own backends: service %s has the same "
			           "pool and backup, and is not drained",
			           site->slots_with);
		else if (site->backup_ok == OPERATION_NO)
			guard_trip(v, "a backup pool of site %s would not serve late clients",
			           site->name);
		else if (site->backup_ok == OPERATION_UNKNOWN)
			guard_miss(
			        v,
			        "whether the backup pools of site %s would serve late clients is not known",
			        site->name);
		else
			guard_pass(v, "backup pools would serve late clients");
	}
}
