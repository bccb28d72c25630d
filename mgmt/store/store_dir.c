/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/store/store_dir.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/owner.h"
#include "base/proc.h"
#include "base/reason.h"

#define LOCK_FILE  "store.lock"
#define SUFFIX_MAX 16 /* bytes of what is put behind a name */

/* What SQLite reads next to a database. The last one is rebuilt and never kept. */
static const char *const journals[] = { "-journal", "-wal", "-shm" };
#define N_JOURNALS 3 /* names that SQLite may use */

struct home_paths {
	char dir[PATH_MAX], db[PATH_MAX];
};

static int name_paths(const char *state_dir, struct home_paths *p)
{
	int err = proc_path(state_dir, PROC_STORE_DIR, p->dir);

	if (!err)
		err = proc_path(p->dir, PROC_STORE_FILE, p->db);
	/* room for what is put behind the name */
	if (!err && strlen(p->db) + 64 >= PATH_MAX)
		err = -ENAMETOOLONG;
	return err;
}

static void name_journal(const char *db, size_t i, char out[PATH_MAX + SUFFIX_MAX])
{
	snprintf(out, PATH_MAX + SUFFIX_MAX, "%s%s", db, journals[i]);
}

static void describe_foreign(const char *path, uid_t uid, char reason[HOME_REASON_MAX])
{
	const struct passwd *user = getpwuid(uid);

	snprintf(reason, HOME_REASON_MAX,
	         "%.90s is not believed: it belongs to %.32s (uid %u); find out who put it there "
	         "and remove it, or chown a restored backup to weir-mgmt",
	         path, user ? user->pw_name : "an unknown user", (unsigned)uid);
}

/*
 * A file that SQLite will read must be a regular file of this user, with one name, which no other
 * user may write.
 */
static int check_own_file(const char *path, char reason[HOME_REASON_MAX])
{
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	bool is_ours = st.st_uid == geteuid();

	owner_note(path, "mgmt", st.st_uid, is_ours);
	if (!is_ours) {
		describe_foreign(path, st.st_uid, reason);
		return -EPERM;
	}
	if (S_ISREG(st.st_mode) && st.st_nlink == 1 && !(st.st_mode & 022))
		return 0;
	return reason_write(
	        reason, HOME_REASON_MAX, -EPERM,
	        "%.100s is not a regular file, has other names (hard links), or can be written by "
	        "other users (mode %o): check it (ls -l), then remove it or correct its mode",
	        path, (unsigned)st.st_mode & 07777);
}

static int check_files(const struct home_paths *p, char reason[HOME_REASON_MAX])
{
	char path[PATH_MAX + SUFFIX_MAX];
	int err = check_own_file(p->db, reason);

	for (size_t i = 0; !err && i < N_JOURNALS; i++) {
		name_journal(p->db, i, path);
		err = check_own_file(path, reason);
	}
	return err;
}

static int acquire_lock(const struct home_paths *p, struct home *h, char reason[HOME_REASON_MAX])
{
	char path[PATH_MAX];
	int err = proc_path(p->dir, LOCK_FILE, path);

	if (!err)
		err = lock_acquire(path, &h->lock_fd);
	if (err)
		snprintf(reason, HOME_REASON_MAX, "%s: %s", LOCK_FILE, strerror(-err));
	return err;
}

int home_open(const char *state_dir, struct home *out, char reason[HOME_REASON_MAX])
{
	struct home_paths p;
	struct stat st;
	int err = name_paths(state_dir, &p);

	*out = (struct home){ .lock_fd = -1 };
	reason[0] = '\0';
	if (err)
		return err;
	err = owner_directory(p.dir, 0700, "mgmt");
	if (err == -EPERM && lstat(p.dir, &st) == 0)
		describe_foreign(p.dir, st.st_uid, reason);
	else if (err)
		snprintf(reason, HOME_REASON_MAX, "%.100s: %s", p.dir, strerror(-err));
	if (!err)
		err = acquire_lock(&p, out, reason);
	if (!err)
		err = check_files(&p, reason);
	if (err && !*reason)
		snprintf(reason, HOME_REASON_MAX, "%.100s: %s", p.dir, strerror(-err));
	if (err)
		home_close(out);
	else
		snprintf(out->db, sizeof(out->db), "%s", p.db);
	return err;
}

void home_close(struct home *h)
{
	if (h->lock_fd >= 0)
		close(h->lock_fd);
	*h = (struct home){ .lock_fd = -1 };
}

int home_put_aside(const char *state_dir, int64_t now_ms)
{
	char from[PATH_MAX + SUFFIX_MAX], aside[PATH_MAX + 64], to[PATH_MAX + 64 + SUFFIX_MAX];
	struct home_paths p;
	int err = name_paths(state_dir, &p);

	if (err)
		return err;
	snprintf(aside, sizeof(aside), "%s.corrupt-%lld", p.db, (long long)(now_ms / 1000));
	/* journals first: SQLite would replay one that stayed into the next store */
	for (size_t i = 0; i < N_JOURNALS; i++) {
		name_journal(p.db, i, from);
		snprintf(to, sizeof(to), "%s%s", aside, journals[i]);
		if (rename(from, to) && errno != ENOENT)
			return -errno;
	}
	return rename(p.db, aside) && errno != ENOENT ? -errno : 0;
}
