/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pipeline from zone files to an image: read (parse.c, or lift.c for a zone of an earlier
 * image), check (check.c, lint.c), lay out (layout.c). All stages work on one workbench (build.h)
 * and never call one another.
 *
 * The pipeline makes passes: a zone with errors is set aside, first to be copied from the earlier
 * image, then to be served as broken, and the pass is repeated. Zones influence each other
 * (delegations, deeper zones), so a pass starts from nothing; errors are rare enough for that.
 */
#include "dns/zone/zone.h"

#include <errno.h>
#include <stdlib.h>

#include "dns/zone/build.h"
#include "dns/zone/image.h"

/*
 * Note the zones' apexes. All must be known before any record is read: they decide which zone has
 * a name.
 */
static void add_apexes(struct build *b)
{
	if (b->in->n_zones > ZONE_MAX) {
		build_say(b, ZONES_ERROR,
		          &(struct build_location){ .zone = BUILD_NONE, .file = "" },
		          "%zu zones, at most %u", b->in->n_zones, ZONE_MAX);
		return;
	}
	for (size_t z = 0; z < b->in->n_zones; z++) {
		const struct zone_source *zone = &b->in->zones[z];
		const struct build_location at = { BUILD_NONE, zone->file, 0 };
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

/* Where the records of a zone come from, by its state; a broken one has none. */
static void read_zone(struct build *b, uint16_t number)
{
	struct build_zone *z = &b->zones[number];

	if ((z->state & IMAGE_ZONE_EARLIER) && !zone_lift(b, number))
		z->state = IMAGE_ZONE_BROKEN;
	else if (!(z->state & (IMAGE_ZONE_EARLIER | IMAGE_ZONE_BROKEN)))
		zone_parse(b, number);
}

/*
 * One pass with the zones' present states. @return 0, -EAGAIN if some zone had errors, -EINVAL or
 * -ENOMEM
 */
static int compile_once(struct build *b, struct image **out)
{
	add_apexes(b);
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

int zone_compile(const struct zone_input *in, zones_report *report, void *arg, struct image **out)
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
