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
#include "mgmt/json/row.h"

#define PERIOD_MS      1000u  /* between two requests of --wait */
#define REPORT_MS      10000u /* between two lines that say the same */
#define SILENT_MS      60000u /* without an answer: give up */
#define DRILL_LINE_MAX 512    /* bytes of a line of progress */

/* "PROVED: 12 new flows went to the backup, 12 went on, ..." */
#define DRILL_LINE                                                                                 \
	"[{?verdict=proved}PROVED|{?verdict=not_proved}NOT PROVED|{?verdict=no_clients}no "        \
	"clients came|not known yet]: {flows.begun:n|0} new flows went to the backup, "            \
	"{flows.followed:n|0} of them went on, {flows.begun-flows.followed:n|0} stayed silent; "   \
	"{flows.repeated:n|0} SYNs came again, {flows.kept:n|0} stayed with own backends"
#define DRILL                                                                                      \
	"{id|?}  drill of the backups of site {site|?}[, service {service}], clients "             \
	"{clients|?}: {state|?}, until {until|?} by {author|?}: {reason}\n  " DRILL_LINE           \
	"\n  {detail}\n{*counts}[{!measured}  node {node|?}: [{?reached}does not say|"             \
	"NOT REACHED]: what it counted is not known\n]{/}"

static const char drill_text[] = DRILL;
static const char drills_text[] = "[{?items}{*items}" DRILL "{/}|there are no drills\n]";

/* What `drill backup` has done, or would do. */
static const char begun_text[] =
        "[{?dry_run}would begin|{id|?}]: new TCP flows of {clients|?} to "
        "[{service}|its services] go to the backups of site {site|?} until "
        "{until|?}\n[  note: {note}\n]  no probe sees this: {filters}\n"
        "[{!dry_run}  look: weir drills; end it sooner: {undo|}\n]";

/* --- waiting --- */

/* The exit status at the end: 0 only if it is proved. */
static int end_status(const struct cli *cli, const json_t *d)
{
	api_print_text(cli, d, drill_text);
	return json_has_text(d, "verdict", "proved") ? CLI_OK : CLI_DEGRADED;
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

	row_format(line, sizeof(line), d, DRILL_LINE);
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
			report_drill(&w, reply.body);
		}
		if (known && !json_has_text(reply.body, "state", "running")) {
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
	json_t *body = JSON_TEXTS({ "site", args->at[0] });

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
		                       .path = dry_run ? "/v1/drills?dry_run=true" : "/v1/drills",
		                       .reads = dry_run };
	struct api_reply reply;
	int status;

	request.body = make_body(args);
	if (!request.body)
		return CLI_USAGE;
	status = api_get(cli, &request, &reply);
	if (!api_succeeded(&reply))
		return status;
	if (cli->json && !(cli_flag(args, "--wait") && !dry_run))
		api_print_json(reply.body);
	else if (!cli->json)
		row_show(stdout, reply.body, begun_text);
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
	return request.body ? api_show_text(cli, &request, drill_text) : CLI_USAGE;
}

int cli_drills(struct cli *cli, const struct cli_args *args)
{
	struct api_request request = { .method = "GET",
		                       .path = cli_flag(args, "--ended") ? "/v1/drills?ended=true"
		                                                         : "/v1/drills" };

	return api_show_text(cli, &request, drills_text);
}
