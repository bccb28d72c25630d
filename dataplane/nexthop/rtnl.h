/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Rtnetlink messages: from bytes to facts, and from requests to bytes (rtnetlink(7), libmnl).
 *
 * nexthop/rtnl.c parses and writes messages and touches no socket, so that tests can feed it bytes. A
 * message that is cut short, or lacks a part that it must have, gives no fact; it is never used in
 * part. nexthop/rtnl_query.c has the sockets. Pure but for these; any thread may call, each with its own
 * socket.
 */
#ifndef WEIR_DATAPLANE_NEXTHOP_RTNL_H
#define WEIR_DATAPLANE_NEXTHOP_RTNL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"

/** Bytes that are enough for any request. */
#define RTNL_REQUEST_MAX 256

#define RTNL_NAME_MAX 16 /**< with the final 0: IFNAMSIZ */

/** How an interface is stacked on others; other kinds do not matter here. */
enum rtnl_link_kind {
	RTNL_LINK_OTHER, /**< a device, a veth, ... */
	RTNL_LINK_VLAN,
	RTNL_LINK_MACVLAN, /**< macvlan, macvtap, ipvlan, ipvtap, MACsec: on one other interface */
	RTNL_LINK_BRIDGE,
	RTNL_LINK_BOND, /**< bond or team */
	RTNL_LINK_VRF,
};

struct rtnl_link {
	uint32_t ifindex;
	char name[RTNL_NAME_MAX]; /**< "" if the kernel did not say */
	bool gone;
	bool admin_up;     /**< administratively */
	bool carrier;      /**< IFF_LOWER_UP */
	bool up;           /**< both */
	bool ethernet;     /**< has a MAC address of six bytes */
	uint8_t operstate; /**< IF_OPER_* (RFC 2863) */
	uint8_t kind;      /**< enum rtnl_link_kind */
	uint32_t lower; /**< of a VLAN or MACVLAN: the interface below, in this namespace; else 0 */
	uint32_t master;       /**< the bridge, bond or VRF that it is a part of, else 0 */
	uint16_t vlan;         /**< of a VLAN: its id, else 0 */
	uint16_t vlan_type_be; /**< of a VLAN: its tag's EtherType */
	uint32_t mtu;
	uint8_t mac[6];
};

struct rtnl_neighbour {
	uint32_t ifindex;
	struct addr addr;
	bool gone;
	uint16_t state; /**< NUD_* */
	uint8_t flags;  /**< NTF_* */
	bool has_mac;
	uint8_t mac[6];
};

/** The kernel's answer to "how does one get to ...?" */
struct rtnl_route {
	bool reachable; /**< by a unicast route */
	uint32_t ifindex;
	bool has_gateway; /**< else the destination itself is the next hop */
	struct addr gateway;
	uint32_t mtu;       /**< the route's own, or of its path; 0: the link's */
	uint32_t expires_s; /**< then it has another MTU, without a message; 0: never */
};

enum rtnl_kind {
	RTNL_NOTHING, /**< not of interest, or malformed */
	RTNL_LINK,
	RTNL_NEIGHBOUR,
	RTNL_ROUTE,
	RTNL_DONE,  /**< end of a dump */
	RTNL_ERROR, /**< error, an errno or 0 for an acknowledgement */
};

struct rtnl_fact {
	enum rtnl_kind kind;
	bool interrupted; /**< of a dump during which the table changed: it may lack what was there all the time */
	uint32_t seq;
	int error;
	union {
		struct rtnl_link link;
		struct rtnl_neighbour neighbour;
		struct rtnl_route route;
	};
};

/**
 * Take the next message off @p bytes.
 * @return how many bytes it took, 0 at the end or where the rest is no message
 */
size_t rtnl_next(const void *bytes, size_t n, struct rtnl_fact *out);

/** Write a dump request (RTM_GETLINK or RTM_GETNEIGH). @return its length */
size_t rtnl_write_dump(void *out, uint16_t type, uint32_t seq);
/** Write "which route leads to @p to?". @return its length */
size_t rtnl_write_route(void *out, const struct addr *to, uint32_t seq);
/** Write "what is known of neighbour @p to on @p ifindex?". @return its length */
size_t rtnl_write_neighbour(void *out, uint32_t ifindex, const struct addr *to, uint32_t seq);
/** Write "resolve or confirm @p to on @p ifindex now" (NTF_USE). @return its length */
size_t rtnl_write_use(void *out, uint32_t ifindex, const struct addr *to, uint32_t seq);
/**
 * Write "ask @p to on @p ifindex whether it is there, whoever confirmed it" (NUD_PROBE). For an
 * entry that is known and neither permanent nor NOARP: such a one would be lost by it. @return its
 * length
 */
size_t rtnl_write_probe(void *out, uint32_t ifindex, const struct addr *to, uint32_t seq);

/** Called for each message of an answer. @return false: stop, no more are needed */
typedef bool rtnl_on_fact(void *arg, const struct rtnl_fact *f);

struct mnl_socket;

/**
 * Open a socket that receives the messages of @p groups (RTMGRP_*); 0: only answers. @return 0
 * and @p out, the caller's to close, or -errno
 */
int rtnl_open(unsigned groups, struct mnl_socket **out) MUST_CHECK;

/**
 * Receive the next message, if there is one. When a socket is full, the kernel drops the newest
 * messages until all the older ones are read. So a caller that lost some reads the whole state
 * after the last message, not before.
 *
 * @param lost  set to true where messages were lost; else untouched
 * @return its bytes; 0: there is no more
 */
size_t rtnl_hear(int fd, char *buffer, size_t n_buffer, bool *lost);

/**
 * Send a request and receive its answer, until that ends or @p on_fact returns false.
 *
 * @param buffer  borrowed, for the answer's messages
 * @param seq     the request's number; messages with another one are skipped
 * @return 0 at the end, or -errno: ours or the kernel's; -EINTR: the table changed during the dump (NLM_F_DUMP_INTR), so
 *         that what was received is not all of it
 */
int rtnl_query(struct mnl_socket *socket, char *buffer, size_t n_buffer, const void *question,
               size_t n, uint32_t seq, rtnl_on_fact *on_fact, void *arg);

/**
 * Dump a whole table (RTM_GETLINK or RTM_GETNEIGH), again where it changed meanwhile, a few times; then -EINTR. So @p on_fact may
 * hear of an entry twice, and of one that has gone since: a message about that follows.
 *
 * @param seq  of the last request; each try has the next one
 * @return as rtnl_query()
 */
int rtnl_dump(struct mnl_socket *socket, char *buffer, size_t n_buffer, uint16_t type,
              uint32_t *seq, rtnl_on_fact *on_fact, void *arg);

#endif
