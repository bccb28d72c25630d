/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names KIND [PREFIX], for completion, and the full names of backends. What a configuration names is
 * read from the effective document, which no process can keep from being read; the rest is asked of
 * management, for LIST_MS at most, because a person waits in a shell. A name that a shell would take
 * for more than a word is not printed.
 */
#include "mgmt/cli/names.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/cli/api.h"
#include "weir/object.h"

#define LIST_MS    600u  /* for management's answer; the completion gives up after a second */
#define LISTED_MAX 20000 /* names of a list; more help nobody */
#define SHOWN_MAX  8     /* backends that a message names */

struct shown_names {
	const char *prefix;
	size_t n; /* printed */
};

/* Whether a shell takes @p name for one word, whatever is done with it. */
static bool is_plain(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "0123456789-._/:";

	return *name && *name != '-' && !name[strspn(name, plain)];
}

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Print @p name if it begins as it must. */
static void print_name(struct shown_names *list, const char *name)
{
	if (!has_prefix(name, list->prefix) || !is_plain(name) || list->n >= LISTED_MAX)
		return;
	list->n++;
	puts(name);
}

/* --- of the effective document --- */

static int read_document(const struct cli *cli, struct model **m, struct model_errors *errors)
{
	char path[PATH_MAX];

	if (proc_path(cli->dirs.state, PROC_EFFECTIVE_FILE, path) != 0)
		return -ENAMETOOLONG;
	return model_read_without_key(path, NULL, m, errors);
}

/* A list of the model whose elements have names: where it is, and where in an element the name is. */
struct named_list {
	size_t list, count, size, name;
};

#define NAMED_LIST(member, type)                                                                   \
	{                                                                                          \
		offsetof(struct model, member), offsetof(struct model, n_##member),                \
		        sizeof(struct type), offsetof(struct type, name)                           \
	}

static void list_named(const struct model *m, const struct named_list *of, struct shown_names *list)
{
	const char *at = *(const char *const *)(const void *)((const char *)m + of->list);
	size_t n = *(const size_t *)(const void *)((const char *)m + of->count);

	for (size_t i = 0; i < n; i++, at += of->size)
		print_name(list, *(const char *const *)(const void *)(at + of->name));
}

static void full_name_of(const struct model_pool *pool, const struct model_backend *b,
                         char out[NAMES_BACKEND_MAX])
{
	snprintf(out, NAMES_BACKEND_MAX, "%s/%s", pool->name, b->name);
}

/* Those whose full name begins so; if there is none, those whose own name does. */
static void list_backends(const struct model *m, struct shown_names *list)
{
	const char *prefix = list->prefix;
	char name[NAMES_BACKEND_MAX];

	for (int pass = 0; pass < 2 && list->n == 0; pass++) {
		list->prefix = pass ? "" : prefix;
		for (size_t i = 0; i < m->n_pools; i++)
			for (size_t k = 0; k < m->pools[i].n_backends; k++) {
				const struct model_backend *b = &m->pools[i].backends[k];

				full_name_of(&m->pools[i], b, name);
				if (!pass || has_prefix(b->name, prefix))
					print_name(list, name);
			}
	}
}

/* --- of management --- */

/* The members @p name of an answer's items. */
static void list_items(const struct cli *cli, const char *path, const char *name,
                       struct shown_names *list)
{
	const struct api_request request = { .method = "GET", .path = path, .timeout_ms = LIST_MS };
	struct api_reply reply;
	const json_t *item;
	size_t i;

	if (api_call_quietly(cli, &request, &reply) != CLI_OK)
		return;
	if (api_succeeded(&reply)) {
		json_array_foreach(json_object_get(reply.body, "items"), i, item)
		{
			const json_t *value = json_object_get(item, name);
			char number[24];

			snprintf(number, sizeof(number), "%.0f", api_number(item, name, 0));
			print_name(list, json_is_number(value) ? number : api_text(item, name, ""));
		}
	}
	api_reply_fini(&reply);
}

/* @p path and a slash, unless it is empty, and @p name. */
static void print_below(struct shown_names *list, const char *path, const char *name)
{
	char text[2 * OBJECT_PATH_MAX];

	snprintf(text, sizeof(text), "%s%s%s", path, *path ? "/" : "", name);
	print_name(list, text);
}

/* What may follow the path of an object or list: the names of its settings or of its objects. */
static void list_below(const struct model *m, const char *around, struct shown_names *list)
{
	struct object_path path, one;
	const char *name;
	json_t *value;

	if (object_path_read(around, NULL, &path))
		return;
	for (size_t i = 0; object_is_list(&path) && i < object_count(m, &path); i++) {
		object_path_at(m, &path, i, &one);
		print_below(list, around, one.names[one.n_names - 1]);
	}
	json_t *object = object_is_list(&path) ? NULL : object_json(m, &path);
	json_object_foreach(object, name, value) print_below(list, around, name);
	json_decref(object);
}

/* Paths of objects, part by part. */
static void list_paths(const struct model *m, struct shown_names *list)
{
	const char *slash = strrchr(list->prefix, '/');
	char around[OBJECT_PATH_MAX];

	for (enum object_kind kind = 0; kind < OBJECT_NONE; kind++)
		if (object_row(kind)->parent == OBJECT_NONE)
			print_name(list, object_row(kind)->path);
	snprintf(around, sizeof(around), "%.*s", slash ? (int)(slash - list->prefix) : 0,
	         list->prefix);
	list_below(m, around, list);
}

int cli_names(struct cli *cli, const struct cli_args *args)
{
	static const struct {
		const char *kind;
		struct named_list of; /* of size 0: listed by a function */
		void (*print)(const struct model *m, struct shown_names *list);
		const char *path, *member; /* of management; NULL: of the effective document */
	} kinds[] = {
		{ .kind = "site", .of = NAMED_LIST(sites, model_site) },
		{ .kind = "node", .of = NAMED_LIST(nodes, model_node) },
		{ .kind = "pool", .of = NAMED_LIST(pools, model_pool) },
		{ .kind = "backend", .print = list_backends },
		{ .kind = "vip", .of = NAMED_LIST(vips, model_vip) },
		{ .kind = "service", .of = NAMED_LIST(services, model_service) },
		{ .kind = "dns", .of = NAMED_LIST(dns_names, model_dns_name) },
		{ .kind = "object", .print = list_paths },
		{ .kind = "operation", .path = "/v1/operations", .member = "id" },
		{ .kind = "drill", .path = "/v1/drills", .member = "id" },
		{ .kind = "proposal", .path = "/v1/proposals", .member = "id" },
		{ .kind = "version", .path = "/v1/versions", .member = "number" },
	};
	struct shown_names list = { .prefix = args->n > 1 ? args->at[1] : "" };
	struct model_errors errors = { 0 };
	struct model *m = NULL;
	size_t i = 0, n = sizeof(kinds) / sizeof(kinds[0]);

	while (i < n && strcmp(kinds[i].kind, args->at[0]) != 0)
		i++;
	if (i == n)
		return cli_fail(CLI_USAGE, "expected: site, node, pool, backend, vip, service, "
		                           "dns, object, operation, drill, proposal or version");
	if (kinds[i].path)
		list_items(cli, kinds[i].path, kinds[i].member, &list);
	else if (read_document(cli, &m, &errors) == 0 && kinds[i].of.size)
		list_named(m, &kinds[i].of, &list);
	else if (m)
		kinds[i].print(m, &list);
	model_free(m);
	model_errors_free(&errors);
	return CLI_OK;
}

/* --- full names --- */

/* Look for the backends that are called @p name; the last is *@p out, all are named in @p text. */
static size_t find_backends(const struct model *m, const char *name, char out[NAMES_BACKEND_MAX],
                            char *text, size_t size)
{
	size_t n = 0, used = 0;

	for (size_t i = 0; i < m->n_pools; i++) {
		for (size_t k = 0; k < m->pools[i].n_backends; k++) {
			if (strcmp(m->pools[i].backends[k].name, name) != 0)
				continue;
			full_name_of(&m->pools[i], &m->pools[i].backends[k], out);
			if (n++ < SHOWN_MAX && used < size)
				used += (size_t)snprintf(text + used, size - used, "%s%s",
				                         used ? ", " : "", out);
		}
	}
	return n;
}

int names_backend(const struct cli *cli, const char *given, char out[NAMES_BACKEND_MAX])
{
	char found[SHOWN_MAX * (NAMES_BACKEND_MAX + 2)] = "";
	const char *slash = strchr(given, '/');
	struct model_errors errors = { 0 };
	struct model *m = NULL;

	if (slash && slash != given && slash[1] && strlen(given) < NAMES_BACKEND_MAX) {
		snprintf(out, NAMES_BACKEND_MAX, "%s", given);
		return CLI_OK;
	}
	if (slash || !*given)
		return cli_fail(CLI_USAGE, "expected: backend POOL/NAME");
	int err = read_document(cli, &m, &errors);
	size_t n = err ? 0 : find_backends(m, given, out, found, sizeof(found));
	int status = CLI_OK;

	if (err)
		status = cli_fail(
		        CLI_USAGE,
		        "expected: backend POOL/NAME (in which pool %s is cannot be looked up: "
		        "%s)",
		        given, errors.n_items ? errors.items[0].message : strerror(-err));
	else if (n == 0)
		status = cli_fail(CLI_USAGE, "there is no backend %s; weir status lists them",
		                  given);
	else if (n > 1)
		status = cli_fail(CLI_USAGE, "%s is the name of %zu backends: %s%s", given, n,
		                  found, n > SHOWN_MAX ? ", ..." : "");
	model_free(m);
	model_errors_free(&errors);
	return status;
}
