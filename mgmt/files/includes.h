/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The files of a zone: its own file and those that it includes ($INCLUDE), by their names in a
 * version. Names of includes are relative to the directory of the zone's file, also in included
 * files (dns/zone/text.h).
 *
 * Implemented in mgmt/files/includes.c. Any thread may call.
 */
#ifndef WEIR_MGMT_FILES_INCLUDES_H
#define WEIR_MGMT_FILES_INCLUDES_H

#include "base/checked.h"
#include "mgmt/files/files.h"

#define INCLUDES_DEPTH_MAX 8u   /**< levels, as weir-dns reads them (dns/zone/zone.h) */
#define INCLUDES_MAX       256u /**< files of a zone, as weir-dns reads them */

/** Called for each $INCLUDE that is found; @p name as it is in a version. @return 0, or what ends the walk */
typedef int includes_found(void *arg, const char *name);

/** Call @p found for each file of @p files that zone file @p zone includes, at any depth; one may be named twice. */
MUST_CHECK int includes_of(const struct files *files, const char *zone, includes_found *found,
                           void *arg);
/**
 * The digest of a zone's contents: that of its file, if it includes none; else of its file and of those that it includes, at
 * any depth, in their order.
 * @return 0, -ENOENT (no such file) or -errno
 */
MUST_CHECK int includes_digest(const struct files *files, const char *zone,
                               char out[DIGEST_TEXT_MAX]);
/** Add @p zone from @p dir, and what it includes and can be read. @return 0, or -errno of the zone's own file */
MUST_CHECK int includes_gather(struct files *files, const char *dir, const char *zone);

#endif
