/* SPDX-License-Identifier: BSD-2-Clause */
/* status, health, events, why: what is, and what was seen. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mgmt/cli/cmd_status.h"
#include "mgmt/cli/health_detail.h"

#define WATCH_S      1
#define EVENTS_SHOWN 20   /* without --limit */
#define EVENTS_BATCH 1000 /* at most so many an answer */
#define FOLLOW_MS    30000

static const char *state_of(const json_t *thing, const char *which)
{
	return api_text(json_object_get(thing, which), "state", "?");
}

static void print_head(const json_t *b)
{
	const json_t *version = json_object_get(b, "version"), *why;
	const char *by = api_text(b, "confirm_by", NULL);
	size_t i;

	printf("%s (site %s, cluster %s) %s   document %.0f", api_text(b, "node", "?"),
	       api_text(b, "site", "?"), api_text(b, "cluster", "?"), api_text(b, "state", "?"),
	       api_number(b, "document", 0));
	if (json_is_object(version))
		printf("   version %.0f of %s by %s: %s", api_number(version, "number", 0),
		       api_text(version, "time", "?"), api_text(version, "author", "?"),
		       api_text(version, "reason", ""));
	putchar('\n');
	json_array_foreach(json_object_get(b, "why"), i, why) if (json_string_value(why))
	        printf(" ! %s\n", json_string_value(why));
	if (by)
		printf(" ! version %.0f is undone at %s unless: weir confirm\n",
		       api_number(version, "number", 0), by);
}

static void print_age(const json_t *thing)
{
	double age = api_number(thing, "age_ms", -1);

	if (age >= 0)
		printf(" (%.1f s)", age / 1000);
}

static void print_processes(const json_t *b)
{
	const json_t *p;
	size_t i;

	printf("%-10s", "processes");
	json_array_foreach(json_object_get(b, "processes"), i, p)
	{
		printf(" %s %s", api_text(p, "process", "?"), api_text(p, "state", "?"));
		print_age(p);
	}
	printf("\n%-10s", "store");
	printf(" %s %s\n", state_of(b, "store"),
	       api_text(json_object_get(b, "store"), "detail", ""));
	if (json_array_size(json_object_get(b, "peers")) == 0)
		return;
	printf("%-10s", "peers");
	json_array_foreach(json_object_get(b, "peers"), i, p)
	{
		printf(" %s %s v%.0f", api_text(p, "node", "?"), api_text(p, "state", "?"),
		       api_number(p, "version", 0));
		print_age(p);
	}
	putchar('\n');
}

static void print_sites(const json_t *b)
{
	const json_t *s;
	size_t i;

	printf("\n%-16s %-12s %-12s %-10s %s\n", "SITE", "ASKED", "SEEN", "DRAINED", "SHARE");
	json_array_foreach(json_object_get(b, "sites"), i, s)
	{
		const json_t *effect = json_object_get(s, "effect");
		double level = api_number(effect, "level_ppm", -1),
		       share = api_number(effect, "weight_share_ppm", -1);
		char drained[16] = "unknown", part[16] = "unknown";

		if (level >= 0)
			snprintf(drained, sizeof(drained), "%.1f %%", level / 1e4);
		if (share >= 0)
			snprintf(part, sizeof(part), "%.1f %%", share / 1e4);
		printf("%-16s %-12s %-12s %-10s %s\n", api_text(s, "name", "?"),
		       state_of(s, "intent"), state_of(s, "observation"), drained, part);
	}
}

static void print_backend(const char *pool, const json_t *k)
{
	const json_t *effect = json_object_get(k, "effect"),
	             *seen = json_object_get(k, "observation");
	double share = api_number(effect, "share_ppm", -1);
	char name[2 * 64 + 2], part[16] = "-";

	snprintf(name, sizeof(name), "%s/%s", pool, api_text(k, "name", "?"));
	if (share >= 0)
		snprintf(part, sizeof(part), "%.1f %%", share / 1e4);
	printf("%-28s %-10s %-8s %-10s %-8s %s%s%s\n", name, state_of(k, "intent"),
	       state_of(k, "observation"), state_of(k, "effect"), part,
	       api_text(seen, "reason", ""), api_text(effect, "why", NULL) ? "; " : "",
	       api_text(effect, "why", ""));
}

static void print_pools(const json_t *b)
{
	const json_t *p, *k;
	size_t i, j;

	printf("\n%-28s %-10s %-8s %-10s %-8s %s\n", "BACKEND", "ASKED", "SEEN", "IN FORCE",
	       "SHARE", "LAST RESULT");
	json_array_foreach(json_object_get(b, "pools"), i, p)
	        json_array_foreach(json_object_get(p, "backends"), j, k)
	                print_backend(api_text(p, "name", "?"), k);
}

static void print_overrides(const json_t *b)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(b, "overrides"), i, o)
	{
		const json_t *target = json_object_get(o, "target");
		const char *site = api_text(target, "site", NULL);

		printf("%s%s %s%s%s: %s, %.1f %%, until %s, by %s: %s\n", i ? "" : "\n",
		       api_text(o, "do", "?"), site ? site : api_text(target, "pool", ""),
		       site ? "" : "/", site ? "" : api_text(target, "backend", ""),
		       api_text(o, "state", "?"), api_number(o, "level_ppm", 0) / 1e4,
		       api_text(o, "until", "never"), api_text(o, "author", "?"),
		       api_text(o, "reason", ""));
	}
}

static void print_status(const json_t *b)
{
	print_head(b);
	print_processes(b);
	print_sites(b);
	print_pools(b);
	print_overrides(b);
}

static int status_word(const json_t *body)
{
	const char *state = api_text(body, "state", "");

	if (strcmp(state, "well") == 0)
		return CLI_OK;
	return strcmp(state, "down") == 0 ? CLI_DOWN : CLI_DEGRADED;
}

static int status_once(struct cli *cli, bool clear)
{
	struct api_request request = { .method = "GET", .path = "/v1/status", .timeout_ms = 5000 };
	struct api_reply reply;
	int status = api_ask_quietly(cli, &request, &reply);

	if (clear)
		fputs("\033[H\033[2J", stdout);
	if (status == CLI_UNREACHABLE)
		return pages_status(cli);
	if (status)
		return status;
	if (!api_taken(&reply)) {
		status = api_refusal(&reply);
	} else {
		if (cli->json)
			api_print_json(reply.body);
		else
			print_status(reply.body);
		status = status_word(reply.body);
	}
	api_reply_fini(&reply);
	return status;
}

int cli_status(struct cli *cli, const struct cli_args *args)
{
	bool watch = cli_flag(args, "--watch");
	int status = status_once(cli, watch && !cli->json && isatty(STDOUT_FILENO));

	while (watch && status != CLI_DENIED && status != CLI_USAGE) {
		fflush(stdout);
		sleep(WATCH_S);
		if (ferror(stdout))
			break;
		status = status_once(cli, !cli->json && isatty(STDOUT_FILENO));
	}
	return status;
}

static void print_health(const json_t *body)
{
	const json_t *t;
	size_t i;

	printf("%-44s %-8s %-14s %-26s %s\n", "TARGET", "SEEN", "LAST RESULT", "SINCE",
	       "WHY, MARKS");
	json_array_foreach(json_object_get(body, "items"), i, t)
	{
		static const char *const marks[] = { "in_doubt", "inconclusive", "held",
			                             "restored" };
		const json_t *seen = json_object_get(t, "observation");
		char name[160];

		if (api_text(t, "pool", NULL))
			snprintf(name, sizeof(name), "%s/%s", api_text(t, "pool", ""),
			         api_text(t, "backend", ""));
		else
			snprintf(name, sizeof(name), "service %s at %s %s",
			         api_text(t, "service", ""), api_text(t, "site", ""),
			         api_text(t, "family", ""));
		printf("%-44s %-8s %-14s %-26s", name, api_text(seen, "state", "?"),
		       api_text(seen, "reason", "-"), api_text(seen, "since", "-"));
		if (api_text(t, "why", NULL))
			printf(" %s", api_text(t, "why", ""));
		for (size_t k = 0; k < 4; k++)
			if (json_is_true(json_object_get(seen, marks[k])))
				printf(" %s", marks[k]);
		putchar('\n');
	}
}

int cli_health(struct cli *cli, const struct cli_args *args)
{
	struct api_request request = { .method = "GET", .path = "/v1/health", .timeout_ms = 5000 };
	struct api_reply reply;
	int status = api_ask_quietly(cli, &request, &reply);

	(void)args;
	if (status == CLI_UNREACHABLE)
		return pages_health(cli);
	if (status)
		return status;
	if (!api_taken(&reply)) {
		status = api_refusal(&reply);
	} else {
		health_detail_join(cli, json_object_get(reply.body, "items"));
		if (cli->json)
			api_print_json(reply.body);
		else
			print_health(reply.body);
	}
	api_reply_fini(&reply);
	return status;
}

static void print_event(const json_t *e)
{
	printf("%s %-8s %-32s %s\n", api_text(e, "time", ""), api_text(e, "kind", ""),
	       api_text(e, "subject", ""), api_text(e, "message", ""));
}

/* Print a batch. @return the id of the last event in it, @p last when there is none */
static double print_events(const struct cli *cli, const json_t *body, double last)
{
	const json_t *e;
	size_t i;

	json_array_foreach(json_object_get(body, "items"), i, e)
	{
		if (cli->json)
			api_print_json(e);
		else
			print_event(e);
		last = api_number(e, "id", last);
	}
	fflush(stdout);
	return last;
}

/* The value of an option that is a whole number of at least @p least; @p fallback without it. @return -1: it is none */
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
		return cli_fail(CLI_USAGE, "--since shows all later ones; leave --limit out");
	if (since)
		snprintf(path, sizeof(path), "/v1/events?limit=%d&since=%.0f", EVENTS_BATCH, last);
	else
		snprintf(path, sizeof(path), "/v1/events?limit=%.0f", limit);
	for (;;) {
		struct api_reply reply;
		int status = api_get(cli, &request, &reply);

		if (!api_taken(&reply))
			return status;
		size_t n = json_array_size(json_object_get(reply.body, "items"));
		last = print_events(cli, reply.body, last);
		api_reply_fini(&reply);
		/* A full batch may not have been all. */
		if ((!follow && (!since || n < EVENTS_BATCH)) || ferror(stdout))
			return CLI_OK;
		snprintf(path, sizeof(path), "/v1/events?limit=%d&since=%.0f&wait_ms=%d",
		         EVENTS_BATCH, last, follow ? FOLLOW_MS : 0);
	}
}
