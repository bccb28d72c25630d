/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What still reaches a site: its part of `weir why site NAME`. The question at its head is the one
 * that a person has who stands at the switch: may I power it off?
 */
#include <stdio.h>
#include <stdlib.h>

#include "mgmt/cli/op.h"
#include "mgmt/cli/units.h"

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
	op_make_plain(out);
	return out;
}

/* An empty list says that it may; without a list it is not known, which is no permission. */
static void print_keeps(const json_t *keeps)
{
	if (!json_is_array(keeps))
		puts("switch off   not known whether anything needs this site");
	else if (!json_array_size(keeps))
		puts("switch off   yes: nothing keeps this site from being switched off");
	else
		puts("switch off   NOT YET:");
	op_print_texts(keeps, "  ! ");
}

static void print_services(const json_t *list)
{
	const json_t *s;
	char own[UNITS_MAX], backup[UNITS_MAX], packets[UNITS_MAX];
	size_t i;

	json_array_foreach(list, i, s) if (i < OP_LINES) printf(
	        "arrives      %s at %s: new flows %s at own backends, %s at backups; packets of "
	        "established flows %s\n",
	        api_text(s, "service", "?"), api_text(s, "vip", "?"),
	        units_rate(api_number(s, "own_flows_per_s", -1), own),
	        units_rate(api_number(s, "backup_flows_per_s", -1), backup),
	        units_rate(api_number(s, "established_packets_per_s", -1), packets));
	op_print_left_out(json_array_size(list));
}

/* Who still comes: prefixes in a sample of the last minute's new flows. */
static void print_sources(const json_t *list)
{
	const json_t *s;
	size_t i;

	json_array_foreach(list, i, s)
	{
		double flows = api_number(s, "flows", -1);

		if (i >= OP_LINES)
			break;
		printf("clients      %s, service %s", api_text(s, "prefix", "?"),
		       api_text(s, "service", "?"));
		if (flows >= 0 && flows < 1e15)
			printf(": %.0f flows in the sample of the last minute", flows);
		putchar('\n');
	}
	op_print_left_out(json_array_size(list));
}

static void print_nodes(const json_t *list)
{
	const json_t *n;
	size_t i;

	json_array_foreach(list, i, n) if (i < OP_LINES)
	        printf("node         %s: %s; announces: %s\n", api_text(n, "node", "?"),
	               !json_is_true(json_object_get(n, "reached"))    ? "NOT REACHED"
	               : !json_is_true(json_object_get(n, "measured")) ? "does not say what arrives"
	                                                               : "measures what arrives",
	               api_text(n, "announces", "not known"));
	op_print_left_out(json_array_size(list));
}

static void print_totals(const json_t *a)
{
	const json_t *votes = json_object_get(a, "votes");
	char level[UNITS_MAX], answers[UNITS_MAX];

	printf("DNS          %s of the clients are sent elsewhere; answers that name this site: "
	       "%s\n",
	       units_share(api_number(a, "level_ppm", -1), level),
	       units_rate(api_number(a, "answers_per_s", -1), answers));
	printf("votes        %s\n",
	       json_is_true(votes) ? "this site counts when sites decide that another one is dead"
	       : json_is_false(votes)
	               ? "this site does not count when sites decide that another one is dead"
	               : "not known whether this site counts");
}

void arrivals_print(const json_t *a)
{
	if (!a) {
		puts("switch off   not known: management does not say what still arrives");
		return;
	}
	print_keeps(json_object_get(a, "keeps"));
	print_services(json_object_get(a, "services"));
	print_sources(json_object_get(a, "sources"));
	print_nodes(json_object_get(a, "nodes"));
	print_totals(a);
}
