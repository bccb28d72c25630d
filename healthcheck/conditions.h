/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The conditions (weir/condition.h) of weir-health: what is wrong with its checks. Loop's thread
 * only.
 */
#ifndef HEALTHCHECK_CONDITIONS_H
#define HEALTHCHECK_CONDITIONS_H

#include <stdint.h>

#include "healthcheck/target.h"

struct stats;

/* State them within a round. @p t NULL: no document yet. */
void conditions_of_vips(const struct targets *t, struct stats *to);

/*
 * The same for backends that are silent while the controls are silent too, or that this node cannot
 * check at all. A pool of which all backends are so is left to weir-mgmt.
 */
void conditions_of_backends(const struct targets *t, uint64_t now_ms, struct stats *to);

#endif
