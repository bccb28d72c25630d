/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of weir-agent: the commands of `weir agent`, for backends, which have nothing else of
 * Weir installed.
 */
#include "mgmt/cli/cli.h"

const char cli_program[] = "weir-agent";
const char cli_agent_words[] = "weir-agent";
const char cli_about[] = "decapsulates the packets of Weir's load balancers, on a backend";
const char *const cli_options_help = "  --bpf-dir DIR    pins; on a bpffs (/sys/fs/bpf/weir)\n"
                                     "  The environment gives a default: WEIR_BPF_DIR.\n";

const struct cli_command cli_commands[] = {
	{ "attach", CLI_AGENT_ATTACH },
	{ "detach", CLI_AGENT_DETACH },
	{ "status", CLI_AGENT_STATUS },
};
const size_t cli_commands_n = sizeof(cli_commands) / sizeof(cli_commands[0]);
