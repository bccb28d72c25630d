/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sign has risen if it is more than twice what it was, and more than what chance makes of it: 2 a
 * second, or 1 % of the new flows. (A receiver's new flows rise by design; its repeated SYNs rise
 * with them, in proportion.) Repeated SYNs of one in five new flows are never well, whatever was
 * before: a site that suffers when a way begins is not the measure for it.
 *
 * A sign that was not measured when the way began compares with nothing: the answer is unknown, not
 * "as before 0".
 */
#include "mgmt/operations/regression.h"

#include <stdio.h>
#include <string.h>

#include "mgmt/operations/facts.h"

#define CHANCE_PER_S   2u
#define CHANCE_PERCENT 1u
#define NEVER_PERCENT  20u

static enum operation_truth compare_sign(struct operation_value was, struct operation_value now,
                                         struct operation_value flows)
{
	uint64_t chance = CHANCE_PER_S;

	if (!was.known || !now.known)
		return OPERATION_UNKNOWN;
	if (flows.known && flows.value / 100 * CHANCE_PERCENT > chance)
		chance = flows.value / 100 * CHANCE_PERCENT;
	return now.value > 2 * was.value + chance ? OPERATION_NO : OPERATION_YES;
}

/* Its index; n_signs: there is none. */
static uint32_t find_signs(const struct operation *op, const char *site)
{
	uint32_t i = 0;

	while (i < op->n_signs && strcmp(op->signs[i].site, site) != 0)
		i++;
	return i;
}

enum operation_truth well_repeats(const struct operation *op, const struct operation_site *site)
{
	const uint32_t i = find_signs(op, site->name);

	if (i == op->n_signs)
		return OPERATION_UNKNOWN;
	if (site->repeats.known && site->flows.known &&
	    site->repeats.value > CHANCE_PER_S + site->flows.value * NEVER_PERCENT / 100)
		return OPERATION_NO;
	return compare_sign(op->signs[i].repeats, site->repeats, site->flows);
}

enum operation_truth well_drops(const struct operation *op, const struct operation_site *site)
{
	const uint32_t i = find_signs(op, site->name);

	if (i == op->n_signs)
		return OPERATION_UNKNOWN;
	return compare_sign(op->signs[i].drops, site->drops, site->flows);
}

void well_begin(struct operation *op, const struct operation_facts *facts)
{
	for (size_t i = 0; i < facts->n_sites; i++) {
		const struct operation_site *site = &facts->sites[i];
		uint32_t at = find_signs(op, site->name);
		struct operation_signs *signs = &op->signs[at];

		if (!facts_receives(op, site) || at == OPERATION_SITES_MAX)
			continue;
		if (at == op->n_signs) {
			op->n_signs++;
			*signs = (struct operation_signs){ 0 };
			(void)snprintf(signs->site, sizeof(signs->site), "%s", site->name);
		}
		if (!signs->repeats.known)
			signs->repeats = site->repeats;
		if (!signs->drops.known)
			signs->drops = site->drops;
	}
}
