/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of subcommands of weir: one row says what a command takes, what it does, and which
 * function runs it. Dispatch, checks of arguments, help, docs/command-line.md, manual pages and
 * completion all follow from it. Of two rows that begin alike the longer one stands first (args.c).
 */
#include "mgmt/cli/cli.h"

/* clang-format off */
#define OPTION_REASON  { "--reason", "TEXT", "why, for the record (required)" }
#define OPTION_REASON_OPTIONAL     { "--reason", "TEXT", "why, for the record" }
#define OPTION_AUTHOR  { "--author", "NAME", "author of the change, if not the calling user" }
#define OPTION_DRY_RUN { "--dry-run", NULL, "show what would happen; change nothing" }
#define OPTION_ALL     { "--all", NULL, "wait until all nodes have the change" }
#define OPTION_OFFLINE { "--offline", NULL, "write to the store directly, when weir-mgmt is dead or hangs" }
#define OPTION_GUARDS  { "--override", "GUARD,...", "override these guards; the record shows it" }
#define OPTION_NOW     { "--now", NULL, "act at once: skip the wait of one maximum TTL and the return ramp; for a node: do not wait for unsettled slots" }
#define OPTION_LABEL   { "--label", "region=NAME", "all sites with this label, instead of names" }
#define OPTION_SERVICE { "--service", "NAME", "for a site: only this service" }
#define OPTION_FROM    { "--from", "TIME", "for a backend, or with --scheduled: start time: +10m, or 2026-11-20T12:00:00Z" }
#define OPTION_UNTIL   { "--until", "TIME", "end time: +4h, 2026-11-20T12:00:00Z, or never (required)" }
#define OPTION_OVER    { "--over", "DURATION", "length of the ramp, such as 5m" }
#define OPTION_CONFIRM { "--confirm-within", "DURATION", "roll back unless confirmed within this time; none: never" }
#define OPTION_IF      { "--confirm-if", "TEXT", "confirm it by itself, before it is rolled back: \"well for 5m\", once all nodes are well for so long" }
#define OPTION_CANARY  { "--canary", "PLACE", "let it be in force at one node, or the nodes of one site, until it is confirmed: ams-1, or site/ams" }
#define OPTION_HOLD    { "--hold", "TIME", "with --canary: confirm it by itself once all nodes are well for so long: 5m" }
#define OPTION_QUIET   { "--if-quiet", "WHAT", "with --hold, where too few clients came to compare: back (default), or go" }
#define OPTION_GATE    { "--without-gate", "NAME,...", "change it although these gates refuse it (role admin); the record shows it" }
#define OPTION_PROPOSE { "--propose", NULL, "propose it: other persons approve it, as a gate asks (weir proposals)" }
#define OPTION_APPROVED { "--proposal", "ID", "make the change that was proposed so and approved" }
#define OPTION_KEEP    { "--confirm-pending", NULL, "also confirm the earlier version that is not confirmed yet" }
#define OPTION_JOIN    { "--join-pending", NULL, "set one deadline for this and the earlier unconfirmed version" }
#define OPTION_BASE    { "--base", "ETAG", "change only if this version is still in force" }
#define OPTION_FILE_BASE    { "--base", "VERSION", "the version that the file was made from (default: its line '# weir base VERSION')" }
#define OPTION_SKIP { "--skip-bad-zones", NULL, "keep the zone files in force where the new ones have errors" }
#define OPTION_REPLACE { "--replace", NULL, "also undo settings that others have changed since" }
#define OPTION_VALUE { "--value", "JSON", "the value in JSON, instead of words, or in addition to NAME=VALUE" }
#define OPTION_WITHOUT { "--without", "NODE,...", "these nodes are absent: do not wait for them, and count a majority without them" }
#define OPTION_SCHEDULED { "--scheduled", NULL, "for a site: by the clock, without measuring anything (implied by --offline)" }
#define NONE           { NULL, NULL, NULL }

const char cli_program[] = "weir";
const char cli_agent_words[] = "weir agent";
const char cli_about[] = "layer-4 load balancer and DNS failover server";
const char *const cli_options_help = proc_dirs_help;

#define TARGET "site NAME|backend POOL/NAME|node NAME"
#define SITES  "site NAME...|backend POOL/NAME|node NAME"

const struct cli_command cli_commands[] = {
	{ "run", "", 0, 0, "run all processes of Weir in the foreground; restart those that die or hang", cli_run,
	  { { "--hang-time", "TIME", "restart a process that shows no sign of life for this time (default 10s; off: never)" },
	    { "--stop", NULL, "stop the weir run that uses this run directory, or the processes that a dead one left" }, NONE } },
	{ "restart dataplane", "", 0, 0, "replace weir-dataplane by a new process, which prepares itself while the old one forwards; if it cannot start, nothing changes", cli_restart_dataplane,
	  { NONE } },
	{ "status", "", 0, 0, "show intent, observation and effect; exit status 0 well, 10 degraded, 11 down", cli_status,
	  { { "--site", "NAME", "show only this site and what is there" },
	    { "--pool", "NAME", "show only this pool, with all its backends" },
	    { "--all", NULL, "show all backends (default: of more than 40, only the unusual ones)" },
	    { "--watch", NULL, "repeat every second" }, NONE } },
	{ "plan", "[FILE]", 0, 1, "show what weir apply would change (default FILE: CONF/weir.conf)", cli_plan,
	  { { "--status", NULL, "say it by the exit status: 0 nothing changes, 12 something does, 13 the change is risky" }, NONE } },
	{ "what-if", "[FILE]", 0, 1, "show what a configuration would have done to the clients that this node observed in the last minutes (default FILE: CONF/weir.conf)", cli_what_if,
	  { { "--since", "TIME", "new flows since then, at most 15 minutes: -10m (default: all that are kept)" },
	    { "--show-clients", NULL, "list the prefixes of clients whose answer would be another; who was shown them is on record" }, NONE } },
	{ "apply", "[FILE]", 0, 1, "make a configuration the version in force (default FILE: CONF/weir.conf)", cli_apply,
	  { OPTION_REASON, OPTION_AUTHOR, OPTION_CONFIRM, OPTION_IF, OPTION_CANARY, OPTION_HOLD, OPTION_QUIET, OPTION_GATE, OPTION_PROPOSE, OPTION_APPROVED, OPTION_KEEP, OPTION_JOIN, OPTION_FILE_BASE, OPTION_REPLACE, OPTION_SKIP, OPTION_DRY_RUN, OPTION_ALL, NONE } },
	{ "pull", "[DIR]", 0, 1, "write the files of the version in force into a directory, where nothing is overwritten that was changed since the last pull (default DIR: CONF)", cli_pull,
	  { { "--force", NULL, "overwrite what was changed there" }, NONE } },
	{ "push", "[DIR]", 0, 1, "make the files of a directory the version in force, as weir apply of its weir.conf; its base is then that version (default DIR: CONF)", cli_push,
	  { OPTION_REASON, OPTION_AUTHOR, OPTION_CONFIRM, OPTION_IF, OPTION_CANARY, OPTION_HOLD, OPTION_QUIET, OPTION_GATE, OPTION_PROPOSE, OPTION_APPROVED, OPTION_KEEP, OPTION_JOIN, OPTION_FILE_BASE, OPTION_REPLACE, OPTION_SKIP, OPTION_DRY_RUN, OPTION_ALL, NONE } },
	{ "set", "PATH [VALUE ...]", 1, 33, "give a setting of the configuration in force another value: pools/web/backends/b1/weight 50; a list takes several", cli_set,
	  { OPTION_VALUE, OPTION_REASON, OPTION_AUTHOR, OPTION_CONFIRM, OPTION_IF, OPTION_CANARY, OPTION_HOLD, OPTION_QUIET, OPTION_GATE, OPTION_PROPOSE, OPTION_APPROVED, OPTION_KEEP, OPTION_JOIN, OPTION_DRY_RUN, OPTION_ALL, NONE } },
	{ "add", "PATH [NAME=VALUE ...]", 1, 33, "add an object to the configuration in force: pools/web/backends/b3 address=10.0.0.3; of a list give NAME once for each value", cli_add,
	  { OPTION_VALUE, OPTION_REASON, OPTION_AUTHOR, OPTION_CONFIRM, OPTION_IF, OPTION_CANARY, OPTION_HOLD, OPTION_QUIET, OPTION_GATE, OPTION_PROPOSE, OPTION_APPROVED, OPTION_KEEP, OPTION_JOIN, OPTION_DRY_RUN, OPTION_ALL, NONE } },
	{ "remove", "PATH", 1, 1, "remove an object of the configuration in force, or let a setting go back to its default", cli_remove,
	  { OPTION_REASON, OPTION_AUTHOR, OPTION_CONFIRM, OPTION_IF, OPTION_CANARY, OPTION_HOLD, OPTION_QUIET, OPTION_GATE, OPTION_PROPOSE, OPTION_APPROVED, OPTION_KEEP, OPTION_JOIN, OPTION_DRY_RUN, OPTION_ALL, NONE } },
	{ "edit", "PATH", 1, 1, "edit an object of the configuration in force as JSON, in $VISUAL or $EDITOR", cli_edit,
	  { OPTION_REASON, OPTION_AUTHOR, OPTION_CONFIRM, OPTION_IF, OPTION_CANARY, OPTION_HOLD, OPTION_QUIET, OPTION_GATE, OPTION_PROPOSE, OPTION_APPROVED, OPTION_KEEP, OPTION_JOIN, OPTION_DRY_RUN, OPTION_ALL, NONE } },
	{ "confirm", "[VERSION]", 0, 1, "keep a version that would otherwise be rolled back", cli_confirm,
	  { OPTION_REASON_OPTIONAL, OPTION_AUTHOR, NONE } },
	{ "rollback", "VERSION", 1, 1, "make a new version with exactly the files of an old one", cli_rollback,
	  { OPTION_REASON, OPTION_AUTHOR, OPTION_CONFIRM, OPTION_IF, OPTION_GATE, OPTION_PROPOSE, OPTION_APPROVED, OPTION_KEEP, OPTION_JOIN, OPTION_BASE, OPTION_DRY_RUN, OPTION_ALL, NONE } },
	{ "versions", "", 0, 0, "list the last versions: time, author, reason", cli_versions,
	  { { "--limit", "N", "number of entries to show (default 20; with --diff 10)" },
	    { "--diff", NULL, "below each version what it changed, compared with the version that it was made from" }, NONE } },
	{ "blame", "PATH", 1, 1, "show which version last changed a setting (pools/web/backends/b1/weight), or each setting of an object (pools/web), also one that is gone: who, when, why, and the value before", cli_blame, { NONE } },
	{ "diff", "[VERSION|NODE|NODE:VERSION ...]", 0, 2, "compare two versions, also of peers; with one: it and the version in force; with none: CONF/weir.conf and the version in force", cli_diff, { NONE } },
	{ "drain", SITES, 1, 9, "take a site out of service in steps that are measured; or a backend, for new flows, existing flows continue; or move all packets of a node to other nodes", cli_drain,
	  { OPTION_REASON, OPTION_LABEL, OPTION_SERVICE,
	    { "--over", "DURATION", "length of the ramp, such as 5m; for a site: at least this time for all steps; for a backend: the time that its flows get to end" },
	    { "--now", NULL, "act at once: for a site: in one step; with --scheduled: skip the wait of one maximum TTL and the return ramp; for a node: do not wait for unsettled slots" },
	    { "--until", "TIME", "end time: +4h, 2026-11-20T12:00:00Z, or never (required, but for a site without --scheduled: until weir undrain)" },
	    OPTION_AUTHOR, OPTION_GUARDS, OPTION_WITHOUT,
	    { "--withdraw", NULL, "for a site: also withdraw the VIPs that no other site announces; for a node: withdraw all its addresses at once; without another node that announces them their clients are cut off" },
	    { "--wait", "[=empty]", "for a site: wait until it is drained, or also empty of established flows, with a line for each step (exit status 10: held); for a node: wait until it is drained" },
	    OPTION_DRY_RUN, OPTION_SCHEDULED, OPTION_FROM, OPTION_OFFLINE, OPTION_ALL, NONE } },
	{ "undrain", SITES, 1, 9, "end a drain or shift; a site returns in steps that are measured", cli_undrain,
	  { OPTION_REASON_OPTIONAL, OPTION_LABEL, OPTION_SERVICE, { "--over", "DURATION", "length of the ramp; for a site: at least this time for all steps" }, OPTION_NOW, OPTION_AUTHOR, OPTION_GUARDS, OPTION_WITHOUT,
	    { "--wait", NULL, "for a site: wait until all clients are back, with a line for each step (exit status 10: held); for a node: wait until it serves again" },
	    OPTION_DRY_RUN, OPTION_SCHEDULED, OPTION_OFFLINE, OPTION_ALL, NONE } },
	{ "disable", TARGET, 2, 2, "take a site or backend out of service at once, its connections break; or withdraw all addresses of a node at once", cli_override,
	  { OPTION_UNTIL, OPTION_REASON, OPTION_AUTHOR, OPTION_GUARDS, OPTION_DRY_RUN, OPTION_OFFLINE, OPTION_ALL, NONE } },
	{ "enable", TARGET, 2, 2, "end a disable or force-up", cli_override,
	  { OPTION_REASON_OPTIONAL, OPTION_OVER, OPTION_NOW, OPTION_AUTHOR, OPTION_DRY_RUN, OPTION_OFFLINE, OPTION_ALL, NONE } },
	{ "force-up", "backend POOL/NAME", 2, 2, "treat a backend as up, whatever its checks report", cli_override,
	  { OPTION_UNTIL, OPTION_REASON, OPTION_AUTHOR, OPTION_DRY_RUN, OPTION_OFFLINE, OPTION_ALL, NONE } },
	{ "hold", "site NAME", 2, 2, "stop a running ramp at its present level", cli_override,
	  { OPTION_REASON_OPTIONAL, OPTION_SERVICE, OPTION_AUTHOR, OPTION_DRY_RUN, OPTION_OFFLINE, OPTION_ALL, NONE } },
	{ "shift", "site NAME LEVEL", 3, 3, "send a share of a site's clients to other sites, such as 30%, measured like a drain", cli_shift,
	  { OPTION_SERVICE, { "--over", "DURATION", "time for the whole way (default: as fast as the measurements allow)" },
	    { "--now", NULL, "make one step" }, OPTION_UNTIL, OPTION_REASON, OPTION_AUTHOR, OPTION_GUARDS, OPTION_WITHOUT,
	    { "--wait", NULL, "wait until the level is reached, with a line for each step; exit status 10: held" }, OPTION_DRY_RUN, NONE } },
	{ "operations", "", 0, 0, "list the drains, shifts and returns of sites that measure what they do, the newest first", cli_operations,
	  { { "--limit", "N", "number of entries to show (default 20)" }, { "--state", "STATE", "only those in this state, such as held" }, NONE } },
	{ "operation", "ID [hold|resume|abort|take]", 1, 2, "show an operation; or hold it, go on, go back, or make this node its owner when the owner is dead", cli_operation,
	  { { "--watch", NULL, "show each change until nothing moves any more; exit status 10: held" }, OPTION_REASON_OPTIONAL, OPTION_AUTHOR, OPTION_GUARDS,
	    OPTION_WITHOUT, NONE } },
	{ "proposals", "", 0, 0, "list changes that wait for approvals, and those that have them", cli_proposals, { NONE } },
	{ "proposal", "ID [approve|withdraw]", 1, 2, "show a proposal; or approve what another person has proposed, or take it back", cli_proposal,
	  { OPTION_REASON_OPTIONAL, OPTION_DRY_RUN, NONE } },
	{ "drill backup", "SITE", 1, 1, "send new TCP flows of some clients at a site to the backup pools of its services for a while, to prove that these would serve; existing flows stay", cli_drill_backup,
	  { { "--clients", "PREFIX", "the clients, such as 198.51.100.0/24 or 2001:db8::/48 (required)" }, OPTION_SERVICE,
	    { "--for", "DURATION", "how long: 10s to 1h (default 10m); the drill ends by itself" }, { "--until", "TIME", "the same as an end time: +10m, 2026-11-20T12:00:00Z" },
	    OPTION_REASON_OPTIONAL, OPTION_AUTHOR,
	    { "--wait", NULL, "follow it to its end, with a line when something has changed; exit status 0: proved, 10: not proved, no clients came, or not known" },
	    OPTION_DRY_RUN, NONE } },
	{ "drill end", "ID", 1, 1, "end a drill now; flows that it sent to the backup stay there", cli_drill_end,
	  { OPTION_REASON_OPTIONAL, OPTION_AUTHOR, NONE } },
	{ "drills", "", 0, 0, "list drills of backups: what came, what went on, and whether that proves the backup", cli_drills,
	  { { "--ended", NULL, "include those that are over" }, NONE } },
	{ "overrides", "", 0, 0, "list drains, disables, forced states, holds and drills", cli_overrides,
	  { { "--ended", NULL, "include ended overrides" }, NONE } },
	{ "verdicts", "", 0, 0, "list the targets of external checks: what programs say of each, who, and until when", cli_verdicts, { NONE } },
	{ "verdict", "POOL/NAME up|down|none", 2, 2, "say that a target of an external check is up or down, for a time; or take that back: unknown changes nothing in force", cli_verdict,
	  { { "--ttl", "DURATION", "for how long that is so: 5s to 1d (default 1h); then the target is unknown" }, OPTION_REASON_OPTIONAL, NONE } },
	{ "events", "", 0, 0, "list the last events, oldest first", cli_events,
	  { { "--limit", "N", "number of entries to show (default 20)" }, { "--since", "ID", "list all events after this one" },
	    { "--follow", NULL, "wait for new events and list them too" }, NONE } },
	{ "trace", "SRC:PORT VIP:PORT/tcp", 2, 2, "show step by step what this node does with a packet", cli_trace,
	  { { "--length", "BYTES", "length of the IP packet with its headers (default: the shortest possible)" }, NONE } },
	{ "health", "", 0, 0, "list the targets of checks: state, last result, since when", cli_health, { NONE } },
	{ "why", "[site|backend|pool|service|node|vip NAME]", 0, 2, "show why the node is not well; or intent, observation, effect and history of one object; of a VIP, whether routers get it from this node, and why",
	  cli_why, { NONE } },
	{ "wait", "well | KIND NAME STATE", 1, 3, "wait for a state: site ams drained, backend web/b1 up", cli_wait,
	  { { "--timeout", "DURATION", "give up after this time (default 60s)" }, NONE } },
	{ "get", "[PATH]", 0, 1, "show what the configuration in force names: an object (pools/web/backends/b1), one setting of it, bare (pools/web/check), or the names of a list (pools); with none: the kinds of objects", cli_get,
	  { NONE } },
	{ "names", "KIND [PREFIX]", 1, 2, "list the names of one kind (site, node, pool, backend, vip, service, dns, object, operation, drill, proposal, version), one on each line, for completion", cli_names,
	  { NONE } },
	{ "store init", "", 0, 0, "begin the store that nodes share, on the first host, as root: set up its etcd here, or use one that is there", cli_store_init,
	  { { "--listen", "ADDRESS", "address of this host for other nodes (default: that of its api in weir.conf)" },
	    { "--name", "NAME", "name of the member of etcd (default: the node's)" },
	    { "--ca", "FILE", "CA that signs members and nodes (default: one that is made)" },
	    { "--certificate", "FILE", "certificate of this host, for members and as a client" },
	    { "--key", "FILE", "its key" },
	    { "--endpoints", "URL,...", "use the etcd that is there; nothing of it is set up" },
	    { "--id", "ID", "of a store that nodes have copies of and whose members are all lost: weir store rebuild then puts one into it" },
	    { "--first", NULL, "no other node has a store: for the first host, where weir-mgmt does not run yet or does not hear all nodes" },
	    { "--prefix", "PREFIX", "with --endpoints: before all keys (default /weir/)" },
	    { "--user", "NAME", "with --endpoints: user of etcd" },
	    { "--password-file", "FILE", "with --user: its first line is the password" }, NONE } },
	{ "store join", "FILE", 1, 1, "connect this host to the store, as root, with the store.join that store init wrote", cli_store_join,
	  { { "--member", NULL, "also make this host a member of the store's etcd" },
	    { "--listen", "ADDRESS", "with --member: address of this host for other nodes (default: that of its api in weir.conf)" },
	    { "--name", "NAME", "with --member: name of the member (default: the node's)" },
	    { "--certificate", "FILE", "where the store has a CA of your own: certificate of this host" },
	    { "--key", "FILE", "its key" }, NONE } },
	{ "store remove", "MEMBER", 1, 1, "take a member out of the store's etcd, as root: one whose host is lost; says before what is left", cli_store_remove,
	  { { "--yes", NULL, "do not ask; needed without a terminal, and with --json" }, NONE } },
	{ "store check", "", 0, 0, "look at the store, as root: members, their sites, room, certificates, clock; exit status 0 ok, 10 a warning, 11 something wrong", cli_store_check, { NONE } },
	{ "store backup", "[FILE]", 0, 1, "write the records of the store to a file, as root, and read it again (default: /var/backups/weir-store-DAY.json, one for each day of the week)", cli_store_backup, { NONE } },
	{ "store restore", "FILE", 1, 1, "write a backup into a store that has no versions yet, as root, and compare", cli_store_restore,
	  { { "--yes", NULL, "do not ask at a terminal" }, NONE } },
	{ "store accept", "", 0, 0, "say that a store that went back to a backup is right; lists before what this node has and the store has not; all nodes follow", cli_store_accept,
	  { OPTION_REASON, OPTION_AUTHOR, OPTION_DRY_RUN, { "--yes", NULL, "do not ask; needed without a terminal, and with --json" }, NONE } },
	{ "store rebuild", "", 0, 0, "make a store whose members were all lost again, from this node's copy; lists before copies of other nodes that are newer; all nodes follow", cli_store_rebuild,
	  { OPTION_REASON, OPTION_AUTHOR, OPTION_DRY_RUN, { "--yes", NULL, "do not ask; needed without a terminal, and with --json" }, NONE } },
	{ "store status", "", 0, 0, "show the store that nodes share, and what this node has of it", cli_store_status,
	  { NONE } },
	{ "audit verify", "[FILE]", 0, 1, "find lines of an audit log that were changed, removed, inserted, moved, or cut off behind the last head that a peer holds; exit status 0 none, 10 some, 3 there is no log; works without weir-mgmt (default FILE: STATE/audit)", cli_audit_verify,
	  { { "--heads", "FILE", "heads that another node holds: what weir audit heads --json prints there (default: ask this node's peers)" }, NONE } },
	{ "audit heads", "", 0, 0, "show up to which line of this node's audit log its peers can vouch, and which heads of theirs this node holds", cli_audit_heads, { NONE } },
	{ "audit rotate", "", 0, 0, "sign the audit log by a new key from now on", cli_audit_rotate,
	  { OPTION_REASON, OPTION_AUTHOR, NONE } },
	{ "audit", "", 0, 0, "show who changed what, from where, and what was refused, newest first", cli_audit,
	  { { "--since", "TIME", "lines since then: 2026-11-20T12:00:00Z, 2026-11-20, or -1h" },
	    { "--who", "NAME", "lines of this person: ada, token:ada, user:root" },
	    { "--object", "PATH", "lines about this object: pools/web, sites/ams" },
	    { "--kind", "WORD", "lines of this kind: change, refusal, login, bad-login, ..." },
	    { "--limit", "N", "number of lines to show (default 100)" },
	    { "--before", "N", "lines before this one" }, NONE } },
	{ "clock accept", "", 0, 0, "accept the wall clock as it is now, after an intended step", cli_clock_accept,
	  { OPTION_REASON, OPTION_AUTHOR, OPTION_DRY_RUN, NONE } },
	{ "clock", "", 0, 0, "show the time that schedules follow, and whether the wall clock agrees", cli_clock, { NONE } },
	{ "dns explain", "NAME [TYPE]", 1, 2, "show the answer to a DNS query, and why", cli_dns_explain,
	  { { "--client", "ADDR|PREFIX", "address of the client, or its prefix as ECS carries it" },
	    { "--resolver", "ADDR", "address of the resolver" },
	    { "--at", "TIME", "answer as at this time" },
	    { "--tcp", NULL, "explain an answer over TCP" },
	    NONE } },
	{ "zone reload", "", 0, 0, "load changed zone files", cli_zone_reload,
	  { OPTION_REASON_OPTIONAL, OPTION_AUTHOR, OPTION_CONFIRM, OPTION_IF, OPTION_GATE, OPTION_PROPOSE, OPTION_APPROVED, OPTION_KEEP, OPTION_JOIN, OPTION_REPLACE, OPTION_SKIP, OPTION_DRY_RUN, OPTION_ALL, NONE } },
	{ "config check", "[FILE]", 0, 1, "list all errors of a configuration (default FILE: CONF/weir.conf)", cli_config_check, { NONE } },
	{ "config show", "[FILE]", 0, 1, "print a configuration as Weir reads it, with every default", cli_config_show,
	  { { "--applied", NULL, "print the version in force as it was applied, to edit it into the next one" }, { "--into", "DIR", "with --applied: write all its files, with the zones, into a new directory" }, { "--effective", NULL, "print the effective document of this node" }, NONE } },
	{ "config reference", "", 0, 0, "print all settings that a configuration may have (docs/configuration.md)", cli_config_reference,
	  { NONE } },
	{ "token new", "NAME ROLE", 2, 2, "make a token for the API: print it, and add its digest to CONF/tokens", cli_token_new,
	  { { "--certificate", "URI:...|CN:...", "no token: the line is for clients whose certificate names this" },
	    { "--until", "TIME", "it ends then: a day, which it has to its end in UTC (2027-01-31), RFC 3339 or +DURATION" },
	    { "--person", "NAME", "who it belongs to: shown with the token's name in the record" },
	    { "--scope", "KIND:NAME,...", "it may change these objects alone, as pools:web-*, checks:web, label:region=NAME; \"\": none" },
	    { "--from", "PREFIX,...", "it is taken from these addresses alone" },
	    NONE } },
	{ "token list", "", 0, 0, "list the tokens and certificates of CONF/tokens, with what each may; never a token or its digest", cli_token_list, { NONE } },
	{ "token remove", "NAME", 1, 1, "take a token out of CONF/tokens, which ends it at once", cli_token_remove, { NONE } },
	{ "nic", "", 0, 0, "list network devices and their drivers, what Weir can do with each, and how to bind it", cli_nic, { NONE } },
	{ "agent attach", CLI_AGENT_ATTACH },
	{ "agent detach", CLI_AGENT_DETACH },
	{ "agent status", CLI_AGENT_STATUS },
};
/* clang-format on */
const size_t cli_commands_n = sizeof(cli_commands) / sizeof(cli_commands[0]);
