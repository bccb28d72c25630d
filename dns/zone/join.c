/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A part is copied as it is, then each offset in it moves by the distance between its old and its
 * new place (0 means "none" and stays). Everything but the nodes stands in rows and is walked;
 * nodes are found by the buckets of the image that they come from.
 *
 * Names outside a part's zones (the root, targets elsewhere) are there once for each part. That is
 * harmless: an answer comes from one zone, and names without a node lead nowhere.
 */
#include "dns/zone/join.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dns/zone/image.h"
#include "dns/zone/wire.h"
#include "dns/zone/zone.h"

#define NODE_ALIGN    4u /* what nodes are aligned to */
#define NODE_WORDS(n) ((n) / NODE_ALIGN / 64 + 1)
#define LARGE_PAGE    ((size_t)2 << 20)

struct join {
	const struct zone_input *in;
	const struct join_part *parts;
	uint32_t n_parts;
	struct image head; /* in the making; `size_bytes` grows with each reservation */
	uint8_t *bytes;
};

/* An image that parts are copied from. */
struct origin {
	const struct image *image;
	uint32_t *copied; /* by its part: 1 + number in the join; 0: it is not copied */
	uint32_t *zones;  /* by its zone: the new number */
};

/* 1 + the join's number of a zone's part; 0: it is not copied. */
static uint32_t find_copy(const struct origin *o, const struct image_zone *zone)
{
	return zone->part < o->image->n_parts ? o->copied[zone->part] : 0;
}

static uint32_t reserve_aligned(struct join *j, uint64_t n)
{
	uint64_t at = (j->head.size_bytes + 7) & ~(uint64_t)7;

	j->head.size_bytes = at + n;
	return (uint32_t)at; /* beyond 4 GiB the size is refused before anything is written */
}

static const struct image_part *part_of(const struct join_part *p)
{
	return image_part(p->from, p->number);
}

static void *bytes_at(const struct join *j, uint32_t off)
{
	return j->bytes + off;
}

static struct image_part *joined_part(const struct join *j, uint32_t number)
{
	return (struct image_part *)bytes_at(j, j->head.parts_off) + number;
}

static void move_off(uint32_t *off, uint32_t by)
{
	if (*off)
		*off += by; /* a distance downwards wraps to the right place */
}

static void move_record_names(uint8_t *record, uint32_t by)
{
	struct image_fixed_names how = image_fixed_names(wire_load16(record + 2));

	for (unsigned i = 0; i < how.n; i++) {
		uint8_t *at = record + IMAGE_RECORD_FIXED + how.before + 4 * i;
		uint32_t name;

		memcpy(&name, at, 4);
		name += by;
		memcpy(at, &name, 4);
	}
}

static void move_name(struct image_name *n, uint32_t by)
{
	move_off(&n->parent_off, by);
	move_off(&n->fold_off, by);
	move_off(&n->node_off, by);
}

static void move_node(const struct join *j, const struct origin *o, uint32_t off, uint32_t by)
{
	struct image_node *node = bytes_at(j, off + by);

	node->zone = (uint16_t)o->zones[node->zone];
	move_off(&node->name_off, by);
	move_off(&node->extra_off, by);
	for (uint32_t k = 0; k < node->n_rrsets; k++) {
		struct image_rrset *rrset = &node->rrsets[k];
		uint8_t *record;

		move_off(&rrset->data_off, by);
		record = bytes_at(j, rrset->data_off);
		for (uint16_t i = 0; i < rrset->n_records && image_fixed_names(rrset->type).n;
		     i++) {
			move_record_names(record, by);
			record += IMAGE_RECORD_FIXED + wire_load16(record + 10);
		}
	}
}

static uint64_t hash_of_name(const struct image *i, uint32_t name_off)
{
	const struct image_name *names[NAME_LABELS_MAX + 1], *at = image_name(i, name_off);
	uint64_t hash = NAME_HASH_ROOT;
	unsigned n = 0;

	for (; at->n_labels && n < NAME_LABELS_MAX; at = image_name(i, at->parent_off))
		names[n++] = at;
	while (n)
		hash = name_hash_label(hash, names[--n]->label);
	return hash;
}

static void add_bucket(const struct join *j, uint64_t hash, uint32_t node_off)
{
	struct image_bucket *buckets = bytes_at(j, j->head.buckets_off);
	uint32_t at = (uint32_t)hash & j->head.bucket_mask;

	while (buckets[at].node_off)
		at = (at + 1) & j->head.bucket_mask;
	buckets[at] = (struct image_bucket){ (uint32_t)(hash >> 32), node_off };
}

/* Move a node of part @p number of the join, and the second node at an apex, which is in no bucket. */
static void move_one_node(const struct join *j, const struct origin *o, uint32_t off)
{
	const struct image_node *node = image_node(o->image, off);
	uint32_t number = find_copy(o, image_zone(o->image, node->zone)) - 1;
	uint32_t by = joined_part(j, number)->start - part_of(&j->parts[number])->start;
	uint32_t above_off = image_extra(o->image, node)->above_off;

	move_node(j, o, off, by);
	move_name(bytes_at(j, node->name_off + by), by);
	add_bucket(j, hash_of_name(o->image, node->name_off), off + by);
	if (above_off)
		move_node(j, o, above_off, by);
}

/*
 * All nodes of the parts that are copied. The buckets have them in the order of hashes; in that of
 * their offsets the memory is read from one end to the other. @p offsets has a bit for each.
 */
static void move_nodes(const struct join *j, const struct origin *o, uint64_t *offsets)
{
	const struct image *from = o->image;
	const struct image_bucket *buckets = image_at(from, from->buckets_off);

	for (uint64_t i = 0; i <= from->bucket_mask; i++) {
		uint32_t off = buckets[i].node_off;

		if (off && find_copy(o, image_zone(from, image_node(from, off)->zone)))
			offsets[off / NODE_ALIGN / 64] |= 1ull << (off / NODE_ALIGN % 64);
	}
	for (uint64_t w = 0; w < NODE_WORDS(from->size_bytes); w++)
		for (uint64_t left = offsets[w]; left; left &= left - 1)
			move_one_node(j, o,
			              (uint32_t)(w * 64 + (unsigned)__builtin_ctzll(left)) *
			                      NODE_ALIGN);
}

/* What the part has beside nodes, with their names and records. */
static void move_rows(const struct join *j, const struct image_part *p, uint32_t by)
{
	struct image_extra *extra = bytes_at(j, p->extras_off);

	for (; (uint8_t *)(extra + 1) <= j->bytes + p->names_off; extra++) {
		move_off(&extra->cut_off, by);
		move_off(&extra->wildcard_off, by);
		move_off(&extra->above_off, by);
		move_off(&extra->glue_off, by);
	}
	for (uint32_t at = p->names_off; at < p->glue_off;) {
		struct image_name *name = bytes_at(j, at);

		move_name(name, by);
		at += (image_name_size(name->label) + 3) & ~3u;
	}
	for (uint32_t at = p->glue_off; at < p->soas_off;) {
		struct image_glue *glue = bytes_at(j, at);

		for (uint32_t i = 0; i < glue->n; i++)
			move_off(&glue->nodes_off[i], by);
		at += (uint32_t)sizeof(*glue) + 4 * glue->n;
	}
}

/* A zone's row, with its two rrsets of the SOA and the copy for negative answers. */
static void move_zone(const struct join *j, const struct image_zone *zone, uint32_t to,
                      uint32_t part, uint32_t by)
{
	struct image_zone *out = (struct image_zone *)bytes_at(j, j->head.zones_off) + to;
	struct image_rrset *rrsets;

	*out = *zone;
	out->part = part;
	move_off(&out->name_off, by);
	move_off(&out->node_off, by);
	move_off(&out->soa_off, by);
	move_off(&out->negative_off, by);
	if (!out->soa_off)
		return;
	rrsets = bytes_at(j, out->soa_off);
	move_off(&rrsets[0].data_off, by);
	move_off(&rrsets[1].data_off, by);
	move_record_names(bytes_at(j, rrsets[1].data_off), by);
}

static void copy_part(const struct join *j, uint32_t number, uint32_t start)
{
	const struct join_part *p = &j->parts[number];
	const struct image_part *was = part_of(p);
	struct image_part *now = joined_part(j, number);
	uint32_t by = start - was->start, rank = 0;

	*now = *was;
	now->start += by;
	now->extras_off += by;
	now->names_off += by;
	now->glue_off += by;
	now->soas_off += by;
	now->files_off += by;
	now->end += by;
	memcpy(bytes_at(j, now->start), image_at(p->from, was->start), was->end - was->start);
	move_rows(j, now, by);
	for (uint32_t z = 0; z < p->from->n_zones && rank < p->n_zones; z++)
		if (image_zone(p->from, z)->part == p->number)
			move_zone(j, image_zone(p->from, z), p->zones[rank++], number, by);
}

/* Give each part its place, and count. */
static int reserve_all(struct join *j)
{
	struct image *h = &j->head;
	uint64_t n_buckets = 2;

	h->n_zones = (uint32_t)j->in->n_zones;
	h->size_bytes = sizeof(*h);
	h->parts_off = reserve_aligned(j, j->n_parts * sizeof(struct image_part));
	h->zones_off = reserve_aligned(j, j->in->n_zones * sizeof(struct image_zone));
	for (uint32_t k = 0; k < j->n_parts; k++) {
		const struct image_part *p = part_of(&j->parts[k]);

		(void)reserve_aligned(j, p->end - p->start);
		h->n_nodes += p->n_nodes;
		h->n_names += p->n_names;
		h->n_records += p->n_records;
		h->max_labels = p->max_labels > h->max_labels ? p->max_labels : h->max_labels;
	}
	while (n_buckets / 2 < h->n_nodes)
		n_buckets *= 2;
	h->bucket_mask = (uint32_t)(n_buckets - 1);
	h->buckets_off = reserve_aligned(j, n_buckets * sizeof(struct image_bucket));
	return h->size_bytes > UINT32_MAX ? -E2BIG : 0;
}

/* Take what the parts have of the image that part @p first is from. */
static int move_origin(const struct join *j, uint32_t first)
{
	const struct image *from = j->parts[first].from;
	uint32_t *numbers = calloc((size_t)from->n_parts * 2 + from->n_zones, sizeof(*numbers));
	uint64_t *offsets = calloc(NODE_WORDS(from->size_bytes), sizeof(*offsets));

	if (!numbers || !offsets) {
		free(numbers);
		free(offsets);
		return -ENOMEM;
	}

	struct origin o = { from, numbers, numbers + from->n_parts };
	uint32_t *ranks = o.zones + from->n_zones;

	for (uint32_t k = first; k < j->n_parts; k++)
		if (j->parts[k].from == from)
			o.copied[j->parts[k].number] = k + 1;
	for (uint32_t z = 0; z < from->n_zones; z++) {
		const struct image_zone *zone = image_zone(from, z);
		uint32_t as = find_copy(&o, zone);

		if (as && ranks[zone->part] < j->parts[as - 1].n_zones)
			o.zones[z] = j->parts[as - 1].zones[ranks[zone->part]++];
	}
	move_nodes(j, &o, offsets);
	free(numbers);
	free(offsets);
	return 0;
}

/* Whether an earlier part is from the same image: one walk through its buckets suffices. */
static bool is_origin_moved(const struct join *j, uint32_t k, const struct image **several)
{
	if (j->parts[k].from->n_parts == 1)
		return false;
	if (*several == j->parts[k].from)
		return true;
	*several = j->parts[k].from;
	return false;
}

/* Whether `source` describes all files. If not, they are looked at again at each start. */
static bool is_whole(const struct join *j)
{
	for (uint32_t k = 0; k < j->n_parts; k++) {
		const struct image_part *p = part_of(&j->parts[k]);
		const uint8_t *files = image_at(j->parts[k].from, p->files_off);

		if (!p->digest)
			return false;
		for (uint32_t i = 0; i < p->end - p->files_off; i++)
			if (files[i])
				return false;
	}
	return true;
}

static int fill_image(struct join *j)
{
	const struct image *several = NULL;
	struct image *h = &j->head;

	uint64_t at = h->zones_off + j->in->n_zones * sizeof(struct image_zone);

	for (uint32_t k = 0; k < j->n_parts; k++) { /* the offsets of reserve_all() */
		uint64_t start = (at + 7) & ~(uint64_t)7;

		memset(j->bytes + at, 0, start - at);
		copy_part(j, k, (uint32_t)start);
		at = start + part_of(&j->parts[k])->end - part_of(&j->parts[k])->start;
	}
	for (uint32_t k = 0; k < j->n_parts; k++)
		if (!is_origin_moved(j, k, &several) && move_origin(j, k) < 0)
			return -ENOMEM;
	memset(j->bytes + at, 0, h->buckets_off - at);
	memcpy(h->magic, IMAGE_MAGIC, sizeof(h->magic));
	h->layout = IMAGE_LAYOUT;
	h->n_parts = j->n_parts;
	h->n_dynamic = (uint32_t)j->in->n_dynamic;
	h->dynamic = image_dynamic_digest(j->in->dynamic, j->in->n_dynamic);
	h->source = is_whole(j) ? j->in->source : 0;
	h->program = j->in->program;
	memcpy(j->bytes, h, sizeof(*h));
	((struct image *)j->bytes)->checksum = image_checksum((struct image *)j->bytes);
	return 0;
}

/*
 * Memory for the image; zero is what the parts do not fill. In large pages: to touch ten thousands
 * of small ones takes longer than the copy.
 */
static uint8_t *new_image(const struct image *head)
{
	size_t size = head->size_bytes,
	       rows = head->zones_off + head->n_zones * sizeof(struct image_zone);
	uint8_t *bytes =
	        size < LARGE_PAGE
	                ? malloc(size)
	                : aligned_alloc(LARGE_PAGE, (size + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1));

	if (!bytes)
		return NULL;
	if (size >= LARGE_PAGE)
		(void)madvise(bytes, size, MADV_HUGEPAGE);
	memset(bytes, 0, rows);
	memset(bytes + head->buckets_off, 0, size - head->buckets_off);
	return bytes;
}

int zone_join(const struct zone_input *in, const struct join_part *parts, uint32_t n,
              struct image **out)
{
	struct join j = { .in = in, .parts = parts, .n_parts = n };
	int err = reserve_all(&j);

	if (err < 0)
		return err;
	j.bytes = new_image(&j.head);
	if (!j.bytes)
		return -ENOMEM;
	err = fill_image(&j);
	if (err < 0) {
		free(j.bytes);
		return err;
	}
	*out = (struct image *)j.bytes;
	return 0;
}
