/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drill backup, drill end, drills: new flows of some clients go to the backups of a site for a while.
 * Management does the work; with --wait these commands follow what it counts until the drill is over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "mgmt/cli/body.h"
#include "mgmt/cli/op.h"

#define PERIOD_MS      1000u  /* between two requests of --wait */
#define REPORT_MS      10000u /* between two lines that say the same */
#define SILENT_MS      60000u /* without an answer: give up */
#define DRILL_LINE_MAX 512    /* bytes of a line of progress */

static const char *verdict_words(const char *verdict)
{
	static const char *const words[][2] = { { "proved", "PROVED" },
		                                { "not_proved", "NOT PROVED" },
		                                { "no_clients", "no clients came" } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i][0], verdict) == 0)
			return words[i][1];
	return "not known yet";
}

/* "PROVED: 12 new flows went to the backup, 12 went on, ...". @return @p out */
static const char *drill_line(const json_t *d, char out[DRILL_LINE_MAX])
{
	const json_t *f = json_object_get(d, "flows");
	double begun = api_number(f, "begun", 0), followed = api_number(f, "followed", 0);
	double silent = begun > followed ? begun - followed : 0;

	snprintf(out, DRILL_LINE_MAX,
	         "%s: %.0f new flows went to the backup, %.0f of them went on, %.0f stayed silent; "
	         "%.0f SYNs came again, %.0f stayed with own backends",
	         verdict_words(api_text(d, "verdict", "")), begun, followed, silent,
	         api_number(f, "repeated", 0), api_number(f, "kept", 0));
	return out;
}

static void print_nodes(const json_t *nodes)
{
	const json_t *n;
	size_t i;

	json_array_foreach(nodes, i, n) if (!json_has_true(n, "measured"))
	        printf("  node %s: %s: what it counted is not known\n", api_text(n, "node", "?"),
	               json_has_true(n, "reached") ? "does not say" : "NOT REACHED");
}

static void print_drill(const json_t *d)
{
	const char *service = api_text(d, "service", "");
	char line[DRILL_LINE_MAX];

	printf("%s  drill of the backups of site %s%s%s, clients %s: %s, until %s by %s: %s\n",
	       api_text(d, "id", "?"), api_text(d, "site", "?"), *service ? ", service " : "",
	       service, api_text(d, "clients", "?"), api_text(d, "state", "?"),
	       api_text(d, "until", "?"), api_text(d, "author", "?"), api_text(d, "reason", ""));
	printf("  %s\n  %s\n", drill_line(d, line), api_text(d, "detail", ""));
	print_nodes(json_object_get(d, "counts"));
}

/* What `drill backup` has done, or would do. */
static void print_begun(const json_t *d)
{
	bool dry_run = json_has_true(d, "dry_run");
	const char *note = api_text(d, "note", "");

	printf("%s: new TCP flows of %s to %s go to the backups of site %s until %s\n",
	       dry_run ? "would begin" : api_text(d, "id", "?"), api_text(d, "clients", "?"),
	       *api_text(d, "service", "") ? api_text(d, "service", "") : "its services",
	       api_text(d, "site", "?"), api_text(d, "until", "?"));
	if (*note)
		printf("  note: %s\n", note);
	printf("  no probe sees this: %s\n", api_text(d, "filters", ""));
	if (!dry_run)
		printf("  look: weir drills; end it sooner: %s\n", api_text(d, "undo", ""));
}

/* --- waiting --- */

/* The exit status at the end: 0 only if it is proved. */
static int end_status(const struct cli *cli, const json_t *d)
{
	if (cli->json)
		api_print_json(d);
	else
		print_drill(d);
	return strcmp(api_text(d, "verdict", ""), "proved") == 0 ? CLI_OK : CLI_DEGRADED;
}

struct drill_watch {
	const struct cli *cli;
	char path[320];
	char last[DRILL_LINE_MAX];
	uint64_t heard_ms, reported_ms;
};

static void report_drill(struct drill_watch *w, const json_t *d)
{
	uint64_t now_ms = clock_mono_ms();
	char line[DRILL_LINE_MAX];

	drill_line(d, line);
	if (w->cli->json || (strcmp(line, w->last) == 0 && now_ms < w->reported_ms + REPORT_MS))
		return;
	memcpy(w->last, line, sizeof(line));
	w->reported_ms = now_ms;
	fprintf(stderr, "weir: %s\n", line);
}

/* Follow the drill @p d, which management has begun, until it is over. @return the exit status */
static int follow_drill(const struct cli *cli, const json_t *d)
{
	char *id = api_escape(api_text(d, "id", ""));
	struct drill_watch w = { .cli = cli, .heard_ms = clock_mono_ms() };
	struct api_request request = { .method = "GET", .path = w.path };
	struct api_reply reply;

	snprintf(w.path, sizeof(w.path), "/v1/drills/%s", id ? id : "");
	free(id);
	for (;;) {
		nanosleep(&(const struct timespec){ PERIOD_MS / 1000, 0 }, NULL);
		int status = api_call_quietly(cli, &request, &reply);
		bool known = status == CLI_OK && api_succeeded(&reply);

		if (known) {
			w.heard_ms = clock_mono_ms();
			op_make_plain(reply.body);
			report_drill(&w, reply.body);
		}
		if (known && strcmp(api_text(reply.body, "state", ""), "running") != 0) {
			status = end_status(cli, reply.body);
			api_reply_fini(&reply);
			return status;
		}
		if (status == CLI_OK)
			api_reply_fini(&reply);
		if (status == CLI_DENIED)
			return status;
		if (clock_mono_ms() > w.heard_ms + SILENT_MS)
			return cli_fail(CLI_UNREACHABLE,
			                "management does not answer; the drill ends by itself");
	}
}

/* --- commands --- */

/* @return the request's body, owned; NULL after a message */
static json_t *make_body(const struct cli_args *args)
{
	json_t *body = json_pack("{s:s}", "site", args->at[0]);

	if (!cli_text(args, "--clients"))
		cli_fail(CLI_USAGE, "--clients PREFIX is missing, such as 198.51.100.0/24");
	else if (!body)
		cli_fail(CLI_USAGE, "expected a site's name in UTF-8");
	else if (body_add_text(body, "clients", args, "--clients") &&
	         body_add_text(body, "service", args, "--service") &&
	         body_add_text(body, "for", args, "--for") &&
	         body_add_text(body, "until", args, "--until") &&
	         body_add_reason(body, "drill", args))
		return body;
	json_decref(body);
	return NULL;
}

int cli_drill_backup(struct cli *cli, const struct cli_args *args)
{
	bool dry_run = cli_flag(args, "--dry-run");
	struct api_request request = { .method = "POST",
		                       .path = dry_run ? "/v1/drills?dry_run=true" : "/v1/drills" };
	struct api_reply reply;
	int status;

	request.body = make_body(args);
	if (!request.body)
		return CLI_USAGE;
	status = api_get(cli, &request, &reply);
	if (!api_succeeded(&reply))
		return status;
	op_make_plain(reply.body);
	if (cli->json && !(cli_flag(args, "--wait") && !dry_run))
		api_print_json(reply.body);
	else if (!cli->json)
		print_begun(reply.body);
	fflush(stdout);
	if (cli_flag(args, "--wait") && !dry_run)
		status = follow_drill(cli, reply.body);
	api_reply_fini(&reply);
	return status;
}

int cli_drill_end(struct cli *cli, const struct cli_args *args)
{
	char *id = api_escape(args->at[0]), path[320];
	struct api_request request = { .method = "POST", .path = path };

	snprintf(path, sizeof(path), "/v1/drills/%.256s/end", id ? id : "");
	free(id);
	request.body = body_make_reason("drill end", args);
	return request.body ? op_show(cli, &request, print_drill) : CLI_USAGE;
}

static void print_drills(const json_t *body)
{
	const json_t *items = json_object_get(body, "items"), *d;
	size_t i;

	if (!json_array_size(items))
		puts("there are no drills");
	json_array_foreach(items, i, d) print_drill(d);
}

int cli_drills(struct cli *cli, const struct cli_args *args)
{
	struct api_request request = { .method = "GET",
		                       .path = cli_flag(args, "--ended") ? "/v1/drills?ended=true"
		                                                         : "/v1/drills" };

	return op_show(cli, &request, print_drills);
}
