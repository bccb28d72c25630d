/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the dataplane knows to be wrong, as conditions (weir/condition.h; implemented in conditions.c).
 * Each part of the process that has something to state has one function here that adds it; all are
 * called in one round.
 */
#ifndef WEIR_DATAPLANE_CONDITIONS_H
#define WEIR_DATAPLANE_CONDITIONS_H

struct process;
struct stats;

/** State what is so now: once a second, after a document, when links change. The loop's thread. */
void conditions_state(struct process *p);
/** The part of it about ways to backends (conditions_paths.c). */
void conditions_state_paths(const struct process *p, struct stats *s);

#endif
