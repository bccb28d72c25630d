/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status, health, events: management's answer, printed for people or as it is. Where management
 * does not answer, status and health read the pages themselves (pages.c), because they are needed
 * most when something is dead.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mgmt/cli/cmd_status.h"
#include "mgmt/cli/health_detail.h"
#include "mgmt/json/row.h"

#define WATCH_S        1    /* between two rounds of status --watch */
#define BACKENDS_SHOWN "40" /* without --all or --pool */
#define EVENTS_SHOWN   20   /* without --limit */
#define EVENTS_BATCH   1000 /* events in one answer, at most */
#define FOLLOW_MS      30000

static int status_word(const json_t *body)
{
	const char *state = api_text(body, "state", "");

	if (strcmp(state, "well") == 0)
		return CLI_OK;
	return strcmp(state, "down") == 0 ? CLI_DOWN : CLI_DEGRADED;
}

static void add_query(char *path, size_t size, const char *name, const char *value)
{
	char *escaped = value ? api_escape(value) : NULL;
	size_t n = strlen(path);

	if (escaped)
		snprintf(path + n, size - n, "%c%s=%s", strchr(path, '?') ? '&' : '?', name,
		         escaped);
	free(escaped);
}

/* A person gets as many backends as can be read, unless --all or --pool is given. */
static int status_once(struct cli *cli, const struct cli_args *args, bool clear)
{
	char path[1024] = "/v1/status";
	struct api_request request = { .method = "GET", .path = path, .timeout_ms = 5000 };
	struct api_reply reply;
	bool all = cli->json || cli_flag(args, "--all") || cli_value(args, "--pool");

	add_query(path, sizeof(path), "site", cli_value(args, "--site"));
	add_query(path, sizeof(path), "pool", cli_value(args, "--pool"));
	add_query(path, sizeof(path), "limit", all ? NULL : BACKENDS_SHOWN);
	int status = api_call_quietly(cli, &request, &reply);

	if (clear) {
		fputs("\033[H\033[2J", stdout);
		fflush(stdout); /* before what is said on standard error */
	}
	if (status == CLI_UNREACHABLE && (cli_flag(args, "--site") || cli_flag(args, "--pool")))
		cli_fail(
		        CLI_OK,
		        "management does not answer: --site and --pool are left out, all is shown");
	if (status == CLI_UNREACHABLE)
		return pages_status(cli);
	if (status)
		return status;
	if (!api_succeeded(&reply)) {
		status = api_refusal(&reply);
	} else {
		api_print_body(cli, reply.body, status_print);
		status = status_word(reply.body);
	}
	api_reply_fini(&reply);
	return status;
}

int cli_status(struct cli *cli, const struct cli_args *args)
{
	bool watch = cli_flag(args, "--watch");
	int status = status_once(cli, args, watch && !cli->json && isatty(STDOUT_FILENO));

	while (watch && status != CLI_DENIED && status != CLI_USAGE) {
		fflush(stdout);
		sleep(WATCH_S);
		if (ferror(stdout))
			break;
		status = status_once(cli, args, !cli->json && isatty(STDOUT_FILENO));
	}
	return status;
}

int cli_health(struct cli *cli, const struct cli_args *args)
{
	struct api_request request = { .method = "GET", .path = "/v1/health", .timeout_ms = 5000 };
	struct api_reply reply;
	int status = api_call_quietly(cli, &request, &reply);

	(void)args;
	if (status == CLI_UNREACHABLE)
		return pages_health(cli);
	if (status)
		return status;
	if (!api_succeeded(&reply)) {
		status = api_refusal(&reply);
	} else {
		health_detail_join(cli, json_at(reply.body, "items"));
		api_print_body(cli, reply.body, health_print);
	}
	api_reply_fini(&reply);
	return status;
}

/* Print a batch. @return the id of the last event in it, @p last when there is none */
static double print_events(const struct cli *cli, const json_t *body, double last)
{
	const json_t *e;
	size_t i;

	json_array_foreach(json_at(body, "items"), i, e)
	{
		if (cli->json)
			api_print_json(e);
		else
			row_print(e, "{time} {-8 kind} {-32 subject} {message}\n");
		last = api_number(e, "id", last);
	}
	fflush(stdout);
	return last;
}

/*
 * The value of an option that is a whole number of at least @p least; @p fallback without it.
 * @return -1: not such a number
 */
static double whole_number(const struct cli_args *args, const char *option, double least,
                           double fallback)
{
	const char *text = cli_value(args, option);

	if (!text)
		return fallback;
	if (!*text || strlen(text) > 15 || text[strspn(text, "0123456789")])
		return -1;
	return atof(text) < least ? -1 : atof(text);
}

int cli_events(struct cli *cli, const struct cli_args *args)
{
	double last = whole_number(args, "--since", 0, 0),
	       limit = whole_number(args, "--limit", 1, EVENTS_SHOWN);
	bool follow = cli_flag(args, "--follow"), since = cli_value(args, "--since") != NULL;
	char path[128];
	struct api_request request = { .method = "GET",
		                       .path = path,
		                       .timeout_ms = FOLLOW_MS + API_READ_TIMEOUT_MS };

	if (last < 0)
		return cli_fail(CLI_USAGE, "--since: expected an event's id, a number");
	if (limit < 0 || limit > EVENTS_BATCH)
		return cli_fail(CLI_USAGE, "--limit: expected a number from 1 to %d", EVENTS_BATCH);
	if (since && cli_value(args, "--limit"))
		return cli_fail(CLI_USAGE, "--since lists all later events; leave --limit out");
	if (since)
		snprintf(path, sizeof(path), "/v1/events?limit=%d&since=%.0f", EVENTS_BATCH, last);
	else
		snprintf(path, sizeof(path), "/v1/events?limit=%.0f", limit);
	for (;;) {
		struct api_reply reply;
		int status = api_get(cli, &request, &reply);

		if (!api_succeeded(&reply))
			return status;
		size_t n = json_array_size(json_at(reply.body, "items"));
		last = print_events(cli, reply.body, last);
		api_reply_fini(&reply);
		/* After a full batch there may be more. */
		if ((!follow && (!since || n < EVENTS_BATCH)) || ferror(stdout))
			return CLI_OK;
		snprintf(path, sizeof(path), "/v1/events?limit=%d&since=%.0f&wait_ms=%d",
		         EVENTS_BATCH, last, follow ? FOLLOW_MS : 0);
	}
}
