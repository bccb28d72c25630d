/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the dataplane knows to be wrong, as conditions (weir/condition.h). Implemented in
 * conditions.c, conditions_paths.c and conditions_backup.c; the loop's thread calls this.
 */
#ifndef WEIR_DATAPLANE_CONDITIONS_H
#define WEIR_DATAPLANE_CONDITIONS_H

struct process;
struct stats;

/** State all conditions as they are now: once a second, after a document, and when links change. */
void conditions_state(struct process *p);
/** The part about network paths to backends. */
void conditions_state_paths(const struct process *p, struct stats *s);
/** State the troubles of backup pools. */
void conditions_state_backups(const struct process *p, struct stats *s);

#endif
