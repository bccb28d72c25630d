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

#define POOLS_SHOWN     20  /* lines */
#define BACKUPS_SHOWN   10u /* backups that would not serve */
#define OVERRIDES_SHOWN 20  /* lines */

static const char *field_state(const json_t *thing, const char *which)
{
	return api_text(json_object_get(thing, which), "state", "?");
}

/* Reasons (!) stand before notes (-): a degraded node must be seen in the first lines. */
static void print_status_head(const json_t *b)
{
	const json_t *version = json_object_get(b, "version"), *item;
	const char *by = api_text(b, "confirm_by", NULL);
	size_t i;

	printf("%s (site %s, cluster %s) %s   document %.0f", api_text(b, "node", "?"),
	       api_text(b, "site", "?"), api_text(b, "cluster", "?"), api_text(b, "state", "?"),
	       api_number(b, "document", 0));
	if (json_is_object(version))
		printf("   version %.0f of %s by %s: %s", api_number(version, "number", 0),
		       api_text(version, "time", "?"), api_text(version, "author", "?"),
		       api_text(version, "reason", ""));
	putchar('\n');
	api_print_texts(json_object_get(b, "why"), " ! ");
	json_array_foreach(json_object_get(b, "notes"), i, item)
	        printf(" - %s\n", api_text(item, "text", ""));
	if (by)
		printf(" ! version %.0f is rolled back at %s unless confirmed: weir confirm\n",
		       api_number(version, "number", 0), by);
}

static void print_age(const json_t *thing)
{
	double age = api_number(thing, "age_ms", -1);

	if (age >= 0)
		printf(" (%.1f s)", age / 1000);
}

/* All processes in one line, so that the whole status fits on a screen. */
static void print_processes(const json_t *b)
{
	const json_t *p;
	size_t i;

	printf("%-10s", "processes");
	json_array_foreach(json_object_get(b, "processes"), i, p)
	{
		const char *driver = api_text(p, "driver", NULL);

		printf(" %s %s", api_text(p, "process", "?"), api_text(p, "state", "?"));
		if (driver)
			printf(" by %s", driver);
		print_age(p);
	}
	printf("\n%-10s", "database");
	printf(" %s %s\n", field_state(b, "store"),
	       api_text(json_object_get(b, "store"), "detail", ""));
	vips_print_summary(b);
	if (json_array_size(json_object_get(b, "peers")) == 0)
		return;
	printf("%-10s", "peers");
	json_array_foreach(json_object_get(b, "peers"), i, p)
	{
		printf(" %s %s v%.0f", api_text(p, "node", "?"), api_text(p, "state", "?"),
		       api_number(p, "version", 0));
		print_age(p);
	}
	putchar('\n');
}

/* An unknown level or share is said to be unknown: 0 % would be a statement. */
static void print_sites(const json_t *b)
{
	const json_t *s;
	size_t i;

	printf("\n%-16s %-12s %-12s %-10s %s\n", "SITE", "INTENT", "OBSERVED", "DRAINED", "SHARE");
	json_array_foreach(json_object_get(b, "sites"), i, s)
	{
		const json_t *effect = json_object_get(s, "effect");
		double level = api_number(effect, "level_ppm", -1),
		       share = api_number(effect, "weight_share_ppm", -1);
		char drained[16] = "unknown", part[16] = "unknown";

		if (level >= 0)
			snprintf(drained, sizeof(drained), "%.1f %%", level / 1e4);
		if (share >= 0)
			snprintf(part, sizeof(part), "%.1f %%", share / 1e4);
		printf("%-16s %-12s %-12s %-10s %s\n", api_text(s, "name", "?"),
		       field_state(s, "intent"), field_state(s, "observation"), drained, part);
	}
}

static void print_names(const json_t *names)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name) printf(
	        "%s%s", i ? ", " : "", json_string_value(name) ? json_string_value(name) : "?");
}

/* How many sites decide that a site is dead, which depends on those that are drained. */
static void print_deciding(const json_t *b)
{
	const json_t *deciding = json_object_get(b, "deciding"),
	             *sites = json_object_get(deciding, "sites"),
	             *out = json_object_get(deciding, "out");
	size_t n = json_array_size(sites);

	if (n < 2 && json_array_size(out) == 0)
		return;
	printf("%zu site%s decide%s whether a site is dead, %s (", n, n == 1 ? "" : "s",
	       n == 1 ? "s" : "",
	       json_has_true(deciding, "votes") ? "by vote" : "each by what it sees");
	print_names(sites);
	putchar(')');
	if (json_array_size(out)) {
		printf("; drained or disabled, so not counted: ");
		print_names(out);
	}
	putchar('\n');
}

/* Of nodes, those that are taken out or are on their way back. */
static void print_moving_nodes(const json_t *b)
{
	const json_t *n;
	size_t i, n_shown = 0;

	json_array_foreach(json_object_get(b, "nodes"), i, n)
	{
		const json_t *effect = json_object_get(n, "effect"),
		             *counts = json_object_get(effect, "addresses");
		const char *state = api_text(effect, "state", "");

		double n_unread = api_number(counts, "unread", 0);

		if (strcmp(state, "draining") != 0 && strcmp(state, "drained") != 0 &&
		    strcmp(state, "returning") != 0 && n_unread == 0)
			continue;
		printf("%snode %s is %s", n_shown++ ? "" : "\n", api_text(n, "name", "?"), state);
		if (counts)
			printf(": of %.0f addresses %.0f announced, %.0f in graceful shutdown, "
			       "%.0f withdrawn by a command",
			       api_number(counts, "all", 0), api_number(counts, "normal", 0),
			       api_number(counts, "shutdown", 0),
			       api_number(counts, "commanded", 0));
		if (n_unread > 0)
			printf("; of %.0f the routing daemon does not say whether a neighbour still "
			       "gets them",
			       n_unread);
		putchar('\n');
	}
}

static void print_backend(const char *pool, const json_t *k)
{
	const json_t *effect = json_object_get(k, "effect"),
	             *seen = json_object_get(k, "observation");
	double share = api_number(effect, "share_ppm", -1);
	double path_mtu = api_number(effect, "path_mtu", 0);
	char name[2 * 64 + 2], part[16] = "-", path[32] = "";

	snprintf(name, sizeof(name), "%s/%s", pool, api_text(k, "name", "?"));
	if (share >= 0)
		snprintf(part, sizeof(part), "%.1f %%", share / 1e4);
	if (path_mtu > 0)
		snprintf(path, sizeof(path), "; path MTU %.0f", path_mtu);
	printf("%-28s %-10s %-8s %-10s %-8s %s%s%s%s\n", name, field_state(k, "intent"),
	       field_state(k, "observation"), field_state(k, "effect"), part,
	       api_text(seen, "reason", ""), api_text(effect, "why", NULL) ? "; " : "",
	       api_text(effect, "why", ""), path);
}

/* A number of the answer's "backends"; all are shown by one that has none. */
static double shown_of(const json_t *b, const char *name)
{
	return api_number(json_object_get(b, "backends"), name, 1);
}

/* How long a list is, with what the limit left out. */
static size_t length_of(const json_t *b, const char *name)
{
	const json_t *list = json_object_get(json_object_get(b, "lists"), name);

	return list ? (size_t)api_number(list, "all", 0)
	            : json_array_size(json_object_get(b, name));
}

static void print_pools(const json_t *b)
{
	const json_t *p, *k;
	size_t i, j;

	if (json_array_size(json_object_get(b, "pools")) == 0 || shown_of(b, "shown") == 0)
		return;
	printf("\n%-28s %-10s %-8s %-10s %-8s %s\n", "BACKEND", "INTENT", "OBSERVED", "EFFECT",
	       "SHARE", "LAST RESULT");
	json_array_foreach(json_object_get(b, "pools"), i, p)
	        json_array_foreach(json_object_get(p, "backends"), j, k)
	                print_backend(api_text(p, "name", "?"), k);
}

static void print_pool(const json_t *p)
{
	const json_t *seen = json_object_get(p, "observation"),
	             *effect = json_object_get(p, "effect");

	printf("%-24s %-12s %8.0f %6.0f %6.0f %8.0f %8.0f  %s\n", api_text(p, "name", "?"),
	       api_text(p, "site", "?"), api_number(json_object_get(p, "intent"), "backends", 0),
	       api_number(seen, "up", 0), api_number(seen, "down", 0),
	       api_number(seen, "unknown", 0), api_number(effect, "serving", 0),
	       api_text(effect, "state", "?"));
}

/*
 * Where not all backends are shown: the pools in which something stands out, and how much is left
 * out.
 */
static void print_pool_summary(const json_t *b)
{
	const json_t *pools = json_object_get(b, "pools"), *p;
	size_t i, n_odd = 0;

	json_array_foreach(pools, i, p) n_odd += api_number(p, "standing_out", 0) > 0;
	n_odd = (size_t)api_number(json_object_get(json_object_get(b, "lists"), "pools"),
	                           "standing_out", (double)n_odd);
	size_t n_all_odd = n_odd;
	printf("\n%zu pools with %.0f backends; ", length_of(b, "pools"), shown_of(b, "all"));
	if (n_odd == 0) {
		puts("all are normal (--pool NAME or --all shows them)");
		return;
	}
	printf("%.0f in %zu pools are unusual", shown_of(b, "standing_out"), n_odd);
	if (shown_of(b, "shown") < shown_of(b, "standing_out"))
		printf(", of which %.0f are shown", shown_of(b, "shown"));
	printf(" (--pool NAME or --all shows all)\n\n%-24s %-12s %8s %6s %6s %8s %8s  %s\n", "POOL",
	       "SITE", "BACKENDS", "UP", "DOWN", "UNKNOWN", "SERVING", "EFFECT");
	n_odd = 0;
	json_array_foreach(pools, i, p) if (api_number(p, "standing_out", 0) > 0 &&
	                                    n_odd++ < POOLS_SHOWN) print_pool(p);
	if (n_all_odd > POOLS_SHOWN)
		printf("... and %zu more pools\n", n_all_odd - POOLS_SHOWN);
}

static void print_status_overrides(const json_t *b)
{
	const json_t *list = json_object_get(b, "overrides"), *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		if (i == OVERRIDES_SHOWN)
			break;
		char target[OVERRIDE_TARGET_MAX];

		const char *operation = api_text(o, "operation", "");

		printf("%s%s %s: %s, %.1f %%, until %s, by %s: %s%s%s\n", i ? "" : "\n",
		       api_text(o, "do", "?"), override_target_of(o, true, target),
		       api_text(o, "state", "?"), api_number(o, "level_ppm", 0) / 1e4,
		       override_until(o), api_text(o, "author", "?"), api_text(o, "reason", ""),
		       *operation ? "; weir operation " : "", operation);
	}
	if (length_of(b, "overrides") > OVERRIDES_SHOWN)
		printf("... and %zu more overrides: weir overrides shows all\n",
		       length_of(b, "overrides") - OVERRIDES_SHOWN);
}

/* A backup of this site that is not proven to serve is known before it is needed. */
static bool print_backup(const json_t *service, const json_t *at, bool shows)
{
	const json_t *backup = json_object_get(at, "backup"),
	             *ready = json_object_get(backup, "ready");
	const char *detail = api_text(backup, "detail", "");

	if (json_is_true(ready) || !*detail)
		return false;
	if (shows)
		printf("backup of service %s at site %s, pool %s: %s, %s\n",
		       api_text(service, "name", "?"), api_text(at, "site", "?"),
		       api_text(backup, "backup", "?"),
		       json_is_false(ready) ? "WOULD NOT SERVE" : "NOT KNOWN", detail);
	return true;
}

static void print_status_backups(const json_t *b)
{
	const json_t *service, *at;
	const json_t *all = json_object_get(json_object_get(b, "backups"), "standing_out");
	size_t i, k, n = 0;

	json_array_foreach(json_object_get(b, "services"), i, service)
	{
		json_array_foreach(json_object_get(service, "at"), k, at) n +=
		        print_backup(service, at, n < BACKUPS_SHOWN);
	}
	size_t n_shown = n < BACKUPS_SHOWN ? n : BACKUPS_SHOWN;
	n = json_is_integer(all) ? (size_t)json_integer_value(all) : n;
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
