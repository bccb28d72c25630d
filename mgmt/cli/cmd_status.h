/* SPDX-License-Identifier: BSD-2-Clause */
/* What status and health say with the API down, from the effective document and the pages (pages.c). */
#ifndef WEIR_MGMT_CLI_CMD_STATUS_H
#define WEIR_MGMT_CLI_CMD_STATUS_H

#include "mgmt/cli/api.h"

/* @return CLI_DEGRADED, CLI_DOWN when no backend of this site is seen up, CLI_UNREACHABLE when there is nothing to read */
int pages_status(const struct cli *cli);
/* @return CLI_OK or CLI_UNREACHABLE */
int pages_health(const struct cli *cli);

#endif
