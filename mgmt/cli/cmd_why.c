/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why, wait: both take the status of management and look for one thing in it. The request names the
 * part in which the thing stands, since a whole status of ten thousand backends is large. wait asks
 * again every WAIT_STEP_MS, because a ramp's level changes with time, without an event.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "mgmt/cli/advmss.h"
#include "mgmt/cli/cmd_node.h"
#include "mgmt/cli/cmd_override.h"
#include "mgmt/cli/names.h"
#include "mgmt/cli/op.h"
#include "mgmt/cli/vips.h"
#include "mgmt/json/row.h"
#include "mgmt/json/listing.h"
#include "mgmt/store/store.h"
#include "weir/when.h"

#define WAIT_DEFAULT_MS 60000 /* without --timeout */
#define WAIT_STEP_MS    200   /* between two requests */
#define WAIT_REPORT_MS  5000u /* between two lines that say what is waited for */
#define WAIT_SLOW_MS    1000u /* a request that took so long had no answer */
#define THING_PATH_MAX  256

/* "site NAME", "backend POOL/NAME", "pool NAME", "service NAME", "node NAME" */
struct thing {
	const char *kind, *name; /* of a backend: without its pool */
	char pool[64];
	char full[NAMES_BACKEND_MAX]; /* of a backend */
};

static int thing_of(const struct cli *cli, const struct cli_args *args, struct thing *t)
{
	static const char *const kinds[] = { "site", "backend", "pool", "service", "node" };

	*t = (struct thing){ .name = args->at[1] ? args->at[1] : "" };
	for (size_t i = 0; i < 5; i++)
		if (strcmp(args->at[0], kinds[i]) == 0)
			t->kind = kinds[i];
	if (!t->kind || !*t->name)
		return cli_fail(
		        CLI_USAGE,
		        "expected: site, backend, pool, service, node or vip, and its name");
	if (strcmp(t->kind, "backend") != 0)
		return CLI_OK;
	int status = names_backend(cli, t->name, t->full);
	if (status)
		return status;
	size_t n = strcspn(t->full, "/");
	if (n >= sizeof(t->pool))
		return cli_fail(CLI_USAGE, "expected: backend POOL/NAME");
	snprintf(t->pool, sizeof(t->pool), "%.*s", (int)n, t->full);
	t->name = t->full + n + 1;
	return CLI_OK;
}

static const json_t *find_thing(const json_t *status, const struct thing *t)
{
	char plural[16];

	if (t->pool[0]) {
		const json_t *pool = json_find(json_at(status, "pools"), "name", t->pool);

		return pool ? json_find(json_at(pool, "backends"), "name", t->name) : NULL;
	}
	snprintf(plural, sizeof(plural), "%ss", t->kind);
	return json_find(json_at(status, plural), "name", t->name);
}

static void print_overrides_of(const json_t *status, const json_t *thing)
{
	const json_t *id;
	size_t i;

	json_array_foreach(json_at(thing, "intent.overrides"), i, id)
	{
		const json_t *o = json_is_string(id) ? json_find(json_at(status, "overrides"), "id",
		                                                 json_string_value(id))
		                                     : NULL;

		if (o)
			row_show(stdout, o,
			         "override     {do} {state}, until " LISTING_UNTIL
			         ", by {author} at {created}: {reason}\n");
	}
}

static void print_member(const char *prefix, const char *name, const json_t *value);

/* Of a list of names, the names; of another, how many there are. */
static void print_list(const char *name, const json_t *list)
{
	const json_t *one;
	size_t i;

	if (!json_is_string(json_array_get(list, 0))) {
		printf(" %s=%zu", name, json_array_size(list));
		return;
	}
	printf(" %s=", name);
	json_array_foreach(list, i, one)
	{
		fputs(i ? "," : "", stdout);
		row_put(stdout, json_string_value(one) ? json_string_value(one) : "?");
	}
}

static void print_inner(const char *prefix, const json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	        print_member(prefix, name, value);
}

/* What is so, as NAME=VALUE: what is not so is left out, a share in millionths is a percentage. */
static void print_member(const char *prefix, const char *name, const json_t *value)
{
	char full[64];
	size_t n = (size_t)snprintf(full, sizeof(full), "%s%s%s", prefix, *prefix ? "." : "", name);

	if (json_is_false(value) || json_is_null(value) || n >= sizeof(full))
		return;
	if (json_is_object(value))
		print_inner(full, value);
	else if (json_is_array(value))
		print_list(full, value);
	else if (json_is_string(value))
		row_print(value, " %s={}", full);
	else if (json_is_true(value))
		printf(" %s=yes", full);
	else if (n > 4 && !strcmp(full + n - 4, "_ppm"))
		printf(" %.*s=%g%%", (int)n - 4, full, json_number_value(value) / 1e4);
	else
		printf(" %s=%.15g", full, json_number_value(value));
}

/*
 * Print a line: @p what, and the members of @p object (NULL: none) as NAME=VALUE. One inside another is
 * NAME.PART=VALUE, a list of names has commas, of another list its length is shown, and millionths (_ppm)
 * are a percentage. What is false or null is left out, and so are `views`, which have lines of their own.
 */
static void print_members(const char *what, const json_t *object)
{
	const char *name;
	json_t *value;

	printf("%-12s", what);
	json_object_foreach((json_t *)(uintptr_t)object, name,
	                    value) if (strcmp(name, "views") != 0) print_member("", name, value);
	putchar('\n');
}

/* Intent, observation and effect; a service has them at each of its sites. */
static void print_fields(const json_t *status, const json_t *thing)
{
	const json_t *four = json_at(thing, "observation.ipv4"),
	             *six = json_at(thing, "observation.ipv6");

	if (json_at(thing, "at"))
		return;
	print_members("intent", json_at(thing, "intent"));
	if (four)
		print_members("observed v4", four);
	if (six)
		print_members("observed v6", six);
	if (!four && !six)
		print_members("observed", json_at(thing, "observation"));
	print_members("effect", json_at(thing, "effect"));
	/* how each node sees the service at this site, where the sites vote */
	rows_print(json_at(thing, "effect.views"),
	           "seen by      {node|?} at {site|?}: IPv4 {ipv4|?}, IPv6 {ipv6|?}"
	           "[{?inconclusive}, inconclusive][{!fresh}, too old: counts as lost]\n");
	print_overrides_of(status, thing);
}

/* Whether @p name is one of the parts of @p subject, which '/' separates. */
static bool has_part(const char *subject, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = subject; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (strncmp(at, name, n) == 0 && (at[n] == '\0' || at[n] == '/'))
			return true;
	}
	return false;
}

/*
 * The subject of an event. A subject of full length may be cut; the last word of the message then
 * has all of it.
 */
static const char *subject_of(const json_t *event)
{
	const char *subject = api_text(event, "subject", "");
	const char *last = strrchr(api_text(event, "message", ""), ' ');

	return strlen(subject) >= EVENT_SUBJECT_MAX - 1 && last &&
	                       strncmp(last + 1, subject, EVENT_SUBJECT_MAX - 1) == 0
	               ? last + 1
	               : subject;
}

/* Whether an event is about the thing, a part of it, or one of its overrides. */
static bool event_concerns(const json_t *event, const struct thing *t, const json_t *thing)
{
	const json_t *ids = json_at(thing, "intent.overrides");
	const char *subject = subject_of(event);

	return json_lists(ids, subject) ||
	       (has_part(subject, t->name) && (!t->pool[0] || has_part(subject, t->pool)));
}

/* The last events that concern the thing. */
static json_t *events_of(const struct cli *cli, const struct thing *t, const json_t *thing)
{
	struct api_request request = { .method = "GET", .path = "/v1/events?limit=1000" };
	struct api_reply reply;
	json_t *out = json_array();
	const json_t *e;
	size_t i;

	if (api_call_quietly(cli, &request, &reply) != CLI_OK || !api_succeeded(&reply)) {
		api_reply_fini(&reply);
		return out;
	}
	json_array_foreach(json_at(reply.body, "items"), i, e)
	{
		if (event_concerns(e, t, thing))
			json_array_append(out, (json_t *)(uintptr_t)e);
	}
	api_reply_fini(&reply);
	while (json_array_size(out) > 10)
		json_array_remove(out, 0);
	return out;
}

/* Whether a reason of the node's state is about the thing: a pool's is also about what is in it. */
static bool reason_is_about(const json_t *reason, const struct thing *t)
{
	const char *subject = api_text(reason, "subject", "");
	size_t n = strlen(t->name);
	char own[2 * 64 + 2];

	snprintf(own, sizeof(own), "%s%s%.64s", t->pool, t->pool[0] ? "/" : "", t->name);
	if (strcmp(subject, own) == 0 || (t->pool[0] && strcmp(subject, t->pool) == 0))
		return true;
	return strcmp(t->kind, "pool") == 0 && strncmp(subject, t->name, n) == 0 &&
	       subject[n] == '/';
}

/* The reasons of the node's state that concern @p t; for the node itself, or NULL, all of them. */
static json_t *reasons_of(const json_t *status, const struct thing *t)
{
	json_t *out = json_array(), *r;
	size_t i;
	bool all = !t || (strcmp(t->kind, "node") == 0 &&
	                  strcmp(api_text(status, "node", ""), t->name) == 0);

	json_array_foreach(json_at(status, "reasons"), i, r)
	{
		if (all || reason_is_about(r, t))
			json_array_append(out, r);
	}
	return out;
}

static void print_reasons(const json_t *reasons)
{
	rows_print(reasons, "{-12 state|?} {code|?} since {since|-}: {text}\n");
}

/* What the texts say beyond the reasons: how many were left out. */
static void print_left_out(const json_t *texts, size_t n_reasons)
{
	for (size_t i = n_reasons; i < json_array_size(texts); i++)
		row_print(json_array_get(texts, i), "{}\n");
}

/* Why the node is as it is. */
static int explain_node(const struct cli *cli)
{
	struct api_request request = { .method = "GET", .path = "/v1/status?limit=1" };
	struct api_reply reply;
	int status = api_get(cli, &request, &reply);

	if (!api_succeeded(&reply))
		return status;
	json_t *reasons = reasons_of(reply.body, NULL);
	if (cli->json) {
		json_t *shown = json_with(json_object(), "state",
		                          json_incref(json_at(reply.body, "state")));

		api_print_own(json_with(shown, "reasons", json_incref(reasons)));
	} else {
		row_print(reply.body, "{node|?} is {state|?}\n");
		print_reasons(reasons);
		print_left_out(json_at(reply.body, "why"), json_array_size(reasons));
		print_reasons(json_at(reply.body, "notes"));
		row_print(reply.body, "[and {notes_left_out:n} more notes\n]");
	}
	json_decref(reasons);
	api_reply_fini(&reply);
	return CLI_OK;
}

/* Of a pool, or of a backend in one: which MSS its tunnels carry, if packets were too big. */
static void print_advmss(const json_t *status, const struct thing *t, const json_t *thing)
{
	if (!strcmp(t->kind, "pool"))
		advmss_print(thing, NULL);
	else if (!strcmp(t->kind, "backend"))
		advmss_print(json_find(json_at(status, "pools"), "name", t->pool), thing);
}

static void print_thing(const json_t *status, const struct thing *t, const json_t *thing,
                        const json_t *reasons, const json_t *events)
{
	const json_t *e;
	size_t i;

	print_fields(status, thing);
	print_advmss(status, t, thing);
	print_reasons(reasons);
	json_array_foreach(json_at(thing, "at"), i, e)
	{
		row_print(e, "at {site|?}, by pool {pool|?}\n");
		print_fields(status, e);
		if (json_at(e, "backup"))
			print_members("backup", json_at(e, "backup"));
	}
	rows_print(events, "{time} {kind} {subject}: {message}\n");
}

/*
 * The request for the part of the status in which @p t stands, or for all of it. A limit shortens
 * the lists of pools, services and overrides, but never those of nodes and sites; so it serves for
 * nodes, and @p briefly, without overrides, for sites.
 */
static void status_path(const struct thing *t, bool whole, bool briefly, char path[THING_PATH_MAX])
{
	const char *kind = t->kind ? t->kind : "node", *filter = NULL;

	if (!strcmp(kind, "backend") || !strcmp(kind, "pool"))
		filter = "pool";
	else if (!strcmp(kind, "site") && !briefly)
		filter = "site";

	char *name = filter && !whole ? api_escape(t->pool[0] ? t->pool : t->name) : NULL;

	if (name)
		snprintf(path, THING_PATH_MAX, "/v1/status?%s=%s", filter, name);
	else
		snprintf(path, THING_PATH_MAX, "/v1/status%s",
		         whole || filter || !strcmp(kind, "service") ? "" : "?limit=1");
	free(name);
}

static int query_status(const struct cli *cli, const struct thing *t, struct api_reply *reply)
{
	char path[THING_PATH_MAX];
	struct api_request request = { .method = "GET", .path = path };

	status_path(t, cli->json, false, path);
	return api_get(cli, &request, reply);
}

int cli_why(struct cli *cli, const struct cli_args *args)
{
	struct thing t;
	struct api_reply reply;
	int status;

	if (args->n == 2 && !strcmp(args->at[0], "vip") && *args->at[1])
		return vips_explain(cli, args->at[1]);
	status = args->n == 0 ? explain_node(cli) : thing_of(cli, args, &t);
	if (args->n == 0)
		return status;
	if (!status)
		status = query_status(cli, &t, &reply);
	if (status)
		return status;
	const json_t *thing = find_thing(reply.body, &t);
	if (!thing) {
		api_reply_fini(&reply);
		return cli_fail(CLI_USAGE, "there is no %s %s; weir status lists them", t.kind,
		                t.pool[0] ? t.full : t.name);
	}
	json_t *events = events_of(cli, &t, thing), *reasons = reasons_of(reply.body, &t);
	json_t *arrivals = strcmp(t.kind, "site") == 0 ? arrivals_query(cli, t.name) : NULL;
	if (cli->json) {
		json_t *shown = json_with(json_object(), "thing", json_incref(json_at(thing, "")));

		shown = json_with(shown, "reasons", json_incref(reasons));
		shown = json_with(shown, "events", json_incref(events));
		api_print_own(arrivals ? json_with(shown, "arrivals", json_incref(arrivals))
		                       : shown);
	} else {
		if (strcmp(t.kind, "site") == 0)
			arrivals_print(arrivals);
		if (t.pool[0] && strcmp(t.full, args->at[1]) != 0)
			printf("%-12s %s\n", "backend", t.full);
		print_thing(reply.body, &t, thing, reasons, events);
	}
	json_decref(arrivals);
	json_decref(reasons);
	json_decref(events);
	api_reply_fini(&reply);
	return CLI_OK;
}

/*
 * Whether intent, observation or effect says @p word. Separate observations of IPv4 and IPv6 must
 * both say it.
 */
static bool thing_says(const json_t *thing, const char *word)
{
	static const char *const fields[] = { "intent.state", "observation.state", "effect.state" };
	const char *four = api_text(thing, "observation.ipv4.state", NULL),
	           *six = api_text(thing, "observation.ipv6.state", NULL);

	for (size_t i = 0; i < 3; i++)
		if (strcmp(api_text(thing, fields[i], ""), word) == 0)
			return true;
	return (four || six) && (!four || strcmp(four, word) == 0) &&
	       (!six || strcmp(six, word) == 0);
}

/* A service is in a state if it is so at all of its sites. */
static bool thing_is_in_state(const json_t *thing, const char *word)
{
	const json_t *sites = json_at(thing, "at"), *at;
	size_t i;

	if (!json_array_size(sites))
		return thing_says(thing, word);
	json_array_foreach(sites, i, at) if (!thing_says(at, word)) return false;
	return true;
}

/* Whether a thing of @p kind, or with NULL all of Weir, can be in the state @p word. A pool has the state of its tables alone. */
static bool is_state(const char *word, const char *kind)
{
	static const char *const of_all[] = { "well", "degraded", "down", NULL };
	static const char *const of_pools[] = { "in_force", "out", "unknown", "elsewhere", NULL };
	static const char *const others[] = { "up",        "down",     "unknown",     "serve",
		                              "drain",     "disable",  "force_up",    "hold",
		                              "serving",   "draining", "drained",     "disabled",
		                              "out",       "in_force", "agreed",      "behind",
		                              "differs",   "ahead",    "unreachable", "elsewhere",
		                              "returning", NULL };
	const char *const *states = !kind ? of_all : !strcmp(kind, "pool") ? of_pools : others;

	while (*states && strcmp(*states, word) != 0)
		states++;
	return *states != NULL;
}

/* A site is drained when the answers give it no share any more, a backend when no flow is left. */
static bool thing_is_drained(const json_t *thing, const char *kind)
{
	if (strcmp(kind, "site") == 0)
		return api_number(thing, "effect.level_ppm", 0) >= 1e6;
	if (strcmp(kind, "backend") == 0)
		return strcmp(api_text(thing, "intent.state", ""), "drain") == 0 &&
		       strcmp(api_text(thing, "effect.state", ""), "out") == 0;
	return thing_is_in_state(thing, "drained");
}

static bool thing_has_state(const json_t *status, const struct thing *t, const char *word)
{
	const json_t *thing = t->kind ? find_thing(status, t) : NULL;

	if (!t->kind)
		return strcmp(api_text(status, "state", ""), word) == 0;
	if (!thing)
		return false;
	if (strcmp(word, "drained") == 0)
		return thing_is_drained(thing, t->kind);
	return thing_is_in_state(thing, word);
}

/*
 * No command is silent for long. @p last_ms: time of the last request; @p last_report_ms: time of
 * the last line
 */
static void print_wait_progress(const char *word, uint64_t since_ms, uint64_t last_ms,
                                uint64_t *last_report_ms)
{
	uint64_t now_ms = clock_mono_ms();

	if (now_ms < *last_report_ms + WAIT_REPORT_MS && now_ms < last_ms + WAIT_SLOW_MS)
		return;
	fprintf(stderr, "weir: not %s yet (%u s)\n", word, (unsigned)((now_ms - since_ms) / 1000));
	*last_report_ms = now_ms;
}

/*
 * Look once. Management may be restarted meanwhile: only a refusal, or a name that does not exist,
 * ends the wait early. @return whether the wait is over; @p status is then its exit status
 */
static bool is_wait_over(const struct cli *cli, const struct thing *t, const char *word,
                         const char *path, int *status)
{
	const struct api_request request = { .method = "GET", .path = path };
	struct api_reply reply;
	bool over = true;

	*status = api_call_quietly(cli, &request, &reply);
	if (*status != CLI_OK) {
		over = *status == CLI_DENIED;
	} else if (!api_succeeded(&reply)) {
		over = reply.status < 500;
		if (over)
			*status = api_refusal(&reply);
	} else if (thing_has_state(reply.body, t, word)) {
		const json_t *thing = t->kind ? find_thing(reply.body, t) : reply.body;

		if (cli->json)
			api_print_json(thing);
		else if (t->kind && !strcmp(t->kind, "node"))
			/* nothing where a neighbour does not show whether it honours it */
			rows_print(json_at(thing, "effect.neighbours"),
			           "neighbour {name|?} honours graceful shutdown: "
			           "{graceful_shutdown_honoured|not seen}\n");
	} else if (t->kind && json_is_string(json_at(reply.body, "cluster")) &&
	           !find_thing(reply.body, t)) {
		*status = cli_fail(CLI_USAGE, "there is no %s %s%s%s; weir status lists them",
		                   t->kind, t->pool, t->pool[0] ? "/" : "", t->name);
	} else {
		over = false;
	}
	api_reply_fini(&reply);
	return over;
}

static int wait_until(const struct cli *cli, const struct thing *t, const char *word,
                      int64_t timeout_ms)
{
	uint64_t since_ms = clock_mono_ms(), end_ms = since_ms + (uint64_t)timeout_ms;
	uint64_t last_report_ms = since_ms;
	const struct timespec step = { 0, WAIT_STEP_MS * 1000000L };
	char path[THING_PATH_MAX];
	int status;

	status_path(t, cli->json, true, path);
	for (;;) {
		uint64_t request_ms = clock_mono_ms();

		if (is_wait_over(cli, t, word, path, &status))
			return status;
		if (clock_mono_ms() >= end_ms)
			return cli_fail(
			        status == CLI_UNREACHABLE ? CLI_UNREACHABLE : CLI_TIMEOUT,
			        "timed out after %lld s%s", (long long)timeout_ms / 1000,
			        status == CLI_UNREACHABLE
			                ? "; management does not answer"
			                : "; the state may still be reached: look at weir status");
		print_wait_progress(word, since_ms, request_ms, &last_report_ms);
		nanosleep(&step, NULL);
	}
}

int node_wait_for_state(const struct cli *cli, const char *name, const char *state,
                        int64_t timeout_ms)
{
	const struct thing node = { .kind = "node", .name = name };

	return wait_until(cli, &node, state, timeout_ms);
}

/* wait well | wait site ams drained | wait backend POOL/NAME up */
int cli_wait(struct cli *cli, const struct cli_args *args)
{
	const char *timeout = cli_value(args, "--timeout"), *word = args->at[args->n - 1];
	int64_t timeout_ms = WAIT_DEFAULT_MS;
	struct thing t = { 0 };
	int status = CLI_OK;

	if (timeout && when_duration(timeout, &timeout_ms) != 0)
		return cli_fail(CLI_USAGE, "--timeout: expected a duration such as 5m");
	if (args->n == 3)
		status = thing_of(cli, args, &t);
	else if (args->n != 1)
		status = cli_fail(CLI_USAGE,
		                  "expected: well, or site|backend|pool|service|node NAME STATE");
	if (!status && args->n == 1 && !is_state(word, NULL))
		status = cli_fail(CLI_USAGE, "expected: well, degraded or down");
	else if (!status && args->n == 3 && !is_state(word, t.kind))
		status =
		        cli_fail(CLI_USAGE,
		                 strcmp(t.kind, "pool") != 0
		                         ? "%s is not a state; states of sites, backends and "
		                           "nodes: up, down, serving, draining, drained, out"
		                         : "%s is not a state of a pool; those are: in_force, out, "
		                           "unknown, elsewhere (backend POOL/NAME may be up)",
		                 word);
	return status ? status : wait_until(cli, &t, word, timeout_ms);
}
