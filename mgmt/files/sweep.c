/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rename(2) is one step however large the directory is, and frees the name. The thread that removes
 * the files is detached. If the process ends first, the directory keeps its name with ".gone-", by
 * which the next start finds it.
 */
#include "mgmt/files/sweep.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "mgmt/files/files.h"

#define SUFFIX ".gone-" /* then process, time and count */

bool sweep_is_left(const char *name)
{
	return strstr(name, SUFFIX) != NULL;
}

static void *remove_dir(void *arg)
{
	files_remove_dir(arg);
	free(arg);
	return NULL;
}

/*
 * Give the directory a name that no other has. @return the name, given; NULL: it could not be
 * renamed
 */
static char *put_aside(const char *dir)
{
	static atomic_uint count;
	char to[PATH_MAX];

	if (snprintf(to, sizeof(to), "%s" SUFFIX "%d-%llx-%u", dir, (int)getpid(),
	             (unsigned long long)clock_mono_ns(),
	             atomic_fetch_add(&count, 1)) >= (int)sizeof(to))
		return NULL;

	char *copy = strdup(to);

	if (copy && rename(dir, copy) == 0)
		return copy;
	free(copy);
	return NULL;
}

void sweep_dir(const char *dir)
{
	char *gone = access(dir, F_OK) ? NULL : put_aside(dir);
	struct thread thread;

	if (!gone) {
		files_remove_dir(dir);
		return;
	}
	if (thread_start(&thread, remove_dir, gone))
		remove_dir(gone);
	else
		pthread_detach(thread.id);
}
