/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line: one row for each subcommand in commands.c, which dispatches, checks the
 * arguments and is the help; one file for each group of subcommands. Implemented in args.c, help.c
 * and cmd_*.c. A command is one process with one thread.
 */
#ifndef WEIR_MGMT_CLI_CLI_H
#define WEIR_MGMT_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/proc.h"

/* Exit statuses, for scripts. */
enum cli_status {
	CLI_OK = 0,          /* in force */
	CLI_USAGE = 1,       /* wrong arguments, or they name something that does not exist */
	CLI_REFUSED = 2,     /* by a guard */
	CLI_UNREACHABLE = 3, /* the process or node that is needed does not answer */
	CLI_CONFLICT = 4,    /* the thing to change has changed since */
	CLI_TIMEOUT = 5,     /* the operation may still complete */
	CLI_PARTLY = 6,      /* some nodes have it */
	CLI_DENIED = 7,
	CLI_REJECTED = 8,  /* made, but a process refuses it; a risky change is then rolled back */
	CLI_DEGRADED = 10, /* of status; of a command that follows an operation: held */
	CLI_DOWN = 11,     /* of status */
	CLI_CHANGES = 12,  /* of plan --status */
	CLI_RISKY = 13,    /* likewise */
};

struct api_server;

struct cli {
	struct proc_dirs dirs;
	bool json;
	const char *where;               /* as of struct cli_args */
	const struct api_server *server; /* NULL: the API at RUN/api.sock */
};

#define CLI_OPTIONS_MAX  18   /* of a row, with the empty one at its end; drain has 16 */
#define CLI_LINE_MAX     8192 /* bytes of a command line that is printed */
#define CLI_LIST_MAX     1024 /* bytes of a list that is given in several options */
#define CLI_POSITION_MAX 34   /* positional arguments: an object takes its path and 32 settings */

/*
 * An option of a subcommand: "--over", the word for its value (NULL: a flag), what it does. A value
 * that may be left out is in brackets with its sign, "[=empty]", and only counts when it is attached. One that ends with
 * ",..." is a list, and may be given again for more of it.
 */
struct cli_option {
	const char *name, *value, *help;
};

/* The arguments of a subcommand, as its row asks for. */
struct cli_args {
	const char *at[CLI_POSITION_MAX]; /* positional ones, NULL behind the last */
	int n;
	const char *words; /* of the row: "drain" */
	const struct cli_option *options;
	const char *values[CLI_OPTIONS_MAX]; /* in the row's order; NULL: not given; a flag: "" */
	const char *where; /* given options of all commands, " --run-dir DIR"; NULL: too long */
};

/* Runs a subcommand. @return the exit status */
typedef int cli_handler(struct cli *cli, const struct cli_args *args);

struct cli_command {
	const char *words;     /* "dns explain"; "": the program's only command */
	const char *arguments; /* "NAME TYPE", for the help */
	int least, most;       /* positional arguments */
	const char *help;
	cli_handler *run;
	struct cli_option options[CLI_OPTIONS_MAX];
};

/* A program's own: commands.c of weir, commands_agent.c of weir-agent, members/commands_*.c. */
extern const struct cli_command cli_commands[];
extern const size_t cli_commands_n;
extern const char cli_program[];     /* "weir" */
extern const char cli_agent_words[]; /* how this program calls the agent's commands: "weir agent" */
extern const char cli_about[];       /* what it is, in a line */
extern const char *const cli_options_help; /* of the options of all commands */

/* clang-format off */
/* Rows of two tables: `weir agent attach` and `weir-agent attach` are one. */
#define CLI_AGENT_ATTACH "INTERFACE", 1, 1, "on a backend: decapsulate the packets of Weir's tunnels", cli_agent_attach, \
	{ { "--from", "PREFIX,...", "accept tunnels from these prefixes (the nodes' tunnel_source)" }, \
	  { "--owners", "PREFIX,...", "prefixes of the backends: forward packets of their connections to them" }, \
	  { "--netns", "NAME,...", "search these network namespaces for connections, too" }, \
	  { "--mode", "auto|native|generic", "where XDP runs" }, \
	  { "--mss", "auto|off|BYTES", "lower the MSS that clients receive: to what the tunnel carries (auto, the default) or to BYTES" }, \
	  { NULL, NULL, NULL } }
#define CLI_AGENT_DETACH "INTERFACE", 1, 1, "stop decapsulating", cli_agent_detach, { { NULL, NULL, NULL } }
#define CLI_AGENT_STATUS "INTERFACE", 1, 1, "show what the agent has decapsulated and dropped", cli_agent_status, { { NULL, NULL, NULL } }
/* clang-format on */

/* The value of option @p name, or NULL; it is one of the row's. */
const char *cli_value(const struct cli_args *args, const char *name);
/* The same, but NULL for an empty or blank value. */
const char *cli_text(const struct cli_args *args, const char *name);
bool cli_flag(const struct cli_args *args, const char *name);
/* Let option @p name, which is one of the row's, have @p value (a flag: ""), as if it had been given. */
void cli_give(struct cli_args *args, const char *name, const char *value);
/*
 * The command as it was given, for a shell, without the options of @p without, which NULL ends: "weir
 * drain site ams --now". @return whether @p out has room for it
 */
bool cli_line(const struct cli_args *args, const char *const *without, char *out, size_t size);
/* Add @p text to a line after @p before, in quotes where a shell needs them. @return false: no room */
bool cli_line_add(const char *before, const char *text, char *out, size_t size);
/* Add the options of all commands that were given, so that the line means the same node. @return false: no room */
bool cli_line_where(const struct cli_args *args, char *out, size_t size);
/* Ask the person at the terminal, on standard error, with " [y/N] " behind the question. @return whether the answer was yes */
bool cli_is_agreed(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * Go on with --yes, or where the person at the terminal agrees to @p question. @return CLI_OK, or an exit status after a
 * message
 */
MUST_CHECK int cli_consent(const struct cli *cli, const struct cli_args *args,
                           const char *question);
/* "weir: ..." on standard error, without control characters of others. @return @p status */
int cli_fail(enum cli_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Read arguments, dispatch. @return the exit status */
int cli_main(int argc, char **argv);
/* The help of all, and of one command. */
void cli_help(void);
void cli_help_command(const struct cli_command *command);
/* docs/command-line.md. */
void cli_help_document(void);
/* The whole table as JSON: for manual pages and completion. */
void cli_help_json(void);

/* Whether the program has one command, which has no words. */
bool cli_is_single(void);

/* The subcommands, by what they are about. */
cli_handler cli_run, cli_restart_dataplane, cli_nic;
cli_handler cli_token_new, cli_token_list, cli_token_remove;
cli_handler cli_status, cli_health, cli_events, cli_why, cli_wait, cli_names, cli_get, cli_blame;
cli_handler cli_plan, cli_apply, cli_pull, cli_push, cli_confirm, cli_rollback, cli_versions,
        cli_diff, cli_zone_reload;
cli_handler cli_what_if;
cli_handler cli_drain, cli_undrain, cli_override, cli_overrides;
cli_handler cli_verdict, cli_verdicts;
cli_handler cli_shift, cli_operations, cli_operation;
cli_handler cli_drill_backup, cli_drill_end, cli_drills;
cli_handler cli_store_init, cli_store_join, cli_store_remove, cli_store_check, cli_store_status;
cli_handler cli_store_accept, cli_store_rebuild, cli_store_backup, cli_store_restore;
cli_handler cli_clock, cli_clock_accept;
cli_handler cli_audit, cli_audit_verify, cli_audit_heads, cli_audit_rotate;
cli_handler cli_trace, cli_dns_explain;
cli_handler cli_set, cli_add, cli_remove, cli_edit;
cli_handler cli_proposals, cli_proposal;
cli_handler cli_register, cli_sync;
cli_handler cli_agent_attach, cli_agent_detach, cli_agent_status;
cli_handler cli_config_check, cli_config_show, cli_config_reference;

#endif
