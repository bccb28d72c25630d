/* SPDX-License-Identifier: BSD-2-Clause */
/* agent attach, detach, status: on a backend, without any process of Weir. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/cli/api.h"
#include "weir/agent.h"

static int agent_fail(int err, const char *error)
{
	int status = err == -EPERM || err == -EACCES                      ? CLI_DENIED
	             : err == -EBUSY || err == -EEXIST                    ? CLI_CONFLICT
	             : err == -EINVAL || err == -ENODEV || err == -ENOENT ? CLI_USAGE
	                                                                  : CLI_UNREACHABLE;

	return cli_fail((enum cli_status)status, "%s", error[0] ? error : strerror(-err));
}

/* The prefixes of --from: "10.1.255.0/24,fd00:1:ff::/64". @return how many, 0 after telling why */
static size_t prefixes_of(const char *text, struct prefix prefixes[AGENT_PREFIXES_MAX])
{
	size_t n = 0;

	while (text && *text) {
		char one[ADDR_LONG_TEXT_MAX];
		size_t length = strcspn(text, ",");

		snprintf(one, sizeof(one), "%.*s", (int)length, text);
		if (n == AGENT_PREFIXES_MAX || length >= sizeof(one) ||
		    prefix_parse(one, &prefixes[n]) != 0) {
			cli_fail(CLI_USAGE,
			         "--from: \"%s\": expected at most %u prefixes with no host "
			         "bits set, separated by commas",
			         one, AGENT_PREFIXES_MAX);
			return 0;
		}
		n++;
		text += length + (text[length] == ',');
	}
	if (n == 0)
		cli_fail(CLI_USAGE,
		         "--from PREFIX,... is missing: the tunnel_source of the nodes, from which "
		         "tunnels are accepted");
	return n;
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

int cli_agent_attach(struct cli *cli, const struct cli_args *args)
{
	char error[AGENT_ERROR_MAX] = "";
	struct prefix *prefixes = calloc(AGENT_PREFIXES_MAX, sizeof(*prefixes));
	struct agent_options options = { .prefixes = prefixes, .bpf_dir = cli->dirs.bpf };
	int status = prefixes ? mode_of(cli_value(args, "--mode"), &options.mode) : CLI_UNREACHABLE;

	if (status == CLI_OK) {
		options.n_prefixes = prefixes_of(cli_value(args, "--from"), prefixes);
		status = options.n_prefixes ? CLI_OK : CLI_USAGE;
	}
	if (status == CLI_OK) {
		int err = agent_attach(args->at[0], &options, error);

		status = err ? agent_fail(err, error) : CLI_OK;
	}
	free(prefixes);
	if (status != CLI_OK)
		return status;
	if (cli->json)
		printf("{\"ok\":true,\"interface\":\"%s\"}\n", args->at[0]);
	else
		printf("attached to %s; undo: weir agent detach %s\n", args->at[0], args->at[0]);
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
		printf("detached from %s: tunnels are no longer taken off\n", args->at[0]);
	return CLI_OK;
}

static json_t *agent_json(const char *interface, const struct agent_status *s)
{
	json_t *counts = json_array(), *prefixes = json_array();
	char text[ADDR_LONG_TEXT_MAX];

	for (int i = 0; i < DECAP_REASON_COUNT; i++)
		json_array_append_new(counts,
		                      json_pack("{s:s, s:b, s:I, s:I}", "reason",
		                                agent_reason_name((enum decap_reason)i), "drop",
		                                agent_reason_is_drop((enum decap_reason)i),
		                                "packets", (json_int_t)s->counts[i].packets,
		                                "bytes", (json_int_t)s->counts[i].bytes));
	for (size_t i = 0; i < s->n_prefixes; i++)
		json_array_append_new(prefixes, json_string(prefix_text(&s->prefixes[i], text)));
	return json_pack("{s:s, s:s, s:i, s:I, s:o, s:o}", "interface", interface, "mode",
	                 s->mode == AGENT_MODE_NATIVE ? "native" : "generic", "program",
	                 (int)s->prog_id, "since_mono_ms", (json_int_t)s->since_mono_ms, "from",
	                 prefixes, "counts", counts);
}

static void print_agent(const char *interface, const struct agent_status *s)
{
	char text[ADDR_LONG_TEXT_MAX];

	printf("%s: %s, program %u, tunnels accepted from", interface,
	       s->mode == AGENT_MODE_NATIVE ? "native" : "generic", s->prog_id);
	for (size_t i = 0; i < s->n_prefixes; i++)
		printf("%s %s", i ? "," : "", prefix_text(&s->prefixes[i], text));
	putchar('\n');
	for (int i = 0; i < DECAP_REASON_COUNT; i++)
		if (s->counts[i].packets)
			printf("  %-20s %12llu packets %14llu bytes%s  %s\n",
			       agent_reason_name((enum decap_reason)i),
			       (unsigned long long)s->counts[i].packets,
			       (unsigned long long)s->counts[i].bytes,
			       agent_reason_is_drop((enum decap_reason)i) ? " DROPPED" : "",
			       agent_reason_help((enum decap_reason)i));
}

int cli_agent_status(struct cli *cli, const struct cli_args *args)
{
	char error[AGENT_ERROR_MAX] = "";
	struct agent_status *s = calloc(1, sizeof(*s));
	int err = s ? agent_status(args->at[0], cli->dirs.bpf, s, error) : -ENOMEM;

	if (err) {
		free(s);
		return err == -ENOENT ? cli_fail(CLI_UNREACHABLE, "%s",
		                                 error[0] ? error : "there is no agent there")
		                      : agent_fail(err, error);
	}
	if (cli->json) {
		json_t *body = agent_json(args->at[0], s);
		api_print_json(body);
		json_decref(body);
	} else {
		print_agent(args->at[0], s);
	}
	free(s);
	return CLI_OK;
}
