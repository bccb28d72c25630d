/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding a name: the hashes of all its suffixes are computed from the root down, then looked up
 * from the longest on. The first one that is found is the name or its closest encloser. Suffixes
 * deeper than any node are not looked up, so a query for a very long name costs no more searches
 * than the deepest node has labels. The table is probed linearly and at most half full.
 */
#include "dns/zone/image.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"

struct image_fixed_names image_fixed_names(uint16_t type)
{
	switch (type) {
	case DNS_NS:
	case DNS_MD:
	case DNS_MF:
	case DNS_CNAME:
	case DNS_MB:
	case DNS_MG:
	case DNS_MR:
	case DNS_PTR:
		return (struct image_fixed_names){ 0, 1 };
	case DNS_SOA:
	case DNS_MINFO:
		return (struct image_fixed_names){ 0, 2 };
	case DNS_MX:
		return (struct image_fixed_names){ 2, 1 };
	default:
		return (struct image_fixed_names){ 0, 0 };
	}
}

/* Not cryptographic: it detects a damaged or half-written file, and reads eight bytes at a time. */
uint64_t image_checksum(const struct image *i)
{
	const uint8_t *p = (const uint8_t *)i;
	uint64_t h = IMAGE_LAYOUT, v;

	for (uint64_t at = 0; at + 8 <= i->size_bytes; at += 8) {
		if (at == offsetof(struct image, checksum))
			continue;
		memcpy(&v, p + at, 8);
		h = (h ^ v) * 0xff51afd7ed558ccdu;
		h ^= h >> 29;
	}
	return h;
}

uint64_t image_dynamic_digest(const char *const *names, size_t n)
{
	uint64_t digest = n;

	for (size_t i = 0; i < n; i++)
		digest = digest * 0x9e3779b97f4a7c15u + hash_text(names[i]);
	return digest;
}

static bool table_fits(const struct image *i, uint64_t off, uint64_t n, size_t each, size_t align)
{
	return off >= sizeof(*i) && off % align == 0 && off + n * each <= i->size_bytes;
}

/* Whether a table of @p n elements of @p type is within the image, and aligned as they are to be. */
#define TABLE_FITS(i, off, n, type) table_fits(i, off, n, sizeof(type), _Alignof(type))

/* Whether the part's offsets ascend within the image: whoever copies it relies on that. */
static bool is_part_within(const struct image *i, const struct image_part *p)
{
	const uint32_t offs[] = { p->start,    p->extras_off, p->names_off, p->glue_off,
		                  p->soas_off, p->files_off,  p->end };

	if (p->start < sizeof(*i) || p->start % 8 != 0 || p->end > i->size_bytes)
		return false;
	for (size_t k = 1; k < sizeof(offs) / sizeof(offs[0]); k++)
		if (offs[k] < offs[k - 1])
			return false;
	return true;
}

static bool are_parts_within(const struct image *i)
{
	if (!TABLE_FITS(i, i->parts_off, i->n_parts, struct image_part))
		return false;
	for (uint32_t k = 0; k < i->n_parts; k++)
		if (!is_part_within(i, image_part(i, k)))
			return false;
	return true;
}

int image_check(const void *bytes, size_t length)
{
	const struct image *i = bytes;
	uint64_t n_buckets;

	if (length < sizeof(*i) || memcmp(i->magic, IMAGE_MAGIC, sizeof(i->magic)) != 0 ||
	    i->layout != IMAGE_LAYOUT || i->size_bytes != length || length % 8 != 0)
		return -EPROTO;
	n_buckets = (uint64_t)i->bucket_mask + 1;
	if ((n_buckets & i->bucket_mask) != 0 || i->n_nodes > n_buckets / 2)
		return -EPROTO;
	if (!TABLE_FITS(i, i->zones_off, i->n_zones, struct image_zone) ||
	    !TABLE_FITS(i, i->buckets_off, n_buckets, struct image_bucket))
		return -EPROTO;
	if (!are_parts_within(i))
		return -EPROTO;
	return i->checksum == image_checksum(i) ? 0 : -EPROTO;
}

/* Whether the node's name is the part of @p name that starts with its label @p first. */
static bool is_name_of_node(const struct image *i, const struct image_node *node,
                            const struct name *name, unsigned first)
{
	const struct image_name *n = image_name(i, node->name_off);

	if (n->n_labels != name->n_labels - first)
		return false;
	for (; n->n_labels; n = image_name(i, n->parent_off)) {
		const uint8_t *label = name->lower + name->at[first++];

		if (memcmp(n->label, label, (size_t)label[0] + 1) != 0)
			return false;
	}
	return true;
}

/* The tag is compared before the name, whose labels may each cost a cache miss. */
static const struct image_node *search_bucket(const struct image *i, uint64_t hash,
                                              const struct name *name, unsigned first)
{
	const struct image_bucket *buckets = image_at(i, i->buckets_off);
	uint32_t tag = (uint32_t)(hash >> 32);

	for (uint32_t at = (uint32_t)hash & i->bucket_mask; buckets[at].node_off;
	     at = (at + 1) & i->bucket_mask) {
		const struct image_node *node = image_node(i, buckets[at].node_off);

		if (buckets[at].tag == tag && is_name_of_node(i, node, name, first))
			return node;
	}
	return NULL;
}

struct image_found image_find(const struct image *i, const struct name *name)
{
	uint64_t hashes[NAME_LABELS_MAX + 1];
	unsigned first = name->n_labels;
	unsigned highest = name->n_labels > i->max_labels ? name->n_labels - i->max_labels : 0;

	hashes[first] = NAME_HASH_ROOT;
	while (first > highest) {
		first--;
		hashes[first] = name_hash_label(hashes[first + 1], name->lower + name->at[first]);
	}
	for (; first <= name->n_labels; first++) {
		const struct image_node *node = search_bucket(i, hashes[first], name, first);

		if (node)
			return (struct image_found){ node, first };
	}
	return (struct image_found){ NULL, name->n_labels };
}

const struct image_rrset *image_rrset(const struct image_node *node, uint16_t type)
{
	for (uint32_t k = 0; k < node->n_rrsets; k++)
		if (node->rrsets[k].type == type)
			return &node->rrsets[k];
	return NULL;
}

size_t image_name_wire(const struct image *i, uint32_t name_off, uint8_t out[NAME_WIRE_MAX])
{
	const struct image_name *n = image_name(i, name_off);
	size_t at = 0;

	for (; n->n_labels; n = image_name(i, n->parent_off)) {
		memcpy(out + at, n->label, (size_t)n->label[0] + 1);
		at += (size_t)n->label[0] + 1;
	}
	out[at++] = 0;
	return at;
}

const struct image_zone *image_find_zone(const struct image *i, const char *text)
{
	struct image_found found;
	const struct image_zone *zone;
	struct name name;

	if (name_parse(text, &name) < 0)
		return NULL;
	found = image_find(i, &name);
	if (!found.node || found.skipped)
		return NULL;
	zone = image_zone(i, found.node->zone);
	return image_at(i, zone->node_off) == found.node ? zone : NULL;
}
