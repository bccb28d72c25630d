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

/* What is not known keeps a site on as well. */
static void print_keeps(const json_t *a)
{
	const json_t *keeps = json_object_get(a, "keeps"), *unknown = json_object_get(a, "unknown");

	if (!json_is_array(keeps) || !json_is_array(unknown))
		puts("switch off   not known whether anything needs this site");
	else if (!json_array_size(keeps) && !json_array_size(unknown))
		puts("switch off   nothing keeps this site from being switched off");
	else
		puts("switch off   NOT YET, because of");
	op_print_texts(keeps, "  ! ");
	op_print_texts(unknown, "  ! not known: ");
}

static void print_vips(const json_t *list)
{
	const json_t *v;
	char own[UNITS_MAX], backup[UNITS_MAX], packets[UNITS_MAX];
	size_t i;

	json_array_foreach(list, i, v) if (i < OP_LINES) printf(
	        "arrives at   %s: new flows %s at own backends, %s at backups; packets of "
	        "established flows %s\n",
	        api_text(v, "vip", "?"), units_rate(api_number(v, "own_flows_per_s", -1), own),
	        units_rate(api_number(v, "backup_flows_per_s", -1), backup),
	        units_rate(api_number(v, "established_packets_per_s", -1), packets));
	op_print_left_out(json_array_size(list));
}

static void print_rates(const json_t *list, const char *head, const char *name, const char *rate,
                        const char *unit)
{
	const json_t *item;
	char text[UNITS_MAX];
	size_t i;

	json_array_foreach(list, i, item) if (i < OP_LINES)
	        printf("%-12s %s, %s %s\n", head, api_text(item, name, "?"),
	               units_rate(api_number(item, rate, -1), text), unit);
	op_print_left_out(json_array_size(list));
}

static void print_announced(const json_t *list)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v) if (i < OP_LINES) printf(
	        "announced    %s %s by %s: intended %s, exported %s\n", api_text(v, "vip", "?"),
	        api_text(v, "address", ""), api_text(v, "node", "?"),
	        api_text(v, "intended", "not known"), api_text(v, "exported", "not known"));
	op_print_left_out(json_array_size(list));
}

static void print_votes(const json_t *votes)
{
	const json_t *counted = json_object_get(votes, "counted");
	double n = api_number(votes, "deciding", -1);
	const char *detail = api_text(votes, "detail", "");

	if (!votes)
		return;
	printf("votes        %s",
	       json_is_true(counted)    ? "this site counts when others decide about a death"
	       : json_is_false(counted) ? "this site does not count when others decide"
	                                : "not known whether this site counts");
	if (n >= 0 && n < 1e6)
		printf("; %.0f sites decide", n);
	printf("%s%s\n", *detail ? "; " : "", detail);
}

void arrivals_print(const json_t *a)
{
	if (!a) {
		puts("switch off   not known: management does not say what still arrives");
		return;
	}
	print_keeps(a);
	print_vips(json_object_get(a, "vips"));
	print_rates(json_object_get(a, "prefixes"), "clients", "prefix", "flows_per_s",
	            "new flows");
	print_rates(json_object_get(a, "dns"), "DNS", "node", "queries_per_s", "queries");
	print_announced(json_object_get(a, "announcements"));
	print_votes(json_object_get(a, "votes"));
}
