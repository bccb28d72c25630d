/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/zone_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

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

int build_init(struct build *b, const struct zone_input *in, zone_report *report, void *arg)
{
	static const uint8_t root[1] = { 0 };

	*b = (struct build){ .in = in, .report = report, .report_arg = arg };
	b->names.each = sizeof(struct build_name);
	b->labels.each = 1;
	b->records.each = sizeof(struct build_record);
	b->bytes.each = 1;
	b->nodes.each = sizeof(struct build_node);
	b->files.each = sizeof(char *);
	return build_intern(b, root) == BUILD_ROOT ? 0 : -ENOMEM;
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
	free(b->table);
}

void build_mistake(struct build *b, const char *file, unsigned line, const char *format, ...)
{
	char message[2048];
	va_list args;

	if (b->n_mistakes++ >= ZONE_MISTAKES_MAX)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	b->report(b->report_arg, file, line, message);
}

static size_t place_of(const struct build *b, uint32_t parent, const uint8_t *label)
{
	return name_hash_label(parent * 0x9e3779b97f4a7c15u, label) >> 7 & (b->table_size - 1);
}

static bool table_grow(struct build *b)
{
	size_t size = b->table_size ? b->table_size * 2 : 1024;
	uint32_t *table = malloc(size * sizeof(*table));

	if (!table)
		return false;
	memset(table, 0xff, size * sizeof(*table));
	free(b->table);
	b->table = table;
	b->table_size = size;
	for (uint32_t i = 1; i < b->names.n; i++) {
		const struct build_name *n = build_name_at(b, i);
		size_t at = place_of(b, n->parent, build_label(b, n));

		while (table[at] != BUILD_NONE)
			at = (at + 1) & (size - 1);
		table[at] = i;
	}
	return true;
}

/* Make the name (@p parent, @p label) at @p place of the table. */
static uint32_t add_name(struct build *b, uint32_t parent, const uint8_t *label, size_t place)
{
	uint32_t label_at = build_grow(&b->labels, (size_t)label[0] + 1);
	uint32_t i = build_grow(&b->names, 1);

	if (label_at == BUILD_NONE || i == BUILD_NONE)
		return BUILD_NONE;
	memcpy((uint8_t *)b->labels.items + label_at, label, (size_t)label[0] + 1);

	struct build_name *n = build_name_at(b, i);

	*n = (struct build_name){ .parent = parent, .fold = i, .label = label_at };
	n->node = n->above_node = BUILD_NONE;
	n->wire_length = (uint8_t)(label[0] + 1);
	if (i != BUILD_ROOT) {
		const struct build_name *p = build_name_at(b, parent);

		n->n_labels = (uint8_t)(p->n_labels + 1);
		n->wire_length = (uint8_t)(n->wire_length + p->wire_length);
		b->table[place] = i;
	}
	return i;
}

static uint32_t intern_label(struct build *b, uint32_t parent, const uint8_t *label)
{
	if (b->names.n * 2 >= b->table_size && !table_grow(b))
		return BUILD_NONE;

	size_t at = place_of(b, parent, label);

	for (; b->table[at] != BUILD_NONE; at = (at + 1) & (b->table_size - 1)) {
		const struct build_name *n = build_name_at(b, b->table[at]);

		if (n->parent == parent &&
		    memcmp(build_label(b, n), label, (size_t)label[0] + 1) == 0)
			return b->table[at];
	}
	return add_name(b, parent, label, at);
}

/* As intern_label(), with the lower-case twin made and linked. */
static uint32_t intern_both(struct build *b, uint32_t parent, const uint8_t *label)
{
	uint8_t lower[64];
	uint32_t own = intern_label(b, parent, label), fold;

	if (own == BUILD_NONE)
		return BUILD_NONE;
	lower[0] = label[0];
	for (unsigned i = 1; i <= label[0]; i++)
		lower[i] = name_fold(label[i]);
	fold = intern_label(b, build_name_at(b, parent)->fold, lower);
	if (fold == BUILD_NONE)
		return BUILD_NONE;
	build_name_at(b, own)->fold = fold;
	return own;
}

uint32_t build_intern(struct build *b, const uint8_t *wire)
{
	const uint8_t *labels[NAME_LABELS_MAX];
	unsigned n = 0;

	if (b->names.n == 0) {
		static const uint8_t root[1] = { 0 };

		if (add_name(b, 0, root, 0) == BUILD_NONE)
			goto no_memory;
	}
	for (; *wire; wire += *wire + 1)
		labels[n++] = wire;

	uint32_t at = BUILD_ROOT;

	while (n && at != BUILD_NONE)
		at = intern_both(b, at, labels[--n]);
	if (at != BUILD_NONE)
		return at;
no_memory:
	b->no_memory = true;
	return BUILD_NONE;
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
	size_t at = 0;

	for (; name != BUILD_ROOT; name = build_name_at(b, name)->parent) {
		const uint8_t *label = build_label(b, build_name_at(b, name));

		memcpy(wire + at, label, (size_t)label[0] + 1);
		at += (size_t)label[0] + 1;
	}
	wire[at] = 0;
	return name_text(wire, text);
}

uint32_t build_set(const struct build *b, const struct build_node *node, uint16_t type,
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

uint64_t zone_dynamic_digest(const char *const *names, size_t n)
{
	uint64_t digest = n;

	for (size_t i = 0; i < n; i++)
		digest = digest * 0x9e3779b97f4a7c15u + hash_text(names[i]);
	return digest;
}

/* Make the zones' apexes known; a zone's name must be there before any record is read. */
static void add_zones(struct build *b)
{
	if (b->in->n_zones > ZONE_MAX) {
		build_mistake(b, "", 0, "%zu zones, at most %u", b->in->n_zones, ZONE_MAX);
		return;
	}
	for (size_t z = 0; z < b->in->n_zones; z++) {
		const struct zone_source *zone = &b->in->zones[z];
		struct name apex;

		if (name_parse(zone->name, &apex) < 0) {
			build_mistake(b, zone->file, 0, "%.200s is not a domain name", zone->name);
			continue;
		}
		uint32_t name = build_intern(b, apex.lower);

		if (name == BUILD_NONE)
			return;
		if (build_name_at(b, name)->apex_of)
			build_mistake(b, zone->file, 0, "zone %.200s is configured twice",
			              zone->name);
		build_name_at(b, name)->apex_of = (uint16_t)(z + 1);
	}
}

int zone_compile(const struct zone_input *in, zone_report *report, void *arg, struct image **out)
{
	struct build b;
	int err = build_init(&b, in, report, arg);

	if (err == 0)
		add_zones(&b);
	if (err == 0 && b.n_mistakes == 0) {
		for (size_t z = 0; z < in->n_zones; z++)
			zone_parse(&b, (uint16_t)z);
		zone_check(&b);
	}
	if (err == 0 && b.no_memory)
		err = -ENOMEM;
	if (err == 0 && b.n_mistakes)
		err = -EINVAL;
	if (err == 0)
		err = zone_layout(&b, out);
	build_fini(&b);
	return err;
}
