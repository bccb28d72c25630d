/* SPDX-License-Identifier: BSD-2-Clause */
/* Conditions of the ways to backends: of checks through tunnels, and of next hops. */
#include "dataplane/conditions.h"

#include "dataplane/probes.h"
#include "dataplane/process.h"
#include "weir/condition.h"

static void state_probes(const struct process *p, struct stats *s)
{
	const struct probes_path *trouble = probes_trouble(p->probes, loop_now_ms(p->loop));

	if (trouble)
		conditions_add(s, "probe-path-missing", CONDITION_DEGRADED, trouble->subject,
		               "%s; until then checks through the tunnel give no verdict",
		               trouble->why);
}

void conditions_state_paths(const struct process *p, struct stats *s)
{
	state_probes(p, s);
}
