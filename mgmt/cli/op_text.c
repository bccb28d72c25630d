/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An operation in words for somebody who has just been woken up: where it is, what it waits for or why it is held, and the
 * commands that are possible now; what it would do, before it begins. What went wrong stands before what went well. A state that
 * this release does not know is shown as it is, a member that is missing as not known.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plain.h"
#include "mgmt/cli/op.h"
#include "mgmt/json/row.h"
#include "mgmt/json/units.h"
#include "mgmt/rules/rule.h"

/* --- states and words --- */

const json_t *op_of(const json_t *body)
{
	const json_t *o = json_object_get(body, "operation");

	return json_is_object(o) ? o : body;
}

/* Control characters of UTF-8's second block (U+0080 to U+009F) move some terminals, too. */
static void drop_second_block(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
}

static void make_text_plain(json_t *value)
{
	char *text = strdup(json_string_value(value));

	if (!text) {
		memory_note_failure();
		return;
	}
	plain_make(text);
	drop_second_block(text);
	if (strcmp(text, json_string_value(value)) != 0)
		json_string_set(value, text);
	free(text);
}

void op_make_plain(const struct cli *cli, json_t *value)
{
	const char *name;
	json_t *item;
	size_t i;

	if (cli->json)
		return;
	if (json_is_string(value))
		make_text_plain(value);
	json_object_foreach(value, name, item) op_make_plain(cli, item);
	json_array_foreach(value, i, item) op_make_plain(cli, item);
}

const char *op_title(const json_t *o, char out[OP_TITLE_MAX])
{
	return row_format(out, OP_TITLE_MAX, o,
	                  "{kind|operation} of site%s {sites:names|?}[, service {service}]",
	                  json_array_size(json_at(o, "sites")) > 1 ? "s" : "");
}

#define ALL_GOALS (OP_STILL | OP_THERE | OP_EMPTY | OP_BACK)

/* Each state as a person reads it, and for which goals it is the end of a wait. */
struct state_words {
	const char *state, *words;
	bool has_level; /* "..., 50 % drained" */
	bool held;
	int reached, over; /* goals */
};

/* A hold of its new owner's, which ends by itself: no person is waited for. */
static bool has_new_owner(const json_t *o)
{
	return json_has_text(o, "state", "held") &&
	       rule_is(OPERATION_HOLD_NEW_OWNER, api_text(o, "hold.code", ""));
}

static const struct state_words *find_state(const json_t *o)
{
	enum { R = OP_STILL, T = OP_THERE, E = OP_EMPTY, B = OP_BACK };
	/* clang-format off */
	static const struct state_words rows[] = {
		{ "starting", "starting: looks at all guards before the first step", false, false, 0, 0 },
		{ "moving", "moving clients", true, false, 0, 0 },
		{ "late", "all answers name other sites; late clients still arrive", false, false, 0, 0 },
		{ "drained", "DRAINED: its own backends get no new flows", false, false, R | T, R | T },
		{ "drained_unconfirmed", "DRAINED, NOT CONFIRMED BY PACKETS: no answer names the site, its new flows are not known", false, false,
		  R | T, R | T | E },
		{ "empty", "EMPTY: no new flows, and established flows are silent", false, false, R | T | E, R | T | E },
		{ "held", "HELD", true, true, 0, ALL_GOALS },
		{ "taken", "taken over: reads the levels of all nodes, then goes on", true, false, 0, 0 },
		{ "expired_held", "HELD, AND ITS TIME IS OVER: it does not return by itself", true, true, 0, ALL_GOALS },
		{ "returning", "returning", true, false, 0, 0 },
		{ "resting", "at its level", true, false, R | T, R | T | E },
		{ "done", "done: all clients are back", false, false, R | B, ALL_GOALS },
		{ "aborting", "aborting: going back at the same pace", true, false, 0, 0 },
		{ "aborted", "aborted: it makes no further step", false, false, R | B, ALL_GOALS },
		{ "failed", "FAILED", true, false, 0, ALL_GOALS },
	};
	/* clang-format on */
	const char *state = has_new_owner(o) ? "taken" : api_text(o, "state", "");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].state, state) == 0)
			return &rows[i];
	return NULL;
}

bool op_is_held(const json_t *o)
{
	const struct state_words *s = find_state(o);

	return s && s->held;
}

bool op_has_reached(const json_t *o, enum op_goal goal)
{
	const struct state_words *s = find_state(o);
	/* a person's command at the site: where the clients are is that command's matter */
	bool is_ended = json_has_text(o, "ended.code", "command");

	return s && s->reached & (int)goal && !(is_ended && goal == OP_BACK);
}

bool op_is_over(const json_t *o, enum op_goal goal)
{
	const struct state_words *s = find_state(o);

	return s && s->over & (int)goal;
}

const char *op_waits_for(const json_t *o)
{
	const char *text = api_text(o, "waits", "");

	return *text ? text : NULL;
}

const char *op_line(const json_t *o, char out[OP_LINE_MAX])
{
	const struct state_words *s = find_state(o);
	double step = api_number(o, "step", -1), level = api_number(o, "level_ppm", -1);
	size_t n_steps = json_array_size(json_at(o, "plan.steps"));
	const char *words = s ? s->words : api_text(o, "state", "state not known");
	char step_words[48] = "";

	if (s && !s->has_level)
		return row_format(out, OP_LINE_MAX, o, "%s", words);
	if (step >= 0 && step < (double)n_steps && (!s || !s->over))
		snprintf(step_words, sizeof(step_words), ", step %.0f of %zu", step + 1, n_steps);
	if (level >= 0 && level <= 1e6)
		return row_format(out, OP_LINE_MAX, o, "%s%s, {level_ppm:share} drained", words,
		                  step_words);
	return row_format(out, OP_LINE_MAX, o, "%s%s, level not known", words, step_words);
}

/* --- a plan --- */

#define GUARD_WORD_MAX 16 /* bytes */

#define BACKUP_LINE                                                                                \
	"  backup of service {service|?} at site {site|?}, pool {backup|?}: "                      \
	"[{?ok}ok|{?ok=false}WOULD NOT SERVE|NOT KNOWN][, {detail}]\n"

/* "... and 3 more" where a list of @p n was cut. */
static void print_left_out(FILE *to, size_t n)
{
	if (n > OP_LINES)
		fprintf(to, "    ... and %zu more (--json shows all)\n", n - OP_LINES);
}

void op_print_rows(const json_t *list, const char *line)
{
	print_left_out(stdout, rows_write(stdout, list, OP_LINES, line));
}

/* What needs a look is in capitals: a refusal, and what nobody could see. */
static const char *guard_word(const json_t *g, char out[GUARD_WORD_MAX])
{
	return row_format(
	        out, GUARD_WORD_MAX, g,
	        "[{?state=ok}ok|{?state=not_checked}not checked|{?state=unknown}NOT KNOWN"
	        "|{?state=refused}REFUSES|{?state=overridden}OVERRIDDEN|{?ok}ok|REFUSES]");
}

/* Of the guards @p list those that did not pass, or all. */
static void print_guards(const json_t *list, bool all)
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
	print_left_out(stdout, n);
}

/* The levels in a line; what a step waits for once, as it is the same for all. */
static void print_plan_steps(const json_t *plan)
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
	print_left_out(stdout, json_array_size(list));
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
	print_left_out(
	        to, rows_write(to, list, OP_LINES, all ? BACKUP_LINE : "[{!ok}" BACKUP_LINE "]"));
}

/* What would be done: steps, receivers, backup pools, guards. */
static void print_plan(const json_t *o)
{
	const json_t *preflight = json_at(o, "preflight");
	double n_deciding = api_number(preflight, "deciding_sites", -1);

	print_plan_steps(json_at(o, "plan"));
	print_receivers(json_at(preflight, "receivers"));
	print_unseen(preflight);
	op_print_backups(stdout, json_at(preflight, "backups"), true);
	print_guards(json_at(preflight, "guards"), true);
	if (n_deciding >= 0 && n_deciding < 1e6)
		printf("  sites that then decide whether a site is dead: %.0f\n", n_deciding);
}

/* --- an operation --- */

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
	        "  go on     [{hold.resume}|weir operation {id|ID} resume --reason TEXT]\n");
	if (!json_is_null(json_at(o, "hold.back"))) /* else it goes back already */
		row_print(o,
		          "  go back   [{hold.back}|weir operation {id|ID} abort --reason TEXT]\n");
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

	print_left_out(stdout, n);
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
	print_left_out(stdout, n);
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
	print_guards(json_at(o, "preflight.guards"), false);
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
		print_plan(o);
		op_print_rows(json_at(o, "warnings"), "[  ! {}\n]");
	} else {
		print_operation(o);
	}
	op_print_rows(json_at(body, "notes"), "[  note: {}\n]");
	if (!dry_run)
		row_print(o, "[{!state=done}{!state=aborted}undo: {undo}\n]");
}
