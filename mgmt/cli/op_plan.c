/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an operation would do, before it begins: its steps and how long they take, who gets the load,
 * and each guard.
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/cli/op.h"
#include "mgmt/json/row.h"
#include "mgmt/json/units.h"

#define GUARD_WORD_MAX 16 /* bytes */

#define BACKUP_LINE                                                                                \
	"  backup of service {service|?} at site {site|?}, pool {backup|?}: "                      \
	"[{?ok}ok|{?ok=false}WOULD NOT SERVE|NOT KNOWN][, {detail}]\n"

void op_print_left_out(size_t n)
{
	if (n > OP_LINES)
		printf("    ... and %zu more (--json shows all)\n", n - OP_LINES);
}

void op_print_rows(const json_t *list, const char *line)
{
	op_print_left_out(rows_write(stdout, list, OP_LINES, line));
}

/* What needs a look is in capitals: a refusal, and what nobody could see. */
static const char *guard_word(const json_t *g, char out[GUARD_WORD_MAX])
{
	return row_format(
	        out, GUARD_WORD_MAX, g,
	        "[{?state=ok}ok|{?state=not_checked}not checked|{?state=unknown}NOT KNOWN"
	        "|{?state=refused}REFUSES|{?state=overridden}OVERRIDDEN|{?ok}ok|REFUSES]");
}

void op_print_guards(const json_t *list, bool all)
{
	const json_t *g;
	size_t i, n = 0;

	json_array_foreach(list, i, g)
	{
		char word[GUARD_WORD_MAX];
		const char *detail = api_text(g, "detail", "");

		guard_word(g, word);
		if (!all && json_has_true(g, "ok") && strcmp(word, "OVERRIDDEN") != 0)
			continue;
		if (strcmp(detail, word) == 0)
			detail = "";
		if (n++ < OP_LINES)
			printf("  guard %s: %s%s%s\n", api_text(g, "guard", "?"), word,
			       *detail ? ", " : "", detail);
	}
	op_print_left_out(n);
}

/* The levels in a line; what a step waits for once, as it is the same for all. */
static void print_steps(const json_t *plan)
{
	const json_t *steps = json_at(plan, "steps"), *s;
	const char *waits_for = api_text(json_array_get(steps, 0), "waits_for", NULL);
	char text[UNITS_MAX];
	size_t i;

	printf("  steps: ");
	json_array_foreach(steps, i, s) if (i < OP_LINES)
	        printf("%s%s", i ? ", " : "", units_share(api_number(s, "level_ppm", -1), text));
	puts(json_array_size(steps) ? " drained" : "not known");
	if (waits_for)
		printf("  each waits until %s\n", waits_for);
	row_print(plan, "  time in all: about {expected_s:time}\n"
	                "  queries at the shortest TTL: {queries_per_s_at_min_ttl:rate}\n");
}

/* "1200/s -> 1830/s of 5000/s (37 %)"; without a capacity nobody has checked. */
static void print_load(const json_t *r, const char *before, const char *after, const char *capacity,
                       const char *(*text)(double, char[UNITS_MAX]))
{
	double to = api_number(r, after, -1), of = api_number(r, capacity, -1);
	char a[UNITS_MAX], b[UNITS_MAX], c[UNITS_MAX];

	printf("%s -> %s", text(api_number(r, before, -1), a), text(to, b));
	if (of > 0 && to >= 0)
		printf(" of %s (%s)", text(of, a), units_share(to / of * 1e6, c));
	else if (of > 0)
		printf(" of %s", text(of, a));
}

static void print_receivers(const json_t *list)
{
	const json_t *r;
	size_t i;

	if (json_array_size(list))
		puts("  receivers, when all is moved:");
	json_array_foreach(list, i, r)
	{
		if (i >= OP_LINES)
			break;
		printf("    %-16s new flows ", api_text(r, "site", "?"));
		print_load(r, "before_flows", "after_flows", "capacity_flows", units_rate);
		printf(", bits ");
		print_load(r, "before_bits", "after_bits", "capacity_bits", units_bits);
		puts(json_is_false(json_at(r, "known")) ? "; NOT KNOWN WELL ENOUGH" : "");
	}
	op_print_left_out(json_array_size(list));
}

/* Clients that ask through one resolver move with it, at once: then a step's share has a wide band. */
static void print_unseen(const json_t *preflight)
{
	row_print(
	        preflight,
	        "[  NOT KNOWN: which clients ask name server {unheard}, so nothing is projected\n]"
	        "[{?projection.unseen_ppm}  behind resolvers that ask for many clients: "
	        "{projection.unseen_ppm:share} of those that move; they move with their resolver, "
	        "sooner or later than the step says\n]");
}

/* Late clients are a backup's: what would keep it from serving them is named, and what nobody knows. */
void op_print_backups(FILE *to, const json_t *list, bool all)
{
	size_t n = rows_write(to, list, OP_LINES, all ? BACKUP_LINE : "[{!ok}" BACKUP_LINE "]");

	if (n > OP_LINES)
		fprintf(to, "    ... and %zu more (--json shows all)\n", n - OP_LINES);
}

void op_print_plan(const json_t *o)
{
	const json_t *preflight = json_at(o, "preflight");
	double n_deciding = api_number(preflight, "deciding_sites", -1);

	print_steps(json_at(o, "plan"));
	print_receivers(json_at(preflight, "receivers"));
	print_unseen(preflight);
	op_print_backups(stdout, json_at(preflight, "backups"), true);
	op_print_guards(json_at(preflight, "guards"), true);
	if (n_deciding >= 0 && n_deciding < 1e6)
		printf("  sites that then decide whether a site is dead: %.0f\n", n_deciding);
}
