/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From nodes to the image's bytes, in two passes: the first gives each part its offset, the second
 * writes. A name, its node and the node's records follow each other, so that an answer touches few
 * cache lines.
 */
#include "dns/zone/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dns/zone/image.h"
#include "dns/zone/wire.h"

struct layout {
	struct build *b;
	uint64_t size;
	uint8_t *bytes;
	uint32_t zones_off, buckets_off;
	struct image_part part; /* the whole is one part */
	uint32_t n_buckets, max_labels, n_records;
};

static uint64_t reserve_bytes(struct layout *l, uint64_t n)
{
	uint64_t at = l->size;

	l->size += (n + 3) & ~(uint64_t)3;
	return at;
}

/*
 * Offsets wrap harmlessly beyond 4 GiB: zone_layout() refuses such a size before anything is
 * written.
 */
static void allocate_name(struct layout *l, struct build_name *n)
{
	if (n->off == 0)
		n->off = (uint32_t)reserve_bytes(l, image_name_size(build_label(l->b, n)));
}

/* Types at @p node: runs of equal type among its sorted records. */
static uint32_t count_rrsets(const struct build *b, const struct build_node *node)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < node->n; i++)
		n += i == 0 || build_record_at(b, node->first + i)->type !=
		                       build_record_at(b, node->first + i - 1)->type;
	return n;
}

static uint64_t data_size(const struct build *b, uint32_t first, uint32_t n)
{
	uint64_t size = 0;

	for (uint32_t i = first; i < first + n; i++)
		size += IMAGE_RECORD_FIXED + build_record_at(b, i)->data_length;
	return size;
}

static void allocate_node(struct layout *l, struct build_node *node)
{
	struct build_name *name = build_name_at(l->b, node->name);

	allocate_name(l, name);
	node->off = (uint32_t)reserve_bytes(
	        l,
	        sizeof(struct image_node) + count_rrsets(l->b, node) * sizeof(struct image_rrset));
	reserve_bytes(l, data_size(l->b, node->first, node->n));
	l->n_records += node->n;
	if (name->n_labels > l->max_labels)
		l->max_labels = name->n_labels;
}

/*
 * List servers of the delegation @p node whose addresses this zone has. @return how many; written
 * to @p out if not NULL
 */
static uint32_t list_glue(const struct build *b, const struct build_node *node, bool required,
                          uint32_t *out)
{
	uint32_t first = 0, count = build_rrset(b, node, DNS_NS, &first), n = 0, ignored;

	for (uint32_t i = first; i < first + count; i++) {
		uint32_t target;

		memcpy(&target, build_bytes_at(b, build_record_at(b, i)->data), 4);
		target = build_name_at(b, target)->fold;

		uint32_t at = build_name_at(b, target)->node;
		const struct build_node *server = at == BUILD_NONE ? NULL : build_node_at(b, at);

		if (!server || server->zone != node->zone ||
		    (!build_rrset(b, server, DNS_A, &ignored) &&
		     !build_rrset(b, server, DNS_AAAA, &ignored)))
			continue;
		if (build_is_under(b, target, node->name) != required)
			continue;
		if (out)
			out[n] = server->off;
		n++;
	}
	return n;
}

static bool is_cut(const struct build *b, uint32_t i)
{
	return build_node_at(b, i)->cut == i;
}

static bool has_above(const struct build *b, const struct build_node *node)
{
	return !node->is_above && build_name_at(b, node->name)->above_node != BUILD_NONE;
}

/* Whether @p node has nothing of its own for an image_extra, but perhaps a delegation. */
static bool has_cut_only(const struct build *b, const struct build_node *node)
{
	return node->wildcard == BUILD_NONE && !node->dynamic && !has_above(b, node);
}

/* Delegations first: nodes below one share its image_extra. */
static void allocate_extras(struct layout *l)
{
	struct build *b = l->b;

	l->part.extras_off = (uint32_t)reserve_bytes(l, sizeof(struct image_extra)); /* all zero */
	for (uint32_t i = 0; i < b->nodes.n; i++)
		if (is_cut(b, i))
			build_node_at(b, i)->extra_off =
			        (uint32_t)reserve_bytes(l, sizeof(struct image_extra));
	for (uint32_t i = 0; i < b->nodes.n; i++) {
		struct build_node *node = build_node_at(b, i);
		const struct build_node *cut =
		        node->cut == BUILD_NONE ? NULL : build_node_at(b, node->cut);

		if (cut == node)
			continue;
		if (!has_cut_only(b, node) || (cut && !has_cut_only(b, cut)))
			node->extra_off = (uint32_t)reserve_bytes(l, sizeof(struct image_extra));
		else
			node->extra_off = cut ? cut->extra_off : l->part.extras_off;
	}
}

/*
 * What belongs to the part stands together, kind by kind: write_glue(), write_zones() and whoever
 * copies the part (join.c) walk it.
 */
static void allocate_all(struct layout *l)
{
	struct build *b = l->b;

	l->size = sizeof(struct image) + sizeof(struct image_part);
	l->zones_off = (uint32_t)reserve_bytes(l, b->in->n_zones * sizeof(struct image_zone));
	l->size = (l->size + 7) & ~(uint64_t)7;
	l->part.start = (uint32_t)l->size;
	for (uint32_t i = 0; i < b->nodes.n; i++)
		allocate_node(l, build_node_at(b, i));
	allocate_extras(l);
	l->part.names_off = (uint32_t)l->size;
	for (uint32_t i = 0; i < b->names.n; i++)
		allocate_name(l, build_name_at(b, i));
	l->part.glue_off = (uint32_t)l->size;
	for (uint32_t i = 0; i < b->nodes.n; i++)
		if (is_cut(b, i))
			reserve_bytes(l, sizeof(struct image_glue) +
			                         4 * (uint64_t)(list_glue(b, build_node_at(b, i),
			                                                  true, NULL) +
			                                        list_glue(b, build_node_at(b, i),
			                                                  false, NULL)));
	l->part.soas_off = (uint32_t)l->size;
	/*
	 * for each zone two sets and the negative answers' copy of the SOA, see
	 * write_image_zone()
	 */
	reserve_bytes(l,
	              b->in->n_zones * (2 * sizeof(struct image_rrset) + IMAGE_RECORD_FIXED + 28));
	l->part.files_off = (uint32_t)reserve_bytes(l, b->included.n);
	l->part.end = (uint32_t)l->size;
	for (l->n_buckets = 2; l->n_buckets / 2 < b->nodes.n;)
		l->n_buckets *= 2;
	l->size = (l->size + 7) & ~(uint64_t)7;
	l->buckets_off =
	        (uint32_t)reserve_bytes(l, (uint64_t)l->n_buckets * sizeof(struct image_bucket));
}

static void write_names(struct layout *l)
{
	struct build *b = l->b;

	for (uint32_t i = 0; i < b->names.n; i++) {
		const struct build_name *n = build_name_at(b, i);
		const uint8_t *label = build_label(b, n);
		struct image_name *out = (struct image_name *)(l->bytes + n->off);

		out->parent_off = i == BUILD_ROOT ? 0 : build_name_at(b, n->parent)->off;
		out->fold_off = build_name_at(b, n->fold)->off;
		out->node_off = n->node == BUILD_NONE ? 0 : build_node_at(b, n->node)->off;
		out->wire_length = n->wire_length;
		out->n_labels = n->n_labels;
		memcpy(out->label, label, (size_t)label[0] + 1);
	}
}

/* Write one record; names become offsets. @return behind it */
static uint8_t *write_image_record(const struct build *b, const struct build_record *r,
                                   uint32_t ttl_s, uint8_t *out)
{
	struct image_fixed_names how = image_fixed_names(r->type);

	wire_store16(out, 0xc00c);
	wire_store16(out + 2, r->type);
	wire_store16(out + 4, DNS_IN);
	wire_store32(out + 6, ttl_s);
	wire_store16(out + 10, (uint16_t)r->data_length);
	out += IMAGE_RECORD_FIXED;
	memcpy(out, build_bytes_at(b, r->data), r->data_length);
	for (unsigned i = 0; i < how.n; i++) {
		uint32_t name;

		memcpy(&name, out + how.before + 4 * i, 4);
		memcpy(out + how.before + 4 * i, &build_name_at(b, name)->off, 4);
	}
	return out + r->data_length;
}

/* A set's number of records is counted while they are written: calloc() has set it to 0. */
static void write_rrsets(struct layout *l, const struct build_node *node, struct image_node *out)
{
	const struct build *b = l->b;
	uint8_t *data = (uint8_t *)&out->rrsets[out->n_rrsets];
	struct image_rrset *rrset = out->rrsets - 1;

	for (uint32_t i = node->first; i < node->first + node->n; i++) {
		const struct build_record *r = build_record_at(b, i);

		if (i == node->first || r->type != rrset->type) {
			rrset++;
			rrset->type = r->type;
			rrset->data_off = (uint32_t)(data - l->bytes);
		}
		data = write_image_record(b, r, r->ttl_s, data);
		rrset->n_records++;
		rrset->data_length = (uint32_t)(data - l->bytes) - rrset->data_off;
	}
}

/* Nodes that share an image_extra write the same values. */
static void write_extra(const struct build *b, const struct build_node *node,
                        struct image_extra *out)
{
	if (node->cut != BUILD_NONE)
		out->cut_off = build_node_at(b, node->cut)->off;
	if (node->wildcard != BUILD_NONE)
		out->wildcard_off = build_node_at(b, node->wildcard)->off;
	if (has_above(b, node))
		out->above_off = build_node_at(b, build_name_at(b, node->name)->above_node)->off;
	if (node->dynamic)
		out->dynamic = 1 + zone_input_number(b->in, node->dynamic - 1);
}

static void write_nodes(struct layout *l)
{
	const struct build *b = l->b;

	for (uint32_t i = 0; i < b->nodes.n; i++) {
		const struct build_node *node = build_node_at(b, i);
		struct image_node *out = (struct image_node *)(l->bytes + node->off);

		out->name_off = build_name_at(b, node->name)->off;
		out->extra_off = node->extra_off;
		out->zone = node->zone;
		if (node->extra_off != l->part.extras_off)
			write_extra(b, node, (struct image_extra *)(l->bytes + node->extra_off));
		out->n_rrsets = (uint16_t)count_rrsets(b, node);
		write_rrsets(l, node, out);
	}
}

/*
 * Required glue first, so that an answer can stop at the first optional address that does not
 * fit.
 */
static void write_glue(struct layout *l)
{
	const struct build *b = l->b;
	uint32_t off = l->part.glue_off;

	for (uint32_t i = 0; i < b->nodes.n; i++) {
		const struct build_node *node = build_node_at(b, i);

		if (!is_cut(b, i))
			continue;
		struct image_glue *glue = (struct image_glue *)(l->bytes + off);
		glue->n_required = list_glue(b, node, true, glue->nodes_off);
		glue->n = glue->n_required +
		          list_glue(b, node, false, glue->nodes_off + glue->n_required);
		((struct image_extra *)(l->bytes + node->extra_off))->glue_off = off;
		off += (uint32_t)(sizeof(*glue) + 4 * glue->n);
	}
}

/* One zone's row, its SOA's set and the negative answers' copy (RFC 2308, section 5), at @p off. */
static void write_image_zone(struct layout *l, const struct build_node *apex, uint32_t off)
{
	struct build *b = l->b;
	uint32_t first = 0;
	const struct build_record *soa;
	struct image_rrset *rrsets = (struct image_rrset *)(l->bytes + off);
	uint8_t *data = (uint8_t *)(rrsets + 2);
	struct image_zone *zone = (struct image_zone *)(l->bytes + l->zones_off) + apex->zone;

	zone->name_off = build_name_at(b, apex->name)->off;
	zone->node_off = apex->off;
	zone->state = b->zones[apex->zone].state;
	if (zone->state & IMAGE_ZONE_BROKEN)
		return;
	build_rrset(b, apex, DNS_SOA, &first);
	soa = build_record_at(b, first);

	const uint8_t *fields = build_bytes_at(b, soa->data) + 8;
	uint32_t minimum = wire_load32(fields + 16);
	struct image_node *node = (struct image_node *)(l->bytes + apex->off);

	for (uint32_t k = 0; k < node->n_rrsets; k++)
		if (node->rrsets[k].type == DNS_SOA)
			rrsets[0] = node->rrsets[k];
	write_image_record(b, soa, minimum < soa->ttl_s ? minimum : soa->ttl_s, data);
	rrsets[1] = rrsets[0];
	rrsets[1].data_off = (uint32_t)(data - l->bytes);
	zone->soa_off = off;
	zone->negative_off = off + (uint32_t)sizeof(struct image_rrset);
	zone->serial = wire_load32(fields);
}

static void write_zones(struct layout *l)
{
	struct build *b = l->b;
	uint32_t off = l->part.soas_off;
	struct image_zone *zones = (struct image_zone *)(l->bytes + l->zones_off);

	for (uint32_t i = 0; i < b->nodes.n; i++) {
		const struct build_node *node = build_node_at(b, i);

		zones[node->zone].n_records += node->n;
		if (node->is_above || build_name_at(b, node->name)->apex_of != node->zone + 1)
			continue;
		write_image_zone(l, node, off);
		off += (uint32_t)(2 * sizeof(struct image_rrset) + IMAGE_RECORD_FIXED + 28);
	}
}

/*
 * The parent's second node at an apex is left out: a search must find the child zone's node,
 * which is linked to it.
 */
static void write_buckets(struct layout *l)
{
	const struct build *b = l->b;
	struct image_bucket *buckets = (struct image_bucket *)(l->bytes + l->buckets_off);

	for (uint32_t i = 0; i < b->nodes.n; i++) {
		const struct build_node *node = build_node_at(b, i);
		uint64_t hash = build_name_at(b, node->name)->hash;
		uint32_t at = (uint32_t)hash & (l->n_buckets - 1);

		if (node->is_above)
			continue;
		while (buckets[at].node_off)
			at = (at + 1) & (l->n_buckets - 1);
		buckets[at] = (struct image_bucket){ (uint32_t)(hash >> 32), node->off };
	}
}

static bool has_bad_zone(const struct build *b)
{
	for (size_t z = 0; z < b->in->n_zones; z++)
		if (b->zones[z].state & (IMAGE_ZONE_EARLIER | IMAGE_ZONE_BROKEN))
			return true;
	return false;
}

static void write_part(struct layout *l)
{
	struct build *b = l->b;

	l->part.digest = has_bad_zone(b) ? 0 : b->digest;
	l->part.n_nodes = (uint32_t)b->nodes.n;
	l->part.n_names = (uint32_t)b->names.n;
	l->part.n_records = l->n_records;
	l->part.max_labels = l->max_labels;
	memcpy(l->bytes + sizeof(struct image), &l->part, sizeof(l->part));
	if (b->included.n)
		memcpy(l->bytes + l->part.files_off, b->included.items, b->included.n);
}

/* Last, as the checksum covers all other bytes. */
static void write_header(struct layout *l)
{
	const struct build *b = l->b;
	struct image *i = (struct image *)l->bytes;

	memcpy(i->magic, IMAGE_MAGIC, sizeof(i->magic));
	i->layout = IMAGE_LAYOUT;
	i->n_zones = (uint32_t)b->in->n_zones;
	i->size_bytes = l->size;
	i->source = has_bad_zone(b) || b->has_includes ? 0 : b->in->source;
	i->program = b->in->program;
	i->dynamic = image_dynamic_digest(b->in->dynamic, b->in->n_dynamic);
	i->zones_off = l->zones_off;
	i->buckets_off = l->buckets_off;
	i->bucket_mask = l->n_buckets - 1;
	i->max_labels = l->max_labels;
	i->n_nodes = (uint32_t)b->nodes.n;
	i->n_names = (uint32_t)b->names.n;
	i->n_records = l->n_records;
	i->n_dynamic = (uint32_t)b->in->n_dynamic;
	i->parts_off = sizeof(*i);
	i->n_parts = 1;
	i->checksum = image_checksum(i);
}

int zone_layout(struct build *b, struct image **out)
{
	struct layout l = { .b = b };

	allocate_all(&l);
	if (l.size > UINT32_MAX) {
		build_say(b, ZONES_ERROR,
		          &(struct build_location){ .zone = BUILD_NONE, .file = "" },
		          "the zones are too large for one image: %llu bytes",
		          (unsigned long long)l.size);
		return -E2BIG;
	}
	if (b->in->check_only) {
		*out = NULL;
		return 0;
	}
	l.bytes = calloc(1, l.size);
	if (!l.bytes)
		return -ENOMEM;
	write_names(&l);
	write_nodes(&l);
	write_glue(&l);
	write_zones(&l);
	write_part(&l);
	write_buckets(&l);
	write_header(&l);
	*out = (struct image *)l.bytes;
	return 0;
}
