/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * get [PATH]: the kinds of objects, a list, an object, or one setting of it, of the version in force. Management shows
 * objects (docs/api.md, Objects); what lies behind an object in a path is looked up here in its JSON, and in its JSON
 * Schema, which knows settings that are not given. A single setting is printed bare, for scripts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/cli/api.h"
#include "mgmt/cli/edit/setting.h"
#include "mgmt/json/row.h"
#include "mgmt/json/setting.h"
#include "weir/object.h"

#define PAGE_PATH_MAX (OBJECT_PATH_MAX + 128) /* bytes of a request's path with its query */
#define TRIES         5 /* to read a list of one version, while others change it */

/* --- lists --- */

/* The paths of all kinds, with what they are. */
static int print_kinds(const struct cli *cli)
{
	json_t *items = json_array();

	for (enum object_kind kind = 0; kind < OBJECT_NONE; kind++) {
		const struct object_row *row = object_row(kind);
		const char *braces = strstr(row->path, "{}");
		int n = braces ? (int)(braces - row->path) : (int)strlen(row->path);
		char path[64];

		snprintf(path, sizeof(path), "%.*s%s%s", n, row->path, braces ? "NAME" : "",
		         braces ? braces + 2 : "");
		json_array_append_new(items, JSON_TEXTS({ "path", path },
		                                        { "help", model_schema[row->list].help }));
	}
	api_print_own_text(cli, json_with(json_object(), "items", items),
	                   "{*items}{-20 path} {help}\n{/}");
	return CLI_OK;
}

/* Read a page. @return CLI_OK with @p expired or the answer's items added to @p items; else after a message */
static int read_page(const struct cli *cli, const char *path, char *cursor, size_t size,
                     json_t *items, bool *expired)
{
	char what[PAGE_PATH_MAX];
	const struct api_request request = { .method = "GET", .path = what };
	struct api_reply reply;

	snprintf(what, sizeof(what), "/v1/%s?limit=1000%s%s", path, *cursor ? "&cursor=" : "",
	         cursor);
	int status = api_query(cli, &request, &reply);
	if (status)
		return status;
	*expired = reply.status == 410;
	if (!*expired && !api_succeeded(&reply))
		status = api_refusal(&reply);
	json_array_extend(items, json_object_get(reply.body, "items"));
	snprintf(cursor, size, "%s", api_text(reply.body, "next", ""));
	api_reply_fini(&reply);
	return status;
}

/* All objects of a list, of one version, given in @p out. */
static int read_list(const struct cli *cli, const char *path, json_t **out)
{
	char cursor[64] = "";
	bool expired = true;
	int status = CLI_OK;

	*out = json_array();
	for (int tries = 0; !status && (expired || *cursor);) {
		if (expired) { /* another version came into force: from the beginning */
			json_array_clear(*out);
			*cursor = '\0';
			if (tries++ == TRIES)
				return cli_fail(
				        CLI_CONFLICT,
				        "the configuration changes all the time: try again");
		}
		status = read_page(cli, path, cursor, sizeof(cursor), *out, &expired);
	}
	return status;
}

static int print_list(const struct cli *cli, const struct object_path *path, const char *text)
{
	json_t *items;
	int status = read_list(cli, text, &items);
	char line[64];

	snprintf(line, sizeof(line), "{*items}{%s}\n{/}", object_row(path->kind)->key);
	if (status)
		json_decref(items);
	else
		api_print_own_text(cli, json_with(json_object(), "items", items), line);
	return status;
}

/* --- an object --- */

static void print_row(const char *path, const json_t *value)
{
	printf("%-20s ", path);
	setting_put(stdout, value);
	putchar('\n');
}

/* The settings of a group, each with its path from the object on: "labels/region        eu". */
static void print_settings(const char *path, const json_t *group)
{
	char below[OBJECT_PATH_MAX], element[OBJECT_PATH_MAX + OBJECT_NAME_MAX];
	const char *name;
	json_t *value, *one;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)group, name, value)
	{
		bool is_list = json_is_object(json_array_get(value, 0));

		snprintf(below, sizeof(below), "%s%s%s", path, *path ? "/" : "", name);
		if (json_is_object(value))
			print_settings(below, value);
		else if (!is_list)
			print_row(below, value);
		json_array_foreach(value, i, one) if (is_list)
		{
			snprintf(element, sizeof(element), "%s/%s", below,
			         setting_element_name(one));
			print_row(element, one);
		}
	}
}

/* A setting alone: a list has a line for each entry, of a list of groups their names are shown. */
static void print_setting(const json_t *value)
{
	json_t *one;
	size_t i;

	if (json_is_object(value)) {
		print_settings("", value);
		return;
	}
	json_array_foreach(value, i, one)
	{
		row_put(stdout,
		        json_is_object(one) ? setting_element_name(one) : json_string_value(one));
		putchar('\n');
	}
	if (json_is_array(value) || !value)
		return;
	if (json_is_string(value))
		row_put(stdout, json_string_value(value));
	else
		setting_put(stdout, value);
	putchar('\n');
}

/* --- what lies behind an object in a path --- */

/* Whether objects of @p kind can have the setting. @return CLI_OK, or an exit status after a message */
static int check_setting(enum object_kind kind, const char *object, const char *setting)
{
	json_t *schema = object_schema(kind);
	char suggestion[SUGGEST_TEXT_MAX];
	int status = setting_describe(schema, setting, suggestion)
	                     ? CLI_OK
	                     : cli_fail(CLI_USAGE, "%s has no setting %s%s", object, setting,
	                                suggestion);

	json_decref(schema);
	return status;
}

static int print_object(const struct cli *cli, const struct object_path *path, const char *text,
                        const char *setting)
{
	char what[PAGE_PATH_MAX];
	const struct api_request request = { .method = "GET", .path = what };
	struct api_reply reply;

	int status = check_setting(path->kind, text, setting);
	if (status)
		return status;
	snprintf(what, sizeof(what), "/v1/%s", text);
	status = api_get(cli, &request, &reply);
	if (!api_succeeded(&reply))
		return status;
	bool lacks;
	const json_t *value = setting_find(reply.body, setting, &lacks);
	if (lacks)
		status = cli_fail(CLI_USAGE, "%s has no %s", text, setting);
	else if (cli->json)
		api_print_own(value ? json_incref((json_t *)(uintptr_t)value) : json_null());
	else
		print_setting(value);
	api_reply_fini(&reply);
	return status;
}

int cli_get(struct cli *cli, const struct cli_args *args)
{
	char text[OBJECT_PATH_MAX];
	struct object_path path;
	const char *setting;

	if (!args->n)
		return print_kinds(cli);
	int status = setting_read_path(args->at[0], &setting, &path);
	if (status)
		return status;
	object_path_text(&path, text);
	return object_is_list(&path) ? print_list(cli, &path, text)
	                             : print_object(cli, &path, text, setting);
}
