/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of subcommands: what there is, what it takes, what it says of itself. */
#include "mgmt/cli/cli.h"

/* clang-format off */
#define OPTION_REASON  { "--reason", "TEXT", "why, for the record (required)" }
#define OPTION_WHY     { "--reason", "TEXT", "why, for the record" }
#define OPTION_AUTHOR  { "--author", "NAME", "who, if it is not the user" }
#define OPTION_DRY_RUN { "--dry-run", NULL, "say what would happen and change nothing" }
#define OPTION_ALL     { "--all", NULL, "wait until the peers have it too" }
#define OPTION_OFFLINE { "--offline", NULL, "with weir-mgmt dead: write it to the store from here" }
#define OPTION_GUARDS  { "--override", "GUARD,...", "pass these guards, on record" }
#define OPTION_NOW     { "--now", NULL, "at once, without a TTL's head start or a ramp back" }
#define OPTION_FROM    { "--from", "TIME", "start then: +10m, or 2026-11-20T12:00:00Z" }
#define OPTION_UNTIL   { "--until", "TIME", "return then: +4h, 2026-11-20T12:00:00Z, never (required)" }
#define OPTION_OVER    { "--over", "DURATION", "the ramp: 5m; of a backend, the time for its flows" }
#define OPTION_CONFIRM { "--confirm-within", "DURATION", "roll back unless confirmed within this time; none: never" }
#define OPTION_FORCE   { "--force", "DIGEST,...", "override these diverged heads by name" }
#define OPTION_KEEP    { "--confirm-pending", NULL, "confirm an earlier version that is not confirmed yet" }
#define OPTION_JOIN    { "--join-pending", NULL, "one deadline for this and the earlier unconfirmed version" }
#define OPTION_BASE    { "--base", "ETAG", "only if this is still the version in force" }
#define OPTION_MADE    { "--base", "VERSION", "the version that the file was made from (default: its line '# weir base VERSION')" }
#define OPTION_SKIP { "--skip-bad-zones", NULL, "zones whose new files have mistakes keep those in force" }
#define OPTION_REPLACE { "--replace", NULL, "also take back what others changed since" }
#define NONE           { NULL, NULL, NULL }

const char cli_program[] = "weir";
const char cli_agent_words[] = "weir agent";
const char cli_about[] = "layer-4 load balancer and DNS failover server";
const char *const cli_options_help = proc_dirs_help;

#define TARGET "site NAME|backend POOL/NAME"

const struct cli_command cli_commands[] = {
	{ "run", "", 0, 0, "start all of Weir in the foreground and restart what dies", cli_run,
	  { { "--bootstrap", NULL, "first start: make weir.conf the first version without asking the peers" },
	    { "--hang-time", "TIME", "restart a process without sign of life for so long (default 10s); off: never" },
	    { "--stop", NULL, "stop the weir run of this run directory, or what a dead one has left" }, NONE } },
	{ "status", "", 0, 0, "intent, observation and effect; exit 0 well, 10 degraded, 11 down", cli_status,
	  { { "--site", "NAME", "only what is at this site" },
	    { "--pool", "NAME", "only this pool, with all its backends" },
	    { "--all", NULL, "all backends; else, of more than 40, those that stand out" },
	    { "--watch", NULL, "again every second" }, NONE } },
	{ "plan", "[FILE]", 0, 1, "what applying a configuration (CONF/weir.conf) would do", cli_plan, { NONE } },
	{ "apply", "[FILE]", 0, 1, "make a configuration the version in force", cli_apply,
	  { OPTION_REASON, OPTION_AUTHOR, OPTION_CONFIRM, OPTION_KEEP, OPTION_JOIN, OPTION_MADE, OPTION_REPLACE, OPTION_SKIP, OPTION_FORCE, OPTION_DRY_RUN, OPTION_ALL, NONE } },
	{ "confirm", "[VERSION]", 0, 1, "keep a version that would be rolled back otherwise", cli_confirm,
	  { OPTION_WHY, OPTION_AUTHOR, NONE } },
	{ "rollback", "VERSION", 1, 1, "make a new version with exactly the files of an old one", cli_rollback,
	  { OPTION_REASON, OPTION_AUTHOR, OPTION_CONFIRM, OPTION_KEEP, OPTION_JOIN, OPTION_BASE, OPTION_FORCE, OPTION_DRY_RUN, OPTION_ALL, NONE } },
	{ "versions", "", 0, 0, "the last versions: when, who, why", cli_versions,
	  { { "--limit", "N", "number of entries to show (default 20)" }, NONE } },
	{ "diff", "[VERSION|NODE|NODE:VERSION ...]", 0, 2, "compare two versions (also of peers), or one version or CONF/weir.conf with the one in force", cli_diff, { NONE } },
	{ "drain", TARGET, 2, 2, "no new flows there, existing ones live", cli_drain,
	  { OPTION_OVER, OPTION_UNTIL, OPTION_REASON, OPTION_FROM, OPTION_NOW, OPTION_AUTHOR, OPTION_GUARDS,
	    OPTION_DRY_RUN, OPTION_OFFLINE, OPTION_ALL, NONE } },
	{ "undrain", TARGET, 2, 2, "end a drain", cli_undrain,
	  { OPTION_WHY, OPTION_OVER, OPTION_NOW, OPTION_AUTHOR, OPTION_DRY_RUN, OPTION_OFFLINE, OPTION_ALL, NONE } },
	{ "disable", TARGET, 2, 2, "take it out of service at once, with its connections", cli_disable,
	  { OPTION_UNTIL, OPTION_REASON, OPTION_AUTHOR, OPTION_GUARDS, OPTION_DRY_RUN, OPTION_OFFLINE, OPTION_ALL, NONE } },
	{ "enable", TARGET, 2, 2, "end a disable or force-up", cli_enable,
	  { OPTION_WHY, OPTION_OVER, OPTION_NOW, OPTION_AUTHOR, OPTION_DRY_RUN, OPTION_OFFLINE, OPTION_ALL, NONE } },
	{ "force-up", "backend POOL/NAME", 2, 2, "take it as up, whatever checks say", cli_force_up,
	  { OPTION_UNTIL, OPTION_REASON, OPTION_AUTHOR, OPTION_DRY_RUN, OPTION_OFFLINE, OPTION_ALL, NONE } },
	{ "hold", "site NAME", 2, 2, "stop a running ramp where it is", cli_hold,
	  { OPTION_WHY, OPTION_AUTHOR, OPTION_DRY_RUN, OPTION_OFFLINE, OPTION_ALL, NONE } },
	{ "overrides", "", 0, 0, "drains, disables, forced states, holds", cli_overrides,
	  { { "--ended", NULL, "include ended overrides" }, NONE } },
	{ "events", "", 0, 0, "what happened last, oldest first", cli_events,
	  { { "--limit", "N", "number of entries to show (default 20)" }, { "--since", "ID", "all that came after this one" },
	    { "--follow", NULL, "and those to come" }, NONE } },
	{ "trace", "SRC:PORT VIP:PORT/tcp", 2, 2, "what this node does with a packet, step by step", cli_trace,
	  { { "--length", "BYTES", "of the IP packet, with its headers; else the shortest" }, NONE } },
	{ "health", "", 0, 0, "each check's target, its last result and since when", cli_health, { NONE } },
	{ "why", "[site|backend|pool|service|node NAME]", 0, 2, "why the node is not well; or intent, observation, effect and history of one thing",
	  cli_why, { NONE } },
	{ "wait", "well | KIND NAME STATE", 1, 3, "wait for a state: site ams drained, backend web/b1 up", cli_wait,
	  { { "--timeout", "DURATION", "give up after this time (default 60s)" }, NONE } },
	{ "clock accept", "", 0, 0, "accept the wall clock as it is now, after an intended step", cli_clock_accept,
	  { OPTION_REASON, OPTION_AUTHOR, OPTION_DRY_RUN, NONE } },
	{ "clock", "", 0, 0, "the time that schedules go by, and whether the wall clock agrees", cli_clock, { NONE } },
	{ "dns explain", "NAME [TYPE]", 1, 2, "what is answered to a question, and why", cli_dns_explain,
	  { { "--client", "ADDR|PREFIX", "who asks; a prefix as ECS carries it" },
	    { "--resolver", "ADDR", "through which resolver" },
	    { "--at", "TIME", "answer for another time" },
	    { "--tcp", NULL, "over TCP" },
	    NONE } },
	{ "zone reload", "", 0, 0, "take changed zone files", cli_zone_reload,
	  { { "--reason", "TEXT", "why, for the record" }, OPTION_SKIP, NONE } },
	{ "config check", "[FILE]", 0, 1, "tell all mistakes of a configuration (CONF/weir.conf)", cli_config_check, { NONE } },
	{ "config show", "[FILE]", 0, 1, "the configuration as understood, with every default", cli_config_show,
	  { { "--applied", NULL, "the version in force as it was given, to make the next one from" }, { "--into", "DIR", "with --applied: all its files, zones too, into a new directory" }, { "--effective", NULL, "the effective document of this node" }, NONE } },
	{ "config reference", "", 0, 0, "what a configuration may hold (docs/configuration.md)", cli_config_reference,
	  { NONE } },
	{ "token new", "NAME ROLE", 2, 2, "make a token for the API: print it, and add its digest to CONF/tokens", cli_token_new, { NONE } },
	{ "nic", "", 0, 0, "network devices, their drivers, what Weir could do with each and how to bind it", cli_nic, { NONE } },
	{ "agent attach", CLI_AGENT_ATTACH },
	{ "agent detach", CLI_AGENT_DETACH },
	{ "agent status", CLI_AGENT_STATUS },
};
/* clang-format on */
const size_t cli_commands_n = sizeof(cli_commands) / sizeof(cli_commands[0]);
