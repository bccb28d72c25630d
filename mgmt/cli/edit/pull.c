/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths are followed by name, not by descriptors: every directory on the way belongs to the caller or root and is writable for
 * no other user, so nobody can put a link there in between. All new files are written beside the old ones before the first gets
 * its name, weir.conf with its base last: until then the directory is of the earlier version, and a pull that was cut off is
 * made good by the next one, because files that are as in the version in force are nobody's changes.
 */
#include "mgmt/cli/edit/pull.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owner.h"
#include "base/replace.h"
#include "mgmt/files/gather.h"
#include "weir/json.h"

#define SYNC_EACH_MAX 64u /* of more files the file system is synced once */

/* The node may come to another version between the question for the digest and the reading: then -EAGAIN. */
int pull_gather(const struct cli *cli, const char *digest, struct files *out)
{
	char from[PATH_MAX], found[DIGEST_TEXT_MAX];
	int err = gather_dir(cli->dirs.state, digest, from);

	if (!err)
		err = gather_files(from, FILES_MAIN, out);
	return err ? err : strcmp(files_digest(out, found), digest) != 0 ? -EAGAIN : 0;
}

/* The main file at @p path as the one of a set, without the line of its base. */
static int read_main(const char *path, struct files *out, char base[BASE_TEXT_MAX])
{
	char *text = NULL;
	size_t n = 0;
	int err = files_slurp(path, &text, &n);

	if (!err)
		err = files_add(out, FILES_MAIN, text, n);
	free(text);
	if (!err)
		base_extract_line(out, base);
	return err;
}

int pull_read_base(const char *dir, char base[BASE_TEXT_MAX])
{
	struct files files = { 0 };
	char path[PATH_MAX];
	int err = proc_path(dir, FILES_MAIN, path);

	base[0] = '\0';
	if (!err)
		err = read_main(path, &files, base);
	files_fini(&files);
	return err == -ENOENT ? 0 : err;
}

/* Whether nobody but the caller and root can put anything there. @return 0, -ENOENT, -ELOOP (a link), -ENOTDIR, -EPERM or -errno */
static int check_directory(const char *path, struct stat *st)
{
	mode_t others = S_IWOTH | (geteuid() == 0 ? S_IWGRP : 0);

	if (lstat(path, st))
		return -errno;
	if (!S_ISDIR(st->st_mode))
		return S_ISLNK(st->st_mode) ? -ELOOP : -ENOTDIR;
	return owner_is(st->st_uid, NULL) && !(st->st_mode & others) ? 0 : -EPERM;
}

/*
 * Make the directories on the way to @p path where there are none, with the mode and group of the one above. @param n_dir  bytes
 * of the directory that is there. @param make  false: -ENOENT instead
 */
static int walk_to(struct pull *p, char path[PATH_MAX], bool make, struct stat *above)
{
	int err = check_directory(p->dir, above);

	snprintf(p->failed, sizeof(p->failed), "%s", p->dir);
	for (char *c = path + strlen(p->dir) + 1; !err && *c; c++) {
		struct stat st;

		if (*c != '/')
			continue;
		*c = '\0';
		snprintf(p->failed, sizeof(p->failed), "%s", path);
		err = check_directory(path, &st);
		if (err == -ENOENT && make) {
			err = mkdir(path, above->st_mode & 0777) ? -errno : 0;
			if (!err && chown(path, (uid_t)-1, above->st_gid) && errno != EPERM)
				err = -errno;
			if (!err)
				err = check_directory(path, &st);
		}
		*above = st;
		*c = '/';
	}
	return err;
}

/* What stands where a file is to be. */
enum found {
	FOUND_NOTHING,
	FOUND_SAME,    /* the version's bytes */
	FOUND_BASE,    /* the base's */
	FOUND_CHANGED, /* a person's */
};

static bool is_in_base(const struct pull *p, const char *name, const char *digest)
{
	const json_t *item;
	size_t i;

	json_array_foreach(p->base, i, item)
	{
		if (json_has_text(item, "name", name))
			return json_has_text(item, "digest", digest);
	}
	return false;
}

/* The digest of the file at @p path, of the main file without its base, which is noted. */
static int digest_found(const char *path, bool is_main, char digest[DIGEST_TEXT_MAX],
                        char base[BASE_TEXT_MAX])
{
	struct files files = { 0 };
	size_t n;

	if (!is_main)
		return files_digest_of(path, digest, &n);
	int err = read_main(path, &files, base);
	if (!err)
		memcpy(digest, files.items[0].digest, DIGEST_TEXT_MAX);
	files_fini(&files);
	return err;
}

/* The path of a file, and what is there. @return 0, or -errno with p->failed */
static int look_at_file(struct pull *p, const struct files_item *item, char path[PATH_MAX],
                        enum found *out)
{
	char digest[DIGEST_TEXT_MAX], base[BASE_TEXT_MAX] = "";
	struct stat st;
	int err = proc_path(p->dir, item->name, path);

	if (!err)
		err = walk_to(p, path, false, &st);
	if (err == -ENOENT && access(p->dir, F_OK) == 0) {
		*out = FOUND_NOTHING;
		return 0;
	}
	if (err)
		return err;
	snprintf(p->failed, sizeof(p->failed), "%s", path);
	*out = FOUND_NOTHING;
	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISLNK(st.st_mode) ? -ELOOP : -EINVAL;
	bool is_main = !strcmp(item->name, FILES_MAIN);
	err = digest_found(path, is_main, digest, base);
	if (err)
		return err;
	if (!strcmp(digest, item->digest)) /* the main file also has the base */
		*out = is_main && strcmp(base, p->etag) != 0 ? FOUND_BASE : FOUND_SAME;
	else
		*out = is_in_base(p, item->name, digest) ? FOUND_BASE : FOUND_CHANGED;
	return 0;
}

/* A file on its way. */
struct arrival {
	const struct files_item *item;
	enum found found;
	char *temporary; /* NULL: it is not written, or has its name */
};

/* Keep whose a file is and who may read it; a new one is as its directory. */
static int keep_rights(int fd, const char *path, const struct stat *above)
{
	mode_t mode = above->st_mode & 0666;
	uid_t uid = (uid_t)-1;
	gid_t gid = above->st_gid;
	struct stat st;

	if (!lstat(path, &st) && S_ISREG(st.st_mode)) {
		mode = st.st_mode & 0777;
		uid = st.st_uid;
		gid = st.st_gid;
	}
	if (fchown(fd, uid, gid))
		mode &= 0700; /* of others than those who could read it */
	return fchmod(fd, mode) ? -errno : 0;
}

static int write_bytes(const struct pull *p, int fd, const struct files_item *item)
{
	char line[BASE_TEXT_MAX + 32] = "";
	struct files_text text;
	int err = files_read(item, &text);

	if (!strcmp(item->name, FILES_MAIN))
		snprintf(line, sizeof(line), "# weir base %s\n", p->etag);
	if (!err)
		err = replace_write(fd, line, strlen(line));
	if (!err)
		err = replace_write(fd, text.bytes, text.n);
	files_read_end(&text);
	return err;
}

/* Write a file beside where it is to be. */
static int write_beside(struct pull *p, struct arrival *a, bool sync)
{
	char path[PATH_MAX], beside[PATH_MAX + 16];
	struct stat above;
	int err = proc_path(p->dir, a->item->name, path);

	if (!err)
		err = walk_to(p, path, true, &above);
	if (err)
		return err;
	snprintf(p->failed, sizeof(p->failed), "%s", path);
	snprintf(beside, sizeof(beside), "%.*s/.weir-XXXXXX", (int)(strrchr(path, '/') - path),
	         path);
	int fd = mkostemp(beside, O_CLOEXEC);

	if (fd < 0)
		return -errno;
	a->temporary = strdup(beside);
	err = a->temporary ? write_bytes(p, fd, a->item) : -ENOMEM;
	if (!err)
		err = keep_rights(fd, path, &above);
	if (!err && sync && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!a->temporary)
		unlink(beside);
	return err;
}

/* Give a written file its name, if what is there is as it was. */
static int give_name(struct pull *p, struct arrival *a)
{
	char path[PATH_MAX];
	enum found now;
	int err = look_at_file(p, a->item, path, &now);

	if (!err && now != a->found)
		err = -EBUSY;
	if (!err && rename(a->temporary, path))
		err = -errno;
	if (err)
		return err;
	free(a->temporary);
	a->temporary = NULL;
	json_array_append_new(p->written, json_string(a->item->name));
	return 0;
}

static int sync_whole(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 || syncfs(fd) ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

/* Write what is to be written, then give it names: the main file's is the last. */
static int write_arrivals(struct pull *p, struct arrival *list, size_t n)
{
	size_t main_at = n, n_written = 0;
	int err = 0;

	for (size_t i = 0; !err && i < n; i++) {
		if (list[i].found == FOUND_SAME)
			continue;
		n_written++;
		err = write_beside(p, &list[i], n <= SYNC_EACH_MAX);
	}
	if (!err && n > SYNC_EACH_MAX && n_written)
		err = sync_whole(p->dir);
	for (size_t i = 0; !err && i < n; i++) {
		if (!strcmp(list[i].item->name, FILES_MAIN))
			main_at = i;
		else if (list[i].temporary)
			err = give_name(p, &list[i]);
	}
	if (!err && main_at < n && list[main_at].temporary)
		err = give_name(p, &list[main_at]);
	for (size_t i = 0; i < n; i++) {
		if (list[i].temporary)
			unlink(list[i].temporary);
		free(list[i].temporary);
	}
	return err;
}

/* The signals that a person ends a command with wait until no file is half way. */
static int write_undisturbed(struct pull *p, struct arrival *list, size_t n)
{
	sigset_t ends, before;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigaddset(&ends, SIGQUIT);
	sigprocmask(SIG_BLOCK, &ends, &before);
	int err = write_arrivals(p, list, n);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return err;
}

int pull_write(struct pull *p)
{
	size_t n = p->files->n_items;
	struct arrival *list = calloc(n + 1, sizeof(*list));
	char path[PATH_MAX];
	int err = list ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < n; i++) {
		list[i].item = &p->files->items[i];
		err = look_at_file(p, list[i].item, path, &list[i].found);
		if (!err && list[i].found == FOUND_CHANGED)
			json_array_append_new(p->changed, json_string(list[i].item->name));
	}
	if (!err && json_array_size(p->changed) && !p->force)
		err = -ESTALE;
	if (!err)
		err = write_undisturbed(p, list, n);
	free(list);
	return err;
}

const char *pull_error_text(int err)
{
	switch (err) {
	case -ELOOP:
		return "it is a link, and nothing is written through one";
	case -EPERM:
		return "it belongs to another user, or another user may write to it";
	case -EINVAL:
		return "it is no regular file";
	case -EBUSY:
		return "it was changed just now; look at it, then try again";
	default:
		return strerror(-err);
	}
}

/* A pull of the main file alone, of its own bytes: only the line with its base differs. */
int pull_note_base(const char *dir, const char *etag)
{
	struct files files = { 0 };
	char path[PATH_MAX], base[BASE_TEXT_MAX] = "";
	struct pull p = { .dir = dir, .files = &files, .etag = etag, .force = true };
	int err = proc_path(dir, FILES_MAIN, path);

	if (!err)
		err = read_main(path, &files, base);
	if (!err && *base && strcmp(base, etag) != 0) {
		p.written = json_array();
		p.changed = json_array();
		err = pull_write(&p);
		json_decref(p.written);
		json_decref(p.changed);
	}
	files_fini(&files);
	return err;
}
