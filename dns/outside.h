/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Whether a site is up as seen from outside: by the nodes of the other sites. Where nobody looks from
 * outside (a single site, or no service with a vip_check there), what is in force decides. Pure.
 */
#ifndef WEIR_DNS_OUTSIDE_H
#define WEIR_DNS_OUTSIDE_H

#include <stdbool.h>

#include "dns/place.h"
#include "dns/views.h"
#include "weir/model.h"

struct outside {
	const struct model *model;
	const struct place *place;
	const struct place_state *state;
	const struct views *views;
};

/**
 * A site is up when one of its services is up there in one family: as seen by more of the other sites than
 * see it down, by fresh views. A person's force_up of the site is as good. Without services it is up.
 */
bool outside_is_up(const struct outside *o, const struct model_site *site, int64_t wall_ms);

#endif
