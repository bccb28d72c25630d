/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A state machine with a stack: each open bracket is a level with its own state, and a token moves
 * the innermost one. There is no backtracking, so at a wrong token the state says exactly what
 * would have been right (expected_text()).
 */
#include "model/grammar.h"

void grammar_init(struct grammar *g)
{
	*g = (struct grammar){ .levels = { { '\0', GRAMMAR_AT_NAME, GRAMMAR_NAME } } };
}

static bool is_group(const struct grammar_level *l)
{
	return l->close == '}' || l->close == '\0';
}

static const char *expected_text(const struct grammar_level *l)
{
	switch (l->state) {
	case GRAMMAR_AT_NAME:
		return l->close ? "the name of a setting, or }" : "the name of a setting";
	case GRAMMAR_AT_EQUALS:
		return "= after the name of a setting";
	case GRAMMAR_AT_VALUE:
		return l->close == ']' ? "a number, text or boolean" : "a value";
	case GRAMMAR_AT_FIRST:
		return l->close == ')' ? "a value or )" : "a number, text or boolean, or ]";
	default:
		if (l->close == '\0')
			return "; or the name of a setting";
		if (l->close == '}')
			return "; or the name of a setting or }";
		return l->close == ')' ? ", or )" : ", or ]";
	}
}

static bool expects_value(const struct grammar_level *l)
{
	return l->state == GRAMMAR_AT_VALUE || l->state == GRAMMAR_AT_FIRST;
}

static const char *accept_scalar(struct grammar_level *l, enum grammar_token token)
{
	if (token == GRAMMAR_TEXT && l->state == GRAMMAR_AFTER_TEXT)
		return NULL;
	if (!expects_value(l))
		return expected_text(l);
	if (l->close == ']' && l->state == GRAMMAR_AT_FIRST)
		l->kind = token;
	if (l->close == ']' && l->kind != token)
		return "values of one kind between [ and ]";
	l->state = token == GRAMMAR_TEXT ? GRAMMAR_AFTER_TEXT : GRAMMAR_AFTER;
	return NULL;
}

static const char *accept_open(struct grammar *g, char bracket)
{
	struct grammar_level *l = &g->levels[g->depth];

	if (!expects_value(l) || l->close == ']')
		return expected_text(l);
	if (g->depth == GRAMMAR_DEPTH_MAX)
		return "brackets nested no more than 16 deep";
	l->state = GRAMMAR_AFTER;
	l = &g->levels[++g->depth];
	l->close = bracket == '{' ? '}' : bracket == '(' ? ')' : ']';
	l->state = bracket == '{' ? GRAMMAR_AT_NAME : GRAMMAR_AT_FIRST;
	return NULL;
}

static const char *accept_close(struct grammar *g, char bracket)
{
	const struct grammar_level *l = &g->levels[g->depth];
	bool may = l->state == GRAMMAR_AT_NAME || l->state == GRAMMAR_AT_FIRST ||
	           l->state == GRAMMAR_AFTER || l->state == GRAMMAR_AFTER_TEXT;

	if (l->close != bracket || !may)
		return expected_text(l);
	g->depth--;
	return NULL;
}

static const char *accept_separator(struct grammar_level *l, bool comma)
{
	if ((l->state != GRAMMAR_AFTER && l->state != GRAMMAR_AFTER_TEXT) ||
	    (!comma && !is_group(l)))
		return expected_text(l);
	l->state = is_group(l) ? GRAMMAR_AT_NAME : GRAMMAR_AT_VALUE;
	return NULL;
}

const char *grammar_accept(struct grammar *g, enum grammar_token token, char bracket)
{
	struct grammar_level *l = &g->levels[g->depth];

	switch (token) {
	case GRAMMAR_NAME:
		if (!is_group(l) || l->state == GRAMMAR_AT_EQUALS || l->state == GRAMMAR_AT_VALUE)
			return expected_text(l);
		l->state = GRAMMAR_AT_EQUALS;
		return NULL;
	case GRAMMAR_EQUALS:
		if (l->state != GRAMMAR_AT_EQUALS)
			return expected_text(l);
		l->state = GRAMMAR_AT_VALUE;
		return NULL;
	case GRAMMAR_COMMA:
	case GRAMMAR_SEMICOLON:
		return accept_separator(l, token == GRAMMAR_COMMA);
	case GRAMMAR_OPEN:
		return accept_open(g, bracket);
	case GRAMMAR_CLOSE:
		return accept_close(g, bracket);
	default:
		return accept_scalar(l, token);
	}
}

bool grammar_in_text(const struct grammar *g)
{
	return g->levels[g->depth].state == GRAMMAR_AFTER_TEXT;
}

const char *grammar_end(const struct grammar *g)
{
	const struct grammar_level *l = &g->levels[g->depth];
	bool may = l->state == GRAMMAR_AT_NAME || l->state == GRAMMAR_AFTER ||
	           l->state == GRAMMAR_AFTER_TEXT;

	return g->depth == 0 && may ? NULL : expected_text(l);
}
