/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls of libc and libmnl that fail once, where a test says so: for what a caller does with an error of the kernel or the
 * disk. It concerns Weir's own calls (answers.h), before a suite's answer is asked.
 */
#ifndef WEIR_TESTS_UNIT_CALLS_H
#define WEIR_TESTS_UNIT_CALLS_H

#include <stdbool.h>

/** How a call fails: with an errno, or as the kernel's answer to a request about routes. */
enum calls_answer {
	CALLS_INTERRUPTED = -1, /* the table changed while it was listed (NLM_F_DUMP_INTR) */
	CALLS_NO_FAMILY = -2    /* the host has no such family: the kernel lists all that it has */
};

/**
 * Let the @p nth call of @p name ("open") from now on fail, and all after it if @p always. @p how: errno or enum
 * calls_answer.
 */
void calls_fail(const char *name, unsigned nth, int how, bool always);

/** No further call fails. @return how many have since calls_fail() */
unsigned calls_end(void);

/** For answers: whether this call of @p name ("open64" is "open") is one that fails; errno is set then. */
bool calls_turn(const char *name);

/** The same, for one that gets the answer @p how. */
bool calls_turn_answer(const char *name, enum calls_answer how);

#endif
