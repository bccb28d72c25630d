/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Forwarding tables (weir/fwd/tables.h) in a mapped file: the DPDK driver forwards by them, and the
 * next process finds them.
 *
 * A head has layout and sizes; each table begins at a page. Only the holder of the driver's lock
 * writes; others may map the file for reading. The file lies in hugepages where there are some
 * (dpdk/hugefile.h). Implemented in tablefile.c; any thread may call.
 */
#ifndef WEIR_DATAPLANE_DPDK_TABLEFILE_H
#define WEIR_DATAPLANE_DPDK_TABLEFILE_H

#include "base/checked.h"
#include "weir/driver.h"
#include "weir/fwd/user.h"

struct hugefile_request;

struct tablefile {
	void *memory; /**< NULL: none */
	size_t len;
	uint64_t page_bytes; /**< of the hugepages that it lies in; 0: ordinary ones */
	struct driver_sizes sizes;
	struct fwd_tables tables;
};

/** Bytes of a page that @p f lies in, of whichever kind. */
uint64_t tablefile_page_bytes(const struct tablefile *f);
/**
 * Make tables with root filled in at @p path, in place of what is there.
 * @param n_cpus   rows of counters
 * @param request  the hugepages that it is to lie in; if it cannot, it lies in ordinary memory, and
 *                 request->reason says why. NULL: ordinary memory
 * @return 0 or -errno with @p reason
 */
int tablefile_make(struct tablefile *out, const char *path, const struct driver_sizes *sizes,
                   uint32_t n_cpus, struct hugefile_request *request,
                   struct driver_reason *reason) MUST_CHECK;
/**
 * Move tables in ordinary memory, which nobody else writes to, into hugepages.
 * @param path  the file's
 * @param next  a path beside it, for a moment
 * @return 0, or -errno with @p request's reason: all is as it was
 */
int tablefile_move(struct tablefile *f, const char *path, const char *next,
                   struct hugefile_request *request) MUST_CHECK;
/**
 * Map the tables at @p path.
 * @return 0, -ENOENT, -EPROTO (another layout, or sizes that contradict the file) or -errno
 *         with @p reason
 */
int tablefile_open(struct tablefile *out, const char *path, bool writable,
                   struct driver_reason *reason) MUST_CHECK;
/** Unmap; the file stays. No effect if nothing is mapped. */
void tablefile_close(struct tablefile *f);
/** Unmap the tables of a tablefile whose struct is gone: their length follows from their sizes. */
void tablefile_unmap(struct fwd_tables *t);

#endif
