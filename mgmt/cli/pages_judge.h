/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The judgement from the pages alone, when weir-mgmt does not answer (implemented in
 * pages_judge.c).
 */
#ifndef WEIR_MGMT_CLI_PAGES_JUDGE_H
#define WEIR_MGMT_CLI_PAGES_JUDGE_H

#include "base/checked.h"
#include "mgmt/cli/cli.h"
#include "mgmt/judge/gather.h"

/**
 * Judge the node by its pages: the same function and rules as weir-mgmt's. Peers, store and
 * versions are not known without it. @p health: the health page, NULL unless it is fresh. @return 0
 * or -ENOMEM
 */
MUST_CHECK int pages_judge(const struct cli *cli, const struct model *m,
                           const struct health_page *health, int64_t wall_clock_ms,
                           struct judge_verdict *out);

#endif
