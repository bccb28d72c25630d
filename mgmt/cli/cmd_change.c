/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plan, apply, push, zone reload, confirm, rollback: each asks management and prints its
 * answer. The files of a configuration are read here and sent, so weir-mgmt needs no right to read
 * them; zone reload has it read those of its own directory. A
 * change names the version that it is made to (If-Match), so that a change of somebody else in
 * between is a conflict and not lost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mgmt/cli/api.h"
#include "mgmt/cli/body.h"
#include "mgmt/cli/cmd_change.h"
#include "mgmt/cli/edit/pull.h"
#include "mgmt/cli/upload.h"
#include "mgmt/json/row.h"
#include "mgmt/files/gather.h"

/*
 * The files of FILE (CONF/weir.conf) and what it names. @return NULL after an error message, with
 * *status
 */
static json_t *gather_upload(const struct cli *cli, const char *path, int *status)
{
	char dir[PATH_MAX];
	const char *slash = path ? strrchr(path, '/') : NULL;
	struct files files = { 0 };

	if (!path)
		snprintf(dir, sizeof(dir), "%s", cli->dirs.conf);
	else
		snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path + 1) : 1,
		         slash ? path : ".");
	int err = gather_files(dir, path ? (slash ? slash + 1 : path) : PROC_CONF_FILE, &files);
	if (err) {
		*status = cli_fail(
		        CLI_USAGE, "%s%s%s: %s", path ? path : dir, path ? "" : "/",
		        path ? "" : PROC_CONF_FILE,
		        err == -E2BIG
		                ? "there are more files, or larger ones, than a version can hold"
		                : strerror(-err));
		return NULL;
	}
	json_t *out = upload_files(cli, &files, status);
	files_fini(&files);
	return out;
}

/*
 * A plan that apply would refuse says so, so that nobody prepares a change in vain: changes of others that the file
 * would undo; a version in force that is not confirmed.
 */
static const char plan_text[] =
        "[{!changed}nothing changes\n|{*plan}" CHANGES
        "{*probes}   VIP {vip}: {per_second:number|0} probe{per_second:plural} a second from "
        "{nodes:n|0} node{nodes:plural} of other sites (before: {per_second_before:number|0})\n{/}"
        "[{?risky}risky: [{?confirm_within_ms}the change will be rolled back unless it is "
        "confirmed within {confirm_within_ms:whole_s|0}|nothing rolls the change back by itself]\n]"
        "{/}{*old_file}" OLD_FILE
        "[{?takes_back}! weir apply would be refused: make the file again from the version in "
        "force (weir pull), or apply with --replace\n]{/}"
        "{*unconfirmed}! weir apply would be refused: version {version:n|0} by {author|?} is not "
        "confirmed[, is tried at {canary}] and will be rolled back to version {rolls_back_to:n|0} at "
        "{confirm_by|?}: run weir confirm {version:n|0}, or [{?canary}weir rollback "
        "{rolls_back_to:n|0}|apply with --confirm-pending or --join-pending]\n{/}"
        "[compared with version {base}\n][compared with version {base.etag}\n]]";

/* Whether apply of the plan would do nothing, or be refused. */
static bool is_final(const json_t *body)
{
	return !json_has_true(body, "changed") || json_is_object(json_at(body, "unconfirmed")) ||
	       json_array_size(json_at(body, "old_file.takes_back")) > 0 ||
	       (json_is_true(json_at(body, "plan.risky")) &&
	        api_number(body, "plan.confirm_within_ms", 0) == 0);
}

static void add_text(json_t *body, const char *name, const char *value)
{
	if (value)
		json_object_set_new(body, name, json_string(value));
}

/*
 * Add the author: a user who became root by sudo(8) keeps the name, so that changes of two people
 * differ. @return false after a message
 */
static bool add_author(json_t *body, const struct cli_args *args)
{
	if (geteuid() == 0 && !cli_value(args, "--author"))
		add_text(body, "author", getenv("SUDO_USER"));
	return body_add_text(body, "author", args, "--author");
}

static void print_apply(const struct cli_args *args)
{
	char line[CLI_LINE_MAX] = "weir apply";

	if ((!args->at[0] || cli_line_add(" ", args->at[0], line, sizeof(line))) &&
	    cli_line_where(args, line, sizeof(line)))
		printf("to apply it: %s --reason TEXT\n", line);
}

/* What weir plan --status says. */
static int plan_status(const json_t *body)
{
	if (json_is_true(json_at(body, "plan.risky")))
		return CLI_RISKY;
	return json_has_true(body, "changed") ? CLI_CHANGES : CLI_OK;
}

int cli_plan(struct cli *cli, const struct cli_args *args)
{
	int failed = CLI_USAGE;
	json_t *files = gather_upload(cli, args->at[0], &failed);
	struct api_request request = {
		.method = "POST", .path = "/v1/config/plan", .reads = true, .file = args->at[0]
	};

	if (!files)
		return failed;
	request.body = json_with(json_object(), "files", files);
	request.body = json_with(request.body, "base", json_string("unknown"));
	if (!add_author(request.body, args)) {
		json_decref(request.body);
		return CLI_USAGE;
	}
	struct api_reply reply;
	int status = api_get(cli, &request, &reply);

	if (!api_succeeded(&reply))
		return status;
	api_print_text(cli, reply.body, plan_text);
	if (status == CLI_OK && !cli->json && !is_final(reply.body))
		print_apply(args);
	if (status == CLI_OK && cli_value(args, "--status"))
		status = plan_status(reply.body);
	api_reply_fini(&reply);
	return status;
}

static const char what_if_text[] =
        "[{!changed}nothing changes\n]"
        "of the clients that {node} observed:\n"
        "[{?queries}  queries     {queries.all:n} in {queries.covered_s:n} s: {queries.moved_ppm:ppm|0} get another site, "
        "{queries.lost_ppm:ppm|0} lose an address family, or all\n{*20 queries.names}              {name}: "
        "{moved_ppm:ppm|0} another site, {lost_ppm:ppm|0} lost (by site: {*8 sites|, }{site} {before_ppm:ppm|0} -> "
        "{after_ppm:ppm|0}{/})\n{/}|  queries     not known: weir-dns does not run here, or has just begun\n]"
        "[{?queries.elsewhere}              {queries.elsewhere:n} more, of clients that are not known one by one\n]"
        "[{?flows}  new TCP     {flows.all:n} flows in {flows.covered_s:n} s: {flows.moved_ppm:ppm|0} get another backend, "
        "{flows.pool_ppm:ppm|0} another pool, {flows.lost_ppm:ppm|0} find no service any more\n"
        "{*20 flows.services}              {service} ({pool}): {moved_ppm:ppm|0} another backend, {pool_ppm:ppm|0} another pool, {lost_ppm:ppm|0} none\n{/}"
        "|  new TCP     not known: nothing was measured yet, or this node keeps no samples\n]"
        "[{?n_clients}  clients     {n_clients:n} prefixes get another answer[{!clients}: --show-clients lists them]\n]"
        "{*clients}              {-20 prefix} {name}: {queries:n} queries, {from|none} -> {to|none}\n{/}";

int cli_what_if(struct cli *cli, const struct cli_args *args)
{
	int failed = CLI_USAGE;
	json_t *files = gather_upload(cli, args->at[0], &failed);
	struct api_request request = {
		.method = "POST", .path = "/v1/what-if", .reads = true, .file = args->at[0]
	};
	struct api_reply reply;

	if (!files)
		return failed;
	request.body = json_with(json_object(), "files", files);
	add_text(request.body, "since", cli_value(args, "--since"));
	if (cli_value(args, "--show-clients"))
		request.body = json_with(request.body, "show_clients", json_true());
	int status = api_get(cli, &request, &reply);

	if (!api_succeeded(&reply))
		return status;
	api_print_text(cli, reply.body, what_if_text);
	api_reply_fini(&reply);
	return status;
}

/* What became of it at the nodes. @return whether the change is no longer in force: rolled back, or replaced by another */
static bool print_nodes(const json_t *body)
{
	bool refused = false, rolled_back = false, superseded = false;
	const json_t *node;
	size_t i;

	json_array_foreach(json_at(body, "nodes"), i, node)
	{
		refused |= json_has_text(node, "state", "refused");
		superseded |= json_has_text(node, "state", "superseded");
		rolled_back |= json_has_true(node, "rolled_back");
	}
	row_show(stdout, body, "{*nodes}  {-16 node} {state}[: {detail}]\n{/}");
	if (rolled_back)
		printf("  %srolled back: the previous version is in force\n",
		       superseded ? "" : "refused, and ");
	else if (superseded)
		puts("  not in force: another change replaced it; look at weir versions, "
		     "then try again");
	else if (refused)
		puts("  refused: correct what the lines above name, or undo the change "
		     "with weir rollback");
	else
		row_show(stdout, body, INCOMPLETE);
	return rolled_back || superseded;
}

/* Without a change: the nodes, only if one refuses or does not have what is in force. */
static void print_unchanged(const json_t *body, const char *text)
{
	row_show(stdout, body, text);
	if (json_is_false(json_at(body, "complete")))
		print_nodes(body);
}

/* What was proposed, and who does what next. */
static void print_proposed(const json_t *body)
{
	row_show(
	        stdout, body,
	        "proposed, nothing was changed:\n{*plan}" CHANGES "{/}{*proposal}proposal {id}: "
	        "{needed:n} other person{needed:plural} may approve it until {until}: weir proposal "
	        "{id} approve --reason TEXT\nthen: the same command with --proposal {id} in place "
	        "of --propose\n{/}");
}

/* The last lines are what to do next: how to confirm, else how to undo. */
void change_print(const json_t *body)
{
	if (json_is_object(json_at(body, "proposal"))) {
		print_proposed(body);
		return;
	}
	row_show(stdout, body, "[{?dry_run}dry run, nothing was changed:\n]");
	if (!json_has_true(body, "changed")) {
		print_unchanged(body,
		                "nothing changes; version {version.number:n|0} stays in force\n"
		                "[{?skipped_zones}{*plan}" WARNINGS "{/}]");
		return;
	}
	row_show(
	        stdout, body,
	        "{*plan}" CHANGES
	        "{/}[passes gate {version.without_gates}\n]version {version.number:n|0}, in force at {version.effective|?}\n");
	if (print_nodes(body))
		return;
	row_show(stdout, body,
	         "[ROLLED BACK at {version.confirm_by} unless confirmed: weir confirm "
	         "{version.number:n|0}\n]"
	         "[tried at {version.canary} first: in force everywhere once it is confirmed\n]"
	         "[taken back if a sign rises to twice what it was and more: {plan.worse_if}\n]"
	         "[confirmed by itself once all nodes are {version.confirm_if}\n]"
	         "[{!dry_run}{?rolls_back_to}undo: weir rollback {rolls_back_to:n} --reason TEXT\n"
	         "|{!dry_run}{?before}undo: weir rollback {before:n} --reason TEXT\n]");
}

/* As of an apply; without a change weir-dns still loads the files. */
static void print_reload(const json_t *body)
{
	if (json_has_true(body, "changed"))
		change_print(body);
	else
		print_unchanged(body,
		                "no zone file changed[{!dry_run}; weir-dns reloads them anyway]\n"
		                "{*plan}" WARNINGS "{/}");
}

/* The ETag of the version in force. @return 0 or an exit status */
static int fetch_head_etag(const struct cli *cli, char etag[128])
{
	struct api_request request = { .method = "GET", .path = "/v1/versions?limit=1" };
	struct api_reply reply;
	int status = api_get(cli, &request, &reply);

	if (!api_succeeded(&reply))
		return status;
	/* the newest version may be another one: one that has ended, or is not here yet */
	snprintf(etag, 128, "%s", api_text(reply.body, "etag", "*"));
	api_reply_fini(&reply);
	return CLI_OK;
}

/* What is tried at a place confirms itself after --hold, as by --confirm-if. @return false after a message */
static bool add_hold(json_t *body, const struct cli_args *args)
{
	const char *hold = cli_value(args, "--hold");

	if (!hold)
		return true;
	if (!cli_value(args, "--canary") || cli_value(args, "--confirm-if")) {
		cli_fail(CLI_USAGE, "--hold goes with --canary, and not with --confirm-if");
		return false;
	}
	return !json_object_set_new(body, "confirm_if", json_sprintf("well for %s", hold));
}

json_t *change_add_options(json_t *body, const struct cli_args *args)
{
	if (!body_add_text(body, "reason", args, "--reason") || !add_author(body, args) ||
	    !body_add_text(body, "confirm_within", args, "--confirm-within") ||
	    !body_add_text(body, "confirm_if", args, "--confirm-if") || !add_hold(body, args) ||
	    !body_add_text(body, "canary", args, "--canary") ||
	    !body_add_text(body, "if_quiet", args, "--if-quiet") ||
	    !body_add_text(body, "without_gates", args, "--without-gate")) {
		json_decref(body);
		return NULL;
	}
	add_text(body, "pending",
	         cli_flag(args, "--confirm-pending") ? "confirm"
	         : cli_flag(args, "--join-pending")  ? "join"
	                                             : NULL);
	return body;
}

bool change_write_query(const struct cli_args *args, char out[CHANGE_QUERY_MAX])
{
	const char *given = cli_value(args, "--proposal");
	char *proposal = given ? api_escape(given) : NULL;
	int n = snprintf(out, CHANGE_QUERY_MAX, "?wait=%s%s%s%s%s",
	                 cli_flag(args, "--all") || cli_value(args, "--canary") ? "all" : "local",
	                 cli_flag(args, "--dry-run") ? "&dry_run=true" : "",
	                 cli_flag(args, "--propose") ? "&propose=true" : "",
	                 proposal ? "&proposal=" : "", proposal ? proposal : "");

	free(proposal);
	if (n < CHANGE_QUERY_MAX)
		return true;
	cli_fail(CLI_USAGE, "--proposal: the id is too long; weir proposals lists them");
	return false;
}

/* The version that --base names, also in quotes, as the API has an ETag. @return NULL: it names none; else *@p n bytes */
static const char *find_base(const struct cli_args *args, size_t *n)
{
	const char *base = cli_value(args, "--base");

	*n = base ? strlen(base) : 0;
	if (*n < 2 || base[0] != '"' || base[*n - 1] != '"')
		return base;
	*n -= 2;
	return base + 1;
}

/*
 * The version that the file was made from; if neither --base nor the file says, the API takes the
 * author's last change. @return false after a message
 */
static bool add_base(json_t *body, const struct cli_args *args)
{
	size_t n;
	const char *base = find_base(args, &n);

	if (!json_object_set_new(body, "base",
	                         base ? json_stringn(base, n) : json_string("unknown")))
		return true;
	cli_fail(CLI_USAGE, "--base: expected text in UTF-8");
	return false;
}

/* Whether to ask if a change that was refused for what it would undo is to be made all the same. */
static bool is_undo_offered(const struct cli *cli, const struct api_request *request,
                            const struct api_reply *reply)
{
	return (json_has_text(reply->body, "code", "old-file") ||
	        json_has_text(reply->body, "code", "base-unknown")) &&
	       !request->reads && !cli->json && isatty(STDIN_FILENO);
}

/*
 * As api_get(), but a person at the terminal, who reads whose changes would be undone, may want the change: then it is sent
 * again with replace.
 */
static int query_change(const struct cli *cli, struct api_request *request, struct api_reply *reply)
{
	json_t *again = json_incref(request->body);
	int status = api_query(cli, request, reply);

	if (status || !is_undo_offered(cli, request, reply)) {
		json_decref(again);
		return status ? status : api_conclude(cli, reply);
	}
	status = api_refusal_with(reply, "");
	api_reply_fini(reply);
	if (!cli_is_agreed("undo this all the same?")) {
		json_decref(again);
		return status;
	}
	request->body = json_with(again, "replace", json_true());
	return api_get(cli, request, reply);
}

/*
 * The version that is in force after a change, if all files that were sent are its; else @p etag_after stays.
 */
static void note_version(const json_t *body, char etag_after[128])
{
	if (!json_has_true(body, "dry_run") && json_array_size(json_at(body, "skipped_zones")) == 0)
		snprintf(etag_after, 128, "%s", api_text(body, "version.etag", ""));
}

/*
 * POST a change to what @p base names, or to the head. Takes @p body; NULL: a message was given. @param file  the one that is
 * sent, if any @param etag_after  as note_version(); may be NULL
 */
static int post_change(const struct cli *cli, const struct cli_args *args, const char *base,
                       const char *path, const char *file, json_t *body,
                       void (*print)(const json_t *body), char etag_after[128])
{
	char etag[128], full[CHANGE_QUERY_MAX + 64], query[CHANGE_QUERY_MAX];
	struct api_request request = {
		.method = "POST", .path = full, .if_match = etag, .body = body, .file = file
	};
	int status = body && change_write_query(args, query) ? CLI_OK : CLI_USAGE;

	request.reads = cli_flag(args, "--dry-run");
	if (!status && cli_flag(args, "--replace"))
		json_object_set_new(body, "replace", json_true());
	snprintf(etag, sizeof(etag), "%s", base ? base : "");
	if (!status && !base)
		status = fetch_head_etag(cli, etag);
	if (status) {
		json_decref(body);
		return status;
	}
	snprintf(full, sizeof(full), "%.63s%s", path, query);

	struct api_reply reply;
	status = query_change(cli, &request, &reply);
	if (api_succeeded(&reply)) {
		api_print_body(cli, reply.body, print);
		if (etag_after)
			note_version(reply.body, etag_after);
		api_reply_fini(&reply);
	}
	return status;
}

/* Send the configuration at @p path (NULL: CONF/weir.conf). @param etag_after  gets the version that is in force then */
static int apply_file(struct cli *cli, const struct cli_args *args, const char *path,
                      char etag_after[128])
{
	json_t *files, *body;
	int failed = CLI_USAGE;

	if (!cli_text(args, "--reason"))
		return cli_fail(CLI_USAGE, "%s needs --reason TEXT, for the record", args->words);
	files = gather_upload(cli, path, &failed);
	if (!files)
		return failed;
	body = json_with(json_object(), "files", files);
	body = change_add_options(
	        json_with(body, "skip_bad_zones", json_boolean(cli_flag(args, "--skip-bad-zones"))),
	        args);
	if (body && !add_base(body, args)) {
		json_decref(body);
		body = NULL;
	}
	return post_change(cli, args, NULL, "/v1/config/apply", path, body, change_print,
	                   etag_after);
}

int cli_apply(struct cli *cli, const struct cli_args *args)
{
	return apply_file(cli, args, args->at[0], NULL);
}

/* As apply of a directory, whose files are then those of the version that was made. */
int cli_push(struct cli *cli, const struct cli_args *args)
{
	char dir[PATH_MAX], path[PATH_MAX], etag_after[128] = "";
	int status = pull_directory(cli, args, dir);

	if (status)
		return status;
	if (proc_path(dir, FILES_MAIN, path))
		return cli_fail(CLI_USAGE, "the directory's name is too long");
	status = apply_file(cli, args, path, etag_after);
	int err = *etag_after ? pull_note_base(dir, etag_after) : 0;

	if (err)
		cli_fail(
		        CLI_OK,
		        "%s: its first line cannot say that it is of version %s now: %s; weir pull "
		        "does",
		        path, etag_after, pull_error_text(err));
	return status;
}

int cli_zone_reload(struct cli *cli, const struct cli_args *args)
{
	json_t *body = json_with(JSON_TEXTS({ "reason", "zone reload" }), "skip_bad_zones",
	                         json_boolean(cli_flag(args, "--skip-bad-zones")));

	body = json_with(body, "base", json_string("unknown"));
	return post_change(cli, args, NULL, "/v1/zones/reload", NULL,
	                   change_add_options(body, args), print_reload, NULL);
}

unsigned long long change_number(const char *text)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	return text[0] >= '0' && text[0] <= '9' && *end == '\0' ? n : 0;
}

int cli_rollback(struct cli *cli, const struct cli_args *args)
{
	char path[64], etag[128];
	unsigned long long n = change_number(args->at[0]);
	size_t n_base;
	const char *base = find_base(args, &n_base);

	if (n == 0 || !cli_text(args, "--reason"))
		return cli_fail(CLI_USAGE,
		                n ? "rollback needs --reason TEXT, for the record"
		                  : "expected the number of a version; weir versions lists them");
	snprintf(path, sizeof(path), "/v1/versions/%llu/rollback", n);
	snprintf(etag, sizeof(etag), "%.*s", (int)n_base, base ? base : "");
	return post_change(cli, args, base ? etag : NULL, path, NULL,
	                   change_add_options(json_object(), args), change_print, NULL);
}

/*
 * The version that waits for confirmation. @return 0: there is none, or the request failed
 * (*status)
 */
static unsigned long long find_unconfirmed(const struct cli *cli, int *status)
{
	struct api_request request = { .method = "GET", .path = "/v1/versions?limit=100" };
	struct api_reply reply;
	unsigned long long n = 0;
	const json_t *item;
	size_t i;

	*status = api_get(cli, &request, &reply);
	if (!api_succeeded(&reply))
		return 0;
	json_array_foreach(json_at(reply.body, "items"), i,
	                   item) if (json_has_text(item, "state", "unconfirmed") && n == 0) n =
	        (unsigned long long)api_number(item, "number", 0);
	api_reply_fini(&reply);
	return n;
}

int cli_confirm(struct cli *cli, const struct cli_args *args)
{
	char path[64];
	int status = CLI_OK;
	unsigned long long n =
	        args->at[0] ? change_number(args->at[0]) : find_unconfirmed(cli, &status);
	struct api_request request = { .method = "POST", .path = path };

	if (status)
		return status;
	if (n == 0)
		return args->at[0]
		               ? cli_fail(CLI_USAGE, "expected the number of a version")
		               : cli_fail(CLI_CONFLICT, "no version is waiting for confirmation");
	snprintf(path, sizeof(path), "/v1/versions/%llu/confirm", n);
	request.body = json_object();
	if (!body_add_text(request.body, "author", args, "--author") ||
	    !body_add_text(request.body, "reason", args, "--reason")) {
		json_decref(request.body);
		return CLI_USAGE;
	}
	if (!cli_text(args, "--reason"))
		add_text(request.body, "reason", "confirmed by a person");
	return api_show_text(cli, &request,
	                     "version [{version.number:n}|{number:n|0}] is confirmed\n");
}
