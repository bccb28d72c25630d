/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Sockets that the supervisor holds and has passed to this process: "dns-udp-0", "dns-tcp-0", ... for the first thread,
 * "dns-udp-0-1", ... for thread 1. Implemented in handed.c; called by the main thread only.
 */
#ifndef WEIR_DNS_HANDED_H
#define WEIR_DNS_HANDED_H

#include <stdbool.h>

struct addr;
struct server;

/** Whether @p fd is a socket of @p type (SOCK_DGRAM, SOCK_STREAM) that is bound to @p address. */
bool handed_is_bound(int fd, const struct addr *address, int type);
/** Thread @p k's socket bound to @p address. @return its descriptor, to be duplicated and left alone, or -ENOENT */
int handed_find(const struct addr *address, int type, unsigned k);
/** Close the socket. Its descriptor stays in use (/dev/null), so that no other file is mistaken for it. */
void handed_forget(const struct addr *address, int type, unsigned k);
/**
 * Receive sockets that the supervisor passes later, and call listen_update() then. @return 0, also without a
 * supervisor, or -errno
 */
int handed_watch(struct server *s);
/** Whether a supervisor holds the sockets: then queries wait in them during a restart. */
bool handed_by_supervisor(void);

#endif
