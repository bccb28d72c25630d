/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Next hops: how a frame gets to an address. The kernel decides; this module asks it and follows
 * changes.
 *
 * For each watched address it keeps the route's port, VLAN and MTU, and the next hop's MAC address.
 * The kernel resolves the address (ARP, neighbour discovery), but packets that XDP sends do not
 * make it start: this module does. Changes of links, routes and neighbours are followed by
 * rtnetlink; after lost messages everything is read again.
 *
 * A neighbour that the kernel shows as reachable may be gone: TCP confirms it by answers that came
 * another way (tunnel probes). So the kernel is made to ask each next hop in use itself
 * (NUD_PROBE), every 10 s, and at once when the checks of all addresses behind it time out.
 *
 * A neighbour that no longer answers keeps its last MAC address. hop.bad says what is evidence
 * against an address, and not only lack of knowledge:
 *
 *     route                      port      next hop         state          bad
 *     none                       any       -                no route       -
 *     unreachable, blackhole,    up        -                no route       route
 *       prohibit                 down [1]  -                no route       -
 *     unicast                    down [3]  any              no port        -
 *     unicast                    up        not known yet    no neighbour   -
 *     unicast                    up        FAILED [2]       as before      neighbour
 *     unicast                    up        known            known          -
 *
 *     [1] the port by which the address was reached before: the node's own trouble
 *     [2] after all of the kernel's questions, the port being up all the while; it stays so until
 *         the neighbour is heard again
 *     [3] gone, no Ethernet, or a VLAN of 802.1ad (which may only be the outer of two), too
 *
 * Implemented in nexthop/hops.c (events), nexthop/hops_query.c (requests) and nexthop/hops_state.c (the table above). The
 * loop's thread calls all of this.
 */
#ifndef WEIR_DATAPLANE_NEXTHOP_HOPS_H
#define WEIR_DATAPLANE_NEXTHOP_HOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"

struct hops;
struct loop;

enum hop_state {
	HOP_KNOWN,
	HOP_NO_ROUTE,    /**< the kernel knows no unicast route, or one that refuses (hop.bad) */
	HOP_NO_PORT,     /**< the route's port is down, gone, not Ethernet or of 802.1ad */
	HOP_NO_NEIGHBOUR /**< the next hop has not answered yet */
};

/** Evidence that packets do not get to an address. */
enum hop_bad {
	HOP_BAD_NOT,      /**< none */
	HOP_BAD_ROUTE,    /**< the route to it says unreachable, blackhole or prohibit */
	HOP_BAD_NEIGHBOUR /**< its next hop has answered none of the kernel's requests */
};

struct hop {
	enum hop_state state;
	enum hop_bad bad;
	uint64_t since_ms; /**< since when state, bad and on_link are so (loop_now_ms()) */
	bool on_link;      /**< the next hop is the address itself; unless HOP_NO_ROUTE */
	/** The interface that the route names, which may be a VLAN; unless HOP_NO_ROUTE. */
	uint32_t route_ifindex;
	/* The rest counts only if HOP_KNOWN. */
	uint32_t ifindex;    /**< of the port itself; for a VLAN that of the port below */
	uint16_t vlan;       /**< 0: untagged */
	uint16_t outer_vlan; /**< of a VLAN on a VLAN: the one below, else 0 */
	uint16_t outer_type_be;
	uint16_t mtu; /**< longest IP packet */
	uint8_t mac_to[6], mac_from[6];
};

/** Counters, for the stats page. */
struct hops_counters {
	uint64_t changes;    /**< next hops that changed */
	uint64_t probes;     /**< requests to next hops that the kernel was made to send */
	uint64_t resyncs;    /**< everything was read again after lost messages */
	uint64_t refused;    /**< addresses beyond the limit */
	uint64_t malformed;  /**< messages that could not be read */
	uint64_t unanswered; /**< requests for routes that failed, and were repeated */
};

/** @p address may now be reached as @p hop says; called also from within hops_watch(). */
typedef void hops_changed(void *arg, const struct addr *address, const struct hop *hop);

/**
 * Follow the kernel's links, routes and neighbours, for at most @p max addresses. @return 0 or
 * -errno
 */
int hops_open(struct loop *l, uint32_t max, hops_changed *changed, void *arg,
              struct hops **out) MUST_CHECK;
/** NULL is fine. */
void hops_close(struct hops *h);
/** Watch @p address, once more if it is already. @return 0 or -ENOSPC */
int hops_watch(struct hops *h, const struct addr *address) MUST_CHECK;
/** Undo one hops_watch(). */
void hops_unwatch(struct hops *h, const struct addr *address);
/** The state of @p address now. @return false: it is not watched */
bool hops_get(const struct hops *h, const struct addr *address, struct hop *out);
/** The result of checks of an address, as far as it concerns the next hop. */
enum hop_heard { HOP_HEARD_NOTHING, HOP_HEARD_ANSWERS, HOP_HEARD_SILENCE };
/**
 * Report the result of checks of @p address. When all addresses behind a next hop are silent, the
 * kernel is made to ask the next hop at once. An address that is not watched is ignored.
 */
void hops_heard(struct hops *h, const struct addr *address, enum hop_heard heard);
/**
 * Make the kernel ask the next hop of @p address soon, as a check of the address failed: at most
 * every 2 s.
 */
void hops_doubt(struct hops *h, const struct addr *address);
const struct hops_counters *hops_counters(const struct hops *h);
/** "known", "no route", ... */
const char *hop_state_text(enum hop_state state);

#endif
