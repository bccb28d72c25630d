/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The levels of steps that are in force in this node's answers: weir-dns is asked for them over its
 * control socket, so an answer also shows that it runs. No disk is involved.
 *
 * Implemented in mgmt/observe/levels.c; any thread, without the core's lock, because it waits.
 */
#ifndef WEIR_MGMT_OBSERVE_LEVELS_H
#define WEIR_MGMT_OBSERVE_LEVELS_H

#include <stdbool.h>

#include "base/checked.h"
#include "weir/ramp.h"

/**
 * Ask weir-dns of this node.
 * @param run_dir  where its control socket is
 * @param out      untouched where nothing is known
 * @return whether it runs: one that is slow or malformed does
 */
MUST_CHECK bool levels_request(const char *run_dir, struct ramp_levels *out);

#endif
