/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The folder of the DPDK driver: the table file, the list of TAPs, and the lock that makes one
 * process of a node the driver. All of it outlives the process.
 * Implemented in dpdk/tables_dir.c; any thread.
 */
#ifndef WEIR_DATAPLANE_DPDK_TABLES_DIR_H
#define WEIR_DATAPLANE_DPDK_TABLES_DIR_H

#include <limits.h>

#include "base/checked.h"
#include "weir/driver.h"

/** The path of file @p name in @p dir. */
void tables_dir_path(const char *dir, const char *name, char out[PATH_MAX]);
/**
 * Make @p dir if it is missing, and lock it until @p fd is closed.
 * @return 0, -EBUSY (another process has it) or -errno with @p reason; @p fd is untouched then
 */
MUST_CHECK int tables_dir_lock(const char *dir, int *fd, struct driver_reason *reason);
/** driver_ops.remove() */
MUST_CHECK int tables_dir_remove(const char *dir, struct driver_reason *reason);
/** driver_ops.map() */
MUST_CHECK int tables_dir_map(const char *dir, struct fwd_tables *out,
                              struct driver_reason *reason);

#endif
