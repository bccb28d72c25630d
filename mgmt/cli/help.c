/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of subcommands as help: for people, as docs/command-line.md, and as JSON for programs,
 * among them the generator of manual pages and completion.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/cli/cli.h"
#include "weir/json.h"

/* The exit statuses, in their order; NULL behind the last. */
static const struct {
	const char *status, *meaning; /* "10, 11"; Markdown */
} exit_rows[] = {
	{ "0", "done, and in force on this node (with `--all`: on all)" },
	{ "1", "usage: wrong arguments, an unknown name, or errors in a configuration" },
	{ "2", "refused by a guard" },
	{ "3", "a process or node does not answer, or the output could not be written" },
	{ "4",
	  "conflict: somebody changed it since, it is named elsewhere, nothing to confirm or end, or another process uses the store" },
	{ "5", "timed out; the operation may still complete" },
	{ "6", "partly: some nodes have it, others cannot be reached" },
	{ "7", "denied" },
	{ "8",
	  "a node refuses the change: a process rejects it, or something that the change names does "
	  "not exist there; or the change was rolled back while the command waited" },
	{ "10, 11",
	  "of `status`: degraded, down; of `store check`: a warning, something wrong. 10 of `agent status`: "
	  "degraded. 10 with `--wait` or `--watch`: the operation is held, or the drill has not proved it" },
	{ "12, 13", "of `plan --status`: something changes; the change is risky" },
	{ "71", "out of memory" },
	{ NULL, NULL },
};

bool cli_is_single(void)
{
	return cli_commands_n == 1 && !*cli_commands[0].words;
}

void cli_help_command(const struct cli_command *command)
{
	printf("%s%s%s%s%s\n\n    %s\n", cli_program, *command->words ? " " : "", command->words,
	       command->arguments[0] ? " " : "", command->arguments, command->help);
	if (command->options[0].name)
		printf("\n");
	for (int i = 0; i < CLI_OPTIONS_MAX && command->options[i].name; i++) {
		const struct cli_option *o = &command->options[i];
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s", o->name,
		         o->value && *o->value != '[' ? " " : "", o->value ? o->value : "");
		printf("  %-24s %s\n", left, o->help);
	}
}

/* Of a program with one command: the statuses of the table above that it can have. */
static void print_single_help(void)
{
	cli_help_command(&cli_commands[0]);
	printf("\n%s  --json                   print JSON\n  --version                print the release\n\n"
	       "Exit status: 0 done, 1 usage, 2 refused by a guard, 3 unreachable, 4 conflict, 5 timed out,\n"
	       "6 partly, 7 denied.\n",
	       cli_options_help);
}

void cli_help(void)
{
	if (cli_is_single()) {
		print_single_help();
		return;
	}
	printf("%s [OPTIONS] COMMAND ...\n\n", cli_program);
	for (size_t i = 0; i < cli_commands_n; i++) {
		char left[80];

		snprintf(left, sizeof(left), "%s%s%s", cli_commands[i].words,
		         cli_commands[i].arguments[0] ? " " : "", cli_commands[i].arguments);
		if (strlen(left) > 36)
			printf("  %s\n%-38s %s\n", left, "", cli_commands[i].help);
		else
			printf("  %-36s %s\n", left, cli_commands[i].help);
	}
	printf("\n  %s help COMMAND shows its options. All commands take --json; --version prints the release.\n\n%s"
	       "\nExit status: 0 in force, 1 usage, 2 refused by a guard, 3 unreachable, 4 conflict,\n"
	       "5 timed out (may still complete), 6 on some nodes only, 7 denied, 8 refused by a process;\n"
	       "status: 0 well, 10 degraded, 11 down; of an operation that is followed: 10 held.\n",
	       cli_program, cli_options_help);
}

void cli_help_document(void)
{
	puts("# The command line\n\n"
	     "<!-- Written by `weir help --document` from the table of subcommands; a test compares. -->\n\n"
	     "`weir` is a client of the management API (`docs/api.md`) over `RUN/api.sock`. When management does not\n"
	     "answer, `status` and `health` read the pages of the processes, and overrides take `--offline`. `trace`, `dns explain`,\n"
	     "`config` and `agent` need no running process. Data goes to standard output; errors and advice go to standard error.\n"
	     "A backend is POOL/NAME, or NAME alone if no other pool has one of this name. In bash, TAB completes commands, options and\n"
	     "names, also with management stopped (`weir names`).\n"
	     "`--json` prints the API's answer unchanged on one line, `events --json` one line for each event.\n\n"
	     "| exit status | meaning |\n|---|---|");
	for (size_t i = 0; exit_rows[i].status; i++)
		printf("| %s | %s |\n", exit_rows[i].status, exit_rows[i].meaning);
	printf("\nOptions of all commands:\n\n```\n%s"
	       "  --json           print JSON\n  --version        print the release\n```\n",
	       cli_options_help);
	for (size_t i = 0; i < cli_commands_n; i++) {
		printf("\n```\n");
		cli_help_command(&cli_commands[i]);
		printf("```\n");
	}
}

static json_t *option_json(const struct cli_option *o)
{
	return JSON_TEXTS({ "name", o->name }, { "value", o->value }, { "help", o->help });
}

static json_t *command_json(const struct cli_command *c)
{
	json_t *options = json_array();

	for (int i = 0; i < CLI_OPTIONS_MAX && c->options[i].name; i++)
		json_array_append_new(options, option_json(&c->options[i]));
	return json_with(JSON_TEXTS({ "words", c->words }, { "arguments", c->arguments },
	                            { "help", c->help }),
	                 "options", options);
}

void cli_help_json(void)
{
	json_t *commands = json_array(), *exits = json_array();

	for (size_t i = 0; i < cli_commands_n; i++)
		json_array_append_new(commands, command_json(&cli_commands[i]));
	for (size_t i = 0; exit_rows[i].status; i++)
		json_array_append_new(exits, JSON_TEXTS({ "status", exit_rows[i].status },
		                                        { "meaning", exit_rows[i].meaning }));
	json_t *all = JSON_TEXTS({ "program", cli_program }, { "about", cli_about },
	                         { "release", WEIR_RELEASE }, { "options_help", cli_options_help });

	all = json_with(json_with(all, "commands", commands), "exits", exits);

	json_dumpf(all, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(all);
}
