/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir help --json`: the table of subcommands for programs, among them the generator of manual pages and completion. */
#include <jansson.h>
#include <stdio.h>

#include "mgmt/cli/cli.h"

static json_t *option_json(const struct cli_option *o)
{
	return json_pack("{s:s, s:s*, s:s}", "name", o->name, "value", o->value, "help", o->help);
}

static json_t *command_json(const struct cli_command *c)
{
	json_t *options = json_array();

	for (int i = 0; i < CLI_OPTIONS_MAX && c->options[i].name; i++)
		json_array_append_new(options, option_json(&c->options[i]));
	return json_pack("{s:s, s:s, s:s, s:o}", "words", c->words, "arguments", c->arguments,
	                 "help", c->help, "options", options);
}

void cli_help_json(void)
{
	json_t *commands = json_array(), *exits = json_array();

	for (size_t i = 0; i < cli_commands_n; i++)
		json_array_append_new(commands, command_json(&cli_commands[i]));
	for (const struct cli_exit *e = cli_exits; e->status; e++)
		json_array_append_new(
		        exits, json_pack("{s:s, s:s}", "status", e->status, "meaning", e->meaning));
	json_t *all = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "program", cli_program, "about",
	                        cli_about, "release", WEIR_RELEASE, "options_help",
	                        cli_options_help, "commands", commands, "exits", exits);

	json_dumpf(all, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(all);
}
