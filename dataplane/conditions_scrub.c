/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conditions of the scrub. What it found is mended already; it is shown for a minute, since packets
 * went astray until then and whoever did that may do it again.
 */
#include "dataplane/conditions.h"

#include <inttypes.h>

#include "dataplane/process.h"
#include "weir/condition.h"

static void state_finding(const struct scrub_finding *finding, struct stats *s)
{
	conditions_add(s, "table-damaged", CONDITION_DEGRADED, finding->name,
	               "%" PRIu64
	               " elements (%u to %u of table %s) held what weir-dataplane had not "
	               "written; they are written again. Packets went astray until then: find out "
	               "what else writes to the tables (bpftool, or who has them open)",
	               finding->n, finding->first, finding->last, scrub_table_name(finding->table));
}

void conditions_state_scrub(const struct process *p, struct stats *s)
{
	for (uint32_t i = 0; i < p->scrub.n_findings; i++)
		state_finding(&p->scrub.findings[i], s);
	if (p->scrub.n_more)
		conditions_add(s, "table-damaged", CONDITION_DEGRADED, "more",
		               "%" PRIu64 " more elements of the forwarding tables held what "
		               "weir-dataplane had not written; they are written again",
		               p->scrub.n_more);
}
