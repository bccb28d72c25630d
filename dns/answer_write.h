/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Records of an image into a message, names compressed by identity: each name of the
 * image that has been written is remembered with its place, and so are the suffixes of
 * the question. Pure; the caller's memory.
 */
#ifndef WEIR_DNS_ANSWER_WRITE_H
#define WEIR_DNS_ANSWER_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "dns/image.h"
#include "dns/query.h"
#include "dns/wire.h"

struct addr;

enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };

#define MESSAGE_SEEN_MAX 64

/** A message in the making. */
struct message {
	const struct image *image;
	const struct query *query;
	struct wire_writer w;
	uint16_t counts[3]; /**< by section */
	const struct image_node
	        *closest; /**< at or above the question's name, `skipped` labels up */
	unsigned skipped;
	bool question_seen; /**< its suffixes are among those seen */
	unsigned n_seen;
	struct {
		uint32_t fold_off;
		uint16_t at;
	} seen[MESSAGE_SEEN_MAX];
};

/** A place to go back to. */
struct message_mark {
	size_t at;
	unsigned n_seen;
	uint16_t counts[3];
};

struct message_mark message_mark(const struct message *m);
/** Take back what was written since; the message has not failed any more. */
void message_back(struct message *m, const struct message_mark *mark);

/**
 * An owner as the functions below take it: an image_name, 0: the question's name, or one that stands in the
 * message already, at an offset that a pointer can name. (Names in an image are at multiples of four.)
 */
#define MESSAGE_POINTER_MAX    0x3fffu
#define MESSAGE_OWNER_AT(at)   ((uint32_t)(at) << 1 | 1u)
#define MESSAGE_OWNER_IS_AT(o) (((o)&1u) != 0)
/** Write all records of @p set. */
void message_put_set(struct message *m, enum section section, uint32_t owner_off,
                     const struct image_set *set);

/** Write a zone's SOA for a negative answer (RFC 2308, section 3), its TTL at most @p ttl_most_s. */
void message_put_negative(struct message *m, const struct image_zone *zone, uint32_t ttl_most_s);

/**
 * Write the CNAME that a DNAME stands for (RFC 6672, section 3.1), to the uncompressed @p target.
 * @return where the target stands in the message
 */
size_t message_put_alias(struct message *m, uint32_t owner_off, uint32_t ttl_s,
                         const uint8_t *target, size_t length);
/** Write @p n addresses of one family as A or AAAA records. */
void message_put_addresses(struct message *m, enum section section, uint32_t owner_off,
                           uint32_t ttl_s, const struct addr *addresses, unsigned n);

#endif
