/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Texts of others, made fit to stand on a terminal, in a log and in JSON: without control characters, and cut at a
 * whole UTF-8 character. What is no UTF-8 stays as it is.
 *
 * Implemented in base/plain.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_BASE_PLAIN_H
#define WEIR_BASE_PLAIN_H

#include <stddef.h>

/** Make each control character of @p text a '?'. */
void plain_make(char *text);
/** Where @p text fills its @p size bytes, so that it may have been cut: take a character off that is not whole. */
void plain_cut(char *text, size_t size);
/** Copy @p text, cut to @p size bytes, and make it plain. */
void plain_copy(char *out, size_t size, const char *text);

#endif
