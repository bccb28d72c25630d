/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An array sorted by name, so that the digest over it does not depend on the order of adding. Small
 * files are held in memory. Large files stay where they are, are named by their digest, and are
 * linked instead of copied when a version is laid out. Whatever other processes read is made under
 * another name and then renamed or linked to its own.
 */
#include "mgmt/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/owner.h"
#include "base/replace.h"
#include "base/sorted.h"

/* The position of @p name, or where it belongs. */
static size_t find_file_index(const struct files *f, const char *name, bool *found)
{
	return sorted_index(name, f->items, f->n_items, sizeof(*f->items), sorted_by_text, found);
}

static void item_fini(struct files_item *item)
{
	free(item->name);
	free(item->bytes);
	free(item->path);
}

static int grow_items(struct files *f)
{
	size_t room = f->room > 0 ? 2 * f->room : 8;
	struct files_item *items;

	if (f->n_items < f->room)
		return 0;
	items = realloc(f->items, room * sizeof(*items));
	if (!items) {
		memory_note_failure();
		return -ENOMEM;
	}
	f->items = items;
	f->room = room;
	return 0;
}

/* Insert @p item in order. Takes it, on failure as well. */
static int insert_item(struct files *f, struct files_item *item)
{
	bool found;
	size_t at = find_file_index(f, item->name, &found);
	int err = found ? -EEXIST : grow_items(f);

	if (err) {
		item_fini(item);
		return err;
	}
	memmove(f->items + at + 1, f->items + at, (f->n_items - at) * sizeof(*item));
	f->items[at] = *item;
	f->n_items++;
	f->n_bytes += item->n_bytes;
	return 0;
}

/* @return 0 if a file of this name and size may be added, else -EINVAL, -E2BIG or -EEXIST */
static int check_new(const struct files *f, const char *name, size_t n_bytes)
{
	if (!model_file_name_ok(name))
		return -EINVAL;
	if (f->n_items >= FILES_MAX || n_bytes > FILES_BYTES_MAX - f->n_bytes)
		return -E2BIG;
	return files_find(f, name) ? -EEXIST : 0;
}

/* Bytes with a NUL behind. @return given; NULL when out of memory */
static char *copy_bytes(const char *bytes, size_t n)
{
	char *copy = malloc(n + 1);

	if (copy && n > 0)
		memcpy(copy, bytes, n);
	if (copy)
		copy[n] = '\0';
	return copy;
}

/* Add a copy of @p from, whose digest is known, under @p name: its bytes, or where they are. */
static int add_item(struct files *f, const char *name, const struct files_item *from)
{
	struct files_item item = { .n_bytes = from->n_bytes };
	int err = check_new(f, name, from->n_bytes);

	if (err)
		return err;
	item.name = strdup(name);
	if (from->path)
		item.path = strdup(from->path);
	else
		item.bytes = copy_bytes(from->bytes, from->n_bytes);
	memcpy(item.digest, from->digest, sizeof(item.digest));
	if (!item.name || (!item.path && !item.bytes)) {
		item_fini(&item);
		memory_note_failure();
		return -ENOMEM;
	}
	return insert_item(f, &item);
}

int files_add(struct files *f, const char *name, const void *bytes, size_t n_bytes)
{
	struct files_item item = { .bytes = (char *)(uintptr_t)bytes, .n_bytes = n_bytes };
	int err = check_new(f, name, n_bytes);

	if (err)
		return err;
	digest_bytes(bytes, n_bytes, item.digest);
	return add_item(f, name, &item);
}

int files_add_path(struct files *f, const char *name, const char *path, const char *digest,
                   size_t n_bytes)
{
	struct files_item item = { .path = (char *)(uintptr_t)path, .n_bytes = n_bytes };

	snprintf(item.digest, sizeof(item.digest), "%s", digest);
	return add_item(f, name, &item);
}

/*
 * Read @p n bytes with a NUL behind them. @return them, given; NULL: @p err says why, -ESTALE that
 * the file is shorter now
 */
static char *read_bytes(int fd, size_t n, int *err)
{
	char *bytes = malloc(n + 1);
	size_t at = 0;

	*err = bytes ? 0 : -ENOMEM;
	while (!*err && at < n) {
		ssize_t got = read(fd, bytes + at, n - at);

		if (got > 0)
			at += (size_t)got;
		else if (got == 0)
			*err = -ESTALE;
		else if (errno != EINTR)
			*err = -errno;
	}
	if (*err) {
		free(bytes);
		return NULL;
	}
	bytes[n] = '\0';
	return bytes;
}

int files_slurp(const char *path, char **bytes, size_t *n_bytes)
{
	return files_slurp_within(path, FILES_SLURP_MAX, bytes, n_bytes);
}

int files_slurp_within(const char *path, size_t max, char **bytes, size_t *n_bytes)
{
	/* not blocking, so that a FIFO cannot hang this process */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	int err = fstat(fd, &st) ? -errno : !S_ISREG(st.st_mode) ? -EINVAL : 0;
	if (!err && (size_t)st.st_size > max)
		err = -E2BIG;
	char *buffer = err ? NULL : read_bytes(fd, (size_t)st.st_size, &err);
	close(fd);
	if (err)
		return err == -ESTALE ? -EIO : err;
	*bytes = buffer;
	*n_bytes = (size_t)st.st_size;
	return 0;
}

int files_digest_of(const char *path, char out[DIGEST_TEXT_MAX], size_t *n_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	int err = fstat(fd, &st) ? -errno : !S_ISREG(st.st_mode) ? -EINVAL : 0;
	if (!err)
		err = digest_fd(fd, out, n_bytes);
	close(fd);
	return err;
}

static bool is_large(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (size_t)st.st_size > FILES_SMALL_MAX;
}

static int add_large(struct files *f, const char *name, const char *path)
{
	char digest[DIGEST_TEXT_MAX];
	size_t n;
	int err = files_digest_of(path, digest, &n);

	return err ? err : files_add_path(f, name, path, digest, n);
}

int files_add_from(struct files *f, const char *dir, const char *name)
{
	char path[PATH_MAX];
	char *bytes;
	size_t n;

	if (!model_file_name_ok(name))
		return -EINVAL;
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (is_large(path))
		return add_large(f, name, path);
	int err = files_slurp(path, &bytes, &n);
	if (err)
		return err;
	err = files_add(f, name, bytes, n);
	free(bytes);
	return err;
}

/* Remove the item at index @p at. */
static void remove_item(struct files *f, size_t at)
{
	f->n_bytes -= f->items[at].n_bytes;
	item_fini(&f->items[at]);
	f->n_items--;
	memmove(f->items + at, f->items + at + 1, (f->n_items - at) * sizeof(*f->items));
}

int files_put(struct files *f, const char *name, const struct files_item *item)
{
	bool found;
	size_t at = find_file_index(f, name, &found);

	if (found)
		remove_item(f, at);
	return add_item(f, name, item);
}

/*
 * Read a file that had @p size bytes when its digest was made. @return 0, -ESTALE: it is shorter
 * now; or -errno
 */
static int read_item_bytes(const char *path, size_t size, struct files_text *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;

	if (fd < 0)
		return -errno;
	char *bytes = read_bytes(fd, size, &err);
	close(fd);
	if (!err)
		*out = (struct files_text){ bytes, size, bytes };
	return err;
}

int files_read(const struct files_item *item, struct files_text *out)
{
	*out = (struct files_text){ item->bytes, item->n_bytes, NULL };
	return item->path ? read_item_bytes(item->path, item->n_bytes, out) : 0;
}

void files_read_end(struct files_text *text)
{
	free(text->own);
	*text = (struct files_text){ 0 };
}

int files_copy(struct files *to, const struct files *from)
{
	struct files copy = { 0 };

	for (size_t i = 0; i < from->n_items; i++) {
		const struct files_item *item = &from->items[i];
		int err = add_item(&copy, item->name, item);

		if (err) {
			files_fini(&copy);
			return err;
		}
	}
	*to = copy;
	return 0;
}

const struct files_item *files_find(const struct files *f, const char *name)
{
	bool found;
	size_t at = find_file_index(f, name, &found);

	return found ? &f->items[at] : NULL;
}

const char *files_digest(const struct files *f, char out[DIGEST_TEXT_MAX])
{
	/* a manifest as sha256sum(1) writes it; names hold no newline */
	char line[DIGEST_TEXT_MAX + FILES_NAME_MAX + 4];
	uint8_t raw[SHA256_BYTES];
	struct sha256 s;

	sha256_begin(&s);
	for (size_t i = 0; i < f->n_items; i++)
		sha256_add(&s, line,
		           (size_t)snprintf(line, sizeof(line), "%s  %s\n", f->items[i].digest,
		                            f->items[i].name));
	sha256_end(&s, raw);
	return digest_text(raw, out);
}

/* Make the directories of @p path below its first @p n_dir bytes. */
static int make_parents(char *path, size_t n_dir)
{
	for (char *c = path + n_dir + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		int failed = mkdir(path, 0750) && errno != EEXIST;
		*c = '/';
		if (failed)
			return -errno;
	}
	return 0;
}

/* Whether @p path is the file of @p item (same inode), or has its bytes. */
static bool has_item_bytes(const char *path, const struct files_item *item)
{
	char digest[DIGEST_TEXT_MAX], *bytes;
	struct stat a, b;
	size_t n;

	if (item->path)
		return (stat(path, &a) == 0 && stat(item->path, &b) == 0 && a.st_ino == b.st_ino &&
		        a.st_dev == b.st_dev && (size_t)a.st_size == item->n_bytes) ||
		       (files_digest_of(path, digest, &n) == 0 && !strcmp(digest, item->digest));
	if (files_slurp(path, &bytes, &n))
		return false;
	bool same = n == item->n_bytes && !memcmp(bytes, item->bytes, n);
	free(bytes);
	return same;
}

/* Link a large file; where links are not possible, copy it. */
static int put_large(const char *path, const struct files_item *item)
{
	char digest[DIGEST_TEXT_MAX];
	struct files_text text;
	size_t n;
	int err = files_digest_of(item->path, digest, &n);

	if (!err && strcmp(digest, item->digest) != 0)
		return -EIO; /* damaged: refuse it instead of making another version */
	if (!err && unlink(path) && errno != ENOENT)
		err = -errno;
	if (err || link(item->path, path) == 0)
		return err;
	err = files_read(item, &text);
	if (!err)
		err = replace_file(path, 0640, text.bytes, text.n, REPLACE_SYNC_FILE);
	files_read_end(&text);
	return err;
}

/*
 * Link @p from, if it has the bytes of the small @p item, to the new @p path. @return whether it
 * is there
 */
static bool link_same(const char *from, const char *path, const struct files_item *item)
{
	struct stat st;

	/* another user could change it later */
	if (lstat(from, &st) || !S_ISREG(st.st_mode) || !owner_is(st.st_uid, "mgmt") ||
	    !has_item_bytes(from, item))
		return false;
	unlink(path);
	return link(from, path) == 0;
}

/*
 * A small file that an earlier version laid out, or that was uploaded, is linked: ten thousand new
 * files take seconds, as many links a part of that. No laid out file is ever changed in its place.
 */
static bool link_small(const char *path, const struct files_item *item,
                       const struct files_like *like)
{
	char from[PATH_MAX];

	if (like && like->earlier &&
	    snprintf(from, sizeof(from), "%s/%s", like->earlier, item->name) < (int)sizeof(from) &&
	    link_same(from, path, item))
		return true;
	return like && like->by_digest &&
	       snprintf(from, sizeof(from), "%s/%s", like->by_digest, item->digest) <
	               (int)sizeof(from) &&
	       link_same(from, path, item);
}

static int put_item(const char *path, const struct files_item *item, bool sync,
                    const struct files_like *like)
{
	if (item->path)
		return put_large(path, item);
	if (link_small(path, item, like))
		return 0;
	return replace_file(path, 0640, item->bytes, item->n_bytes,
	                    sync ? REPLACE_SYNC_FILE : REPLACE_SYNC_NONE);
}

#define SYNC_EACH_MAX                                                                              \
	64u /* more files are put on the disk together: each alone takes a turn of the disk */

static int sync_all(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 || syncfs(fd) ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

int files_lay_out(const struct files *f, const char *dir, const struct files_like *like)
{
	char path[PATH_MAX];
	bool each = f->n_items <= SYNC_EACH_MAX, written = false;
	int err = owner_directory(dir, 0750, "mgmt");

	if (err)
		return err;
	for (size_t i = 0; i < f->n_items; i++) {
		const struct files_item *item = &f->items[i];

		if (snprintf(path, sizeof(path), "%s/%s", dir, item->name) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		err = make_parents(path, strlen(dir));
		if (!err && !has_item_bytes(path, item)) {
			written = true;
			err = put_item(path, item, each, like);
		}
		if (err)
			return err;
	}
	return !each && written ? sync_all(dir) : 0;
}

void files_fini(struct files *f)
{
	for (size_t i = 0; i < f->n_items; i++)
		item_fini(&f->items[i]);
	free(f->items);
	*f = (struct files){ 0 };
}

#define REMOVE_TRIES 1000 /* each of them removes what others leave */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

/* nftw(3) gives up when a thread of sweep_dir() takes from under it what it has just listed. */
int files_remove_dir(const char *dir)
{
	int err = 0;

	for (int i = 0; i < REMOVE_TRIES; i++) {
		err = nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) ? -errno : 0;
		if (err != -ENOENT || access(dir, F_OK))
			break;
	}
	return err;
}

char *files_base64_text(const void *bytes, size_t n)
{
	char *text = malloc((n + 2) / 3 * 4 + 1);

	if (text)
		EVP_EncodeBlock((unsigned char *)text, bytes, (int)n);
	return text;
}

json_t *files_bytes_json(const void *bytes, size_t n)
{
	/* JSON has U+0000, but jansson reads none */
	json_t *json = n && memchr(bytes, '\0', n) ? NULL : json_stringn(bytes, n);
	char *encoded = json ? NULL : files_base64_text(bytes, n);

	if (encoded)
		json = json_pack("{s:s}", "base64", encoded);
	free(encoded);
	return json;
}

/*
 * The library reads spaces, and '=' within the text, as digits: it would decode them to other
 * bytes.
 */
static const char base64_digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int files_base64_decode(const char *text, char **out, size_t *n_out)
{
	size_t n = strlen(text), padding = 0;

	while (padding < 2 && padding < n && text[n - 1 - padding] == '=')
		padding++;
	if (n % 4 || strspn(text, base64_digits) + padding != n)
		return -EINVAL;
	unsigned char *raw = malloc(n / 4 * 3 + 1);

	if (!raw)
		return -ENOMEM;
	int decoded = n ? EVP_DecodeBlock(raw, (const unsigned char *)text, (int)n) : 0;

	if (decoded < (int)padding) {
		free(raw);
		return -EINVAL;
	}
	*out = (char *)raw;
	*n_out = (size_t)decoded - padding;
	return 0;
}

ssize_t files_base64_bytes(const char *text, void *out, size_t size)
{
	char *bytes = NULL;
	size_t n = 0;
	bool fits = !files_base64_decode(text, &bytes, &n) && n <= size;

	if (fits && n)
		memcpy(out, bytes, n);
	free(bytes);
	return fits ? (ssize_t)n : -1;
}
