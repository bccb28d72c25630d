/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status for people, what is wrong first. A table never has more lines than a person reads: of
 * many backends those that stand out are shown, of many pools and overrides the first POOLS_SHOWN
 * and OVERRIDES_SHOWN, with the number left out.
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/cli/cmd_override.h"
#include "mgmt/cli/cmd_status.h"
#include "mgmt/cli/vips.h"
#include "mgmt/json/row.h"

#define POOLS_SHOWN   20  /* lines */
#define BACKUPS_SHOWN 10u /* backups that would not serve */

/* Reasons (!) stand before notes (-): a degraded node must be seen in the first lines. */
static void print_status_head(const json_t *b)
{
	row_print(
	        b,
	        "{node|?} (site {site|?}, cluster {cluster|?}) {state|?}   document {document:n|0}"
	        "[{?version}   version {version.number:n|0} of {version.time|?} by "
	        "{version.author|?}: {version.reason|}]\n");
	rows_print(json_at(b, "why"), "[ ! {}\n]");
	rows_print(json_at(b, "notes"), " - {text}\n");
	row_print(b, "[ - and {notes_left_out:n} more notes\n]");
	row_print(b, "[ ! version {version.number:n|0} is rolled back at {confirm_by} unless "
	             "confirmed: weir confirm\n]");
}

/* All processes in one line, so that the whole status fits on a screen. */
static void print_processes(const json_t *b)
{
	const json_t *peers = json_at(b, "peers");

	printf("%-10s", "processes");
	rows_print(json_at(b, "processes"), " {process|?} {state|?}[ by {driver}][ ({age_ms:s})]");
	row_print(b, "\ndatabase   {store.state|?} {store.detail}\n");
	vips_print_summary(b);
	if (json_array_size(peers) == 0)
		return;
	printf("%-10s", "peers");
	rows_print(peers, " {node|?} {state|?} v{version:n|0}[ ({age_ms:s})]");
	putchar('\n');
}

/* An unknown level or share is said to be unknown: 0 % would be a statement. */
static void print_sites(const json_t *b)
{
	static const struct row_column columns[] = {
		{ "SITE", -16, "{name|?}" },
		{ "INTENT", -12, "{intent.state|?}" },
		{ "OBSERVED", -12, "{observation.state|?}" },
		{ "DRAINED", -10, "{effect.level_ppm:ppm|unknown}" },
		{ "SHARE", 0, "{effect.weight_share_ppm:ppm|unknown}" },
		{ 0 },
	};

	putchar('\n');
	row_print_table(columns, json_at(b, "sites"));
}

/* How many sites decide that a site is dead, which depends on those that are drained. */
static void print_deciding(const json_t *b)
{
	const json_t *deciding = json_at(b, "deciding");
	size_t n = json_array_size(json_at(deciding, "sites"));

	if (n < 2 && json_array_size(json_at(deciding, "out")) == 0)
		return;
	printf("%zu site%s decide%s whether a site is dead, ", n, n == 1 ? "" : "s",
	       n == 1 ? "s" : "");
	row_print(deciding, "[{?votes}by vote|each by what it sees] ({sites:names})"
	                    "[; drained or disabled, so not counted: {out:names}]\n");
}

/* Of nodes, those that are taken out or are on their way back. */
static void print_moving_nodes(const json_t *b)
{
	const json_t *n;
	size_t i, n_shown = 0;

	json_array_foreach(json_at(b, "nodes"), i, n)
	{
		const char *state = api_text(n, "effect.state", "");

		if (strcmp(state, "draining") != 0 && strcmp(state, "drained") != 0 &&
		    strcmp(state, "returning") != 0 &&
		    api_number(n, "effect.addresses.unread", 0) == 0)
			continue;
		row_print(n,
		          "%snode {name|?} is {effect.state}[{?effect.addresses}: of "
		          "{effect.addresses.all:n|0} addresses {effect.addresses.normal:n|0} "
		          "announced, {effect.addresses.shutdown:n|0} in graceful shutdown, "
		          "{effect.addresses.commanded:n|0} withdrawn by a command]"
		          "[{?effect.addresses.unread}; of {effect.addresses.unread:n} the routing "
		          "daemon does not say whether a neighbour still gets them]\n",
		          n_shown++ ? "" : "\n");
	}
}

/* A number of the answer's "backends"; all are shown by one that has none. */
static double shown_of(const json_t *b, const char *name)
{
	return api_number(json_at(b, "backends"), name, 1);
}

/* How long a list is, with what the limit left out. */
static size_t length_of(const json_t *b, const char *name)
{
	const json_t *list = json_at(json_at(b, "lists"), name);

	return list ? (size_t)api_number(list, "all", 0) : json_array_size(json_at(b, name));
}

static void print_pools(const json_t *b)
{
	static const struct row_column columns[] = {
		{ "BACKEND", -28, "{^name|?}/{name|?}" },
		{ "INTENT", -10, "{intent.state|?}" },
		{ "OBSERVED", -8, "{observation.state|?}" },
		{ "EFFECT", -10, "{effect.state|?}" },
		{ "SHARE", -8, "{effect.share_ppm:ppm|-}" },
		{ "LAST RESULT", 0,
		  "{observation.reason}[; {effect.why}][{?effect.path_mtu}; path MTU {effect.path_mtu:n}]" },
		{ 0 },
	};
	const json_t *p, *k;
	size_t i, j;

	if (json_array_size(json_at(b, "pools")) == 0 || shown_of(b, "shown") == 0)
		return;
	putchar('\n');
	row_print_heads(columns);
	json_array_foreach(json_at(b, "pools"), i, p)
	        json_array_foreach(json_at(p, "backends"), j, k) row_print_cells(columns, k, p);
}

/*
 * Where not all backends are shown: the pools in which something stands out, and how much is left
 * out.
 */
static void print_pool_summary(const json_t *b)
{
	static const struct row_column columns[] = {
		{ "POOL", -24, "{name|?}" },
		{ "SITE", -12, "{site|?}" },
		{ "BACKENDS", 8, "{intent.backends:n|0}" },
		{ "UP", 6, "{observation.up:n|0}" },
		{ "DOWN", 6, "{observation.down:n|0}" },
		{ "UNKNOWN", 8, "{observation.unknown:n|0}" },
		{ "SERVING", 8, "{effect.serving:n|0}" },
		{ " EFFECT", 0, " {effect.state|?}" },
		{ 0 },
	};
	const json_t *pools = json_at(b, "pools"), *p;
	size_t i, n_odd = 0;

	json_array_foreach(pools, i, p) n_odd += api_number(p, "standing_out", 0) > 0;
	size_t n_all_odd = (size_t)api_number(b, "lists.pools.standing_out", (double)n_odd);
	printf("\n%zu pools with %.0f backends; ", length_of(b, "pools"), shown_of(b, "all"));
	if (n_all_odd == 0) {
		puts("all are normal (--pool NAME or --all shows them)");
		return;
	}
	printf("%.0f in %zu pools are unusual", shown_of(b, "standing_out"), n_all_odd);
	if (shown_of(b, "shown") < shown_of(b, "standing_out"))
		printf(", of which %.0f are shown", shown_of(b, "shown"));
	puts(" (--pool NAME or --all shows all)\n");
	row_print_heads(columns);
	n_odd = 0;
	json_array_foreach(pools, i,
	                   p) if (api_number(p, "standing_out", 0) > 0 && n_odd++ < POOLS_SHOWN)
	        row_print_cells(columns, p, NULL);
	if (n_all_odd > POOLS_SHOWN)
		printf("... and %zu more pools\n", n_all_odd - POOLS_SHOWN);
}

static void print_status_overrides(const json_t *b)
{
	row_show(stdout, b,
	         "[{?overrides}\n]{*20 overrides of lists.overrides.all}{do|?} " OVERRIDE_TARGET
	         ": {state|?}, {level_ppm:ppm|0}, until " OVERRIDE_UNTIL
	         ", by {author|?}: {reason}[; weir operation {operation}]\n{/}");
}

/* A backup of this site that is not proven to serve is known before it is needed. */
static void print_status_backups(const json_t *b)
{
	const json_t *service, *at;
	size_t i, k, n = 0;

	json_array_foreach(json_at(b, "services"), i, service)
	{
		json_array_foreach(json_at(service, "at"), k, at)
		{
			if (json_is_true(json_at(at, "backup.ready")) ||
			    !*api_text(at, "backup.detail", ""))
				continue;
			if (n++ < BACKUPS_SHOWN)
				row_print(
				        at,
				        "backup of service %s at site {site|?}, pool {backup.backup|?}: "
				        "[{?backup.ready=false}WOULD NOT SERVE|NOT KNOWN], {backup.detail}\n",
				        api_text(service, "name", "?"));
		}
	}
	size_t n_shown = n < BACKUPS_SHOWN ? n : BACKUPS_SHOWN;
	n = (size_t)api_number(b, "backups.standing_out", (double)n);
	if (n > n_shown)
		printf("... and %zu more backups: weir status --json shows all\n", n - n_shown);
}

void status_print(const json_t *b)
{
	print_status_head(b);
	print_processes(b);
	print_sites(b);
	print_deciding(b);
	print_moving_nodes(b);
	if (shown_of(b, "shown") < shown_of(b, "all"))
		print_pool_summary(b);
	print_pools(b);
	vips_print_table(b);
	print_status_backups(b);
	print_status_overrides(b);
}
