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

/* A difference in a line, by mgmt/json/row.h. */
#define CHANGE " [{?kind=added}+|{?kind=removed}-|~] {path}[  {from} -> [{to}|-]|  - -> {to}]\n"
/* The order is that of importance: what changes, which flows move, what to know, what is risky. */
#define WARNINGS "{*warnings}[   warning: {}\n]{/}"
#define CHANGES                                                                                    \
	"{*changes}" CHANGE "{/}"                                                                  \
	"{*pools}   pool {pool}: {backends_before:n|0} -> {backends_after:n|0} backends, "         \
	"{moved_ppm:ppm|0} of its slots move\n[{?full_slots}        {full_slots:n} slots wait: "   \
	"each already has three earlier owners whose time is not over\n]{/}"                       \
	"{*20 names of n_names}   name {name}: {moved_ppm:ppm|0} of its answers change (by site: " \
	"{*8 sites|, }{site} {before_ppm:ppm|0} -> {after_ppm:ppm|0}{/})\n{/}"                     \
	"{*20 withdrawn of n_withdrawn}   node {node} no longer announces {address}\n{/}" WARNINGS \
	"{*risks}[ ! {}\n]{/}"

/*
 * The options that say why and how: reason, author (by sudo(8), too), deadline, what becomes of an unconfirmed version. Takes
 * @p body. @return it, or NULL after a message
 */
MUST_CHECK json_t *change_add_options(json_t *body, const struct cli_args *args);
#define CHANGE_QUERY_MAX 256
/*
 * What the query of a change says of how it is made: "?wait=local&dry_run=true". @return false: after a message
 */
MUST_CHECK bool change_write_query(const struct cli_args *args, char out[CHANGE_QUERY_MAX]);
/* Read the number of a version. @return 0: not a number */
unsigned long long change_number(const char *text);
/* Print the answer to a change: the plan, the version, the nodes, how to confirm or undo it. */
void change_print(const json_t *body);

#endif
