/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of a configuration as the API takes them: their bytes in the request, or, where they are many or large,
 * their digests, with the bytes uploaded before, in parts. What the node has already is not sent.
 * Implemented in upload.c; one thread.
 */
#ifndef WEIR_MGMT_CLI_UPLOAD_H
#define WEIR_MGMT_CLI_UPLOAD_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/cli/cli.h"
#include "mgmt/files/files.h"

/* @return the object "files" of a request, given; NULL after telling why, with *status */
MUST_CHECK json_t *upload_files(const struct cli *cli, const struct files *files, int *status);

#endif
