/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Data of rare types whose text ldns reads otherwise than the type's RFC, without an error. Implemented in
 * dns/zone/fields.c. Pure; internal to the compiler.
 */
#ifndef WEIR_DNS_ZONE_FIELDS_H
#define WEIR_DNS_ZONE_FIELDS_H

#include <stdint.h>

#include "base/checked.h"

/** How many bytes a text may grow by in zone_fields_complete(). */
#define ZONE_FIELDS_MORE 8u

/**
 * Check the text of a record's data, in which words lie between blanks.
 * @return the reason why it is refused, or NULL
 */
const char *zone_fields_misread(uint16_t type, const char *data) MUST_CHECK NONNULL();

/**
 * Give a LOC that zone_fields_misread() has taken the minutes and seconds that it leaves out: ldns takes those of the
 * latitude for the longitude's. There must be room for ZONE_FIELDS_MORE bytes.
 */
void zone_fields_complete(uint16_t type, char *data) NONNULL();

#endif
