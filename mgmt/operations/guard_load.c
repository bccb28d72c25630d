/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard `room`: the load of each site that gets clients, now plus what the running step still
 * brings, against what the site states that it can carry.
 *
 * Where a capacity is stated, a load that is not known is no room. Where none is stated there is
 * nothing to compare, and the verdict says that it was not checked.
 */
#include "mgmt/operations/facts.h"
#include "mgmt/operations/guard_internal.h"
#include "mgmt/store/guard.h"

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
			guard_miss(v,
			           "which clients ask name server %s is not known, so there is no "
			           "room for %s at site %s",
			           q->facts->unheard, what, site->name);
		guard_miss(v, "the %s of site %s are not known, so there is no room at site %s",
		           what, find_unmeasured(q, site, bits), site->name);
		return;
	}
	if (fit == GUARD_FIT_NO)
		guard_trip(v, "the %s of site %s would be %llu%% of its capacity; %u%% are allowed",
		           what, site->name, (unsigned long long)percent, GUARD_ROOM_PERCENT);
	else
		guard_pass(v, "all receivers stay below %u%% of their capacity",
		           GUARD_ROOM_PERCENT);
	percent = percent < 100 ? 100 - percent : 0;
	if (!v->margin.known || percent < v->margin.value)
		v->margin = (struct operation_value){ true, percent };
}

static struct operation_value add_values(struct operation_value a, struct operation_value b)
{
	if (!a.known || !b.known)
		return (struct operation_value){ 0 };
	return (struct operation_value){ true, a.value + b.value };
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
			flows = add_values(flows, at->backup_flows);
			bits = add_values(bits, at->backup_bits);
		}
		judge_load(q, site, false, site->capacity_flows, flows, v);
		judge_load(q, site, true, site->capacity_bits, bits, v);
	}
}

/* Before it begins, the end of the plan must have room, too: else it would be held half-way. */
void guard_room(const struct guard_question *q, struct operation_verdict *v)
{
	uint32_t point = facts_point(q->op);
	uint32_t last = q->moment == OPERATION_BEGIN ? q->op->n_plan : point;

	if (q->op->way == OPERATION_OUT && facts_targets_down(q->op, q->facts)) {
		guard_pass(v, "not checked: the site is down, its load has moved or is lost");
		v->checked = false;
		return;
	}
	for (; point <= last; point++)
		judge_point(q, point, v);
}
