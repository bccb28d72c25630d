/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit, audit verify, audit heads, audit rotate. Verifying reads the files themselves, so that weir-mgmt need neither be believed
 * nor run; only the heads that peers hold are asked for, or are in a file that another node gave.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc.h"
#include "mgmt/audit/log.h"
#include "mgmt/audit/verify.h"
#include "mgmt/cli/api.h"
#include "mgmt/cli/body.h"
#include "mgmt/files/files.h"

#define QUERY_MAX      1024
#define FILE_BYTES_MAX ((size_t)1 << 30) /* of a copy */
#define READS_MAX      3 /* of the files of a log that goes on: the oldest may go meanwhile */

/* --- lines --- */

static const char lines_text[] =
        "[{?items}{*items}{seq:n|0}  {time|?}  {kind|?}[ {who}][ ({author})][ from {source}][: {method} "
        "{path}][ {object}][: {status:n}][ {code}][ -> {result}][ (again, {?replayed}by its key)][: "
        "{reason}][ ({count:n} times since {since})][ ({count:n})]\n{/}|there is no such line\n]"
        "[older ones: --before {before:n}\n]";

/* Add "&name=VALUE" for @p option. @return false after a message */
static bool add_query(char query[QUERY_MAX], const struct cli_args *args, const char *option)
{
	const char *value = cli_text(args, option);
	char *text = value ? api_escape(value) : NULL;
	size_t n = strlen(query);
	bool fits = !value || (text && strlen(text) + strlen(option) + 3 < QUERY_MAX - n);

	if (!fits)
		(void)cli_fail(CLI_USAGE, "audit: %s is too long", option);
	else if (value)
		snprintf(query + n, QUERY_MAX - n, "%c%s=%s", strchr(query, '?') ? '&' : '?',
		         option + 2, text);
	free(text);
	return fits;
}

int cli_audit(struct cli *cli, const struct cli_args *args)
{
	static const char *const options[] = { "--since", "--who",   "--object",
		                               "--kind",  "--limit", "--before" };
	char path[QUERY_MAX] = "/v1/audit";
	const struct api_request request = { .method = "GET", .path = path };

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!add_query(path, args, options[i]))
			return CLI_USAGE;
	return api_show_text(cli, &request, lines_text);
}

/* --- verify --- */

/* @return 0 or -errno */
static int add_file(struct audit_verify *v, const char *path, const char *name)
{
	char *text;
	size_t n;
	int err = files_slurp_within(path, FILE_BYTES_MAX, &text, &n);

	if (err)
		return err;
	err = audit_verify_add(v, name, text, n);
	free(text);
	return err;
}

/* Whether @p dir has @p name. */
static bool has_file(const char *dir, const char *name)
{
	char path[PATH_MAX];

	return !proc_path(dir, name, path) && !access(path, F_OK);
}

/*
 * Whether a log was ever there: its key outlives it, and so does the store of a node (@p state; NULL: a copy somewhere else),
 * which makes no version without a log.
 */
static bool has_trace(const char *dir, const char *state)
{
	uint64_t *files = NULL;
	bool has_files = audit_log_files(dir, &files) > 0;

	free(files);
	return has_files || has_file(dir, AUDIT_KEY_FILE) || has_file(dir, AUDIT_MARK_FILE) ||
	       (state && has_file(state, PROC_STORE_DIR "/" PROC_STORE_FILE));
}

/* @return 0; -EAGAIN: a file went while they were read; or -errno */
static int add_dir(struct audit_verify *v, const char *dir)
{
	uint64_t *files = NULL;
	ssize_t n = audit_log_files(dir, &files);
	int err = n < 0 ? (int)n : 0;

	for (ssize_t i = 0; i < n && !err; i++) {
		char path[PATH_MAX];

		audit_log_name(dir, files[i], path);
		err = add_file(v, path, strrchr(path, '/') + 1);
	}
	free(files);
	return err == -ENOENT && n > 0 ? -EAGAIN : err;
}

/*
 * Read the log at @p path: a directory, or a file of lines; @p state: of this node.
 * @return 0 or -errno; -ENODATA: there is no log
 */
static int read_log(const char *path, const char *state, struct audit_verify **out)
{
	struct stat st = { .st_mode = S_IFDIR };
	int err =
	        !stat(path, &st) || (errno == ENOENT && has_trace(path, state)) ? -EAGAIN : -errno;

	for (int i = 0; i < READS_MAX && err == -EAGAIN; i++) {
		struct audit_verify *v = audit_verify_new(!S_ISDIR(st.st_mode));

		if (!v)
			return -ENOMEM;
		audit_verify_bound(v, AUDIT_FILE_MAX, AUDIT_FILES_MAX);
		err = S_ISDIR(st.st_mode) ? add_dir(v, path) : add_file(v, path, path);
		if (!audit_verify_lines(v) && (!err || err == -ENOENT))
			err = S_ISDIR(st.st_mode) && has_trace(path, state) ? 0 : -ENODATA;
		if (err)
			audit_verify_free(v);
		else
			*out = v;
	}
	return err;
}

/* What is no head proves nothing, and is left out. */
static void add_heads(struct audit_verify *v, const char *holder, const json_t *heads)
{
	const json_t *one;
	size_t i;

	json_array_foreach(heads, i, one)
	{
		struct audit_head head = { .seq = 0 };

		if (!record_from_json(&audit_head_record, one, &head, NULL))
			audit_verify_head(v, holder, &head);
	}
}

/* Add what an answer of `weir audit heads` has: the heads of the log's node are used, wherever they were kept. */
static void add_answer(struct audit_verify *v, const json_t *answer)
{
	const char *node = json_get_text(answer, "node");
	const json_t *peer;
	size_t i;

	json_array_foreach(json_object_get(answer, "at_peers"), i, peer)
	        add_heads(v, api_text(peer, "peer", "?"), json_object_get(peer, "heads"));
	add_heads(v, node ? node : "?", json_object_get(answer, "held"));
}

/* The heads of a file, or of the peers; NULL after a message, and @p status is not CLI_OK where that ends the command. */
static json_t *find_heads(const struct cli *cli, const char *file, int *status)
{
	const struct api_request request = { .method = "GET", .path = "/v1/audit/heads" };
	struct api_reply reply;
	json_error_t error;

	*status = CLI_OK;
	if (file) {
		json_t *answer = json_load_file(file, JSON_REJECT_DUPLICATES, &error);

		if (!json_is_object(answer))
			*status = cli_fail(CLI_USAGE,
			                   "audit verify: %s is no answer of weir audit heads "
			                   "--json: %s",
			                   file, answer ? "it is no object" : error.text);
		return answer;
	}
	int err = api_call_quietly(cli, &request, &reply);
	json_t *answer = !err && api_succeeded(&reply) ? json_incref(reply.body) : NULL;
	if (!err)
		api_reply_fini(&reply);
	if (!answer)
		fprintf(stderr,
		        "weir: weir-mgmt does not tell what heads the peers hold: see below what cannot "
		        "be known without them; or use --heads FILE (weir audit heads --json at "
		        "another node)\n");
	return answer;
}

static const char verdict_text[] =
        "[{?good}good|NOT GOOD: {n_found:n} finding{n_found:plural}]: the audit log of [{node}|no node], "
        "lines {first:n|0} to {last:n|0}; signed up to line {vouched:n|0}, key [{key}|none]; {heads:n|0} "
        "head{heads:plural} of peers\n"
        "{*found of n_found}  {what|?}: [{?line}{file}:{line:n}, ][{?seq}line {seq:n}: ]{detail}\n{/}"
        "{*notes}  note: [{?seq}line {seq:n}: ]{detail}\n{/}";

static int judge_log(const struct cli *cli, struct audit_verify *v)
{
	struct audit_verdict *verdict = calloc(1, sizeof(*verdict));

	if (!verdict)
		return cli_fail(CLI_UNREACHABLE, "out of memory");
	audit_verify_end(v, verdict);
	bool is_good = verdict->good;
	api_print_own_text(cli, record_shown(&audit_verdict_kind, verdict), verdict_text);
	free(verdict);
	return is_good ? CLI_OK : CLI_DEGRADED;
}

/* Say why a log cannot be judged. */
static int fail_reading(const char *path, int err)
{
	if (err == -ENODATA)
		return cli_fail(CLI_UNREACHABLE,
		                "audit verify: there is no audit log: %s has no line of one", path);
	return cli_fail(err == -EACCES ? CLI_DENIED : CLI_UNREACHABLE, "%s cannot be read: %s%s",
	                path, strerror(-err),
	                err == -EACCES ? ": only root and weir-mgmt may" : "");
}

/* Heads first: one of a line that was written after the files were read would look like a log that was cut. */
int cli_audit_verify(struct cli *cli, const struct cli_args *args)
{
	char own[PATH_MAX];
	const char *path = args->n ? args->at[0] : own;
	struct audit_verify *v = NULL;
	int status;

	if (proc_path(cli->dirs.state, PROC_AUDIT_DIR, own))
		return cli_fail(CLI_USAGE, "the path of the state directory is too long");
	struct audit_mark mark = { .gone = 0 };
	if (!args->n) /* a copy of a log that goes on may have an older file than its mark */
		audit_mark_read(own, &mark);
	json_t *heads = find_heads(cli, cli_text(args, "--heads"), &status);
	if (status == CLI_OK) {
		int err = read_log(path, args->n ? NULL : cli->dirs.state, &v);

		if (err)
			status = fail_reading(path, err);
	}
	if (v) {
		const char *node = cli_text(args, "--heads") ? NULL : json_get_text(heads, "node");

		if (!args->n)
			audit_verify_node(v, node ? node : cli->dirs.node);
		if (mark.head.seq)
			audit_verify_mark(v, &mark.head);
		add_answer(v, heads);
		status = judge_log(cli, v);
		audit_verify_free(v);
	}
	json_decref(heads);
	return status;
}

/* --- heads, and the key --- */

static const char heads_text[] =
        "node {node|?}: [its head is line {own.seq:n} of {own.time}, key {own.key}|it has no signed head "
        "yet]\n"
        "{*at_peers}  {peer|?} holds [{?heads}{*heads|, }line {seq:n|0} of {time|?}{/}|none of it]\n{/}"
        "{*unheard}  {} does not answer\n{/}"
        "{*held}  held here: {node|?}, line {seq:n|0} of {time|?}, key {key|?}\n{/}";

int cli_audit_heads(struct cli *cli, const struct cli_args *args)
{
	const struct api_request request = { .method = "GET", .path = "/v1/audit/heads" };

	(void)args;
	return api_show_text(cli, &request, heads_text);
}

int cli_audit_rotate(struct cli *cli, const struct cli_args *args)
{
	struct api_request request = { .method = "POST", .path = "/v1/audit/rotate" };

	if (!cli_text(args, "--reason"))
		return cli_fail(CLI_USAGE, "audit rotate: --reason is required");
	request.body = body_make_reason("audit rotate", args);
	return request.body
	               ? api_show_text(cli, &request,
	                               "the audit log is signed by {key|?} from now on; the key "
	                               "before, {former|?}, has signed that\n")
	               : CLI_USAGE;
}
