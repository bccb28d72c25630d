/* SPDX-License-Identifier: BSD-2-Clause */
/* What weir-health knows to be wrong with its checks, as conditions (weir/condition.h). */
#ifndef HEALTHCHECK_CONDITIONS_H
#define HEALTHCHECK_CONDITIONS_H

#include <stdint.h>

#include "healthcheck/target.h"

struct stats;

/* State them within a round. @p t NULL: no document yet. */
void conditions_of_vips(const struct targets *t, struct stats *to);

/* The same for backends that are silent while the controls are silent too; not for a whole pool, which weir-mgmt judges. */
void conditions_of_backends(const struct targets *t, uint64_t now_ms, struct stats *to);

#endif
