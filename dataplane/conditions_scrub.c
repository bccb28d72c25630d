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

static void state_pins(const struct process *p, struct stats *s)
{
	const struct scrub_pins *pins = &p->scrub.pins;

	if (*pins->reason.text)
		conditions_add(
		        s, "pins-missing", CONDITION_DEGRADED, p->dirs.bpf,
		        "pins below it are missing and cannot be made again (next try in 1 "
		        "s): %.300s. What is not pinned ends with weir-dataplane: forwarding "
		        "by its ports, and the table of connections",
		        pins->reason.text);
	else if (pins->n)
		conditions_add(
		        s, "pins-missing", CONDITION_DEGRADED, p->dirs.bpf,
		        "%" PRIu64
		        " pins below it were missing or not weir-dataplane's; they are made "
		        "again. Had weir-dataplane ended before, forwarding and the table of "
		        "connections could have ended with it: find out what else removes or "
		        "replaces files there",
		        pins->n);
}

void conditions_state_scrub(const struct process *p, struct stats *s)
{
	state_pins(p, s);
	for (uint32_t i = 0; i < p->scrub.n_findings; i++)
		state_finding(&p->scrub.findings[i], s);
	if (p->scrub.n_more)
		conditions_add(s, "table-damaged", CONDITION_DEGRADED, "more",
		               "%" PRIu64 " more elements of the forwarding tables held what "
		               "weir-dataplane had not written; they are written again",
		               p->scrub.n_more);
}
