/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Several sockets of one process on one address and port (SO_REUSEPORT, socket(7)), among which the
 * kernel spreads packets and connections. Implemented in reuseport.c; any thread.
 *
 * The first socket is bound without the option, so that it is refused where another server has the
 * address; the option is set on it afterwards, for those that follow. Sockets have the order
 * in which they were bound (TCP: in which they began to listen); closing the last ones leaves the order of the others.
 */
#ifndef WEIR_BASE_REUSEPORT_H
#define WEIR_BASE_REUSEPORT_H

#include <stdbool.h>

/** What a socket needs before bind(): the option, unless it is the @p first. @return 0 or -errno */
int reuseport_before_bind(int fd, bool first);
/** And after: others of this user may follow. @return 0 or -errno */
int reuseport_after_bind(int fd);
/**
 * From now on only the first @p n sockets of @p fd's group get packets, each as often as another, by chance. Until
 * this is called, all do, by the hash of the addresses. What a socket has got already stays there to be read.
 * @return 0, also for a socket without a group, or -errno
 */
int reuseport_steer(int fd, unsigned n);

#endif
