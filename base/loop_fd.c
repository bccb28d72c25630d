/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop's descriptors. They index a table. Each registration has a serial number, which events
 * carry: an event of a descriptor that was closed, and whose number was used again within the
 * turn, is recognised and dropped.
 *
 * Most are in an epoll set (level-triggered). The polled ones are given to poll(2) in each turn,
 * together with the epoll set unless it is empty.
 */
#include "base/loop_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

_Static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR &&
                       POLLHUP == EPOLLHUP,
               "poll's events are given as epoll's");

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

static struct epoll_event make_event(const struct loop *l, int fd, uint32_t events)
{
	return (struct epoll_event){ .events = events,
		                     .data.u64 = (uint64_t)l->fds[fd].serial << 32 | (uint32_t)fd };
}

static int set_epoll(const struct loop *l, int op, int fd, uint32_t events)
{
	struct epoll_event e = make_event(l, fd, events);

	return epoll_ctl(l->epoll_fd, op, fd, &e) < 0 ? -errno : 0;
}

/* Make room for @p fd in the table, and number its registration. @return 0 or -errno */
static int number_fd(struct loop *l, int fd)
{
	if (fd < 0)
		return -EBADF;
	if (has_callback(l, fd))
		return -EEXIST;
	int err = grow_fds(l, (size_t)fd + 1);

	if (!err)
		l->fds[fd].serial = ++l->serial;
	return err;
}

int loop_fd_add(struct loop *l, int fd, uint32_t events, loop_fd_cb *cb, void *arg)
{
	int err = number_fd(l, fd);

	if (!err)
		err = set_epoll(l, EPOLL_CTL_ADD, fd, events);
	if (err)
		return err;
	l->fds[fd].cb = cb;
	l->fds[fd].arg = arg;
	l->n_in_epoll++;
	return 0;
}

int loop_fd_add_polled(struct loop *l, int fd, uint32_t events, loop_fd_cb *cb, void *arg)
{
	int err = l->n_polled == LOOP_POLLED_MAX ? -ENOSPC : number_fd(l, fd);

	if (err)
		return err;
	l->fds[fd].cb = cb;
	l->fds[fd].arg = arg;
	l->fds[fd].polled = true;
	l->polled[l->n_polled++] = (struct pollfd){ .fd = fd, .events = (short)events };
	return 0;
}

static struct pollfd *find_polled(struct loop *l, int fd)
{
	struct pollfd *p = l->polled;

	while (p->fd != fd)
		p++;
	return p;
}

int loop_fd_set(struct loop *l, int fd, uint32_t events)
{
	if (!has_callback(l, fd))
		return -ENOENT;
	if (!l->fds[fd].polled)
		return set_epoll(l, EPOLL_CTL_MOD, fd, events);
	find_polled(l, fd)->events = (short)events;
	return 0;
}

void loop_fd_remove(struct loop *l, int fd)
{
	if (!has_callback(l, fd))
		return;
	if (l->fds[fd].polled) {
		*find_polled(l, fd) = l->polled[--l->n_polled];
	} else {
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		l->n_in_epoll--;
	}
	l->fds[fd] = (struct loop_fd){ 0 };
}

int loop_wait(struct loop *l, struct epoll_event *events, int most, int timeout_ms)
{
	unsigned n_polled = l->n_polled;
	int n = 0, n_ready;

	if (n_polled == 0)
		return epoll_wait(l->epoll_fd, events, most, timeout_ms);
	l->polled[n_polled] = (struct pollfd){ .fd = l->epoll_fd, .events = POLLIN };
	n_ready = poll(l->polled, n_polled + (l->n_in_epoll > 0), timeout_ms);
	if (n_ready <= 0)
		return n_ready;
	for (unsigned i = 0; i < n_polled; i++)
		if (l->polled[i].revents)
			events[n++] =
			        make_event(l, l->polled[i].fd, (uint32_t)l->polled[i].revents);
	if (n == n_ready)
		return n;
	n_ready = epoll_wait(l->epoll_fd, events + n, most - n, 0);
	return n + (n_ready > 0 ? n_ready : 0);
}

void loop_dispatch_fd(struct loop *l, const struct epoll_event *e)
{
	int fd = (int)(uint32_t)e->data.u64;

	/* A callback before this one may have removed the descriptor, or given its number away. */
	if (has_callback(l, fd) && l->fds[fd].serial == (uint32_t)(e->data.u64 >> 32))
		l->fds[fd].cb(l->fds[fd].arg, fd, e->events);
}
