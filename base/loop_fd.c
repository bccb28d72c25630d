/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop's descriptors. They index a table. Each registration has a serial number, which epoll
 * returns: an event of a descriptor that was closed, and whose number was used again within the
 * turn, is recognised and dropped.
 */
#include "base/loop_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

static bool has_callback(const struct loop *l, int fd)
{
	return fd >= 0 && (size_t)fd < l->n_fds && l->fds[fd].cb;
}

static int grow_fds(struct loop *l, size_t need)
{
	size_t n = l->n_fds ? l->n_fds : 64;

	if (need <= l->n_fds)
		return 0;
	while (n < need)
		n *= 2;
	struct loop_fd *fds = reallocarray(l->fds, n, sizeof(*fds));

	if (!fds)
		return -ENOMEM;
	for (size_t i = l->n_fds; i < n; i++)
		fds[i] = (struct loop_fd){ 0 };
	l->fds = fds;
	l->n_fds = n;
	return 0;
}

static int set_epoll(const struct loop *l, int op, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events };

	e.data.u64 = (uint64_t)l->fds[fd].serial << 32 | (uint32_t)fd;
	return epoll_ctl(l->epoll_fd, op, fd, &e) < 0 ? -errno : 0;
}

int loop_fd_add(struct loop *l, int fd, uint32_t events, loop_fd_cb *cb, void *arg)
{
	if (fd < 0)
		return -EBADF;
	if (has_callback(l, fd))
		return -EEXIST;
	int err = grow_fds(l, (size_t)fd + 1);

	if (err)
		return err;
	l->fds[fd].serial = ++l->serial;
	err = set_epoll(l, EPOLL_CTL_ADD, fd, events);
	if (err)
		return err;
	l->fds[fd].cb = cb;
	l->fds[fd].arg = arg;
	return 0;
}

int loop_fd_set(struct loop *l, int fd, uint32_t events)
{
	return has_callback(l, fd) ? set_epoll(l, EPOLL_CTL_MOD, fd, events) : -ENOENT;
}

void loop_fd_remove(struct loop *l, int fd)
{
	if (!has_callback(l, fd))
		return;
	l->fds[fd] = (struct loop_fd){ 0 };
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void loop_dispatch_fd(struct loop *l, const struct epoll_event *e)
{
	int fd = (int)(uint32_t)e->data.u64;

	/* A callback before this one may have removed the descriptor, or given its number away. */
	if (has_callback(l, fd) && l->fds[fd].serial == (uint32_t)(e->data.u64 >> 32))
		l->fds[fd].cb(l->fds[fd].arg, fd, e->events);
}
