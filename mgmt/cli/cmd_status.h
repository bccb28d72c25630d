/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What status prints (status_text.c), and what status and health say without the API (pages.c). One
 * thread.
 */
#ifndef WEIR_MGMT_CLI_CMD_STATUS_H
#define WEIR_MGMT_CLI_CMD_STATUS_H

#include "mgmt/cli/api.h"

/* Print what GET /v1/status answers. */
void status_print(const json_t *body);
/* @return CLI_DEGRADED, CLI_DOWN when no backend of this site is seen up, CLI_UNREACHABLE when there is nothing to read */
int pages_status(const struct cli *cli);
/* @return CLI_OK or CLI_UNREACHABLE */
int pages_health(const struct cli *cli);

#endif
