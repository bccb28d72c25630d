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

/* Two empty lists say that it may; what is not known is no permission. */
static void print_keeps(const json_t *keeps, const json_t *unknown)
{
	if (!json_is_array(keeps) || !json_is_array(unknown))
		puts("switch off   not known whether anything needs this site");
	else if (!json_array_size(keeps) && !json_array_size(unknown))
		puts("switch off   yes: nothing keeps this site from being switched off");
	else
		puts("switch off   NOT YET:");
	op_print_texts(keeps, "  ! ");
	op_print_texts(unknown, "  ? ");
}

static void print_vips(const json_t *list)
{
	const json_t *v;
	char own[UNITS_MAX], backup[UNITS_MAX], packets[UNITS_MAX];
	size_t i;

	json_array_foreach(list, i, v) if (i < OP_LINES) printf(
	        "arrives      %s at %s: new flows %s at own backends, %s at backups; packets of "
	        "established flows %s\n",
	        api_text(v, "service", "?"), api_text(v, "vip", "?"),
	        units_rate(api_number(v, "own_flows_per_s", -1), own),
	        units_rate(api_number(v, "backup_flows_per_s", -1), backup),
	        units_rate(api_number(v, "established_packets_per_s", -1), packets));
	op_print_left_out(json_array_size(list));
}

/* Lines of a name and a rate: who still comes, and which node is still asked by resolvers. */
static void print_rates(const json_t *list, const char *head, const char *name, const char *rate,
                        const char *unit)
{
	const json_t *item;
	char text[UNITS_MAX];
	size_t i;

	json_array_foreach(list, i, item) if (i < OP_LINES)
	        printf("%-12s %s: %s %s\n", head, api_text(item, name, "?"), unit,
	               units_rate(api_number(item, rate, -1), text));
	op_print_left_out(json_array_size(list));
}

static void print_nodes(const json_t *list)
{
	const json_t *n;
	size_t i;

	json_array_foreach(list, i, n) if (i < OP_LINES)
	        printf("node         %s: %s; announces: %s\n", api_text(n, "node", "?"),
	               !json_has_true(n, "reached")    ? "NOT REACHED"
	               : !json_has_true(n, "measured") ? "does not say what arrives"
	                                               : "measures what arrives",
	               api_text(n, "announces", "not known"));
	op_print_left_out(json_array_size(list));
}

static void print_votes(const json_t *votes)
{
	const json_t *counted = json_object_get(votes, "counted");
	double n = api_number(votes, "deciding", -1);

	printf("votes        %s",
	       json_is_true(counted) ? "this site counts when sites decide that another one is dead"
	       : json_is_false(counted)
	               ? "this site does not count when sites decide that another one is dead"
	               : "not known whether this site counts");
	if (n >= 0 && n < 1e6)
		printf("; without it %.0f decide", n);
	putchar('\n');
}

void arrivals_print(const json_t *a)
{
	char level[UNITS_MAX];

	if (!a) {
		puts("switch off   not known: management does not say what still arrives");
		return;
	}
	print_keeps(json_object_get(a, "keeps"), json_object_get(a, "unknown"));
	print_vips(json_object_get(a, "vips"));
	print_rates(json_object_get(a, "prefixes"), "clients", "prefix", "flows_per_s",
	            "new flows");
	print_rates(json_object_get(a, "dns"), "DNS", "node", "queries_per_s", "queries");
	printf("moved        %s of the clients\n",
	       units_share(api_number(a, "level_ppm", -1), level));
	print_nodes(json_object_get(a, "nodes"));
	print_votes(json_object_get(a, "votes"));
}
