/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Fetching a version's files from a peer, those by digest part by part: what is here already is not fetched, and what was
 * interrupted goes on where it ended.
 *
 * Implemented in mgmt/api/fetch.c; any thread, each with a client of its own.
 */
#ifndef WEIR_MGMT_API_FETCH_H
#define WEIR_MGMT_API_FETCH_H

#include "base/checked.h"
#include "mgmt/api/core.h"
#include "mgmt/http/client.h"

/**
 * Fetch the files that @p files (of an answer about a version) names by digest and that are not here. Not under the lock.
 * @param api       the peer's address
 * @param within_ms then it is given up until the next time
 * @return 0; -EAGAIN: some are still missing; -errno
 */
int fetch_files(struct core *core, struct peer_client *client, const char *api, const json_t *files,
                unsigned within_ms) MUST_CHECK;
/**
 * Fetch the files of a peer's version @p number. Not under the lock.
 * @param api        the peer's address
 * @param within_ms  then it is given up until the next time
 * @param out  on success, given
 * @return 0; -ENOENT: it gave no answer, or has no such version (logged); else as
 *   fetch_files()
 */
int fetch_version(struct core *core, struct peer_client *client, const char *api, uint64_t number,
                  unsigned within_ms, struct files *out) MUST_CHECK;

#endif
