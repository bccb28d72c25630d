/* SPDX-License-Identifier: BSD-2-Clause */
/* What the log says, line by line. For tests that are linked with write wrapped. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_HEARD_H
#define WEIR_TESTS_UNIT_DATAPLANE_HEARD_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/answers.h"

static char heard[8192]; /* a test empties it */

/* The log alone writes to standard error so; its priority, "<4>", is left out. */
static ssize_t own_write(int fd, const void *bytes, size_t n)
{
	size_t at = strlen(heard);

	if (fd != STDERR_FILENO)
		return __real_write(fd, bytes, n);
	snprintf(heard + at, sizeof(heard) - at, "%.*s", (int)n - 3, (const char *)bytes + 3);
	return (ssize_t)n;
}

#endif
