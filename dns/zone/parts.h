/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Zones that must be compiled together: a zone with all zones below it, since they share names.
 * Parts share nothing, so one is compiled without a look at the others.
 *
 * Implemented in dns/zone/parts.c. Internal to the compiler; only its thread.
 */
#ifndef WEIR_DNS_ZONE_PARTS_H
#define WEIR_DNS_ZONE_PARTS_H

#include <stdint.h>

#include "base/checked.h"
#include "dns/zone/zone.h"

struct parts_item {
	struct zone_input in;  /**< its zones and dynamic names alone */
	const uint32_t *zones; /**< their numbers among all */
};

struct parts {
	uint32_t n;
	struct parts_item *items; /**< by their first zone */
	void *memory;             /**< what the items point at */
};

/**
 * Divide the zones of @p in, at least one. A dynamic name in no zone goes to the first part, which
 * will report it.
 * @return 0, -ENOMEM, or -EINVAL: the zones' names contradict each other
 */
int parts_divide(const struct zone_input *in, struct parts *out) MUST_CHECK NONNULL();
void parts_free(struct parts *parts) NONNULL();

#endif
