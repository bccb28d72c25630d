/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent attach, detach, status: on a backend, by the agent's library (weir/agent.h) in this
 * process, since a backend runs no process of Weir. The same rows serve `weir agent` and the
 * program weir-agent.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mgmt/cli/api.h"
#include "mgmt/json/row.h"
#include "record/fields.h"
#include "weir/agent.h"

static int agent_fail(int err, const char *error)
{
	int status = err == -EPERM || err == -EACCES                      ? CLI_DENIED
	             : err == -EBUSY || err == -EEXIST                    ? CLI_CONFLICT
	             : err == -EINVAL || err == -ENODEV || err == -ENOENT ? CLI_USAGE
	                                                                  : CLI_UNREACHABLE;

	return cli_fail((enum cli_status)status, "%s", error[0] ? error : strerror(-err));
}

/* Cut the next word off a list of words between commas. @return its whole length */
static size_t cut_list_word(const char **list, char *word, size_t size)
{
	size_t length = strcspn(*list, ",");

	snprintf(word, size, "%.*s", (int)length, *list);
	*list += length + ((*list)[length] == ',');
	return length;
}

/*
 * The prefixes of @p option: "10.1.255.0/24,fd00:1:ff::/64". @return CLI_OK, or another status
 * after an error message
 */
static int prefixes_of(const char *option, const char *text, struct prefix *prefixes, size_t room,
                       size_t *n)
{
	for (*n = 0; text && *text; (*n)++) {
		char one[ADDR_LONG_TEXT_MAX];

		if (cut_list_word(&text, one, sizeof(one)) >= sizeof(one) || *n == room ||
		    prefix_parse(one, &prefixes[*n]) != 0)
			return cli_fail(CLI_USAGE,
			                "%s: \"%s\": expected at most %u prefixes with no host "
			                "bits set, separated by commas",
			                option, one, AGENT_PREFIXES_MAX);
	}
	return CLI_OK;
}

/* The namespaces of --netns. */
struct spaces {
	char name[AGENT_NETNS_MAX][256];
	const char *at[AGENT_NETNS_MAX];
};

static int spaces_of(const char *text, struct spaces *spaces, size_t *n)
{
	for (*n = 0; text && *text; (*n)++) {
		if (*n == AGENT_NETNS_MAX)
			return cli_fail(CLI_USAGE, "--netns: expected at most %u names or paths",
			                AGENT_NETNS_MAX);
		cut_list_word(&text, spaces->name[*n], sizeof(spaces->name[*n]));
		spaces->at[*n] = spaces->name[*n];
	}
	return CLI_OK;
}

static int mode_of(const char *text, enum agent_mode *mode)
{
	static const char *const words[] = { "auto", "native", "generic" };

	*mode = AGENT_MODE_AUTO;
	for (int i = 0; text && i < 3; i++)
		if (strcmp(text, words[i]) == 0) {
			*mode = (enum agent_mode)i;
			return CLI_OK;
		}
	return text ? cli_fail(CLI_USAGE, "--mode: expected auto, native or generic") : CLI_OK;
}

/* The MSS of --mss; without it the default. */
static int mss_of(const char *text, uint32_t *mss)
{
	unsigned long bytes;
	char *end;

	*mss = AGENT_MSS_AUTO;
	if (!text || strcmp(text, "auto") == 0)
		return CLI_OK;
	if (strcmp(text, "off") == 0) {
		*mss = AGENT_MSS_OFF;
		return CLI_OK;
	}
	errno = 0;
	bytes = strtoul(text, &end, 10);
	if (errno || text[0] < '0' || text[0] > '9' || *end || bytes < AGENT_MSS_MIN ||
	    bytes > AGENT_MSS_MAX)
		return cli_fail(CLI_USAGE, "--mss: expected auto, off or %u to %u bytes",
		                AGENT_MSS_MIN, AGENT_MSS_MAX);
	*mss = (uint32_t)bytes;
	return CLI_OK;
}

/* Read all options; @p prefixes has room for AGENT_PREFIXES_MAX, of both kinds together. */
static int read_attach_options(const struct cli_args *args, struct prefix *prefixes,
                               struct spaces *spaces, struct agent_options *o)
{
	int status = mode_of(cli_value(args, "--mode"), &o->mode);

	if (status == CLI_OK)
		status = mss_of(cli_value(args, "--mss"), &o->mss);
	o->prefixes = prefixes;
	o->netns = spaces->at;
	if (status == CLI_OK)
		status = prefixes_of("--from", cli_value(args, "--from"), prefixes,
		                     AGENT_PREFIXES_MAX, &o->n_prefixes);
	o->owners = prefixes + o->n_prefixes;
	if (status == CLI_OK && o->n_prefixes == 0)
		status = cli_fail(
		        CLI_USAGE,
		        "--from PREFIX,... is missing: name the nodes' tunnel_source, from "
		        "which the agent accepts tunnels");
	if (status == CLI_OK)
		status = prefixes_of("--owners", cli_value(args, "--owners"),
		                     prefixes + o->n_prefixes, AGENT_PREFIXES_MAX - o->n_prefixes,
		                     &o->n_owners);
	if (status == CLI_OK)
		status = spaces_of(cli_value(args, "--netns"), spaces, &o->n_netns);
	return status;
}

int cli_agent_attach(struct cli *cli, const struct cli_args *args)
{
	char error[AGENT_ERROR_MAX] = "";
	struct prefix *prefixes = calloc(AGENT_PREFIXES_MAX, sizeof(*prefixes));
	struct agent_options options = { .bpf_dir = cli->dirs.bpf };
	struct spaces spaces;
	int status =
	        prefixes ? read_attach_options(args, prefixes, &spaces, &options) : CLI_UNREACHABLE;

	if (status == CLI_OK) {
		int err = agent_attach(args->at[0], &options, error);

		status = err ? agent_fail(err, error) : CLI_OK;
	}
	free(prefixes);
	if (status != CLI_OK)
		return status;
	if (error[0])
		fprintf(stderr, "%s: warning: %s\n", cli_agent_words, error);
	if (cli->json)
		printf("{\"ok\":true,\"interface\":\"%s\"}\n", args->at[0]);
	else
		printf("attached to %s; undo: %s detach %s%s\n", args->at[0], cli_agent_words,
		       args->at[0], args->where ? args->where : "");
	return CLI_OK;
}

int cli_agent_detach(struct cli *cli, const struct cli_args *args)
{
	char error[AGENT_ERROR_MAX] = "";
	int err = agent_detach(args->at[0], cli->dirs.bpf, error);

	if (err)
		return agent_fail(err, error);
	if (cli->json)
		printf("{\"ok\":true,\"interface\":\"%s\"}\n", args->at[0]);
	else
		printf("detached from %s: tunnelled packets are no longer decapsulated\n",
		       args->at[0]);
	return CLI_OK;
}

/* The prefixes of --owners, or those of --from. */
static json_t *prefixes_json(const struct agent_status *s, bool owners)
{
	json_t *out = json_array();
	char text[ADDR_LONG_TEXT_MAX];

	for (size_t i = 0; i < s->n_prefixes; i++)
		if (s->prefixes[i].is_owner == owners)
			json_array_append_new(
			        out, json_string(prefix_text(&s->prefixes[i].prefix, text)));
	return out;
}

static const char lacks_owners[] =
        "the nodes rely on this agent's second chance (a pool with agent = "
        "true), but it has no --owners, so it drops packets of connections "
        "that moved: attach it again with --owners and the prefixes of all "
        "backends of the pool";

/* What is wrong with the agent, in words. */
static json_t *troubles_json(const struct agent_status *s)
{
	const char *of_mss = agent_mss_trouble(&s->mss);
	json_t *list = json_array();

	if (agent_lacks_owners(s))
		json_array_append_new(list, json_string(lacks_owners));
	if (of_mss)
		json_array_append_new(list, json_string(of_mss));
	return list;
}

/* The setting as --mss has it. */
static json_t *mss_setting_json(const struct agent_mss *m)
{
	return m->force == AGENT_MSS_UNKNOWN  ? json_null()
	       : m->setting == AGENT_MSS_AUTO ? json_string("auto")
	       : m->setting == AGENT_MSS_OFF  ? json_string("off")
	                                      : json_integer((json_int_t)m->setting);
}

static const char *const mss_forces[] = { [AGENT_MSS_UNKNOWN] = "unknown",
	                                  [AGENT_MSS_NOT_USED] = "off",
	                                  [AGENT_MSS_MISSING] = "missing",
	                                  [AGENT_MSS_IN_FORCE] = "in_force" };

/* The largest MSS that clients receive, by the largest tunnel; 0: not known. */
static uint32_t mss_limit(const struct agent_mss *m, bool is4)
{
	if (m->force != AGENT_MSS_IN_FORCE)
		return 0;
	if (m->setting != AGENT_MSS_AUTO)
		return m->setting;
	return m->overhead ? mss_fit(m->mtu, m->overhead, is4) : 0;
}

#define MSS_SHOWN_ROWS(X, t)                                                                       \
	X(t, json_t *, setting)                                                                    \
	X(t, const char *, state)                                                                  \
	X(t, uint32_t, services)                                                                   \
	X(t, uint32_t, overhead)                                                                   \
	X(t, uint32_t, ipv4)                                                                       \
	X(t, uint32_t, ipv6)
RECORD_SHOWN(mss_shown, "MSS", MSS_SHOWN_ROWS);

static json_t *mss_json(const struct agent_mss *m)
{
	json_t *out =
	        SHOWN(mss_shown, .setting = mss_setting_json(m), .state = mss_forces[m->force],
	              .services = m->n_services, .overhead = m->overhead,
	              .ipv4 = mss_limit(m, true), .ipv6 = mss_limit(m, false));

	for (int i = 0; i < MSS_END_COUNT; i++)
		json_object_set_new(out, agent_mss_end_name((enum mss_end)i),
		                    m->force == AGENT_MSS_UNKNOWN
		                            ? json_null()
		                            : json_integer((json_int_t)m->ends[i]));
	return out;
}

#define COUNT_SHOWN_ROWS(X, t)                                                                     \
	X(t, const char *, reason)                                                                 \
	X(t, bool, drop)                                                                           \
	X(t, uint64_t, packets)                                                                    \
	X(t, uint64_t, bytes)
RECORD_SHOWN(count_shown, "count", COUNT_SHOWN_ROWS);

#define AGENT_SHOWN_ROWS(X, t)                                                                     \
	X(t, const char *, interface)                                                              \
	X(t, const char *, mode)                                                                   \
	X(t, uint32_t, program)                                                                    \
	X(t, uint64_t, since_mono_ms)                                                              \
	X(t, json_t *, from)                                                                       \
	X(t, json_t *, owners)                                                                     \
	X(t, bool, passes_on)                                                                      \
	X(t, uint32_t, namespaces)                                                                 \
	X(t, const struct count_shown *, counts, AS_LIST(t, counts, n_counts, count_shown_kind))   \
	X(t, json_t *, mss)                                                                        \
	X(t, json_t *, troubles)                                                                   \
	X(t, size_t, n_counts, HIDDEN)
RECORD_SHOWN(agent_shown, "agent", AGENT_SHOWN_ROWS);

static json_t *agent_json(const char *interface, const struct agent_status *s)
{
	struct count_shown counts[DECAP_REASON_COUNT];

	for (int i = 0; i < DECAP_REASON_COUNT; i++)
		counts[i] = (struct count_shown){ agent_reason_name((enum decap_reason)i),
			                          agent_reason_is_drop((enum decap_reason)i),
			                          s->counts[i].packets, s->counts[i].bytes };
	return SHOWN(agent_shown, .interface = interface,
	             .mode = s->mode == AGENT_MODE_NATIVE ? "native" : "generic",
	             .program = s->prog_id, .since_mono_ms = s->since_mono_ms,
	             .from = prefixes_json(s, false), .owners = prefixes_json(s, true),
	             .passes_on = s->passes_on, .namespaces = s->n_netns, .counts = counts,
	             .n_counts = DECAP_REASON_COUNT, .mss = mss_json(&s->mss),
	             .troubles = troubles_json(s));
}

/* Reasons without packets are left out, so that a person sees at once what has happened. */
static void print_agent(const json_t *body)
{
	const json_t *count;
	size_t reason;

	row_print(
	        body,
	        "{interface}: {mode}, program {program:n}, tunnels accepted from[ {from:names}]\n"
	        "  second chance: [{?passes_on}packets are passed on to[ {owners:names}]; "
	        "namespaces searched: {namespaces:n|0}"
	        "|off (--owners PREFIX,... turns it on; a pool with agent = true needs it)]\n"
	        "  MSS: [{?mss.state=off}left as it is (--mss off)|{?mss.state=missing}not lowered"
	        "|{?mss.state=unknown}unknown|SYN-ACKs are lowered to [{mss.setting:n}"
	        "|{!mss.overhead}what the tunnel carries; no SYN has come yet"
	        "|what the tunnel carries: {mss.ipv4:n} (IPv4), {mss.ipv6:n} (IPv6), of services "
	        "noted: {mss.services:n}]]\n");
	for (int i = 0; i < MSS_END_COUNT; i++) {
		const char *name = agent_mss_end_name((enum mss_end)i);
		double packets = api_number(json_at(body, "mss"), name, 0);

		if (packets > 0)
			printf("  mss-%-16s %12.0f packets  %s\n", name, packets,
			       agent_mss_end_help((enum mss_end)i));
	}
	rows_print(json_at(body, "troubles"), "  DEGRADED: {}\n");
	json_array_foreach(json_at(body, "counts"), reason, count)
	{
		if (api_number(count, "packets", 0) > 0)
			row_print(count,
			          "  {-20 reason} {12 packets:n} packets {14 bytes:n} bytes"
			          "[{?drop} DROPPED]  %s\n",
			          agent_reason_help((enum decap_reason)reason));
	}
}

int cli_agent_status(struct cli *cli, const struct cli_args *args)
{
	char error[AGENT_ERROR_MAX] = "";
	struct agent_status *s = MEMORY_NEW(struct agent_status);
	int err = agent_status(args->at[0], cli->dirs.bpf, s, error);

	if (err) {
		free(s);
		return err == -ENOENT ? cli_fail(CLI_UNREACHABLE, "%s", error)
		                      : agent_fail(err, error);
	}
	json_t *body = agent_json(args->at[0], s);
	bool is_degraded = json_array_size(json_at(body, "troubles")) > 0;

	api_print_body(cli, body, print_agent);
	json_decref(body);
	free(s);
	return is_degraded ? CLI_DEGRADED : CLI_OK;
}
