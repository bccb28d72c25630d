/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mgmt/store/sorted.h"

static bool char_ok(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

bool files_name_ok(const char *name)
{
	size_t n_part = 0;

	if (strlen(name) > FILES_NAME_MAX)
		return false;
	for (const char *c = name;; c++) {
		if (*c == '/' || *c == '\0') {
			if (n_part == 0)
				return false;
			if (*c == '\0')
				return true;
			n_part = 0;
		} else if (!char_ok(*c) || (n_part == 0 && *c == '.')) {
			return false; /* a part that starts with a dot: hidden, "." or ".." */
		} else {
			n_part++;
		}
	}
}

static const char *name_at(const void *items, size_t at)
{
	return ((const struct files_item *)items)[at].name;
}

static void item_fini(struct files_item *item)
{
	free(item->name);
	free(item->bytes);
}

static int item_init(struct files_item *item, const char *name, const void *bytes, size_t n)
{
	item->name = strdup(name);
	item->bytes = malloc(n + 1);
	if (!item->name || !item->bytes) {
		item_fini(item);
		return -ENOMEM;
	}
	if (n > 0)
		memcpy(item->bytes, bytes, n);
	item->bytes[n] = '\0';
	item->n_bytes = n;
	digest_bytes(bytes, n, item->digest);
	return 0;
}

int files_add(struct files *f, const char *name, const void *bytes, size_t n_bytes)
{
	struct files_item item;
	bool found;

	if (!files_name_ok(name))
		return -EINVAL;
	if (f->n_items >= FILES_MAX || n_bytes > FILES_BYTES_MAX - f->n_bytes)
		return -E2BIG;
	size_t at = sorted_place(f->items, f->n_items, name_at, name, &found);
	if (found)
		return -EEXIST;
	struct files_item *items = realloc(f->items, (f->n_items + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	f->items = items;
	if (item_init(&item, name, bytes, n_bytes))
		return -ENOMEM;
	memmove(items + at + 1, items + at, (f->n_items - at) * sizeof(*items));
	items[at] = item;
	f->n_items++;
	f->n_bytes += n_bytes;
	return 0;
}

int files_slurp(const char *path, char **bytes, size_t *n_bytes)
{
	/* not blocking, so that a FIFO cannot hang us */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t n = 0;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (size_t)st.st_size > FILES_BYTES_MAX)
		rc = !S_ISREG(st.st_mode) ? -EINVAL : -E2BIG;
	char *buffer = rc ? NULL : malloc((size_t)st.st_size + 1);
	if (!rc && !buffer)
		rc = -ENOMEM;
	while (!rc && n < (size_t)st.st_size) {
		ssize_t got = read(fd, buffer + n, (size_t)st.st_size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			rc = got ? -errno : -EIO; /* it shrank while being read */
		else
			n += (size_t)got;
	}
	close(fd);
	if (rc) {
		free(buffer);
		return rc;
	}
	buffer[n] = '\0';
	*bytes = buffer;
	*n_bytes = n;
	return 0;
}

int files_add_from(struct files *f, const char *dir, const char *name)
{
	char path[PATH_MAX];
	char *bytes;
	size_t n;

	if (!files_name_ok(name))
		return -EINVAL;
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	int rc = files_slurp(path, &bytes, &n);
	if (rc)
		return rc;
	rc = files_add(f, name, bytes, n);
	free(bytes);
	return rc;
}

int files_copy(struct files *to, const struct files *from)
{
	struct files copy = { 0 };

	for (size_t i = 0; i < from->n_items; i++) {
		const struct files_item *item = &from->items[i];
		int rc = files_add(&copy, item->name, item->bytes, item->n_bytes);

		if (rc) {
			files_fini(&copy);
			return rc;
		}
	}
	*to = copy;
	return 0;
}

const struct files_item *files_find(const struct files *f, const char *name)
{
	bool found;
	size_t at = sorted_place(f->items, f->n_items, name_at, name, &found);

	return found ? &f->items[at] : NULL;
}

const char *files_digest(const struct files *f, char out[DIGEST_TEXT_MAX])
{
	/* a manifest as sha256sum(1) writes it; names hold no newline */
	size_t n = 0, size = f->n_items * (DIGEST_TEXT_MAX + FILES_NAME_MAX + 3) + 1;
	char *manifest = malloc(size);

	if (!manifest)
		abort(); /* a wrong digest would be worse */
	manifest[0] = '\0';
	for (size_t i = 0; i < f->n_items; i++)
		n += (size_t)snprintf(manifest + n, size - n, "%s  %s\n", f->items[i].digest,
		                      f->items[i].name);
	digest_bytes(manifest, n, out);
	free(manifest);
	return out;
}

/* Write DIR/NAME by rename. */
static int write_whole(const char *path, const char *bytes, size_t n)
{
	char draft[PATH_MAX];
	int rc = 0;

	if (snprintf(draft, sizeof(draft), "%s.new", path) >= (int)sizeof(draft))
		return -ENAMETOOLONG;
	int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	for (size_t done = 0; !rc && done < n;) {
		ssize_t put = write(fd, bytes + done, n - done);

		if (put < 0 && errno != EINTR)
			rc = -errno;
		else if (put > 0)
			done += (size_t)put;
	}
	if (!rc && fsync(fd))
		rc = -errno;
	close(fd);
	if (!rc && rename(draft, path))
		rc = -errno;
	if (rc)
		unlink(draft);
	return rc;
}

/* Make the directories between @p dir and the file. */
static int make_parents(char *path, size_t n_dir)
{
	for (char *c = path + n_dir + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		int failed = mkdir(path, 0755) && errno != EEXIST;
		*c = '/';
		if (failed)
			return -errno;
	}
	return 0;
}

static bool is_there(const char *path, const struct files_item *item)
{
	char *bytes;
	size_t n;

	if (files_slurp(path, &bytes, &n))
		return false;
	bool same = n == item->n_bytes && !memcmp(bytes, item->bytes, n);
	free(bytes);
	return same;
}

int files_lay_out(const struct files *f, const char *dir)
{
	char path[PATH_MAX];

	if (mkdir(dir, 0755) && errno != EEXIST)
		return -errno;
	for (size_t i = 0; i < f->n_items; i++) {
		const struct files_item *item = &f->items[i];

		if (snprintf(path, sizeof(path), "%s/%s", dir, item->name) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		int rc = make_parents(path, strlen(dir));
		if (!rc && !is_there(path, item))
			rc = write_whole(path, item->bytes, item->n_bytes);
		if (rc)
			return rc;
	}
	return 0;
}

void files_fini(struct files *f)
{
	for (size_t i = 0; i < f->n_items; i++)
		item_fini(&f->items[i]);
	free(f->items);
	*f = (struct files){ 0 };
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

int files_remove_dir(const char *dir)
{
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) ? -errno : 0;
}
