/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Domain names in wire form (RFC 1035, section 3.1): case, labels, hashes, text.
 * Pure: implemented in dns/zone/name.c; any thread.
 */
#ifndef WEIR_DNS_ZONE_NAME_H
#define WEIR_DNS_ZONE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

struct wire_reader;

#define NAME_WIRE_MAX   255 /**< bytes, with the root's (RFC 1035, section 2.3.4) */
#define NAME_LABELS_MAX 127 /**< without the root */
/** Enough for any name in text: each byte may take four. */
#define NAME_TEXT_MAX 1024

/** A parsed name: its bytes in lower case, and where its labels start. */
struct name {
	uint8_t length;                  /**< in wire form, with the root's byte */
	uint8_t n_labels;                /**< without the root */
	uint8_t at[NAME_LABELS_MAX + 1]; /**< of each label, at[n_labels] being the root's */
	uint8_t lower[NAME_WIRE_MAX + 1];
};

/** ASCII only (RFC 4343). */
static inline uint8_t name_fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/**
 * Read an uncompressed name. @p out is valid if and only if true is returned.
 * @return whether it was well-formed; a compression pointer is not (there is nothing to point back to)
 */
bool name_read(struct wire_reader *r, struct name *out) MUST_CHECK NONNULL();

/** Read text: dots separate labels, \DDD and \X escape; a final dot is optional. @return 0 or -EINVAL */
int name_parse(const char *text, struct name *out) MUST_CHECK NONNULL();

/** Write @p wire (uncompressed, well-formed) as text without final dot; "." for the root. @return @p text */
const char *name_text(const uint8_t *wire, char text[NAME_TEXT_MAX]) NONNULL();

/** The hash of the root, from which name_hash_label() goes down. */
#define NAME_HASH_ROOT 0x9e3779b97f4a7c15u
/** The hash of a name: its parent's hash and its first label, folded, with its length byte. */
uint64_t name_hash_label(uint64_t parent, const uint8_t *label) NONNULL();

#endif
