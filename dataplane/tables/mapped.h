/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A node's tables for reading, whichever driver made them, and whether or not its process runs.
 * Implemented in tables/mapped.c; any thread of any process may call it.
 */
#ifndef WEIR_DATAPLANE_TABLES_MAPPED_H
#define WEIR_DATAPLANE_TABLES_MAPPED_H

#include <stdbool.h>

#include "base/checked.h"
#include "weir/driver.h"
#include "weir/fwd/user.h"

struct mapped {
	struct fwd_tables tables;
	bool is_file; /**< DPDK's; else XDP's maps */
};

/**
 * Map the tables at @p dir: XDP's pins, or the directory of DPDK's tables.
 * @return 0, -ENOENT, -EPERM, -EPROTO or -errno with @p reason; mapped_close() it
 */
int mapped_open(const char *dir, struct mapped *out, struct driver_reason *reason) MUST_CHECK;
void mapped_close(struct mapped *m);

#endif
