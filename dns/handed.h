/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Sockets that the supervisor holds and has passed to this process: "dns-udp-0", "dns-tcp-0", ... for the first thread,
 * "dns-udp-0-1", ... for thread 1. Implemented in handed.c; called by the main thread only.
 */
#ifndef WEIR_DNS_HANDED_H
#define WEIR_DNS_HANDED_H

#include <stdbool.h>

#include "base/checked.h"

struct addr;

/** Whether @p fd is a socket of @p type (SOCK_DGRAM, SOCK_STREAM) that is bound to @p address. */
bool handed_is_bound(int fd, const struct addr *address, int type) NONNULL();
/** Thread @p k's socket bound to @p address. @return its descriptor, to be duplicated and left alone, or -ENOENT */
int handed_find(const struct addr *address, int type, unsigned k) MUST_CHECK NONNULL();
/** Close the socket. Its descriptor stays in use (/dev/null), so that no other file is mistaken for it. */
void handed_forget(const struct addr *address, int type, unsigned k) NONNULL();
/**
 * The channel on which a supervisor passes sockets later. With a supervisor, queries wait in its sockets during a
 * restart. @return a descriptor, or -ENOENT: there is no supervisor
 */
int handed_channel(void);
/**
 * Receive all sockets that wait on @p channel. @param n how many, also after an error
 * @return -EAGAIN: more may come; 0 or another error: the supervisor has ended
 */
int handed_receive(int channel, unsigned *n) MUST_CHECK NONNULL();

#endif
