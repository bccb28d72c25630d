/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all changes of the configuration share, of whole texts and of single objects. Implemented in cmd_change.c; one thread:
 * the command's.
 */
#ifndef WEIR_MGMT_CLI_CMD_CHANGE_H
#define WEIR_MGMT_CLI_CMD_CHANGE_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/cli/cli.h"

/*
 * The options that say why and how: reason, author (by sudo(8), too), deadline, what becomes of an unconfirmed version. Takes
 * @p body. @return it, or NULL after a message
 */
MUST_CHECK json_t *change_add_options(json_t *body, const struct cli_args *args);
/* Print the answer to a change: the plan, the version, the nodes, how to confirm or undo it. */
void change_print(const json_t *body);

#endif
