/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A program of the host, run to its end.
 *
 * Implemented in mgmt/setup/host_command.c. One thread.
 */
#ifndef WEIR_MGMT_SETUP_HOST_COMMAND_H
#define WEIR_MGMT_SETUP_HOST_COMMAND_H

#include <stddef.h>

#include "base/checked.h"

#define HOST_COMMAND_SAID_MAX 256u /**< bytes of what it said, with the NUL */

/**
 * Run @p argv, which NULL ends, found by PATH, with nothing on its standard input.
 * @param said  the beginning of both its outputs, in one line, plain; NULL: not wanted
 * @return its exit status; -EIO: a signal has ended it; or -errno: it could not be started
 */
MUST_CHECK int host_command_run(const char *const *argv, char said[HOST_COMMAND_SAID_MAX]);

#endif
