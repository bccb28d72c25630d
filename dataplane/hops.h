/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Next hops: how a frame gets to an address, asked of the kernel and followed.
 *
 * For each watched address: the route's port, VLAN and MTU, and the next hop's MAC address.
 * The kernel resolves (ARP, neighbour discovery): we make it start, for packets that XDP sends do
 * not do so.  Links, routes and neighbours are followed; after a lost message everything is
 * read again.
 *
 * That the kernel takes a neighbour for reachable confirms nothing here: TCP tells it so for
 * answers that came another way (tunnel probes).  So each next hop in use is asked itself
 * (NUD_PROBE) every 10 s, and at once when all that is behind it falls silent.
 *
 * A neighbour that no longer answers keeps its last MAC address.  What is evidence against an
 * address, and not only want of knowledge, is in hop.bad:
 *
 *     route                      port      next hop         state          bad
 *     none                       any       -                no route       -
 *     unreachable, blackhole,    up        -                no route       route
 *       prohibit                 down [1]  -                no route       -
 *     unicast                    down      any              no port        -
 *     unicast                    up        not known yet    no neighbour   -
 *     unicast                    up        FAILED [2]       as before      neighbour
 *     unicast                    up        known            known          -
 *
 *     [1] the port by which the address was reached before: the node's own trouble
 *     [2] after all of the kernel's questions, the port being up all the while; it stays so until
 *         the neighbour is heard again
 *
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
	HOP_NO_ROUTE,    /**< the kernel knows no unicast route, or one that refuses (hop.bad) */
	HOP_NO_PORT,     /**< the route's port is down, gone or not Ethernet */
	HOP_NO_NEIGHBOUR /**< the next hop has not answered yet */
};

/** What speaks against an address. */
enum hop_bad {
	HOP_BAD_NOT,
	HOP_BAD_ROUTE,    /**< the route to it says unreachable, blackhole or prohibit */
	HOP_BAD_NEIGHBOUR /**< its next hop has not answered any of the kernel's questions */
};

struct hop {
	enum hop_state state;
	enum hop_bad bad;
	uint64_t since_ms; /**< since when state, bad and on_link are so (loop_now_ms()) */
	bool on_link;      /**< the next hop is the address itself; unless HOP_NO_ROUTE */
	uint32_t
	        route_ifindex; /**< of the interface that the route names: a VLAN's own; unless HOP_NO_ROUTE */
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
	uint64_t probes;     /**< questions to next hops that the kernel was made to ask */
	uint64_t resyncs;    /**< everything was read again since messages were lost */
	uint64_t refused;    /**< addresses beyond the limit */
	uint64_t malformed;  /**< messages that could not be read */
	uint64_t unanswered; /**< questions for routes that failed: asked again */
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
/** What checks hear of an address. */
enum hop_heard { HOP_HEARD_NOTHING, HOP_HEARD_ANSWERS, HOP_HEARD_SILENCE };
/**
 * Checks of @p address hear this now: when all that is checked behind a next hop is silent, the
 * next hop is asked at once. What is not watched is ignored.
 */
void hops_heard(struct hops *h, const struct addr *address, enum hop_heard heard);
/** Ask the next hop of @p address soon, as something is wrong with the address: at most every 2 s. */
void hops_doubt(struct hops *h, const struct addr *address);
const struct hops_counters *hops_counters(const struct hops *h);
/** "known", "no route", ... */
const char *hop_state_text(enum hop_state state);

#endif
