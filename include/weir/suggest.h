/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Suggestions for misspelt names (optimal string alignment). Pure functions, implemented in
 * model/errors.c; any thread.
 */
#ifndef WEIR_SUGGEST_H
#define WEIR_SUGGEST_H

/** The best of several candidates for a misspelt name. */
struct suggest_best {
	const char *given;
	const char *best;
	/** letters to put in, leave out, change or swap to get from one to the other; at most 99 */
	unsigned distance;
};
/** Look at one more candidate; it is borrowed. */
void suggest_try(struct suggest_best *suggest, const char *candidate);
#define SUGGEST_TEXT_MAX 128
/** " (did you mean "x"?)" in @p text, or "" when no candidate is similar. @return @p text */
const char *suggest_text(const struct suggest_best *suggest, char text[SUGGEST_TEXT_MAX]);

#endif
