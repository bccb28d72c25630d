/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Reading the model of an earlier version: its files are got under the core's lock and are read without it, laid out in a
 * directory that goes again. Keys do not matter here: a version that was made with another one is read as well.
 *
 * Implemented in mgmt/api/earlier.c; called by the threads of handlers, never under the core's lock.
 */
#ifndef WEIR_MGMT_API_EARLIER_H
#define WEIR_MGMT_API_EARLIER_H

#include <limits.h>

#include "base/checked.h"
#include "mgmt/core/core.h"

/**
 * The directory that requests share, one at a time: STATE/config/diff. @param wait_s  for it
 * @return 0; -EBUSY: others had it all the time; or -errno. Only after 0 it is to be ended
 */
MUST_CHECK int earlier_begin(struct core *core, unsigned wait_s, char dir[PATH_MAX]);
void earlier_end(struct core *core, const char *dir);

/** A version's record and its files (given). @return as intent_version() */
MUST_CHECK int earlier_files(struct core *core, uint64_t number, struct version *v,
                             struct files *files);
/** Lay @p files out below @p dir and read their model. @return as gather_keyed() */
MUST_CHECK int earlier_model(const struct core *core, const char *dir, const struct files *files,
                             struct model **out, struct model_errors *errors);

#endif
