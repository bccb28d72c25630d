/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns explain runs the answering code of weir-dns on the documents and pages of this host, so it
 * needs no running process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/believed.h"
#include "mgmt/cli/api.h"
#include "mgmt/json/explain.h"
#include "weir/explain.h"

static void print_explain_errors(const struct explanation *e)
{
	for (size_t i = 0; i < e->n_errors; i++)
		fprintf(stderr, "weir: %s\n", e->errors[i]);
}

static void print_explanation(const struct explanation *e)
{
	for (size_t i = 0; i < e->n_steps; i++)
		printf("%-12s %s\n", e->steps[i].what, e->steps[i].text);
	printf("%-12s %s%s%s\n", "answer", e->rcode ? e->rcode : "-",
	       e->authoritative ? ", authoritative" : "", e->truncated ? ", truncated" : "");
	for (size_t i = 0; i < e->n_records; i++)
		printf("  %s\n", e->records[i]);
	print_explain_errors(e);
}

static int explain_status(int err)
{
	switch (err) {
	case 0:
		return CLI_OK;
	case -ENOENT:
		return cli_fail(CLI_UNREACHABLE,
		                "there is no effective document yet; is weir run running?");
	case -EACCES:
		return cli_fail(CLI_DENIED,
		                "this user may not read the effective document or a file that it "
		                "names; run the command as root");
	case -EINVAL:
		return CLI_USAGE;
	default:
		return cli_fail(CLI_UNREACHABLE, "%s", strerror(-err));
	}
}

int cli_dns_explain(struct cli *cli, const struct cli_args *args)
{
	believed_once(cli->dirs.run);

	struct explain_request request = { .name = args->at[0],
		                           .type = args->at[1] ? args->at[1] : "A",
		                           .tcp = cli_flag(args, "--tcp"),
		                           .wall_clock_ms = clock_believed_ms() };
	const char *at = cli_value(args, "--at");
	struct explanation *e = NULL;
	const char *wrong = explain_set_sender(&request, cli_value(args, "--client"),
	                                       cli_value(args, "--resolver"));
	int status = wrong ? cli_fail(CLI_USAGE, "--%s", wrong) : CLI_OK;

	if (!status && at && clock_parse(at, &request.wall_clock_ms) != 0)
		status = cli_fail(CLI_USAGE, "--at: expected a time such as 2026-11-20T12:00:00Z");
	if (status)
		return status;
	status = explain_status(explain_dns(&cli->dirs, &request, &e));
	if (status == CLI_USAGE && e && e->n_steps == 0 && !cli->json) {
		print_explain_errors(e);
	} else if (e && cli->json) {
		api_print_own(record_shown(&explanation_shown, e));
	} else if (e) {
		print_explanation(e);
	}
	explain_free(e);
	return status;
}
