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
#include "dataplane/dpdk/hugefile.h"
#include "dataplane/dpdk/tablefile.h"
#include "weir/driver.h"

/** The path of file @p name in @p dir. */
void tables_dir_path(const char *dir, const char *name, char out[PATH_MAX]);
/**
 * Make @p dir if it is missing, and lock it until @p fd is closed.
 * @return 0, -EBUSY (another process has it) or -errno with @p reason; @p fd is untouched then
 */
MUST_CHECK int tables_dir_lock(const char *dir, int *fd, struct driver_reason *reason);
/**
 * Open the tables of an earlier process if they fit, else make new ones.
 * @param n_cpus   rows of counters
 * @param request  the hugepages that they are to lie in, to which older ones are moved; request->reason
 *                 says why they do not. NULL: ordinary memory will do
 * @return 0, or -errno with @p reason
 */
MUST_CHECK int tables_dir_open(const char *dir, const struct driver_sizes *sizes, uint32_t n_cpus,
                               struct hugefile_request *request, struct tablefile *out, bool *kept,
                               struct driver_reason *reason);
/** Make tables beside those in force. @return as tables_dir_open() */
MUST_CHECK int tables_dir_make_next(const char *dir, const struct driver_sizes *sizes,
                                    uint32_t n_cpus, struct hugefile_request *request,
                                    struct tablefile *out, struct driver_reason *reason);
/** Put those of tables_dir_make_next() in place of the others. @return 0, or -errno with @p reason */
MUST_CHECK int tables_dir_commit_next(const char *dir, struct driver_reason *reason);
/** Remove all files of tables but those in force. */
void tables_dir_drop_next(const char *dir);
/** driver_ops.remove() */
MUST_CHECK int tables_dir_remove(const char *dir, struct driver_reason *reason);
/** driver_ops.map() */
MUST_CHECK int tables_dir_map(const char *dir, struct fwd_tables *out,
                              struct driver_reason *reason);

#endif
