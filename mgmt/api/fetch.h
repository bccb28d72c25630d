/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Fetching what a version's files are from a peer, by digest: what is here already is not fetched, and what was
 * interrupted goes on where it ended.
 *
 * Implemented in mgmt/api/fetch.c; called by the peers' thread only.
 */
#ifndef WEIR_MGMT_API_FETCH_H
#define WEIR_MGMT_API_FETCH_H

#include "base/checked.h"
#include "mgmt/api/client.h"
#include "mgmt/api/core.h"

/**
 * Fetch the files that @p files (of an answer about a version) names by digest and that are not here. Not under the lock.
 * @param api       the peer's address
 * @param within_ms then it is given up until the next time
 * @return 0; -EAGAIN: some are still missing; -errno
 */
int fetch_files(struct core *core, struct peer_client *client, const char *api, const json_t *files,
                unsigned within_ms) MUST_CHECK;

#endif
