/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names are interned in one open-addressing table keyed by (parent, label): equal names have equal
 * indices, and to compare or compress names later costs an integer comparison. Each name is linked
 * to its lower-case form.
 */
#include "dns/zone/build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "dns/zone/image.h"
#include "dns/zone/sources.h"
#include "dns/zone/text.h"

uint32_t build_grow(struct build_array *a, size_t n)
{
	if (a->n + n > a->room) {
		size_t room = a->room * 2 > a->n + n ? a->room * 2 : a->n + n + 256;
		void *items = room < BUILD_NONE ? realloc(a->items, room * a->each) : NULL;

		if (!items)
			return BUILD_NONE;
		a->items = items;
		a->room = room;
	}
	memset((char *)a->items + a->n * a->each, 0, n * a->each);
	a->n += n;
	return (uint32_t)(a->n - n);
}

int build_init(struct build *b, const struct zone_input *in, struct build_zone *zones,
               zones_report *report, void *arg)
{
	static const uint8_t root[1] = { 0 };

	*b = (struct build){ .in = in, .zones = zones, .report = report, .report_arg = arg };
	b->digest = sources_begin(in);
	b->names.each = sizeof(struct build_name);
	b->labels.each = 1;
	b->records.each = sizeof(struct build_record);
	b->bytes.each = 1;
	b->nodes.each = sizeof(struct build_node);
	b->files.each = sizeof(char *);
	b->included.each = 1;
	/* The first byte is not used: so data of length 0 has a valid address, too. */
	return build_intern(b, root) == BUILD_ROOT && build_grow(&b->bytes, 1) == 0 ? 0 : -ENOMEM;
}

void build_fini(struct build *b)
{
	for (size_t i = 0; i < b->files.n; i++)
		free(((char **)b->files.items)[i]);
	free(b->names.items);
	free(b->labels.items);
	free(b->records.items);
	free(b->bytes.items);
	free(b->nodes.items);
	free(b->files.items);
	free(b->included.items);
	free(b->table);
}

/*
 * Count an error. @return whether to report it: beyond the limit, only the first one of each zone
 */
static bool count_error(struct build *b, uint32_t zone)
{
	uint32_t nth = 0;

	if (zone == BUILD_NONE)
		b->n_global++;
	else
		nth = b->zones[zone].n_errors++;
	return b->n_errors++ < ZONE_REPORTS_MAX || nth == 0;
}

void build_say(struct build *b, enum zones_level level, const struct build_location *at,
               const char *format, ...)
{
	char text[2048];
	va_list args;
	struct zones_message message = {
		.zone = at->zone == BUILD_NONE ? "" : b->in->zones[at->zone].name,
		.file = at->file,
		.line = at->line,
		.level = level,
		.text = text,
		.error = at->error,
	};

	if (level == ZONES_ERROR ? !count_error(b, at->zone) : b->quiet)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	b->report(b->report_arg, &message);
}

uint32_t build_file(struct build *b, const char *name)
{
	char **files = b->files.items;

	if (b->files.n && strcmp(files[b->files.n - 1], name) == 0)
		return (uint32_t)b->files.n - 1;

	char *copy = strdup(name);
	uint32_t i = copy ? build_grow(&b->files, 1) : BUILD_NONE;

	if (i == BUILD_NONE) {
		free(copy);
		b->no_memory = true;
		return i;
	}
	((char **)b->files.items)[i] = copy;
	return i;
}

void build_add(struct build *b, const struct build_record *r, const uint8_t *data)
{
	if (b->records.n + b->in->n_others >= ZONE_RECORDS_MAX) {
		const struct build_location at = { r->zone, ((char **)b->files.items)[r->file],
			                           r->line, 0 };

		build_say(b, ZONES_ERROR, &at, "more than %u records in all zones",
		          ZONE_RECORDS_MAX);
		return;
	}

	uint32_t at = build_grow(&b->bytes, r->data_length);
	uint32_t i = build_grow(&b->records, 1);

	if (at == BUILD_NONE || i == BUILD_NONE) {
		b->no_memory = true;
		return;
	}
	memcpy(build_bytes_at(b, at), data, r->data_length);
	*build_record_at(b, i) = *r;
	build_record_at(b, i)->data = at;
}

static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

/*
 * The first free entry at or behind the hash's. There always is one: the table grows when three
 * quarters are used.
 */
static size_t find_free_entry(const struct build_name_entry *table, size_t size, uint32_t tag)
{
	size_t at = tag & (size - 1);

	while (table[at].name != BUILD_NONE)
		at = (at + 1) & (size - 1);
	return at;
}

/*
 * Entries keep their tag, which is enough to place them in the larger table: no name is hashed
 * again.
 */
static bool grow_name_table(struct build *b)
{
	size_t size = b->table_size ? b->table_size * 2 : 1024;
	struct build_name_entry *table = malloc(size * sizeof(*table));

	if (!table)
		return false;
	memset(table, 0xff, size * sizeof(*table));
	for (size_t i = 0; i < b->table_size; i++)
		if (b->table[i].name != BUILD_NONE)
			table[find_free_entry(table, size, b->table[i].tag)] = b->table[i];
	free(b->table);
	b->table = table;
	b->table_size = size;
	return true;
}

/* Make the name (@p parent, @p label) with @p hash, in entry @p entry of the table. */
static uint32_t add_interned_name(struct build *b, uint32_t parent, const uint8_t *label,
                                  uint64_t hash, size_t entry)
{
	uint32_t label_at = build_grow(&b->labels, (size_t)label[0] + 1);
	uint32_t i = build_grow(&b->names, 1);

	if (label_at == BUILD_NONE || i == BUILD_NONE)
		return BUILD_NONE;
	memcpy((uint8_t *)b->labels.items + label_at, label, (size_t)label[0] + 1);

	struct build_name *n = build_name_at(b, i);

	*n = (struct build_name){ .hash = hash, .parent = parent, .fold = i, .label = label_at };
	n->node = n->above_node = BUILD_NONE;
	n->wire_length = (uint8_t)(label[0] + 1);
	if (i != BUILD_ROOT) {
		const struct build_name *p = build_name_at(b, parent);

		n->n_labels = (uint8_t)(p->n_labels + 1);
		n->wire_length = (uint8_t)(n->wire_length + p->wire_length);
		b->table[entry] = (struct build_name_entry){ tag_of(hash), i };
	}
	return i;
}

/*
 * The table grows before the search, so the entry that the search ends at stays valid for the new
 * name.
 */
static uint32_t intern_label(struct build *b, uint32_t parent, const uint8_t *label)
{
	if (b->names.n * 4 >= b->table_size * 3 && !grow_name_table(b))
		return BUILD_NONE;

	uint64_t hash = name_hash_label(build_name_at(b, parent)->hash, label);
	size_t at = tag_of(hash) & (b->table_size - 1);

	for (; b->table[at].name != BUILD_NONE; at = (at + 1) & (b->table_size - 1)) {
		if (b->table[at].tag != tag_of(hash))
			continue;

		const struct build_name *n = build_name_at(b, b->table[at].name);

		if (n->parent == parent &&
		    memcmp(build_label(b, n), label, (size_t)label[0] + 1) == 0)
			return b->table[at].name;
	}
	return add_interned_name(b, parent, label, hash, at);
}

/* As intern_label(), and make and link the name's lower-case form. */
static uint32_t intern_both(struct build *b, uint32_t parent, const uint8_t *label)
{
	uint8_t lower[64];
	uint32_t own = intern_label(b, parent, label), fold;
	bool same = own != BUILD_NONE && build_name_at(b, parent)->fold == parent;

	if (own == BUILD_NONE)
		return BUILD_NONE;
	lower[0] = label[0];
	for (unsigned i = 1; i <= label[0]; i++) {
		lower[i] = name_fold(label[i]);
		same &= lower[i] == label[i];
	}
	if (same)
		return own;
	fold = intern_label(b, build_name_at(b, parent)->fold, lower);
	if (fold == BUILD_NONE)
		return BUILD_NONE;
	build_name_at(b, own)->fold = fold;
	return own;
}

uint32_t build_intern_below(struct build *b, uint32_t above, const uint8_t *labels, size_t length)
{
	const uint8_t *starts[NAME_LABELS_MAX];
	uint32_t at = above;
	unsigned n = 0;

	for (const uint8_t *end = labels + length; labels < end; labels += *labels + 1)
		starts[n++] = labels;
	while (n && at != BUILD_NONE)
		at = intern_both(b, at, starts[--n]);
	if (at == BUILD_NONE)
		b->no_memory = true;
	return at;
}

uint32_t build_intern(struct build *b, const uint8_t *wire)
{
	static const uint8_t root[1] = { 0 };
	const uint8_t *end = wire;

	if (b->names.n == 0 && add_interned_name(b, 0, root, NAME_HASH_ROOT, 0) == BUILD_NONE) {
		b->no_memory = true;
		return BUILD_NONE;
	}
	while (*end)
		end += *end + 1;
	return build_intern_below(b, BUILD_ROOT, wire, (size_t)(end - wire));
}

size_t build_name_wire(const struct build *b, uint32_t name, uint8_t out[NAME_WIRE_MAX])
{
	size_t at = 0;

	for (; name != BUILD_ROOT; name = build_name_at(b, name)->parent) {
		const uint8_t *label = build_label(b, build_name_at(b, name));

		memcpy(out + at, label, (size_t)label[0] + 1);
		at += (size_t)label[0] + 1;
	}
	out[at++] = 0;
	return at;
}

uint16_t build_zone_of(const struct build *b, uint32_t name)
{
	for (;; name = build_name_at(b, name)->parent) {
		if (build_name_at(b, name)->apex_of)
			return build_name_at(b, name)->apex_of;
		if (name == BUILD_ROOT)
			return 0;
	}
}

bool build_is_under(const struct build *b, uint32_t name, uint32_t above)
{
	while (name != above && name != BUILD_ROOT)
		name = build_name_at(b, name)->parent;
	return name == above;
}

const char *build_name_text(const struct build *b, uint32_t name, char text[NAME_TEXT_MAX])
{
	uint8_t wire[NAME_WIRE_MAX];

	build_name_wire(b, name, wire);
	return name_text(wire, text);
}

uint32_t build_rrset(const struct build *b, const struct build_node *node, uint16_t type,
                     uint32_t *first)
{
	uint32_t n = 0;

	for (uint32_t i = node->first; i < node->first + node->n; i++) {
		if (build_record_at(b, i)->type != type)
			continue;
		if (n++ == 0)
			*first = i;
	}
	return n;
}

void build_add_apexes(struct build *b)
{
	if (b->in->n_zones > ZONE_MAX) {
		build_say(b, ZONES_ERROR,
		          &(struct build_location){ .zone = BUILD_NONE, .file = "" },
		          "%zu zones, at most %u", b->in->n_zones, ZONE_MAX);
		return;
	}
	for (size_t z = 0; z < b->in->n_zones; z++) {
		const struct zone_source *zone = &b->in->zones[z];
		const struct build_location at = { BUILD_NONE, zone->file, 0, 0 };
		struct name apex;

		if (name_parse(zone->name, &apex) < 0) {
			build_say(b, ZONES_ERROR, &at, "%.200s is not a domain name", zone->name);
			continue;
		}
		uint32_t name = build_intern(b, apex.lower);

		if (name == BUILD_NONE)
			return;
		if (build_name_at(b, name)->apex_of)
			build_say(b, ZONES_ERROR, &at, "zone %.200s is configured twice",
			          zone->name);
		build_name_at(b, name)->apex_of = (uint16_t)(z + 1);
	}
}

/* Make a node. @return its index, or BUILD_NONE when out of memory */
static uint32_t add_zone_node(struct build *b, uint32_t name, uint16_t zone, bool is_above)
{
	uint32_t i = build_grow(&b->nodes, 1);

	if (i == BUILD_NONE) {
		b->no_memory = true;
		return i;
	}
	*build_node_at(b, i) = (struct build_node){
		.name = name,
		.zone = zone,
		.is_above = is_above,
		.cut = BUILD_NONE,
		.wildcard = BUILD_NONE,
	};
	if (is_above)
		build_name_at(b, name)->above_node = i;
	else
		build_name_at(b, name)->node = i;
	return i;
}

/*
 * The node at lower-case @p name. It is made if it is missing, and so are empty non-terminals up to
 * the zone's apex.
 */
static uint32_t need_node_of_zone(struct build *b, uint32_t name, uint16_t zone)
{
	uint32_t at = name;

	for (;; at = build_name_at(b, at)->parent) {
		if (build_name_at(b, at)->node == BUILD_NONE &&
		    add_zone_node(b, at, zone, false) == BUILD_NONE)
			return BUILD_NONE;
		if (build_name_at(b, at)->apex_of == zone + 1)
			return build_name_at(b, name)->node;
	}
}

uint32_t build_need_node(struct build *b, uint32_t name, uint16_t zone)
{
	uint32_t at = name, apex = BUILD_NONE, node;

	for (; build_zone_of(b, at) != zone + 1; at = build_name_at(b, at)->parent)
		apex = at;
	node = need_node_of_zone(b, at, zone);
	if (node == BUILD_NONE || apex == BUILD_NONE)
		return node;
	node = build_name_at(b, apex)->above_node;
	return node != BUILD_NONE ? node : add_zone_node(b, apex, zone, true);
}

void build_note_read(struct build *b, const struct zone_text *text)
{
	struct zone_text_read r = zone_text_read(text);
	uint32_t at = r.n_included ? build_grow(&b->included, r.n_included) : 0;

	if (at == BUILD_NONE) {
		b->no_memory = true;
		return;
	}
	if (r.n_included)
		memcpy((char *)b->included.items + at, r.included, r.n_included);
	b->digest = sources_add(b->digest, r.digest);
}
