/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of weir-sync. */
#include "mgmt/cli/cli.h"
#include "mgmt/cli/members/reach.h"

const char cli_program[] = "weir-sync";
const char cli_agent_words[] = "weir agent";
const char cli_about[] = "makes the members of a pool of Weir equal to a list";
const char *const cli_options_help = "  --run-dir DIR    of the node that runs here (/run/weir)\n"
                                     "  The environment gives a default: WEIR_RUN_DIR.\n";

/* clang-format off */
const struct cli_command cli_commands[] = {
	{ "", "POOL [FILE]", 1, 2, "make the members of POOL that have the label source=NAME equal to the list in FILE, or to each line of standard input: an array of {id, address, weight?, labels?}", cli_sync,
	  { REACH_OPTIONS,
	    { "--source", "NAME", "whose members these are: no others are touched (required)" },
	    { "--ttl", "DURATION", "time without a renewal after which members are expired (default: none); they are renewed at a third of it, by --follow and while standard input is open" },
	    { "--follow", NULL, "read FILE again when it changes, until SIGTERM; the members stay" },
	    { "--dry-run", NULL, "show what would be put (+), taken away (-), and what waits (.); change nothing" },
	    { "--allow-shrink", NULL, "also a list that takes more than half of the members away" },
	    { "--wait", "DURATION", "how long to try the last list while the API does not take it (1m); then the exit status is 3" },
	    { NULL, NULL, NULL } } },
};
/* clang-format on */
const size_t cli_commands_n = sizeof(cli_commands) / sizeof(cli_commands[0]);
