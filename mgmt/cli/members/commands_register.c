/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of weir-register, which runs on backends. */
#include "mgmt/cli/cli.h"
#include "mgmt/cli/members/reach.h"

const char cli_program[] = "weir-register";
const char cli_agent_words[] = "weir agent";
const char cli_about[] = "registers a backend in a pool of Weir, and takes it away when it ends";
const char *const cli_options_help = "  --run-dir DIR    of the node that runs here (/run/weir)\n"
                                     "  The environment gives a default: WEIR_RUN_DIR.\n";

/* clang-format off */
const struct cli_command cli_commands[] = {
	{ "", "POOL ADDRESS", 2, 2, "register ADDRESS as a member of POOL and renew it; at SIGTERM take it away, and wait until it is gone", cli_register,
	  { REACH_OPTIONS,
	    { "--id", "NAME", "name of the member (default: the host's, up to its first dot)" },
	    { "--weight", "N", "share of new flows, 0 to 65535 (100)" },
	    { "--labels", "NAME=VALUE,...", "up to four, for lists of members" },
	    { "--ttl", "DURATION", "time without a renewal after which the member is expired (30s); it is renewed at a third of it" },
	    { "--wait", "DURATION", "how long to wait at the end until the member is gone (20m); then the exit status is 5" },
	    { NULL, NULL, NULL } } },
};
/* clang-format on */
const size_t cli_commands_n = sizeof(cli_commands) / sizeof(cli_commands[0]);
