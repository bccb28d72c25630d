/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A part is written at its offset to DIGEST.part. When all bytes are there, the digest is checked
 * and the file gets its name by rename, so that a file under a digest's name is always whole.
 *
 * Other processes of Weir may add names to the state directory. So the directory of blobs, and each
 * file in it, is believed only if it belongs to this process's user: a large file is not read again
 * to compare its digest.
 */
#include "mgmt/files/blobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owner.h"
#include "base/plain.h"
#include "base/proc.h"

#define DIR_NAME    PROC_BLOBS_DIR
#define PART_SUFFIX ".part"

static int make_blobs_dir(const char *state_dir, char out[PATH_MAX])
{
	int err = proc_path(state_dir, DIR_NAME, out);

	return err ? err : owner_directory(out, 0700, "mgmt");
}

/*
 * Whether what lies at @p path is of this @p type and ours; another user's is named in the
 * status.
 */
static bool is_own_entry(const char *path, mode_t type, struct stat *st)
{
	if (lstat(path, st))
		return false;
	bool ours = (st->st_mode & S_IFMT) == type && owner_is(st->st_uid, "mgmt");

	owner_note(path, "mgmt", st->st_uid, ours);
	return ours;
}

bool blobs_dir(const char *state_dir, char out[PATH_MAX])
{
	struct stat st;

	return !proc_path(state_dir, DIR_NAME, out) && is_own_entry(out, S_IFDIR, &st);
}

static int make_blob_path(const char *state_dir, const char *digest, const char *suffix,
                          char out[PATH_MAX])
{
	if (!plain_is_hex(digest, DIGEST_TEXT_MAX - 1))
		return -EINVAL;
	return snprintf(out, PATH_MAX, "%s/%s/%s%s", state_dir, DIR_NAME, digest, suffix) >=
	                       PATH_MAX
	               ? -ENAMETOOLONG
	               : 0;
}

int blobs_path(const char *state_dir, const char *digest, char out[PATH_MAX])
{
	return make_blob_path(state_dir, digest, "", out);
}

int blobs_have(const char *state_dir, const char *digest, uint64_t *bytes, bool *whole)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct stat st = { 0 };
	int err = blobs_path(state_dir, digest, path);

	*bytes = 0;
	*whole = false;
	if (err || !blobs_dir(state_dir, dir))
		return err;
	*whole = is_own_entry(path, S_IFREG, &st);
	if (*whole || (!make_blob_path(state_dir, digest, PART_SUFFIX, path) &&
	               is_own_entry(path, S_IFREG, &st)))
		*bytes = (uint64_t)st.st_size;
	return 0;
}

/* The size of all that is there. */
static uint64_t used_bytes(const char *dir_path)
{
	const struct dirent *entry;
	DIR *dir = opendir(dir_path);
	uint64_t sum = 0;
	struct stat st;

	while (dir && (entry = readdir(dir)))
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_size;
	if (dir)
		closedir(dir);
	return sum;
}

bool blobs_full(const char *state_dir)
{
	char path[PATH_MAX];

	return blobs_dir(state_dir, path) && used_bytes(path) >= BLOBS_BYTES_MAX;
}

/* All bytes are there: check the digest, then give the file its name. */
static int finish_upload(const char *part, const char *path, const char *digest)
{
	char found[DIGEST_TEXT_MAX];
	size_t n;
	int err = files_digest_of(part, found, &n);

	if (!err && strcmp(found, digest) != 0)
		err = -EBADMSG;
	if (!err && rename(part, path))
		err = -errno;
	if (err == -EBADMSG)
		unlink(part);
	return err;
}

static int write_part(int fd, uint64_t offset, const char *part, size_t n)
{
	while (n) {
		ssize_t put = pwrite(fd, part, n, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put ? -errno : -EIO;
		part += put;
		offset += (uint64_t)put;
		n -= (size_t)put;
	}
	return 0;
}

/*
 * The part, locked: a node that follows and one that stages may bring one file at the same time. @return a descriptor to close,
 * -ESTALE: it went while this one waited; or -errno
 */
static int open_part(const char *part_path, int flags)
{
	int fd = open(part_path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0644);
	struct stat st;

	if (fd < 0)
		return -errno;
	int err = owner_check(fd, part_path, "mgmt");

	while (!err && flock(fd, LOCK_EX))
		err = errno == EINTR ? 0 : -errno;
	if (!err && fstat(fd, &st))
		err = -errno;
	if (!err && !st.st_nlink)
		err = -ESTALE;
	if (err)
		close(fd);
	return err ? err : fd;
}

/* Add to the part @p fd, unless it does not end at @p offset. @return 1: all bytes are there now; 0; or -errno */
static int add_to_part(int fd, uint64_t total, uint64_t offset, const void *part, size_t n)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if ((uint64_t)st.st_size != offset)
		return 0;
	int err = write_part(fd, offset, part, n);

	if (err || offset + n < total)
		return err;
	/* a small one is copied to the store */
	return total > FILES_SMALL_MAX && fsync(fd) ? -errno : 1;
}

int blobs_add(const char *state_dir, const char *digest, uint64_t total, uint64_t offset,
              const void *part, size_t n)
{
	char dir[PATH_MAX], path[PATH_MAX], part_path[PATH_MAX];
	int err = make_blobs_dir(state_dir, dir);

	if (!err)
		err = make_blob_path(state_dir, digest, "", path);
	if (!err)
		err = make_blob_path(state_dir, digest, PART_SUFFIX, part_path);
	if (err || access(path, F_OK) == 0)
		return err;
	if (total > FILES_BYTES_MAX || offset > total || n > total - offset)
		return -EINVAL;
	int fd = open_part(part_path, O_CREAT);
	if (fd < 0)
		return fd == -ESTALE ? 0 : fd;
	if (access(path, F_OK) == 0) /* another was faster */
		unlink(part_path);
	else if ((err = add_to_part(fd, total, offset, part, n)) > 0)
		err = finish_upload(part_path, path, digest);
	close(fd);
	return err;
}

/* Take away what an interrupted upload left. */
static void remove_part(const char *part_path)
{
	int fd = open_part(part_path, 0);

	if (fd < 0)
		return;
	unlink(part_path);
	close(fd);
}

/* Copy one file under its digest. */
static int import_one(const char *state_dir, struct files_item *item)
{
	char path[PATH_MAX];
	struct files_text text;
	int err = blobs_path(state_dir, item->digest, path);

	if (err || !strcmp(item->path, path))
		return err;
	err = files_read(item, &text);
	if (!err && text.n != item->n_bytes)
		err = -ESTALE;
	else if (!err) {
		/* an interrupted upload is not continued: it may be damaged */
		char part_path[PATH_MAX];

		if (access(path, F_OK) &&
		    !make_blob_path(state_dir, item->digest, PART_SUFFIX, part_path))
			remove_part(part_path);
		err = blobs_add(state_dir, item->digest, text.n, 0, text.bytes, text.n);
	}
	files_read_end(&text);
	char *copy = err ? NULL : strdup(path);
	if (!err && !copy)
		err = -ENOMEM;
	if (err)
		return err == -EBADMSG ? -ESTALE : err;
	free(item->path);
	item->path = copy;
	return 0;
}

int blobs_import(const char *state_dir, struct files *f)
{
	int err = 0;

	for (size_t i = 0; !err && i < f->n_items; i++)
		if (f->items[i].path)
			err = import_one(state_dir, &f->items[i]);
	return err;
}

void blobs_collect(const char *state_dir, int64_t now_s,
                   bool (*is_named)(void *arg, const char *digest), void *arg)
{
	char path[PATH_MAX], digest[DIGEST_TEXT_MAX];
	const struct dirent *entry;
	DIR *dir = blobs_dir(state_dir, path) ? opendir(path) : NULL;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		snprintf(digest, sizeof(digest), "%.64s", entry->d_name);
		if (!plain_is_hex(digest, DIGEST_TEXT_MAX - 1) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    st.st_mtim.tv_sec + BLOBS_KEEP_S > now_s)
			continue;
		bool part = strlen(entry->d_name) > DIGEST_TEXT_MAX - 1;
		if (part || !is_named(arg, digest))
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	if (dir)
		closedir(dir);
}
