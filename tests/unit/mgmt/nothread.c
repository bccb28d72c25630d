/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * To be preloaded: the pthread_create() whose number NOTHREAD gives, from 1, and all after it fail, as at a limit
 * of threads. What a failed one leaves as the id is a trap for those who join it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
	static int made;
	const char *text = getenv("NOTHREAD");
	create *real = (create *)dlsym(RTLD_NEXT, "pthread_create");

	if (text && __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED) >= atoi(text)) {
		memset(id, 0x5a, sizeof(*id));
		return EAGAIN;
	}
	return real(id, attributes, run, arg);
}
