/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Names and record data of the common types, from the text of a master file, in one pass and without allocation.
 * Only plain text is read here: with an escape, a rare character, a unit of time or an error it is left to ldns,
 * which knows all forms and reports errors. What is read here must equal what ldns makes of it (see
 * zone_input.by_ldns).
 *
 * Implemented in dns/zone/data.c. Pure; internal to the compiler.
 */
#ifndef WEIR_DNS_ZONE_DATA_H
#define WEIR_DNS_ZONE_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "dns/zone/name.h"

#define ZONE_DATA_BYTES_MAX 4096u /**< of TXT and CAA; longer data is left to ldns */

/** A name as it is written. */
struct zone_data_name {
	uint8_t n;                     /**< bytes of `labels`, at most 254 */
	bool relative;                 /**< the origin belongs behind it */
	uint8_t labels[NAME_WIRE_MAX]; /**< in wire form, without the root */
};

/** A record's data: `before` bytes, the names, the rest of the bytes. */
struct zone_data {
	uint16_t n, before;
	uint8_t n_names;
	struct zone_data_name names[2];
	uint8_t bytes[ZONE_DATA_BYTES_MAX];
};

/** The number of a type that is read here, by its name in any case; 0: another type. */
uint16_t zone_data_type(const char *text) NONNULL();
/** Read a whole word as a name. @return false: it is left to ldns */
bool zone_data_read_name(const char *word, struct zone_data_name *out) MUST_CHECK NONNULL();
/** Read @p text, the rest of a logical line, as data of @p type. @return false: it is left to ldns */
bool zone_data_read(uint16_t type, const char *text, struct zone_data *out) MUST_CHECK NONNULL();

#endif
