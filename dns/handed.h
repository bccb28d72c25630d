/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Sockets that the supervisor holds and has handed down: "dns-udp-0", "dns-tcp-0", ... of the first thread, those
 * of thread 1 "dns-udp-0-1", .... Implemented in handed.c. Main thread only.
 */
#ifndef WEIR_DNS_HANDED_H
#define WEIR_DNS_HANDED_H

#include <stdbool.h>

struct addr;
struct server;

/** Whether @p fd is a socket of @p type (SOCK_DGRAM, SOCK_STREAM) that is bound to @p address. */
bool handed_is_bound(int fd, const struct addr *address, int type);
/** Thread @p k's socket bound to @p address. @return its place, to be duplicated and left alone, or -ENOENT */
int handed_find(const struct addr *address, int type, unsigned k);
/** Let go of it. Its place stays taken, so that no other descriptor is mistaken for it. */
void handed_forget(const struct addr *address, int type, unsigned k);
/** Take sockets that are passed later, if the supervisor can do that; then listen_update(). @return 0 or -errno */
int handed_watch(struct server *s);
/** Whether a supervisor holds our sockets: queries wait in them while we start again. */
bool handed_by_supervisor(void);

#endif
