/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns explain runs the answering code of weir-dns on the documents and pages of this host, so it
 * needs no running process. zone reload asks management, because changed zone files make a new
 * version.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/cli/api.h"
#include "base/believed.h"
#include "weir/explain.h"

static json_t *explanation_json(const struct explanation *e)
{
	json_t *steps = json_array(), *records = json_array(), *errors = json_array();

	for (size_t i = 0; i < e->n_steps; i++)
		json_array_append_new(steps, json_pack("{s:s, s:s}", "step", e->steps[i].what,
		                                       "text", e->steps[i].text));
	for (size_t i = 0; i < e->n_records; i++)
		json_array_append_new(records, json_string(e->records[i]));
	for (size_t i = 0; i < e->n_errors; i++)
		json_array_append_new(errors, json_string(e->errors[i]));
	return json_pack("{s:s, s:b, s:b, s:o, s:o, s:o}", "rcode", e->rcode ? e->rcode : "",
	                 "authoritative", e->authoritative, "truncated", e->truncated, "steps",
	                 steps, "records", records, "mistakes", errors);
}

static void print_explain_errors(const struct explanation *e)
{
	for (size_t i = 0; i < e->n_errors; i++)
		fprintf(stderr, "weir: %s\n", e->errors[i]);
}

static void print_explanation(const struct explanation *e)
{
	for (size_t i = 0; i < e->n_steps; i++)
		printf("%-12s %s\n", e->steps[i].what, e->steps[i].text);
	printf("%-12s %s%s%s\n", "answer", e->rcode ? e->rcode : "-",
	       e->authoritative ? ", authoritative" : "", e->truncated ? ", truncated" : "");
	for (size_t i = 0; i < e->n_records; i++)
		printf("  %s\n", e->records[i]);
	print_explain_errors(e);
}

/* Who asks: an address (the resolver), or a prefix (ECS, from a resolver at its first address). */
static int client_of(const struct cli_args *args, struct explain_request *r)
{
	const char *client = cli_value(args, "--client"), *resolver = cli_value(args, "--resolver");

	if (client && prefix_parse(client, &r->subnet) == 0) {
		r->has_subnet = true;
		r->client = r->subnet.addr;
	} else if (client && addr_parse(client, &r->client) != 0) {
		return cli_fail(CLI_USAGE,
		                "--client: expected an address, or a prefix as ECS carries it");
	} else if (!client && addr_parse("127.0.0.1", &r->client) != 0) {
		return CLI_USAGE;
	}
	if (resolver && addr_parse(resolver, &r->client) != 0)
		return cli_fail(CLI_USAGE, "--resolver: expected an address");
	return CLI_OK;
}

static int explain_status(int err)
{
	switch (err) {
	case 0:
		return CLI_OK;
	case -ENOENT:
		return cli_fail(CLI_UNREACHABLE,
		                "there is no effective document yet; is weir run running?");
	case -EACCES:
		return cli_fail(CLI_DENIED,
		                "this user may not read the effective document or a file that it "
		                "names; run the command as root");
	case -EINVAL:
		return CLI_USAGE;
	default:
		return cli_fail(CLI_UNREACHABLE, "%s", strerror(-err));
	}
}

int cli_dns_explain(struct cli *cli, const struct cli_args *args)
{
	believed_once(cli->dirs.run);

	struct explain_request request = { .name = args->at[0],
		                           .type = args->at[1] ? args->at[1] : "A",
		                           .tcp = cli_flag(args, "--tcp"),
		                           .wall_clock_ms = clock_believed_ms() };
	const char *at = cli_value(args, "--at");
	struct explanation *e = NULL;
	int status = client_of(args, &request);

	if (!status && at && clock_parse(at, &request.wall_clock_ms) != 0)
		status = cli_fail(CLI_USAGE, "--at: expected a time such as 2026-11-20T12:00:00Z");
	if (status)
		return status;
	status = explain_status(explain_dns(&cli->dirs, &request, &e));
	if (status == CLI_USAGE && e && e->n_steps == 0 && !cli->json) {
		print_explain_errors(e);
	} else if (e && cli->json) {
		json_t *body = explanation_json(e);
		api_print_json(body);
		json_decref(body);
	} else if (e) {
		print_explanation(e);
	}
	explain_free(e);
	return status;
}

static void print_reload(const json_t *body)
{
	const json_t *version = json_object_get(body, "version");

	if (json_is_true(json_object_get(body, "changed")))
		printf("zone files changed: version %.0f\n", api_number(version, "number", 0));
	else
		puts("no zone file changed; weir-dns reloads them anyway");
	cli_print_warnings(json_object_get(json_object_get(body, "plan"), "warnings"));
}

int cli_zone_reload(struct cli *cli, const struct cli_args *args)
{
	const char *reason = cli_value(args, "--reason");
	struct api_request request = { .method = "POST",
		                       .path = "/v1/zones/reload",
		                       .if_match = "*" };

	request.body = json_pack("{s:s, s:b}", "reason", reason ? reason : "zone reload",
	                         "skip_bad_zones", cli_flag(args, "--skip-bad-zones"));
	return api_show(cli, &request, print_reload);
}
