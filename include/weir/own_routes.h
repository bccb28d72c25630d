/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The routes by which the host's routing daemon learns what to announce: blackhole host routes of
 * Weir's own protocol number, in kernel tables that no `ip rule` points to. They forward and drop
 * nothing; a daemon reads them.
 *
 * weir-announce adds and deletes them; weir-dataplane deletes them where weir-announce may not run
 * (dataplane/withdraw.h), and `weir run` those of DNS addresses when it is stopped
 * (supervise/routes.c). Routes of another protocol number, and other kinds of routes, are neither
 * listed nor touched. The kernel keeps routes when the process that added them ends.
 *
 * The kernel answers within the call: no function waits for anybody else. One thread for each `struct own_routes`.
 * Implemented in host/own_routes.c.
 */
#ifndef WEIR_OWN_ROUTES_H
#define WEIR_OWN_ROUTES_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"

/** Weir's number in a route's protocol field (rtnetlink(7); /etc/iproute2/rt_protos). */
#define OWN_ROUTES_PROTOCOL 177
/** Tables that may be used: the kernel keeps 253 and above. FRR reads no higher ones either. */
#define OWN_ROUTES_TABLE_MAX 252u

struct own_routes;

/** Open a socket to the kernel; needs no capability. @return 0 and @p out, for own_routes_close(), or -errno */
MUST_CHECK int own_routes_open(struct own_routes **out) NONNULL(1);
/** Close the socket. The routes stay. NULL is fine. */
void own_routes_close(struct own_routes *r);

/**
 * List the addresses that have one of Weir's routes in @p table, IPv4 before IPv6. Only the routes of this table are
 * read, however many the host has elsewhere (from Linux 4.20).
 *
 * @param table  1..OWN_ROUTES_TABLE_MAX; one that does not exist is empty
 * @param out    [n_max]; undefined on failure
 * @param n      how many there are: more than @p n_max if these did not fit; untouched on failure
 * @return 0, -EINVAL for a bad table, or -errno
 */
MUST_CHECK int own_routes_list(struct own_routes *r, uint32_t table, struct addr *out, size_t n_max,
                               size_t *n);

/**
 * Add the route of @p a to @p table. Needs CAP_NET_ADMIN.
 * @return 0, also when Weir's route is there already; -EEXIST: another route of that prefix is there and stays;
 *         -EINVAL for a bad table; -EPERM, -errno
 */
MUST_CHECK int own_routes_add(struct own_routes *r, uint32_t table, const struct addr *a);

/**
 * Delete Weir's route of @p a from @p table. Needs CAP_NET_ADMIN.
 * @return 0, also when there is none; -EINVAL for a bad table; -EPERM, -errno
 */
MUST_CHECK int own_routes_delete(struct own_routes *r, uint32_t table, const struct addr *a);

/**
 * Delete all of Weir's routes from @p table. Needs CAP_NET_ADMIN.
 * @return 0: none is left; -EINVAL for a bad table; -EBUSY: routes are added as fast as
 *         they are deleted; -EPERM, -errno: some may be left
 */
MUST_CHECK int own_routes_delete_all(struct own_routes *r, uint32_t table);

#endif
