/* SPDX-License-Identifier: BSD-2-Clause */
/* A directory for a target's files, below TMPDIR if that is set: who plants a bug there removes what a crash leaves. */
#ifndef WEIR_TESTS_FUZZ_FUZZ_DIR_H
#define WEIR_TESTS_FUZZ_FUZZ_DIR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUZZ_DIR_MAX 48 /* so that the name of a file in it fits into 64 */

/* Make weir-NAME.XXXXXX below TMPDIR, or below @p otherwise, and say its path. */
static inline void fuzz_dir(char path[FUZZ_DIR_MAX], const char *otherwise, const char *name)
{
	const char *own = getenv("TMPDIR");
	const char *below = own && strlen(own) <= 24 ? own : otherwise;

	int n = snprintf(path, FUZZ_DIR_MAX, "%s/weir-%s.XXXXXX", below, name);
	if (n < 0 || n >= FUZZ_DIR_MAX || !mkdtemp(path))
		abort();
}

#endif
