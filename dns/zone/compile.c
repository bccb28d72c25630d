/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pipeline from zone files to an image: read (parse.c, or lift.c for a zone of an earlier
 * image), check (check.c, lint.c), lay out (layout.c). All stages work on one workbench (build.h)
 * and never call one another.
 *
 * The pipeline makes passes: a zone with errors is set aside, first to be copied from the earlier
 * image, then to be served as broken, and the pass is repeated. Zones influence each other
 * (delegations, deeper zones), so a pass starts from nothing; errors are rare enough for that.
 *
 * With `isolate` all this happens for one part after the other. A part that the earlier
 * image has from the same files (sources.h) is taken from there, and the parts are joined (join.c).
 */
#include "dns/zone/zone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dns/zone/build.h"
#include "dns/zone/image.h"
#include "dns/zone/join.h"
#include "dns/zone/name.h"
#include "dns/zone/sources.h"

/*
 * Parts: zones that must be compiled together, a zone with all zones below it, since they share
 * names. Parts share nothing, so one is compiled without a look at the others. The names are interned
 * on a workbench of their own: the highest apex at or above a name tells its part. All lists of the
 * parts lie in one piece of memory, part after part.
 */

struct parts_item {
	struct zone_input in;  /* its zones and dynamic names alone */
	const uint32_t *zones; /* their numbers among all */
};

struct parts {
	uint32_t n;
	struct parts_item *items; /* by their first zone */
	void *memory;             /* what the items point at */
};

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

	if (!scratch)
		return -ENOMEM;

	struct tops t = { scratch, scratch + 2 * n };
	int err = find_tops(in, b, &t);

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

static void free_parts(struct parts *parts)
{
	free(parts->items);
	free(parts->memory);
}

/*
 * Divide the zones of @p in, at least one. A dynamic name in no zone goes to the first part, which
 * will report it.
 * @return 0, -ENOMEM, or -EINVAL: the zones' names contradict each other
 */
static int divide_parts(const struct zone_input *in, struct parts *out)
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
		free_parts(&result);
		return err;
	}
	*out = result;
	return 0;
}

/* Where the records of a zone come from, by its state; a broken one has none. */
static void read_zone(struct build *b, uint16_t number)
{
	struct build_zone *z = &b->zones[number];

	if ((z->state & IMAGE_ZONE_EARLIER) && !zone_lift(b, number))
		z->state = IMAGE_ZONE_BROKEN;
	else if (!(z->state & (IMAGE_ZONE_EARLIER | IMAGE_ZONE_BROKEN)))
		zone_parse(b, number);
	if (build_grow(&b->included, 1) == BUILD_NONE) /* the end of its list */
		b->no_memory = true;
}

/*
 * One pass with the zones' present states. @return 0, -EAGAIN if some zone had errors, -EINVAL or
 * -ENOMEM
 */
static int compile_once(struct build *b, struct image **out)
{
	build_add_apexes(b);
	if (!b->no_memory && b->n_errors == 0) {
		for (size_t z = 0; z < b->in->n_zones && !b->no_memory; z++)
			read_zone(b, (uint16_t)z);
		if (!b->no_memory) /* else missing records would be reported as errors */
			zone_check(b);
	}
	if (b->no_memory)
		return -ENOMEM;
	if (b->n_global || (b->n_errors && !b->in->isolate))
		return -EINVAL;
	if (b->n_errors)
		return -EAGAIN;
	zone_lint(b);
	return zone_layout(b, out);
}

/*
 * A zone with errors does without its file in the next pass, and without an earlier image in the
 * one after.
 */
static void set_zones_aside(struct build_zone *zones, size_t n)
{
	for (size_t z = 0; z < n; z++) {
		if (zones[z].n_errors)
			zones[z].state = zones[z].state & IMAGE_ZONE_EARLIER ? IMAGE_ZONE_BROKEN
			                                                     : IMAGE_ZONE_EARLIER;
		zones[z].n_errors = 0;
	}
}

/* Compile zones that may share names, without a look at any other. */
static int compile_together(const struct zone_input *in, zones_report *report, void *arg,
                            struct image **out)
{
	struct build_zone *zones = calloc(in->n_zones + 1, sizeof(*zones));
	int err = zones ? -EAGAIN : -ENOMEM;

	/* each pass sets at least one more zone aside, so this ends */
	for (bool again = false; err == -EAGAIN; again = true) {
		struct build b;

		err = build_init(&b, in, zones, report, arg);
		b.quiet = again;
		if (err == 0)
			err = compile_once(&b, out);
		build_fini(&b);
		if (err == -EAGAIN)
			set_zones_aside(zones, in->n_zones);
	}
	free(zones);
	return err;
}

/* The earlier image's part of the same names and files. @return whether there is one */
static bool find_same_part(const struct zone_input *in, struct join_part *out)
{
	const struct image *from = in->earlier;
	const struct image_zone *zone =
	        in->reuse && from ? image_find_zone(from, in->zones[0].name) : NULL;
	const struct image_part *part =
	        zone && zone->part < from->n_parts ? image_part(from, zone->part) : NULL;

	if (!part || !part->digest || part->digest != sources_again(in, from, part))
		return false;
	out->from = from;
	out->number = zone->part;
	return true;
}

/* The images of the parts; those that are not the earlier one are new. */
struct images {
	struct join_part *parts;
	uint32_t n;
	uint32_t n_records;
};

static int add_part(struct images *m, const struct parts_item *p, zones_report *report, void *arg)
{
	struct join_part *to = &m->parts[m->n];
	struct zone_input in = p->in;
	struct image *image;
	int err = 0;

	in.n_others = m->n_records;
	*to = (struct join_part){ .zones = p->zones, .n_zones = (uint32_t)in.n_zones };
	if (!find_same_part(&in, to)) {
		err = compile_together(&in, report, arg, &image);
		if (err < 0)
			return err;
		to->from = image;
		if (in.n_compiled)
			*in.n_compiled += in.n_zones;
	}
	m->n_records += image_part(to->from, to->number)->n_records;
	m->n++;
	return 0;
}

static void free_images(const struct images *m, const struct image *earlier)
{
	for (uint32_t k = 0; k < m->n; k++)
		if (m->parts[k].from != earlier)
			free((void *)(uintptr_t)m->parts[k].from);
	free(m->parts);
}

static int compile_parts(const struct zone_input *in, const struct parts *parts,
                         zones_report *report, void *arg, struct image **out)
{
	struct images m = { .parts = calloc(parts->n, sizeof(*m.parts)) };
	struct zone_lifted lifted = { 0 };
	int err = m.parts ? 0 : -ENOMEM;

	for (uint32_t k = 0; k < parts->n && err == 0; k++) {
		parts->items[k].in.lifted = &lifted;
		err = add_part(&m, &parts->items[k], report, arg);
	}
	zone_lifted_free(&lifted);
	if (err == 0) {
		err = zone_join(in, m.parts, m.n, out);
		if (err == -E2BIG)
			report(arg, &(struct zones_message){
			                    .zone = "",
			                    .file = "",
			                    .level = ZONES_ERROR,
			                    .text = "the zones are too large for one image" });
	}
	free_images(&m, in->earlier);
	return err;
}

int zone_compile(const struct zone_input *in, zones_report *report, void *arg, struct image **out)
{
	struct parts parts;
	int err;

	if (!in->isolate || in->check_only || in->n_zones == 0)
		return compile_together(in, report, arg, out);
	err = divide_parts(in, &parts);
	if (err == -EINVAL) /* its names are bad: this says so */
		return compile_together(in, report, arg, out);
	if (err < 0)
		return err;
	err = compile_parts(in, &parts, report, arg, out);
	free_parts(&parts);
	return err;
}
