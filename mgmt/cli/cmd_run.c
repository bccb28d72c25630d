/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run: the supervisor (supervise/run.h), which is this process from then on.
 */
#include <string.h>

#include "mgmt/cli/cli.h"
#include "supervise/run.h"
#include "weir/life.h"
#include "weir/when.h"

/* "10s"; "off": no process is restarted for silence. @return CLI_OK or told */
static int read_hang_time(const struct cli_args *args, struct run_options *o)
{
	const char *text = cli_value(args, "--hang-time");
	int64_t ms;

	o->hang_ms = life_limits[LIFE_FOR_RESTART].hung_ms;
	o->spares = text && !strcmp(text, "off");
	if (!text || o->spares)
		return CLI_OK;
	if (when_duration(text, &ms) != 0 || ms < RUN_HANG_LEAST_MS || ms > RUN_HANG_MOST_MS)
		return cli_fail(CLI_USAGE,
		                "--hang-time %s: expected a duration from 3s to 10m, or off", text);
	o->hang_ms = (uint64_t)ms;
	return CLI_OK;
}

int cli_run(struct cli *cli, const struct cli_args *args)
{
	static const enum cli_status statuses[] = { [RUN_END_OK] = CLI_OK,
		                                    [RUN_END_WRONG] = CLI_USAGE,
		                                    [RUN_END_DENIED] = CLI_DENIED,
		                                    [RUN_END_BUSY] = CLI_CONFLICT,
		                                    [RUN_END_FAILED] = CLI_UNREACHABLE };
	struct run_options o = { .dirs = &cli->dirs, .stop = cli_flag(args, "--stop") };
	char reason[RUN_REASON_MAX];
	int status = read_hang_time(args, &o);
	enum run_end end;

	if (status != CLI_OK)
		return status;
	end = run_supervise(&o, reason);
	return end == RUN_END_OK ? CLI_OK : cli_fail(statuses[end], "%s", reason);
}
