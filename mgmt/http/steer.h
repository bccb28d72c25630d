/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A queue of their own for the connections of peers, in the kernel: two sockets listen at one address (SO_REUSEPORT), and a
 * classic BPF program chooses by the source. A flood that fills the strangers' queue keeps no peer waiting.
 *
 * Implemented in mgmt/http/steer.c; called by the main thread, under the server's lock.
 */
#ifndef WEIR_MGMT_HTTP_STEER_H
#define WEIR_MGMT_HTTP_STEER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

/**
 * Steer connections from @p peers to the second socket of @p fd's group, and all others to the first, which @p fd is.
 * @param is4  whether the group's address is IPv4; peers of the other family do not matter
 * @return 0 or -errno: the kernel spreads connections over both sockets then
 */
int http_steer(int fd, bool is4, const struct addr *peers, size_t n);

#endif
