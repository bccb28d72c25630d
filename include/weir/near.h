/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Suggestions for misspelt names (optimal string alignment). Pure functions, implemented in
 * model/mistakes.c; any thread.
 */
#ifndef WEIR_NEAR_H
#define WEIR_NEAR_H

/**
 * How many letters must be put in, left out, changed or swapped to get from @p a to @p b; at most
 * 99.
 */
unsigned near_distance(const char *a, const char *b);

/** The best of several candidates for a misspelt name. */
struct near_best {
	const char *wanted;
	const char *best;
	unsigned distance;
};
/** Look at one more candidate; it is borrowed. */
void near_try(struct near_best *near, const char *candidate);
#define NEAR_TEXT_MAX 128
/** " (did you mean "x"?)" in @p text, or "" when no candidate is similar. @return @p text */
const char *near_text(const struct near_best *near, char text[NEAR_TEXT_MAX]);

#endif
