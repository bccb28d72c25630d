/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names are interned on a workbench of their own: the highest apex at or above a name tells its
 * part. All lists of the parts lie in one piece of memory, part after part.
 */
#include "dns/zone/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dns/zone/build.h"
#include "dns/zone/name.h"

/* By zone and by dynamic name: the highest zone at or above it. */
struct tops {
	uint32_t *of_zone, *of_name;
};

static void ignore_message(void *arg, const struct zones_message *m)
{
	(void)arg;
	(void)m;
}

/* The highest zone at or above a name. @return its number; 0 if there is none */
static uint32_t find_top(const struct build *b, uint32_t name)
{
	uint32_t top = 0;

	for (;; name = build_name_at(b, name)->parent) {
		if (build_name_at(b, name)->apex_of)
			top = build_name_at(b, name)->apex_of - 1u;
		if (name == BUILD_ROOT)
			return top;
	}
}

static uint32_t intern_text(struct build *b, const char *text)
{
	struct name name;

	return name_parse(text, &name) == 0 ? build_intern(b, name.lower) : BUILD_ROOT;
}

static int find_tops(const struct zone_input *in, struct build *b, const struct tops *t)
{
	build_add_apexes(b);
	if (b->no_memory)
		return -ENOMEM;
	if (b->n_errors)
		return -EINVAL;
	for (size_t z = 0; z < in->n_zones && !b->no_memory; z++)
		t->of_zone[z] = find_top(b, intern_text(b, in->zones[z].name));
	for (size_t d = 0; d < in->n_dynamic; d++) {
		uint32_t name = intern_text(b, in->dynamic[d]);

		if (name == BUILD_NONE)
			return -ENOMEM;
		t->of_name[d] = find_top(b, name);
	}
	return 0;
}

/* Count the parts and the zones of each; @p part_of_top has 1 + its number. */
static void begin_parts(const struct zone_input *in, const uint32_t *top_of_zone,
                        uint32_t *part_of_top, struct parts *out)
{
	for (size_t z = 0; z < in->n_zones; z++) {
		uint32_t top = top_of_zone[z];

		if (!part_of_top[top])
			part_of_top[top] = ++out->n;
		out->items[part_of_top[top] - 1].in.n_zones++;
	}
}

/* The lists of all parts, one behind the other. */
struct lists {
	struct zone_source *zones;
	const char **dynamic;
	uint32_t *zone_numbers, *numbers;
};

static void give_lists(const struct zone_input *in, const struct lists *l, struct parts *out)
{
	size_t zone = 0, name = 0;

	for (uint32_t k = 0; k < out->n; k++) {
		struct parts_item *p = &out->items[k];
		size_t n_zones = p->in.n_zones, n_dynamic = p->in.n_dynamic;

		p->in = *in;
		p->in.zones = l->zones + zone;
		p->in.dynamic = l->dynamic + name;
		p->in.numbers = l->numbers + name;
		p->zones = l->zone_numbers + zone;
		p->in.n_zones = p->in.n_dynamic = 0; /* counted again while they are filled */
		zone += n_zones;
		name += n_dynamic;
	}
}

static void fill_lists(const struct zone_input *in, const struct tops *t,
                       const uint32_t *part_of_top, struct lists *l, struct parts *out)
{
	for (size_t d = 0; d < in->n_dynamic; d++)
		out->items[part_of_top[t->of_name[d]] - 1].in.n_dynamic++;
	give_lists(in, l, out);
	for (size_t z = 0; z < in->n_zones; z++) {
		struct parts_item *p = &out->items[part_of_top[t->of_zone[z]] - 1];
		size_t at = (size_t)(p->in.zones - l->zones) + p->in.n_zones++;

		l->zones[at] = in->zones[z];
		l->zone_numbers[at] = (uint32_t)z;
	}
	for (size_t d = 0; d < in->n_dynamic; d++) {
		struct parts_item *p = &out->items[part_of_top[t->of_name[d]] - 1];
		size_t at = (size_t)(p->in.dynamic - l->dynamic) + p->in.n_dynamic++;

		l->dynamic[at] = in->dynamic[d];
		l->numbers[at] = zone_input_number(in, (uint32_t)d);
	}
}

static int divide_zones(const struct zone_input *in, struct build *b, struct parts *out)
{
	size_t n = in->n_zones, names = in->n_dynamic;
	uint32_t *scratch = calloc(2 * n + names + 1, sizeof(*scratch));
	struct tops t = { scratch, scratch + 2 * n };
	int err = scratch ? find_tops(in, b, &t) : -ENOMEM;

	if (err == 0) {
		struct lists l = { .zones = out->memory };

		l.dynamic = (const char **)(l.zones + n);
		l.zone_numbers = (uint32_t *)(l.dynamic + names);
		l.numbers = l.zone_numbers + n;
		begin_parts(in, t.of_zone, scratch + n, out);
		fill_lists(in, &t, scratch + n, &l, out);
	}
	free(scratch);
	return err;
}

int parts_divide(const struct zone_input *in, struct parts *out)
{
	size_t n = in->n_zones, names = in->n_dynamic;
	struct build_zone *zones = calloc(n, sizeof(*zones));
	struct parts result = {
		.items = calloc(n, sizeof(*result.items)),
		.memory = malloc(n * (sizeof(struct zone_source) + sizeof(uint32_t)) +
		                 names * (sizeof(char *) + sizeof(uint32_t))),
	};
	struct build b = { 0 };
	int err = zones && result.items && result.memory
	                  ? build_init(&b, in, zones, ignore_message, NULL)
	                  : -ENOMEM;

	if (err == 0)
		err = divide_zones(in, &b, &result);
	build_fini(&b);
	free(zones);
	if (err < 0) {
		parts_free(&result);
		return err;
	}
	*out = result;
	return 0;
}

void parts_free(struct parts *parts)
{
	free(parts->items);
	free(parts->memory);
}
