/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Next hops: how a frame gets to an address, asked of the kernel and followed.
 *
 * For each watched address: the route's port, VLAN and MTU, and the next hop's MAC address.
 * The kernel resolves (ARP, neighbour discovery): we make it start, and confirm what it
 * knows before that grows old, for packets that XDP sends do not do so.  Links, routes and
 * neighbours are followed; after a lost message everything is read again.
 *
 * A neighbour that no longer answers keeps its last MAC address: that is lost information,
 * and checks decide about backends.  A route or link that is gone is positive evidence.
 * The loop's thread calls all of this.
 */
#ifndef WEIR_DATAPLANE_HOPS_H
#define WEIR_DATAPLANE_HOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct hops;
struct loop;

enum hop_state {
	HOP_KNOWN,
	HOP_NO_ROUTE,    /**< the kernel knows no unicast route */
	HOP_NO_PORT,     /**< the route's port is down, gone or not Ethernet */
	HOP_NO_NEIGHBOUR /**< the next hop has not answered yet */
};

struct hop {
	enum hop_state state;   /**< the rest counts only if HOP_KNOWN */
	uint32_t ifindex;       /**< of the port itself; for a VLAN that of the port below */
	uint32_t route_ifindex; /**< of the interface that the route names: a VLAN's own */
	uint16_t vlan;          /**< 0: untagged */
	uint16_t outer_vlan;    /**< of a VLAN on a VLAN: the one below, else 0 */
	uint16_t outer_type_be;
	uint16_t mtu; /**< longest IP packet */
	bool on_link; /**< the next hop is the address itself */
	uint8_t mac_to[6], mac_from[6];
};

/** Counters, for the stats page. */
struct hops_counters {
	uint64_t changes;   /**< next hops that changed */
	uint64_t resyncs;   /**< everything was read again since messages were lost */
	uint64_t refused;   /**< addresses beyond the limit */
	uint64_t malformed; /**< messages that could not be read */
};

/** @p address may now be reached as @p hop says; called also from within hops_watch(). */
typedef void hops_changed(void *arg, const struct addr *address, const struct hop *hop);

/** Follow the kernel's links, routes and neighbours, for at most @p max addresses. @return 0 or -errno */
int hops_open(struct loop *l, uint32_t max, hops_changed *changed, void *arg, struct hops **out);
/** NULL is fine. */
void hops_close(struct hops *h);
/** Watch @p address, once more if it is already. @return 0 or -ENOSPC */
int hops_watch(struct hops *h, const struct addr *address);
/** The opposite of one hops_watch(). */
void hops_unwatch(struct hops *h, const struct addr *address);
/** What is known of @p address now. @return false if it is not watched */
bool hops_get(const struct hops *h, const struct addr *address, struct hop *out);
const struct hops_counters *hops_counters(const struct hops *h);
/** "known", "no route", ... */
const char *hop_state_text(enum hop_state state);

#endif
