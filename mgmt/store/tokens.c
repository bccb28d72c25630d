/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line is copied and split at blanks; a fourth word makes it an error. The sentences about
 * errors are constants and never contain a word of the line, as that may be a token.
 */
#include "mgmt/store/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/plain.h"
#include "base/random.h"
#include "base/replace.h"
#include "mgmt/files/files.h"

static const char *const roles[] = { "viewer",  "oncall", "operator", "admin",
	                             "metrics", "peer",   NULL };

#define SPACE " \t\r" /* \r: files written on other systems */
#define HINT  "; `weir token new` makes a line"

/* Whether there is a role of this name. */
static bool is_role(const char *word)
{
	for (size_t i = 0; roles[i]; i++)
		if (!strcmp(roles[i], word))
			return true;
	return false;
}

/* The words of a line, by their number, name, role and third. */
static const char *find_line_error(size_t n, char *const words[4])
{
	bool anonymous = n > 0 && !strcmp(words[0], TOKENS_ANONYMOUS);

	if (n != 3)
		return "it must have three words: NAME ROLE and the token's SHA-256" HINT;
	if (strlen(words[0]) >= TOKENS_NAME_MAX)
		return "its name is longer than 63 bytes";
	if (!is_role(words[1]))
		return "its second word must be a role: viewer, oncall, operator, admin, metrics or "
		       "peer";
	if (anonymous && strcmp(words[2], "*") != 0)
		return "the third word of anonymous must be *";
	if (!anonymous && !strcmp(words[2], "*"))
		return "only the name anonymous may have * as its third word";
	if (!anonymous && !plain_is_hex(words[2], DIGEST_TEXT_MAX - 1))
		return "its third word must be the SHA-256 of the token: 64 hexadecimal digits in "
		       "lower case" HINT;
	return NULL;
}

enum tokens_line tokens_read(const char *line, size_t n, struct tokens_entry *out,
                             const char **err_text)
{
	char copy[TOKENS_LINE_MAX], *saved = NULL, *words[4] = { NULL };
	size_t n_words = 0;

	if (n > 0 && line[strspn(line, SPACE)] == '#')
		return TOKENS_NOTHING;
	if (n >= sizeof(copy) || memchr(line, '\0', n)) {
		*err_text = "it is longer than 255 bytes, or has a NUL in it";
		return TOKENS_BAD;
	}
	memcpy(copy, line, n);
	copy[n] = '\0';
	for (char *w = strtok_r(copy, SPACE, &saved); w && n_words < 4;
	     w = strtok_r(NULL, SPACE, &saved))
		words[n_words++] = w;
	if (n_words == 0)
		return TOKENS_NOTHING;
	*err_text = find_line_error(n_words, words);
	if (*err_text)
		return TOKENS_BAD;
	snprintf(out->name, sizeof(out->name), "%s", words[0]);
	snprintf(out->role, sizeof(out->role), "%s", words[1]);
	snprintf(out->digest, sizeof(out->digest), "%s", words[2]);
	return TOKENS_ENTRY;
}

size_t tokens_scan(const char *text, size_t n, tokens_bad_cb *cb, void *arg)
{
	size_t n_bad = 0;

	for (size_t at = 0, line = 1; at < n; line++) {
		const char *end = memchr(text + at, '\n', n - at), *err_text;
		size_t length = end ? (size_t)(end - text) - at : n - at;
		struct tokens_entry entry;

		if (tokens_read(text + at, length, &entry, &err_text) == TOKENS_BAD) {
			n_bad++;
			if (cb)
				cb(arg, line, err_text);
		}
		at += length + 1;
	}
	return n_bad;
}

/*
 * Adding a token. The file is replaced as a whole by rename(2), so that weir-mgmt never reads half
 * of it. Another command that adds a token waits for a lock, whose file is removed by its holder.
 */

#define LOCK_FILE   TOKENS_FILE ".lock"
#define TOKEN_BYTES 32 /* 256 bits at random: cannot be guessed */
#define NAME_CHARS  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define LOCK_TRIES  50                 /* for five seconds */
#define LOCK_WAIT   ((unsigned)100000) /* microseconds between tries */

static bool token_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < TOKENS_NAME_MAX && strspn(name, NAME_CHARS) == n &&
	       strcmp(name, TOKENS_ANONYMOUS) != 0;
}

/*
 * Lock the directory by a file that only its owner can open. A lock on the directory itself could
 * be taken for ever by anybody who may read it.
 */
static int lock_tokens(const char *conf_dir, char path[PATH_MAX], int *lock_fd)
{
	int err = snprintf(path, PATH_MAX, "%s/" LOCK_FILE, conf_dir) < PATH_MAX ? -EBUSY
	                                                                         : -ENAMETOOLONG;

	for (int i = 0; i < LOCK_TRIES && err == -EBUSY; i++) {
		err = lock_acquire(path, lock_fd);
		if (err == -EBUSY)
			usleep(LOCK_WAIT);
	}
	return err;
}

static void unlock_tokens(const char *path, int lock_fd)
{
	unlink(path);
	close(lock_fd);
}

static bool has_token_name(const char *text, size_t n, const char *name)
{
	for (size_t at = 0; at < n;) {
		const char *end = memchr(text + at, '\n', n - at), *err_text;
		size_t length = end ? (size_t)(end - text) - at : n - at;
		struct tokens_entry entry;

		if (tokens_read(text + at, length, &entry, &err_text) == TOKENS_ENTRY &&
		    !strcmp(entry.name, name))
			return true;
		at += length + 1;
	}
	return false;
}

/* The owner and mode of the old file; a new file belongs to weir-mgmt alone. */
static int set_owner(int fd, const struct stat *old)
{
	const struct passwd *user = getpwnam("weir-mgmt");
	const struct group *group = getgrnam("weir");

	if (old)
		return fchown(fd, old->st_uid, old->st_gid) || fchmod(fd, old->st_mode & 0770)
		               ? -errno
		               : 0;
	if (geteuid() == 0 && user &&
	    fchown(fd, user->pw_uid, group ? group->gr_gid : user->pw_gid))
		return -errno;
	return fchmod(fd, 0400) ? -errno : 0;
}

/* Replace the file by @p text and @p line behind it. */
static int replace_tokens_file(const char *path, const struct stat *old, const char *text, size_t n,
                               const char *line)
{
	char temporary[REPLACE_NAME_MAX];
	int fd = replace_begin(path, 0600, temporary), err;

	if (fd < 0)
		return fd;
	err = set_owner(fd, old);
	if (!err)
		err = replace_write(fd, text, n);
	if (!err && n && text[n - 1] != '\n')
		err = replace_write(fd, "\n", 1);
	if (!err)
		err = replace_write(fd, line, strlen(line));
	return replace_end(fd, err, temporary, path, REPLACE_SYNC_FILE);
}

/* The name is looked for under the lock, so that two commands cannot add it twice. */
static int append_token_line(const char *conf_dir, int dir, const char *name, const char *role,
                             const char *token)
{
	char path[PATH_MAX], digest[DIGEST_TEXT_MAX], line[TOKENS_LINE_MAX], *text = NULL;
	struct stat old;
	size_t n = 0;
	int err;

	if (snprintf(path, sizeof(path), "%s/" TOKENS_FILE, conf_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	bool there = fstatat(dir, TOKENS_FILE, &old, AT_SYMLINK_NOFOLLOW) == 0;
	if (there && !S_ISREG(old.st_mode))
		return -EMEDIUMTYPE;
	err = files_slurp(path, &text, &n);
	if (err == -ENOENT && !there)
		err = 0;
	if (!err && has_token_name(text, n, name))
		err = -EEXIST;
	snprintf(line, sizeof(line), "%s %s %s\n", name, role,
	         digest_bytes(token, strlen(token), digest));
	if (!err)
		err = replace_tokens_file(path, there ? &old : NULL, text ? text : "", n, line);
	if (!err)
		fsync(dir); /* best effort: the token is valid already, so the caller must show it */
	free(text);
	return err;
}

int tokens_new(const char *conf_dir, const char *name, const char *role,
               char token[DIGEST_TEXT_MAX])
{
	char new_token[DIGEST_TEXT_MAX], lock[PATH_MAX];
	int dir, lock_fd, err;

	if (!token_name_ok(name))
		return -EINVAL;
	if (!is_role(role))
		return -ENOKEY;
	err = random_hex(new_token, TOKEN_BYTES);
	dir = err ? err : open(conf_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err ? err : -errno;
	err = lock_tokens(conf_dir, lock, &lock_fd);
	if (!err) {
		err = append_token_line(conf_dir, dir, name, role, new_token);
		unlock_tokens(lock, lock_fd);
	}
	close(dir);
	if (!err)
		memcpy(token, new_token, sizeof(new_token));
	explicit_bzero(new_token, sizeof(new_token));
	return err;
}
