/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drain, undrain, disable, enable, force-up, hold: one request body, built from the arguments, goes
 * to the API, or with --offline to the same code that management runs (offline.c). Both answers are
 * printed by override_text.c.
 *
 * verdict, verdicts: what programs say of targets of external checks. A person may say so, too; a forced state or a drain is
 * the stronger word, and is on record.
 */
#include "mgmt/cli/cmd_override.h"
#include "mgmt/cli/body.h"
#include "mgmt/cli/cmd_node.h"
#include "mgmt/cli/names.h"
#include "mgmt/cli/op.h"
#include "mgmt/cli/past.h"
#include "mgmt/json/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * "site NAME", "node NAME" or "backend POOL/NAME" -> {"site": ...}, {"node": ...} or {"pool":...,
 * "backend":...}. @return NULL after an error message
 */
static json_t *parse_override_target(const struct cli *cli, const struct cli_args *args)
{
	char full[NAMES_BACKEND_MAX];
	const char *kind = args->at[0];
	json_t *target;
	bool named = args->n == 2 && *args->at[1];

	if (named && (strcmp(kind, "site") == 0 || strcmp(kind, "node") == 0) &&
	    !strchr(args->at[1], '/')) {
		target = JSON_TEXTS({ kind, args->at[1] },
		                    { "service", cli_value(args, "--service") });
	} else if (named && strcmp(kind, "backend") == 0) {
		if (names_backend(cli, args->at[1], full) != CLI_OK)
			return NULL;
		size_t n = strcspn(full, "/");

		full[n] = '\0';
		target = JSON_TEXTS({ "pool", full }, { "backend", full + n + 1 });
	} else {
		cli_fail(CLI_USAGE, "expected: site NAME, node NAME, or backend POOL/NAME");
		return NULL;
	}
	if (!target)
		cli_fail(CLI_USAGE, "expected a name in UTF-8");
	return target;
}

/* Takes @p target. @return the request's body, given; NULL after an error message */
static json_t *make_body(const char *what, json_t *target, const struct cli_args *args)
{
	json_t *body = json_with(JSON_TEXTS({ "do", what }), "target", target);
	bool ok = body_add_text(body, "over", args, "--over") &&
	          body_add_text(body, "from", args, "--from") &&
	          body_add_text(body, "until", args, "--until") &&
	          body_add_reason(body, what, args);

	if (ok && cli_flag(args, "--now"))
		json_object_set_new(body, "now", json_true());
	if (ok && body_add_list(body, "override_guards", args, "--override"))
		return body;
	json_decref(body);
	return NULL;
}

/* The request of an override command. @return NULL after an error message */
static json_t *request_of(const struct cli *cli, const char *what, const struct cli_args *args)
{
	bool begins = strcmp(what, "drain") == 0 || strcmp(what, "disable") == 0 ||
	              strcmp(what, "force_up") == 0;
	json_t *target = parse_override_target(cli, args);

	if (!target)
		return NULL;
	if (begins && !cli_text(args, "--reason")) {
		json_decref(target);
		cli_fail(CLI_USAGE, "--reason TEXT is missing: say why, for the record");
		return NULL;
	}
	if (begins && !cli_value(args, "--until")) {
		json_decref(target);
		cli_fail(CLI_USAGE, "--until TIME is missing: +4h, 2026-11-20T12:00:00Z, or never");
		return NULL;
	}
	return make_body(what, target, args);
}

static bool is_node(const struct cli_args *args)
{
	return args->n == 2 && strcmp(args->at[0], "node") == 0;
}

/* Whether the command moves connections to other nodes, and the operator lets it wait. */
static bool waits_before(const char *what, const struct cli_args *args)
{
	return is_node(args) && (strcmp(what, "drain") == 0 || strcmp(what, "disable") == 0) &&
	       !cli_flag(args, "--now") && !cli_flag(args, "--dry-run");
}

/* A refusal by guards, with the command that goes past them. @return the exit status */
static int print_guarded(const struct cli *cli, const struct cli_args *args,
                         const struct api_reply *reply)
{
	char line[CLI_LINE_MAX];
	const json_t *guards = json_object_get(reply->body, "guards");
	bool guarded = json_has_text(reply->body, "code", "guard") &&
	               past_guards(args, guards, line, sizeof(line));

	if (cli->json && reply->body)
		api_print_json(reply->body);
	return api_refusal_with(reply, guarded ? line : NULL);
}

/* Send @p request and show what came of it. @return the exit status */
static int send_override(const struct cli *cli, const struct cli_args *args,
                         const struct api_request *request)
{
	struct api_reply reply;
	int status = api_query(cli, request, &reply);

	if (status)
		return status;
	if (api_succeeded(&reply)) {
		status = api_status(&reply);
		api_print_text(cli, reply.body, override_text);
	} else {
		status = print_guarded(cli, args, &reply);
	}
	api_reply_fini(&reply);
	return status;
}

/* As send_override(), without management. Takes @p body. @return the exit status */
static int send_offline(const struct cli *cli, const struct cli_args *args, json_t *body)
{
	char line[CLI_LINE_MAX];
	json_t *guards = NULL;
	int status = offline_override(cli, body, cli_flag(args, "--dry-run"), &guards);

	if (guards && past_guards(args, guards, line, sizeof(line)))
		fprintf(stderr, "  to do it anyway (kept in the record): %s\n", line);
	json_decref(guards);
	return status;
}

static int do_override(struct cli *cli, const struct cli_args *args, const char *what)
{
	char path[96];
	struct api_request request = { .method = "POST",
		                       .path = path,
		                       .reads = cli_flag(args, "--dry-run") };
	const char *waits = cli_flag(args, "--all")    ? "--all"
	                    : cli_flag(args, "--wait") ? "--wait"
	                                               : NULL;

	if (waits && cli_flag(args, "--offline"))
		return cli_fail(CLI_USAGE,
		                "%s asks weir-mgmt, which --offline does without: leave %s out "
		                "(peers merge the override when they reach this node)",
		                waits, waits);
	request.body = request_of(cli, what, args);
	if (!request.body)
		return CLI_USAGE;
	if (cli_flag(args, "--offline"))
		return send_offline(cli, args, request.body);
	int status = waits_before(what, args) ? node_await_settled(cli, request.body) : CLI_OK;
	if (status) {
		json_decref(request.body);
		return status;
	}
	snprintf(path, sizeof(path), "/v1/overrides?wait=%s%s",
	         cli_flag(args, "--all") ? "all" : "local",
	         cli_flag(args, "--dry-run") ? "&dry_run=true" : "");
	return send_override(cli, args, &request);
}

/* A command that leads to a state of a node; with --wait it waits for the state. */
static int do_and_wait(struct cli *cli, const struct cli_args *args, const char *what, bool drains)
{
	bool waits = cli_flag(args, "--wait") && !cli_flag(args, "--dry-run");
	int status;

	if (cli_flag(args, "--wait") && (!is_node(args) || *cli_value(args, "--wait")))
		return cli_fail(CLI_USAGE, "--wait is for nodes and for sites that are measured, "
		                           "--wait=empty for such sites; for others: weir wait");
	status = do_override(cli, args, what);
	return !status && waits ? node_await_effect(cli, args->at[1], drains) : status;
}

/* A site is drained by measuring, unless by the clock; --offline knows only the clock. */
static bool is_operation(const struct cli_args *args)
{
	return strcmp(args->at[0], "site") == 0 && !cli_flag(args, "--scheduled") &&
	       !cli_flag(args, "--offline");
}

/*
 * Options of the other way do nothing silently; a site's return by the clock may be of one service.
 * @return false after a message
 */
static bool accept_options(const struct cli_args *args, bool drains, bool operates)
{
	static const char *const of_operations[] = { "--label", "--without", "--service" };
	static const char *const of_the_clock[] = { "--from", "--all" };
	const char *const *wrong = operates ? of_the_clock : of_operations;
	bool may_name_service = operates || (!drains && strcmp(args->at[0], "site") == 0);
	size_t n = may_name_service ? 2 : 3;

	for (size_t i = 0; i < n; i++) {
		if (!cli_flag(args, wrong[i]))
			continue;
		cli_fail(CLI_USAGE, "%s is for %s", wrong[i],
		         operates ? "drains by the clock: add --scheduled"
		                  : "drains of sites that measure, without --scheduled and "
		                    "--offline");
		return false;
	}
	return true;
}

/* The same command by the clock, where there is one: not of several sites, a drain of a service, or with a wait. */
static bool make_clocked(const struct cli_args *args, bool drains, struct cli_args *out)
{
	static const char *const measured_only[] = { "--label", "--without", "--withdraw", "--wait",
		                                     "--dry-run" };

	*out = *args;
	for (size_t i = 0; i < sizeof(measured_only) / sizeof(measured_only[0]); i++)
		if (cli_flag(args, measured_only[i]))
			return false;
	if (drains && cli_flag(args, "--service"))
		return false;
	cli_give(out, "--scheduled", "");
	if (drains && !cli_flag(args, "--until"))
		cli_give(out, "--until", "never");
	return args->n == 2;
}

/* The drain of a site that was removed: nothing is left to be measured there. */
static int end_at_gone_site(struct cli *cli, const struct cli_args *args)
{
	struct cli_args clocked = *args;

	if (args->n != 2)
		return cli_fail(CLI_CONFLICT,
		                "one of the sites is not configured any more: give one command "
		                "for each");
	cli_give(&clocked, "--scheduled", "");
	if (!cli_flag(args, "--now"))
		cli_give(&clocked, "--now", "");
	return do_and_wait(cli, &clocked, "undrain", false);
}

/*
 * A drain or its return that measures. While the store does not decide it cannot begin: then a person at a terminal may have
 * it by the clock.
 */
static int begin_operation(struct cli *cli, const struct cli_args *args, const char *what,
                           bool drains)
{
	char line[CLI_LINE_MAX];
	struct cli_args clocked;
	enum op_lack lack;
	int status = op_begin(cli, args, what, &lack);

	if (lack == OP_LACKS_SITE)
		return end_at_gone_site(cli, args);
	if (lack != OP_LACKS_STORE || cli->json || !isatty(STDIN_FILENO) ||
	    !make_clocked(args, drains, &clocked) ||
	    !cli_line(&clocked, (const char *const[]){ NULL }, line, sizeof(line)))
		return status;
	return cli_is_agreed("by the clock, without measuring anything: %s\ndo that?", line)
	               ? do_and_wait(cli, &clocked, what, drains)
	               : status;
}

int cli_drain(struct cli *cli, const struct cli_args *args)
{
	bool withdraws = cli_flag(args, "--withdraw"), operates = is_operation(args);

	if (!accept_options(args, true, operates))
		return CLI_USAGE;
	if (operates)
		return begin_operation(cli, args, "drain", true);
	if (withdraws && !is_node(args))
		return cli_fail(CLI_USAGE,
		                "--withdraw is for nodes and for sites that are measured");
	return do_and_wait(cli, args, withdraws ? "disable" : "drain", true);
}

int cli_undrain(struct cli *cli, const struct cli_args *args)
{
	bool operates = is_operation(args);

	if (!accept_options(args, false, operates))
		return CLI_USAGE;
	return operates ? begin_operation(cli, args, "undrain", false)
	                : do_and_wait(cli, args, "undrain", false);
}

/* disable, enable, force-up, hold */
int cli_override(struct cli *cli, const struct cli_args *args)
{
	return do_override(cli, args, strcmp(args->words, "force-up") ? args->words : "force_up");
}

/* One line each, so that grep(1) finds an override with all that belongs to it. */
static const char override_list[] =
        "[{?items}{*items}{id}  {do} " LISTING_TARGET
        "  {state} {level_ppm:ppm|?}  from {from} until " LISTING_UNTIL
        "  by {author}[ ({principal})]: {reason}[; weir operation {operation}]\n{/}"
        "|there are no overrides\n]";

int cli_overrides(struct cli *cli, const struct cli_args *args)
{
	struct api_request request = { .method = "GET",
		                       .path = cli_flag(args, "--ended")
		                                       ? "/v1/overrides?ended=true"
		                                       : "/v1/overrides" };

	return api_show_text(cli, &request, override_list);
}

/* --- verdicts of programs --- */

#define TTL_DEFAULT "1h"

static const char verdict_line[] = "{pool}/{backend}: {verdict}[ until {ends}]"
                                   "[: {reason}]\n";

/* One line each, so that grep(1) finds a target with all that belongs to it. */
static const char verdict_list[] =
        "[{?items}{*items}{pool}/{backend}  {verdict}[  {?said}said {said}[, ends {ends}][ by {principal}]"
        "[ at {node}][: {reason}]|  nothing is said]\n{/}"
        "|there are no external checks\n]";

/* The request of a verdict on @p full, "POOL/NAME". @return NULL after an error message */
static json_t *make_verdict(const struct cli_args *args)
{
	const char *ttl = cli_value(args, "--ttl");
	json_t *body = JSON_TEXTS({ "verdict", args->at[1] }, { "ttl", ttl ? ttl : TTL_DEFAULT });

	if (body_add_text(body, "reason", args, "--reason"))
		return body;
	json_decref(body);
	return NULL;
}

int cli_verdict(struct cli *cli, const struct cli_args *args)
{
	char full[NAMES_BACKEND_MAX], path[NAMES_BACKEND_MAX + 32];
	bool ends = !strcmp(args->at[1], "none");
	struct api_request request = { .method = ends ? "DELETE" : "PUT", .path = path };

	if (!ends && strcmp(args->at[1], "up") != 0 && strcmp(args->at[1], "down") != 0)
		return cli_fail(CLI_USAGE, "expected up, down or none, not \"%s\"", args->at[1]);
	if (ends && (cli_flag(args, "--ttl") || cli_flag(args, "--reason")))
		return cli_fail(CLI_USAGE, "--ttl and --reason are for up and down");
	if (names_backend(cli, args->at[0], full) != CLI_OK)
		return CLI_USAGE;
	snprintf(path, sizeof(path), "/v1/verdicts/%s", full);
	if (!ends) {
		request.body = make_verdict(args);
		if (!request.body)
			return CLI_USAGE;
	}
	return api_show_text(cli, &request, verdict_line);
}

int cli_verdicts(struct cli *cli, const struct cli_args *args)
{
	const struct api_request request = { .method = "GET", .path = "/v1/verdicts?limit=1000" };

	(void)args;
	return api_show_text(cli, &request, verdict_list);
}
