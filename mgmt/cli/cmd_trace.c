/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace SRC:PORT VIP:PORT/proto: runs the forwarding decision itself, the code that packets run, on
 * the pinned tables, so it also works with the dataplane dead. A user who may not open the pins
 * gets the answer from the running dataplane.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ctl.h"
#include "base/memory.h"
#include "mgmt/cli/api.h"
#include "weir/effect.h"
#include "weir/json.h"
#include "weir/model.h"
#include "weir/trace.h"

#define REASON_MAX_BYTES 512  /* bytes of a message */
#define QUERY_MS         2000 /* for the dataplane's answer */

/*
 * Where this node's tables are pinned; the cluster's name is in the effective document. If this
 * user may not read it, @p reason says so, and the dataplane can be queried instead.
 */
static int pins_of(const struct cli *cli, char pins[PATH_MAX], char reason[REASON_MAX_BYTES])
{
	struct model *m = NULL;
	struct model_errors errors;
	char path[PATH_MAX];

	if (proc_path(cli->dirs.state, PROC_EFFECTIVE_FILE, path) != 0)
		return cli_fail(CLI_USAGE, "the path is too long");
	int err = model_read_without_key(path, NULL, &m, &errors);
	int status = !err ? CLI_OK : errors.denied ? CLI_DENIED : CLI_UNREACHABLE;
	const char *message = errors.n_items ? errors.items[0].message : strerror(-err);
	if (status == CLI_DENIED)
		snprintf(reason, REASON_MAX_BYTES, "%.200s: %.200s", path, message);
	else if (err)
		cli_fail(status, "%s cannot be read: %s", path, message);
	else if (effect_tables_dir(cli->dirs.bpf, cli->dirs.run, m->cluster, cli->dirs.node,
	                           pins) != 0)
		status = cli_fail(CLI_USAGE, "the path is too long");
	model_free(m);
	model_errors_free(&errors);
	return status;
}

/* A trace in words, whoever made it. */
static const char trace_text[] =
        "{*steps}{-10 step} {text}\n{/}"
        "result     {action|?}: {reason|?}[, [{?ifindex}to|backend] {backend}"
        "[{?remembered}, remembered|{?settled=false}, slot unsettled]]\n";

/* Ask the running dataplane for the trace. @return CLI_UNREACHABLE: it does not answer */
static int trace_by_process(const struct cli *cli, const struct cli_args *args,
                            const struct trace_query *q)
{
	char path[PATH_MAX], *answer = NULL;
	json_t *request = JSON_TEXTS({ "do", "trace" }, { "source", args->at[0] },
	                             { "destination", args->at[1] });
	char *line = json_line(json_with(request, "length", json_integer(q->length)));
	int err = line && proc_path(cli->dirs.run, "dataplane.ctl", path) == 0
	                  ? ctl_request(path, line, QUERY_MS, &answer)
	                  : -ENOMEM;
	json_t *body = err ? NULL : json_read(answer, strlen(answer), 0, NULL);
	bool ok = json_has_true(body, "ok");

	if (ok)
		api_print_text(cli, body, trace_text);
	json_decref(body);
	free(line);
	free(answer);
	return ok ? CLI_OK : CLI_UNREACHABLE;
}

/*
 * The pinned tables come first, because they answer with the dataplane dead, too; a user who may
 * not open them asks the process.
 */
static int trace_pinned_tables(const struct cli *cli, const struct cli_args *args, const char *pins,
                               const struct trace_query *q)
{
	char reason[REASON_MAX_BYTES] = "";
	struct trace_result *r = MEMORY_NEW(struct trace_result);
	int err = trace_pinned(pins, q, r, reason, sizeof(reason));

	if (!err) {
		char *line = trace_json(q, r);
		json_t *body = line ? json_read(line, strlen(line), 0, NULL) : NULL;

		api_print_own_text(cli, body ? body : json_object(), trace_text);
		free(line);
	}
	free(r);
	if (!err)
		return CLI_OK;
	if ((err == -EPERM || err == -EACCES) && trace_by_process(cli, args, q) == CLI_OK)
		return CLI_OK;
	if (err == -ENOENT)
		return cli_fail(CLI_UNREACHABLE,
		                "no dataplane has run here with --bpf-dir %s --node %s (%s)",
		                cli->dirs.bpf, cli->dirs.node, reason);
	return cli_fail(err == -EPERM || err == -EACCES ? CLI_DENIED : CLI_UNREACHABLE,
	                "the tables cannot be read: %s%s", reason[0] ? reason : strerror(-err),
	                err == -EPERM || err == -EACCES ? "; run the command as root" : "");
}

static int read_length(const char *text, struct trace_query *q)
{
	char *end = NULL;
	long long n = text ? strtoll(text, &end, 10) : 0;

	if (!text)
		return 0;
	return end == text || *end ? -EINVAL : trace_set_length(q, n);
}

int cli_trace(struct cli *cli, const struct cli_args *args)
{
	char pins[PATH_MAX], reason[REASON_MAX_BYTES] = "";
	struct trace_query q;
	int status;

	if (trace_parse(args->at[0], args->at[1], &q) != 0)
		return cli_fail(CLI_USAGE,
		                "expected: SRC:PORT VIP:PORT/tcp, /tcp:syn or /udp; IPv6 in [ ]");
	if (read_length(cli_value(args, "--length"), &q) != 0)
		return cli_fail(CLI_USAGE, "--length: expected the bytes of an IP packet, %u to %u",
		                q.length, UINT16_MAX);
	status = pins_of(cli, pins, reason);
	if (status == CLI_DENIED && trace_by_process(cli, args, &q) == CLI_OK)
		return CLI_OK;
	if (status == CLI_DENIED)
		cli_fail(status,
		         "%s; run the command as root, or as a member of group weir while "
		         "weir-dataplane runs",
		         reason);
	return status ? status : trace_pinned_tables(cli, args, pins, &q);
}
