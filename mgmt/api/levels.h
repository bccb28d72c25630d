/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The levels of steps that are in force in this node's answers: weir-dns is asked for them over its
 * control socket, so an answer also shows that it runs. No disk is involved.
 *
 * Implemented in mgmt/api/levels.c; any thread, without the core's lock, because it waits.
 */
#ifndef WEIR_MGMT_API_LEVELS_H
#define WEIR_MGMT_API_LEVELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/model.h"

#define LEVELS_MAX 64u /**< drains of sites in one answer; there are fewer sites */

/** A drain of a site, or of a service there, as weir-dns follows it. */
struct level {
	char id[MODEL_ID_MAX];  /**< the override's */
	uint64_t generation;    /**< of the override that weir-dns follows */
	uint32_t epoch, step;   /**< likewise */
	uint32_t level_ppm;     /**< in force in each of its answers */
	uint32_t longest_ttl_s; /**< for how long answers with an earlier level may still be used */
	bool arrived;           /**< the level of this generation is reached, and no longer moves */
};

struct levels {
	size_t n;
	struct level items[LEVELS_MAX];
};

/**
 * Ask weir-dns of this node.
 * @param run_dir  where its control socket is
 * @param out      untouched on failure: then nothing is known
 * @return 0; -ENOENT or -ECONNREFUSED (it does not run), -ETIMEDOUT, -EPROTO, or -errno
 */
MUST_CHECK int levels_request(const char *run_dir, int timeout_ms, struct levels *out);
/** Whether weir-dns runs, by what levels_request() returned: one that is slow or malformed does. */
bool levels_has_dns(int err);
/** The level of an override. @return NULL if weir-dns does not have it */
const struct level *levels_find(const struct levels *levels, const char *id);

#endif
