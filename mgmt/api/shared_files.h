/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Fetching the files of a version that shared intent has in force from a node that has them.
 *
 * Implemented in mgmt/api/shared_files.c; called by one thread, not under the lock.
 */
#ifndef WEIR_MGMT_API_SHARED_FILES_H
#define WEIR_MGMT_API_SHARED_FILES_H

#include "base/checked.h"
#include "mgmt/api/client.h"
#include "mgmt/api/core.h"

/**
 * Ask the nodes for the files of @p v, who made it first, until one has them.
 * @return 0, and they are here; -ENOENT: nobody that answers has them; or -errno
 */
MUST_CHECK int shared_files_fetch(struct core *core, struct peer_client *client,
                                  const struct version *v);

#endif
