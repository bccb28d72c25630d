/* SPDX-License-Identifier: BSD-2-Clause */
/* How many descriptors a process has: what is left open is seen. A test includes this once. */
#ifndef WEIR_TESTS_UNIT_DESCRIPTORS_H
#define WEIR_TESTS_UNIT_DESCRIPTORS_H

#include <dirent.h>
#include <stdlib.h>

/* Its own one counts, too, so only differences mean something. */
static unsigned count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	if (!d)
		abort();
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

#endif
