/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * One image of parts that lie in several: those that were just compiled, and those of the image in
 * use that nothing has changed.
 *
 * Implemented in dns/zone/join.c. Internal to the compiler; only its thread.
 */
#ifndef WEIR_DNS_ZONE_JOIN_H
#define WEIR_DNS_ZONE_JOIN_H

#include <stdint.h>

#include "base/checked.h"

struct image;
struct zone_input;

/** A part to take; all borrowed. */
struct join_part {
	const struct image *from;
	uint32_t number;       /**< in `from` */
	const uint32_t *zones; /**< its zones' new numbers, in their order in `from` */
	uint32_t n_zones;      /**< so many has it in `from`, too */
};

/**
 * Join @p n parts, which together have all zones of @p in.
 * @param out  given, from malloc(); untouched on failure
 * @return 0, -ENOMEM, or -E2BIG: offsets have 32 bits
 */
int zone_join(const struct zone_input *in, const struct join_part *parts, uint32_t n,
              struct image **out) MUST_CHECK NONNULL();

#endif
