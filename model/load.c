/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A path in a document may name anything, so the type is checked before and after open(2): opening
 * a device can have effects, and the file may be replaced in between. O_NONBLOCK keeps a FIFO from
 * blocking. The size is checked, too, while the file is read, since it may grow.
 */
#include "model/load.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owner.h"
#include "base/sha256.h"
#include "weir/model.h"

#define LAID_OUT "/config/" /* then the version's digest, then the name */

static int check_regular(const struct stat *st, size_t max)
{
	if (S_ISDIR(st->st_mode))
		return -EISDIR;
	if (!S_ISREG(st->st_mode))
		return -EPERM;
	return (unsigned long long)st->st_size > max ? -EFBIG : 0;
}

/* Open a regular file of at most @p max bytes. @p links: whether symbolic links are followed */
static int open_regular(const char *path, size_t max, bool links)
{
	struct stat st;
	int fd, err;

	if ((links ? stat(path, &st) : lstat(path, &st)) != 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	err = check_regular(&st, max);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (links ? 0 : O_NOFOLLOW));
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
static ssize_t read_whole_file(int fd, char *bytes, size_t max)
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

/* Read what @p fd holds, and close it. */
static int load_descriptor(int fd, size_t max, char **out, size_t *n)
{
	struct stat st;
	size_t room = fstat(fd, &st) == 0 && (size_t)st.st_size < max ? (size_t)st.st_size : max;
	char *bytes = malloc(room + 2);
	ssize_t got = bytes ? read_whole_file(fd, bytes, room) : -ENOMEM;

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

int load_file(const char *path, size_t max, char **out, size_t *n)
{
	int fd = open_regular(path, max, true);

	return fd < 0 ? fd : load_descriptor(fd, max, out, n);
}

int load_owned(const char *path, size_t max, const char *writer, char **out, size_t *n)
{
	int fd = open_regular(path, max, false);

	/* else the owner of a link could choose among the trusted files */
	if (fd == -ELOOP) {
		int named = owner_open(path, writer); /* it reports the file in the status */

		if (named >= 0)
			close(named);
		return -EOWNERDEAD;
	}
	if (fd < 0)
		return fd;
	if (owner_check(fd, path, writer)) {
		close(fd);
		return -EOWNERDEAD;
	}
	return load_descriptor(fd, max, out, n);
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
	case -EXDEV:
		return "leads out of the configuration's directory";
	case -EOWNERDEAD:
		return "is not trusted, because it belongs to another user or is a link; "
		       "find out who put it there (ls -l), remove it, restart weir-mgmt";
	case -EACCES:
		return "may not be read by this user";
	default:
		return strerror(-err);
	}
}

int load_check_below(const char *path, const char *dir)
{
	char real[PATH_MAX], real_dir[PATH_MAX];

	if (!realpath(path, real) || !realpath(dir, real_dir))
		return -errno;
	size_t n = strlen(real_dir);
	if (n == 1) /* "/" */
		return 0;
	return strncmp(real, real_dir, n) == 0 && real[n] == '/' ? 0 : -EXDEV;
}

static bool is_of_file_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

bool model_file_name_ok(const char *name)
{
	size_t n_part = 0;

	if (strlen(name) > MODEL_FILE_NAME_MAX)
		return false;
	for (const char *c = name;; c++) {
		if (*c == '/' || *c == '\0') {
			if (n_part == 0)
				return false;
			if (*c == '\0')
				return true;
			n_part = 0;
		} else if (!is_of_file_name(*c) || (n_part == 0 && *c == '.')) {
			return false; /* a part that starts with a dot: hidden, "." or ".." */
		} else {
			n_part++;
		}
	}
}

/* A state directory may have a part that is called like this, too: the last one counts. */
const char *model_laid_out_name(const char *path)
{
	const size_t n_digest = 2 * SHA256_BYTES;
	const char *name = NULL;

	for (const char *at = strstr(path, LAID_OUT); at; at = strstr(at + 1, LAID_OUT)) {
		const char *digest = at + sizeof(LAID_OUT) - 1;

		if (strspn(digest, "0123456789abcdef") == n_digest && digest[n_digest] == '/')
			name = digest + n_digest + 1;
	}
	return name;
}
