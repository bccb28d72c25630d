/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the compiler checks at each call of a function. Macros only; any thread.
 */
#ifndef WEIR_BASE_CHECKED_H
#define WEIR_BASE_CHECKED_H

/** A caller that drops the result loses data or a resource, or goes on with half of something. */
#define MUST_CHECK __attribute__((warn_unused_result))
/** No pointer argument may be NULL; with numbers, none of these (the first is 1). */
#define NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))

#endif
