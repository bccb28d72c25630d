/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Whether a site is up as seen from outside: by the nodes of the other sites. Where no other site
 * checks it (a single site, or no service with a vip_check there), its own nodes are asked.
 * Pure: implemented in dns/steering/outside.c; called by the thread that owns the generation.
 */
#ifndef WEIR_DNS_STEERING_OUTSIDE_H
#define WEIR_DNS_STEERING_OUTSIDE_H

#include <stdbool.h>

#include "base/checked.h"
#include "dns/steering/steering.h"
#include "dns/steering/peer_health.h"
#include "weir/model.h"

struct outside {
	const struct model *model;
	const struct steering *steering;
	const struct peer_health *peer_health;
};

/**
 * A site is up if one of its services is up in one address family: more of the other sites see it
 * up than see it down, counting fresh observations only. An override force_up of the site counts as
 * up. A site without services is up.
 */
bool outside_is_up(const struct outside *o, const struct model_site *site, int64_t wall_clock_ms)
        NONNULL();

#endif
