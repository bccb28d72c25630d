/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What weir-health knows of its targets beyond the page: how the last probe ended, and why it had
 * no vote. Implemented in health_detail.c; one thread.
 */
#ifndef WEIR_MGMT_CLI_HEALTH_DETAIL_H
#define WEIR_MGMT_CLI_HEALTH_DETAIL_H

#include <jansson.h>

#include "mgmt/cli/cli.h"

/*
 * Ask weir-health on this host and set "why" (a sentence) and "probe" (its row) in each of @p items, which
 * name pool and backend, or service, site and family. Nothing is set when it does not answer.
 */
void health_detail_join(const struct cli *cli, json_t *items);
/* Print the `items` of what /v1/health answers. */
void health_print(const json_t *body);
/* Print `targets`, or of many those that are not up. */
void health_print_briefly(const json_t *body);

#endif
