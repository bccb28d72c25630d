/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control sockets of a node's other processes, by their paths: a request of weir-mgmt (base/ctl.h, of which ctl_request() is
 * the test's) calls the handler in the turn of who asks. A process that hangs costs who asks his whole timeout.
 *
 * Implemented in tests/cluster/sockets.c; who has the turn (sched.h) calls.
 */
#ifndef TESTS_CLUSTER_SOCKETS_H
#define TESTS_CLUSTER_SOCKETS_H

#include <stdbool.h>

#include "base/ctl.h"

/* From now on @p handler answers at @p path, until it is closed; it does not wait. */
void sockets_serve(const char *path, ctl_handler *handler, void *arg);
/* It takes requests, and answers none; or answers again. */
void sockets_hang(const char *path, bool hangs);
/* Nobody listens there any more. */
void sockets_close(const char *path);

#endif
