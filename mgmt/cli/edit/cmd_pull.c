/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pull, and config show --applied --into: the files of the version in force, which management names and this node has laid out,
 * in a directory of a person.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mgmt/cli/api.h"
#include "mgmt/cli/edit/pull.h"
#include "mgmt/json/row.h"

/* The files of the version that a directory was made from, as management lists them; NULL: it has no such version. Given. */
static json_t *fetch_base(const struct cli *cli, const char *base)
{
	char path[64], digits[17];
	struct api_reply reply;
	json_t *files = NULL;
	uint64_t number;

	if (!base_read(base, &number, digits))
		return NULL;
	snprintf(path, sizeof(path), "/v1/versions/%" PRIu64, number);
	struct api_request request = { .method = "GET", .path = path };
	if (api_call_quietly(cli, &request, &reply))
		return NULL;
	if (api_succeeded(&reply) &&
	    !strncmp(api_text(reply.body, "digest", ""), digits, strlen(digits)))
		files = json_incref(json_object_get(reply.body, "files"));
	api_reply_fini(&reply);
	return files;
}

/* The names of files of the base that the version has no more, and that are there still; they stay. Given. */
static json_t *list_left(const struct pull *p)
{
	json_t *left = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach(p->base, i, item)
	{
		const char *name = api_text(item, "name", "");
		char path[PATH_MAX];

		if (model_file_name_ok(name) && !files_find(p->files, name) &&
		    !proc_path(p->dir, name, path) && !access(path, F_OK))
			json_array_append_new(left, json_string(name));
	}
	return left;
}

/* How to go on from where the files are. @param next  "plan": the command, of the file; "push": of the directory */
static void print_next(const struct cli_args *args, const struct pull *p, const char *next)
{
	char file[PATH_MAX], line[CLI_LINE_MAX];
	bool is_plan = !strcmp(next, "plan");

	snprintf(line, sizeof(line), "weir %s", next);
	if (proc_path(p->dir, FILES_MAIN, file) == 0 &&
	    cli_line_add(" ", is_plan ? file : p->dir, line, sizeof(line)) &&
	    cli_line_where(args, line, sizeof(line)))
		printf(", then run %s", line);
	putchar('\n');
}

static int report_pull(const struct cli *cli, const struct cli_args *args, const struct pull *p,
                       const char *next)
{
	json_t *body = json_with(JSON_TEXTS({ "into", p->dir }), "files",
	                         json_integer((json_int_t)p->files->n_items));

	body = json_with(body, "version", json_string(p->etag));
	if (strcmp(next, "push") == 0) {
		body = json_with(body, "written", json_incref(p->written));
		body = json_with(body, "left", list_left(p));
	}
	api_print_text(
	        cli, body,
	        "{*left}  {} is no part of the version any more; it stays where it is\n{/}"
	        "{into} now has the {files:n} file{files:plural} of version {version}; change them");
	json_decref(body);
	if (!cli->json)
		print_next(args, p, next);
	return CLI_OK;
}

/* What a person changed is theirs. */
static int report_changed(const struct cli *cli, const struct pull *p, const char *base)
{
	json_t *body = JSON_TEXTS({ "into", p->dir }, { "base", base });

	body = json_with(body, "changed", json_incref(p->changed));
	if (cli->json)
		api_print_json(body);
	cli_fail(CLI_OK, "%s: nothing was written, because files there %s", p->dir,
	         !*base    ? "are not from weir pull"
	         : p->base ? "were changed since"
	                   : "are from a version that is not known any more");
	row_show(stderr, body,
	         "{*changed}  {}\n{/}"
	         "  weir push sends them; weir pull NEW-DIRECTORY leaves them alone; --force "
	         "overwrites them\n");
	json_decref(body);
	return CLI_CONFLICT;
}

static int report_failure(const struct cli *cli, const struct pull *p, const char *base, int err)
{
	bool has_file = *p->failed && strcmp(p->failed, p->dir) != 0;

	if (err == -ESTALE)
		return report_changed(cli, p, base);
	return cli_fail(err == -EACCES ? CLI_DENIED : CLI_USAGE,
	                "%s: cannot write the files of the version in force: %s%s%s", p->dir,
	                has_file ? p->failed : "", has_file ? ": " : "",
	                err == -EEXIST ? "it exists already; name a new directory"
	                               : pull_error_text(err));
}

/* @param next  "plan": the command for afterwards, of the file; "push": of the directory */
static int pull_version(struct cli *cli, const struct cli_args *args, const char *dir,
                        const char *next, bool must_be_new)
{
	struct api_request request = { .method = "GET", .path = "/v1/config" };
	char base[BASE_TEXT_MAX] = "";
	struct files files = { 0 };
	struct api_reply reply;
	int status = api_get(cli, &request, &reply);

	if (status)
		return status;
	struct pull p = { .dir = dir,
		          .files = &files,
		          .etag = api_text(reply.body, "etag", ""),
		          .force = cli_flag(args, "--force"),
		          .written = json_array(),
		          .changed = json_array() };
	bool is_new = !mkdir(dir, 0700);
	int err = is_new || (errno == EEXIST && !must_be_new) ? 0 : -errno;

	if (!err)
		err = pull_gather(cli, api_text(reply.body, "digest", ""), &files);
	if (!err && !is_new)
		err = pull_read_base(dir, base);
	json_t *base_files = *base ? fetch_base(cli, base) : NULL;
	p.base = base_files;
	if (!err)
		err = pull_write(&p);
	if (err && is_new)
		files_remove_dir(dir); /* else the same line would be refused later */
	status = err ? report_failure(cli, &p, base, err) : report_pull(cli, args, &p, next);
	json_decref(base_files);
	json_decref(p.written);
	json_decref(p.changed);
	files_fini(&files);
	api_reply_fini(&reply);
	return status;
}

int pull_into_new(struct cli *cli, const struct cli_args *args, const char *dir)
{
	return pull_version(cli, args, dir, "plan", true);
}

int pull_directory(const struct cli *cli, const struct cli_args *args, char dir[PATH_MAX])
{
	const char *given = args->at[0] ? args->at[0] : cli->dirs.conf;
	size_t n = strlen(given);

	while (n > 1 && given[n - 1] == '/')
		n--;
	if (n == 0 || n >= PATH_MAX)
		return cli_fail(CLI_USAGE, "the directory's name is %s", n ? "too long" : "empty");
	snprintf(dir, PATH_MAX, "%.*s", (int)n, given);
	return CLI_OK;
}

int cli_pull(struct cli *cli, const struct cli_args *args)
{
	char dir[PATH_MAX];
	int status = pull_directory(cli, args, dir);

	return status ? status : pull_version(cli, args, dir, "push", false);
}
