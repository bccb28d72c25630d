/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of subcommands: what there is, what it takes, what it says of itself. */
#include "mgmt/cli/cli.h"

#define NONE                                                                                       \
	{                                                                                          \
		NULL, NULL, NULL                                                                   \
	}

const struct cli_command cli_commands[] = {
	{ "run",
	  "",
	  0,
	  0,
	  "start all of Weir in the foreground and restart what dies",
	  cli_run,
	  { NONE } },
	{ "config check",
	  "[FILE]",
	  0,
	  1,
	  "tell all mistakes of a configuration (CONF/weir.conf)",
	  cli_config_check,
	  { NONE } },
	{ "config show",
	  "[FILE]",
	  0,
	  1,
	  "the configuration as understood, with every default",
	  cli_config_show,
	  { { "--effective", NULL, "the effective document of this node" }, NONE } },
	{ "config reference",
	  "",
	  0,
	  0,
	  "what a configuration may hold (docs/configuration.md)",
	  cli_config_reference,
	  { NONE } },
};
const size_t cli_commands_n = sizeof(cli_commands) / sizeof(cli_commands[0]);
