/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The layout of the agent's maps, shared by its BPF programs and bpf/agent.c.
 */
#ifndef WEIR_BPF_AGENT_MAPS_H
#define WEIR_BPF_AGENT_MAPS_H

#include <linux/types.h>

/** Accepted prefixes; as AGENT_PREFIXES_MAX of weir/agent.h. */
#define AGENT_MAP_PREFIXES 1024u
/** Namespaces that are searched for a socket, the agent's own included. */
#define AGENT_MAP_NETNS 8u
/** Services (VIP and port) that are noted: more than a backend has. */
#define AGENT_MAP_SERVICES 8192u
/** agent_mss_setting.mss beside a number; as AGENT_MSS_* of weir/agent.h. */
#define AGENT_MAP_MSS_AUTO 0u
#define AGENT_MAP_MSS_OFF  1u

/** What a prefix may do: send tunnels here; as an owner, also be sent packets. Bits. */
enum agent_use { AGENT_USE_SOURCE = 1, AGENT_USE_OWNER = 2 };

/** Key of the prefixes, a longest-prefix trie; IPv4 as ::ffff:a.b.c.d. */
struct agent_key {
	__u32 bits;
	__u8 source[16];
};

/** A counter of one reason on one CPU. */
struct agent_value {
	__u64 packets, bytes;
};

/**
 * The namespaces to search, by their ids in the agent's own namespace; -1: that namespace itself.
 */
struct agent_spaces {
	__u32 n;
	__s32 id[AGENT_MAP_NETNS];
};

/** Key of the services whose SYNs came in tunnels; the value is what the tunnel takes, in bytes. */
struct agent_service {
	__u8 vip[16]; /**< IPv4 as ::ffff:a.b.c.d */
	__u8 port[2]; /**< network order */
	__u16 reserved;
};

/** How the MSS of SYN-ACKs is bounded. */
struct agent_mss_setting {
	__u32 mss;        /**< AGENT_MAP_MSS_AUTO, AGENT_MAP_MSS_OFF, or the largest MSS */
	__u32 mtu;        /**< the interface's when the agent was attached */
	__u32 has_owners; /**< the agent passes packets on: tunnels leave room for a list */
};

#endif
