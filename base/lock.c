/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flock(2) on a file that is created when it is missing. A holder may unlink the file, so a process
 * that opened it before may lock a file that has no name any more, while others lock a new one. The
 * link count is therefore checked after locking, and the attempt is repeated on a file without a
 * name.
 */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* @param gone  out: the file has no name any more, so others may hold another one of that name */
static int try_once(const char *path, int *out, bool *gone)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB))
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	else if (fstat(fd, &st))
		err = -errno;
	*gone = !err && st.st_nlink == 0;
	if (err || *gone)
		close(fd);
	else
		*out = fd;
	return err;
}

int lock_acquire(const char *path, int *out)
{
	bool gone;
	int err;

	do
		err = try_once(path, out, &gone);
	while (!err && gone);
	return err;
}
