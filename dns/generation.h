/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A generation: one effective document with the image of its zones and the places of its
 * dynamic names, made whole or not at all, off the query path. Only the state in it
 * changes later, by its one owner.
 *
 * The image is kept in a file of the run directory too: other processes map it, and a
 * process that restarts with nothing changed serves from it at once. A zone whose file cannot
 * be used is taken from the image before: the one in use, else the kept one; else it answers SERVFAIL.
 */
#ifndef WEIR_DNS_GENERATION_H
#define WEIR_DNS_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/proc.h"
#include "dns/place.h"
#include "dns/views.h"
#include "dns/zone.h"

#define GENERATION_IMAGE_FILE "dns.image" /* run */

struct arena;
struct decided;
struct image;
struct ramps;

struct generation {
	struct model *model;
	struct arena *arena; /**< owns place */
	struct place *place;
	struct place_state *state;
	const struct image *image;
	size_t mapped_bytes; /**< of the image; 0: from malloc() */
	bool made;           /**< the image was compiled, not taken as it was kept */
	bool stale;          /**< the whole image is an earlier one */
	size_t n_earlier, n_broken, n_signed; /**< zones with such an image_zone.state */
	struct views *views;                  /**< in the arena; its pages are ours */
};

struct generation_how {
	bool trust_cache; /**< take the image file as it is if it fits document and zone files */
	const struct model *
	        before; /**< in force: where its key comes from if the file has another; NULL: none */
	unsigned key_wait_ms; /**< wait so long for the key's file if there is no key at all */
	const struct image *
	        earlier; /**< in use: where zones come from whose files are bad; NULL: the kept one */
	bool keep;       /**< write a new image to the image file */
	zones_report *report;
	void *report_arg;
};

/**
 * Read the effective document and compile its zones.
 * @param out given; untouched on failure
 * @return 0; -ENOENT when there is no document yet; -EINVAL after reports; or -errno
 */
int generation_load(const struct proc_dirs *dirs, const struct generation_how *how,
                    struct generation **out);
void generation_free(struct generation *g);
/** Whether a zone is not served as its file has it now. */
static inline bool generation_lacks(const struct generation *g)
{
	return g->stale || g->n_earlier || g->n_broken;
}

/** What time it is for drains. */
struct generation_time {
	int64_t wall_ms;
	bool clock_held; /**< ramps stand still */
};

/**
 * Bring the state up to date: what all nodes see, and overrides.
 * @param ramps    where drains are, stepped; NULL: by their schedules
 * @param decided  what was in force, brought up to date; NULL: nothing is known of that
 */
void generation_observe(struct generation *g, const struct views_seen *seen, struct ramps *ramps,
                        struct decided *decided, const struct generation_time *time);

#endif
