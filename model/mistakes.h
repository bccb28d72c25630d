/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collecting mistakes, and guessing what was meant. One thread at a time a collection.
 */
#ifndef WEIR_MODEL_MISTAKES_H
#define WEIR_MODEL_MISTAKES_H

#include <stdarg.h>
#include <stddef.h>

#include "weir/model.h"

#define MISTAKES_KEPT 1000u

/** A place in a document. */
struct where {
	const char *file; /**< outlives the mistake's adding only */
	unsigned line;
};

/** Start empty. @return 0 or -ENOMEM */
int mistakes_init(struct model_mistakes *m);
/** Add one; file and field are copied. Beyond MISTAKES_KEPT it is only counted. */
void mistakes_add(struct model_mistakes *m, struct where at, const char *field, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
/** Put them in the order of files (as first seen) and lines. */
void mistakes_sort(struct model_mistakes *m);

/** How many letters must be put in, left out, changed or swapped to get from @p a to @p b; at most 99. */
unsigned near_distance(const char *a, const char *b);

/** The best of several candidates for a misspelt name. */
struct near_best {
	const char *wanted;
	const char *best;
	unsigned distance;
};
/** Look at one more candidate; it is borrowed. */
void near_try(struct near_best *near, const char *candidate);
/** " (did you mean "x"?)" in @p text, or "" when nothing is near. @return @p text */
#define NEAR_TEXT_MAX 128
const char *near_text(const struct near_best *near, char text[NEAR_TEXT_MAX]);

#endif
