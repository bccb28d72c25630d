/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control line: what weir-health answers on its control socket. Loop's thread only.
 *
 *     {"do":"list"}                              every target: the verdict, the last result, and why
 *     {"do":"list","pool":P}                     those of one pool
 *     {"do":"check","pool":P,"backend":B}        probe it now; the answer is its present row
 *     {"do":"check","service":S,"site":T}        likewise, the VIPs of another site
 *
 * Answers are {"ok":true,...} or {"ok":false,"error":"..."}.
 */
#ifndef HEALTHCHECK_COMMAND_H
#define HEALTHCHECK_COMMAND_H

#include <stddef.h>

#include "healthcheck/checker.h"

/* @return one line from malloc(), given; NULL when out of memory */
char *command_answer(struct checker *c, const char *line, size_t length);

#endif
