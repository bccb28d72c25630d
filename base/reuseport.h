/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Several sockets of one process on one address and port (SO_REUSEPORT, socket(7)), among which the
 * kernel spreads packets and connections. Implemented in reuseport.c; any thread.
 *
 * The first socket is bound without the option, so that bind() fails if another server has the
 * address; the option is set afterwards, for the sockets that follow. Sockets are ordered by bind()
 * (UDP) or listen() (TCP); closing the last ones keeps the order of the others.
 */
#ifndef WEIR_BASE_REUSEPORT_H
#define WEIR_BASE_REUSEPORT_H

#include <stdbool.h>

/** What a socket needs before bind(): the option, unless it is the @p first. @return 0 or -errno */
int reuseport_before_bind(int fd, bool first);
/** And after: others of this user may follow. @return 0 or -errno */
int reuseport_after_bind(int fd);
/**
 * Let only the first @p n sockets of @p fd's group receive packets, each by chance with equal
 * probability. Before the first call all sockets receive, by the hash of the addresses. Packets
 * that a socket has received already stay there to be read. @return 0, also for a socket without a
 * group, or -errno
 */
int reuseport_steer(int fd, unsigned n);

#endif
