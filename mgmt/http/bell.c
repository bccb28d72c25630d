/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The number is raised before the servers are woken: a server that is about to hold an answer
 * compares the number, so that no ring is missed between the handler's look and the holding.
 */
#include "mgmt/http/bell.h"

#include <unistd.h>

static void replace_fd(struct http_bells *b, int old, int new)
{
	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < HTTP_BELLS_SERVERS; i++)
		if (b->fds[i] == old) {
			b->fds[i] = new;
			break;
		}
	pthread_mutex_unlock(&b->lock);
}

void http_bells_join(struct http_bells *b, int fd)
{
	replace_fd(b, 0, fd);
}

void http_bells_leave(struct http_bells *b, int fd)
{
	replace_fd(b, fd, 0);
}

void http_bells_ring(struct http_bells *b, unsigned bells)
{
	const uint64_t one = 1;

	for (size_t i = 0; i < HTTP_BELLS; i++)
		if (bells >> i & 1)
			atomic_fetch_add(&b->rung[i], 1);
	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < HTTP_BELLS_SERVERS; i++)
		if (b->fds[i] > 0)
			(void)!write(b->fds[i], &one, sizeof(one));
	pthread_mutex_unlock(&b->lock);
}
