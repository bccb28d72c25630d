/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What overrides make of steering (weir/steering.h) at an instant: levels of drains, sites taken
 * out.
 *
 * Implemented in dns/steering/state.c; called by the thread that owns the generation.
 */
#ifndef WEIR_DNS_STEERING_STEERING_H
#define WEIR_DNS_STEERING_STEERING_H

#include <stdint.h>

#include "base/checked.h"
#include "weir/model.h"
#include "weir/steering.h"

struct ramps;

/**
 * Fill @p out (n_sites set by the caller to p->n_states) with the overrides of @p m at @p
 * wall_clock_ms. Words and `unproven` stay as they are.
 * @param m      the model that @p p was made of, or one that shares its sites
 * @param ramps  the progress of drains; NULL: they follow their schedules
 */
void steering_apply_overrides(const struct steering *p, const struct model *m,
                              const struct ramps *ramps, int64_t wall_clock_ms,
                              struct steering_state *out) NONNULL(1, 2, 5);

/** Whether an override of a site is about its service @p service, too. */
bool steering_concerns(const struct model_override *o, const char *service) NONNULL();

/**
 * The sites that a person or an operation has taken out of the answers (disabled, or drained
 * completely and with all services), one bit each by model_site.index. @p ramps as above.
 */
uint64_t steering_sites_out(const struct model *m, const struct ramps *ramps, int64_t wall_clock_ms)
        NONNULL(1);

#endif
