/* SPDX-License-Identifier: BSD-2-Clause */
/* Single promises of the engine, each with facts made for it; operations_scenes.c,
 * operations_scenes_behind.c, operations_scenes_over.c, operations_scenes_owners.c, operations_scenes_steps.c and
 * operations_scenes_ways.c. */
#ifndef TESTS_SIM_OPERATIONS_SCENES_H
#define TESTS_SIM_OPERATIONS_SCENES_H

#include <stdint.h>

/* Run all; faults are printed. @return how many failed */
uint64_t scenes_measure(void);
uint64_t scenes_own(void);
uint64_t scenes_steps(void);
uint64_t scenes_ways(void);
uint64_t scenes_behind(void);
uint64_t scenes_over(void);

#endif
