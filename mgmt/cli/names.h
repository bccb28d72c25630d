/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of what a configuration has, from this node's effective document, which is there with
 * weir-mgmt stopped, too. Implemented in names.c; one thread: the command's.
 */
#ifndef WEIR_MGMT_CLI_NAMES_H
#define WEIR_MGMT_CLI_NAMES_H

#include "base/checked.h"
#include "mgmt/cli/cli.h"
#include "weir/model.h"

#define NAMES_BACKEND_MAX (2 * MODEL_NAME_MAX) /* bytes: POOL/NAME */

/*
 * "POOL/NAME" of the backend @p given: itself if it has a pool, else of the only backend that is called
 * so. @return CLI_OK; CLI_USAGE after a message: there is none, or there are several, which it lists
 */
MUST_CHECK int names_backend(const struct cli *cli, const char *given, char out[NAMES_BACKEND_MAX]);

#endif
