/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Announced addresses, for people: their part of `weir status`, and `weir why vip NAME`. One
 * thread.
 */
#ifndef WEIR_MGMT_CLI_VIPS_H
#define WEIR_MGMT_CLI_VIPS_H

#include "mgmt/cli/api.h"

/* Print the line of the routing daemon; nothing on a node that announces nothing. */
void vips_print_summary(const json_t *status);
/*
 * Say what this node announces of the VIP @p name, why, and what it needs next.
 * @return the exit status
 */
MUST_CHECK int vips_explain(const struct cli *cli, const char *name);

#endif
