/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an answer means: its exit status, and a refusal in words, with what a person can do about it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/cli/api.h"
#include "mgmt/json/problem.h"
#include "mgmt/json/row.h"

bool api_succeeded(const struct api_reply *reply)
{
	return reply->status >= 200 && reply->status < 300;
}

/* Of a change that stands: everywhere, here only, or nowhere yet. */
static int status_of_change(const json_t *body)
{
	const json_t *nodes = json_object_get(body, "nodes"), *node;
	const json_t *complete = json_object_get(body, "complete");
	size_t i;
	bool some = false, lacks = false, refused = false, superseded = false;

	if (!complete || json_is_true(complete))
		return CLI_OK;
	json_array_foreach(nodes, i, node)
	{
		const char *state = api_text(node, "state", "");

		some |= strcmp(state, "in_force") == 0 || strcmp(state, "agreed") == 0;
		refused |= strcmp(state, "refused") == 0 || json_has_true(node, "rolled_back");
		superseded |= strcmp(state, "superseded") == 0;
		lacks |= strcmp(state, "unreachable") == 0 || strcmp(state, "differs") == 0 ||
		         strcmp(state, "not_written") == 0;
	}
	if (refused || superseded)
		return refused ? CLI_REJECTED : CLI_CONFLICT;
	return some && lacks ? CLI_PARTLY : CLI_TIMEOUT;
}

int api_status(const struct api_reply *reply)
{
	const char *code = api_text(reply->body, "code", "");

	if (api_succeeded(reply))
		return status_of_change(reply->body);
	switch (reply->status) {
	case 401:
	case 403:
		return CLI_DENIED;
	case 409:
		return strcmp(code, "guard") == 0 ? CLI_REFUSED : CLI_CONFLICT;
	case 410:
	case 412:
	case 428:
		return CLI_CONFLICT;
	case 429:
		return CLI_UNREACHABLE;
	default:
		return reply->status >= 500 ? CLI_UNREACHABLE : CLI_USAGE;
	}
}

/* What @p known does not hold already. */
static void print_refusal_list(const json_t *list, const char *key, bool only_failed,
                               const char *known)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (only_failed && json_has_true(item, "ok"))
			continue;
		if (strstr(known, api_text(item, key, "")) &&
		    strstr(known, api_text(item, "detail", "")))
			continue;
		fputs("  ", stderr);
		row_put(stderr, api_text(item, key, ""));
		fputs(": ", stderr);
		row_put(stderr, api_text(item, "detail", ""));
		fputc('\n', stderr);
	}
}

int api_refusal(const struct api_reply *reply)
{
	return api_refusal_with(reply, NULL);
}

int api_refusal_with(const struct api_reply *reply, const char *anyway)
{
	const json_t *body = reply->body;
	const char *code = api_text(body, "code", "");
	const char *what = anyway ? NULL : problem_cure(code);
	const char *detail = api_text(body, "detail", "");

	rows_write(stderr, json_at(body, "mistakes"), SIZE_MAX,
	           "{file}:[{?line}{line:n}:] [{field}: ]{message}\n");
	bool has_title = json_is_string(json_at(body, "title"));
	char *said = row_cell(body, NULL, has_title ? "{title}[: {detail}]" : "[: {detail}]");

	if (has_title && said)
		cli_fail(CLI_OK, "%s", said);
	else
		cli_fail(CLI_OK,
		         "management gave an answer that this command does not understand "
		         "(status %ld)%s",
		         reply->status, said ? said : "");
	free(said);
	print_refusal_list(json_object_get(body, "errors"), "field", false, detail);
	print_refusal_list(json_object_get(body, "guards"), "guard", true, detail);
	row_show(stderr, body, "{*positions}  {file|?}:{line:n|0}\n{/}");
	if (anyway && *anyway) {
		fputs("  to do it anyway (kept in the record): ", stderr);
		row_put_lines(stderr, anyway);
		fputc('\n', stderr);
	} else if (what)
		fprintf(stderr, "  %s\n", what);
	row_show(stderr, body, OLD_FILE);
	return api_status(reply);
}
