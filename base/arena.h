/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Arenas: memory that is built up piece by piece and freed whole.
 *
 * One configuration generation lives in one arena. Allocation fails only when
 * the machine is out of memory or the arena's limit is hit; an arena remembers
 * that (sticky), so a builder may check once at its end.
 *
 * Implemented in base/arena.c. One thread at a time uses an arena; arena_share() and arena_free()
 * may be called by any owner's thread.
 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"

struct arena;

/** Make an arena that will hold at most @p limit_bytes. @return NULL when out of memory */
MUST_CHECK struct arena *arena_new(size_t limit_bytes);
/** Free @p a and all that was allocated from it, unless it has more owners; NULL is fine. */
void arena_free(struct arena *a);
/**
 * Add an owner to @p a. Each owner calls arena_free(), on any thread; the last call frees the
 * memory. Allocating stays with one thread. @return @p a
 */
MUST_CHECK struct arena *arena_share(struct arena *a);

/** @return zeroed memory for @p n items of @p size, aligned for anything; NULL on failure (sticky) */
void *arena_alloc(struct arena *a, size_t n, size_t size) __attribute__((malloc));
/** @return a copy of @p text; NULL on failure */
char *arena_strdup(struct arena *a, const char *text);
/** @return the formatted text; NULL on failure */
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Count @p a as failed: what its content needs could not be allocated elsewhere. */
void arena_fail(struct arena *a);
/** Whether any allocation failed. */
bool arena_failed(const struct arena *a);
/** Whether one failed at the arena's limit: what is built there is too large, and would be at another try. */
bool arena_is_full(const struct arena *a);
/** Bytes handed out. */
size_t arena_used(const struct arena *a);

/** `type *x = ARENA_ARRAY(arena, type, n)` */
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc((a), (n), sizeof(type)))

#endif
