/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MSS that clients of a pool need, for `weir why`. Implemented in advmss.c; any thread.
 */
#ifndef WEIR_MGMT_CLI_ADVMSS_H
#define WEIR_MGMT_CLI_ADVMSS_H

#include <jansson.h>

/*
 * Print a line if packets were too big for a tunnel, or if that is not known: how many, and what to do.
 * @p pool  of a status, or NULL; @p backend  the one that is asked for, or NULL for the whole pool
 */
void advmss_print(const json_t *pool, const json_t *backend);

#endif
