/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `weir agent` (mgmt/cli/cmd_agent.c): what is read of its options, how it ends and what it shows, on a
 * real agent in namespaces of the test's own. Its counters are written into its maps; libbpf alone
 * refuses what the test says.
 */
#include "cli_said.h"

#include <jansson.h>

#include "bpf/agent_maps.h"
#include "tests/unit/mgmt/mgmt_answers.h"
#include "tests/unit/suite.h"
#include "weir/agent.h"

#include "tests/unit/bpf/space.h"

#define PINS BPF_DIR "/agents"

static int get_err; /* of the pin */
static bool is_of_other_release;

static int own_bpf_obj_get(const char *path)
{
	errno = get_err;
	return errno ? -1 : __real_bpf_obj_get(path);
}

/* One whose setting has no value. */
static int own_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	struct bpf_map_info map = { 0 };
	uint32_t size = sizeof(map);

	if (is_of_other_release && !bpf_obj_get_info_by_fd(fd, &map, &size) &&
	    !strcmp(map.name, "agent_mss")) {
		errno = ENOENT;
		return -1;
	}
	return __real_bpf_map_lookup_elem(fd, key, value);
}

static bool has_space; /* a test of an agent needs root */

static int set_up(void **state)
{
	(void)state;
	get_err = 0;
	is_of_other_release = false;
	return 0;
}

static int remove_agent(void **state)
{
	set_up(state);
	return has_space
	               ? system("rm -rf " PINS
	                        "; ip link set dev v0 xdp off; tc qdisc del dev v0 clsact 2>/dev/null; true")
	               : 0;
}

/* "attach", "v0" and options with their values. */
static int run_agent(const char *what, const char *options, bool json)
{
	static char text[65536];
	const char *words[16] = { "agent", what, "--bpf-dir", PINS };
	int at = 4;
	char *saved = NULL;

	snprintf(text, sizeof(text), "%s", options);
	for (char *w = strtok_r(text, " ", &saved); w; w = strtok_r(NULL, " ", &saved))
		words[at++] = w;
	if (json)
		words[at] = "--json";
	return run_weir(words);
}

#define FROM "--from=10.1.255.0/24"

static json_t *status_json(void)
{
	int status = run_agent("status", "v0", true);
	json_t *body = json_loads(shown, 0, NULL);

	assert_true(status == CLI_OK || status == CLI_DEGRADED);
	assert_non_null(body);
	return body;
}

static void an_agent_is_attached_as_its_options_say(void **state)
{
	static const struct {
		const char *options, *status; /* its members, in turn */
	} rows[] = {
		{ FROM, "native [\"10.1.255.0/24\"] [] false 1 \"auto\"" },
		{ FROM ",fd00:1:ff::/64, --owners= --netns= --mode auto --mss auto",
		  "native [\"10.1.255.0/24\",\"fd00:1:ff::/64\"] [] false 1 \"auto\"" },
		{ FROM
		  ",10.2.255.0/24 --owners 10.3.0.0/16,fd00:3::/48 --netns red,/proc/self/ns/net --mode generic --mss off",
		  "generic [\"10.1.255.0/24\",\"10.2.255.0/24\"] [\"10.3.0.0/16\",\"fd00:3::/48\"] true 3 \"off\"" },
		{ "--from ::/0 --netns red,red,red,red,red,red,red --mode native --mss 1400",
		  "native [\"::/0\"] [] false 8 1400" },
	};

	(void)state;
	if (!has_space)
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char options[512], found[512];

		snprintf(options, sizeof(options), "v0 %s", rows[i].options);
		assert_int_equal(run_agent("attach", options, false), CLI_OK);
		assert_string_equal(
		        shown, "attached to v0; undo: weir agent detach v0 --bpf-dir " PINS "\n");
		assert_told("");
		json_t *body = status_json();
		char *from = json_dumps(json_object_get(body, "from"), JSON_COMPACT),
		     *owners = json_dumps(json_object_get(body, "owners"), JSON_COMPACT),
		     *mss = json_dumps(json_object_get(json_object_get(body, "mss"), "setting"),
		                       JSON_COMPACT | JSON_ENCODE_ANY);

		snprintf(found, sizeof(found), "%s %s %s %s %d %s",
		         json_string_value(json_object_get(body, "mode")), from, owners,
		         json_is_true(json_object_get(body, "passes_on")) ? "true" : "false",
		         (int)json_integer_value(json_object_get(body, "namespaces")), mss);
		assert_string_equal(found, rows[i].status);
		free(from);
		free(owners);
		free(mss);
		json_decref(body);
		assert_int_equal(run_agent("attach", options, true), CLI_OK);
		assert_string_equal(shown, "{\"ok\":true,\"interface\":\"v0\"}\n");
	}
}

/* What is wrong is told before the interface is looked for, which is not there. */
static void wrong_options_attach_nothing(void **state)
{
	static const char missing[] =
	        "--from PREFIX,... is missing: name the nodes' tunnel_source, from "
	        "which the agent accepts tunnels\n",
	                  netns[] = "--netns: expected at most 7 names or paths\n",
	                  mode[] = "--mode: expected auto, native or generic\n",
	                  mss[] = "--mss: expected auto, off or 536 to 65495 bytes\n",
	                  none[] = "no interface nosuch0 in this network namespace\n";
	static const struct {
		const char *options, *told;
	} rows[] = {
		{ "", missing },
		{ "--from= --owners 10.3.0.0/16", missing },
		{ "--from 10.1.255.1/24",
		  "--from: \"10.1.255.1/24\": expected at most 1024 prefixes with no host bits set, separated by commas\n" },
		{ FROM ",,10.2.0.0/16",
		  "--from: \"\": expected at most 1024 prefixes with no host bits set, separated by commas\n" },
		{ FROM " --owners 10.3.0.0 --mode native",
		  "--owners: \"10.3.0.0\": expected at most 1024 prefixes with no host bits set, separated by commas\n" },
		{ FROM " --netns a,b,c,d,e,f,g,h", netns },
		{ FROM " --netns a,b,c,d,e,f,g", none },
		{ FROM " --mode xdp", mode },
		{ FROM " --mode=", mode },
		{ "--from x --mode xdp", mode },
		{ FROM " --mss auto", none },
		{ FROM " --mss off", none },
		{ FROM " --mss 536", none },
		{ FROM " --mss 65495", none },
		{ FROM " --mss 535", mss },
		{ FROM " --mss 65496", mss },
		{ FROM " --mss 0", mss },
		{ FROM " --mss 1", mss }, /* the number that stands for off */
		{ FROM " --mss=-1400", mss },
		{ FROM " --mss +1400", mss },
		{ FROM " --mss=\t1400", mss },
		{ FROM " --mss 1400\t", mss },
		{ FROM " --mss 1400b", mss },
		{ FROM " --mss 4294968696", mss }, /* 1400 beyond 32 bits */
		{ FROM " --mss 99999999999999999999999", mss },
		{ FROM " --mss=", mss },
		{ FROM " --mss Auto", mss },
	};
	char options[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(options, sizeof(options), "nosuch0 %s", rows[i].options);
		assert_int_equal(run_agent("attach", options, i % 2), CLI_USAGE);
		assert_told(rows[i].told);
		assert_string_equal(shown, "");
	}
}

/* "10.0.0.0/24,10.0.1.0/24,..." */
static char *prefixes_text(size_t n)
{
	char *text = malloc(n * 20 + 1);
	size_t at = 0;

	assert_non_null(text);
	*text = '\0';
	for (size_t i = 0; i < n; i++)
		at += (size_t)sprintf(text + at, "%s10.%zu.%zu.0/24", i ? "," : "", i / 256,
		                      i % 256);
	return text;
}

static void prefixes_of_both_kinds_share_one_limit(void **state)
{
	static const struct {
		size_t n_from, n_owners;
		const char *told;
	} rows[] = {
		{ 1024, 0, "weir: no interface" },  { 1025, 0, "weir: --from: " },
		{ 1000, 24, "weir: no interface" }, { 1, 1023, "weir: no interface" },
		{ 1000, 25, "weir: --owners: " },   { 1024, 1, "weir: --owners: " },
		{ 1, 1024, "weir: --owners: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *one = prefixes_text(rows[i].n_from), *two = prefixes_text(rows[i].n_owners),
		     *options = NULL;

		assert_true(asprintf(&options, "nosuch0 --from %s --owners=%s", one, two) > 0);
		assert_int_equal(run_agent("attach", options, false), CLI_USAGE);
		assert_int_equal(strncmp(told, rows[i].told, strlen(rows[i].told)), 0);
		free(options);
		free(one);
		free(two);
	}
}

static void each_failure_has_its_exit_status(void **state)
{
	static const struct {
		int err, status;
	} rows[] = {
		{ EPERM, CLI_DENIED },    { EACCES, CLI_DENIED },      { EBUSY, CLI_CONFLICT },
		{ EEXIST, CLI_CONFLICT }, { EINVAL, CLI_USAGE },       { ENODEV, CLI_USAGE },
		{ ENOENT, CLI_USAGE },    { ENOMEM, CLI_UNREACHABLE }, { ENOSPC, CLI_UNREACHABLE },
	};
	static const char *const commands[] = { "attach", "detach", "status" };

	(void)state;
	if (!has_space)
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t k = 0; k < 3; k++) {
			if (k == 0 && rows[i].err == ENOENT)
				continue; /* then it is attached */
			get_err = rows[i].err;
			assert_int_equal(run_agent(commands[k], k ? "v0" : "v0 " FROM, i % 2),
			                 k == 2 && get_err == ENOENT ? CLI_UNREACHABLE
			                                             : rows[i].status);
			assert_non_null(strstr(told, get_err == ENOENT   ? "weir: no agent on v0\n"
			                             : get_err == EEXIST ? PINS
			                                     "/agent-v0: belongs to"
			                                                 : strerror(get_err)));
			assert_string_equal(shown, "");
		}
}

static void an_agent_is_taken_off(void **state)
{
	(void)state;
	if (!has_space)
		skip();
	for (int json = 0; json < 2; json++) {
		assert_int_equal(run_agent("attach", "v0 " FROM, false), CLI_OK);
		assert_int_equal(run_agent("detach", "v0", json), CLI_OK);
		assert_string_equal(
		        shown,
		        json ? "{\"ok\":true,\"interface\":\"v0\"}\n"
		             : "detached from v0: tunnelled packets are no longer decapsulated\n");
		assert_int_equal(space_xdp_of("v0"), 0);
	}
}

/* Write the first values of element @p i of the agent's map @p name, on one CPU. */
static void write_counter(const char *name, uint32_t i, uint64_t one, uint64_t other)
{
	int n_cpus = libbpf_num_possible_cpus(), fd = space_map_of(space_xdp_of("v0"), name);
	uint64_t *values = calloc((size_t)n_cpus * 2, sizeof(*values));

	assert_non_null(values);
	values[0] = one;
	values[1] = other;
	assert_int_equal(bpf_map_update_elem(fd, &i, values, BPF_ANY), 0);
	close(fd);
	free(values);
}

static void write_reason(enum decap_reason reason)
{
	write_counter("agent_counters", reason, 10 + reason, 2000 + reason);
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
	static const enum decap_reason reasons[] = { DECAP_OWNED, DECAP_SOURCE };
	char head[512];

	(void)state;
	if (!has_space)
		skip();
	assert_int_equal(
	        run_agent("attach",
	                  "v0 " FROM
	                  ",fd00:1:ff::/64 --owners 10.3.0.0/16,fd00:3::/48 --netns red,red",
	                  false),
	        CLI_OK);
	write_reason(reasons[0]);
	write_reason(reasons[1]);
	assert_int_equal(run_agent("status", "v0", false), CLI_OK);
	snprintf(
	        head, sizeof(head),
	        "v0: native, program %u, tunnels accepted from 10.1.255.0/24, fd00:1:ff::/64\n"
	        "  second chance: packets are passed on to 10.3.0.0/16, fd00:3::/48; namespaces searched: 3\n"
	        "  MSS: SYN-ACKs are lowered to what the tunnel carries; no SYN has come yet\n",
	        space_xdp_of("v0"));
	assert_int_equal(strncmp(shown, head, strlen(head)), 0);
	const char *line = shown + strlen(head);

	for (size_t i = 0; i < 2; i++) {
		enum decap_reason reason = reasons[(DECAP_OWNED < DECAP_SOURCE) ? i : 1 - i];

		assert_reason_is_shown(reason, line);
		line = strchr(line, '\n') + 1;
	}
	assert_string_equal(line, "");
	assert_int_equal(run_agent("attach", "v0 --mode generic " FROM, false), CLI_OK);
	assert_int_equal(run_agent("status", "v0", false), CLI_DEGRADED);
	assert_int_equal(strncmp(shown, "v0: generic, program ", 21), 0);
	assert_non_null(strstr(shown, "  second chance: off (--owners PREFIX,... turns it on"));
	assert_null(strstr(shown, "10.3.0.0/16"));
	assert_non_null(strstr(shown, "  DEGRADED: the nodes rely on this agent's second chance"));
}

/* Of maps, in the order of enum mss_end. */
static const struct {
	const char *why, *option;
	uint32_t overheads[2]; /* of services */
	uint64_t ends[MSS_END_COUNT];
	bool is_missing, is_of_other;
	const char *line, *json, *degraded;
} mss_rows[] = {
	{ "auto, before the first SYN",
	  "auto",
	  { 0 },
	  { 0 },
	  false,
	  false,
	  "  MSS: SYN-ACKs are lowered to what the tunnel carries; no SYN has come yet\n",
	  "{'setting':'auto','state':'in_force','services':0,'overhead':0,'ipv4':0,'ipv6':0,'syn':0,"
	  "'lowered':0,'kept':0,'absent':0,'malformed':0,'failed':0}",
	  NULL },
	{ "auto",
	  "auto",
	  { 20, 104 },
	  { [MSS_SYN] = 7, [MSS_LOWERED] = 5, [MSS_FAILED] = 1 },
	  false,
	  false,
	  "  MSS: SYN-ACKs are lowered to what the tunnel carries: 1356 (IPv4), 1336 (IPv6), of services noted: 2\n"
	  "  mss-syn                         7 packets  SYNs that came in a tunnel; their services' SYN-ACKs are looked at\n"
	  "  mss-lowered                     5 packets  SYN-ACKs whose MSS was lowered\n"
	  "  mss-failed                      1 packets  SYN-ACKs that could not be changed, left as they were\n",
	  "{'setting':'auto','state':'in_force','services':2,'overhead':104,'ipv4':1356,'ipv6':1336,'syn':7,"
	  "'lowered':5,'kept':0,'absent':0,'malformed':0,'failed':1}",
	  NULL },
	{ "a number",
	  "1400",
	  { 20 },
	  { 0 },
	  false,
	  false,
	  "  MSS: SYN-ACKs are lowered to 1400\n",
	  "{'setting':1400,'state':'in_force','services':1,'overhead':20,'ipv4':1400,'ipv6':1400,'syn':0,"
	  "'lowered':0,'kept':0,'absent':0,'malformed':0,'failed':0}",
	  NULL },
	{ "off",
	  "off",
	  { 0 },
	  { 0 },
	  false,
	  false,
	  "  MSS: left as it is (--mss off)\n",
	  "{'setting':'off','state':'off','services':0,'overhead':0,'ipv4':0,'ipv6':0,'syn':0,"
	  "'lowered':0,'kept':0,'absent':0,'malformed':0,'failed':0}",
	  NULL },
	{ "removed by somebody",
	  "auto",
	  { 20 },
	  { 0 },
	  true,
	  false,
	  "  MSS: not lowered\n",
	  "{'setting':'auto','state':'missing','services':1,'overhead':20,'ipv4':0,'ipv6':0,'syn':0,"
	  "'lowered':0,'kept':0,'absent':0,'malformed':0,'failed':0}",
	  "the MSS of SYN-ACKs is not lowered" },
	{ "another release's program",
	  "auto",
	  { 0 },
	  { 0 },
	  false,
	  true,
	  "  MSS: unknown\n",
	  "{'setting':null,'state':'unknown','services':0,'overhead':0,'ipv4':0,'ipv6':0,'syn':null,"
	  "'lowered':null,'kept':null,'absent':null,'malformed':null,'failed':null}",
	  "is not known: another release's program" },
	{ "replies leave elsewhere",
	  "auto",
	  { 20 },
	  { [MSS_SYN] = 100 },
	  false,
	  false,
	  "  MSS: SYN-ACKs are lowered to what the tunnel carries: 1440 (IPv4), 1420 (IPv6), of services noted: 1\n"
	  "  mss-syn                       100 packets  ",
	  "{'setting':'auto','state':'in_force','services':1,'overhead':20,'ipv4':1440,'ipv6':1420,'syn':100,"
	  "'lowered':0,'kept':0,'absent':0,'malformed':0,'failed':0}",
	  "no SYN-ACK has left by this interface" },
	{ "too few to say so",
	  "auto",
	  { 20 },
	  { [MSS_SYN] = 99 },
	  false,
	  false,
	  "  mss-syn                        99 packets  ",
	  "{'setting':'auto','state':'in_force','services':1,'overhead':20,'ipv4':1440,'ipv6':1420,'syn':99,"
	  "'lowered':0,'kept':0,'absent':0,'malformed':0,'failed':0}",
	  NULL },
};

/* An agent with what row @p i of mss_rows has. */
static void attach_with_mss(size_t i)
{
	char options[64];

	snprintf(options, sizeof(options), "v0 " FROM " --mss %s", mss_rows[i].option);
	assert_int_equal(run_agent("attach", options, false), CLI_OK);
	int fd = space_map_of(space_xdp_of("v0"), "agent_services");

	for (uint8_t k = 0; k < 2; k++) {
		struct agent_service key = { .port = { 0, k } };

		if (mss_rows[i].overheads[k])
			assert_int_equal(
			        bpf_map_update_elem(fd, &key, &mss_rows[i].overheads[k], BPF_ANY),
			        0);
	}
	close(fd);
	for (uint32_t end = 0; end < MSS_END_COUNT; end++)
		write_counter("agent_mss_ends", end, mss_rows[i].ends[end], 0);
	if (mss_rows[i].is_missing)
		space_run("tc filter del dev v0 egress");
	is_of_other_release = mss_rows[i].is_of_other;
}

/* The MSS of a status, as it is shown, and what of it is degraded. */
static void a_status_shows_what_is_done_with_the_mss(void **state)
{
	(void)state;
	if (!has_space)
		skip();
	for (size_t i = 0; i < sizeof(mss_rows) / sizeof(mss_rows[0]); i++) {
		int status = mss_rows[i].degraded ? CLI_DEGRADED : CLI_OK;
		char text[512];

		attach_with_mss(i);
		assert_int_equal(run_agent("status", "v0", false), status);
		if (!strstr(shown, mss_rows[i].line))
			fail_msg("%s: %s", mss_rows[i].why, shown);
		assert_int_equal(strstr(shown, "DEGRADED") != NULL, mss_rows[i].degraded != NULL);
		if (mss_rows[i].degraded)
			assert_non_null(strstr(shown, mss_rows[i].degraded));
		json_t *body = status_json();

		snprintf(text, sizeof(text), "%s", mss_rows[i].json);
		for (char *c = text; *c; c++)
			*c = *c == '\'' ? '"' : *c;
		json_t *want = json_loads(text, 0, NULL);

		if (!json_equal(json_object_get(body, "mss"), want))
			fail_msg("%s: %s", mss_rows[i].why, shown);
		assert_int_equal(json_array_size(json_object_get(body, "troubles")),
		                 mss_rows[i].degraded != NULL);
		json_decref(want);
		json_decref(body);
		remove_agent(state);
	}
}

static void all_that_is_wrong_is_named_for_people_and_programs(void **state)
{
	(void)state;
	if (!has_space)
		skip();
	assert_int_equal(run_agent("attach", "v0 " FROM, false), CLI_OK);
	write_reason(DECAP_OWNED);
	space_run("tc filter del dev v0 egress");
	for (int json = 0; json < 2; json++) {
		assert_int_equal(run_agent("status", "v0", json), CLI_DEGRADED);
		assert_non_null(strstr(shown, "but it has no --owners"));
		assert_non_null(strstr(shown, "the MSS of SYN-ACKs is not lowered"));
	}
}

static void a_status_in_json_has_all_reasons(void **state)
{
	size_t i;
	json_t *row;

	(void)state;
	if (!has_space)
		skip();
	assert_int_equal(run_agent("attach", "v0 " FROM, false), CLI_OK);
	for (uint32_t reason = 0; reason < DECAP_REASON_COUNT; reason++)
		write_reason((enum decap_reason)reason);
	json_t *body = status_json(), *counts = json_object_get(body, "counts");

	assert_string_equal(json_string_value(json_object_get(body, "interface")), "v0");
	assert_int_equal(json_integer_value(json_object_get(body, "program")), space_xdp_of("v0"));
	assert_true(json_integer_value(json_object_get(body, "since_mono_ms")) > 0);
	assert_int_equal(json_array_size(counts), DECAP_REASON_COUNT);
	json_array_foreach(counts, i, row)
	{
		enum decap_reason reason = (enum decap_reason)i;

		assert_string_equal(json_string_value(json_object_get(row, "reason")),
		                    agent_reason_name(reason));
		assert_int_equal(json_is_true(json_object_get(row, "drop")),
		                 agent_reason_is_drop(reason));
		assert_int_equal(json_integer_value(json_object_get(row, "packets")), 10 + i);
		assert_int_equal(json_integer_value(json_object_get(row, "bytes")), 2000 + i);
	}
	json_decref(body);
}

SUITE(cli_agent)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, remove_agent)
	const struct CMUnitTest tests[] = {
		T(an_agent_is_attached_as_its_options_say),
		T(wrong_options_attach_nothing),
		T(prefixes_of_both_kinds_share_one_limit),
		T(each_failure_has_its_exit_status),
		T(an_agent_is_taken_off),
		T(a_status_shows_what_is_accepted_and_what_was_counted),
		T(all_that_is_wrong_is_named_for_people_and_programs),
		T(a_status_in_json_has_all_reasons),
		T(a_status_shows_what_is_done_with_the_mss),
	};

	answer_bpf_map_lookup_elem = own_bpf_map_lookup_elem;
	answer_bpf_obj_get = own_bpf_obj_get;
	has_space = space_enter(true) == 0;
	if (has_space)
		space_run("ip netns add red");
	return cmocka_run_group_tests_name("cli agent", tests, NULL, NULL);
}
