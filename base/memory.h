/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running out of memory: remembered for the work that a thread is doing, or the end of the process.
 *
 * A library that builds an answer from many small pieces (jansson) may leave a piece out when an
 * allocation fails, and nothing in the answer shows it. So its allocations go through
 * memory_alloc(), and the sender of the answer asks once, at the end, whether the answer is whole.
 *
 * Implemented in base/memory.c. Any thread may call; each has a state of its own.
 */
#ifndef WEIR_BASE_MEMORY_H
#define WEIR_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/checked.h"

/** malloc() that notes its failure, and then draws on the thread's reserve. For json_set_alloc_funcs(). */
MUST_CHECK void *memory_alloc(size_t n);
/** Free memory_alloc()'s; free() does as well where there was no reserve. */
void memory_free(void *p);
/** An allocation of this thread failed. */
void memory_note_failure(void);
/** A new piece of work begins in this thread. */
void memory_forget(void);
/** Whether an allocation of this thread has failed since memory_forget(). */
bool memory_failed(void);

/**
 * Make room for @p n bytes in the heap, so that small allocations of this thread that follow do not
 * fail. It promises nothing for large ones (over 64 KiB). @return 0 or -ENOMEM
 */
MUST_CHECK int memory_make_room(size_t n);

/**
 * Set memory aside in this thread for code that cannot handle a failed allocation: that code may
 * use @p n bytes more to end in good order, and its result is thrown away. One reserve for a thread
 * at a time. @return 0 or -ENOMEM
 */
MUST_CHECK int memory_reserve_begin(size_t n);
/** Whether the reserve was drawn on. */
bool memory_reserve_drawn(void);
/** End the reserve with all that was drawn. Its memory stays with the thread, at most 1 MiB of it. */
void memory_reserve_end(void);

/** Bytes of the largest struct of MEMORY_NEW(). */
#define MEMORY_SMALL_MAX ((size_t)192 << 10)
/** What the process exits with where memory_must() has no memory: EX_OSERR of sysexits.h. */
#define MEMORY_EXIT 71

/**
 * Take @p p, which an allocation gave; where it is NULL, end the process with a line (event no-memory).
 *
 * For processes that can be started again without loss: weir-mgmt, weir-announce, weir-health and `weir`; never for
 * weir-dataplane and weir-dns (tests/check/check_includes.py), nor for code that these share. And for a small
 * allocation of fixed size, or a fixed one at the start. What grows with input is refused by itself.
 */
MUST_CHECK void *memory_must(void *p) __attribute__((returns_nonnull));

/** A zeroed struct for free(), as memory_must(); a larger @p type does not compile. */
#define MEMORY_NEW(type)                                                                           \
	((type *)memory_must(                                                                      \
	        calloc(sizeof(char[sizeof(type) <= MEMORY_SMALL_MAX ? 1 : -1]), sizeof(type))))

#endif
