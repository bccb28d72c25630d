/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * set, add, remove, edit: changes of single objects of the version in force (docs/api.md, Edits). Management edits the text in
 * place and checks names and values; here a text becomes a number where the description of the kind says so.
 *
 * Each change names the object as it was read (If-Match). If it is another one by then, what decides is what is being changed:
 * where another person changed other settings of it, the change is made once more to the object as it is now; where they
 * changed the same, nothing is done, and both are shown.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/cli/api.h"
#include "mgmt/cli/cmd_change.h"
#include "mgmt/cli/edit/editor.h"
#include "mgmt/cli/edit/setting.h"
#include "mgmt/json/row.h"
#include "mgmt/json/setting.h"
#include "weir/object.h"

#define TRIES 5
#define EDIT_PATH_MAX                                                                              \
	(OBJECT_PATH_MAX + CLI_LINE_MAX) /* bytes of a request's path with its query */

/* What a command changes. */
struct edited {
	struct object_path path;
	char text[OBJECT_PATH_MAX];
	const char *setting; /* behind the object, "tcp/port"; "": all of it */
	char etag[OBJECT_ETAG_MAX];
	json_t *now; /* as it was read; NULL: not yet, or it is new */
};

static void end_edited(struct edited *e)
{
	json_decref(e->now);
	e->now = NULL;
}

/* --- requests --- */

static int read_edited_path(const char *given, struct edited *out)
{
	*out = (struct edited){ .setting = "" };
	int status = setting_read_path(given, &out->setting, &out->path);

	if (!status)
		object_path_text(&out->path, out->text);
	return status;
}

static void keep_etag(struct edited *e, const char *etag)
{
	size_t n = strlen(etag);
	bool quoted = n >= 2 && etag[0] == '"' && etag[n - 1] == '"';

	snprintf(e->etag, sizeof(e->etag), "%.*s", (int)(quoted ? n - 2 : n),
	         quoted ? etag + 1 : etag);
}

/* Read an object as it is in force. @return CLI_OK, or an exit status after a message */
static int fetch_object(const struct cli *cli, struct edited *e)
{
	char path[OBJECT_PATH_MAX + 8];
	struct api_request request = { .method = "GET", .path = path };
	struct api_reply reply;

	snprintf(path, sizeof(path), "/v1/%s", e->text);
	int status = api_get(cli, &request, &reply);
	if (!api_succeeded(&reply))
		return status ? status : CLI_UNREACHABLE;
	end_edited(e);
	e->now = json_incref(reply.body);
	keep_etag(e, reply.etag);
	api_reply_fini(&reply);
	return CLI_OK;
}

/* Why and how, as a query. Takes @p options. @return CLI_OK, or an exit status after a message */
static int write_query(const struct cli_args *args, const struct edited *e, json_t *options,
                       char out[EDIT_PATH_MAX])
{
	char query[CHANGE_QUERY_MAX];
	const char *name;
	json_t *value;

	if (!change_write_query(args, query)) {
		json_decref(options);
		return CLI_USAGE;
	}
	size_t n = (size_t)snprintf(out, EDIT_PATH_MAX, "/v1/%s%s", e->text, query);

	json_object_foreach(options, name, value)
	{
		char *text = api_escape(json_string_value(value));

		if (text && n < EDIT_PATH_MAX)
			n += (size_t)snprintf(out + n, EDIT_PATH_MAX - n, "&%s=%s", name, text);
		free(text);
	}
	json_decref(options);
	return n < EDIT_PATH_MAX ? CLI_OK : cli_fail(CLI_USAGE, "the reason is too long");
}

/*
 * Send an edit; @p value is taken. @return CLI_OK with any HTTP status and a @p reply, given; or an exit status after a message
 */
static int send_edit(const struct cli *cli, const struct cli_args *args, const struct edited *e,
                     const char *method, json_t *value, struct api_reply *reply)
{
	json_t *options = change_add_options(json_object(), args);
	char *path = malloc(EDIT_PATH_MAX);
	int status = !options ? CLI_USAGE
	             : !path  ? cli_fail(CLI_UNREACHABLE, "out of memory")
	                      : write_query(args, e, options, path);

	if (status) {
		json_decref(value);
		free(path);
		return status;
	}
	struct api_request request = { .method = method,
		                       .path = path,
		                       .body = value,
		                       .if_match = e->now ? e->etag : NULL,
		                       .is_new = !e->now,
		                       .reads = cli_flag(args, "--dry-run") };
	status = api_query(cli, &request, reply);
	free(path);
	return status;
}

/* Print the answer to an edit, or why it was refused. Frees @p reply. @return the exit status */
static int end_edit(const struct cli *cli, struct api_reply *reply)
{
	int status = api_conclude(cli, reply);

	if (api_succeeded(reply)) {
		api_print_body(cli, reply->body, change_print);
		api_reply_fini(reply);
	}
	return status;
}

static bool is_stale(const struct api_reply *reply)
{
	return reply->status == 412 && json_has_text(reply->body, "code", "stale");
}

/* Take the object as it is now from a refusal. @return false: it is not there any more */
static bool accept_object(const struct api_reply *reply, struct edited *e)
{
	json_t *object = json_object_get(reply->body, "object");

	if (!json_is_object(object))
		return false;
	end_edited(e);
	e->now = json_incref(object);
	keep_etag(e, api_text(reply->body, "head", ""));
	return true;
}

/* --- settings --- */

/* A text as the value that its description asks for; what is none stays a text, and management says what is wrong. */
static json_t *make_value(const json_t *described, const char *text)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	if (json_has_text(described, "type", "integer") && *text && !*end)
		return json_integer(n);
	if (json_has_text(described, "type", "boolean") &&
	    (!strcmp(text, "true") || !strcmp(text, "false")))
		return json_boolean(!strcmp(text, "true"));
	return json_string(text);
}

/* The value of --value. @return CLI_OK, or an exit status after a message */
static int read_json_value(const char *text, json_t **out)
{
	json_error_t error;

	*out = json_read(text, strlen(text), JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
	return *out ? CLI_OK : cli_fail(CLI_USAGE, "--value: no JSON: %s", error.text);
}

/* The value that a set is given, of words or of --value. @return CLI_OK, or an exit status after a message */
static int read_value(const struct cli_args *args, const struct edited *e, json_t **out)
{
	const char *given = cli_value(args, "--value");
	json_t *schema = object_schema(e->path.kind);
	const json_t *described = setting_describe(schema, e->setting, NULL);
	bool is_list = json_has_text(described, "type", "array");
	int status = CLI_OK;

	*out = NULL;
	if (given && args->n > 1)
		status = cli_fail(CLI_USAGE, "give words or --value, not both");
	else if (given)
		status = read_json_value(given, out);
	else if (args->n < 2)
		status = cli_fail(CLI_USAGE, "an argument is missing: the value of %s", e->setting);
	else if (!is_list && args->n > 2)
		status = cli_fail(CLI_USAGE, "%s takes one value", e->setting);
	else
		*out = is_list ? json_array() : make_value(described, args->at[1]);
	for (int i = 1; !status && !given && is_list && i < args->n; i++)
		json_array_append_new(*out,
		                      make_value(json_object_get(described, "items"), args->at[i]));
	if (!status && !*out)
		status = cli_fail(CLI_USAGE, "%s: expected text in UTF-8", e->setting);
	json_decref(schema);
	return status;
}

static json_t *make_patch(const json_t *now, const char *setting, const json_t *value);

/* A copy of a list of groups in which one is changed, or without it if it is taken away; a list is replaced whole. */
static json_t *patch_list(const json_t *list, const char *setting, const json_t *value)
{
	json_t *copy = json_array(), *one, *member;
	char name[OBJECT_NAME_MAX];
	const char *behind = setting_split(setting, name), *key;
	size_t i;

	json_array_foreach(list, i, one)
	{
		json_t *changed = json_deep_copy(one);

		if (strcmp(setting_element_name(one), name) != 0) {
			json_array_append_new(copy, changed);
			continue;
		}
		json_t *patch = *behind ? make_patch(one, behind, value) : NULL;
		json_object_foreach(patch, key, member)
		{
			if (json_is_null(member))
				json_object_del(changed, key);
			else if (json_is_object(member) &&
			         json_is_object(json_object_get(changed, key)))
				json_object_update(json_object_get(changed, key), member);
			else
				json_object_set(changed, key, member);
		}
		if (*behind)
			json_array_append(copy, changed);
		else if (!json_is_null(value))
			json_array_append(copy, (json_t *)(uintptr_t)value);
		json_decref(patch);
		json_decref(changed);
	}
	return copy;
}

/* The merge patch (RFC 7396) that gives a setting of @p now a value; null takes it away. Given. */
static json_t *make_patch(const json_t *now, const char *setting, const json_t *value)
{
	char name[OBJECT_NAME_MAX];
	const char *behind = setting_split(setting, name);
	const json_t *member = json_object_get(now, name);

	if (!*behind)
		return json_with(json_object(), name, json_deep_copy(value));
	return json_with(json_object(), name,
	                 json_is_array(member) ? patch_list(member, behind, value)
	                                       : make_patch(member, behind, value));
}

/* Both persons' values of what they both changed. */
static int report_conflict(const struct cli *cli, const struct api_reply *reply,
                           const struct edited *e, const char *setting, const json_t *was,
                           const json_t *is)
{
	char *before = was ? json_dumps(was, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	char *now = is ? json_dumps(is, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	if (cli->json)
		api_print_json(reply->body);
	int status = cli_fail(CLI_CONFLICT,
	                      "nothing was changed: somebody else changed %s%s%s meanwhile: it was "
	                      "%.200s, and is %.200s (weir versions says who)",
	                      e->text, *setting ? "/" : "", setting, before ? before : "not set",
	                      now ? now : "not set");
	free(before);
	free(now);
	return status;
}

static bool is_equal(const json_t *a, const json_t *b)
{
	return a == b || (a && b && json_equal(a, b));
}

/* Give a setting a value (null takes it away), whatever else of the object others change meanwhile. Takes @p value. */
static int change_setting(const struct cli *cli, const struct cli_args *args, struct edited *e,
                          json_t *value)
{
	json_t *was = json_deep_copy(setting_find(e->now, e->setting, NULL));
	struct api_reply reply;
	int status = CLI_OK;
	bool again = true;

	for (int tries = 0; again; tries++) {
		status = send_edit(cli, args, e, "PATCH", make_patch(e->now, e->setting, value),
		                   &reply);
		again = !status && is_stale(&reply) && tries < TRIES && accept_object(&reply, e);
		if (again && !is_equal(was, setting_find(e->now, e->setting, NULL))) {
			status = report_conflict(cli, &reply, e, e->setting, was,
			                         setting_find(e->now, e->setting, NULL));
			again = false;
			api_reply_fini(&reply);
		} else if (again) {
			api_reply_fini(&reply);
		} else if (!status) {
			status = end_edit(cli, &reply);
		}
	}
	json_decref(was);
	json_decref(value);
	return status;
}

/* --- the commands --- */

/* @return CLI_OK, or an exit status after a message */
static int begin_edit(const struct cli_args *args, struct edited *e)
{
	if (!cli_text(args, "--reason"))
		return cli_fail(CLI_USAGE, "%s needs --reason TEXT, for the record", args->words);
	return read_edited_path(args->at[0], e);
}

static int require_object(const struct edited *e, const char *what)
{
	if (!object_is_list(&e->path))
		return CLI_OK;
	return cli_fail(CLI_USAGE, "%s is a list: expected %s; weir get %s lists what there is",
	                e->text, what, e->text);
}

int cli_set(struct cli *cli, const struct cli_args *args)
{
	struct edited e = { 0 };
	json_t *value;
	int status = begin_edit(args, &e);

	if (!status)
		status = require_object(&e, "the path of a setting");
	if (!status && !*e.setting)
		status = cli_fail(CLI_USAGE,
		                  "%s is an object: expected the path of a setting, %s/NAME; weir "
		                  "get %s lists them",
		                  e.text, e.text, e.text);
	if (!status)
		status = read_value(args, &e, &value);
	if (status)
		return status;
	status = fetch_object(cli, &e);
	if (!status)
		status = change_setting(cli, args, &e, value);
	else
		json_decref(value);
	end_edited(&e);
	return status;
}

int cli_remove(struct cli *cli, const struct cli_args *args)
{
	struct api_reply reply;
	struct edited e = { 0 };
	int status = begin_edit(args, &e);

	if (!status)
		status = require_object(&e, "the path of an object, or of a setting");
	if (!status)
		status = fetch_object(cli, &e);
	if (status)
		return status;
	if (*e.setting) {
		status = setting_find(e.now, e.setting, NULL)
		                 ? change_setting(cli, args, &e, json_null())
		                 : cli_fail(CLI_USAGE, "%s has no %s that is set", e.text,
		                            e.setting);
	} else {
		status = send_edit(cli, args, &e, "DELETE", NULL, &reply);
		if (!status)
			status = end_edit(cli, &reply);
	}
	end_edited(&e);
	return status;
}

/* Put the value of a path of settings into @p object; of a list each value comes behind the others. */
static void put_value_at(json_t *object, const json_t *described, const char *setting,
                         const char *text)
{
	char name[OBJECT_NAME_MAX];
	const char *behind = setting_split(setting, name);
	const json_t *below = json_object_get(json_object_get(described, "properties"), name);
	json_t *member = json_object_get(object, name);
	bool is_list = json_has_text(below, "type", "array");

	if (!member && (*behind || is_list)) {
		member = *behind ? json_object() : json_array();
		json_object_set_new(object, name, member);
	}
	if (*behind)
		put_value_at(member, below, behind, text);
	else if (is_list)
		json_array_append_new(member, make_value(json_object_get(below, "items"), text));
	else
		json_object_set_new(object, name, make_value(below, text));
}

/* The object that NAME=VALUE ... and --value make. @return CLI_OK, or an exit status after a message */
static int read_new_object(const struct cli_args *args, const struct edited *e, json_t **out)
{
	const char *given = cli_value(args, "--value");
	json_t *schema = object_schema(e->path.kind);
	int status = CLI_OK;

	*out = NULL;
	if (given)
		status = read_json_value(given, out);
	else
		*out = json_object();
	if (!status && !json_is_object(*out))
		status = cli_fail(CLI_USAGE, "--value: expected an object in JSON");
	for (int i = 1; !status && i < args->n; i++) {
		const char *equals = strchr(args->at[i], '=');
		char name[OBJECT_NAME_MAX];

		if (!equals || equals == args->at[i] ||
		    (size_t)(equals - args->at[i]) >= sizeof(name)) {
			status = cli_fail(CLI_USAGE, "%s: expected NAME=VALUE", args->at[i]);
			break;
		}
		snprintf(name, sizeof(name), "%.*s", (int)(equals - args->at[i]), args->at[i]);
		put_value_at(*out, schema, name, equals + 1);
	}
	json_decref(schema);
	if (status)
		json_decref(*out);
	return status;
}

int cli_add(struct cli *cli, const struct cli_args *args)
{
	struct api_reply reply;
	struct edited e = { 0 };
	json_t *value;
	int status = begin_edit(args, &e);

	if (!status)
		status = require_object(&e, "the path of the new object");
	if (!status && *e.setting)
		status = cli_fail(CLI_USAGE, "%s is a setting: weir set changes it", args->at[0]);
	if (!status)
		status = read_new_object(args, &e, &value);
	if (status)
		return status;
	status = send_edit(cli, args, &e, "PUT", value, &reply);
	if (!status && is_stale(&reply)) {
		if (cli->json)
			api_print_json(reply.body);
		status = cli_fail(CLI_CONFLICT,
		                  "nothing was changed: %s is there already; weir get %s shows it, "
		                  "weir set changes it",
		                  e.text, e.text);
		api_reply_fini(&reply);
		return status;
	}
	return status ? status : end_edit(cli, &reply);
}

/*
 * What a person made of an object, on the object as it is now. @param conflict  the setting that both changed, "" for none
 * @return the result, given
 */
static json_t *merge_edit(const json_t *was, const json_t *mine, const json_t *now,
                          const char **conflict)
{
	json_t *merged = json_deep_copy(now), *all = json_copy((json_t *)(uintptr_t)was), *value;
	const char *name;

	*conflict = "";
	json_object_update_missing(all, (json_t *)(uintptr_t)mine);
	json_object_foreach(all, name, value)
	{
		const json_t *a = json_object_get(was, name), *b = json_object_get(now, name);
		json_t *own = json_object_get(mine, name);

		if (is_equal(a, own))
			continue;
		if (!is_equal(a, b) && !is_equal(own, b))
			*conflict = json_object_iter_key(
			        json_object_iter_at((json_t *)(uintptr_t)(a ? was : mine), name));
		if (own)
			json_object_set(merged, name, own);
		else
			json_object_del(merged, name);
	}
	json_decref(all);
	return merged;
}

/* Send what the person made, on what the object is by then. @param mine  borrowed */
static int put_edited(const struct cli *cli, const struct cli_args *args, struct edited *e,
                      const json_t *mine)
{
	json_t *was = json_incref(e->now), *merged = json_deep_copy(mine);
	struct api_reply reply;
	const char *conflict;
	int status = CLI_OK;
	bool again = true;

	for (int tries = 0; again; tries++) {
		status = send_edit(cli, args, e, "PUT", merged, &reply);
		again = !status && is_stale(&reply) && tries < TRIES && accept_object(&reply, e);
		if (!again) {
			status = status ? status : end_edit(cli, &reply);
			break;
		}
		merged = merge_edit(was, mine, e->now, &conflict);
		if (*conflict) {
			status = report_conflict(cli, &reply, e, conflict,
			                         json_object_get(was, conflict),
			                         json_object_get(e->now, conflict));
			json_decref(merged);
			again = false;
		}
		api_reply_fini(&reply);
	}
	json_decref(was);
	return status;
}

int cli_edit(struct cli *cli, const struct cli_args *args)
{
	struct editor_text text = { 0 };
	struct edited e = { 0 };
	json_t *mine = NULL;
	int status = begin_edit(args, &e);

	if (!status)
		status = require_object(&e, "the path of an object");
	if (!status && *e.setting)
		status = cli_fail(CLI_USAGE, "%s is a setting: weir set changes it", args->at[0]);
	if (!status)
		status = fetch_object(cli, &e);
	if (!status)
		status = editor_run(e.now, &text, &mine);
	if (!status && json_equal(mine, e.now)) {
		api_print_own_text(cli, json_with(json_object(), "changed", json_false()),
		                   "nothing changes\n");
	} else if (!status) {
		status = put_edited(cli, args, &e, mine);
	}
	editor_end(&text, status != CLI_OK);
	json_decref(mine);
	end_edited(&e);
	return status;
}
