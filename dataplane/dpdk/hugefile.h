/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A table file in hugepages. Its path is a link to a file in a hugetlbfs, below its directory
 * HUGEPAGES_DIR, which outlives the process like the link. The file's name is made of the identity
 * of the link's directory, so that nodes of one machine have different ones, and so that a file
 * which no link names any more is found and removed.
 *
 * Implemented in hugefile.c; any thread. Only the holder of the driver's lock makes and removes
 * files.
 */
#ifndef WEIR_DATAPLANE_DPDK_HUGEFILE_H
#define WEIR_DATAPLANE_DPDK_HUGEFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/driver.h"
#include "weir/hugepages.h"

/** Where a table file is to lie. */
struct hugefile_request {
	int node;            /**< NUMA node; -1: any */
	uint64_t keep_bytes; /**< of free hugepages: what packets will need */
	/** out: why the file lies in ordinary pages; "": it lies in hugepages */
	struct driver_reason reason;
};

/**
 * Make a file of at least @p bytes, all of whose pages are allocated, and a link at @p path to it,
 * in place of what is there.
 * @param file_bytes  out: its length, whole pages
 * @return a descriptor, or -errno with @p request's reason: nothing was made
 */
MUST_CHECK int hugefile_make(const char *path, uint64_t bytes, struct hugefile_request *request,
                             uint64_t *file_bytes);
/**
 * Open the file at @p path, or the one that a link there leads to: a file in a hugetlbfs.
 * @param writable  else it is believed only if it belongs to the process's user (owner_open())
 * @return a descriptor or -errno
 */
MUST_CHECK int hugefile_open(const char *path, bool writable);
/**
 * Remove the files that were made for links in @p dir, except the one that its link @p kept leads
 * to; NULL: all.
 */
void hugefile_sweep(const char *dir, const char *kept);

#endif
