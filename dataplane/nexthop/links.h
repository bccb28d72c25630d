/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The kernel's network interfaces, followed live: index, name, MAC address, carrier, and what
 * is stacked on what (implemented in nexthop/links.c; the loop's thread calls all of this).
 *
 * The table is read when it is opened, and then follows RTM_NEWLINK and RTM_DELLINK. After lost
 * messages (ENOBUFS) the whole table is read again; until that succeeds the last state counts.
 * Only interfaces of the process's own network namespace are seen.
 */
#ifndef WEIR_DATAPLANE_NEXTHOP_LINKS_H
#define WEIR_DATAPLANE_NEXTHOP_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "dataplane/nexthop/rtnl.h"

struct links;
struct loop;

#define LINKS_MAX 4096u /**< interfaces; those beyond are not known */

/** Some interface came, went or changed; several changes of one moment are one call. */
typedef void links_changed(void *arg);

/**
 * Read the kernel's interfaces and follow them. @p changed is not called for the first reading.
 * @return 0 and @p out, to be given to links_close(); or -errno
 */
int links_open(struct loop *l, links_changed *changed, void *arg, struct links **out) MUST_CHECK;
/** An empty table that hears only what links_hear() gives it: for tests. @return NULL: no memory */
struct links *links_new(links_changed *changed, void *arg) MUST_CHECK;
/** NULL is fine. */
void links_close(struct links *l);

/**
 * Read the kernel's interfaces now, without waiting for their news; the callback of links_open() is not called.
 * @return 0 or -errno: the last state counts
 */
int links_read(struct links *l);

/** Apply rtnetlink messages, @p n bytes; messages that are not about interfaces are skipped. */
void links_hear(struct links *l, const void *bytes, size_t n);

/** @return interface @p ifindex, borrowed until the table changes; NULL: there is none */
const struct rtnl_link *links_find(const struct links *l, uint32_t ifindex);
/** @return the interface with this name, borrowed until the table changes; NULL: there is none */
const struct rtnl_link *links_named(const struct links *l, const char *name);

/**
 * The interfaces that a frame which comes in by interface @p ifindex can be for: itself, and those
 * stacked on it, at any depth: VLANs, macvlans, the bridge or bond that it is a part of, and
 * what stands on these. A VRF takes no frames by its own address and is left out.
 *
 * @param out  indexes, the interface itself first, then by distance
 * @return how many, at most @p max; 0: there is no such interface
 */
size_t links_above(const struct links *l, uint32_t ifindex, uint32_t *out, size_t max);
/**
 * Interfaces whose frames come in by bond @p ifindex: a bond's parts. @return how many, at most
 * @p max; 0: it is no bond
 */
size_t links_parts(const struct links *l, uint32_t ifindex, uint32_t *out, size_t max);
#endif
