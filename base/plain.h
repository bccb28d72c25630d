/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Texts from outside, made safe for a terminal, a log and JSON: without control characters, and cut
 * at a whole UTF-8 character. Bytes that are no UTF-8 stay as they are.
 *
 * Implemented in base/plain.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_BASE_PLAIN_H
#define WEIR_BASE_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

/** Whether @p text has no control character. */
bool plain_is(const char *text);
/**
 * Whether a person may give @p text: it is plain, and has no character of Unicode that only hides or turns round what
 * stands beside it (marks and overrides of direction, line separators, invisible ones, tags). Joiners of letters may be.
 */
bool plain_may_give(const char *text);
/** Whether @p text, which may be NULL, is @p n_digits hexadecimal digits, in lower case. */
bool plain_is_hex(const char *text, size_t n_digits);
/** Write @p n bytes in lower-case hexadecimal. @p out gets 2 n digits and a NUL. */
void plain_hex(const void *bytes, size_t n, char *out);
/** Make each control character of @p text, and each byte of one that plain_may_give() refuses, a '?'. */
void plain_make(char *text);
/**
 * If @p text fills its @p size bytes, it may have been cut: remove a last character that is not
 * whole.
 */
void plain_cut(char *text, size_t size);
/** Copy @p text, cut to @p size bytes, and make it plain. */
void plain_copy(char *out, size_t size, const char *text);

#endif
