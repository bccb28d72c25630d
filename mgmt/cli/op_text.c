/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One operation for people: where it is, what it waits for or why it is held, and the commands that
 * are possible now. What went wrong stands before what went well.
 */
#include <stdio.h>

#include "mgmt/cli/op.h"
#include "mgmt/json/row.h"

static void print_origin(const json_t *o)
{
	row_print(o,
	          "  begun     {created|not known} by {author|?}[ ({principal})][: {reason}]\n"
	          "  returns   %s\n"
	          "  owner     {owner|not known}[, epoch {epoch:n}]\n",
	          json_is_null(json_at(o, "until")) ? "never by itself"
	                                            : api_text(o, "until", "not known"));
}

/* Why nothing moves, and the commands that go on and back. */
static void print_hold(const json_t *o)
{
	row_print(
	        o,
	        "  why       [{hold.code}: ]{hold.detail|not known}, since {hold.since|not known}\n"
	        "  now       traffic stays as it is until a person decides:\n"
	        "  go on     [{hold.resume}|weir operation {id|ID} resume --reason TEXT]\n"
	        "  go back   weir operation {id|ID} abort --reason TEXT\n");
}

/* A step without an end runs if it is the last one of an operation that goes on. */
static void print_step(const json_t *s, bool is_last, bool is_over)
{
	const char *end = api_text(s, "ended", is_last && !is_over ? "now" : NULL);

	row_print(s, "  step {from_ppm:share} -> {level_ppm:share}: {begun|begin not known}%s%s",
	          end ? " to " : "", end ? end : ", cut short");
	row_print(s, "[{?judged}; share {share_measured_ppm:share|}, expected "
	             "{share_expected_ppm:share|}|; share not judged[: {not_judged}]]");
	if (json_has_true(s, "judged") &&
	    api_number(s, "share_most_ppm", -1) > api_number(s, "share_least_ppm", -1))
		row_print(s, " ({share_least_ppm:share} to {share_most_ppm:share})");
	putchar('\n');
	/* the load of each site when the step ended, the targets' too */
	if (is_last)
		op_print_rows(json_at(s, "loads"),
		              "    {-16 site|?} new flows {flows_per_s:rate}, expected "
		              "{expected_flows_per_s:rate}; {bits_per_s:bits}\n");
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
	size_t n_all = json_array_size(list);
	size_t n = rows_write(stdout, list, OP_LINES,
	                      "[{!reached}  node {node|?}: NOT REACHED[{?named_absent} (named "
	                      "absent)], last known level {level_ppm:share|}\n]");

	op_print_left_out(n);
	if (n_all)
		printf("  %-9s %zu of %zu nodes are reached\n", "nodes", n_all - n, n_all);
}

/* Those with less than one new flow a second are only counted. */
static void print_late(const json_t *list)
{
	const json_t *l;
	size_t i, n_rare = 0, n = 0;

	json_array_foreach(list, i, l)
	{
		if (api_number(l, "flows_per_s", -1) == 0)
			n_rare++;
		else if (n++ < OP_LINES)
			row_print(l, "  late clients: {prefix|?}, {flows_per_s:rate} new flows\n");
	}
	op_print_left_out(n);
	if (n_rare)
		printf("  late clients: %zu prefixes with less than 1/s\n", n_rare);
}

static void print_operation(const json_t *o)
{
	char title[OP_TITLE_MAX], line[OP_LINE_MAX];

	row_print(o, "%s: %s ({id|id not known})\n", op_title(o, title), op_line(o, line));
	if (op_is_held(o))
		print_hold(o);
	else
		row_print(o, "[  now       {waits}\n]");
	print_origin(o);
	row_print(o, "[{?ended}  ended     {ended.at|not known when}: {ended.detail|}\n]");
	print_steps(json_at(o, "steps"), json_is_object(json_at(o, "ended")));
	op_print_guards(json_at(o, "preflight.guards"), false);
	print_nodes(json_at(o, "nodes"));
	print_late(json_at(o, "late"));
	op_print_rows(json_at(o, "warnings"), "[  ! {}\n]");
}

void op_print(const json_t *body)
{
	const json_t *o = op_of(body);
	bool dry_run = json_has_true(body, "dry_run") || json_has_true(o, "dry_run");
	char title[OP_TITLE_MAX];

	if (dry_run) {
		printf("dry run, nothing was changed:\n%s\n", op_title(o, title));
		op_print_plan(o);
		op_print_rows(json_at(o, "warnings"), "[  ! {}\n]");
	} else {
		print_operation(o);
	}
	op_print_rows(json_at(body, "notes"), "[  note: {}\n]");
	if (!dry_run)
		row_print(o, "[{!state=done}{!state=aborted}undo: {undo}\n]");
}
