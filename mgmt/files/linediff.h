/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Unified diffs of files (Myers, "An O(ND) difference algorithm", Algorithmica 1, 1986).
 *
 * Implemented in mgmt/files/linediff.c. Any thread may call.
 */
#ifndef WEIR_MGMT_FILES_LINEDIFF_H
#define WEIR_MGMT_FILES_LINEDIFF_H

#include "base/checked.h"
#include "mgmt/files/files.h"

/** With more inserted and removed lines than this, the middle is shown as one replacement. */
#define LINEDIFF_EDITS_MAX 1000

/** The diff of two sets of files, as text from malloc(), given; "" when they are equal. @return NULL when out of memory */
MUST_CHECK char *linediff_files(const struct files *from, const struct files *to);

#endif
