/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A zone out of an earlier image back into records: it is served when the zone's file cannot be
 * used any more. An image has no list of a zone's nodes. All nodes are visited once, for the first zone that is
 * lifted, and listed by zone: a thousand zones must not be a thousand walks through the image.
 * Names that the earlier image gave to a deeper zone are missing.
 */
#include <stdlib.h>
#include <string.h>

#include "dns/zone/image.h"
#include "dns/zone/wire.h"
#include "dns/zone/build.h"

struct lift {
	struct build *b;
	const struct image *from;
	uint16_t from_zone; /* number in the earlier image */
	uint16_t zone;      /* in the build */
	uint32_t file;
};

/* The earlier image's zone of that name. @return NULL if it has none, or a broken one */
static const struct image_zone *find_earlier_zone(const struct image *from, const char *text)
{
	const struct image_zone *zone = image_find_zone(from, text);

	return zone && zone->state & IMAGE_ZONE_BROKEN ? NULL : zone;
}

static uint32_t lift_name(const struct lift *l, uint32_t name_off)
{
	uint8_t wire[NAME_WIRE_MAX];

	image_name_wire(l->from, name_off, wire);
	return build_intern(l->b, wire);
}

/*
 * Names in the data are offsets in an image, and indices in a build: they are translated one by
 * one.
 */
static void lift_record(const struct lift *l, uint32_t owner, const uint8_t *record)
{
	struct build_record r = {
		.owner = build_name_at(l->b, owner)->fold,
		.data_length = wire_load16(record + 10),
		.ttl_s = wire_load32(record + 6),
		.file = l->file,
		.type = wire_load16(record + 2),
		.zone = l->zone,
	};
	struct image_fixed_names how = image_fixed_names(r.type);
	uint8_t small[32];
	const uint8_t *data = record + IMAGE_RECORD_FIXED;

	if (how.n) { /* such data has at most 28 bytes */
		memcpy(small, data, r.data_length);
		for (unsigned i = 0; i < how.n; i++) {
			uint32_t name;

			memcpy(&name, data + how.before + 4 * i, 4);
			name = lift_name(l, name);
			memcpy(small + how.before + 4 * i, &name, 4);
		}
		data = small;
	}
	if (!l->b->no_memory)
		build_add(l->b, &r, data);
}

/*
 * An empty second node at a deeper zone's apex stands for records of names below, which are that zone's. So it is made,
 * with the names above. Records, or the document, make the other empty nodes.
 */
static void lift_node(const struct lift *l, const struct image_node *node, bool is_above)
{
	uint32_t owner = lift_name(l, node->name_off);

	if (is_above && !node->n_rrsets && !l->b->no_memory)
		(void)build_need_node(l->b, build_name_at(l->b, owner)->fold, l->zone);
	for (uint32_t s = 0; s < node->n_rrsets && !l->b->no_memory; s++) {
		const uint8_t *record = image_at(l->from, node->rrsets[s].data_off);

		for (uint16_t i = 0; i < node->rrsets[s].n_records; i++) {
			lift_record(l, owner, record);
			record += IMAGE_RECORD_FIXED + wire_load16(record + 10);
		}
	}
}

/* Count a node for its zone, or list it. */
static void list_node(const struct image *from, uint32_t node_off, bool is_above,
                      struct zone_lifted *x, bool counts)
{
	uint32_t zone = image_node(from, node_off)->zone;

	if (zone >= from->n_zones)
		return;
	if (counts)
		x->first[zone + 1]++;
	else
		x->nodes[x->first[zone]++] = node_off | is_above;
}

static void list_all_nodes(const struct image *from, struct zone_lifted *x, bool counts)
{
	const struct image_bucket *buckets = image_at(from, from->buckets_off);

	for (uint64_t i = 0; i <= from->bucket_mask; i++) {
		uint32_t off = buckets[i].node_off;
		uint32_t above_off = off ? image_extra(from, image_node(from, off))->above_off : 0;

		if (off)
			list_node(from, off, false, x, counts);
		if (above_off)
			list_node(from, above_off, true, x, counts);
	}
}

/* A counting sort: after the second walk first[z] is the end of zone z's nodes. @return whether there was memory */
static bool index_nodes(const struct image *from, struct zone_lifted *x)
{
	uint32_t n = from->n_zones;

	x->first = calloc((size_t)n + 1, sizeof(*x->first));
	if (!x->first)
		return false;
	list_all_nodes(from, x, true);
	for (uint32_t z = 0; z < n; z++)
		x->first[z + 1] += x->first[z];
	x->nodes = malloc(((size_t)x->first[n] + 1) * sizeof(*x->nodes));
	if (!x->nodes) {
		zone_lifted_free(x);
		return false;
	}
	list_all_nodes(from, x, false);
	return true;
}

void zone_lifted_free(struct zone_lifted *x)
{
	free(x->first);
	free(x->nodes);
	*x = (struct zone_lifted){ 0 };
}

bool zone_lift(struct build *b, uint16_t number)
{
	const struct image *from = b->in->earlier;
	const struct image_zone *zone =
	        from ? find_earlier_zone(from, b->in->zones[number].name) : NULL;

	if (!zone)
		return false;

	const struct lift l = {
		.b = b,
		.from = from,
		.from_zone = (uint16_t)(zone - image_zone(from, 0)),
		.zone = number,
		.file = build_file(b, b->in->zones[number].file),
	};
	struct zone_lifted alone = { 0 }, *x = b->in->lifted ? b->in->lifted : &alone;

	if (!x->first && !index_nodes(from, x))
		b->no_memory = true;
	for (uint32_t i = l.from_zone && x->first ? x->first[l.from_zone - 1] : 0;
	     !b->no_memory && i < x->first[l.from_zone]; i++)
		lift_node(&l, image_node(from, x->nodes[i] & ~1u), x->nodes[i] & 1);
	zone_lifted_free(&alone);
	return true;
}
