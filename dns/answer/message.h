/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Writing records of an image into a message. Names are compressed by identity: for each name of
 * the image that was written, its position is remembered, and so are the question's suffixes. Pure:
 * implemented in dns/answer/message.c; any thread, in the caller's memory.
 */
#ifndef WEIR_DNS_ANSWER_MESSAGE_H
#define WEIR_DNS_ANSWER_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "dns/zone/image.h"
#include "dns/answer/query.h"
#include "dns/zone/wire.h"

struct addr;

enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };

#define MESSAGE_SEEN_MAX 64 /**< names that are remembered for compression */

/** A message while it is written. */
struct message {
	const struct image *image;
	const struct query *query;
	struct wire_writer w;
	uint16_t counts[3]; /**< by section */
	/** At or above the question's name, `skipped` labels up. */
	const struct image_node *closest;
	unsigned skipped;
	bool question_seen; /**< its suffixes are among those seen */
	unsigned n_seen;
	struct {
		uint32_t fold_off;
		uint16_t at;
	} seen[MESSAGE_SEEN_MAX];
};

/** A position to go back to. */
struct message_mark {
	size_t at;
	unsigned n_seen;
	uint16_t counts[3];
};

/**
 * Where @p m is now. Field by field: a copy of several at once would wait until what was just written
 * to them has left the CPU's store buffer.
 */
static inline struct message_mark message_mark(const struct message *m)
{
	return (struct message_mark){ .at = m->w.at,
		                      .n_seen = m->n_seen,
		                      .counts = { m->counts[0], m->counts[1], m->counts[2] } };
}
/** Remove what was written since @p mark, and clear the failure. */
void message_back(struct message *m, const struct message_mark *mark);

/**
 * An owner for the functions below: an image_name; 0: the question's name; or MESSAGE_OWNER_AT(): a
 * name at an offset of the message that a pointer can express. (Names in an image are at multiples
 * of four, so an odd number is free.)
 */
#define MESSAGE_POINTER_MAX    0x3fffu /**< RFC 1035, section 4.1.4: 14 bits */
#define MESSAGE_OWNER_AT(at)   ((uint32_t)(at) << 1 | 1u)
#define MESSAGE_OWNER_IS_AT(o) (((o)&1u) != 0)
/** Write all records of @p rrset. */
void message_put_rrset(struct message *m, enum section section, uint32_t owner_off,
                       const struct image_rrset *rrset);

/**
 * Write a zone's SOA for a negative answer (RFC 2308, section 3), its TTL at most @p ttl_most_s.
 */
void message_put_negative(struct message *m, const struct image_zone *zone, uint32_t ttl_most_s);

/**
 * Write the CNAME that a DNAME stands for (RFC 6672, section 3.1), to the uncompressed @p target.
 * @return offset of the target in the message
 */
size_t message_put_alias(struct message *m, uint32_t owner_off, uint32_t ttl_s,
                         const uint8_t *target, size_t length);
/** Write @p n addresses of one family as A or AAAA records. */
void message_put_addresses(struct message *m, enum section section, uint32_t owner_off,
                           uint32_t ttl_s, const struct addr *addresses, unsigned n);

#endif
