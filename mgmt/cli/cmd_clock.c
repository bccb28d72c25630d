/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock, clock accept: the time by which schedules go is weir-mgmt's judgement (base/wall_clock.h) and
 * may differ from the wall clock, so both are shown, with what the peers' clocks say.
 */
#include <stdio.h>

#include "mgmt/cli/api.h"
#include "mgmt/cli/body.h"

static const char clock_text[] =
        "[the time [{?dry_run}would move|moved] by {moved_ms:offset}\n]"
        "clock {state|?}: {effect}\n"
        "  believed   {believed|?}\n"
        "  wall clock {wall_clock|?}[{?off_by_ms} ({off_by_ms:offset})]\n"
        "  the kernel says that the wall clock is [{!synchronised}not ]synchronised\n"
        "{*peers}  peer {node|?}: its clock is [{off_by_ms:offset} off this node's wall clock|not known]\n{/}";

int cli_clock(struct cli *cli, const struct cli_args *args)
{
	const struct api_request request = { .method = "GET", .path = "/v1/clock" };

	(void)args;
	return api_show_text(cli, &request, clock_text);
}

int cli_clock_accept(struct cli *cli, const struct cli_args *args)
{
	struct api_request request = { .method = "POST", .path = "/v1/clock/accept" };

	if (!cli_text(args, "--reason"))
		return cli_fail(CLI_USAGE, "clock accept: --reason is required");
	request.reads = cli_flag(args, "--dry-run");
	if (request.reads)
		request.path = "/v1/clock/accept?dry_run=true";
	request.body = body_make_reason("clock accept", args);
	return request.body ? api_show_text(cli, &request, clock_text) : CLI_USAGE;
}
