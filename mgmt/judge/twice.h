/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * One problem that two processes state as a condition each. Pure.
 *
 * Implemented in mgmt/judge/twice.c; any thread.
 */
#ifndef WEIR_MGMT_JUDGE_TWICE_H
#define WEIR_MGMT_JUDGE_TWICE_H

#include <stdbool.h>

struct condition;
struct judge_facts;
struct judge_process;

/** Whether another process than @p of states what @p c says, and its statement counts. */
bool twice_is_said(const struct judge_facts *f, const struct judge_process *of,
                   const struct condition *c);

#endif
