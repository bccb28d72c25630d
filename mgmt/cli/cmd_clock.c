/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock, clock accept: the time by which schedules go is weir-mgmt's judgement (base/wall_clock.h) and
 * may differ from the wall clock, so both are shown, with what the peers' clocks say.
 */
#include <stdio.h>

#include "mgmt/cli/api.h"
#include "mgmt/cli/body.h"

static void print_peer(const json_t *peer)
{
	const json_t *off = json_object_get(peer, "off_by_ms");

	if (json_is_integer(off))
		printf("  peer %s: its clock is %+.1f s off this node's wall clock\n",
		       api_text(peer, "node", "?"), api_number(peer, "off_by_ms", 0) / 1e3);
	else
		printf("  peer %s: its clock is not known\n", api_text(peer, "node", "?"));
}

static void print_clock(const json_t *body)
{
	double off_by_ms = api_number(body, "off_by_ms", 0);
	const json_t *peer;
	size_t i;

	if (json_object_get(body, "moved_ms"))
		printf("%s by %+.1f s\n",
		       json_has_true(body, "dry_run") ? "the time would move" : "the time moved",
		       api_number(body, "moved_ms", 0) / 1e3);
	printf("clock %s: %s\n", api_text(body, "state", "?"), api_text(body, "effect", ""));
	printf("  believed   %s\n  wall clock %s", api_text(body, "believed", "?"),
	       api_text(body, "wall_clock", "?"));
	if (off_by_ms != 0)
		printf(" (%+.1f s)", off_by_ms / 1e3);
	printf("\n  the kernel says that the wall clock is %ssynchronised\n",
	       json_has_true(body, "synchronised") ? "" : "not ");
	json_array_foreach(json_object_get(body, "peers"), i, peer) print_peer(peer);
}

int cli_clock(struct cli *cli, const struct cli_args *args)
{
	const struct api_request request = { .method = "GET", .path = "/v1/clock" };

	(void)args;
	return api_show(cli, &request, print_clock);
}

int cli_clock_accept(struct cli *cli, const struct cli_args *args)
{
	struct api_request request = { .method = "POST", .path = "/v1/clock/accept" };

	if (!cli_text(args, "--reason"))
		return cli_fail(CLI_USAGE, "clock accept: --reason is required");
	if (cli_flag(args, "--dry-run"))
		request.path = "/v1/clock/accept?dry_run=true";
	request.body = body_make_reason("clock accept", args);
	return request.body ? api_show(cli, &request, print_clock) : CLI_USAGE;
}
