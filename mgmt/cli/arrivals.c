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
	return out;
}

/* Two empty lists say that it may; what is not known is no permission. */
static const char arrivals_text[] =
        "switch off   [{?keeps=[]}{?unknown=[]}yes: nothing keeps this site from being switched off"
        "|{?keeps}NOT YET:|{?unknown}NOT YET:|not known whether anything needs this site]\n"
        "{*20 keeps}[  ! {}\n]{/}{*20 unknown}[  ? {}\n]{/}"
        "{*20 vips}arrives      {service|?} at {vip|?}: new flows {own_flows_per_s:rate} at own "
        "backends, {backup_flows_per_s:rate} at backups; packets of established flows "
        "{established_packets_per_s:rate}\n{/}"
        "{*20 prefixes}clients      {prefix|?}: new flows {flows_per_s:rate}\n{/}"
        "{*20 dns}DNS          {node|?}: queries {queries_per_s:rate}\n{/}"
        "moved        {level_ppm:share} of the clients\n"
        "{*20 nodes}node         {node|?}: [{!reached}NOT REACHED|{?measured}measures what arrives"
        "|does not say what arrives]; announces: {announces|not known}\n{/}"
        "votes        [{?votes.counted}this site counts when sites decide that another one is dead"
        "|{?votes.counted=false}this site does not count when sites decide that another one is dead"
        "|not known whether this site counts][; without it {votes.deciding:n} decide]\n";

void arrivals_print(const json_t *a)
{
	if (a)
		row_show(stdout, a, arrivals_text);
	else
		puts("switch off   not known: management does not say what still arrives");
}
