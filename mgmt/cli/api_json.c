/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members of answers, and printing what is in them: apart from the client of the API (api.c), because
 * weir-agent has no such client and no libcurl.
 */
#include <stdio.h>

#include "mgmt/cli/api.h"
#include "mgmt/json/row.h"

const char *api_text(const json_t *object, const char *path, const char *otherwise)
{
	const char *text = json_string_value(json_at(object, path));

	return text ? text : otherwise;
}

double api_number(const json_t *object, const char *path, double otherwise)
{
	const json_t *n = json_at(object, path);

	return json_is_number(n) ? json_number_value(n) : otherwise;
}

void api_print_json(const json_t *body)
{
	json_dumpf(body, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	putchar('\n');
}

void api_print_own(json_t *body)
{
	api_print_json(body);
	json_decref(body);
}

void api_print_body(const struct cli *cli, const json_t *body, void (*print)(const json_t *body))
{
	if (cli->json)
		api_print_json(body);
	else
		print(body);
}

void api_print_text(const struct cli *cli, const json_t *body, const char *text)
{
	if (cli->json)
		api_print_json(body);
	else
		row_show(stdout, body, text);
}

void api_print_own_text(const struct cli *cli, json_t *body, const char *text)
{
	api_print_text(cli, body, text);
	json_decref(body);
}
