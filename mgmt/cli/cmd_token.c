/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * token new: adds a line with the token's digest to CONF/tokens on this host, without any process,
 * so that a token can be made where nothing runs yet. The token itself is printed once and kept
 * nowhere.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/cli/api.h"
#include "mgmt/store/tokens.h"

/* Each error of tokens_new() leaves the person something else to do. */
static int token_fail(const struct cli *cli, const struct cli_args *args, int err)
{
	switch (-err) {
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
		return cli_fail(CLI_CONFLICT,
		                "%s/" TOKENS_FILE " has a token named %s: take another name, or "
		                "take that line out first, which ends that token at once",
		                cli->dirs.conf, args->at[0]);
	case EBUSY:
		return cli_fail(CLI_CONFLICT, "another command adds a token to %s: try again",
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

int cli_token_new(struct cli *cli, const struct cli_args *args)
{
	char token[DIGEST_TEXT_MAX];
	int err;

	signal(SIGPIPE, SIG_IGN); /* the loss of a token has a message of its own */
	err = tokens_new(cli->dirs.conf, args->at[0], args->at[1], token);

	if (err)
		return token_fail(cli, args, err);
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
