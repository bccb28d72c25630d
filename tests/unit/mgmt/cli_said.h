/* SPDX-License-Identifier: BSD-2-Clause */
/* What a command says on its two outputs, for tests that run it. A test includes this once. */
#ifndef WEIR_TESTS_MGMT_CLI_SAID_H
#define WEIR_TESTS_MGMT_CLI_SAID_H

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

#define SHOWN_MAX 262144

static char shown[SHOWN_MAX]; /* on standard output, since shown_begin() */
static char told[16384];      /* on standard error */

static struct {
	int fd, saved, file;
} said_on[2] = { { STDOUT_FILENO, -1, -1 }, { STDERR_FILENO, -1, -1 } };

static inline void shown_begin(void)
{
	fflush(stdout);
	fflush(stderr);
	for (int i = 0; i < 2; i++) {
		said_on[i].saved = dup(said_on[i].fd);
		said_on[i].file = memfd_create("said", MFD_CLOEXEC);
		assert_true(said_on[i].saved >= 0 && said_on[i].file >= 0);
		assert_true(dup2(said_on[i].file, said_on[i].fd) >= 0);
	}
}

static inline void shown_end(void)
{
	fflush(stdout);
	fflush(stderr);
	for (int i = 0; i < 2; i++) {
		char *out = i ? told : shown;
		ssize_t n = pread(said_on[i].file, out, (i ? sizeof(told) : SHOWN_MAX) - 1, 0);

		out[n > 0 ? n : 0] = '\0';
		assert_true(dup2(said_on[i].saved, said_on[i].fd) >= 0);
		close(said_on[i].saved);
		close(said_on[i].file);
	}
}

/* cli_fail() told @p text alone, a line with its end; "": nothing was told. */
static inline void assert_told(const char *text)
{
	if (*text) {
		assert_memory_equal(told, "weir: ", 6);
		assert_string_equal(told + 6, text);
	} else {
		assert_string_equal(told, "");
	}
}

/* The same, of one line without its end. */
static inline void assert_told_line(const char *line)
{
	char text[sizeof(told)];

	snprintf(text, sizeof(text), "%s%s", line, *line ? "\n" : "");
	assert_told(text);
}

/* Run the command line of @p words, which NULL ends; what it says is in shown and told. @return its exit status */
static inline int run_weir(const char *const *words)
{
	char *argv[32] = { strdup("weir") };
	int argc = 1;

	for (; *words; words++) {
		assert_true(argc < 31);
		argv[argc++] = strdup(*words);
	}
	char *all[32]; /* some are taken out of argv */

	memcpy(all, argv, sizeof(all));
	int n = argc;

	shown_begin();
	int status = cli_main(argc, argv);

	shown_end();
	for (int i = 0; i < n; i++)
		free(all[i]);
	return status;
}
#define WEIR(...) run_weir((const char *const[]){ __VA_ARGS__, NULL })

#endif
