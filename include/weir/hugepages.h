/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Hugepages of this machine: how many are free, and where files can lie in them (hugetlbfs).
 * Nothing is changed. Implemented in host/hugepages.c; any thread.
 */
#ifndef WEIR_HUGEPAGES_H
#define WEIR_HUGEPAGES_H

#include <stdint.h>

#include "base/checked.h"

#define HUGEPAGES_SYSFS  "/sys/kernel/mm/hugepages"
#define HUGEPAGES_MOUNTS "/proc/mounts"
/** Below a hugetlbfs: the directory of weir-dataplane's files, which `weir run` gives to its user. */
#define HUGEPAGES_DIR "weir"

/** A hugetlbfs. */
struct hugepages_mount {
	char path[256];
	uint64_t page_bytes;
};

/** Free pages of @p page_bytes (0: of all sizes) below @p sysfs that nobody has reserved, in bytes. */
uint64_t hugepages_free(const char *sysfs, uint64_t page_bytes);
/** The same of all pages, free or not. */
uint64_t hugepages_all(const char *sysfs, uint64_t page_bytes);
/** The same of all sizes, without those that the kernel takes back once they are free (surplus). */
uint64_t hugepages_lasting(const char *sysfs);
/** Find the hugetlbfs with the smallest pages among @p mounts. @return 0, -ENOENT or -errno */
MUST_CHECK int hugepages_find(const char *mounts, struct hugepages_mount *out);
/** The size of the pages that the file @p fd consists of; 0: ordinary ones. */
uint64_t hugepages_of_file(int fd);

#endif
