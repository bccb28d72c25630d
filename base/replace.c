/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Write, fsync, close, rename, fsync of the directory: each step is made only if all before it went
 * well. The temporary file is removed as soon as one fails, and the first error is reported.
 */
#include "base/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * PATH.new is the usual name, so that an interrupted write leaves one file behind at most. A random
 * name is the way out when another user's file or a directory has that name.
 */
int replace_begin(const char *path, mode_t mode, char temporary[REPLACE_NAME_MAX])
{
	int n = snprintf(temporary, REPLACE_NAME_MAX, "%s.new", path), fd = -1;

	if (n >= REPLACE_NAME_MAX)
		return -ENAMETOOLONG;
	if (unlink(temporary) == 0 || errno == ENOENT)
		fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && (errno == EPERM || errno == EACCES || errno == EEXIST || errno == EISDIR)) {
		snprintf(temporary, REPLACE_NAME_MAX, "%s.XXXXXX", path);
		fd = mkostemp(temporary, O_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) < 0) {
		int err = -errno;

		unlink(temporary);
		close(fd);
		return err;
	}
	return fd;
}

FILE *replace_begin_stream(const char *path, mode_t mode, char temporary[REPLACE_NAME_MAX])
{
	int fd = replace_begin(path, mode, temporary), err;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	FILE *f = fdopen(fd, "w");

	if (!f) {
		err = errno;
		unlink(temporary);
		close(fd);
		errno = err;
	}
	return f;
}

int replace_write(int fd, const void *bytes, size_t n)
{
	const char *at = bytes;

	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

/* Put the names in the directory on the disk. */
static int sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int err = fsync(fd) != 0 ? -errno : 0;

	close(fd);
	return err;
}

static int sync_name(const char *path)
{
	char dir[PATH_MAX] = ".";
	const char *slash = strrchr(path, '/');

	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path + 1), path);
	return sync_directory(dir);
}

/* The file is written and closed, unless @p err says otherwise: give it its name. */
static int install_temporary(int err, const char *temporary, const char *path,
                             enum replace_sync sync)
{
	if (!err && rename(temporary, path) != 0)
		err = -errno;
	if (err) {
		unlink(temporary);
		return err;
	}
	return sync == REPLACE_SYNC_NAME ? sync_name(path) : 0;
}

int replace_end(int fd, int err, const char *temporary, const char *path, enum replace_sync sync)
{
	if (!err && sync != REPLACE_SYNC_NONE && fsync(fd) != 0)
		err = -errno;
	if (close(fd) != 0 && !err)
		err = -errno;
	return install_temporary(err, temporary, path, sync);
}

int replace_end_stream(FILE *f, const char *temporary, const char *path, enum replace_sync sync)
{
	int err = ferror(f) ? -EIO : 0;

	if (!err && (fflush(f) || (sync != REPLACE_SYNC_NONE && fsync(fileno(f)))))
		err = -errno;
	if (fclose(f) && !err)
		err = -errno;
	return install_temporary(err, temporary, path, sync);
}

int replace_file(const char *path, mode_t mode, const void *bytes, size_t n, enum replace_sync sync)
{
	char temporary[REPLACE_NAME_MAX];
	int fd = replace_begin(path, mode, temporary);

	if (fd < 0)
		return fd;
	return replace_end(fd, replace_write(fd, bytes, n), temporary, path, sync);
}
