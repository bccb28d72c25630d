/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arguments, as the rows of the program's table say (commands.c). A command is the first row
 * whose words begin the arguments, so "clock accept" stands before "clock". Options may stand
 * anywhere up to "--". For a misspelt word the nearest one of the table is named (weir/suggest.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "mgmt/cli/cli.h"
#include "mgmt/json/row.h"
#include "weir/json.h"
#include "weir/suggest.h"

bool cli_is_agreed(const char *format, ...)
{
	char line[16];
	va_list arguments;

	fflush(stdout);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs(" [y/N] ", stderr);
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

int cli_consent(const struct cli *cli, const struct cli_args *args, const char *question)
{
	if (cli_flag(args, "--yes"))
		return CLI_OK;
	if (cli->json)
		return cli_fail(CLI_USAGE, "nothing was changed: --json asks no question: "
		                           "look without --json, then give --yes");
	if (!isatty(STDIN_FILENO))
		return cli_fail(CLI_USAGE,
		                "nothing was changed: there is no terminal to answer at; "
		                "give --yes if what is above is right");
	return cli_is_agreed("%s", question) ? CLI_OK
	                                     : cli_fail(CLI_REFUSED, "nothing was changed");
}

int cli_fail(enum cli_status status, const char *format, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	fprintf(stderr, "%s: ", cli_program);
	row_put_lines(stderr, text ? text : "out of memory");
	fputc('\n', stderr);
	free(text);
	return (int)status;
}

static int option_index(const struct cli_args *args, const char *name)
{
	for (int i = 0; i < CLI_OPTIONS_MAX && args->options[i].name; i++)
		if (strcmp(args->options[i].name, name) == 0)
			return i;
	return -1;
}

const char *cli_value(const struct cli_args *args, const char *name)
{
	int index = option_index(args, name);

	return index < 0 ? NULL : args->values[index];
}

void cli_give(struct cli_args *args, const char *name, const char *value)
{
	int index = option_index(args, name);

	if (index >= 0)
		args->values[index] = value;
}

const char *cli_text(const struct cli_args *args, const char *name)
{
	const char *value = cli_value(args, name);

	return value && value[strspn(value, " \t")] ? value : NULL;
}

bool cli_flag(const struct cli_args *args, const char *name)
{
	return cli_value(args, name) != NULL;
}

bool cli_line_add(const char *before, const char *text, char *out, size_t size)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "0123456789-._/:,+%=@";
	bool quote = !*text || text[strspn(text, plain)];
	size_t n = strlen(out);

	n += (size_t)snprintf(out + n, size - n, "%s%s", before, quote ? "'" : "");
	for (; *text && n + 5 < size; text++) {
		if (*text == '\'')
			n += (size_t)snprintf(out + n, size - n, "'\\''");
		else
			out[n++] = *text;
		out[n] = '\0';
	}
	if (*text || n + 2 > size)
		return false;
	snprintf(out + n, size - n, "%s", quote ? "'" : "");
	return true;
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

bool cli_line(const struct cli_args *args, const char *const *without, char *out, size_t size)
{
	bool ok = true;

	if ((size_t)snprintf(out, size, "%s%s%s", cli_program, *args->words ? " " : "",
	                     args->words) >= size)
		return false;
	for (int i = 0; ok && i < args->n; i++)
		ok = cli_line_add(" ", args->at[i], out, size);
	for (int i = 0; ok && i < CLI_OPTIONS_MAX && args->options[i].name; i++) {
		const struct cli_option *o = &args->options[i];

		if (!args->values[i] || is_one_of(o->name, without))
			continue;
		ok = cli_line_add(" ", o->name, out, size);
		if (ok && o->value && (*o->value != '[' || *args->values[i]))
			ok = cli_line_add(*o->value == '[' ? "=" : " ", args->values[i], out, size);
	}
	return ok && cli_line_where(args, out, size);
}

bool cli_line_where(const struct cli_args *args, char *out, size_t size)
{
	size_t n = strlen(out);

	return args->where && (size_t)snprintf(out + n, size - n, "%s", args->where) < size - n;
}

/* The number of words of a command at the beginning of @p argv; 0: another command. */
static int words_match(const char *words, int argc, char **argv)
{
	int n = 0;

	while (*words) {
		size_t length = strcspn(words, " ");

		if (n >= argc || strlen(argv[n]) != length || strncmp(argv[n], words, length) != 0)
			return 0;
		words += length + (words[length] == ' ');
		n++;
	}
	return n;
}

/* How a command is called: "drain"; the only one of a program as the program. */
static const char *command_name(const char *words)
{
	return *words ? words : cli_program;
}

static const struct cli_command *find_command(int argc, char **argv, int *n_words)
{
	*n_words = 0;
	if (cli_is_single())
		return &cli_commands[0];
	for (size_t i = 0; i < cli_commands_n; i++) {
		*n_words = words_match(cli_commands[i].words, argc, argv);
		if (*n_words)
			return &cli_commands[i];
	}
	return NULL;
}

/*
 * The second words of the commands that begin with @p first, as "check, show". @return whether
 * there are any
 */
static bool list_second_words(const char *first, char *out, size_t size)
{
	size_t length = strlen(first), used = 0;

	*out = '\0';
	for (size_t i = 0; i < cli_commands_n; i++) {
		const char *words = cli_commands[i].words;

		if (used < size && !strncmp(words, first, length) && words[length] == ' ')
			used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "",
			                         words + length + 1);
	}
	return used > 0;
}

/*
 * Two words are compared before one, so that "confg check" finds "config check" and not "confirm".
 */
static int unknown_command(int argc, char **argv)
{
	char second[256];
	char given[64], suggestion[SUGGEST_TEXT_MAX];
	struct suggest_best suggest = { .given = given };

	snprintf(given, sizeof(given), "%s%s%s", argv[0], argc > 1 ? " " : "",
	         argc > 1 ? argv[1] : "");
	for (size_t i = 0; i < cli_commands_n; i++)
		suggest_try(&suggest, cli_commands[i].words);
	if ((!suggest.best || suggest.distance > 3 || argc < 2) &&
	    list_second_words(argv[0], second, sizeof(second)))
		return cli_fail(CLI_USAGE, "%s %s needs one of these words next: %s", cli_program,
		                argv[0], second);
	if (!suggest.best || suggest.distance > 3) {
		snprintf(given, sizeof(given), "%s", argv[0]);
		suggest.best = NULL;
		for (size_t i = 0; i < cli_commands_n; i++)
			suggest_try(&suggest, cli_commands[i].words);
	}
	return cli_fail(CLI_USAGE, "there is no command \"%s\"%s; %s help lists them", given,
	                suggest_text(&suggest, suggestion), cli_program);
}

/* Whether the value of an option is a list, "NAME,...", so that it may be given again for more of it. */
static bool is_list_of(const char *value)
{
	size_t n = value ? strlen(value) : 0, n_end = strlen(",...");

	return n > n_end && !strcmp(value + n - n_end, ",...");
}

/* Put what was given before in front of a value. @return 0 or CLI_USAGE */
static int join_values(struct cli_args *args, int index, const char *before)
{
	static char room[CLI_OPTIONS_MAX][CLI_LIST_MAX];
	char text[CLI_LIST_MAX];
	int n = snprintf(text, sizeof(text), "%s,%s", before, args->values[index]);

	if (n >= (int)sizeof(text))
		return cli_fail(CLI_USAGE, "%s is too long: %u bytes at most",
		                args->options[index].name, CLI_LIST_MAX - 1);
	memcpy(room[index], text, sizeof(text));
	args->values[index] = room[index];
	return 0;
}

/* Read the option at argv[*i], with its value. @return 0 or CLI_USAGE */
static int accept_option(const struct cli_command *command, struct cli_args *args, int argc,
                         char **argv, int *i)
{
	char name[64], suggestion[SUGGEST_TEXT_MAX];
	size_t n = strcspn(argv[*i], "=");
	bool attached = argv[*i][n] == '=';

	snprintf(name, sizeof(name), "%.*s", (int)n, argv[*i]);
	int index = option_index(args, name);
	if (index < 0) {
		struct suggest_best suggest = { .given = name };

		for (int k = 0; k < CLI_OPTIONS_MAX && args->options[k].name; k++)
			suggest_try(&suggest, args->options[k].name);
		return cli_fail(CLI_USAGE, "%s has no option %s%s; see %s help%s%s",
		                command_name(command->words), name,
		                suggest_text(&suggest, suggestion), cli_program,
		                *command->words ? " " : "", command->words);
	}
	const char *value = args->options[index].value, *before = args->values[index];
	if (before && !is_list_of(value))
		return cli_fail(CLI_USAGE, "%s is given twice", name);
	if (!value) {
		args->values[index] = "";
		return attached ? cli_fail(CLI_USAGE, "%s takes no value", name) : 0;
	}
	if (attached)
		args->values[index] = argv[*i] + n + 1;
	else if (*value == '[')
		args->values[index] = "";
	else if (*i + 1 < argc)
		args->values[index] = argv[++*i];
	else
		return cli_fail(CLI_USAGE, "%s needs a value: %s", name, value);
	return before ? join_values(args, index, before) : 0;
}

/* The row alone says what is allowed, so a command need not check how many arguments it got. */
static int accept_arguments(const struct cli_command *command, struct cli_args *args, int argc,
                            char **argv)
{
	bool options = true;

	args->words = command->words;
	args->options = command->options;
	for (int i = 0; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
			int err = accept_option(command, args, argc, argv, &i);
			if (err)
				return err;
		} else if (args->n < CLI_POSITION_MAX && args->n < command->most) {
			args->at[args->n++] = argv[i];
		} else {
			return cli_fail(CLI_USAGE,
			                "\"%s\" is one argument too many; expected: %s%s%s %s",
			                argv[i], cli_program, *command->words ? " " : "",
			                command->words, command->arguments);
		}
	}
	if (args->n < command->least)
		return cli_fail(CLI_USAGE, "an argument is missing; expected: %s%s%s %s",
		                cli_program, *command->words ? " " : "", command->words,
		                command->arguments);
	return 0;
}

/* Remove @p flag from @p argv. @return whether it was there */
static bool remove_flag(int *argc, char **argv, const char *flag)
{
	int kept = 0;
	bool found = false, options = true;

	for (int i = 0; i < *argc; i++) {
		options = options && strcmp(argv[i], "--") != 0;
		if (options && strcmp(argv[i], flag) == 0)
			found = true;
		else
			argv[kept++] = argv[i];
	}
	*argc = kept;
	return found;
}

/*
 * `help` takes the words of a command, `--document` (docs/command-line.md) or, with --json, none.
 */
static int run_help(bool json, int argc, char **argv)
{
	int n_words;

	if (argc == 0 && json) {
		cli_help_json();
		return CLI_OK;
	}
	if (argc == 1 && strcmp(argv[0], "--document") == 0) {
		cli_help_document();
		return CLI_OK;
	}
	const struct cli_command *command = find_command(argc, argv, &n_words);

	if (argc && !command)
		return unknown_command(argc, argv);
	if (command && !cli_is_single())
		cli_help_command(command);
	else
		cli_help();
	return CLI_OK;
}

/* Output that lacks parts because memory was short must not pass for complete. */
static int run_command(const struct cli_command *command, struct cli *cli,
                       const struct cli_args *args)
{
	json_prepare();
	memory_forget();
	int status = command->run(cli, args);

	if (!memory_failed())
		return status;
	return cli_fail(status == CLI_OK ? CLI_UNREACHABLE : (enum cli_status)status,
	                "out of memory: the output is incomplete; free memory and try again");
}

/* What was printed must have arrived, or a script takes a part of it for all. Who reads no more, as head(1), wants no more. */
static int end_output(int status)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	int err = errno;
	if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR))
		return status;
	return cli_fail(status == CLI_OK ? CLI_UNREACHABLE : (enum cli_status)status,
	                "the output is incomplete: %s",
	                err ? strerror(err) : "it could not be written");
}

/* A file that is opened must not become the output that is closed: what is printed would go there. */
static void hold_closed_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/*
 * Read the options of all commands, which are taken from @p argv, and write them to @p where, for a shell. @return CLI_OK,
 * or an exit status after a message
 */
static int accept_dirs(struct cli *cli, struct cli_args *args, int *argc, char **argv,
                       char where[CLI_LINE_MAX])
{
	size_t n_all = (size_t)*argc;
	char **all = malloc((n_all + 1) * sizeof(*all));
	bool fits = true;

	where[0] = '\0';
	if (!all)
		return cli_fail(CLI_UNREACHABLE, "out of memory");
	memcpy(all, argv, n_all * sizeof(*all));
	int status = proc_dirs_from_args(&cli->dirs, argc, argv) ? CLI_USAGE : CLI_OK;

	for (size_t i = 0, kept = 0; !status && i < n_all; i++)
		if (kept < (size_t)*argc && argv[kept] == all[i])
			kept++;
		else
			fits = fits && cli_line_add(" ", all[i], where, CLI_LINE_MAX);
	free(all);
	cli->where = args->where = fits ? where : NULL;
	return status;
}

static int run_arguments(int argc, char **argv)
{
	struct cli cli = { 0 };
	struct cli_args args = { 0 };
	char where[CLI_LINE_MAX];
	int n_words, err;

	err = accept_dirs(&cli, &args, &argc, argv, where);
	if (err)
		return err;
	argc--;
	argv++;
	cli.json = remove_flag(&argc, argv, "--json");
	bool wants_help = remove_flag(&argc, argv, "--help") || remove_flag(&argc, argv, "-h");
	if (argc > 0 && strcmp(argv[0], "help") == 0)
		return run_help(cli.json, argc - 1, argv + 1);
	if (argc == 1 && strcmp(argv[0], "--version") == 0) {
		printf("%s %s\n", cli_program, WEIR_RELEASE);
		return CLI_OK;
	}
	if (argc == 0 && (!cli_is_single() || wants_help)) {
		cli_help();
		return wants_help ? CLI_OK : CLI_USAGE;
	}
	const struct cli_command *command = find_command(argc, argv, &n_words);
	if (!command)
		return unknown_command(argc, argv);
	if (wants_help) {
		cli_is_single() ? cli_help() : cli_help_command(command);
		return CLI_OK;
	}
	err = accept_arguments(command, &args, argc - n_words, argv + n_words);
	/* The library logs for processes; a command reports errors itself. */
	if (strcmp(command->words, "run") != 0)
		log_level(LOG_CRIT);
	return err ? err : run_command(command, &cli, &args);
}

int cli_main(int argc, char **argv)
{
	hold_closed_descriptors();
	return end_output(run_arguments(argc, argv));
}
