/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intent, observation and effect stand side by side: where they differ, a reader sees at which step. A terminal has fewer
 * columns than the page, and of long tables only the rows that a person should look at.
 */
#include "mgmt/json/listing.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "mgmt/json/row.h"
#include "weir/json.h"

/* --- the status --- */

const struct listing_table listing_sites = {
	.title = "Sites",
	.list = "sites",
	.columns =
	        (const struct listing_column[]){
	                { "Site", "{name}", LISTING_TEXT, -16 },
	                { "Intent", "{intent.state}", LISTING_STATE, -12 },
	                { "Drain intended", "{intent.level_ppm:ppm}", LISTING_KNOWN, 0 },
	                { "Observed", "{observation.state}", LISTING_STATE, -12 },
	                { "Traffic", "[{observation.bits_per_s:traffic}]", LISTING_KNOWN, 0 },
	                { "Effect in DNS", "{effect.state}", LISTING_STATE, -13 },
	                { "Drained", "{effect.level_ppm:ppm}", LISTING_KNOWN, -8 },
	                { "Share", "{effect.weight_share_ppm:ppm}", LISTING_KNOWN, LISTING_LAST },
	                { 0 },
	        },
};

/* Left out where there are none. */
const struct listing_table listing_overrides = {
	.title = "Overrides",
	.list = "overrides",
	.needs = "overrides",
	.counts = "lists.overrides",
	.most = 20,
	.of = "lists.overrides.all",
	.command = "weir overrides",
	.columns =
	        (const struct listing_column[]){
	                { "Kind", "{do}", LISTING_TEXT, -8 },
	                { "Target", LISTING_TARGET, LISTING_TEXT, -28 },
	                { "State", "{state}", LISTING_STATE, -12 },
	                { "Level", "{level_ppm:ppm}", LISTING_KNOWN, -8 },
	                { "From", "{from}", LISTING_TEXT, 0 },
	                { "Until", LISTING_UNTIL, LISTING_TEXT, -24 },
	                { "Author", "{author}", LISTING_TEXT, -10 },
	                { "Reason", "{reason}[; weir operation {operation}]", LISTING_TEXT,
	                  LISTING_LAST },
	                { 0 },
	        },
};

/* A family without an address gets a dash, so that it does not look like a check. */
const struct listing_table listing_services = {
	.title = "Services",
	.list = "services",
	.inner = "at",
	.counts = "lists.services",
	.page_most = LISTING_PAGE_ROWS_MAX,
	.columns =
	        (const struct listing_column[]){
	                { "Service", "{^name}", LISTING_TEXT, 0 },
	                { "Port", "{^port:n|0}/{^protocol}", LISTING_TEXT, 0 },
	                { "Site", "{site}", LISTING_TEXT, 0 },
	                { "VIP", "{addresses:names}", LISTING_TEXT, 0 },
	                { "Pool", "{pool}", LISTING_TEXT, 0 },
	                { "Observed, IPv4",
	                  "{observation.ipv4.state}[{?observation.ipv4.inconclusive}, inconclusive]",
	                  LISTING_STATE | LISTING_KNOWN, 0 },
	                { "Observed, IPv6",
	                  "{observation.ipv6.state}[{?observation.ipv6.inconclusive}, inconclusive]",
	                  LISTING_STATE | LISTING_KNOWN, 0 },
	                { 0 },
	        },
};

const struct listing_table listing_backends = {
	.title = "Backends",
	.list = "pools",
	.inner = "backends",
	.counts = "backends",
	.chosen = "those with an override or a problem",
	.columns =
	        (const struct listing_column[]){
	                { "Backend", "{^name|?}/{name|?}", LISTING_TEXT, -28 },
	                { "Address", "{address}[ ({member})]", LISTING_TEXT, 0 },
	                { "Intent", "{intent.state}", LISTING_STATE, -10 },
	                { "Observed",
	                  "{observation.state}[{?observation.inconclusive}, inconclusive]",
	                  LISTING_STATE, -21 },
	                { "Effect", "{effect.state}", LISTING_STATE, -10 },
	                { "Share", "{effect.share_ppm:ppm}", LISTING_KNOWN, -8 },
	                { "Packets", "{effect.packets:n}", LISTING_KNOWN, 0 },
	                { "Last result",
	                  "[{observation.reason}[; {effect.why}]|{effect.why}]"
	                  "[{?effect.path_mtu}; path MTU {effect.path_mtu:n}]",
	                  LISTING_TEXT, LISTING_LAST },
	                { 0 },
	        },
};

/* Where not all backends are shown: the pools in which something stands out. */
const struct listing_table listing_pools = {
	.title = "Pools",
	.list = "pools",
	.only = "[{?standing_out}pool]",
	.most = 20,
	.of = "lists.pools.standing_out",
	.columns =
	        (const struct listing_column[]){
	                { "Pool", "{name}", LISTING_TEXT, -24 },
	                { "Site", "{site}", LISTING_TEXT, -12 },
	                { "Backends", "{intent.backends:n|0}", LISTING_TEXT, 8 },
	                { "Up", "{observation.up:n|0}", LISTING_TEXT, 6 },
	                { "Down", "{observation.down:n|0}", LISTING_TEXT, 6 },
	                { "Unknown", "{observation.unknown:n|0}", LISTING_TEXT, 8 },
	                { "Serving", "{effect.serving:n|0}", LISTING_TEXT, 8 },
	                { "Effect", "{effect.state}", LISTING_STATE, LISTING_LAST },
	                { 0 },
	        },
};

const struct listing_table listing_processes = {
	.title = "Processes",
	.list = "processes",
	.columns =
	        (const struct listing_column[]){
	                { "Name", "weir-{process}", LISTING_TEXT, 0 },
	                { "State", "{state}", LISTING_STATE, 0 },
	                { "Document in force", "{document:n}", LISTING_KNOWN, 0 },
	                { "Last sign of life", "[{age_ms:s} ago]", LISTING_KNOWN, 0 },
	                { 0 },
	        },
};

/* Left out on nodes without a routing daemon. A terminal has those that are not announced, proved and exported. */
const struct listing_table listing_announcements = {
	.title = "Announcements",
	.list = "announcements.items",
	.needs = "announcements",
	.counts = "announcements.counts",
	.only = "[{!reason=announced}odd|{!proved=yes}odd|{!exported=yes}odd]",
	.most = 20,
	.of = "announcements.counts.standing_out",
	.columns =
	        (const struct listing_column[]){
	                { "VIP", "{vip|DNS}", LISTING_TEXT, -15 },
	                { "Address", "{address}", LISTING_TEXT, -24 },
	                { "Intended", "{intended}", LISTING_STATE, -9 },
	                { "Proved", "{proved}", LISTING_STATE, -8 },
	                { "Exported", "{exported}", LISTING_STATE, -9 },
	                { "Exported to", "{exported_to:names}", LISTING_KNOWN, 0 },
	                { "Reason",
	                  "{reason}[{?held_ms}, {held_ms:whole_s} of the hold-down left]"
	                  "[, since {since}]",
	                  LISTING_TEXT, LISTING_LAST },
	                { 0 },
	        },
};

const struct listing_table listing_sessions = {
	.title = "Routing daemon and its sessions",
	.list = "announcements.daemon.neighbours",
	.needs = "announcements",
	.first = "announcements.daemon",
	.columns =
	        (const struct listing_column[]){
	                { "Daemon or neighbour", "{name}", LISTING_TEXT, 0 },
	                { "State", "[{state}|{session}]", LISTING_STATE, 0 },
	                { 0 },
	        },
};

/* Left out where there are none. */
const struct listing_table listing_peers = {
	.title = "Peers",
	.list = "peers",
	.needs = "peers",
	.columns =
	        (const struct listing_column[]){
	                { "Node", "{node}", LISTING_TEXT, 0 },
	                { "Site", "{site}", LISTING_TEXT, 0 },
	                { "State", "{state}", LISTING_STATE, 0 },
	                { "Version", "{version:n}", LISTING_KNOWN, 0 },
	                { "Last answer", "[{age_ms:s} ago]", LISTING_KNOWN, 0 },
	                { "Detail", "{detail}", LISTING_TEXT, 0 },
	                { 0 },
	        },
};

/* --- a terminal --- */

static void print_cell(const struct listing_column *c, bool is_first, const char *text)
{
	int width = c->width == LISTING_LAST ? 0 : c->width;

	printf("%s%*s", is_first ? "" : " ", width, text);
}

static void print_heads(const struct listing_table *t)
{
	if (t->title)
		putchar('\n');
	for (const struct listing_column *c = t->columns; c->heading; c++) {
		char text[64] = "";

		for (size_t i = 0; c->heading[i] && i + 1 < sizeof(text); i++)
			text[i] = (char)toupper((unsigned char)c->heading[i]);
		if (c->width)
			print_cell(c, c == t->columns, text);
	}
	putchar('\n');
}

static void print_row(const struct listing_table *t, const json_t *row, const json_t *outer)
{
	for (const struct listing_column *c = t->columns; c->heading; c++) {
		char *text = c->width ? row_cell(row, outer, c->cell) : NULL;
		const char *none = c->look & LISTING_KNOWN   ? "-"
		                   : c->look & LISTING_STATE ? "?"
		                                             : "";

		if (c->width)
			print_cell(c, c == t->columns, text && *text ? text : none);
		free(text);
	}
	putchar('\n');
}

/* Rows of a table on their way. */
struct printing {
	const struct listing_table *t;
	size_t n, n_shown;
};

static void add_row(struct printing *p, const json_t *row, const json_t *outer)
{
	char *shown = p->t->only ? row_cell(row, outer, p->t->only) : NULL;
	bool is_left_out = p->t->only && shown && !*shown;

	free(shown);
	if (is_left_out || (p->n++ >= p->t->most && p->t->most))
		return;
	if (!p->n_shown++)
		print_heads(p->t);
	print_row(p->t, row, outer);
}

void listing_print(const struct listing_table *t, const json_t *answer)
{
	struct printing p = { .t = t };
	const json_t *one, *row;
	size_t i, k;

	json_array_foreach(json_at(answer, t->list), i, one)
	{
		if (!t->inner)
			add_row(&p, one, NULL);
		else
			json_array_foreach(json_at(one, t->inner), k, row) add_row(&p, row, one);
	}
	/* an answer may have been cut, too: for a terminal alone */
	double all = json_number_value(t->of ? json_at(answer, t->of) : NULL);
	if (all < (double)p.n)
		all = (double)p.n;
	if (p.n_shown && all > (double)p.n_shown)
		printf("    ... and %.0f more (%s shows all)\n", all - (double)p.n_shown,
		       t->command ? t->command : "--json");
}
