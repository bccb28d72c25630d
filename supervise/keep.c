/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run directory and the supervisor's files in it. Without the lock file a second supervisor could
 * start; without the note of the children the next one would have to search for them. Both are
 * looked up by name, since a removed file stays open, and made again if they are gone. A note that
 * could not be written is tried again: the one that is there tells of another time.
 */
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "supervise/run.h"
#include "supervise/internal.h"

int run_make_directory(const char *path)
{
	const struct group *group = getgrnam("weir");

	if (mkdir(path, 0755) != 0)
		return errno == EEXIST ? 0 : -errno;
	if (geteuid() == 0 && group &&
	    (chown(path, (uid_t)-1, group->gr_gid) != 0 || chmod(path, 01775) != 0))
		return -errno;
	return 0;
}

static void log_removed(const char *path, int err)
{
	log_error("run-file-removed", "path=%s effect=\"%s\" error=\"%s\"", path,
	          err ? "the file stays missing; weir run tries again" : "created again",
	          err ? strerror(-err) : "");
}

/* Without it no process could make its own files in it again. */
static void restore_directory(const struct run *r)
{
	struct stat st;

	if (lstat(r->dirs->run, &st) == 0 || errno != ENOENT)
		return;
	log_removed(r->dirs->run, run_make_directory(r->dirs->run));
}

static void restore_lock(struct run *r)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;

	if (proc_path(r->dirs->run, RUN_LOCK_FILE, path) || lstat(path, &st) == 0 ||
	    errno != ENOENT)
		return;
	int err = lock_acquire(path, &fd);

	log_removed(path, err);
	if (err)
		return;
	close(r->lock_fd);
	r->lock_fd = fd;
}

void run_keep_files(struct run *r)
{
	char path[PATH_MAX];
	struct stat st;

	restore_directory(r);
	restore_lock(r);
	if (!r->noted)
		return;
	if (r->note_failed)
		run_note_children(r);
	if (proc_path(r->dirs->run, RUN_STATE_FILE, path) || lstat(path, &st) == 0 ||
	    errno != ENOENT)
		return;
	run_note_children(r);
	log_removed(path, lstat(path, &st) ? -errno : 0);
}
