/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * From a look at the node (mgmt/status/look.h) to its judgement (mgmt/judge/judge.h).
 *
 * Implemented in mgmt/status/facts.c; any thread, on a look of its own, without the core's lock.
 */
#ifndef WEIR_MGMT_STATUS_FACTS_H
#define WEIR_MGMT_STATUS_FACTS_H

#include "base/checked.h"
#include "mgmt/status/look.h"
#include "mgmt/judge/judge.h"

/** Judge what @p l sees. @return 0 or -ENOMEM */
int facts_judge(const struct look *l, struct judge_verdict *out) MUST_CHECK;

#endif
