/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An operation in words for somebody who has just been woken up. A state that this release does not
 * know is shown as it is, a member that is missing as not known.
 */
#include <stdio.h>
#include <string.h>

#include "base/plain.h"
#include "mgmt/cli/op.h"
#include "mgmt/json/row.h"

#define TEXT_SHOWN 400 /* bytes of a text */

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
	char text[TEXT_SHOWN];

	plain_copy(text, sizeof(text), json_string_value(value));
	drop_second_block(text);
	if (strcmp(text, json_string_value(value)) != 0)
		json_string_set(value, text);
}

void op_make_plain(json_t *value)
{
	const char *name;
	json_t *item;
	size_t i;

	if (json_is_string(value))
		make_text_plain(value);
	json_object_foreach(value, name, item) op_make_plain(item);
	json_array_foreach(value, i, item) op_make_plain(item);
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
	return json_has_text(o, "state", "held") && json_has_text(o, "hold.code", "taken");
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

	return s && s->reached & (int)goal;
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
