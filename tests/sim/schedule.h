/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the simulators of seeded schedules share: their command line, their figures' file, and chance.
 * Implemented in tests/sim/schedule.c.
 */
#ifndef TESTS_SIM_SCHEDULE_H
#define TESTS_SIM_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* [--runs N, at least one] [--first SEED] [--verbose] [--brief: end at the first fault] [--figures FILE: write the sums there, as JSON] */
struct schedule_options {
	uint64_t runs, first;
	const char *figures; /* NULL: none */
	bool verbose, brief;
};

/* Read the command line over what @p o has. @return false: it has something else */
bool schedule_read_options(int argc, char **argv, struct schedule_options *o);
/* Open the figures' file to write: its folder is made, as no lab may have made it yet. @return NULL, and it is said why */
FILE *schedule_open_figures(const char *path);
/* A number below @p n, 0 if that is 0, from the state @p rng, which must not be 0 (xorshift; Marsaglia, JSS 8:14, 2003). */
uint32_t schedule_below(uint64_t *rng, uint32_t n);

#endif
