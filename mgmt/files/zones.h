/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The zones of a candidate: their errors, warnings about them, and a version in which the bad zones
 * keep the files that are in force.
 *
 * Implemented in mgmt/files/zones.c. Any thread may call; a struct zones_findings belongs to one.
 */
#ifndef WEIR_MGMT_FILES_ZONES_H
#define WEIR_MGMT_FILES_ZONES_H

#include "base/checked.h"
#include "mgmt/files/files.h"
#include "weir/model.h"

#define ZONES_FINDINGS_MAX 40u /**< sentences; more are counted */

struct arena;

/** What was found; zeroed is nothing. */
struct zones_findings {
	struct arena *arena;
	const char *warnings[ZONES_FINDINGS_MAX + 1];
	size_t n_warnings, n_more; /**< kept, and beside those */
	bool *bad;                 /**< by number of the zone; NULL: none */
	size_t n_bad;
	/** names of zones that keep their files, as sentences stand in warnings */
	const char **skipped;
	size_t n_skipped;
};

/**
 * Check the zones of @p m as weir-dns would compile them.
 * @param head  in force, to compare serials with; NULL: none
 * @return 0, -EINVAL with errors added and zones marked bad, or -errno
 */
MUST_CHECK int zones_judge(const struct model *m, const struct model *head,
                           struct model_errors *errors, struct zones_findings *said);

/**
 * Put the files of the head in the place of those of the bad zones in @p files.
 *
 * @param m           of @p files
 * @param errors      those that were found; a zone that cannot be skipped adds one
 * @return 0 when all bad zones have other files now, -EINVAL when not, or -ENOMEM
 */
MUST_CHECK int zones_skip(struct files *files, const struct model *m,
                          const struct files *head_files, const struct model *head,
                          struct model_errors *errors, struct zones_findings *said);

void zones_findings_fini(struct zones_findings *said);

#endif
