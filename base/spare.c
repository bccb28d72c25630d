/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between close() and accept4() another thread may take the number that is given up: then the
 * reserve is gone, and the caller gets -EMFILE.
 */
#include "base/spare.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void spare_open(struct spare *s)
{
	s->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void spare_close(struct spare *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void spare_fill(struct spare *s)
{
	if (s->fd < 0)
		spare_open(s);
}

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

int spare_accept(struct spare *s, int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 || !is_shortage(errno))
		return fd >= 0 ? fd : -errno;
	if (s->fd < 0)
		return -EMFILE;
	spare_close(s);
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		return fd;
	int err = errno;

	spare_fill(s);
	return is_shortage(err) ? -EMFILE : -err;
}
