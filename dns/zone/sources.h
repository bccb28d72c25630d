/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a part of an image was made from, as one number: the program, its zones' and dynamic names,
 * and every byte that was read. If it is the same again, so is the part.
 *
 * Implemented in dns/zone/sources.c. Internal to the compiler.
 */
#ifndef WEIR_DNS_ZONE_SOURCES_H
#define WEIR_DNS_ZONE_SOURCES_H

#include <stdint.h>

#include "base/checked.h"

struct image;
struct image_part;
struct zone_input;

/** The digest of program and names alone, never 0. */
uint64_t sources_begin(const struct zone_input *in) NONNULL();
/** With the next zone's zone_text_read.digest; never 0. */
uint64_t sources_add(uint64_t digest, uint64_t read);
/** Read all files of the zones again, with those that @p part included. @return 0: not readable */
uint64_t sources_again(const struct zone_input *in, const struct image *from,
                       const struct image_part *part) NONNULL();

#endif
