/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * To be preloaded: the pthread_create() whose number NOTHREAD gives, from 1, and all after it fail, as at a limit
 * of threads. What a failed one leaves as the id is a trap for those who join it. The file NOTHREAD_MARK is made
 * when one has failed.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static void leave_mark(void)
{
	const char *path = getenv("NOTHREAD_MARK");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd >= 0)
		close(fd);
}

int pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
	static int made;
	const char *text = getenv("NOTHREAD");
	create *real = (create *)dlsym(RTLD_NEXT, "pthread_create");

	if (text && __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED) >= atoi(text)) {
		memset(id, 0x5a, sizeof(*id));
		leave_mark();
		return EAGAIN;
	}
	return real(id, attributes, run, arg);
}
