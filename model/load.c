/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/load.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_regular(const struct stat *st, size_t max)
{
	if (S_ISDIR(st->st_mode))
		return -EISDIR;
	if (!S_ISREG(st->st_mode))
		return -EPERM;
	return (unsigned long long)st->st_size > max ? -EFBIG : 0;
}

/* The type is looked at before opening as well: opening a device can have effects. */
static int open_regular(const char *path, size_t max)
{
	struct stat st;
	int fd, err;

	if (stat(path, &st) != 0)
		return -errno;
	err = check_regular(&st, max);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) != 0 ? -errno : check_regular(&st, max);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* Read until the end; the file may grow or shrink meanwhile. @return bytes or -errno */
static ssize_t read_all(int fd, char *bytes, size_t max)
{
	size_t n = 0;

	while (n <= max) {
		ssize_t got = read(fd, bytes + n, max + 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return (ssize_t)n;
		n += (size_t)got;
	}
	return -EFBIG;
}

int load_file(const char *path, size_t max, char **out, size_t *n)
{
	struct stat st;
	int fd = open_regular(path, max);

	if (fd < 0)
		return fd;
	size_t room = fstat(fd, &st) == 0 && (size_t)st.st_size < max ? (size_t)st.st_size : max;
	char *bytes = malloc(room + 2);
	ssize_t got = bytes ? read_all(fd, bytes, room) : -ENOMEM;

	close(fd);
	if (got < 0) {
		free(bytes);
		return (int)got;
	}
	bytes[got] = '\0';
	*out = bytes;
	*n = (size_t)got;
	return 0;
}

const char *load_error(int err)
{
	switch (err) {
	case -EISDIR:
		return "is a directory, expected a regular file";
	case -EPERM:
		return "is not a regular file";
	case -EFBIG:
		return "is too large";
	case -ENOENT:
		return "does not exist";
	case -EACCES:
		return "may not be read by this user";
	default:
		return strerror(-err);
	}
}

bool load_is_below(const char *path, const char *dir)
{
	char real[PATH_MAX], real_dir[PATH_MAX];

	if (!realpath(path, real) || !realpath(dir, real_dir))
		return false;
	size_t n = strlen(real_dir);
	if (n == 1) /* "/" */
		return true;
	return strncmp(real, real_dir, n) == 0 && real[n] == '/';
}
