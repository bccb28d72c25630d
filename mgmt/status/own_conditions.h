/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What weir-mgmt itself knows to be wrong, as conditions on its own page (weir/condition.h).
 *
 * Implemented in mgmt/status/own_conditions.c.
 */
#ifndef WEIR_MGMT_STATUS_OWN_CONDITIONS_H
#define WEIR_MGMT_STATUS_OWN_CONDITIONS_H

struct core;

/** State one round of them. Under the lock; by the main thread, twice a second. */
void own_conditions_state(struct core *core);

#endif
