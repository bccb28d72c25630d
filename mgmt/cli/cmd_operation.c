/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drain, undrain and shift of sites as operations; operations, operation. Management does the
 * work; these commands send the request, say what came of it, and follow it with --wait or --watch.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/cli/body.h"
#include "mgmt/cli/op.h"
#include "mgmt/cli/past.h"
#include "mgmt/json/row.h"

static bool fail_usage(const char *expected)
{
	cli_fail(CLI_USAGE, "%s", expected);
	return false;
}

/* The names behind "site", or --label. @return false after a message */
static bool add_sites(json_t *body, const struct cli_args *args, int n)
{
	const char *label = cli_value(args, "--label");
	json_t *sites;

	if (label && n > 1)
		return fail_usage("give site names or --label, not both");
	if (label)
		return body_add_text(body, "label", args, "--label");
	if (n < 2)
		return fail_usage("expected: site NAME..., or site --label region=NAME");
	sites = json_array();
	for (int i = 1; i < n; i++) {
		if (!*args->at[i] || strchr(args->at[i], '/') ||
		    json_array_append_new(sites, json_string(args->at[i])) != 0) {
			json_decref(sites);
			return fail_usage("expected: site NAME..., in UTF-8 and without /");
		}
	}
	return json_object_set_new(body, "sites", sites) == 0;
}

static bool add_flag(json_t *body, const char *name, const struct cli_args *args,
                     const char *option)
{
	return !cli_flag(args, option) || json_object_set_new(body, name, json_true()) == 0;
}

/* What all commands on operations have. */
static bool add_record(json_t *body, const struct cli_args *args, const char *what)
{
	return body_add_reason(body, what, args) &&
	       body_add_list(body, "override_guards", args, "--override") &&
	       body_add_list(body, "without", args, "--without");
}

/* @return the request's body, owned; NULL after a message */
static json_t *make_body(const struct cli_args *args, const char *what)
{
	bool shifts = strcmp(what, "shift") == 0;
	json_t *body = JSON_TEXTS({ "do", what });
	bool ok = add_sites(body, args, shifts ? args->n - 1 : args->n) &&
	          body_add_text(body, "service", args, "--service");

	if (ok && shifts && json_object_set_new(body, "level", json_string(args->at[2])) != 0)
		ok = fail_usage("expected a level such as 30%");
	if (ok && body_add_text(body, "over", args, "--over") &&
	    add_flag(body, "now", args, "--now") && body_add_text(body, "until", args, "--until") &&
	    add_flag(body, "withdraw", args, "--withdraw") && add_record(body, args, what))
		return body;
	json_decref(body);
	return NULL;
}

/*
 * The command as it was given, with the names that management says go past what refuses; where that
 * is too long, management's own. @return NULL: no names do
 */
static const char *command_past(const struct cli_args *args, const json_t *body,
                                char out[CLI_LINE_MAX])
{
	static const char *const replaced[] = { "--override", "--without", "--dry-run", NULL };
	const char *whole = api_text(body, "override", NULL);

	if (!whole)
		return NULL;
	bool fits = cli_line(args, replaced, out, CLI_LINE_MAX) &&
	            past_add(" --override ", json_object_get(body, "override_guards"), out,
	                     CLI_LINE_MAX) &&
	            past_add(" --without ", json_object_get(body, "without"), out, CLI_LINE_MAX);
	return fits ? out : whole;
}

/* Of guards that no name overrides, what a person can do instead. */
static const char hints_text[] =
        "{*guards}[{!ok}{?guard=majority}  majority: if these nodes are known to be absent, name "
        "them: --without NODE,...\n|{!ok}{?guard=clock}  clock: weir clock says what is wrong\n"
        "|{!ok}{?guard=operation}  operation: weir operations lists all with their states\n]{/}";

/* Print a refusal, with the command that goes past it where one does. @return the exit status */
static int print_refusal(const struct cli *cli, const struct cli_args *args,
                         struct api_reply *reply)
{
	char command[CLI_LINE_MAX];
	bool guarded = json_has_text(reply->body, "code", "guard");
	const char *past;
	int status;

	past = guarded ? command_past(args, reply->body, command) : NULL;
	if (cli->json && reply->body)
		api_print_json(reply->body);
	status = api_refusal_with(reply, guarded && !past ? "" : past);
	if (guarded) {
		row_show(stderr, reply->body, op_backups_text);
		row_show(stderr, reply->body, hints_text);
	}
	api_reply_fini(reply);
	return status;
}

/* No exit statuses: what is to be ended is over, which is no error; and the store does not decide. */
#define NOTHING_TO_END (-1)
#define UNDECIDED      (-2)
#define SITE_GONE                                                                                  \
	(-3) /* without a message: it was removed, and the clock alone can end its drain */

static int print_nothing_to_end(const struct cli *cli, struct api_reply *reply)
{
	api_print_text(cli, reply->body, "nothing to end: {detail}\n");
	api_reply_fini(reply);
	return NOTHING_TO_END;
}

/*
 * Send @p body (taken). @return CLI_OK and the answer in @p reply, owned; NOTHING_TO_END or UNDECIDED, after a message; else
 * the exit status
 */
static int send_change(const struct cli *cli, const struct cli_args *args, const char *path,
                       json_t *body, struct api_reply *reply)
{
	struct api_request request = {
		.method = "POST", .path = path, .body = body, .reads = cli_flag(args, "--dry-run")
	};
	int status = api_query(cli, &request, reply);

	if (status)
		return status;
	if (!api_succeeded(reply) && json_has_text(reply->body, "code", "nothing-to-end"))
		return print_nothing_to_end(cli, reply);
	if (!api_succeeded(reply) && json_has_text(reply->body, "code", "site-gone")) {
		api_reply_fini(reply);
		return SITE_GONE;
	}
	if (!api_succeeded(reply)) {
		bool undecided = json_has_text(reply->body, "code", "store-unavailable");

		status = print_refusal(cli, args, reply);
		return undecided ? UNDECIDED : status;
	}
	return CLI_OK;
}

/* Whether it would begin, and the command that begins it all the same. @return the exit status */
static int judge_dry_run(const struct cli *cli, const struct cli_args *args, const json_t *o)
{
	const json_t *preflight = json_object_get(o, "preflight");
	char command[CLI_LINE_MAX];

	if (!json_is_false(json_object_get(preflight, "would_begin")))
		return CLI_OK;
	const char *past = command_past(args, preflight, command);
	if (!cli->json) {
		fputs(past ? "it would not begin; to do it anyway (kept in the record): "
		           : "it would not begin",
		      stdout);
		row_put(stdout, past ? past : "");
		putchar('\n');
	}
	return CLI_REFUSED;
}

/* --wait, --wait=empty. @return false after a message */
static bool read_goal(const struct cli_args *args, const char *what, enum op_goal *goal)
{
	const char *wait = cli_value(args, "--wait");

	*goal = strcmp(what, "undrain") == 0 ? OP_BACK : OP_THERE;
	if (!wait || !*wait)
		return true;
	if (strcmp(what, "drain") == 0 && strcmp(wait, "empty") == 0) {
		*goal = OP_EMPTY;
		return true;
	}
	cli_fail(CLI_USAGE, "--wait takes no value%s",
	         strcmp(what, "drain") == 0 ? " but =empty" : " here");
	return false;
}

int op_begin(struct cli *cli, const struct cli_args *args, const char *what, enum op_lack *lack)
{
	bool dry_run = cli_flag(args, "--dry-run"), waits = cli_flag(args, "--wait") && !dry_run;
	enum op_goal goal;
	struct api_reply reply;

	*lack = OP_LACKS_NOTHING;
	if (!read_goal(args, what, &goal))
		return CLI_USAGE;
	json_t *body = make_body(args, what);
	if (!body)
		return CLI_USAGE;
	if (strcmp(what, "undrain") != 0 && !cli_text(args, "--reason")) {
		json_decref(body);
		return cli_fail(CLI_USAGE, "--reason TEXT is missing: say why, for the record");
	}
	int status =
	        send_change(cli, args, dry_run ? "/v1/operations?dry_run=true" : "/v1/operations",
	                    body, &reply);
	if (status == UNDECIDED)
		*lack = OP_LACKS_STORE;
	if (status == SITE_GONE)
		*lack = OP_LACKS_SITE;
	if (*lack != OP_LACKS_NOTHING)
		return *lack == OP_LACKS_STORE ? CLI_UNREACHABLE : CLI_CONFLICT;
	if (status)
		return status == NOTHING_TO_END ? CLI_OK : status;
	if (!waits)
		api_print_body(cli, reply.body, op_print);
	else
		status = op_follow(cli, op_of(reply.body), goal, false);
	if (dry_run)
		status = judge_dry_run(cli, args, op_of(reply.body));
	api_reply_fini(&reply);
	return status;
}

/* shift site NAME 30% */
int cli_shift(struct cli *cli, const struct cli_args *args)
{
	enum op_lack lack; /* there is no shift by the clock */

	if (strcmp(args->at[0], "site") != 0 || cli_flag(args, "--label"))
		return cli_fail(CLI_USAGE, "expected: site NAME LEVEL, such as site ams 30%%");
	if (!cli_value(args, "--until"))
		return cli_fail(CLI_USAGE,
		                "--until TIME is missing: +4h, 2026-11-20T12:00:00Z, or never");
	return op_begin(cli, args, "shift", &lack);
}

/* One line each, so that grep(1) finds an operation with all that belongs to it. */
static void print_list(const json_t *body)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(body, "items"), i, o)
	{
		char line[OP_LINE_MAX];

		row_print(o,
		          "{id|?}  " OP_TITLE
		          ": %s; begun {created|?} by {author|?}, owner {owner|?}: {reason}\n",
		          op_line(o, line));
	}
	row_show(stdout, body,
	         "[{!items}there are no operations\n]"
	         "[{?more}... and {more:n} more: --limit N shows them\n]");
}

int cli_operations(struct cli *cli, const struct cli_args *args)
{
	const char *limit = cli_value(args, "--limit"), *state = cli_value(args, "--state");
	char path[320] = "/v1/operations";
	struct api_request request = { .method = "GET", .path = path };

	if (limit && (limit[strspn(limit, "0123456789")] || strtol(limit, NULL, 10) < 1 ||
	              strtol(limit, NULL, 10) > 64))
		return cli_fail(CLI_USAGE, "--limit: expected a number from 1 to 64");
	char *escaped = state ? api_escape(state) : NULL;
	snprintf(path, sizeof(path), "/v1/operations?limit=%s%s%.200s", limit ? limit : "20",
	         escaped ? "&state=" : "", escaped ? escaped : "");
	free(escaped);
	return api_show(cli, &request, print_list);
}

/* The path of operation @p id. @return false after a message */
static bool operation_path(const char *id, const char *verb, char *path, size_t size)
{
	char *escaped = api_escape(id);
	bool fits = escaped && *escaped &&
	            (size_t)snprintf(path, size, "/v1/operations/%s%s%s", escaped, verb ? "/" : "",
	                             verb ? verb : "") < size;

	free(escaped);
	if (!fits)
		cli_fail(CLI_USAGE, "expected the ID of an operation; weir operations lists them");
	return fits;
}

/* hold, resume, abort, take. */
static int command_operation(struct cli *cli, const struct cli_args *args, const char *path)
{
	const char *verb = args->at[1];
	bool watches = cli_flag(args, "--watch");
	json_t *body = json_object();
	struct api_reply reply;
	int status;

	if (!add_record(body, args, verb)) {
		json_decref(body);
		return CLI_USAGE;
	}
	status = send_change(cli, args, path, body, &reply);
	if (status == UNDECIDED)
		return CLI_UNREACHABLE;
	if (status)
		return status;
	if (!watches || !cli->json)
		api_print_body(cli, reply.body, op_print);
	if (watches)
		status = op_follow(cli, op_of(reply.body), OP_STILL, true);
	api_reply_fini(&reply);
	return status;
}

static int show_operation(struct cli *cli, const struct cli_args *args, const char *path)
{
	struct api_request request = { .method = "GET", .path = path };
	struct api_reply reply;
	int status = api_get(cli, &request, &reply);

	if (!api_succeeded(&reply))
		return status;
	if (cli_flag(args, "--watch"))
		status = op_follow(cli, op_of(reply.body), OP_STILL, true);
	else
		api_print_body(cli, reply.body, op_print);
	api_reply_fini(&reply);
	return status;
}

int cli_operation(struct cli *cli, const struct cli_args *args)
{
	static const char *const verbs[] = { "hold", "resume", "abort", "take" };
	const char *verb = args->at[1];
	bool known = !verb;
	char path[320];

	for (size_t i = 0; verb && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		known |= strcmp(verbs[i], verb) == 0;
	if (!known)
		return cli_fail(CLI_USAGE, "%s: expected hold, resume, abort or take", verb);
	if (!operation_path(args->at[0], verb, path, sizeof(path)))
		return CLI_USAGE;
	return verb ? command_operation(cli, args, path) : show_operation(cli, args, path);
}
