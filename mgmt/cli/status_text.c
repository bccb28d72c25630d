/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status for people, what is wrong first. A table never has more lines than a person reads: of
 * many backends those that stand out are shown, of other tables the first rows, with the number left
 * out (mgmt/json/listing.h).
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/cli/cmd_status.h"
#include "mgmt/cli/vips.h"
#include "mgmt/json/row.h"
#include "mgmt/json/listing.h"

#define BACKUPS_SHOWN 10u /* backups that would not serve */

/*
 * Reasons (!) stand before notes (-): a degraded node must be seen in the first lines. All processes are in one line, so
 * that the whole status fits on a screen.
 */
static const char head_text[] =
        "{node|?} (site {site|?}, cluster {cluster|?}) {state|?}   document {document:n|0}"
        "[{?version}   version {version.number:n|0} of {version.time|?} by "
        "{version.author|?}: {version.reason|}]\n"
        "{*why}[ ! {}\n]{/}{*notes} - {text}\n{/}[ - and {notes_left_out:n} more notes\n]"
        "[ ! version {version.number:n|0} is rolled back at {confirm_by} unless confirmed: weir "
        "confirm\n]"
        "processes {*processes} {process|?} {state|?}[ by {driver}][ ({age_ms:s})]{/}\n"
        "database   {store.state|?} {store.detail}\n";

static const char peers_text[] =
        "[{?peers}peers     {*peers} {node|?} {state|?} v{version:n|0}[ ({age_ms:s})]{/}\n]";

/* Nodes that are taken out or are on their way back. */
#define MOVING                                                                                     \
	"node {name|?} is {effect.state}[{?effect.addresses}: of {effect.addresses.all:n|0} "      \
	"addresses {effect.addresses.normal:n|0} announced, {effect.addresses.shutdown:n|0} in "   \
	"graceful shutdown, {effect.addresses.commanded:n|0} withdrawn by a command]"              \
	"[{?effect.addresses.unread}; of {effect.addresses.unread:n} the routing daemon does not " \
	"say whether a neighbour still gets them]\n"
static const char moving_text[] =
        "{*nodes}[{?effect.state=draining}" MOVING "|{?effect.state=drained}" MOVING
        "|{?effect.state=returning}" MOVING "|{?effect.addresses.unread}" MOVING "]{/}";

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

/* Where not all backends are shown: how much is left out. */
static void print_pool_summary(const json_t *b)
{
	const json_t *p;
	size_t i, n_odd = 0;

	json_array_foreach(json_at(b, "pools"), i, p) n_odd += api_number(p, "standing_out", 0) > 0;
	n_odd = (size_t)api_number(b, "lists.pools.standing_out", (double)n_odd);
	printf("\n%zu pools with %.0f backends; ", length_of(b, "pools"), shown_of(b, "all"));
	if (n_odd == 0) {
		puts("all are normal (--pool NAME or --all shows them)");
		return;
	}
	printf("%.0f in %zu pools are unusual", shown_of(b, "standing_out"), n_odd);
	if (shown_of(b, "shown") < shown_of(b, "standing_out"))
		printf(", of which %.0f are shown", shown_of(b, "shown"));
	puts(" (--pool NAME or --all shows all)");
	listing_print(&listing_pools, b);
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
			if (n++ >= BACKUPS_SHOWN)
				continue;
			row_print(service, "backup of service {name|?} at ");
			row_print(at, "site {site|?}, pool {backup.backup|?}: "
			              "[{?backup.ready=false}WOULD NOT SERVE|NOT KNOWN], "
			              "{backup.detail}\n");
		}
	}
	size_t n_shown = n < BACKUPS_SHOWN ? n : BACKUPS_SHOWN;
	n = (size_t)api_number(b, "backups.standing_out", (double)n);
	if (n > n_shown)
		printf("... and %zu more backups: weir status --json shows all\n", n - n_shown);
}

void status_print(const json_t *b)
{
	row_show(stdout, b, head_text);
	vips_print_summary(b);
	row_show(stdout, b, peers_text);
	listing_print(&listing_sites, b);
	print_deciding(b);
	row_show(stdout, b, moving_text);
	if (shown_of(b, "shown") < shown_of(b, "all"))
		print_pool_summary(b);
	listing_print(&listing_backends, b);
	listing_print(&listing_announcements, b);
	print_status_backups(b);
	listing_print(&listing_overrides, b);
}
