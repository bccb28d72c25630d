/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this node announces to routers, in words. The status shows one line and the addresses that
 * a person should look at; `weir why vip` says all of one VIP.
 */
#include "mgmt/cli/vips.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_SHOWN 20 /* lines of the status */

static bool is_normal(const json_t *a)
{
	return !strcmp(api_text(a, "reason", ""), "announced") &&
	       !strcmp(api_text(a, "proved", ""), "yes") &&
	       !strcmp(api_text(a, "exported", ""), "yes");
}

static size_t count_established(const json_t *neighbours)
{
	const json_t *n;
	size_t i, n_up = 0;

	json_array_foreach(neighbours, i, n) n_up +=
	        !strcmp(api_text(n, "session", ""), "established");
	return n_up;
}

/* "bird answers (BIRD 2.0.12), 2 of 2 sessions established" */
static void print_daemon(const json_t *routing)
{
	const json_t *neighbours = json_object_get(routing, "neighbours");
	const char *version = api_text(routing, "version", ""),
	           *detail = api_text(routing, "detail", "");

	printf("%s %s", api_text(routing, "name", "?"), api_text(routing, "state", "unknown"));
	if (*version)
		printf(" (%s)", version);
	if (*detail)
		printf(": %s", detail);
	if (!strcmp(api_text(routing, "state", ""), "answers"))
		printf(", %zu of %zu sessions established", count_established(neighbours),
		       json_array_size(neighbours));
}

/* How many addresses are in which table; what there is none of is left out. */
static void print_counts(const json_t *counts)
{
	static const struct {
		const char *name, *text;
	} rows[] = { { "normal", "announced" },
		     { "shutdown", "in graceful shutdown" },
		     { "none", "not announced" },
		     { "unknown", "unknown" } };
	double all = api_number(counts, "all", 0);

	printf("; %.0f address%s", all, all == 1 ? "" : "es");
	for (size_t i = 0, n = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (api_number(counts, rows[i].name, 0) > 0)
			printf("%s %.0f %s", n++ ? "," : ":", api_number(counts, rows[i].name, 0),
			       rows[i].text);
}

void vips_print_summary(const json_t *status)
{
	const json_t *announced = json_object_get(status, "announcements");

	if (!announced)
		return;
	printf("%-10s ", "announces");
	print_daemon(json_object_get(announced, "daemon"));
	print_counts(json_object_get(announced, "counts"));
	putchar('\n');
}

static void print_address(const json_t *a)
{
	double held_ms = api_number(a, "held_ms", 0);
	char name[128];

	snprintf(name, sizeof(name), "%s %s", api_text(a, "vip", "DNS"),
	         api_text(a, "address", "?"));
	printf("%-40s %-9s %-8s %-9s %s", name, api_text(a, "intended", "?"),
	       api_text(a, "proved", "?"), api_text(a, "exported", "?"),
	       api_text(a, "reason", "?"));
	if (held_ms > 0)
		printf(", %.0f s of the hold-down left", held_ms / 1000);
	if (api_text(a, "since", NULL))
		printf(", since %s", api_text(a, "since", ""));
	putchar('\n');
}

void vips_print_table(const json_t *status)
{
	const json_t *announced = json_object_get(status, "announcements"), *a;
	double n_odd = api_number(json_object_get(announced, "counts"), "standing_out", 0);
	size_t i, n = 0;

	if (n_odd <= 0)
		return;
	printf("\n%-40s %-9s %-8s %-9s %s\n", "VIP ADDRESS", "INTENDED", "PROVED", "EXPORTED",
	       "REASON");
	json_array_foreach(json_object_get(announced, "items"), i,
	                   a) if (!is_normal(a) && n++ < ADDRESSES_SHOWN) print_address(a);
	if (n_odd > ADDRESSES_SHOWN)
		printf("... and %.0f more addresses: weir status --json shows all\n",
		       n_odd - ADDRESSES_SHOWN);
}

/* --- why vip --- */

/* What this node announces of an address. */
static void print_announced(const json_t *routing, const json_t *a)
{
	static const struct {
		const char *intended, *text;
	} rows[] = { { "normal", "is announced" },
		     { "shutdown", "is announced with GRACEFUL_SHUTDOWN" },
		     { "none", "is not announced" } };
	const char *intended = api_text(a, "intended", "unknown");
	const char *text = "is in an unknown state: its routes stay as they are";
	const char *table = !strcmp(intended, "normal")     ? "table"
	                    : !strcmp(intended, "shutdown") ? "shutdown_table"
	                                                    : NULL;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].intended, intended))
			text = rows[i].text;
	printf("%s %s", api_text(a, "address", "?"), text);
	if (table)
		printf(" (kernel table %.0f)", api_number(routing, table, 0));
	if (api_text(a, "since", NULL))
		printf(" since %s", api_text(a, "since", ""));
	putchar('\n');
}

static void print_proved(const json_t *a)
{
	const char *name;
	json_t *fact;
	size_t n = 0;

	printf("  %-10s", "proved");
	json_object_foreach(json_object_get(a, "facts"), name, fact)
	        printf("%s %s %s", n++ ? "," : "", name,
	               json_string_value(fact) ? json_string_value(fact) : "unknown");
	putchar('\n');
}

static void print_exported(const json_t *a)
{
	const json_t *to = json_object_get(a, "exported_to"), *name;
	size_t i;

	printf("  %-10s", "exported");
	if (!json_is_array(to))
		fputs(" unknown", stdout);
	else if (json_array_size(to) == 0)
		fputs(" to no neighbour", stdout);
	json_array_foreach(to, i, name) printf(
	        "%s %s", i ? "," : " to", json_string_value(name) ? json_string_value(name) : "?");
	putchar('\n');
	if (api_text(a, "differs_since", NULL))
		printf("  %-10s since %s: the routing daemon shows something else than is "
		       "intended\n",
		       "differs", api_text(a, "differs_since", ""));
}

/* What an address needs that lacks no proof: what is announced must also reach a neighbour. */
static const char *describe_export_need(const json_t *a)
{
	const char *intended = api_text(a, "intended", "unknown");
	const char *exported = api_text(a, "exported", "unknown");

	if (!strcmp(intended, "unknown"))
		return "weir-announce to say what it does: see weir why";
	if (!strcmp(intended, "none") || !strcmp(exported, "yes"))
		return "nothing";
	return !strcmp(exported, "no")
	               ? "a neighbour that gets it: look at the routing daemon, its sessions and "
	                 "filters"
	               : "the routing daemon to say who gets it: see weir status";
}

/* What the address needs next: each fact that is not proved, and the rest of the hold-down. */
static void print_needs(const json_t *a)
{
	double held_ms = api_number(a, "held_ms", 0);
	const json_t *need;
	size_t i;

	json_array_foreach(json_object_get(a, "needs"), i, need)
	{
		bool is_unknown = strcmp(api_text(need, "state", ""), "no") != 0;

		printf("  %-10s %s: %s%s; %s\n", "needs", api_text(need, "fact", "?"),
		       is_unknown ? "not known; if it lasts: " : "", api_text(need, "text", ""),
		       api_text(need, "action", ""));
	}
	if (held_ms > 0)
		printf("  %-10s %.1f s of the hold-down to pass\n", "needs", held_ms / 1000);
	if (i == 0 && held_ms <= 0)
		printf("  %-10s %s\n", "needs", describe_export_need(a));
}

static void print_vip_address(const json_t *routing, const json_t *a)
{
	print_announced(routing, a);
	printf("  %-10s %s (%s)\n", "reason", api_text(a, "text", "unknown"),
	       api_text(a, "reason", "unknown"));
	print_proved(a);
	print_exported(a);
	print_needs(a);
}

static void print_neighbours(const json_t *routing)
{
	const json_t *n;
	size_t i;

	json_array_foreach(json_object_get(routing, "neighbours"), i, n)
	        printf("  %-10s %s: %s\n", "session", api_text(n, "name", "?"),
	               api_text(n, "session", "unknown"));
}

/* The packets of all addresses together. */
static void print_traffic(const json_t *traffic)
{
	if (!json_is_object(traffic)) {
		puts("packets of its clients: not known");
		return;
	}
	printf("packets of its clients: %.0f since %s, the last ones at %s\n",
	       api_number(traffic, "packets", 0), api_text(traffic, "since", "?"),
	       api_text(traffic, "arrived", "no time"));
}

static void print_vip(const json_t *body, const char *name)
{
	const json_t *routing = json_object_get(body, "daemon"),
	             *items = json_object_get(body, "items"), *a;
	size_t i;

	if (!json_is_object(routing)) {
		printf("this node announces nothing: its configuration names no routing daemon "
		       "(nodes[].announce.daemon)\n");
		return;
	}
	if (json_array_size(items) == 0) {
		printf("this node is not configured to announce VIP %s: the VIP lives at another "
		       "site, or nodes[].announce.vips does not name it\n",
		       name);
		return;
	}
	printf("VIP %s on %s; ", name, api_text(body, "node", "?"));
	print_daemon(routing);
	putchar('\n');
	print_neighbours(routing);
	json_array_foreach(items, i, a) print_vip_address(routing, a);
	print_traffic(json_object_get(json_array_get(items, 0), "vip_traffic"));
}

int vips_explain(const struct cli *cli, const char *name)
{
	char path[256];
	const struct api_request request = { .method = "GET", .path = path };
	char *escaped = api_escape(name);
	struct api_reply reply;
	int status;

	snprintf(path, sizeof(path), "/v1/announcements?vip=%.200s", escaped ? escaped : "");
	free(escaped);
	status = api_call_quietly(cli, &request, &reply);
	if (status == CLI_UNREACHABLE)
		return cli_fail(status, "management does not answer; weir status shows what the "
		                        "pages of the processes say");
	if (status)
		return status;
	if (!api_succeeded(&reply)) {
		status = reply.status == 404
		                 ? cli_fail(CLI_USAGE, "there is no VIP %s in the configuration",
		                            name)
		                 : api_refusal(&reply);
		api_reply_fini(&reply);
		return status;
	}
	if (cli->json)
		api_print_json(reply.body);
	else
		print_vip(reply.body, name);
	api_reply_fini(&reply);
	return CLI_OK;
}
