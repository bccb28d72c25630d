/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What still reaches a site: its part of `weir why site NAME`. The question at its head is the one
 * that a person has who stands at the switch: may I power it off?
 */
#include <stdio.h>
#include <stdlib.h>

#include "mgmt/cli/op.h"
#include "mgmt/json/row.h"

json_t *arrivals_query(const struct cli *cli, const char *site)
{
	char *escaped = api_escape(site);
	char path[320];
	struct api_request request = { .method = "GET", .path = path };
	struct api_reply reply = { 0 };
	json_t *out = NULL;

	snprintf(path, sizeof(path), "/v1/sites/%.256s/arrivals", escaped ? escaped : "");
	free(escaped);
	if (api_call_quietly(cli, &request, &reply) == CLI_OK && api_succeeded(&reply))
		out = json_incref(reply.body);
	api_reply_fini(&reply);
	op_make_plain(cli, out);
	return out;
}

/* Two empty lists say that it may; what is not known is no permission. */
static void print_keeps(const json_t *keeps, const json_t *unknown)
{
	if (!json_is_array(keeps) || !json_is_array(unknown))
		puts("switch off   not known whether anything needs this site");
	else if (!json_array_size(keeps) && !json_array_size(unknown))
		puts("switch off   yes: nothing keeps this site from being switched off");
	else
		puts("switch off   NOT YET:");
	op_print_rows(keeps, "[  ! {}\n]");
	op_print_rows(unknown, "[  ? {}\n]");
}

static void print_votes(const json_t *votes)
{
	double n = api_number(votes, "deciding", -1);

	row_print(
	        votes,
	        "votes        [{?counted}this site counts when sites decide that another one is dead"
	        "|{?counted=false}this site does not count when sites decide that another one is dead"
	        "|not known whether this site counts]");
	if (n >= 0 && n < 1e6)
		printf("; without it %.0f decide", n);
	putchar('\n');
}

void arrivals_print(const json_t *a)
{
	if (!a) {
		puts("switch off   not known: management does not say what still arrives");
		return;
	}
	print_keeps(json_at(a, "keeps"), json_at(a, "unknown"));
	op_print_rows(
	        json_at(a, "vips"),
	        "arrives      {service|?} at {vip|?}: new flows {own_flows_per_s:rate} at own "
	        "backends, {backup_flows_per_s:rate} at backups; packets of established flows "
	        "{established_packets_per_s:rate}\n");
	op_print_rows(json_at(a, "prefixes"),
	              "clients      {prefix|?}: new flows {flows_per_s:rate}\n");
	op_print_rows(json_at(a, "dns"), "DNS          {node|?}: queries {queries_per_s:rate}\n");
	row_print(a, "moved        {level_ppm:share} of the clients\n");
	op_print_rows(json_at(a, "nodes"),
	              "node         {node|?}: [{!reached}NOT REACHED|{?measured}measures what "
	              "arrives|does not say what arrives]; announces: {announces|not known}\n");
	print_votes(json_at(a, "votes"));
}
