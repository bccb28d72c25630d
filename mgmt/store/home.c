/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The move, so that an end at any point loses nothing and either release can go on:
 *
 *     1  link the journal, then the database into STATE/store       both places are whole, by the same files
 *     2  replace STATE/store.db by a link to store/store.db         (rename) only the new place counts from now on
 *     3  remove the old names of the journals
 *
 * Only files of our own are moved. Those of another user at the old place are left there: had we a
 * journal, its name would be taken and the other's could not lie there; so there is none, and our
 * database alone is whole.
 */
#include "mgmt/store/home.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/owner.h"
#include "base/proc.h"
#include "base/replace.h"

#define LINK_TEXT  PROC_STORE_DIR "/" PROC_STORE_FILE
#define SUFFIX_MAX 16 /* bytes of what is put behind a name */

/* What SQLite reads next to a database. The last one is rebuilt and never kept. */
static const char *const journals[] = { "-journal", "-wal", "-shm" };
#define N_JOURNALS 3 /* names that SQLite may use */
#define N_MOVED    2 /* names that hold data: not -shm */

/* The names of both places: `old` is the former release's store, `now` ours in `dir`. */
struct home_paths {
	char state[PATH_MAX], dir[PATH_MAX], old[PATH_MAX], now[PATH_MAX];
};

static int name_paths(const char *state_dir, struct home_paths *p)
{
	int err = proc_path(state_dir, PROC_STORE_DIR, p->dir);

	if (!err)
		err = proc_path(state_dir, PROC_STORE_FILE, p->old);
	if (!err)
		err = proc_path(p->dir, PROC_STORE_FILE, p->now);
	/* room for what is put behind the names */
	if (!err && strlen(p->now) + 64 >= PATH_MAX)
		err = -ENAMETOOLONG;
	snprintf(p->state, sizeof(p->state), "%s", state_dir);
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
	snprintf(reason, HOME_REASON_MAX,
	         "%.100s is not a regular file, has other names (hard links), or can be written by "
	         "other users (mode %o): check it (ls -l), then remove it or correct its mode",
	         path, (unsigned)st.st_mode & 07777);
	return -EPERM;
}

static int check_files(const struct home_paths *p, char reason[HOME_REASON_MAX])
{
	char path[PATH_MAX + SUFFIX_MAX];
	int err = check_own_file(p->now, reason);

	for (size_t i = 0; !err && i < N_JOURNALS; i++) {
		name_journal(p->now, i, path);
		err = check_own_file(path, reason);
	}
	return err;
}

static bool is_own_file(const char *path, struct stat *st)
{
	return lstat(path, st) == 0 && S_ISREG(st->st_mode) && st->st_uid == geteuid();
}

/* Put a link where the former release looks for the store. */
static int leave_link(const struct home_paths *p)
{
	char beside[PATH_MAX + SUFFIX_MAX];

	snprintf(beside, sizeof(beside), "%s.link", p->old);
	if (unlink(beside) && errno != ENOENT)
		return -errno;
	if (symlink(LINK_TEXT, beside))
		return -errno;
	if (rename(beside, p->old)) {
		int err = -errno;

		unlink(beside);
		return err;
	}
	return 0;
}

/* Whether our link is at the old path. */
static bool has_link(const struct home_paths *p)
{
	struct stat st;

	return lstat(p->old, &st) == 0 && S_ISLNK(st.st_mode) && st.st_uid == geteuid();
}

/* Give a file its new name as well; on a file system without links, rename it. */
static int link_file(const char *old, const char *now)
{
	if (unlink(now) && errno != ENOENT)
		return -errno;
	if (link(old, now) == 0)
		return 0;
	return rename(old, now) ? -errno : 0;
}

static int link_journals(const struct home_paths *p)
{
	char old[PATH_MAX + SUFFIX_MAX], now[PATH_MAX + SUFFIX_MAX];
	struct stat st;
	int err = 0;

	for (size_t i = 0; !err && i < N_MOVED; i++) {
		name_journal(p->old, i, old);
		name_journal(p->now, i, now);
		if (is_own_file(old, &st))
			err = link_file(old, now);
	}
	return err;
}

/*
 * Remove our journals at the old path. Another user's stay and are reported; they are never read.
 */
static void drop_old_journals(const struct home_paths *p)
{
	char old[PATH_MAX + SUFFIX_MAX];
	struct stat st;

	for (size_t i = 0; i < N_JOURNALS; i++) {
		name_journal(p->old, i, old);
		if (lstat(old, &st))
			continue;
		bool is_ours = st.st_uid == geteuid();

		owner_note(old, "mgmt", st.st_uid, is_ours);
		if (is_ours)
			unlink(old);
	}
}

/* Different files at both paths: the former release made the old one after the move. */
static int set_newer_apart(const struct home_paths *p, const struct stat *old)
{
	struct stat now;

	if (lstat(p->now, &now) || (now.st_ino == old->st_ino && now.st_dev == old->st_dev))
		return 0;
	log_warn("store-replaced",
	         "by=%s effect=\"the earlier store is kept as " PROC_STORE_FILE ".earlier-*\"",
	         p->old);
	return home_put_aside(p->state, "earlier", (int64_t)now.st_mtime * 1000);
}

static int move_in(const struct home_paths *p, const struct stat *old)
{
	int err = set_newer_apart(p, old);

	if (!err)
		err = link_journals(p);
	if (!err)
		err = link_file(p->old, p->now);
	if (!err)
		err = replace_sync_directory(p->dir);
	if (!err)
		err = leave_link(p);
	if (!err)
		drop_old_journals(p);
	if (!err)
		err = replace_sync_directory(p->state);
	if (!err)
		log_note("store-moved", "from=%s to=%s", p->old, p->now);
	return err;
}

/* Move an earlier store in if it is ours; leave the link for the former release. */
static int adopt_earlier(const struct home_paths *p, char reason[HOME_REASON_MAX])
{
	struct stat old;
	int err = 0;

	if (is_own_file(p->old, &old)) {
		err = move_in(p, &old);
		if (err)
			snprintf(reason, HOME_REASON_MAX, "%.90s cannot be moved to %.90s: %s",
			         p->old, p->dir, strerror(-err));
		return err;
	}
	drop_old_journals(p);
	if (has_link(p))
		return 0;
	if (lstat(p->old, &old)) {
		(void)leave_link(p); /* only a downgrade without its package's scripts misses it */
		return 0;
	}
	owner_note(p->old, "mgmt", old.st_uid, old.st_uid == geteuid());
	if (access(p->now, F_OK) == 0)
		return 0; /* ours is where it belongs */
	describe_foreign(p->old, old.st_uid, reason);
	return -EPERM;
}

/* Lock out the former release. Another user's lock file is ignored: it could be held for ever. */
static int acquire_old_lock(const char *state_dir, int *fd)
{
	char path[PATH_MAX];
	struct stat st;
	int err = proc_path(state_dir, HOME_LOCK, path);

	*fd = -1;
	if (err)
		return err;
	if (lstat(path, &st) == 0 && st.st_uid != geteuid()) {
		owner_note(path, "mgmt", st.st_uid, false);
		return 0;
	}
	return lock_acquire(path, fd);
}

static int acquire_locks(const struct home_paths *p, struct home *h, char reason[HOME_REASON_MAX])
{
	char path[PATH_MAX];
	int err = proc_path(p->dir, HOME_LOCK, path);

	if (!err)
		err = lock_acquire(path, &h->lock_fd);
	if (!err)
		err = acquire_old_lock(p->state, &h->old_lock_fd);
	if (err)
		snprintf(reason, HOME_REASON_MAX, "%s: %s", HOME_LOCK, strerror(-err));
	return err;
}

int home_open(const char *state_dir, struct home *out, char reason[HOME_REASON_MAX])
{
	struct home_paths p;
	struct stat st;
	int err = name_paths(state_dir, &p);

	*out = (struct home){ .lock_fd = -1, .old_lock_fd = -1 };
	reason[0] = '\0';
	if (err)
		return err;
	err = owner_directory(p.dir, 0700, "mgmt");
	if (err == -EPERM && lstat(p.dir, &st) == 0)
		describe_foreign(p.dir, st.st_uid, reason);
	else if (err)
		snprintf(reason, HOME_REASON_MAX, "%.100s: %s", p.dir, strerror(-err));
	if (!err)
		err = acquire_locks(&p, out, reason);
	if (!err)
		err = adopt_earlier(&p, reason);
	if (!err)
		err = check_files(&p, reason);
	if (err && !*reason)
		snprintf(reason, HOME_REASON_MAX, "%.100s: %s", p.dir, strerror(-err));
	if (err)
		home_close(out);
	else
		snprintf(out->db, sizeof(out->db), "%s", p.now);
	return err;
}

bool home_has_store(const char *state_dir)
{
	struct home_paths p;
	struct stat st;

	return name_paths(state_dir, &p) == 0 &&
	       (lstat(p.now, &st) == 0 || (lstat(p.old, &st) == 0 && S_ISREG(st.st_mode)));
}

void home_close(struct home *h)
{
	if (h->lock_fd >= 0)
		close(h->lock_fd);
	if (h->old_lock_fd >= 0)
		close(h->old_lock_fd);
	*h = (struct home){ .lock_fd = -1, .old_lock_fd = -1 };
}

int home_move_back(const struct home *h, const char *state_dir, char reason[HOME_REASON_MAX])
{
	char journal[PATH_MAX + SUFFIX_MAX];
	struct stat st;
	struct home_paths p;
	int err = name_paths(state_dir, &p);

	(void)h;
	reason[0] = '\0';
	if (!err && !is_own_file(p.now, &st))
		return 0; /* there is no store here to move */
	for (size_t i = 0; !err && i < N_JOURNALS; i++) {
		/* of a store that was closed: empty */
		name_journal(p.now, i, journal);
		if (unlink(journal) && errno != ENOENT)
			err = -errno;
	}
	if (!err && rename(p.now, p.old))
		err = -errno;
	if (!err)
		err = replace_sync_directory(p.state);
	if (err)
		snprintf(reason, HOME_REASON_MAX, "%.100s cannot be moved to %.100s: %s", p.now,
		         p.old, strerror(-err));
	return err;
}

int home_put_aside(const char *state_dir, const char *word, int64_t now_ms)
{
	char from[PATH_MAX + SUFFIX_MAX], aside[PATH_MAX + 64], to[PATH_MAX + 64 + SUFFIX_MAX];
	struct home_paths p;
	int err = name_paths(state_dir, &p);

	if (err)
		return err;
	snprintf(aside, sizeof(aside), "%s.%s-%lld", p.now, word, (long long)(now_ms / 1000));
	/* journals first: SQLite would replay one that stayed into the next store */
	for (size_t i = 0; i < N_JOURNALS; i++) {
		name_journal(p.now, i, from);
		snprintf(to, sizeof(to), "%s%s", aside, journals[i]);
		if (rename(from, to) && errno != ENOENT)
			return -errno;
	}
	return rename(p.now, aside) && errno != ENOENT ? -errno : 0;
}
