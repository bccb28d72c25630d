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

/*
 * The bytes of the pages that the file @p all counts and the file @p less (NULL: none) does not, of
 * @p page_bytes; 0: of all sizes.
 */
static uint64_t sum_pages(const char *sysfs, uint64_t page_bytes, const char *all, const char *less)
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
		uint64_t n = read_pages(path, all), n_less = less ? read_pages(path, less) : 0;

		if (n > n_less) /* they are read one after the other */
			bytes += (n - n_less) * kb * 1024;
	}
	if (dir)
		closedir(dir);
	return bytes;
}

uint64_t hugepages_free(const char *sysfs, uint64_t page_bytes)
{
	return sum_pages(sysfs, page_bytes, "free_hugepages", "resv_hugepages");
}

uint64_t hugepages_all(const char *sysfs, uint64_t page_bytes)
{
	return sum_pages(sysfs, page_bytes, "nr_hugepages", NULL);
}

/* Fewer pages were asked for while more were in use: the rest is surplus. */
uint64_t hugepages_lasting(const char *sysfs)
{
	return sum_pages(sysfs, 0, "nr_hugepages", "surplus_hugepages");
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
