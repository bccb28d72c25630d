/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints docs/status.md from the table of mgmt/judge/judge.h. A test compares the file with what
 * this prints.
 */
#include <stdio.h>

#include "mgmt/judge/judge.h"

int main(void)
{
	puts("# What makes a node less than well\n\n"
	     "This file is generated from the table in `mgmt/judge/judge.h` by `build/mgmt/judge/status-table`.\n\n"
	     "One function judges a node from intent, observation and effect. `weir status` and its exit status (0 well, 10\n"
	     "degraded, 11 down), `weir why`, `weir wait`, `GET /v1/status` (`state`, `reasons`), the events of kind `status`\n"
	     "and `condition`, and the metrics `weir_status` and `weir_status_reasons` show the same result. The worst reason\n"
	     "gives the state. *Down* means that nothing serves packets or queries that this node should serve. Everything else\n"
	     "that is less than the configuration says, or that is not known, is *degraded*.\n\n"
	     "| code | state | when | why this state |\n|---|---|---|---|");
	for (int i = 0; i < JUDGE_RULE_COUNT; i++)
		printf("| `%s` | %s | %s | %s |\n", judge_rows[i].code,
		       judge_state_text(judge_rows[i].state), judge_rows[i].when,
		       judge_rows[i].rationale);
	puts("\nThe reasons `stated-down` and `stated-degraded` come from a process itself. They show its own code and say what to\n"
	     "do, for example `port-no-carrier`, `port-missing`, `port-not-attached`, `document-refused`, `listen-failed`. A\n"
	     "condition of level *note* is shown under `notes` and changes nothing. A process counts as dead as soon as it\n"
	     "does not exist, and as silent when it has shown no sign of life on its stats page for 2 s. `weir run` states the\n"
	     "conditions `process-hangs`, `process-blocked`, `run-dir-full` (degraded), `process-restarted` and `process-unwatched` (notes).");
	return 0;
}
