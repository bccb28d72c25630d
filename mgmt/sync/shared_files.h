/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The files of versions of shared intent: given to other nodes before a version is decided, and fetched from them where
 * they are not here.
 *
 * Implemented in mgmt/sync/shared_files.c. Not under the lock, unless a function says so.
 */
#ifndef WEIR_MGMT_SYNC_SHARED_FILES_H
#define WEIR_MGMT_SYNC_SHARED_FILES_H

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/peers/peer_query.h"

/**
 * Let @p q ask the other nodes, until it has @p max: first those that are preferred, @p maker or, where that is NULL, all of
 * other sites, as a site may be lost as a whole. Under the lock.
 */
void shared_files_add_nodes(struct peer_query *q, const char *maker, size_t max);
/**
 * Ask the nodes for the files of @p v, who made it first, until one has them.
 * @return 0, and they are here; -ENOENT: nobody that answers has them; or -errno
 */
MUST_CHECK int shared_files_fetch(struct core *core, struct peer_client *client,
                                  const struct version *v);
/** Fetch the files of version @p number, if shared intent knows it and they are not here. What fails is as before. */
void shared_files_require(struct core *core, uint64_t number);
/**
 * Give the files of @p v, which are staged here, to up to four other nodes, those of other sites first, before the version
 * is decided: so it outlives this node and this site. It takes 3 s at most. Under the lock, which is given up meanwhile.
 * @return the names of those that have them, given
 */
json_t *shared_files_spread(struct core *core, const struct version *v);
/**
 * Node @p node gives files of a version that is not decided yet: stage them. Large ones are fetched from it.
 * @return 0; -EINVAL: they are not its files; -errno
 */
MUST_CHECK int shared_files_stage(struct core *core, const char *node, const struct version *v,
                                  const json_t *files);

#endif
