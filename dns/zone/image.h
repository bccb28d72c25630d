/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The image: all zones of a document, compiled. Flat and immutable, with offsets from its first
 * byte instead of pointers, so it can be written to a file and read back at any address.
 *
 * Made by zone_compile() (dns/zone/zone.h). Integers of the structures are in host order, record data is
 * in wire form, ready to copy.
 *
 * A name is a record in a tree: label and parent. Names that differ in case only share `fold`. A
 * node is a name that exists in a zone (RFC 4592: also an empty non-terminal), or one below a
 * delegation whose addresses are glue. A node is found by the hash of its name. A name in record
 * data knows its node, so alias chains, glue and compression need no search.
 *
 * Implemented in dns/zone/image.c; any thread may read an image, without a lock.
 */
#ifndef WEIR_DNS_ZONE_IMAGE_H
#define WEIR_DNS_ZONE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "dns/zone/name.h"

#define IMAGE_MAGIC "weirzone" /**< the first bytes of the file */
/** Changes with any structure below: files with another number are not used at all. */
#define IMAGE_LAYOUT 1u

/** Types that the compiler or the lookup treats in some way of its own. */
enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_MD = 3,
	DNS_MF = 4,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_MB = 7,
	DNS_MG = 8,
	DNS_MR = 9,
	DNS_PTR = 12,
	DNS_MINFO = 14,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_DNAME = 39,
	DNS_OPT = 41,
	DNS_DS = 43,
	DNS_RRSIG = 46,
	DNS_NSEC = 47,
	DNS_NSEC3 = 50,
	DNS_META_FIRST = 128,
	DNS_IXFR = 251,
	DNS_AXFR = 252,
	DNS_ANY = 255,
	DNS_CAA = 257,
};
#define DNS_IN 1 /**< the class; Weir serves no other */

struct image {
	char magic[8];
	uint32_t layout;
	uint32_t n_zones;
	uint64_t size_bytes;
	uint64_t checksum; /**< of all other bytes */
	/** Digest of the files that it was made from; 0: not known (includes, bad files). */
	uint64_t source;
	uint64_t program; /**< digest of the program that made it */
	uint64_t dynamic; /**< digest of the dynamic names, in their order */
	uint32_t zones_off;
	uint32_t buckets_off;
	uint32_t bucket_mask; /**< buckets are a power of two, at most half full */
	uint32_t max_labels;  /**< of any node: deeper names need no search */
	uint32_t n_nodes, n_names, n_records, n_dynamic;
	uint32_t parts_off, n_parts;
};
_Static_assert(sizeof(struct image) == 96 && offsetof(struct image, checksum) % 8 == 0,
               "image header layout");

/**
 * A part: a zone with all zones below it. What a part refers to lies in the part, so it can be
 * copied to another image: only its offsets move, all by the same distance (dns/zone/join.c).
 */
struct image_part {
	uint64_t digest; /**< of all that it was made from (dns/zone/sources.h); 0: bad files */
	uint32_t start;  /**< nodes with their names and records; then what the others begin */
	uint32_t extras_off, names_off, glue_off, soas_off;
	uint32_t files_off; /**< included files, as in build.included */
	uint32_t end;
	uint32_t n_nodes, n_names, n_records;
	uint32_t max_labels;
	uint32_t unused;
};
_Static_assert(sizeof(struct image_part) == 56, "no padding, which the checksum would cover");

/** A bucket of the hash table; node_off 0: free. */
struct image_bucket {
	uint32_t tag; /**< the hash's upper half */
	uint32_t node_off;
};

/** Bits of image_zone.state; 0: the zone is served as its file says. */
enum image_zone_state {
	IMAGE_ZONE_EARLIER = 1, /**< its file cannot be used: an earlier image of it is served */
	IMAGE_ZONE_BROKEN =
	        2, /**< its file cannot be used: SERVFAIL; nothing but its apex is here */
};

struct image_zone {
	uint32_t name_off, node_off;
	uint32_t soa_off; /**< the SOA's image_rrset, as in answers */
	/** The same with the TTL of negative answers (RFC 2308, section 5). */
	uint32_t negative_off;
	uint32_t serial;
	uint32_t n_records;
	uint32_t state; /**< bits of enum image_zone_state */
	uint32_t part;  /**< number of its part */
};

struct image_name {
	uint32_t parent_off; /**< 0: this is the root */
	uint32_t fold_off;   /**< the same name in lower case; itself if it is that */
	uint32_t node_off;   /**< 0: no such node; set in the lower-case name only */
	uint8_t wire_length;
	uint8_t n_labels;
	uint8_t label[]; /**< with its length byte; padded to four bytes */
};

/** An RRset. */
struct image_rrset {
	uint16_t type;
	uint16_t n_records;
	uint32_t data_off; /**< records, see image_fixed_names() */
	uint32_t data_length;
};

/** What only few nodes have, so nodes may share one; most share the one that is all zero. */
struct image_extra {
	uint32_t cut_off;      /**< the delegation at or above it; 0: none */
	uint32_t wildcard_off; /**< its child "*"; 0: none */
	/** At a zone's apex: the node of the parent zone, if that is served too (for DS). */
	uint32_t above_off;
	uint32_t dynamic;  /**< 1 + number of the dynamic name; 0: none */
	uint32_t glue_off; /**< image_glue of the delegation at or above it; 0: no delegation */
};

struct image_node {
	uint32_t name_off;
	uint32_t extra_off; /**< an image_extra, never 0 */
	uint16_t zone;      /**< number of its zone */
	uint16_t n_rrsets;
	struct image_rrset rrsets[]; /**< by type */
};
_Static_assert(sizeof(struct image_node) == 12 && sizeof(struct image_rrset) == 12,
               "a million names are a million of these");

/** Addresses of a delegation's servers; required ones first (RFC 9471). */
struct image_glue {
	uint32_t n;
	uint32_t n_required; /**< at or below the delegation: without them it cannot be followed */
	uint32_t nodes_off[];
};

/*
 * Record data: for each record
 *     0xc00c, type, class, TTL, length, data
 * that is, with its owner as a pointer to the question. Types whose names may be
 * compressed (those of RFC 1035; RFC 3597, section 4) have their names as 32-bit offsets
 * of image_name, in host order and unaligned, and `length` counts them as four bytes.
 */
#define IMAGE_RECORD_FIXED 12

/**
 * How a type's data is built where it holds compressible names: `before` bytes, `n` names, the
 * rest.
 */
struct image_fixed_names {
	uint8_t before, n;
};
/** @return n = 0 for the types whose data is opaque */
struct image_fixed_names image_fixed_names(uint16_t type);

static inline const void *image_at(const struct image *i, uint32_t off)
{
	return (const uint8_t *)i + off;
}
static inline const struct image_node *image_node(const struct image *i, uint32_t off)
{
	return image_at(i, off);
}
static inline const struct image_extra *image_extra(const struct image *i,
                                                    const struct image_node *node)
{
	return image_at(i, node->extra_off);
}
static inline const struct image_name *image_name(const struct image *i, uint32_t off)
{
	return image_at(i, off);
}
static inline const struct image_zone *image_zone(const struct image *i, uint32_t number)
{
	return (const struct image_zone *)image_at(i, i->zones_off) + number;
}

static inline const struct image_part *image_part(const struct image *i, uint32_t number)
{
	return (const struct image_part *)image_at(i, i->parts_off) + number;
}
/** Bytes of a name with @p label, without padding. */
static inline uint32_t image_name_size(const uint8_t *label)
{
	return (uint32_t)sizeof(struct image_name) + label[0] + 1u;
}

/** Check header, sizes and checksum of @p length mapped bytes. @return 0 or -EPROTO */
int image_check(const void *bytes, size_t length) MUST_CHECK;
/** The checksum that an image's header must carry. */
uint64_t image_checksum(const struct image *i) NONNULL();
/** The digest of dynamic names in their order, as in image.dynamic. */
uint64_t image_dynamic_digest(const char *const *names, size_t n);

/** The zone named @p text. @return NULL if the image has none */
const struct image_zone *image_find_zone(const struct image *i, const char *text) NONNULL();

/** What image_find() found. */
struct image_found {
	/** the deepest existing name at or above; NULL: in no zone of ours */
	const struct image_node *node;
	unsigned skipped; /**< labels of the name that do not exist; 0: the name itself does */
};
/**
 * Find @p name or its closest encloser (RFC 4592, section 3.3.1). At most image.max_labels + 1
 * searches.
 */
struct image_found image_find(const struct image *i, const struct name *name) NONNULL();

/** @return the RRset of @p type at @p node, or NULL */
const struct image_rrset *image_rrset(const struct image_node *node, uint16_t type) NONNULL();

/** Write a name out, uncompressed. @return its length */
size_t image_name_wire(const struct image *i, uint32_t name_off, uint8_t out[NAME_WIRE_MAX])
        NONNULL();

#endif
