/* SPDX-License-Identifier: BSD-2-Clause */
/* A directory of a test of the supervisor. */
#ifndef WEIR_TESTS_SUPERVISE_PLACE_H
#define WEIR_TESTS_SUPERVISE_PLACE_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char place[32];

static inline void place_make(void)
{
	strcpy(place, "/tmp/weir-run-XXXXXX");
	assert_non_null(mkdtemp(place));
}

static inline void place_remove(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", place);
	assert_int_equal(system(command), 0);
}

/* Write @p text to the file @p name of the directory, in one step. */
static inline void place_write(const char *name, const char *text)
{
	char path[PATH_MAX], next[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", place, name);
	snprintf(next, sizeof(next), "%s/next", place);
	f = fopen(next, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(next, path), 0);
}

#endif
