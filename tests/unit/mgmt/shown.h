/* SPDX-License-Identifier: BSD-2-Clause */
/* What a subcommand prints, for tests that call it. A test includes this once; it takes the place of args.c. */
#ifndef WEIR_TESTS_MGMT_SHOWN_H
#define WEIR_TESTS_MGMT_SHOWN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "mgmt/cli/cli.h"

#define SHOWN_MAX 131072

static char shown[SHOWN_MAX]; /* on standard output, since shown_begin() */
static char told[4096];       /* by cli_fail(), lines */
static int shown_saved = -1, shown_file = -1;

int cli_fail(enum cli_status status, const char *format, ...)
{
	size_t n = strlen(told);
	va_list args;

	va_start(args, format);
	vsnprintf(told + n, sizeof(told) - n - 1, format, args);
	va_end(args);
	strcat(told, "\n");
	return (int)status;
}

static inline void shown_begin(void)
{
	fflush(stdout);
	told[0] = '\0';
	shown_saved = dup(STDOUT_FILENO);
	shown_file = memfd_create("shown", MFD_CLOEXEC);
	assert_true(shown_saved >= 0 && shown_file >= 0);
	assert_true(dup2(shown_file, STDOUT_FILENO) >= 0);
}

static inline void shown_end(void)
{
	fflush(stdout);
	assert_true(dup2(shown_saved, STDOUT_FILENO) >= 0);
	ssize_t n = pread(shown_file, shown, sizeof(shown) - 1, 0);

	shown[n > 0 ? n : 0] = '\0';
	close(shown_saved);
	close(shown_file);
}

#endif
