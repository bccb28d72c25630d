/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From records to nodes, and what must not stand together (RFC 1034, section 3.6.2; RFC 2181; RFC
 * 6672).
 *
 * Records are sorted by owner, zone and type, so that a node is a run of records and an RRset a run
 * within it. Empty non-terminals get nodes of their own. Records below a deeper zone's apex are
 * dropped, since that zone has these names. Those at the apex itself go to a second node, which
 * belongs to the parent zone: it answers for DS. Names between the two zones exist in the parent.
 */
#include "dns/zone/build.h"

#include <stdlib.h>
#include <string.h>

#include "dns/zone/image.h"

/* Report an error at a record. */
#define REFUSE(b, r, ...) BUILD_SAY_OF(b, r, ZONES_ERROR, __VA_ARGS__)
/* Report an error that concerns no record; zone BUILD_NONE: and no zone. */
#define REFUSE_AT(b, zone, file, ...)                                                              \
	build_say((b), ZONES_ERROR, &(struct build_location){ (zone), (file), 0, 0 }, __VA_ARGS__)

static int by_owner(const void *a, const void *b)
{
	const struct build_record *x = a, *y = b;

	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	if (x->zone != y->zone)
		return x->zone < y->zone ? -1 : 1;
	return (x->type > y->type) - (x->type < y->type);
}

/*
 * Give the @p n records from @p first on, of one owner and zone, to their node. A name below a
 * deeper zone's apex belongs to that zone: its records here are dropped.
 */
static void assign_records(struct build *b, uint32_t first, uint32_t n)
{
	const struct build_record *r = build_record_at(b, first);
	uint32_t node = build_need_node(b, r->owner, r->zone);

	if (node == BUILD_NONE || build_node_at(b, node)->name != r->owner)
		return;
	build_node_at(b, node)->first = first;
	build_node_at(b, node)->n = n;
}

static bool is_sorted(const struct build_record *r, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		if (by_owner(&r[i - 1], &r[i]) > 0)
			return false;
	return true;
}

/* Sort each owner's records, which are neighbours. */
static void sort_owners(struct build_record *r, uint32_t n)
{
	for (uint32_t i = 0, j; i < n; i = j) {
		for (j = i + 1; j < n && r[j].owner == r[i].owner; j++)
			;
		if (!is_sorted(r + i, j - i))
			qsort(r + i, j - i, sizeof(*r), by_owner);
	}
}

/*
 * Sort all records by_owner(), with a counting sort by owner: owners are small numbers, and
 * records may be millions.
 */
static void sort_records(struct build *b)
{
	uint32_t n = (uint32_t)b->records.n;
	struct build_record *from = b->records.items, *to;
	uint32_t *offsets;

	if (n == 0 || is_sorted(from, n))
		return;
	offsets = calloc(b->names.n + 1, sizeof(*offsets));
	to = malloc(b->records.n * sizeof(*to));
	if (!offsets || !to) {
		free(offsets);
		free(to);
		b->no_memory = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		offsets[from[i].owner + 1]++;
	for (size_t i = 1; i <= b->names.n; i++)
		offsets[i] += offsets[i - 1];
	for (uint32_t i = 0; i < n; i++)
		to[offsets[from[i].owner]++] = from[i];
	free(offsets);
	free(from);
	b->records.items = to;
	b->records.room = n;
	sort_owners(to, n);
}

/* After the sort, records of one owner and zone are neighbours: each run becomes a node. */
static void make_zone_nodes(struct build *b)
{
	uint32_t n = (uint32_t)b->records.n;

	sort_records(b);
	for (uint32_t i = 0, j; i < n && !b->no_memory; i = j) {
		const struct build_record *r = build_record_at(b, i);

		for (j = i + 1; j < n; j++)
			if (build_record_at(b, j)->owner != r->owner ||
			    build_record_at(b, j)->zone != r->zone)
				break;
		assign_records(b, i, j - i);
	}
}

/*
 * Dynamic names come from the document, not from a zone: an error is no zone's, and so refuses
 * the document.
 */
static void add_dynamic(struct build *b)
{
	for (size_t d = 0; d < b->in->n_dynamic && !b->no_memory; d++) {
		const char *text = b->in->dynamic[d];
		struct name name;
		uint32_t at = BUILD_NONE, node;
		uint16_t zone;

		if (name_parse(text, &name) == 0)
			at = build_intern(b, name.lower);
		zone = at == BUILD_NONE ? 0 : build_zone_of(b, at);
		if (zone == 0) {
			REFUSE_AT(b, BUILD_NONE, "", "dynamic name %.200s lies in no zone", text);
			continue;
		}
		node = build_need_node(b, at, (uint16_t)(zone - 1));
		if (node == BUILD_NONE)
			return;
		if (build_node_at(b, node)->dynamic)
			REFUSE_AT(b, BUILD_NONE, "", "dynamic name %.200s is configured twice",
			          text);
		build_node_at(b, node)->dynamic = (uint32_t)d + 1;
	}
}

/*
 * Find the highest delegation at or above node @p i, and remember it: children ask their parent
 * only once.
 */
static uint32_t find_cut(struct build *b, uint32_t i)
{
	struct build_node *node = build_node_at(b, i);
	const struct build_name *name = build_name_at(b, node->name);
	uint32_t first;

	if (node->cut_known || name->apex_of == node->zone + 1)
		return node->cut;
	node->cut_known = true;
	node->cut = find_cut(b, build_name_at(b, name->parent)->node);
	if (node->cut == BUILD_NONE && build_rrset(b, node, DNS_NS, &first))
		node->cut = i;
	return node->cut;
}

static void link_wildcard(struct build *b, uint32_t i)
{
	const struct build_node *node = build_node_at(b, i);
	const struct build_name *name = build_name_at(b, node->name);
	const uint8_t *label = build_label(b, name);

	if (node->is_above || name->apex_of == node->zone + 1 || label[0] != 1 || label[1] != '*')
		return;
	build_node_at(b, build_name_at(b, name->parent)->node)->wildcard = i;
}

/* Compare the data of two records of one type; names regardless of case. */
static int compare_data(const struct build *b, const struct build_record *x,
                        const struct build_record *y)
{
	struct image_fixed_names how = image_fixed_names(x->type);
	const uint8_t *p = build_bytes_at(b, x->data), *q = build_bytes_at(b, y->data);
	size_t at = how.before;

	if (x->data_length != y->data_length)
		return x->data_length < y->data_length ? -1 : 1;
	for (unsigned i = 0; i < how.n; i++, at += 4) {
		uint32_t m, n;

		memcpy(&m, p + at, 4);
		memcpy(&n, q + at, 4);
		m = build_name_at(b, m)->fold;
		n = build_name_at(b, n)->fold;
		if (m != n)
			return m < n ? -1 : 1;
	}

	int before = memcmp(p, q, how.before);

	return before ? before : memcmp(p + at, q + at, x->data_length - at);
}

static int by_data(const void *x, const void *y, void *b)
{
	int order = compare_data(b, x, y);
	const struct build_record *r = x, *s = y;

	return order ? order : (r->line > s->line) - (r->line < s->line);
}

/*
 * Remove duplicates, which the sort has made neighbours (RFC 2181, section 5). @return how many
 * are left of @p n
 */
static uint32_t merge_equal(struct build *b, struct build_record *r, uint32_t n)
{
	char text[NAME_TEXT_MAX];
	uint32_t kept = n ? 1 : 0;

	for (uint32_t i = 1; i < n; i++) {
		if (compare_data(b, &r[kept - 1], &r[i]) != 0) {
			r[kept++] = r[i];
			continue;
		}
		BUILD_SAY_OF(b, &r[i], ZONES_WARNING,
		             "%.300s: line %u has the same record; it counts once",
		             build_name_text(b, r->owner, text), r[kept - 1].line);
	}
	return kept;
}

/*
 * One RRset: its size, duplicates, one TTL for all. @return how many of its @p n records are left
 */
static uint32_t check_rrset(struct build *b, uint32_t first, uint32_t n)
{
	struct build_record *r = build_record_at(b, first);
	size_t bytes = 0;
	char text[NAME_TEXT_MAX];

	for (uint32_t i = 0; i < n; i++) {
		struct image_fixed_names how = image_fixed_names(r[i].type);

		bytes += IMAGE_RECORD_FIXED + r[i].data_length + (size_t)how.n * NAME_WIRE_MAX;
		if (r[i].ttl_s < r[0].ttl_s) /* RFC 2181, section 5.2: the lowest counts */
			r[0].ttl_s = r[i].ttl_s;
	}
	for (uint32_t i = 1; i < n; i++)
		r[i].ttl_s = r[0].ttl_s;
	if (bytes > ZONE_RRSET_BYTES_MAX) {
		REFUSE(b, r, "%.300s: RRset of %u records over %u bytes",
		       build_name_text(b, r->owner, text), n, ZONE_RRSET_BYTES_MAX);
		return n;
	}
	if (n > 1)
		qsort_r(r, n, sizeof(*r), by_data, b);
	return merge_equal(b, r, n);
}

/*
 * An alias has no other data (RFC 1034, section 3.6.2): a resolver would find one or the other,
 * depending on its cache.
 */
static void check_cname(struct build *b, const struct build_node *node)
{
	char text[NAME_TEXT_MAX];
	uint32_t first, n = build_rrset(b, node, DNS_CNAME, &first);

	if (n == 0)
		return;
	if (n > 1)
		REFUSE(b, build_record_at(b, first + 1), "%.300s: more than one CNAME",
		       build_name_text(b, node->name, text));
	for (uint32_t i = node->first; i < node->first + node->n; i++) {
		const struct build_record *r = build_record_at(b, i);

		if (r->type != DNS_CNAME) {
			REFUSE(b, r, "%.300s: type %u at a name with a CNAME",
			       build_name_text(b, node->name, text), r->type);
			return;
		}
	}
}

/* A dynamic name's addresses come from the document, so the zone must not have others for it. */
static void check_dynamic(struct build *b, const struct build_node *node)
{
	static const uint16_t refused[] = { DNS_A, DNS_AAAA, DNS_CNAME };
	const char *name = node->dynamic ? b->in->dynamic[node->dynamic - 1] : NULL;
	uint32_t first;

	if (!name)
		return;
	if (node->cut != BUILD_NONE)
		REFUSE_AT(b, node->zone, b->in->zones[node->zone].file,
		          "dynamic name %.200s lies in a delegation", name);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (build_rrset(b, node, refused[i], &first))
			REFUSE(b, build_record_at(b, first),
			       "%.200s is a dynamic name: it cannot have A, AAAA or CNAME records",
			       name);
}

/* Whether @p node has a wildcard's name. */
static bool is_wildcard(const struct build *b, const struct build_node *node)
{
	const uint8_t *label = build_label(b, build_name_at(b, node->name));

	return label[0] == 1 && label[1] == '*';
}

/* Types that are allowed only at certain names. */
static void check_type_positions(struct build *b, const struct build_node *node)
{
	bool apex = build_name_at(b, node->name)->apex_of == node->zone + 1;
	char text[NAME_TEXT_MAX];
	uint32_t first;

	if (!apex && build_rrset(b, node, DNS_SOA, &first))
		REFUSE(b, build_record_at(b, first), "SOA below the zone's apex");
	if (is_wildcard(b, node) && build_rrset(b, node, DNS_NS, &first))
		REFUSE(b, build_record_at(b, first),
		       "%.300s: a wildcard cannot be a delegation: name each delegated zone (RFC 4592, section 4.2)",
		       build_name_text(b, node->name, text));
}

/* RFC 6672, sections 2.3, 2.4 and 3.3. */
static void check_dname(struct build *b, const struct build_node *node)
{
	bool apex = build_name_at(b, node->name)->apex_of == node->zone + 1;
	char text[NAME_TEXT_MAX];
	uint32_t first, other, n = build_rrset(b, node, DNS_DNAME, &first);

	if (n == 0)
		return;
	build_name_text(b, node->name, text);
	if (n > 1)
		REFUSE(b, build_record_at(b, first + 1), "%.300s: more than one DNAME", text);
	if (!apex && build_rrset(b, node, DNS_NS, &other))
		REFUSE(b, build_record_at(b, first), "%.300s: a DNAME and a delegation at one name",
		       text);
	if (is_wildcard(b, node))
		REFUSE(b, build_record_at(b, first), "%.300s: a DNAME at a wildcard", text);
}

/*
 * Nothing may exist below a DNAME (RFC 6672, section 2.4). Each node looks at its parent only, so
 * one level is reported.
 */
static void check_below(struct build *b, const struct build_node *node)
{
	const struct build_name *name = build_name_at(b, node->name);
	char text[NAME_TEXT_MAX];
	uint32_t above, dname;

	if (name->apex_of == node->zone + 1)
		return;
	above = build_name_at(b, name->parent)->node;
	if (above == BUILD_NONE || !build_rrset(b, build_node_at(b, above), DNS_DNAME, &dname))
		return;
	REFUSE(b, node->n ? build_record_at(b, node->first) : build_record_at(b, dname),
	       "%.300s lies below the DNAME in line %u, which renames all names below it",
	       build_name_text(b, node->name, text), build_record_at(b, dname)->line);
}

/* Check each RRset of the node, and close the gaps that removed duplicates leave. */
static void check_rrsets(struct build *b, struct build_node *node)
{
	uint32_t kept = node->first, end = node->first + node->n;

	for (uint32_t i = node->first, n; i < end; i += n) {
		for (n = 1; i + n < end; n++)
			if (build_record_at(b, i + n)->type != build_record_at(b, i)->type)
				break;

		uint32_t left = check_rrset(b, i, n);

		if (kept != i)
			memmove(build_record_at(b, kept), build_record_at(b, i),
			        left * sizeof(struct build_record));
		kept += left;
	}
	node->n = kept - node->first;
}

static void check_zone_node(struct build *b, uint32_t at)
{
	struct build_node *node = build_node_at(b, at);

	check_rrsets(b, node);
	check_cname(b, node);
	check_dynamic(b, node);
	check_type_positions(b, node);
	check_dname(b, node);
	check_below(b, node);
}

/*
 * Without a SOA there are no negative answers, and no TTL for them; without NS no delegation to
 * this zone works.
 */
static void check_apex(struct build *b, uint32_t z)
{
	const struct zone_source *zone = &b->in->zones[z];
	struct name apex;
	uint32_t name, first, n = 0;
	const struct build_node *node = NULL;

	if (name_parse(zone->name, &apex) == 0 &&
	    (name = build_intern(b, apex.lower)) != BUILD_NONE &&
	    build_name_at(b, name)->node != BUILD_NONE)
		node = build_node_at(b, build_name_at(b, name)->node);
	if (node)
		n = build_rrset(b, node, DNS_SOA, &first);
	if (n == 0)
		REFUSE_AT(b, z, zone->file, "zone %.200s has no SOA", zone->name);
	if (n > 1)
		REFUSE(b, build_record_at(b, first + 1), "a second SOA");
	if (!node || build_rrset(b, node, DNS_NS, &first) == 0)
		REFUSE_AT(b, z, zone->file, "zone %.200s has no NS at its apex", zone->name);
}

/* A zone that answers SERVFAIL needs a node at its apex, so that queries find it. */
static void add_broken(struct build *b)
{
	for (uint32_t z = 0; z < b->in->n_zones && !b->no_memory; z++) {
		struct name apex;
		uint32_t name = BUILD_NONE;

		if (!(b->zones[z].state & IMAGE_ZONE_BROKEN))
			continue;
		if (name_parse(b->in->zones[z].name, &apex) == 0)
			name = build_intern(b, apex.lower);
		if (name != BUILD_NONE)
			(void)build_need_node(b, name, (uint16_t)z);
	}
}

void zone_check(struct build *b)
{
	make_zone_nodes(b);
	add_broken(b);
	if (!b->no_memory)
		add_dynamic(b);
	for (uint32_t i = 0; i < b->nodes.n && !b->no_memory; i++) {
		find_cut(b, i);
		link_wildcard(b, i);
	}
	for (uint32_t i = 0; i < b->nodes.n && !b->no_memory; i++)
		check_zone_node(b, i);
	for (uint32_t z = 0; z < b->in->n_zones && !b->no_memory; z++)
		if (!(b->zones[z].state & IMAGE_ZONE_BROKEN))
			check_apex(b, z);
}
