/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One operation for people: where it is, what it waits for or why it is held, and the commands that
 * are possible now. What went wrong stands before what went well.
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/cli/op.h"
#include "mgmt/cli/units.h"

static void print_origin(const json_t *o)
{
	const char *principal = api_text(o, "principal", ""), *reason = api_text(o, "reason", "");
	double epoch = api_number(o, "epoch", -1);

	printf("  %-9s %s by %s%s%s%s%s%s\n", "begun", api_text(o, "created", "not known"),
	       api_text(o, "author", "?"), *principal ? " (" : "", principal, *principal ? ")" : "",
	       *reason ? ": " : "", reason);
	printf("  %-9s %s\n", "returns",
	       json_is_null(json_object_get(o, "until")) ? "never by itself"
	                                                 : api_text(o, "until", "not known"));
	printf("  %-9s %s", "owner", api_text(o, "owner", "not known"));
	if (epoch >= 0 && epoch < 1e10)
		printf(", epoch %.0f", epoch);
	putchar('\n');
}

/* Why nothing moves, and the commands that go on and back. */
static void print_hold(const json_t *o)
{
	const json_t *hold = json_object_get(o, "hold");
	const char *id = api_text(o, "id", "ID"), *code = api_text(hold, "code", "");
	const char *resume = api_text(hold, "resume", NULL);

	printf("  %-9s %s%s%s, since %s\n", "why", code, *code ? ": " : "",
	       api_text(hold, "detail", "not known"), api_text(hold, "since", "not known"));
	printf("  %-9s traffic stays as it is until a person decides:\n", "now");
	if (resume)
		printf("  %-9s %s\n", "go on", resume);
	else
		printf("  %-9s weir operation %s resume --reason TEXT\n", "go on", id);
	printf("  %-9s weir operation %s abort --reason TEXT\n", "go back", id);
}

/* The load of each site when the step ended, the targets' too. */
static void print_loads(const json_t *list)
{
	const json_t *l;
	char flows[UNITS_MAX], expected[UNITS_MAX], bits[UNITS_MAX];
	size_t i;

	json_array_foreach(list, i, l) if (i < OP_LINES)
	        printf("    %-16s new flows %s, expected %s; %s\n", api_text(l, "site", "?"),
	               units_rate(api_number(l, "flows_per_s", -1), flows),
	               units_rate(api_number(l, "expected_flows_per_s", -1), expected),
	               units_bits(api_number(l, "bits_per_s", -1), bits));
	op_print_left_out(json_array_size(list));
}

/* A step without an end runs if it is the last one of an operation that goes on. */
static void print_step(const json_t *s, bool is_last, bool is_over)
{
	const char *end = api_text(s, "ended", is_last && !is_over ? "now" : NULL);
	char from[UNITS_MAX], to[UNITS_MAX], measured[UNITS_MAX], expected[UNITS_MAX];
	double least = api_number(s, "share_least_ppm", -1);
	double most = api_number(s, "share_most_ppm", -1);

	printf("  step %s -> %s: %s%s%s", units_share(api_number(s, "from_ppm", -1), from),
	       units_share(api_number(s, "level_ppm", -1), to),
	       api_text(s, "begun", "begin not known"), end ? " to " : "",
	       end ? end : ", cut short");
	if (json_has_true(s, "judged"))
		printf("; share %s, expected %s",
		       units_share(api_number(s, "share_measured_ppm", -1), measured),
		       units_share(api_number(s, "share_expected_ppm", -1), expected));
	if (json_has_true(s, "judged") && most > least)
		printf(" (%s to %s)\n", units_share(least, measured), units_share(most, expected));
	else if (json_has_true(s, "judged"))
		putchar('\n');
	else
		printf("; share not judged%s%s\n", *api_text(s, "not_judged", "") ? ": " : "",
		       api_text(s, "not_judged", ""));
	if (is_last)
		print_loads(json_object_get(s, "loads"));
}

static void print_steps(const json_t *list, bool is_over)
{
	size_t n = json_array_size(list), i = n > OP_LINES ? n - OP_LINES : 0;

	if (i)
		printf("  ... %zu earlier steps (--json shows all)\n", i);
	for (; i < n; i++)
		print_step(json_array_get(list, i), i + 1 == n, is_over);
}

/* Nodes that were not reached first; of those that were, only how many. */
static void print_nodes(const json_t *list)
{
	const json_t *node;
	size_t i, n = 0, n_reached = 0;
	char level[UNITS_MAX];

	json_array_foreach(list, i, node)
	{
		if (json_has_true(node, "reached")) {
			n_reached++;
			continue;
		}
		if (n++ >= OP_LINES)
			continue;
		printf("  node %s: NOT REACHED%s, last known level %s\n",
		       api_text(node, "node", "?"),
		       json_has_true(node, "named_absent") ? " (named absent)" : "",
		       units_share(api_number(node, "level_ppm", -1), level));
	}
	op_print_left_out(n);
	if (i)
		printf("  %-9s %zu of %zu nodes are reached\n", "nodes", n_reached, i);
}

/* Those with less than one new flow a second are only counted. */
static void print_late(const json_t *list)
{
	const json_t *l;
	size_t i, n_rare = 0, n = 0;
	char rate[UNITS_MAX];

	json_array_foreach(list, i, l)
	{
		if (api_number(l, "flows_per_s", -1) == 0)
			n_rare++;
		else if (n++ < OP_LINES)
			printf("  late clients: %s, %s new flows\n", api_text(l, "prefix", "?"),
			       units_rate(api_number(l, "flows_per_s", -1), rate));
	}
	op_print_left_out(n);
	if (n_rare)
		printf("  late clients: %zu prefixes with less than 1/s\n", n_rare);
}

static void print_ended(const json_t *ended)
{
	if (json_is_object(ended))
		printf("  %-9s %s: %s\n", "ended", api_text(ended, "at", "not known when"),
		       api_text(ended, "detail", ""));
}

static void print_undo(const json_t *o)
{
	const char *undo = api_text(o, "undo", NULL), *state = api_text(o, "state", "");

	if (undo && strcmp(state, "done") != 0 && strcmp(state, "aborted") != 0)
		printf("undo: %s\n", undo);
}

static void print_operation(const json_t *o)
{
	char title[OP_TITLE_MAX], line[OP_LINE_MAX];

	printf("%s: %s (%s)\n", op_title(o, title), op_line(o, line),
	       api_text(o, "id", "id not known"));
	if (op_is_held(o))
		print_hold(o);
	else if (op_waits_for(o))
		printf("  %-9s %s\n", "now", op_waits_for(o));
	print_origin(o);
	print_ended(json_object_get(o, "ended"));
	print_steps(json_object_get(o, "steps"), json_is_object(json_object_get(o, "ended")));
	op_print_guards(json_object_get(json_object_get(o, "preflight"), "guards"), false);
	print_nodes(json_object_get(o, "nodes"));
	print_late(json_object_get(o, "late"));
	op_print_texts(json_object_get(o, "warnings"), "  ! ");
}

void op_print(const json_t *body)
{
	const json_t *o = op_of(body);
	bool dry_run = json_has_true(body, "dry_run") || json_has_true(o, "dry_run");
	char title[OP_TITLE_MAX];

	if (dry_run) {
		printf("dry run, nothing was changed:\n%s\n", op_title(o, title));
		op_print_plan(o);
		op_print_texts(json_object_get(o, "warnings"), "  ! ");
	} else {
		print_operation(o);
	}
	op_print_texts(json_object_get(body, "notes"), "  note: ");
	if (!dry_run)
		print_undo(o);
}
