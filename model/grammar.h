/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The grammar of documents, token by token: that of libconfig 1.5 without its floating-point
 * numbers. Implemented in model/grammar.c. Pure; a grammar belongs to one scan and its thread.
 *
 *     group    = { name ("=" | ":") value [";" | ","] }
 *     value    = integer | boolean | text {text} | "{" group "}" | "(" [value {"," value}] ")"
 *              | "[" [scalar {"," scalar}] "]"      scalars of one kind
 */
#ifndef WEIR_MODEL_GRAMMAR_H
#define WEIR_MODEL_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"

#define GRAMMAR_DEPTH_MAX 16u /* bounds the stack; documents need 5 */

enum grammar_token {
	GRAMMAR_NAME,
	GRAMMAR_EQUALS,
	GRAMMAR_INTEGER,
	GRAMMAR_BOOLEAN,
	GRAMMAR_TEXT,
	GRAMMAR_COMMA,
	GRAMMAR_SEMICOLON,
	GRAMMAR_OPEN, /**< with the bracket's kind as its character */
	GRAMMAR_CLOSE,
};

enum grammar_state {
	GRAMMAR_AT_NAME,    /**< group: a name or the end */
	GRAMMAR_AT_EQUALS,  /**< group */
	GRAMMAR_AT_VALUE,   /**< a value has to follow */
	GRAMMAR_AT_FIRST,   /**< list, array: a value or the end */
	GRAMMAR_AFTER,      /**< a value has ended */
	GRAMMAR_AFTER_TEXT, /**< the same; a further text continues it */
};

struct grammar_level {
	char close; /**< '}', ')', ']'; '\0' at the top */
	enum grammar_state state;
	enum grammar_token kind; /**< of an array's first scalar */
};

struct grammar {
	struct grammar_level levels[GRAMMAR_DEPTH_MAX + 1];
	size_t depth;
};

/** Start at the beginning of a document. */
void grammar_init(struct grammar *g);
/**
 * Accept a token. @return NULL, or what was expected in its place; @p g is then no longer usable
 */
MUST_CHECK const char *grammar_accept(struct grammar *g, enum grammar_token token, char bracket);
/** Whether the last token ended a text, which a further text continues. */
bool grammar_in_text(const struct grammar *g);
/** The document ends here. @return NULL, or what was expected */
MUST_CHECK const char *grammar_end(const struct grammar *g);

#endif
