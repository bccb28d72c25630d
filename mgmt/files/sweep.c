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
#include <sys/queue.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "mgmt/files/files.h"

#define SUFFIX ".gone-" /* then process, time and count */

bool sweep_is_left(const char *name)
{
	return strstr(name, SUFFIX) != NULL;
}

/* A directory that a thread removes. */
struct swept {
	char dir[PATH_MAX];
	LIST_ENTRY(swept) entry;
};

/* A process may end at any time: until then each of them is known here, and not to its thread alone. */
static LIST_HEAD(, swept) all_swept = LIST_HEAD_INITIALIZER(all_swept);
static pthread_mutex_t all_swept_lock = PTHREAD_MUTEX_INITIALIZER;

static void *remove_dir(void *arg)
{
	struct swept *swept = arg;

	files_remove_dir(swept->dir);
	pthread_mutex_lock(&all_swept_lock);
	LIST_REMOVE(swept, entry);
	pthread_mutex_unlock(&all_swept_lock);
	free(swept);
	return NULL;
}

/*
 * Give the directory a name that no other has. @return it, given; NULL: it could not be renamed
 */
static struct swept *put_aside(const char *dir)
{
	static atomic_uint count;
	struct swept *swept = malloc(sizeof(*swept));

	if (!swept)
		return NULL;
	int n = snprintf(swept->dir, sizeof(swept->dir), "%s" SUFFIX "%d-%llx-%u", dir,
	                 (int)getpid(), (unsigned long long)clock_mono_ns(),
	                 atomic_fetch_add(&count, 1));
	if (n >= (int)sizeof(swept->dir) || rename(dir, swept->dir)) {
		free(swept);
		return NULL;
	}
	pthread_mutex_lock(&all_swept_lock);
	LIST_INSERT_HEAD(&all_swept, swept, entry);
	pthread_mutex_unlock(&all_swept_lock);
	return swept;
}

void sweep_dir(const char *dir)
{
	struct swept *swept = access(dir, F_OK) ? NULL : put_aside(dir);
	struct thread thread;

	if (!swept) {
		files_remove_dir(dir);
		return;
	}
	if (thread_start(&thread, remove_dir, swept))
		remove_dir(swept);
	else
		pthread_detach(thread.id);
}
