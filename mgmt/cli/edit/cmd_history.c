/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What changed, and who changed it: versions, diff, blame. Management answers blame for so many versions at a time; the command
 * goes on until all is known, and ends with what is known where a person has enough of it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mgmt/cli/api.h"
#include "mgmt/cli/cmd_change.h"
#include "mgmt/json/listing.h"
#include "mgmt/json/row.h"
#include "mgmt/json/setting.h"
#include "record/fields.h"
#include "weir/object.h"

/* Who made a version, when and why. */
#define WHO "{time}  {author}[ ({principal})][ on {node}]: {reason}\n"

/* --- versions --- */

static void print_versions(const json_t *body)
{
	static const struct listing_column columns[] = {
		{ "Version", "{number:n|0}", LISTING_TEXT, -8 },
		{ "Time", "{time}", LISTING_TEXT, -25 },
		{ "State", "{state}", LISTING_TEXT, -12 },
		{ "Author", "{author}", LISTING_TEXT, -12 },
		{ "Principal", "{principal}", LISTING_TEXT, -14 },
		{ "Reason",
		  "{reason}[\n         rolled back at {confirm_by} unless confirmed: weir confirm {number:n|0}[; until then at {canary} alone]]",
		  LISTING_TEXT, LISTING_LAST },
		{ 0 },
	};

	listing_print(&(struct listing_table){ .list = "items", .columns = columns }, body);
}

#define DIFF_LIMIT 10u /* versions, unless --limit says more: each is a request */
#define DIFF_SPARE                                                                                 \
	50u /* versions more that are asked for: the one before the last is one of them */
#define MOST_SHOWN "20" /* differences of a version */

static void print_differences(const json_t *body)
{
	row_show(
	        stdout, body,
	        "{*items}version {number:n|0}[ ({?state=ended}ended)][ ({?state=unconfirmed}unconfirmed[, at {canary} alone])]  " WHO
	        "[  rolled back to version {rolled_back_to:n}\n][  passed gate {without_gates}\n][  proposed by {proposed_by}, approved by {approved_by}\n]"
	        "{*diff}[   {note}\n]{*" MOST_SHOWN " changes}  " CHANGE "{/}{/}{/}");
}

/* The version that @p list, newest first, has before number @p i: what that was made from. NULL: it is not in it */
static const json_t *find_before(const json_t *list, size_t i)
{
	const char *parent = api_text(json_array_get(list, i), "parent", "");
	json_t *one;

	for (size_t k = i + 1; *parent && (one = json_array_get(list, k)); k++)
		if (!strcmp(api_text(one, "digest", ""), parent))
			return one;
	return NULL;
}

#define DIFFERENCE_ROWS(X, t)                                                                      \
	X(t, json_t *, from)                                                                       \
	X(t, json_t *, changes)                                                                    \
	X(t, const char *, note, .spare = true)
RECORD_SHOWN(difference, "difference", DIFFERENCE_ROWS);

/* What an answer says of the changes from version @p before to @p v. */
static json_t *show_changes(const json_t *answer, const json_t *before, const json_t *v)
{
	json_t *changes = json_object_get(answer, "changes");
	char note[96] = "";

	if (!json_is_array(changes))
		snprintf(note, sizeof(note), "this release cannot compare it");
	else if (json_array_size(changes) == 0)
		snprintf(note, sizeof(note), "no setting; weir diff %.0f %.0f shows the text",
		         api_number(before, "number", 0), api_number(v, "number", 0));
	return SHOWN(difference, .from = json_incref(json_object_get(before, "number")),
	             .changes = json_incref(changes), .note = note);
}

/* What version @p i of the list changed, given: {from, changes, note?}. NULL: management does not answer, with *status */
static json_t *query_difference(const struct cli *cli, const json_t *list, size_t i, int *status)
{
	const json_t *v = json_array_get(list, i), *before = find_before(list, i);
	char path[96], note[160];
	const struct api_request request = { .method = "GET", .path = path };
	struct api_reply reply;

	if (!before)
		return SHOWN(difference,
		             .note = *api_text(v, "parent", "")
		                             ? "what it was made from is not in the list"
		                             : "the first version");
	snprintf(path, sizeof(path), "/v1/versions/%.0f/diff/%.0f", api_number(before, "number", 0),
	         api_number(v, "number", 0));
	*status = api_query(cli, &request, &reply);
	if (*status)
		return NULL;
	snprintf(note, sizeof(note), "%s", api_text(reply.body, "detail", "not known"));
	json_t *out = api_succeeded(&reply) ? show_changes(reply.body, before, v)
	                                    : SHOWN(difference, .note = note);
	api_reply_fini(&reply);
	return out;
}

/* Each of the first @p n versions with what it changed. */
static int show_differences(const struct cli *cli, const struct api_request *request, size_t n)
{
	struct api_reply reply;
	int status = api_get(cli, request, &reply);

	if (!api_succeeded(&reply))
		return status;
	json_t *list = json_object_get(reply.body, "items"), *one, *diff = NULL;
	size_t i;

	json_array_foreach(list, i, one)
	{
		if (i == n || !(diff = query_difference(cli, list, i, &status)))
			break;
		json_object_set_new(one, "diff", diff);
	}
	while (json_array_size(list) > i)
		json_array_remove(list, json_array_size(list) - 1);
	api_print_body(cli, reply.body, print_differences);
	api_reply_fini(&reply);
	return status;
}

int cli_versions(struct cli *cli, const struct cli_args *args)
{
	char path[64];
	const char *limit = cli_value(args, "--limit");
	bool differences = cli_flag(args, "--diff");
	const struct api_request request = { .method = "GET", .path = path };

	if (limit && change_number(limit) == 0)
		return cli_fail(CLI_USAGE, "--limit: expected a number");
	unsigned long long n = limit ? change_number(limit) : differences ? DIFF_LIMIT : 20ULL;
	if (!differences) {
		snprintf(path, sizeof(path), "/v1/versions?limit=%llu", n);
		return api_show(cli, &request, print_versions);
	}
	if (n > 1000)
		n = 1000;
	snprintf(path, sizeof(path), "/v1/versions?limit=%llu",
	         n + DIFF_SPARE > 1000 ? 1000 : n + DIFF_SPARE);
	return show_differences(cli, &request, (size_t)n);
}

/* --- diff --- */

/* A side of a comparison as the API takes it: a number, "head", NODE or NODE:NUMBER. */
static bool is_side(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n = strspn(text, allowed);

	return n > 0 && n < 64 &&
	       (text[n] == '\0' || (text[n] == ':' && change_number(text + n + 1) > 0));
}

static void print_diff(const json_t *body)
{
	const char *text = api_text(body, "text", "");

	if (strcmp(api_text(body, "from_node", ""), api_text(body, "to_node", "")) != 0)
		row_show(
		        stdout, body,
		        "from version {from:n|0} of {from_node} to version {to:n|0} of {to_node}\n");
	row_show(stdout, body, CHANGES "[{!text}{!text=null}{!changes}no difference\n][{?text}\n]");
	row_put_lines(stdout, text);
	row_show(stdout, body, "[{?text=null}the text of the files is shown to operators only\n]");
}

/* Without arguments: what weir.conf would change; with one, against the version in force here. */
int cli_diff(struct cli *cli, const struct cli_args *args)
{
	char path[256];
	struct api_request request = { .method = "GET", .path = path };

	if (args->n == 0)
		return cli_plan(cli, args);
	for (size_t i = 0; i < (size_t)args->n; i++)
		if (!is_side(args->at[i]))
			return cli_fail(CLI_USAGE,
			                "%s: expected the number of a version (weir versions lists "
			                "them), a node's name for its head, or NODE:NUMBER",
			                args->at[i]);
	snprintf(path, sizeof(path), "/v1/versions/%s/diff/%s", args->at[0],
	         args->at[1] ? args->at[1] : "head");
	return api_show(cli, &request, print_diff);
}

/* --- blame --- */

static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* The next SIGINT is noted; one more ends the command as ever. */
static void await_interrupt(void)
{
	struct sigaction action = { .sa_handler = note_interrupt, .sa_flags = SA_RESETHAND };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
}

/* Show a person how far it is; "": nothing any more. */
static void show_progress(const struct cli *cli, const json_t *answer)
{
	if (cli->json || !isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	row_show(
	        stderr, answer,
	        "[{?next}versions before {before:n}; {open:count} not found yet (Ctrl-C ends it)]");
	fflush(stderr);
}

/* Query, from @p cursor on ("": from the version in force). @return as api_get() */
static int query_blame(const struct cli *cli, const char *path, const char *cursor,
                       struct api_reply *reply)
{
	char *escaped = api_escape(path), what[3 * OBJECT_PATH_MAX];
	const struct api_request request = { .method = "GET", .path = what };

	snprintf(what, sizeof(what), "/v1/blame?path=%s%s%s", escaped, *cursor ? "&cursor=" : "",
	         cursor);
	free(escaped);
	return api_get(cli, &request, reply);
}

/* Query until all is known. @param out  given: the answers as one; NULL: there was none @return the exit status */
static int query_whole(const struct cli *cli, const char *path, json_t **out)
{
	char cursor[300] = "";
	int status;

	*out = NULL;
	do {
		struct api_reply reply;

		status = query_blame(cli, path, cursor, &reply);
		if (!api_succeeded(&reply))
			break;
		json_t *body = json_incref(reply.body);
		api_reply_fini(&reply);
		if (*out) {
			json_array_extend(json_object_get(*out, "items"),
			                  json_object_get(body, "items"));
			json_array_extend(json_object_get(*out, "unread"),
			                  json_object_get(body, "unread"));
			json_object_set(body, "items", json_object_get(*out, "items"));
			json_object_set(body, "unread", json_object_get(*out, "unread"));
			json_decref(*out);
		}
		*out = body;
		snprintf(cursor, sizeof(cursor), "%s", api_text(body, "next", ""));
		show_progress(cli, body);
	} while (*cursor && !interrupted);
	show_progress(cli, NULL);
	return status;
}

/* A value, but of an object that comes or goes: its path says it. */
static void print_blamed(const json_t *item)
{
	const json_t *from = json_object_get(item, "from"), *to = json_object_get(item, "to");
	bool is_change = !strcmp(api_text(item, "kind", ""), "changed");

	row_show(stdout, item, "   [{?kind=added}+|{?kind=removed}-|~] {path}");
	if (is_change || !(json_is_object(from) || json_is_object(to))) {
		fputs(json_is_null(from) ? "  -" : "  ", stdout);
		setting_put(stdout, from);
		fputs(json_is_null(to) ? " -> -" : " -> ", stdout);
		setting_put(stdout, to);
	}
	putchar('\n');
}

static void print_blame(const json_t *body)
{
	const json_t *before = NULL;
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(body, "items"), i, item)
	{
		if (!before ||
		    !json_equal(json_object_get(before, "version"),
		                json_object_get(item, "version")) ||
		    !json_equal(json_object_get(before, "certain"),
		                json_object_get(item, "certain")))
			row_show(
			        stdout, item,
			        "version {version:n|0}[{?certain=false}, or one that could not be read]  " WHO);
		print_blamed(item);
		before = item;
	}
	row_show(
	        stdout, body,
	        "[{?open}[{?next}unchanged back to version {before:n|0}, and not looked for before that:|"
	        "unchanged since version {before:n|0}, the oldest that is kept, or longer:]\n]"
	        "{*open}     {}\n{/}"
	        "[{?more}... and {more:n} more: ask for what is in it\n]"
	        "{*unread}version {version:n|0} could not be read: {reason}\n{/}");
}

int cli_blame(struct cli *cli, const struct cli_args *args)
{
	json_t *body;

	await_interrupt();
	int status = query_whole(cli, args->at[0], &body);

	if (body)
		api_print_body(cli, body, print_blame);
	json_decref(body);
	if (interrupted) {
		fflush(stdout);
		raise(SIGINT); /* so that the shell knows */
	}
	return status;
}
