/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config check, config show, config reference: with the library that the processes read documents
 * with, in this process, so that they also work where Weir does not run. Only show --applied asks
 * management, which has the versions (--into: cmd_pull.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "mgmt/cli/api.h"
#include "mgmt/cli/cli.h"
#include "mgmt/cli/edit/pull.h"
#include "mgmt/json/command.h"
#include "mgmt/json/row.h"
#include "mgmt/rules/advice.h"
#include "mgmt/store/base.h"
#include "mgmt/files/gather.h"
#include "record/fields.h"
#include "weir/model.h"
#include "weir/zones.h"

/* Takes @p body. */
static void print_indented(json_t *body)
{
	json_dumpf(body, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(body);
}

static void print_config_errors(const struct model_errors *errors)
{
	json_t *list = errors_to_json(errors);

	rows_write(stderr, list, SIZE_MAX,
	           "[{file}:[{?line}{line:n}:] |{?line}{line:n}:][{field}: ]{message}\n");
	json_decref(list);
	if (errors->n_total > errors->n_items)
		fprintf(stderr, "and %zu more errors\n", errors->n_total - errors->n_items);
}

/*
 * A failure that is no error in the document. Errors that were found without memory may be none
 * either.
 */
static void add_error(struct model_errors *errors, const char *path, int err)
{
	if (err == -ENOMEM)
		model_errors_free(errors);
	if (errors->n_total == 0)
		model_errors_add(
		        errors, path, 0, "",
		        err == -ENOMEM
		                ? "out of memory: the document was not checked; free memory, or raise "
		                  "the memory limit of this process, and try again"
		                : strerror(-err));
}

#define ZONE_WARNINGS_SHOWN 100 /* a zone may have a warning for each record */

/*
 * Warnings: those of the zones, a key that was not read, services that no site checks from outside,
 * and nodes that announce nothing although they are given something to announce.
 */
static json_t *list_warnings(const struct model *m, const json_t *of_zones)
{
	json_t *list = json_array();

	json_array_extend(list, (json_t *)(uintptr_t)of_zones);
	if (m && m->key_state == MODEL_KEY_NONE)
		json_array_append_new(
		        list,
		        json_sprintf(
		                "cluster.hash_key_file: %s was not checked: this user may not read it; check as root",
		                m->hash_key_file));
	for (size_t i = 0; m && i < m->n_services; i++) {
		const char *reason = advice_unwatched(&m->services[i]);

		if (reason)
			json_array_append_new(
			        list, json_sprintf("service %s: %s", m->services[i].name, reason));
	}
	for (size_t i = 0; m && i < m->n_nodes; i++) {
		const char *reason = advice_unannounced(&m->nodes[i]);

		if (reason)
			json_array_append_new(
			        list, json_sprintf("node %s: %s", m->nodes[i].name, reason));
	}
	return list;
}

static void print_warnings(const char *path, const struct model *m, const json_t *of_zones)
{
	json_t *list = list_warnings(m, of_zones);
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	        fprintf(stderr, "%s: warning: %s\n", path, json_string_value(item));
	json_decref(list);
}

static void print_config_errors_json(const struct model_errors *errors, const struct model *m,
                                     const json_t *of_zones)
{
	json_t *body = json_with(json_object(), "ok", json_boolean(errors->n_total == 0));

	body = json_with(body, "n_mistakes", json_integer((json_int_t)errors->n_total));
	body = json_with(body, "mistakes", errors_to_json(errors));
	print_indented(json_with(body, "warnings", list_warnings(m, of_zones)));
}

/* The path of the file: the argument, or else CONF/weir.conf. */
static int config_path(const struct cli *cli, const struct cli_args *args, char path[PATH_MAX])
{
	if (!args->at[0])
		return proc_path(cli->dirs.conf, PROC_CONF_FILE, path);
	if (strlen(args->at[0]) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(path, args->at[0]);
	return 0;
}

static int status_of(int err, const struct model_errors *errors)
{
	return err == -EACCES || errors->denied ? CLI_DENIED : CLI_USAGE;
}

/*
 * A copy of the configuration elsewhere, such as `config show --into` makes, has no key beside it.
 * It would be applied with this node's key, so it is checked with that. A host without the directory
 * of one is no node: what the first reading found stands.
 * @return whether that key helped; *err and @p errors are of that reading then
 */
static bool read_with_node_key(const char *path, const char *conf_dir, struct model **m,
                               struct model_errors *errors, int *err)
{
	struct model_errors second = { 0 };
	int second_err;

	if (access(conf_dir, F_OK))
		return false;
	second_err = model_read_laid_out(path, conf_dir, NULL, NULL, m, &second);
	if (second_err && !second.denied && second.n_total >= errors->n_total) {
		model_errors_free(&second);
		return false;
	}
	/* without memory it has no list of errors */
	*err = second_err && second.n_total == 0 ? -ENOMEM : second_err;
	model_errors_free(errors);
	*errors = second;
	return true;
}

/*
 * Read a file. Without the hash key if this user may not read it, as operators may not
 * (weir.tmpfiles).
 */
static int read_config_file(const struct cli *cli, const char *path, struct model **m,
                            struct model_errors *errors)
{
	int err = model_read_config(path, NULL, m, errors);

	if (!err || (!errors->denied && !read_with_node_key(path, cli->dirs.conf, m, errors, &err)))
		return err;
	if (!err || !errors->denied)
		return err;
	model_errors_free(errors);
	return model_read_config_without_key(path, NULL, m, errors);
}

static void print_config_summary(const char *path, const struct model *m)
{
	size_t n_backends = 0;

	for (size_t i = 0; i < m->n_pools; i++)
		n_backends += m->pools[i].n_backends;
	printf("%s: no errors; %zu sites, %zu nodes, %zu pools with %zu backends, %zu VIPs, %zu "
	       "services, %zu zones, %zu names\n",
	       path, m->n_sites, m->n_nodes, m->n_pools, n_backends, m->n_vips, m->n_services,
	       m->n_zones, m->n_dns_names);
	for (size_t i = 0; i < m->n_checks; i++)
		printf(m->checks[i].type == MODEL_CHECK_EXTERNAL
		               ? "  check %s: a verdict of a program counts after at most %u ms\n"
		               : "  check %s: detects a dead target after at most %u ms\n",
		       m->checks[i].name, m->checks[i].detect_worst_ms);
}

/* Where the check of the zones puts its findings. */
struct zone_findings {
	struct model_errors *errors;
	json_t *warnings;
};

static void collect_zone_message(void *arg, const struct zones_message *m)
{
	struct zone_findings *f = arg;
	char line[32] = "";

	if (m->level != ZONES_WARNING)
		model_errors_add(f->errors, m->file, m->line, "dns.zones", m->text);
	else if (m->line)
		snprintf(line, sizeof(line), ":%u", m->line);
	if (m->level == ZONES_WARNING && json_array_size(f->warnings) < ZONE_WARNINGS_SHOWN)
		json_array_append_new(f->warnings,
		                      json_sprintf("%s%s: %s", m->file, line, m->text));
}

/* A node that is named must be in the document; the message lists those that are. */
static int check_given_node(const struct cli *cli, const char *path, const struct model *m,
                            struct model_errors *errors)
{
	char text[512];
	size_t n;

	if (!cli->dirs.node_given || model_node(m, cli->dirs.node))
		return 0;
	n = (size_t)snprintf(text, sizeof(text),
	                     "there is no node %s; the nodes are:", cli->dirs.node);
	for (size_t i = 0; i < m->n_nodes && n < sizeof(text) - 80; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " %s", m->nodes[i].name);
	model_errors_add(errors, path, 0, "nodes", text);
	return -EINVAL;
}

/* The host's own file is checked: say whether Weir would start here. */
static void add_host_warning(const struct cli *cli, const struct model *m, json_t *warnings)
{
	if (!cli->dirs.node_given && !model_node(m, cli->dirs.node))
		json_array_append_new(
		        warnings,
		        json_sprintf(
		                "nodes: this host is called %s, but no node has that name: `weir "
		                "run` needs --node NAME here",
		                cli->dirs.node));
}

int cli_config_check(struct cli *cli, const struct cli_args *args)
{
	char path[PATH_MAX];
	struct model *m = NULL;
	struct model_errors errors;
	struct zone_findings found = { .errors = &errors };

	if (config_path(cli, args, path) != 0)
		return cli_fail(CLI_USAGE, "the path is too long");
	found.warnings = json_array();
	int err = read_config_file(cli, path, &m, &errors);
	if (!err)
		err = check_given_node(cli, path, m, &errors);
	if (!err)
		err = zones_check(m, collect_zone_message, &found);
	if (!err && !args->at[0])
		add_host_warning(cli, m, found.warnings);
	if (err)
		add_error(&errors, path, err);
	if (cli->json)
		print_config_errors_json(&errors, err ? NULL : m, found.warnings);
	else if (err)
		print_config_errors(&errors);
	else
		print_config_summary(path, m);
	if (!err && !cli->json)
		print_warnings(path, m, found.warnings);
	json_decref(found.warnings);
	int status = err ? status_of(err, &errors) : CLI_OK;
	model_free(m);
	model_errors_free(&errors);
	return status;
}

/* Find the version in force, if the file's bytes are its bytes. @return whether they are */
static bool find_in_force(const struct cli *cli, const struct files *files,
                          char base[BASE_TEXT_MAX])
{
	char path[PATH_MAX], digest[DIGEST_TEXT_MAX];
	struct model_errors errors;
	struct model *m = NULL;

	if (proc_path(cli->dirs.state, PROC_EFFECTIVE_FILE, path))
		return false;
	int err = model_read_without_key(path, NULL, &m, &errors);
	bool same = !err && !strcmp(files_digest(files, digest), m->meta.digest);
	if (same)
		snprintf(base, BASE_TEXT_MAX, "v%" PRIu64 "-%.16s", m->meta.version, digest);
	model_free(m);
	model_errors_free(&errors);
	return same;
}

/*
 * The version that @p path was made from: the one in force, or the one that the file names; "" if
 * unknown.
 */
static void find_file_base(const struct cli *cli, const char *path, char base[BASE_TEXT_MAX])
{
	const char *slash = strrchr(path, '/');
	struct files files = { 0 };
	char dir[PATH_MAX];

	base[0] = '\0';
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
	if (gather_files(dir, slash ? slash + 1 : path, &files))
		return;
	base_extract_line(&files, base);
	find_in_force(cli, &files, base);
	files_fini(&files);
}

/*
 * Make paths relative to the configuration's directory, so that the output can be applied from
 * there.
 */
static void make_relative(char *text, const char *path)
{
	char copy[PATH_MAX], dir[PATH_MAX], prefix[PATH_MAX + 2];
	const char *slash = strrchr(path, '/');

	snprintf(copy, sizeof(copy), "%.*s", slash ? (int)(slash - path + 1) : 1,
	         slash ? path : ".");
	if (!realpath(copy, dir))
		return;
	size_t n = (size_t)snprintf(prefix, sizeof(prefix), "\"%s/", dir);
	for (char *at = strstr(text, prefix); at; at = strstr(at + 1, prefix))
		memmove(at + 1, at + n, strlen(at + n) + 1);
}

/*
 * What is shown can be applied again: paths are relative as in the file, and the first line names
 * its base.
 */
static int show_model(const struct cli *cli, const char *path, const char *base,
                      const struct model *m)
{
	char *text = model_text(m);

	if (!text)
		return cli_fail(CLI_UNREACHABLE, "out of memory");
	if (m->meta.document == 0) /* not the effective document, whose paths are absolute */
		make_relative(text, path);
	if (*base && !cli->json)
		printf("# weir base %s\n", base);
	if (cli->json) {
		print_indented(
		        JSON_TEXTS({ "path", path }, { "base", base }, { "configuration", text }));
	} else {
		fputs(text, stdout);
	}
	free(text);
	return CLI_OK;
}

/* The bytes of what is not UTF-8 as they were applied. */
static void print_encoded(const char *encoded)
{
	char *bytes = NULL;
	size_t n;

	if (!files_base64_decode(encoded, &bytes, &n))
		fwrite(bytes, 1, n, stdout);
	free(bytes);
}

static void print_applied(const json_t *body)
{
	const json_t *main_file = json_object_get(json_object_get(body, "files"), FILES_MAIN);

	printf("# weir base %s\n", api_text(body, "etag", ""));
	if (json_is_string(main_file))
		fputs(json_string_value(main_file), stdout);
	else
		print_encoded(json_text_of(main_file, "base64"));
}

/* Print the main file of the version in force as it was applied. */
static int show_applied(const struct cli *cli)
{
	struct api_request request = { .method = "GET", .path = "/v1/config" };

	return api_show(cli, &request, print_applied);
}

int cli_config_show(struct cli *cli, const struct cli_args *args)
{
	char path[PATH_MAX], base[BASE_TEXT_MAX] = "";
	bool effective = cli_flag(args, "--effective");
	struct model *m = NULL;
	struct model_errors errors;
	int err;

	if (effective && args->at[0])
		return cli_fail(CLI_USAGE, "--effective takes no file");
	const char *into = cli_value(args, "--into");

	if (into && !cli_flag(args, "--applied"))
		return cli_fail(CLI_USAGE, "--into goes with --applied");
	if (cli_flag(args, "--applied") && (effective || args->at[0]))
		return cli_fail(CLI_USAGE, "--applied takes no file and no --effective");
	if (cli_flag(args, "--applied"))
		return into ? pull_into_new(cli, args, into) : show_applied(cli);
	err = effective ? proc_path(cli->dirs.state, PROC_EFFECTIVE_FILE, path)
	                : config_path(cli, args, path);
	if (err)
		return cli_fail(CLI_USAGE, "the path is too long");
	err = effective ? model_read_without_key(path, NULL, &m, &errors)
	                : read_config_file(cli, path, &m, &errors);
	if (err) {
		add_error(&errors, path, err);
		print_config_errors(&errors);
	} else if (!effective) {
		find_file_base(cli, path, base);
	}
	int status = err ? status_of(err, &errors) : show_model(cli, path, base, m);
	model_free(m);
	model_errors_free(&errors);
	return status;
}

/* A table's cell: '|' would end it. */
static void print_cell(const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			putchar('\\');
		putchar(*text);
	}
}

/* A field without a limit or a default has an empty cell. */
static void print_row(const struct model_field *f)
{
	printf("| `%s` | ", f->path);
	print_cell(f->type);
	printf(" | %s%s%s | ",
	       f->required          ? "required"
	       : f->default_text[0] ? "`"
	                            : "",
	       f->required ? "" : f->default_text, !f->required && f->default_text[0] ? "`" : "");
	print_cell(f->limits);
	printf(" | %s | %s | ", f->restart ? "restart" : "live",
	       f->extent == EXTENT_EVERYWHERE ? "" : extent_text((int)f->extent));
	print_cell(f->help);
	puts(" |");
}

static void print_rows(bool effective)
{
	puts("| field | type | default | limits | takes effect | tried at | meaning |\n|---|---|---|---|---|---|---|");
	for (size_t i = 0; i < model_schema_n; i++)
		if (model_schema[i].effective == effective)
			print_row(&model_schema[i]);
}

static const struct record_kind reference_record = RECORD_OF(
        struct model_field, "field", NULL, SHOW(struct model_field, path),
        SHOW(struct model_field, type), SHOW(struct model_field, unit),
        SHOW_AS(struct model_field, "default", default_text), SHOW(struct model_field, limits),
        SHOW(struct model_field, restart), SHOW(struct model_field, required),
        SHOW_WORD(struct model_field, "extent", extent, extent_text, EXTENT_NODE + 1),
        SHOW(struct model_field, effective), SHOW(struct model_field, help));

static void print_reference_json(void)
{
	print_indented(record_list_shown(&reference_record, model_schema, model_schema_n));
}

static void print_reference_head(void)
{
	puts("# The configuration\n\n"
	     "<!-- Written by `weir config reference` from the schema table; a test compares. -->\n\n"
	     "`weir.conf` is one document for all sites and nodes, in libconfig's syntax: `name = value;`, groups in `{ }`, lists in\n"
	     "`( )`, arrays in `[ ]`, texts in double quotes, comments after `#` or `//`. A line `@include \"FILE\"` includes a file below\n"
	     "the configuration's directory. Each process takes its node's name from `--node`, or else from the host's name.\n"
	     "`weir config check` lists all errors at once; `weir config show` prints the whole configuration with every default.\n\n"
	     "**Tried at** is the smallest place at which a change of the field may be in force before it is everywhere\n"
	     "(`weir apply --canary`): one node, or the nodes of one site. Where it says nothing the field is the same everywhere.\n\n"
	     "**Names** are `[a-z0-9][a-z0-9._-]{0,62}` and unique within their list. **Durations** are texts with a unit: `\"500ms\"`, `\"5s\"`,\n"
	     "`\"15m\"`, `\"2h\"`, `\"1d\"`; **rates** `\"50k/s\"`; **bits** `\"40Gbit\"`; **percentages** `\"50%\"`. **Integers** are decimal and within\n"
	     "32 bits. **References** name an entry of another list. **Limits** apply to the value, to the bytes of a text, or to the\n"
	     "length of a list.\n\n"
	     "Beyond what the table says, these are errors:\n\n"
	     "- a name or an address that occurs twice;\n"
	     "- tunnel sources that overlap;\n"
	     "- a VIP that lies in a tunnel source or equals the address of a backend;\n"
	     "- a VIP with both site and sites, or neither; a service that lacks one of the sites of its VIP;\n"
	     "- a vip_check of a service at a VIP of several sites;\n"
	     "- a node that announces a VIP of another site, an address outside of its dns_listen, or more than 4,096 addresses;\n"
	     "- one routing table for both kinds of announcement;\n"
	     "- two services on one address, port and protocol;\n"
	     "- a port of a backend that differs from its service's;\n"
	     "- a backend of an address family for which a node of its site has no tunnel source;\n"
	     "- an MTU that is too small for the smallest packet with its tunnel;\n"
	     "- a fast interval that is longer than the interval;\n"
	     "- a timeout that is longer than twice the interval;\n"
	     "- a check that may take longer than five minutes to detect a dead target;\n"
	     "- an included file or a zone file with other characters than A-Z a-z 0-9 . _ - and / in its name, or a part that begins with a dot;\n"
	     "- a DNS name outside every zone;\n"
	     "- a minimum TTL that is longer than the maximum;\n"
	     "- tables that are larger than `limits`;\n"
	     "- more than 65,536 health targets: the VIPs of all services at all sites, of each VIP one address of each family; "
	     "or at a node those of its own site's VIPs, of VIPs that it checks, and of backends that it checks.\n");
}

int cli_config_reference(struct cli *cli, const struct cli_args *args)
{
	(void)args;
	if (cli->json) {
		print_reference_json();
		return CLI_OK;
	}
	print_reference_head();
	print_rows(false);
	puts("\n## Effective documents\n\n"
	     "`weir-mgmt` writes the configuration and the overrides together into `effective.conf` in the state directory, and every\n"
	     "process reads that file. Do not edit it. Beyond the configuration it holds:\n");
	print_rows(true);
	return CLI_OK;
}
