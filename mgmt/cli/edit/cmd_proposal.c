/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proposals, proposal: changes that a gate asks other persons to approve. Who proposed one makes it with --proposal ID, once it is
 * approved.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/cli/api.h"
#include "mgmt/json/row.h"

#define PROPOSAL                                                                                   \
	"{id}  {state}[ by {withdrawn_by}: {withdrawn_reason}]: {approvals:count} of {needed:n} "  \
	"approvals for gate {gate}, until {until}[, tried at {canary} first]\n"                    \
	"  by {person} ({principal})[, {author},] at version {base:n|0}: {reason}\n"               \
	"{*approvals}  approved by {person} ({principal}), {time}: {reason}\n{/}"
/* The digest is what is approved: who has the files compares it with that of weir plan. */
#define LINES                                                                                       \
	"{*changes of changes_all}  {}\n{/}{*risks of risks_all}  ! {}\n{/}  files {digest} (weir " \
	"plan FILE --json: version.digest)\n"

static const char proposals_text[] = "[{?items}{*items}" PROPOSAL "{/}|there are no proposals\n]";
static const char proposal_text[] = PROPOSAL LINES;

int cli_proposals(struct cli *cli, const struct cli_args *args)
{
	struct api_request request = { .method = "GET", .path = "/v1/proposals" };

	(void)args;
	return api_show_text(cli, &request, proposals_text);
}

int cli_proposal(struct cli *cli, const struct cli_args *args)
{
	const char *verb = args->at[1];
	char *id = api_escape(args->at[0]), path[320];
	struct api_request request = { .method = verb ? "POST" : "GET", .path = path };

	snprintf(path, sizeof(path), "/v1/proposals/%.200s%s%s%s", id ? id : "", verb ? "/" : "",
	         verb ? verb : "", cli_flag(args, "--dry-run") ? "?dry_run=true" : "");
	free(id);
	if (verb && strcmp(verb, "approve") != 0 && strcmp(verb, "withdraw") != 0)
		return cli_fail(CLI_USAGE, "%s: expected approve or withdraw", verb);
	const char *reason = cli_text(args, "--reason");

	if (verb)
		request.body = JSON_TEXTS({ "reason", reason ? reason : verb });
	if (verb && !request.body)
		return cli_fail(CLI_USAGE, "--reason: expected text in UTF-8");
	return api_show_text(cli, &request, proposal_text);
}
