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
 * With `isolate` all this happens for one part (parts.h) after the other. A part that the earlier
 * image has from the same files (sources.h) is taken from there, and the parts are joined (join.c).
 */
#include "dns/zone/zone.h"

#include <errno.h>
#include <stdlib.h>

#include "dns/zone/build.h"
#include "dns/zone/image.h"
#include "dns/zone/join.h"
#include "dns/zone/parts.h"
#include "dns/zone/sources.h"

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
	int err = m.parts ? 0 : -ENOMEM;

	for (uint32_t k = 0; k < parts->n && err == 0; k++)
		err = add_part(&m, &parts->items[k], report, arg);
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
	err = parts_divide(in, &parts);
	if (err == -EINVAL) /* its names are bad: this says so */
		return compile_together(in, report, arg, out);
	if (err < 0)
		return err;
	err = compile_parts(in, &parts, report, arg, out);
	parts_free(&parts);
	return err;
}
