/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Failing allocations in a test's own loop; implemented by failalloc.c, which is preloaded.
 */
#ifndef WEIR_TESTS_FAIL_H
#define WEIR_TESTS_FAIL_H

#include <stdbool.h>
#include <stdio.h>

/** Let the @p n-th allocation from now on fail, once. */
void fail_arm(unsigned long n);
/**
 * Let the @p nth allocation of the @p n-th call into a library fail, once: each place of the program that calls into
 * what FAIL_LIBS names and makes it allocate is one call. One thread only.
 */
void fail_arm_entry(unsigned long nth, unsigned long n);
/** No further allocation fails. @return whether one has since fail_arm() */
bool fail_disarm(void);
/** Count no further until fail_resume(). @return whether allocations were counted */
bool fail_pause(void);
void fail_resume(void);
/** Where the last one failed: a line a frame, OBJECT+OFFSET, for addr2line -e OBJECT OFFSET. */
void fail_show(FILE *out);

#endif
