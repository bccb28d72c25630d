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

#endif
