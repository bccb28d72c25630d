/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A generation: one effective document with the image of its zones and the steering of its dynamic
 * names. It is made whole or not at all, off the query path. Only its state changes later.
 *
 * A document with the same zone files and dynamic names as the one in force shares its image: no
 * zone file is opened.
 *
 * The image is also kept in a file of the run directory: a process that restarts with nothing
 * changed, not even the program, serves from it at once. A zone whose file cannot be used is taken
 * from an earlier image (the one in use, else the kept one); without one it answers SERVFAIL.
 *
 * Implemented in generation.c. generation_load(): any thread; generation_observe() and
 * generation_free(): the thread that owns the generation.
 */
#ifndef WEIR_DNS_GENERATION_H
#define WEIR_DNS_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "base/proc.h"
#include "dns/steering/steering.h"
#include "dns/steering/peer_health.h"
#include "dns/zone/zone.h"

#define GENERATION_IMAGE_FILE "dns.image" /* run */
#define GENERATION_ERRORS_MAX 32          /**< that a share reports again */

struct arena;
struct decided;
struct image;
struct model_errors;
struct ramps;

struct generation_share {
	unsigned n_users; /**< atomic */
	/**
	 * Of its zones; the first ones, but those that may pass before others. Who shares the image
	 * reports them again. From malloc().
	 */
	struct zones_message errors[GENERATION_ERRORS_MAX];
	unsigned n_errors;
};

struct generation {
	struct model *model;
	struct arena *arena; /**< owns steering, state and peer_health */
	struct steering *steering;
	struct steering_state *state;
	const struct image *image;
	size_t mapped_bytes;            /**< of the image, from mmap(); 0: it is from malloc() */
	struct generation_share *share; /**< of all generations that have this image */
	uint64_t source;                /**< digest of its files' inodes, sizes and times */
	bool compiled;                  /**< the image is new; false: it is the kept one */
	bool is_former; /**< the image is another program's: the next load compiles the zones */
	bool stale;     /**< compiling failed: the whole image is the kept, earlier one */
	int stale_error; /**< -errno of that, or of a file that was not read for what may pass; or 0 */
	size_t n_earlier, n_broken; /**< zones with such an image_zone.state */
	size_t n_compiled; /**< zones that were read and compiled for it; the others were copied */
	struct peer_health *peer_health; /**< in the arena; the generation owns its pages */
};

struct generation_how {
	bool trust_cache; /**< use the kept image if it fits document and zone files */
	/** The model in force: its key stays if the file has another one; NULL: none. */
	const struct model *before;
	/** The image in use: zones with a bad file are taken from it; NULL: from the kept one. */
	const struct image *earlier;
	/** In force: its image stays if it fits the document. NULL: none, or files shall be read. */
	const struct generation *now;
	/**
	 * Serve: write a new image to the image file, and take what another program left there only
	 * while nothing is served yet, or for zones with a bad file.
	 */
	bool keep;
	zones_report *report;
	void *report_arg;
};

/**
 * Read the effective document and compile its zones.
 * @param out given; untouched on failure
 * @return 0; -ENOENT when there is no document yet; -EINVAL after reports; or -errno
 */
int generation_load(const struct proc_dirs *dirs, const struct generation_how *how,
                    struct generation **out) MUST_CHECK NONNULL();
void generation_free(struct generation *g);
/** Whether some zone is not served as its file says now. */
static inline bool generation_lacks(const struct generation *g)
{
	return g->stale || g->n_earlier || g->n_broken;
}

/** The time, as drains follow it. */
struct generation_time {
	int64_t wall_clock_ms;
	bool clock_held; /**< ramps stand still */
};

/**
 * Compute the state from what all nodes see, and from overrides.
 * @param ramps    the progress of drains, which is advanced; NULL: drains follow their schedules
 * @param decided  the targets that were down, which is updated; NULL: not known
 */
void generation_observe(struct generation *g, const struct peer_health_input *seen,
                        struct ramps *ramps, struct decided *decided,
                        const struct generation_time *time) NONNULL(1, 2, 5);

/**
 * Read the effective document, with the key by which clients are steered to sites in model.hash_key: from
 * weir-mgmt's file (weir/placement.h), as all nodes must use the same one. If the right key is not
 * found, model.key_state says so, and the key is that of generation_how.before; without that it is
 * zero. In steering_key.c; called by generation_load().
 * @param errors  errors of the document, given also on success; free with model_errors_free()
 * @return 0; -EINVAL with errors of the document; or -errno
 */
int steering_key_read(const struct proc_dirs *dirs, const char *path,
                      const struct generation_how *how, struct model **out,
                      struct model_errors *errors) MUST_CHECK NONNULL();

#endif
