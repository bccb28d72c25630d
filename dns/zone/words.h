/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The words of a logical line of a master file: TTLs, and the checks that ldns lacks. Implemented in dns/zone/words.c.
 * Pure; internal to the compiler.
 */
#ifndef WEIR_DNS_ZONE_WORDS_H
#define WEIR_DNS_ZONE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

#define ZONE_TTL_MAX INT32_MAX /**< RFC 2181, section 8 */

/** Cut the next word off @p text; quoted blanks do not end it. @return NULL at the end */
char *zone_word_next(char **text) NONNULL();
/** The word without quotes around it, which are taken off in place. */
char *zone_word_unquote(char *word) NONNULL();

/** Read "3600" or "1h30m". @return 0, -EINVAL when it is neither, -ERANGE */
int zone_word_ttl(const char *word, uint32_t *out) MUST_CHECK NONNULL();

/**
 * Find the first number in @p data, of a record of @p type, that is too large for its field. The data is cut into words
 * while it is read and restored afterwards, except at a word that is returned.
 * @return NULL when all fit; else the word, and the largest value in @p max
 */
const char *zone_words_excess(unsigned type, char *data, uint32_t *max) MUST_CHECK NONNULL();

/**
 * Find the first quoted word where only names and numbers are allowed: ldns takes the quotes for a part of the name.
 * @param owner NULL: none is given
 * @param plain the number of a common type (zone_data_type()); 0: another type, whose data is not checked
 * @return NULL if there is none
 */
const char *zone_words_quoted(const char *owner, uint16_t plain, const char *data) MUST_CHECK
        NONNULL(3);

/**
 * Check what ldns made of a record's text. ldns accepts generic data (RFC 3597) of known types that is too short or too
 * long, a key of SVCB that occurs twice (RFC 9460, section 2.2) or lacks its value (appendix D.3), and unknown types in CSYNC.
 * @param n_fields how many fields ldns read
 * @param data     what it made of them, @p length bytes
 * @return the reason why it is refused, or NULL
 */
const char *zone_words_misfit(uint16_t type, const char *text, size_t n_fields, const uint8_t *data,
                              size_t length) MUST_CHECK NONNULL();

/**
 * Change a record's text to a form that ldns reads: for some types it takes blanks at the end for superfluous text,
 * and a CAA's value must be quoted. There must be room for two more characters.
 * @param data_at where the data begins
 */
void zone_words_mend(unsigned type, char *text, size_t data_at) NONNULL();

#endif
