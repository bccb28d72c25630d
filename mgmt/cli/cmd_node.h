/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What only commands on nodes have: waiting before a drain, and for its end. Implemented in
 * cmd_node.c; one thread: the command's.
 */
#ifndef WEIR_MGMT_CLI_CMD_NODE_H
#define WEIR_MGMT_CLI_CMD_NODE_H

#include "mgmt/cli/api.h"

/*
 * Wait while the guard `unsettled` alone refuses the command of @p body (borrowed), with a line on
 * standard error now and then. @return CLI_OK: send it; or an exit status after a message
 */
MUST_CHECK int node_await_settled(const struct cli *cli, const json_t *body);
/*
 * Wait until the effect of the command that was sent is there: drained, or serving again. A line
 * about it on standard output at the end. @return the exit status
 */
MUST_CHECK int node_await_effect(const struct cli *cli, const char *node, bool drains);

/* As `weir wait node NAME STATE` (cmd_why.c). @return the exit status, after a message */
MUST_CHECK int node_wait_for_state(const struct cli *cli, const char *name, const char *state,
                                   int64_t timeout_ms);

#endif
