/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Whether a file has changed since it was read: the fields of stat(2) that show it, for
 * comparison.
 *
 * Implemented in mgmt/core/stamp.c; any thread.
 */
#ifndef WEIR_MGMT_CORE_STAMP_H
#define WEIR_MGMT_CORE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

/** All of it zero: there is no such file. */
struct stamp {
	uint64_t inode, bytes;
	int64_t changed_ns;
	int64_t error; /**< an errno of stat(2) other than ENOENT */
};

/** The stamp of @p name in @p dir, as it is now. */
struct stamp stamp_of(const char *dir, const char *name);
bool stamp_same(const struct stamp *a, const struct stamp *b);

#endif
