/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tokens of CONF/tokens on this host, without any process, so that a token can be made where
 * nothing runs yet. A new token itself is printed once and kept nowhere.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/proc.h"
#include "mgmt/cli/api.h"
#include "mgmt/files/files.h"
#include "mgmt/store/tokens.h"
#include "record/fields.h"
#include "weir/when.h"

/* Each error leaves the person something else to do. @param err_text  of -EBADMSG */
static int token_fail(const struct cli *cli, const struct cli_args *args, int err,
                      const char *err_text)
{
	switch (-err) {
	case EBADMSG:
		return cli_fail(CLI_USAGE, "nothing was changed, as no such line is taken: %s",
		                err_text);
	case ENOENT:
		return cli_fail(CLI_USAGE, "%s/" TOKENS_FILE " has no token named %s",
		                cli->dirs.conf, args->at[0]);
	case EINVAL:
		return cli_fail(CLI_USAGE,
		                "\"%s\" cannot be a token's name: expected 1 to 63 of A-Z a-z 0-9 "
		                ". _ -, and not \"anonymous\"",
		                args->at[0]);
	case ENOKEY:
		return cli_fail(CLI_USAGE,
		                "\"%s\" is no role: expected viewer, oncall, operator, admin, "
		                "metrics or peer (docs/api.md says what each may do)",
		                args->at[1]);
	case EEXIST:
		return cli_fail(
		        CLI_CONFLICT,
		        "%s/" TOKENS_FILE " has a token named %s: take another name, or "
		        "take that one out first (weir token remove), which ends it at once",
		        cli->dirs.conf, args->at[0]);
	case EBUSY:
		return cli_fail(CLI_CONFLICT, "another command changes the tokens of %s: try again",
		                cli->dirs.conf);
	case EMEDIUMTYPE:
		return cli_fail(CLI_USAGE,
		                "%s/" TOKENS_FILE " is no regular file: run this where the file "
		                "itself is (--conf-dir)",
		                cli->dirs.conf);
	case EACCES:
	case EPERM:
		return cli_fail(CLI_DENIED, "%s/" TOKENS_FILE " cannot be changed: do it as root",
		                cli->dirs.conf);
	default:
		return cli_fail(CLI_UNREACHABLE,
		                "%s/" TOKENS_FILE " cannot be changed: %s; nothing was changed",
		                cli->dirs.conf, strerror(-err));
	}
}

/* A request that this role may make. A peer's are between nodes, so it has no example. */
static void print_example(const char *role)
{
	if (strcmp(role, "peer") != 0)
		fprintf(stderr,
		        "  curl --cacert tls.ca -H 'Authorization: Bearer TOKEN' "
		        "https://NODE:8443%s\n",
		        !strcmp(role, "metrics") ? "/metrics" : "/v1/status");
}

/* Put an option's value into the words of a line. @return 0 or CLI_USAGE */
static int add_word(const char *option, const char *value, char words[TOKENS_LINE_MAX])
{
	size_t n = strlen(words);

	if (!value)
		return 0;
	if (strpbrk(value, " \t\r\n"))
		return cli_fail(CLI_USAGE, "%s takes no blanks", option);
	if (snprintf(words + n, TOKENS_LINE_MAX - n, "%s%s=%s", n ? " " : "", option + 2, value) >=
	    (int)(TOKENS_LINE_MAX - n))
		return cli_fail(CLI_USAGE, "%s is too long", option);
	return 0;
}

/* The words of the line that the options ask for. @return 0 or CLI_USAGE */
static int make_words(const struct cli_args *args, char words[TOKENS_LINE_MAX])
{
	static const char *const options[] = { "--until", "--person", "--scope", "--from" };
	const char *until = cli_value(args, "--until");
	char text[CLOCK_TEXT_MAX];
	int64_t until_ms;
	int err = 0;

	words[0] = '\0';
	for (size_t i = 0; !err && i < sizeof(options) / sizeof(options[0]); i++) {
		const char *value = cli_value(args, options[i]);

		if (i == 0 && until && *until == '+' &&
		    !when_instant(until, clock_realtime_ms(), &until_ms))
			value = clock_text(until_ms, text);
		err = add_word(options[i], value, words);
	}
	return err;
}

/* Whether no authority for clients is there yet. */
static bool lacks_clients(const struct cli *cli)
{
	char path[PATH_MAX];

	return !proc_path(cli->dirs.conf, TOKENS_CLIENTS_FILE, path) && access(path, F_OK) != 0;
}

/* A line for a certificate has no secret. */
static int print_certificate(const struct cli *cli, const struct cli_args *args,
                             const char *certificate)
{
	if (cli->json) {
		api_print_own(JSON_TEXTS({ "name", args->at[0] }, { "role", args->at[1] },
		                         { "certificate", certificate }));
		return CLI_OK;
	}
	printf("clients whose certificate names %s are %s, role %s, at once on this node; for the "
	       "others add the last line of %s/" TOKENS_FILE " to theirs\n",
	       certificate, args->at[0], args->at[1], cli->dirs.conf);
	if (lacks_clients(cli))
		fprintf(stderr,
		        "%s/" TOKENS_CLIENTS_FILE
		        " is not there: until it has the certificates of those who "
		        "sign for clients, clients are asked for none\n",
		        cli->dirs.conf);
	return CLI_OK;
}

int cli_token_new(struct cli *cli, const struct cli_args *args)
{
	char token[DIGEST_TEXT_MAX], words[TOKENS_LINE_MAX];
	const char *err_text = "", *certificate = cli_value(args, "--certificate");
	int err = make_words(args, words);

	if (err)
		return err;
	signal(SIGPIPE, SIG_IGN); /* the loss of a token has a message of its own */
	err = tokens_new(cli->dirs.conf,
	                 &(struct tokens_request){ args->at[0], args->at[1], certificate, words },
	                 token, &err_text);
	if (err)
		return token_fail(cli, args, err, err_text);
	if (certificate)
		return print_certificate(cli, args, certificate);
	if (cli->json) {
		api_print_own(JSON_TEXTS({ "name", args->at[0] }, { "role", args->at[1] },
		                         { "token", token }));
	} else {
		puts(token);
	}
	explicit_bzero(token, sizeof(token));
	if (fflush(stdout) != 0 || ferror(stdout))
		return cli_fail(CLI_UNREACHABLE,
		                "the token was not printed, but is valid: take the line of %s out "
		                "of %s/" TOKENS_FILE ", then make another",
		                args->at[0], cli->dirs.conf);
	if (!cli->json) {
		fprintf(stderr,
		        "This is the token of %s, role %s. It is shown only now: keep it as a "
		        "password.\n"
		        "It works at once on this node; for the others add the last line of "
		        "%s/" TOKENS_FILE " to theirs.\n",
		        args->at[0], args->at[1], cli->dirs.conf);
		print_example(args->at[1]);
	}
	return CLI_OK;
}

int cli_token_remove(struct cli *cli, const struct cli_args *args)
{
	int err = tokens_remove(cli->dirs.conf, args->at[0]);

	if (err)
		return token_fail(cli, args, err, "");
	if (cli->json)
		api_print_own(JSON_TEXTS({ "name", args->at[0] }));
	else
		printf("token %s is taken out of %s/" TOKENS_FILE ", and has ended on this node\n",
		       args->at[0], cli->dirs.conf);
	return CLI_OK;
}

#define PREFIXES_MAX (TOKENS_FROM_MAX * ADDR_LONG_TEXT_MAX)

/* Prefixes as one text with commas. @return NULL: there are none */
static const char *prefixes_text(const struct tokens_entry *entry, char text[PREFIXES_MAX])
{
	char one[ADDR_LONG_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < entry->n_from; i++)
		n += (size_t)snprintf(text + n, PREFIXES_MAX - n, "%s%s", i ? "," : "",
		                      prefix_text(&entry->from[i], one));
	return n ? text : NULL;
}

/* A line that is taken. */
#define TOKEN_ROWS(X, t)                                                                           \
	X(t, const char *, name)                                                                   \
	X(t, const char *, role)                                                                   \
	X(t, const char *, certificate)                                                            \
	X(t, const char *, until)                                                                  \
	X(t, bool, ended)                                                                          \
	X(t, const char *, person, .spare = true)                                                  \
	X(t, bool, scoped)                                                                         \
	X(t, const char *, scope)                                                                  \
	X(t, const char *, from)
RECORD_SHOWN(token_shown, "token", TOKEN_ROWS);

#define WRONG_LINE_ROWS(X, t)                                                                      \
	X(t, size_t, line)                                                                         \
	X(t, const char *, error)
RECORD_SHOWN(wrong_line, "line that is no token", WRONG_LINE_ROWS);

#define TOKENS_ROWS(X, t) X(t, json_t *, items)
RECORD_SHOWN(tokens_shown, "tokens", TOKENS_ROWS);

/* Never the digest: with it a token can be guessed at leisure. */
static void list_token(void *arg, size_t line, const struct tokens_entry *entry,
                       const char *err_text)
{
	char until[CLOCK_TEXT_MAX], from[PREFIXES_MAX];
	json_t *items = arg;

	if (!entry) {
		json_array_append_new(items, SHOWN(wrong_line, .line = line, .error = err_text));
		return;
	}
	bool ends = entry->until_ms != INT64_MAX;
	json_array_append_new(
	        items, SHOWN(token_shown, .name = entry->name, .role = entry->role,
	                     .certificate = tokens_is_certificate(entry->key) ? entry->key : NULL,
	                     .until = ends ? clock_text(entry->until_ms, until) : NULL,
	                     .ended = tokens_has_ended(entry, clock_realtime_ms()),
	                     .person = entry->person, .scoped = entry->is_scoped,
	                     .scope = entry->is_scoped ? entry->scope : NULL,
	                     .from = prefixes_text(entry, from)));
}

static const char list_text[] =
        "{*items}[line {line:n} is no token: {error}|{name}, {role}][, of {person}]"
        "[, by the certificate of {certificate}]"
        "[{?ended}, ENDED {until}|, until {until}][, changes {scope} alone|{?scoped}, changes nothing]"
        "[, from {from} alone]\n{/}";

int cli_token_list(struct cli *cli, const struct cli_args *args)
{
	json_t *items = json_array();
	char path[PATH_MAX], *text = NULL;
	size_t n = 0;
	int err = proc_path(cli->dirs.conf, TOKENS_FILE, path);

	(void)args;
	if (!err)
		err = files_slurp(path, &text, &n);
	if (err && err != -ENOENT) {
		json_decref(items);
		return err == -EACCES
		               ? cli_fail(CLI_DENIED, "%s cannot be read: do it as root", path)
		               : cli_fail(CLI_UNREACHABLE, "%s cannot be read: %s", path,
		                          err == -EINVAL ? "it is no regular file"
		                                         : strerror(-err));
	}
	(void)tokens_scan(text ? text : "", n, list_token, items);
	free(text);
	api_print_own_text(cli, SHOWN(tokens_shown, .items = items), list_text);
	return CLI_OK;
}
