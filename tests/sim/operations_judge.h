/* SPDX-License-Identifier: BSD-2-Clause */
/* What is promised of each tick of an owner; operations_judge.c. */
#ifndef TESTS_SIM_OPERATIONS_JUDGE_H
#define TESTS_SIM_OPERATIONS_JUDGE_H

#include "operations_world.h"

/* After a tick or a command at @p n; @p was: the record's write before it. */
void judge_tick(struct world *w, struct world_node *n, uint32_t k,
                const struct operation_write *was);

/* A name server goes to a level by an owner's write: it falls by no more than one step at once. */
void judge_fall(struct world *w, const struct world_node *n, uint32_t k, uint32_t level_ppm);

/* Once in each step of time: name servers converge to one level. */
void judge_agreement(struct world *w, uint32_t k);

#endif
