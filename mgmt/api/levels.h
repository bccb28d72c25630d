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

#include "base/checked.h"
#include "weir/ramp.h"

/**
 * Ask weir-dns of this node.
 * @param run_dir  where its control socket is
 * @param out      untouched on failure: then nothing is known
 * @return 0; -ENOENT or -ECONNREFUSED (it does not run), -ETIMEDOUT, -EPROTO, or -errno
 */
MUST_CHECK int levels_request(const char *run_dir, int timeout_ms, struct ramp_levels *out);
/** Whether weir-dns runs, by what levels_request() returned: one that is slow or malformed does. */
bool levels_has_dns(int err);

#endif
