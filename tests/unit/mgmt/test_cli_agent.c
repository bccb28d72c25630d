/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir agent` (mgmt/cli/cmd_agent.c): what is read of its options, how it ends and what it shows; the kernel's side is the test's. */
#include "shown.h"

#include <errno.h>

#include "mgmt/cli/api.h"
#include "weir/agent.h"

static int kernel_err; /* of the kernel's side */
static const char *why;
static const char *where;           /* the options of all commands, as they were given */
static char given[PATH_MAX + 1024]; /* what an attach was asked for */
static size_t n_calls, n_prefixes_given;
static struct agent_status now;
static bool lacks;

static int fail_as_told(char error[AGENT_ERROR_MAX])
{
	n_calls++;
	snprintf(error, AGENT_ERROR_MAX, "%s", why);
	return kernel_err;
}

static void note_call(const char *name, const char *text)
{
	size_t n = strlen(given);

	snprintf(given + n, sizeof(given) - n, " %s=%s", name, text);
}

static int fake_attach(const char *ifname, const struct agent_options *o,
                       char error[AGENT_ERROR_MAX])
{
	char text[ADDR_LONG_TEXT_MAX];

	snprintf(given, sizeof(given), "%s %s mode=%d", ifname, o->bpf_dir, (int)o->mode);
	for (size_t i = 0; i < o->n_prefixes && i < 4; i++)
		note_call("from", prefix_text(&o->prefixes[i], text));
	for (size_t i = 0; i < o->n_owners && i < 4; i++)
		note_call("owner", prefix_text(&o->owners[i], text));
	for (size_t i = 0; i < o->n_netns; i++)
		note_call("netns", o->netns[i]);
	if (o->mss != AGENT_MSS_AUTO) {
		snprintf(text, sizeof(text), "%u", o->mss);
		note_call("mss", text);
	}
	n_prefixes_given = o->n_prefixes + o->n_owners;
	return fail_as_told(error);
}

static int fake_detach(const char *ifname, const char *bpf_dir, char error[AGENT_ERROR_MAX])
{
	snprintf(given, sizeof(given), "%s %s", ifname, bpf_dir);
	return fail_as_told(error);
}

static int fake_status(const char *ifname, const char *bpf_dir, struct agent_status *out,
                       char error[AGENT_ERROR_MAX])
{
	snprintf(given, sizeof(given), "%s %s", ifname, bpf_dir);
	*out = now;
	return fail_as_told(error);
}

static bool fake_lacks(const struct agent_status *s)
{
	(void)s;
	return lacks;
}

#define agent_attach       fake_attach
#define agent_detach       fake_detach
#define agent_status(...)  fake_status(__VA_ARGS__)
#define agent_lacks_owners fake_lacks
#include "mgmt/cli/cmd_agent.c" /* its edges are ours */

const char cli_agent_words[] = "weir agent";

static const char *from, *owners, *netns, *mode, *mss;

const char *cli_value(const struct cli_args *args, const char *name)
{
	(void)args;
	return !strcmp(name, "--from")     ? from
	       : !strcmp(name, "--owners") ? owners
	       : !strcmp(name, "--netns")  ? netns
	       : !strcmp(name, "--mode")   ? mode
	       : !strcmp(name, "--mss")    ? mss
	                                   : NULL;
}

static int set_up(void **state)
{
	(void)state;
	kernel_err = 0;
	why = "";
	n_calls = 0;
	given[0] = '\0';
	from = owners = netns = mode = mss = NULL;
	lacks = false;
	memset(&now, 0, sizeof(now));
	now.mss.force = AGENT_MSS_IN_FORCE;
	return 0;
}

typedef int command(struct cli *cli, const struct cli_args *args);

static int call_command(command *of, bool json)
{
	struct cli cli = { .dirs.bpf = "/bpf", .json = json };
	const struct cli_args args = { .at = { "eth0" }, .n = 1, .where = where };

	shown_begin();
	int status = of(&cli, &args);

	shown_end();
	return status;
}

static void an_agent_is_attached_as_its_options_say(void **state)
{
	static const struct {
		const char *from, *owners, *netns, *mode, *given;
	} rows[] = {
		{ "10.1.255.0/24", NULL, NULL, NULL, "eth0 /bpf mode=0 from=10.1.255.0/24" },
		{ "10.1.255.0/24,fd00:1:ff::/64,", "", "", "auto",
		  "eth0 /bpf mode=0 from=10.1.255.0/24 from=fd00:1:ff::/64" },
		{ "10.1.255.0/24,10.2.255.0/24", "10.3.0.0/16,fd00:3::/48", "red,/proc/7/ns/net",
		  "native",
		  "eth0 /bpf mode=1 from=10.1.255.0/24 from=10.2.255.0/24 owner=10.3.0.0/16 owner=fd00:3::/48 "
		  "netns=red netns=/proc/7/ns/net" },
		{ "::/0", NULL, "a,b,c,d,e,f,g", "generic",
		  "eth0 /bpf mode=2 from=::/0 netns=a netns=b netns=c netns=d netns=e netns=f netns=g" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		from = rows[i].from;
		owners = rows[i].owners;
		netns = rows[i].netns;
		mode = rows[i].mode;
		mss = i ? "auto" : NULL;
		where = i ? "" : " --bpf-dir /bpf";
		assert_int_equal(call_command(cli_agent_attach, false), CLI_OK);
		assert_string_equal(given, rows[i].given);
		assert_string_equal(shown, i ? "attached to eth0; undo: weir agent detach eth0\n"
		                             : "attached to eth0; undo: weir agent detach eth0 "
		                               "--bpf-dir /bpf\n");
		assert_int_equal(call_command(cli_agent_attach, true), CLI_OK);
		assert_string_equal(shown, "{\"ok\":true,\"interface\":\"eth0\"}\n");
		assert_string_equal(told, "");
	}
}

static void wrong_options_attach_nothing(void **state)
{
	static const struct {
		const char *from, *owners, *netns, *mode, *told;
	} rows[] = {
		{ NULL, NULL, NULL, NULL,
		  "--from PREFIX,... is missing: name the nodes' tunnel_source, from "
		  "which the agent accepts tunnels\n" },
		{ "", "10.3.0.0/16", NULL, NULL,
		  "--from PREFIX,... is missing: name the nodes' tunnel_source, from "
		  "which the agent accepts tunnels\n" },
		{ "10.1.255.1/24", NULL, NULL, NULL,
		  "--from: \"10.1.255.1/24\": expected at most 1024 prefixes with no host bits set, separated by commas\n" },
		{ "10.1.255.0/24,,10.2.0.0/16", NULL, NULL, NULL,
		  "--from: \"\": expected at most 1024 prefixes with no host bits set, separated by commas\n" },
		{ "10.1.255.0/24", "10.3.0.0", NULL, "native",
		  "--owners: \"10.3.0.0\": expected at most 1024 prefixes with no host bits set, separated by commas\n" },
		{ "10.1.255.0/24", NULL, "a,b,c,d,e,f,g,h", NULL,
		  "--netns: expected at most 7 names or paths\n" },
		{ "10.1.255.0/24", NULL, NULL, "xdp",
		  "--mode: expected auto, native or generic\n" },
		{ "10.1.255.0/24", NULL, NULL, "", "--mode: expected auto, native or generic\n" },
		{ "x", NULL, NULL, "xdp", "--mode: expected auto, native or generic\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		from = rows[i].from;
		owners = rows[i].owners;
		netns = rows[i].netns;
		mode = rows[i].mode;
		assert_int_equal(call_command(cli_agent_attach, i % 2), CLI_USAGE);
		assert_string_equal(told, rows[i].told);
		assert_string_equal(shown, "");
		assert_int_equal(n_calls, 0);
	}
}

static void the_mss_is_auto_off_or_a_number_that_tcp_can_have(void **state)
{
	static const struct {
		const char *mss, *given; /* NULL: refused */
	} rows[] = {
		{ NULL, "eth0 /bpf mode=0 from=10.1.255.0/24" },
		{ "auto", "eth0 /bpf mode=0 from=10.1.255.0/24" },
		{ "off", "eth0 /bpf mode=0 from=10.1.255.0/24 mss=1" },
		{ "536", "eth0 /bpf mode=0 from=10.1.255.0/24 mss=536" },
		{ "65495", "eth0 /bpf mode=0 from=10.1.255.0/24 mss=65495" },
		{ "535", NULL },
		{ "65496", NULL },
		{ "0", NULL },
		{ "1", NULL }, /* the number that stands for off */
		{ "-1400", NULL },
		{ "+1400", NULL },
		{ " 1400", NULL },
		{ "1400 ", NULL },
		{ "1400b", NULL },
		{ "4294968696", NULL }, /* 1400 beyond 32 bits */
		{ "99999999999999999999999", NULL },
		{ "", NULL },
		{ "Auto", NULL },
	};

	(void)state;
	from = "10.1.255.0/24";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mss = rows[i].mss;
		n_calls = 0;
		assert_int_equal(call_command(cli_agent_attach, false),
		                 rows[i].given ? CLI_OK : CLI_USAGE);
		assert_int_equal(n_calls, rows[i].given != NULL);
		if (rows[i].given)
			assert_string_equal(given, rows[i].given);
		else
			assert_string_equal(told,
			                    "--mss: expected auto, off or 536 to 65495 bytes\n");
	}
}

/* "10.0.0.0/24,10.0.1.0/24,..." */
static char *prefixes_text(size_t n)
{
	char *text = malloc(n * 20 + 1);
	size_t at = 0;

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		at += (size_t)sprintf(text + at, "%s10.%zu.%zu.0/24", i ? "," : "", i / 256,
		                      i % 256);
	return text;
}

static void prefixes_of_both_kinds_share_one_limit(void **state)
{
	static const struct {
		size_t n_from, n_owners;
		const char *told; /* the option that is refused; NULL: none */
	} rows[] = {
		{ 1024, 0, NULL },         { 1025, 0, "--from: " },    { 1000, 24, NULL },
		{ 1, 1023, NULL },         { 1000, 25, "--owners: " }, { 1024, 1, "--owners: " },
		{ 1, 1024, "--owners: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *one = prefixes_text(rows[i].n_from),
		     *two = rows[i].n_owners ? prefixes_text(rows[i].n_owners) : NULL;

		from = one;
		owners = two;
		n_calls = 0;
		assert_int_equal(call_command(cli_agent_attach, false),
		                 rows[i].told ? CLI_USAGE : CLI_OK);
		assert_int_equal(n_calls, !rows[i].told);
		if (rows[i].told)
			assert_int_equal(strncmp(told, rows[i].told, strlen(rows[i].told)), 0);
		else
			assert_int_equal(n_prefixes_given, rows[i].n_from + rows[i].n_owners);
		free(one);
		free(two);
	}
}

static void each_failure_has_its_exit_status(void **state)
{
	static const struct {
		int err, status;
	} rows[] = {
		{ -EPERM, CLI_DENIED },       { -EACCES, CLI_DENIED },
		{ -EBUSY, CLI_CONFLICT },     { -EEXIST, CLI_CONFLICT },
		{ -EINVAL, CLI_USAGE },       { -ENODEV, CLI_USAGE },
		{ -ENOENT, CLI_USAGE },       { -ENOMEM, CLI_UNREACHABLE },
		{ -ENOSPC, CLI_UNREACHABLE },
	};
	static command *const commands[] = { cli_agent_attach, cli_agent_detach, cli_agent_status };

	(void)state;
	from = "10.1.255.0/24";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t k = 0; k < 3; k++) {
			bool gone = commands[k] == cli_agent_status && rows[i].err == -ENOENT;

			kernel_err = rows[i].err;
			why = "";
			assert_int_equal(call_command(commands[k], false),
			                 gone ? CLI_UNREACHABLE : rows[i].status);
			assert_int_equal(strlen(told),
			                 1 + strlen(gone ? "no agent is attached there"
			                                 : strerror(-rows[i].err)));
			assert_string_equal(shown, "");
			why = "eth0: told by the kernel";
			assert_int_equal(call_command(commands[k], true),
			                 gone ? CLI_UNREACHABLE : rows[i].status);
			assert_string_equal(told, "eth0: told by the kernel\n");
			assert_string_equal(shown, "");
		}
}

static void an_agent_is_taken_off(void **state)
{
	(void)state;
	assert_int_equal(call_command(cli_agent_detach, false), CLI_OK);
	assert_string_equal(given, "eth0 /bpf");
	assert_string_equal(shown,
	                    "detached from eth0: tunnelled packets are no longer decapsulated\n");
	assert_int_equal(call_command(cli_agent_detach, true), CLI_OK);
	assert_string_equal(shown, "{\"ok\":true,\"interface\":\"eth0\"}\n");
}

/* Two prefixes of each kind, two reasons with packets of which one is a drop. */
static void make_status(void)
{
	static const char *const prefixes[] = { "10.1.255.0/24", "10.3.0.0/16", "fd00:1:ff::/64",
		                                "fd00:3::/48" };
	size_t n_taken = 0, n_dropped = 0;

	now.mode = AGENT_MODE_NATIVE;
	now.prog_id = 57;
	now.since_mono_ms = 123456;
	now.n_netns = 3;
	now.passes_on = true;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(prefix_parse(prefixes[i], &now.prefixes[i].prefix), 0);
		now.prefixes[i].is_owner = i % 2;
	}
	now.n_prefixes = 4;
	for (int i = 0; i < DECAP_REASON_COUNT; i++) {
		size_t *n = agent_reason_is_drop((enum decap_reason)i) ? &n_dropped : &n_taken;

		if ((*n)++ == 0)
			now.counts[i] =
			        (struct agent_count){ 10 + (unsigned)i, 2000 + (unsigned)i };
	}
}

static void assert_reason_is_shown(enum decap_reason reason, const char *line)
{
	char expected[512];

	snprintf(expected, sizeof(expected), "  %-20s %12u packets %14u bytes%s  %s\n",
	         agent_reason_name(reason), 10 + reason, 2000 + reason,
	         agent_reason_is_drop(reason) ? " DROPPED" : "", agent_reason_help(reason));
	assert_int_equal(strncmp(line, expected, strlen(expected)), 0);
}

static void a_status_shows_what_is_accepted_and_what_was_counted(void **state)
{
	static const char head[] =
	        "eth0: native, program 57, tunnels accepted from 10.1.255.0/24, fd00:1:ff::/64\n"
	        "  second chance: packets are passed on to 10.3.0.0/16, fd00:3::/48; namespaces searched: 3\n"
	        "  MSS: SYN-ACKs are lowered to what the tunnel carries; no SYN has come yet\n";
	const char *line = shown + sizeof(head) - 1;
	size_t n = 0;

	(void)state;
	make_status();
	assert_int_equal(call_command(cli_agent_status, false), CLI_OK);
	assert_int_equal(strncmp(shown, head, sizeof(head) - 1), 0);
	for (int i = 0; i < DECAP_REASON_COUNT; i++) {
		if (!now.counts[i].packets)
			continue;
		assert_reason_is_shown((enum decap_reason)i, line);
		line = strchr(line, '\n') + 1;
		n++;
	}
	assert_int_equal(n, 2);
	assert_string_equal(line, "");
	now.mode = AGENT_MODE_GENERIC;
	now.passes_on = false;
	lacks = true;
	assert_int_equal(call_command(cli_agent_status, false), CLI_DEGRADED);
	assert_int_equal(strncmp(shown, "eth0: generic, program 57,", 26), 0);
	assert_non_null(strstr(shown, "  second chance: off (--owners PREFIX,... turns it on"));
	assert_null(strstr(shown, "10.3.0.0/16"));
	assert_non_null(strstr(shown, "  DEGRADED: the nodes rely on this agent's second chance"));
}

static const struct {
	const char *why;
	struct agent_mss mss;
	const char *line, *json, *degraded;
} mss_rows[] = {
	{ "auto, before the first SYN",
	  { .force = AGENT_MSS_IN_FORCE, .mtu = 1500 },
	  "  MSS: SYN-ACKs are lowered to what the tunnel carries; no SYN has come yet\n",
	  "{'setting':'auto','state':'in_force','services':0,'overhead':0,'ipv4':0,'ipv6':0,'syn':0,"
	  "'lowered':0,'kept':0,'absent':0,'malformed':0,'failed':0}",
	  NULL },
	{ "auto",
	  { .force = AGENT_MSS_IN_FORCE,
	    .mtu = 1500,
	    .overhead = 104,
	    .n_services = 2,
	    .ends = { [MSS_SYN] = 7, [MSS_LOWERED] = 5, [MSS_FAILED] = 1 } },
	  "  MSS: SYN-ACKs are lowered to what the tunnel carries: 1356 (IPv4), 1336 (IPv6), of services noted: 2\n"
	  "  mss-syn                         7 packets  SYNs that came in a tunnel; their services' SYN-ACKs are looked at\n"
	  "  mss-lowered                     5 packets  SYN-ACKs whose MSS was lowered\n"
	  "  mss-failed                      1 packets  SYN-ACKs that could not be changed, left as they were\n",
	  "{'setting':'auto','state':'in_force','services':2,'overhead':104,'ipv4':1356,'ipv6':1336,'syn':7,"
	  "'lowered':5,'kept':0,'absent':0,'malformed':0,'failed':1}",
	  NULL },
	{ "a number",
	  { .force = AGENT_MSS_IN_FORCE, .setting = 1400, .mtu = 1500, .overhead = 20 },
	  "  MSS: SYN-ACKs are lowered to 1400\n",
	  "{'setting':1400,'state':'in_force','services':0,'overhead':20,'ipv4':1400,'ipv6':1400,'syn':0,"
	  "'lowered':0,'kept':0,'absent':0,'malformed':0,'failed':0}",
	  NULL },
	{ "off",
	  { .force = AGENT_MSS_NOT_USED, .setting = AGENT_MSS_OFF, .mtu = 1500 },
	  "  MSS: left as it is (--mss off)\n",
	  "{'setting':'off','state':'off','services':0,'overhead':0,'ipv4':0,'ipv6':0,'syn':0,"
	  "'lowered':0,'kept':0,'absent':0,'malformed':0,'failed':0}",
	  NULL },
	{ "removed by somebody",
	  { .force = AGENT_MSS_MISSING, .mtu = 1500, .overhead = 20 },
	  "  MSS: not lowered\n",
	  "{'setting':'auto','state':'missing','services':0,'overhead':20,'ipv4':0,'ipv6':0,'syn':0,"
	  "'lowered':0,'kept':0,'absent':0,'malformed':0,'failed':0}",
	  "the MSS of SYN-ACKs is not lowered" },
	{ "another release's program",
	  { .force = AGENT_MSS_UNKNOWN },
	  "  MSS: unknown\n",
	  "{'setting':null,'state':'unknown','services':0,'overhead':0,'ipv4':0,'ipv6':0,'syn':null,"
	  "'lowered':null,'kept':null,'absent':null,'malformed':null,'failed':null}",
	  "is not known: another release's program" },
	{ "replies leave elsewhere",
	  { .force = AGENT_MSS_IN_FORCE,
	    .mtu = 1500,
	    .overhead = 20,
	    .n_services = 1,
	    .ends = { [MSS_SYN] = 100 } },
	  "  MSS: SYN-ACKs are lowered to what the tunnel carries: 1440 (IPv4), 1420 (IPv6), of services noted: 1\n"
	  "  mss-syn                       100 packets  ",
	  "{'setting':'auto','state':'in_force','services':1,'overhead':20,'ipv4':1440,'ipv6':1420,'syn':100,"
	  "'lowered':0,'kept':0,'absent':0,'malformed':0,'failed':0}",
	  "no SYN-ACK has left by this interface" },
	{ "too few to say so",
	  { .force = AGENT_MSS_IN_FORCE, .mtu = 1500, .overhead = 20, .ends = { [MSS_SYN] = 99 } },
	  "  mss-syn                        99 packets  ",
	  "{'setting':'auto','state':'in_force','services':0,'overhead':20,'ipv4':1440,'ipv6':1420,'syn':99,"
	  "'lowered':0,'kept':0,'absent':0,'malformed':0,'failed':0}",
	  NULL },
};

/* The MSS of a status, as it is shown, and what of it is degraded. */
static void a_status_shows_what_is_done_with_the_mss(void **state)
{
	json_error_t wrong;

	(void)state;
	make_status();
	for (size_t i = 0; i < sizeof(mss_rows) / sizeof(mss_rows[0]); i++) {
		int status = mss_rows[i].degraded ? CLI_DEGRADED : CLI_OK;

		now.mss = mss_rows[i].mss;
		assert_int_equal(call_command(cli_agent_status, false), status);
		if (!strstr(shown, mss_rows[i].line))
			fail_msg("%s: %s", mss_rows[i].why, shown);
		assert_int_equal(strstr(shown, "DEGRADED") != NULL, mss_rows[i].degraded != NULL);
		if (mss_rows[i].degraded)
			assert_non_null(strstr(shown, mss_rows[i].degraded));
		assert_int_equal(call_command(cli_agent_status, true), status);
		json_t *body = json_loads(shown, 0, &wrong);
		char text[512];

		snprintf(text, sizeof(text), "%s", mss_rows[i].json);
		for (char *c = text; *c; c++)
			*c = *c == '\'' ? '"' : *c;
		json_t *want = json_loads(text, 0, &wrong);
		if (!json_equal(json_object_get(body, "mss"), want))
			fail_msg("%s: %s", mss_rows[i].why, shown);
		assert_int_equal(json_array_size(json_object_get(body, "troubles")),
		                 mss_rows[i].degraded != NULL);
		json_decref(want);
		json_decref(body);
	}
}

static void all_that_is_wrong_is_named_for_people_and_programs(void **state)
{
	(void)state;
	make_status();
	lacks = true;
	now.mss = (struct agent_mss){ .force = AGENT_MSS_MISSING };
	for (int json = 0; json < 2; json++) {
		assert_int_equal(call_command(cli_agent_status, json), CLI_DEGRADED);
		assert_non_null(strstr(shown, "but it has no --owners"));
		assert_non_null(strstr(shown, "the MSS of SYN-ACKs is not lowered"));
	}
}

static void a_status_in_json_has_all_reasons(void **state)
{
	json_error_t wrong;
	size_t i;
	json_t *row;

	(void)state;
	make_status();
	for (int again = 0; again < 2; again++) {
		lacks = again;
		now.mode = again ? AGENT_MODE_GENERIC : AGENT_MODE_NATIVE;
		assert_int_equal(call_command(cli_agent_status, true),
		                 again ? CLI_DEGRADED : CLI_OK);
		json_t *body = json_loads(shown, 0, &wrong), *counts;

		assert_non_null(body);
		counts = json_incref(json_object_get(body, "counts"));
		assert_int_equal(json_array_size(counts), DECAP_REASON_COUNT);
		json_array_foreach(counts, i, row)
		{
			enum decap_reason reason = (enum decap_reason)i;

			assert_string_equal(json_string_value(json_object_get(row, "reason")),
			                    agent_reason_name(reason));
			assert_int_equal(json_is_true(json_object_get(row, "drop")),
			                 agent_reason_is_drop(reason));
			assert_int_equal(json_integer_value(json_object_get(row, "packets")),
			                 now.counts[i].packets);
			assert_int_equal(json_integer_value(json_object_get(row, "bytes")),
			                 now.counts[i].bytes);
		}
		json_decref(counts);
		json_object_del(body, "counts");
		assert_true(json_is_object(json_object_get(body, "mss"))); /* see above */
		json_object_del(body, "mss");
		assert_int_equal(json_array_size(json_object_get(body, "troubles")), again);
		json_object_del(body, "troubles");
		char *text = json_dumps(body, JSON_COMPACT);

		assert_string_equal(
		        text,
		        again ? "{\"interface\":\"eth0\",\"mode\":\"generic\",\"program\":57,\"since_mono_ms\":123456,"
		                "\"from\":[\"10.1.255.0/24\",\"fd00:1:ff::/64\"],\"owners\":[\"10.3.0.0/16\",\"fd00:3::/48\"],"
		                "\"passes_on\":true,\"namespaces\":3}"
		              : "{\"interface\":\"eth0\",\"mode\":\"native\",\"program\":57,\"since_mono_ms\":123456,"
		                "\"from\":[\"10.1.255.0/24\",\"fd00:1:ff::/64\"],\"owners\":[\"10.3.0.0/16\",\"fd00:3::/48\"],"
		                "\"passes_on\":true,\"namespaces\":3}");
		free(text);
		json_decref(body);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, set_up)
	const struct CMUnitTest tests[] = {
		T(an_agent_is_attached_as_its_options_say),
		T(wrong_options_attach_nothing),
		T(prefixes_of_both_kinds_share_one_limit),
		T(each_failure_has_its_exit_status),
		T(an_agent_is_taken_off),
		T(a_status_shows_what_is_accepted_and_what_was_counted),
		T(all_that_is_wrong_is_named_for_people_and_programs),
		T(a_status_in_json_has_all_reasons),
		T(the_mss_is_auto_off_or_a_number_that_tcp_can_have),
		T(a_status_shows_what_is_done_with_the_mss),
	};

	return cmocka_run_group_tests_name("cli agent", tests, NULL, NULL);
}
