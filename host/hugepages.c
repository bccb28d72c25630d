/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads /sys and the list of mounts. */
#include "weir/hugepages.h"

#include <dirent.h>
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include <linux/magic.h>

static uint64_t read_pages(const char *dir, const char *name)
{
	char path[512];
	unsigned long long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

static uint64_t count_free(const char *dir)
{
	uint64_t n = read_pages(dir, "free_hugepages"),
	         reserved = read_pages(dir, "resv_hugepages");

	return n > reserved ? n - reserved : 0; /* they are read one after the other */
}

static uint64_t count_all(const char *dir)
{
	return read_pages(dir, "nr_hugepages");
}

/* Fewer pages were asked for while more were in use: the rest is surplus. */
static uint64_t count_lasting(const char *dir)
{
	uint64_t n = read_pages(dir, "nr_hugepages"),
	         surplus = read_pages(dir, "surplus_hugepages");

	return n > surplus ? n - surplus : 0; /* they are read one after the other */
}

/* The bytes of the pages that @p count finds, of @p page_bytes; 0: of all sizes. */
static uint64_t sum_pages(const char *sysfs, uint64_t page_bytes,
                          uint64_t (*count)(const char *dir))
{
	DIR *dir = opendir(sysfs);
	struct dirent *e;
	uint64_t bytes = 0;

	while (dir && (e = readdir(dir))) {
		char path[512];
		unsigned long kb;

		if (sscanf(e->d_name, "hugepages-%lukB", &kb) != 1 ||
		    (page_bytes && page_bytes != kb * 1024ull))
			continue;
		snprintf(path, sizeof(path), "%.200s/%.250s", sysfs, e->d_name);
		bytes += count(path) * kb * 1024;
	}
	if (dir)
		closedir(dir);
	return bytes;
}

uint64_t hugepages_free(const char *sysfs, uint64_t page_bytes)
{
	return sum_pages(sysfs, page_bytes, count_free);
}

uint64_t hugepages_all(const char *sysfs, uint64_t page_bytes)
{
	return sum_pages(sysfs, page_bytes, count_all);
}

uint64_t hugepages_lasting(const char *sysfs)
{
	return sum_pages(sysfs, 0, count_lasting);
}

static uint64_t page_size_of(const struct statfs *st)
{
	return st->f_type == HUGETLBFS_MAGIC ? (uint64_t)st->f_bsize : 0;
}

int hugepages_find(const char *mounts, struct hugepages_mount *out)
{
	FILE *f = setmntent(mounts, "re");
	struct hugepages_mount best = { .page_bytes = UINT64_MAX };
	struct mntent *m;

	if (!f)
		return -errno;
	while ((m = getmntent(f))) {
		struct statfs st;

		if (strcmp(m->mnt_type, "hugetlbfs") != 0 ||
		    strlen(m->mnt_dir) >= sizeof(best.path) || statfs(m->mnt_dir, &st) ||
		    !page_size_of(&st) || page_size_of(&st) >= best.page_bytes)
			continue;
		best.page_bytes = page_size_of(&st);
		snprintf(best.path, sizeof(best.path), "%s", m->mnt_dir);
	}
	endmntent(f);
	if (best.page_bytes == UINT64_MAX)
		return -ENOENT;
	*out = best;
	return 0;
}

uint64_t hugepages_of_file(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) ? 0 : page_size_of(&st);
}
