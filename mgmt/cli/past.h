/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line that goes past the guards that refuse a command: the command as it was given, and
 * their names. Implemented in past.c; one thread: the command's.
 */
#ifndef WEIR_MGMT_CLI_PAST_H
#define WEIR_MGMT_CLI_PAST_H

#include <jansson.h>

#include "mgmt/cli/cli.h"

/*
 * Add " --override room,fresh" to the line @p out: @p option, and the texts of @p list behind it;
 * nothing for an empty list. @return false: no room
 */
bool past_add(const char *option, const json_t *list, char *out, size_t size);
/*
 * The override command @p args past what refuses it: with those of @p guards (an answer's list) that
 * are not ok, and with those that it named itself. A guard that the command waits for is not named: to
 * override it would break connections that need not break. @return false: no room
 */
bool past_guards(const struct cli_args *args, const json_t *guards, char *out, size_t size);

#endif
