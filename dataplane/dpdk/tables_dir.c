/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names and order in the DPDK driver's folder. The lock is held while the process lives, and while
 * all is removed; a reader maps the table file without it.
 */
#include "dataplane/dpdk/tables_dir.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/owner.h"
#include "dataplane/dpdk/tap.h"

void tables_dir_path(const char *dir, const char *name, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%.*s/%s", PATH_MAX - 32, dir, name);
}

int tables_dir_lock(const char *dir, int *fd, struct driver_reason *reason)
{
	char path[PATH_MAX];
	int err = owner_directory(dir, 0750, "dataplane");

	if (err)
		return driver_set_reason(reason, err, "%s cannot be used: %s", dir,
		                         err == -EPERM ? "it belongs to another user; remove it"
		                                       : strerror(-err));
	tables_dir_path(dir, "lock", path);
	err = lock_acquire(path, fd);
	if (err == -EBUSY)
		return driver_set_reason(
		        reason, err,
		        "another process drives %s: a weir-dataplane of this node runs already",
		        dir);
	return err ? driver_set_reason(reason, err, "%s cannot be locked: %s", path, strerror(-err))
	           : 0;
}

static void log_tables(const struct tablefile *f, const char *path,
                       const struct hugefile_request *request)
{
	log_note("tables-in-memory", "path=%s bytes=%zu page_kb=%llu numa_node=%d reason=\"%s\"",
	         path, f->len, (unsigned long long)tablefile_page_bytes(f) / 1024,
	         request ? request->node : -1, request ? request->reason.text : "as configured");
}

/* Tables of an earlier process lie in ordinary memory: move them if there are hugepages now. */
static void move_tables(const char *dir, const char *path, struct hugefile_request *request,
                        struct tablefile *f)
{
	char next[PATH_MAX];

	tables_dir_path(dir, "tables.next", next);
	if (request && !f->page_bytes && tablefile_move(f, path, next, request))
		tables_dir_drop_next(dir);
}

int tables_dir_open(const char *dir, const struct driver_sizes *sizes, uint32_t n_cpus,
                    struct hugefile_request *request, struct tablefile *out, bool *kept,
                    struct driver_reason *reason)
{
	struct tablefile f = { 0 };
	char path[PATH_MAX];
	int err = 0;

	tables_dir_path(dir, "tables", path);
	*kept = !tablefile_open(&f, path, true, reason) && f.tables.n_cpus == n_cpus;
	if (!*kept) {
		tablefile_close(&f);
		(void)unlink(path); /* new ones may need its hugepages */
	}
	tables_dir_drop_next(dir);
	if (*kept) {
		move_tables(dir, path, request, &f);
	} else {
		err = tablefile_make(&f, path, sizes, n_cpus, request, reason);
	}
	if (!err) {
		log_tables(&f, path, request);
		*out = f;
	}
	return err;
}

int tables_dir_make_next(const char *dir, const struct driver_sizes *sizes, uint32_t n_cpus,
                         struct hugefile_request *request, struct tablefile *out,
                         struct driver_reason *reason)
{
	char path[PATH_MAX];
	int err;

	tables_dir_path(dir, "tables.next", path);
	err = tablefile_make(out, path, sizes, n_cpus, request, reason);
	if (!err)
		log_tables(out, path, request);
	return err;
}

int tables_dir_commit_next(const char *dir, struct driver_reason *reason)
{
	char path[PATH_MAX], next[PATH_MAX];

	tables_dir_path(dir, "tables", path);
	tables_dir_path(dir, "tables.next", next);
	return rename(next, path)
	               ? driver_set_reason(reason, -errno, "%s cannot be put in place: %s", path,
	                                   strerror(errno))
	               : 0;
}

void tables_dir_drop_next(const char *dir)
{
	char path[PATH_MAX];

	tables_dir_path(dir, "tables.next", path);
	(void)unlink(path);
	hugefile_sweep(dir, "tables");
}

static void remove_taps(const char *dir)
{
	char path[PATH_MAX], name[32];
	FILE *f;

	tables_dir_path(dir, "taps", path);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(name, sizeof(name), f)) {
		name[strcspn(name, "\n")] = 0;
		tap_remove(name);
	}
	fclose(f);
}

/* The lock file is removed last, so that no process starts on tables that are being removed. */
int tables_dir_remove(const char *dir, struct driver_reason *reason)
{
	static const char *const names[] = { "tables", "tables.next", "taps", "lock" };
	char path[PATH_MAX];
	int lock_fd = -1, err;

	if (access(dir, F_OK))
		return driver_set_reason(reason, -ENOENT, "no tables are at %s", dir);
	err = tables_dir_lock(dir, &lock_fd, reason);
	if (!err) {
		remove_taps(dir);
		hugefile_sweep(dir, NULL);
	}
	for (size_t i = 0; !err && i < sizeof(names) / sizeof(names[0]); i++) {
		tables_dir_path(dir, names[i], path);
		if (unlink(path) && errno != ENOENT)
			err = driver_set_reason(reason, -errno, "%s cannot be removed: %s", path,
			                        strerror(errno));
	}
	if (!err && rmdir(dir))
		err = driver_set_reason(reason, -errno, "%s cannot be removed: %s", dir,
		                        strerror(errno));
	if (lock_fd >= 0)
		close(lock_fd);
	return err;
}

int tables_dir_map(const char *dir, struct fwd_tables *out, struct driver_reason *reason)
{
	struct tablefile f;
	char path[PATH_MAX];
	int err;

	tables_dir_path(dir, "tables", path);
	err = tablefile_open(&f, path, false, reason);
	if (!err)
		*out = f.tables; /* the memory stays mapped */
	return err;
}
