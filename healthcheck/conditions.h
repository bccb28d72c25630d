/* SPDX-License-Identifier: BSD-2-Clause */
/* What weir-health knows to be wrong with the checks of VIPs, as conditions (weir/condition.h). */
#ifndef HEALTHCHECK_CONDITIONS_H
#define HEALTHCHECK_CONDITIONS_H

#include "healthcheck/target.h"

struct stats;

/* State them within a round. @p t NULL: no document yet. */
void conditions_of_vips(const struct targets *t, struct stats *to);

#endif
