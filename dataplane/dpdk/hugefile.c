/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names: MOUNT/weir/DEVICE-INODE.N, of the link's directory, in hexadecimal. N is 0 or 1, since
 * larger tables are made while the present ones are in use.
 *
 * What a link says is not believed: a file is opened only if it lies in a hugetlbfs, and removed
 * only by a name that is made here, since root may follow a link that another user has written.
 */
#include "dataplane/dpdk/hugefile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/mempolicy.h>

#include "base/owner.h"

#define N_FILES   2 /* for one directory */
#define NODES_MAX 1024

/* The directory of @p path, which has one. */
static void directory_of(const char *path, char out[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	snprintf(out, PATH_MAX, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
}

/* The name of file @p n for links in @p dir. @return 0 or -errno */
static int name_file(const char *dir, const struct hugepages_mount *mount, int n,
                     char out[PATH_MAX])
{
	struct stat st;

	if (stat(dir, &st))
		return -errno;
	snprintf(out, PATH_MAX, "%s/" HUGEPAGES_DIR "/%lx-%lx.%d", mount->path,
	         (unsigned long)st.st_dev, (unsigned long)st.st_ino, n);
	return 0;
}

/* Where the link at @p path leads; "": there is none. */
static void read_target(const char *path, char out[PATH_MAX])
{
	ssize_t n = readlink(path, out, PATH_MAX - 1);

	out[n > 0 ? n : 0] = 0;
}

/* The name of the file that link "tables" in @p dir does not lead to. @return 0 or -errno */
static int name_spare(const char *dir, const struct hugepages_mount *mount, char out[PATH_MAX])
{
	char link[PATH_MAX], used[PATH_MAX];
	int err = name_file(dir, mount, 0, out);

	snprintf(link, sizeof(link), "%.*s/tables", PATH_MAX - 16, dir);
	read_target(link, used);
	return err || strcmp(used, out) ? err : name_file(dir, mount, 1, out);
}

/*
 * Take memory of @p node first from now on; -1: as the kernel does by default. The kernel reads one bit fewer than the
 * number that it gets (set_mempolicy(2)). A failure is no error: any memory will do.
 */
static void prefer_node(int node)
{
	unsigned long mask[NODES_MAX / (8 * sizeof(unsigned long))] = { 0 };

	if (node >= NODES_MAX)
		return;
	if (node >= 0)
		mask[(size_t)node / (8 * sizeof(mask[0]))] |=
		        1ul << (size_t)node % (8 * sizeof(mask[0]));
	(void)syscall(SYS_set_mempolicy, node < 0 ? MPOL_DEFAULT : MPOL_PREFERRED,
	              node < 0 ? NULL : mask, node < 0 ? 0ul : NODES_MAX + 1ul);
}

/* Whether there are pages for @p bytes beside those that packets need. @return 0 or -ENOMEM */
static int check_room(const struct hugepages_mount *mount, uint64_t bytes,
                      struct hugefile_request *request)
{
	uint64_t own = hugepages_free(HUGEPAGES_SYSFS, mount->page_bytes),
	         all = hugepages_free(HUGEPAGES_SYSFS, 0);

	if (own >= bytes && all >= bytes + request->keep_bytes)
		return 0;
	return driver_set_reason(
	        &request->reason, -ENOMEM,
	        "%llu MiB of hugepages are free, tables need %llu and packets %llu",
	        (unsigned long long)(all >> 20), (unsigned long long)(bytes >> 20),
	        (unsigned long long)(request->keep_bytes >> 20));
}

/* Make the file at @p name with all its pages. @return a descriptor or -errno */
static int make_file(const char *name, uint64_t bytes, int node)
{
	int fd, err;

	if (unlink(name) && errno != ENOENT)
		return -errno;
	fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	prefer_node(node);
	err = fallocate(fd, 0, 0, (off_t)bytes) ? -errno : 0;
	prefer_node(-1);
	if (!err)
		return fd;
	close(fd);
	(void)unlink(name);
	return err;
}

/* Put a link to @p name at @p path. @return 0 or -errno */
static int put_link(const char *name, const char *path)
{
	if (unlink(path) && errno != ENOENT)
		return -errno;
	return symlink(name, path) ? -errno : 0;
}

/* Find a hugetlbfs in which this process may make files. @return 0 or -errno */
static int find_mount(struct hugepages_mount *mount, struct hugefile_request *request)
{
	char dir[PATH_MAX];
	int err = hugepages_find(HUGEPAGES_MOUNTS, mount);

	if (err && err != -ENOENT)
		return driver_set_reason(&request->reason, err,
		                         HUGEPAGES_MOUNTS " cannot be read: %s", strerror(-err));
	if (err)
		return driver_set_reason(&request->reason, err,
		                         "no hugetlbfs is mounted: mount -t hugetlbfs none "
		                         "/dev/hugepages");
	snprintf(dir, sizeof(dir), "%s/" HUGEPAGES_DIR, mount->path);
	err = owner_directory(dir, 0750, "dataplane");
	return err ? driver_set_reason(&request->reason, err, "%s cannot be used: %s", dir,
	                               strerror(-err))
	           : 0;
}

int hugefile_make(const char *path, uint64_t bytes, struct hugefile_request *request,
                  uint64_t *file_bytes)
{
	char dir[PATH_MAX], name[PATH_MAX];
	struct hugepages_mount mount;
	int err, fd;

	request->reason.text[0] = 0;
	err = find_mount(&mount, request);
	if (err)
		return err;
	bytes = (bytes + mount.page_bytes - 1) / mount.page_bytes * mount.page_bytes;
	err = check_room(&mount, bytes, request);
	if (err)
		return err;
	directory_of(path, dir);
	err = name_spare(dir, &mount, name);
	fd = err ? err : make_file(name, bytes, request->node);
	if (fd < 0)
		return driver_set_reason(&request->reason, fd, "a file in %s cannot be made: %s",
		                         mount.path, strerror(-fd));
	err = put_link(name, path);
	if (err) {
		close(fd);
		(void)unlink(name);
		return driver_set_reason(&request->reason, err, "%s cannot be made: %s", path,
		                         strerror(-err));
	}
	*file_bytes = bytes;
	return fd;
}

static int open_file(const char *path, bool writable)
{
	int fd;

	if (!writable)
		return owner_open(path, "dataplane");
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int hugefile_open(const char *path, bool writable)
{
	char name[PATH_MAX];
	int fd;

	read_target(path, name);
	if (!*name)
		return open_file(path, writable);
	fd = open_file(name, writable);
	if (fd < 0 || hugepages_of_file(fd))
		return fd;
	close(fd);
	return -ELOOP;
}

void hugefile_sweep(const char *dir, const char *kept)
{
	char link[PATH_MAX], used[PATH_MAX] = "", name[PATH_MAX];
	struct hugepages_mount mount;
	struct stat st;

	if (hugepages_find(HUGEPAGES_MOUNTS, &mount))
		return;
	if (kept) {
		snprintf(link, sizeof(link), "%.*s/%s", PATH_MAX - 32, dir, kept);
		read_target(link, used);
	}
	for (int n = 0; n < N_FILES; n++)
		if (!name_file(dir, &mount, n, name) && strcmp(name, used))
			(void)unlink(name);
	snprintf(name, sizeof(name), "%s/" HUGEPAGES_DIR, mount.path);
	if (!kept && !stat(name, &st) && st.st_uid == geteuid())
		(void)rmdir(name); /* one that root gave away stays */
}
