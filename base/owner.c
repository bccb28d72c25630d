/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Users are looked up once for a process: the system call filter may forbid the look-up later
 * (base/sandbox.h), and a name service that hangs must not keep a reader waiting. The opened file
 * is checked, not its name, so that nobody can exchange the file between check and use.
 */
#include "base/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define PROCESSES 5 /* that have a user of their own */

static const char *const names[PROCESSES] = { "mgmt", "dataplane", "health", "dns", "announce" };

static struct {
	pthread_once_t once;
	bool known[PROCESSES];
	uid_t uids[PROCESSES];
	pthread_mutex_t lock;
	struct owner_trouble troubles[OWNER_TROUBLES_MAX];
	size_t n_troubles;
} state = { .once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER };

static void find_users(void)
{
	char user[64], buffer[4096];

	for (int i = 0; i < PROCESSES; i++) {
		struct passwd entry, *found = NULL;

		snprintf(user, sizeof(user), "weir-%s", names[i]);
		if (getpwnam_r(user, &entry, buffer, sizeof(buffer), &found) == 0 && found) {
			state.known[i] = true;
			state.uids[i] = entry.pw_uid;
		}
	}
}

bool owner_of(const char *process, uid_t *uid)
{
	pthread_once(&state.once, find_users);
	for (int i = 0; i < PROCESSES; i++)
		if (state.known[i] && !strcmp(names[i], process)) {
			*uid = state.uids[i];
			return true;
		}
	return false;
}

bool owner_is(uid_t uid, const char *process)
{
	uid_t expected;

	if (uid == 0 || uid == geteuid())
		return true;
	return process && owner_of(process, &expected) && uid == expected;
}

/* The end of a path that is too long: it tells files apart better than the beginning. */
static const char *path_tail(const char *path)
{
	size_t n = strlen(path);

	return n < OWNER_PATH_MAX ? path : path + n - (OWNER_PATH_MAX - 1);
}

/* Under the lock. @return the index of @p path, or n_troubles */
static size_t find_trouble(const char *path)
{
	size_t i = 0;

	while (i < state.n_troubles && strcmp(state.troubles[i].path, path) != 0)
		i++;
	return i;
}

/* Under the lock. @return whether it is new, or another user's than before */
static bool add_trouble(const char *path, const char *process, uid_t found)
{
	size_t i = find_trouble(path);

	if (i == OWNER_TROUBLES_MAX)
		i = OWNER_TROUBLES_MAX - 1; /* the table is full: replace the last one */
	struct owner_trouble *t = &state.troubles[i];
	bool is_new = i == state.n_troubles || strcmp(t->path, path) != 0 || t->found != found;

	*t = (struct owner_trouble){ .found = found };
	snprintf(t->path, sizeof(t->path), "%s", path);
	snprintf(t->expected, sizeof(t->expected), "%s", process ? process : "");
	if (i == state.n_troubles)
		state.n_troubles++;
	return is_new;
}

static void remove_trouble(const char *path)
{
	size_t i = find_trouble(path);

	if (i < state.n_troubles)
		state.troubles[i] = state.troubles[--state.n_troubles];
}

void owner_note(const char *path, const char *process, uid_t found, bool believed)
{
	bool is_new = false;

	path = path_tail(path);
	pthread_mutex_lock(&state.lock);
	if (believed)
		remove_trouble(path);
	else
		is_new = add_trouble(path, process, found);
	pthread_mutex_unlock(&state.lock);
	if (is_new)
		log_error("file-not-believed", "path=%s uid=%u expected=%s%s", path,
		          (unsigned)found, process ? "weir-" : "this user", process ? process : "");
}

size_t owner_troubles(struct owner_trouble out[OWNER_TROUBLES_MAX])
{
	struct stat st;
	size_t n;

	pthread_mutex_lock(&state.lock);
	for (size_t i = 0; i < state.n_troubles;) {
		const struct owner_trouble *t = &state.troubles[i];

		/* a file that is gone is no trouble any more, even if nobody opens it again */
		if (t->path[0] == '/' && lstat(t->path, &st) && errno == ENOENT)
			remove_trouble(t->path);
		else
			i++;
	}
	n = state.n_troubles;
	memcpy(out, state.troubles, n * sizeof(*out));
	pthread_mutex_unlock(&state.lock);
	return n;
}

int owner_check(int fd, const char *path, const char *process)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	bool believed = S_ISREG(st.st_mode) && owner_is(st.st_uid, process);

	owner_note(path, process, st.st_uid, believed);
	return believed ? 0 : -EPERM;
}

/* What lies at @p path is a link, or cannot be opened: note whose it is. */
static void note_link(const char *path, const char *process)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		owner_note(path, process, st.st_uid, false);
}

int owner_open(const char *path, const char *process)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		int err = errno;

		if (err == ELOOP)
			note_link(path, process);
		return err == ELOOP ? -EPERM : -err;
	}
	int err = owner_check(fd, path, process);

	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

FILE *owner_fopen(const char *path, const char *process)
{
	int fd = owner_open(path, process);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (fd < 0) {
		errno = -fd;
	} else if (!f) {
		int err = errno;

		close(fd);
		errno = err;
	}
	return f;
}

void owner_give_directory(const char *path, mode_t mode, const char *process)
{
	const struct group *group = getgrnam("weir");
	struct stat st;
	uid_t uid;

	/*
	 * Root's until it is given away, so nobody can put anything into it before; and it gets its
	 * mode before, as a supervisor without CAP_FOWNER cannot change it afterwards. Not by its
	 * path: where others may write, something else may lie there by now.
	 */
	if (geteuid() != 0 || !group || !owner_of(process, &uid) || mkdir(path, 0700) < 0)
		return;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_uid == 0 &&
	    (fchmod(fd, mode) < 0 || fchown(fd, uid, group->gr_gid) < 0))
		rmdir(path);
	close(fd);
}

/*
 * Root may use the process's directory and its own. Any other user could not write in root's
 * directory, so only its own will do.
 */
static bool is_usable_owner(uid_t uid, const char *process)
{
	return uid == geteuid() || (geteuid() == 0 && owner_is(uid, process));
}

int owner_directory(const char *path, mode_t mode, const char *process)
{
	struct stat st;

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return -errno;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), err = 0;

	if (fd < 0) {
		err = errno == ELOOP || errno == EACCES || errno == ENOTDIR ? -EPERM : -errno;
		note_link(path, process);
		return err;
	}
	if (fstat(fd, &st) < 0)
		err = -errno;
	if (!err && !is_usable_owner(st.st_uid, process))
		err = -EPERM;
	if (!err && st.st_mode & 07777 & ~mode && fchmod(fd, mode) < 0)
		err = -errno;
	if (!err || err == -EPERM)
		owner_note(path, process, st.st_uid, !err);
	close(fd);
	return err;
}
