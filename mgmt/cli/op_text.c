/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An operation in words for somebody who has just been woken up: where it is, what it waits for or why it is held, and the
 * commands that are possible now; what it would do, before it begins. What went wrong stands before what went well. A state that
 * this release does not know is shown as it is, a member that is missing as not known.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	char step_words[48] = "", words[OP_LINE_MAX / 2];

	if (s && !s->has_level)
		return row_format(out, OP_LINE_MAX, o, "%s", s->words);
	if (step >= 0 && step < (double)n_steps && (!s || !s->over))
		snprintf(step_words, sizeof(step_words), ", step %.0f of %zu", step + 1, n_steps);
	bool is_known = level >= 0 && level <= 1e6;
	row_format(words, sizeof(words), o, "{state|state not known}");
	return row_format(out, OP_LINE_MAX, o,
	                  is_known ? "%s%s, {level_ppm:share} drained" : "%s%s, level not known",
	                  s ? s->words : words, step_words);
}

/* --- a plan --- */

#define BACKUP                                                                                     \
	"  backup of service {service|?} at site {site|?}, pool {backup|?}: "                      \
	"[{?ok}ok|{?ok=false}WOULD NOT SERVE|NOT KNOWN][, {detail}]\n"
/* What needs a look is in capitals: a refusal, and what nobody could see. */
#define GUARD                                                                                      \
	"  guard {guard|?}: [{?state=ok}ok|{?state=not_checked}not checked|{?state=unknown}NOT "   \
	"KNOWN|{?state=refused}REFUSES|{?state=overridden}OVERRIDDEN|{?ok}ok|REFUSES]"             \
	"[{!detail=ok}{!detail=not checked}, {detail}]\n"
#define WARNINGS "{*20 warnings}[  ! {}\n]{/}"
#define NOTES    "{*20 notes}[  note: {}\n]{/}"

const char op_backups_text[] = "{*20 backups}[{!ok}" BACKUP "]{/}";

/*
 * What would be done. The levels are in a line; what a step waits for is said once, as it is the same for all. Clients
 * that ask through one resolver move with it, at once: then a step's share has a wide band.
 */
static const char plan_text[] =
        "  time in all: about {plan.expected_s:time}\n"
        "  queries at the shortest TTL: {plan.queries_per_s_at_min_ttl:rate}\n"
        "{*preflight}"
        "[{?receivers}  receivers, when all is moved:\n]"
        "{*20 receivers}    {-16 site|?} "
        "new flows {before_flows:rate} -> {after_flows:rate}"
        "[{?capacity_flows} of {capacity_flows:rate}[ ({after_flows/capacity_flows:share})]], "
        "bits {before_bits:bits} -> {after_bits:bits}"
        "[{?capacity_bits} of {capacity_bits:bits}[ ({after_bits/capacity_bits:share})]]"
        "[{?known=false}; NOT KNOWN WELL ENOUGH]\n{/}"
        "[  NOT KNOWN: which clients ask name server {unheard}, so nothing is projected\n]"
        "[{?projection.unseen_ppm}  behind resolvers that ask for many clients: "
        "{projection.unseen_ppm:share} of those that move; they move with their resolver, sooner "
        "or later than the step says\n]"
        "{*20 backups}" BACKUP "{/}{*20 guards}" GUARD "{/}"
        "[  sites that then decide whether a site is dead: {deciding_sites:n}\n]"
        "{/}" WARNINGS;

/* --- an operation --- */

/* Why nothing moves, and the commands that go on and, unless it goes back already, back. */
static const char held_text[] =
        "  why       [{hold.code}: ]{hold.detail|not known}, since {hold.since|not known}\n"
        "  now       traffic stays as it is until a person decides:\n"
        "  go on     [{hold.resume}|weir operation {id|ID} resume --reason TEXT]\n"
        "[{!hold.back=null}  go back   [{hold.back}|weir operation {id|ID} abort --reason TEXT]\n]";

static const char origin_text[] =
        "  begun     {created|not known} by {author|?}[ ({principal})][: {reason}]\n"
        "  returns   [{?until=null}never by itself|{until|not known}]\n"
        "  owner     {owner|not known}[, epoch {epoch:n}]\n"
        "[{?ended}  ended     {ended.at|not known when}: {ended.detail|}\n]";

/* The load of each site when the last step ended, the targets' too. */
static const char loads_text[] =
        "{*20 loads}    {-16 site|?} new flows {flows_per_s:rate}, expected "
        "{expected_flows_per_s:rate}; {bits_per_s:bits}\n{/}";

/* Guards that did not pass; nodes that were not reached first. */
static const char not_passed_text[] =
        "{*20 preflight.guards}[{!ok}" GUARD "|{?state=overridden}" GUARD "]{/}"
        "{*20 nodes}[{!reached}  node {node|?}: NOT REACHED[{?named_absent} (named absent)], last "
        "known level {level_ppm:share|}\n]{/}";

/* A step without an end runs if it is the last one of an operation that goes on. */
static void print_step(const json_t *s, bool is_last, bool is_over)
{
	row_print(s,
	          "  step {from_ppm:share} -> {level_ppm:share}: {begun|begin not known}"
	          "[ to {ended}|%s][{?judged}; share {share_measured_ppm:share|}, expected "
	          "{share_expected_ppm:share|}|; share not judged[: {not_judged}]]",
	          is_last && !is_over ? " to now" : ", cut short");
	if (json_has_true(s, "judged") &&
	    api_number(s, "share_most_ppm", -1) > api_number(s, "share_least_ppm", -1))
		row_print(s, " ({share_least_ppm:share} to {share_most_ppm:share})");
	putchar('\n');
	if (is_last)
		row_show(stdout, s, loads_text);
}

static void print_steps(const json_t *list, bool is_over)
{
	size_t n = json_array_size(list), i = n > OP_LINES ? n - OP_LINES : 0;

	if (i)
		printf("  ... %zu earlier steps (--json shows all)\n", i);
	for (; i < n; i++)
		print_step(json_array_get(list, i), i + 1 == n, is_over);
}

/* Of nodes that were reached only how many; late clients with less than one new flow a second are only counted. */
static void print_counts(const json_t *o)
{
	const json_t *nodes = json_at(o, "nodes"), *late = json_at(o, "late"), *item;
	size_t i, n_reached = 0, n_rare = 0;

	json_array_foreach(nodes, i, item) n_reached += json_has_true(item, "reached");
	if (json_array_size(nodes))
		printf("  %-9s %zu of %zu nodes are reached\n", "nodes", n_reached,
		       json_array_size(nodes));
	row_show(stdout, o,
	         "{*20 late}[{!flows_per_s=0}  late clients: {prefix|?}, {flows_per_s:rate|} "
	         "new flows\n]{/}");
	json_array_foreach(late, i, item) n_rare += api_number(item, "flows_per_s", -1) == 0;
	if (n_rare)
		printf("  late clients: %zu prefixes with less than 1/s\n", n_rare);
}

static void print_operation(const json_t *o)
{
	char line[OP_LINE_MAX];

	row_print(o, OP_TITLE ": %s ({id|id not known})\n", op_line(o, line));
	row_show(stdout, o, op_is_held(o) ? held_text : "[  now       {waits}\n]");
	row_show(stdout, o, origin_text);
	print_steps(json_at(o, "steps"), json_is_object(json_at(o, "ended")));
	row_show(stdout, o, not_passed_text);
	print_counts(o);
	row_show(stdout, o, WARNINGS);
}

void op_print(const json_t *body)
{
	const json_t *o = op_of(body);
	bool dry_run = json_has_true(body, "dry_run") || json_has_true(o, "dry_run");

	if (dry_run) {
		row_show(stdout, o,
		         "dry run, nothing was changed:\n" OP_TITLE
		         "\n  steps: [{?plan.steps}{*20 plan.steps|, }{level_ppm:share}{/} drained"
		         "|not known]\n");
		row_show(stdout, json_array_get(json_at(o, "plan.steps"), 0),
		         "[  each waits until {waits_for}\n]");
		row_show(stdout, o, plan_text);
	} else {
		print_operation(o);
	}
	row_show(stdout, body, NOTES);
	if (!dry_run)
		row_show(stdout, o, "[{!state=done}{!state=aborted}undo: {undo}\n]");
}
