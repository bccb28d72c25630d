/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The judgement from the pages alone, when weir-mgmt does not answer (implemented in
 * pages_judge.c).
 */
#ifndef WEIR_MGMT_CLI_PAGES_JUDGE_H
#define WEIR_MGMT_CLI_PAGES_JUDGE_H

#include <stdbool.h>

#include "base/checked.h"
#include "mgmt/cli/cli.h"
#include "mgmt/judge/gather.h"

#define PAGES_PROCESSES 5u

/** The processes that have pages, by name. */
extern const char *const pages_processes[PAGES_PROCESSES];

/** weir-announce is judged and shown only where it runs, as @p p says, or ought to run. */
bool pages_leave_out(const struct model *m, const char *process, const struct gather_process *p);
/**
 * Judge the node by its pages: the same function and rules as weir-mgmt's. Peers, store and
 * versions are not known without it. @p health: the health page, NULL unless it is fresh. @return 0
 * or -ENOMEM
 */
MUST_CHECK int pages_judge(const struct cli *cli, const struct model *m,
                           const struct health_page *health, int64_t wall_clock_ms,
                           struct judge_verdict *out);

#endif
