/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this node announces to routers, in words. The status shows one line and the addresses that
 * a person should look at; `weir why vip` says all of one VIP.
 */
#include "mgmt/cli/vips.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/json/row.h"

static size_t count_established(const json_t *neighbours)
{
	const json_t *n;
	size_t i, n_up = 0;

	json_array_foreach(neighbours, i, n) n_up += json_has_text(n, "session", "established");
	return n_up;
}

/* "bird answers (BIRD 2.0.12), 2 of 2 sessions established" */
static void print_daemon(const json_t *routing)
{
	const json_t *neighbours = json_at(routing, "neighbours");

	row_print(routing, "{name|?} {state|unknown}[ ({version})][: {detail}]");
	if (json_has_text(routing, "state", "answers"))
		printf(", %zu of %zu sessions established", count_established(neighbours),
		       json_array_size(neighbours));
}

/*
 * How many addresses are in which table; what there is none of is left out. Those that are meant to be announced are so as far as
 * they do not stand out: while the routing daemon is away nobody knows it.
 */
static void print_counts(const json_t *counts)
{
	double all = api_number(counts, "all", 0);
	double good = all - api_number(counts, "standing_out", 0);
	const struct {
		double n;
		const char *text;
	} rows[] = { { good, "announced" },
		     { api_number(counts, "normal", 0) - good, "not proved or not exported" },
		     { api_number(counts, "shutdown", 0), "in graceful shutdown" },
		     { api_number(counts, "none", 0), "not announced" },
		     { api_number(counts, "unknown", 0), "unknown" } };

	printf("; %.0f address%s", all, all == 1 ? "" : "es");
	for (size_t i = 0, n = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].n > 0)
			printf("%s %.0f %s", n++ ? "," : ":", rows[i].n, rows[i].text);
}

void vips_print_summary(const json_t *status)
{
	const json_t *announced = json_at(status, "announcements");

	if (!announced)
		return;
	printf("%-10s ", "announces");
	print_daemon(json_at(announced, "daemon"));
	print_counts(json_at(announced, "counts"));
	putchar('\n');
}

/* --- why vip --- */

/*
 * An address: what this node announces, why, and what it needs next: each fact that is not proved, and the hold-down; if it
 * lacks no proof, what is announced must also reach a neighbour.
 */
#define ADDRESS                                                                                    \
	"{address|?} [{?intended=normal}is announced (kernel table {^daemon.table:n|0})"           \
	"|{?intended=shutdown}is announced with GRACEFUL_SHUTDOWN (kernel table "                  \
	"{^daemon.shutdown_table:n|0})|{?intended=none}is not announced"                           \
	"|is in an unknown state: its routes stay as they are][ since {since}]\n"                  \
	"  reason     {text|unknown} ({reason|unknown})\n"                                         \
	"  proved    [ {facts:members}]\n"
#define NEEDS                                                                                       \
	"  exported   [to {exported_to:names}|{?exported_to=[]}to no neighbour|unknown]\n"          \
	"[  differs    since {differs_since}: the routing daemon shows something else than is "     \
	"intended\n]"                                                                               \
	"{*needs}  needs      {fact|?}: [{!state=no}not known; if it lasts: ]{text}; {action}\n{/}" \
	"[{?held_ms}  needs      {held_ms:s} of the hold-down to pass\n"                            \
	"|{!needs}  needs      [{?intended=none}nothing|{?intended=normal}" EXPORT                  \
	"|{?intended=shutdown}" EXPORT "|weir-announce to say what it does: see weir why]\n]"
#define EXPORT                                                                                     \
	"[{?exported=yes}nothing|{?exported=no}a neighbour that gets it: look at the routing "     \
	"daemon, its sessions and filters|the routing daemon to say who gets it: see weir "        \
	"status]"

static void print_vip(const json_t *body, const char *name)
{
	if (!json_is_object(json_at(body, "daemon"))) {
		puts("this node announces nothing: its configuration names no routing daemon "
		     "(nodes[].announce.daemon)");
		return;
	}
	if (json_array_size(json_at(body, "items")) == 0) {
		printf("this node is not configured to announce VIP %s: the VIP lives at another "
		       "site, or nodes[].announce.vips does not name it\n",
		       name);
		return;
	}
	row_print(body, "VIP %s on {node|?}; ", name);
	print_daemon(json_at(body, "daemon"));
	row_show(stdout, body,
	         "\n{*daemon}{*neighbours}  session    {name|?}: {session|unknown}\n{/}{/}"
	         "{*items}" ADDRESS NEEDS "{/}");
	/* the packets of all addresses together */
	row_show(
	        stdout, json_array_get(json_at(body, "items"), 0),
	        "packets of its clients: [{?vip_traffic}{vip_traffic.packets:n|0} since "
	        "{vip_traffic.since|?}, the last ones at {vip_traffic.arrived|no time}|not known]\n");
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
