/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Why a packet was treated as it was: one list gives the enum, the counters, the metric
 * labels, the text of `weir trace` and the table in the documentation.
 *
 * Each packet has exactly one reason, so that received = the sum over all of them.
 */
#ifndef WEIR_FWD_REASON_H
#define WEIR_FWD_REASON_H

#include "weir/fwd/tables.h"

/** What becomes of a packet. */
enum fwd_kind {
	FWD_KIND_TX,   /**< handed to the driver to be sent */
	FWD_KIND_PASS, /**< handed to the kernel untouched */
	FWD_KIND_DROP,
};

/* X(NAME, KIND, LABEL, TEXT). Append only: a counter keeps its place over an upgrade. */
#define FWD_REASONS(X)                                                                              \
	X(FORWARDED, TX, "forwarded", "encapsulated to the flow's backend")                         \
	X(ICMP_RELAYED, TX, "icmp_relayed", "ICMP error sent to the backend of the quoted flow")    \
	X(ECHO_REPLIED, TX, "echo_replied", "echo request to a VIP answered")                       \
	X(NOT_IP, PASS, "not_ip", "neither IPv4 nor IPv6 under at most two VLAN tags")              \
	X(SHORT_FRAME, PASS, "short_frame", "the frame ends before its destination address")        \
	X(NOT_OURS, PASS, "not_ours", "the destination is not a VIP")                               \
	X(NEIGHBOUR, PASS, "neighbour", "neighbour discovery for a VIP: the kernel answers")        \
	X(MALFORMED_IP, DROP, "malformed_ip",                                                       \
	  "IP header or length contradicts itself or the frame")                                    \
	X(TRUNCATED, DROP, "truncated", "the packet ends before its transport header does")         \
	X(MALFORMED_TRANSPORT, DROP, "malformed_transport",                                         \
	  "transport header's length contradicts the packet's")                                     \
	X(EXTENSIONS, DROP, "extensions",                                                           \
	  "too many IPv6 extension headers, or one that a VIP does not accept")                     \
	X(FRAGMENT, DROP, "fragment",                                                               \
	  "fragment whose first one was not forwarded before, or of neither TCP nor UDP")           \
	X(LOOP, DROP, "loop", "the source is a VIP or a tunnel source of ours")                     \
	X(TTL, DROP, "ttl", "TTL or hop limit is used up")                                          \
	X(PROTOCOL, DROP, "protocol", "a protocol that no service can have")                        \
	X(NO_SERVICE, DROP, "no_service", "a VIP, but no service at this port and protocol")        \
	X(ICMP_TYPE, DROP, "icmp_type", "neither an echo request nor an ICMP error")                \
	X(ICMP_QUOTE, DROP, "icmp_quote",                                                           \
	  "the ICMP error quotes too little of a flow, or a fragment")                              \
	X(ICMP_UNRELATED, DROP, "icmp_unrelated", "the ICMP error quotes no packet of this VIP")    \
	X(NO_BACKEND, DROP, "no_backend", "the pool has no backend for the flow")                   \
	X(BACKEND_DEAD, DROP, "backend_dead", "the flow's backend is dead")                         \
	X(NO_NEXT_HOP, DROP, "no_next_hop", "the next hop to the backend is not known")             \
	X(NO_SOURCE, DROP, "no_source", "no tunnel source of the backend's address family")         \
	X(TOO_BIG, DROP, "too_big",                                                                 \
	  "too big for the tunnel, and the sender gets no answer: the packet is an ICMP error "     \
	  "or a later IPv4 fragment, its source is no single host, or the tunnel carries less "     \
	  "than the least MTU of IPv4 or IPv6")                                                     \
	X(NO_ROOM, DROP, "no_room", "the driver has no room for the outer header")                  \
	X(NO_TABLES, DROP, "no_tables", "the tables contradict themselves")                         \
	X(KERNEL_POLICED, DROP, "kernel_policed",                                                   \
	  "for the kernel, but over the limit of its class (DPDK)")                                 \
	X(KERNEL_REFUSED, DROP, "kernel_refused", "for the kernel, but its TAP refused it (DPDK)")  \
	X(NOT_SENT, DROP, "not_sent",                                                               \
	  "its driver did not take the frame, or the port to send by is not one of ours (DPDK)")    \
	X(SEGMENTED, DROP, "segmented", "longer than a buffer: beyond the node's mtu (DPDK)")       \
	X(TOO_BIG_ANSWERED, TX, "too_big_told",                                                     \
	  "too big for the tunnel: an ICMP error tells the sender what fits (RFC 1191, 8201)")      \
	X(TOO_BIG_UNANSWERED, DROP, "too_big_untold",                                               \
	  "too big for the tunnel, and the limit of answers in this second is used up")             \
	X(FRAGMENT_FOLLOWED, TX, "fragment_followed",                                               \
	  "fragment sent to where its datagram's first one went")                                   \
	X(TUNNEL_TOO_BIG, DROP, "tunnel_too_big",                                                   \
	  "ICMP error: a packet of our tunnels was too big for the path to its backend")            \
	X(TUNNEL_TOO_BIG_REFUSED, DROP, "tunnel_too_big_refused",                                   \
	  "ICMP error: a packet of our tunnels was too big, but the reported MTU is implausible")   \
	X(TUNNEL_UNREACHABLE, DROP, "tunnel_unreachable",                                           \
	  "ICMP error: a packet of our tunnels could not be delivered")                             \
	X(TUNNEL_EXPIRED, DROP, "tunnel_expired",                                                   \
	  "ICMP error: TTL or hop limit of a packet of our tunnels was used up")                    \
	X(TUNNEL_ERROR, DROP, "tunnel_error",                                                       \
	  "any other ICMP error about a packet of our tunnels")                                     \
	X(OTHER_MAC, PASS, "other_mac", "the frame is for the MAC address of another host")         \
	X(GROUP_MAC, DROP, "group_mac",                                                             \
	  "for a VIP, in a frame to or from a group's MAC address (RFC 1812, 5.3.4)")               \
	X(MARTIAN, DROP, "martian",                                                                 \
	  "the source is no host: group, loopback, unspecified, or IPv4 in IPv6 (RFC 1812, 5.3.7)") \
	X(SOURCE_ROUTE, DROP, "source_route",                                                       \
	  "the sender prescribes the route (RFC 7126, 4.3, 4.4)")                                   \
	X(BACKUP_FULL, DROP, "backup_full",                                                         \
	  "no own backend is up, and the backup pool gets as much as backup_max allows")

#define FWD_REASON_ENUM_(name, kind, label, text) FWD_REASON_##name,
enum fwd_reason { FWD_REASONS(FWD_REASON_ENUM_) FWD_REASON_COUNT };
#undef FWD_REASON_ENUM_
_Static_assert(FWD_REASON_COUNT <= FWD_REASONS_MAX, "room in struct fwd_cpu");

/** A bit for each reason of a kind. */
#define FWD_REASON_TX_(name, kind, label, text)                                                    \
	| (uint64_t)(FWD_KIND_##kind == FWD_KIND_TX) << FWD_REASON_##name
#define FWD_REASON_PASS_(name, kind, label, text)                                                  \
	| (uint64_t)(FWD_KIND_##kind == FWD_KIND_PASS) << FWD_REASON_##name
#define FWD_REASONS_TX   (0 FWD_REASONS(FWD_REASON_TX_))
#define FWD_REASONS_PASS (0 FWD_REASONS(FWD_REASON_PASS_))

/** What becomes of a packet with reason @p r. */
FWD_INLINE enum fwd_kind fwd_reason_kind(enum fwd_reason r)
{
	uint64_t bit = 1ull << (r & 63);

	if (FWD_LIKELY(bit & FWD_REASONS_TX))
		return FWD_KIND_TX;
	return bit & FWD_REASONS_PASS ? FWD_KIND_PASS : FWD_KIND_DROP;
}

/** Whether a driver says @p r when it carries out a verdict; the decision never does. */
FWD_INLINE bool fwd_reason_is_drivers(enum fwd_reason r)
{
	return r >= FWD_REASON_KERNEL_POLICED && r <= FWD_REASON_SEGMENTED;
}

#endif
