/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A descriptor in reserve, for a process that has none left: with it a waiting connection can still
 * be accepted (and answered, or closed), so the listener does not stay readable for ever.
 * Implemented in spare.c; the owner's thread only.
 */
#ifndef WEIR_BASE_SPARE_H
#define WEIR_BASE_SPARE_H

#include <stdbool.h>

#include "base/checked.h"

/** Zeroed is wrong: spare_open() first. */
struct spare {
	int fd; /**< -1: it is in use */
};

/** Put one aside; when there is none left, the next spare_fill() may have one. */
void spare_open(struct spare *s);
void spare_close(struct spare *s);
/** Put one aside again, if it is in use and there is one. Cheap when there is nothing to do. */
void spare_fill(struct spare *s);
/**
 * accept4() with SOCK_CLOEXEC and SOCK_NONBLOCK; out of descriptors, by giving up the reserve: such a connection should
 * end soon, and spare_fill() be called then.
 * @return a descriptor; -EAGAIN: none waits; -EMFILE: the reserve is in use too, so stop listening for a while; or another -errno
 */
MUST_CHECK int spare_accept(struct spare *s, int listen_fd);

#endif
