/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls of the system's libraries that fail once, where a test says so: for what a caller does with an error of the
 * kernel or the disk. A test links calls.c, whose functions stand before those of libc and libmnl.
 */
#ifndef WEIR_TESTS_CALLS_H
#define WEIR_TESTS_CALLS_H

#include <stdbool.h>

/** How a call fails: with an errno, or as the kernel's answer to a request about routes. */
enum calls_answer {
	CALLS_INTERRUPTED = -1, /* the table changed while it was listed (NLM_F_DUMP_INTR) */
	CALLS_NO_FAMILY = -2    /* the host has no such family: the kernel lists all that it has */
};

/** Let the @p nth call of @p name from now on fail, and all after it if @p always. @p how: errno or enum calls_answer. */
void calls_fail(const char *name, unsigned nth, int how, bool always);

/** No further call fails. @return how many have since calls_fail() */
unsigned calls_end(void);

#endif
