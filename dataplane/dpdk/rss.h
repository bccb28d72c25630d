/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Receive-side scaling: what a device was asked to do, what it says when its settings are read
 * back, and what it does. Implemented in rss.c. Pure; any thread may call.
 */
#ifndef WEIR_DATAPLANE_DPDK_RSS_H
#define WEIR_DATAPLANE_DPDK_RSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RSS_QUEUES_MAX 32u /**< a worker each */

/* X(NAME, text): flows whose packets the hash can tell apart */
#define RSS_FLOWS(X)                                                                               \
	X(TCP4, "TCP over IPv4")                                                                   \
	X(TCP6, "TCP over IPv6")                                                                   \
	X(UDP4, "UDP over IPv4")                                                                   \
	X(UDP6, "UDP over IPv6")                                                                   \
	X(IP4, "IPv4")                                                                             \
	X(IP6, "IPv6")

#define RSS_ENUM_(name, text) RSS_##name,
enum rss_flow { RSS_FLOWS(RSS_ENUM_) RSS_FLOW_COUNT };
#undef RSS_ENUM_

/** How a device spreads frames over its receive queues, as it says itself. */
struct rss_seen {
	bool hash_known;         /**< it says what it hashes */
	uint32_t requested, got; /**< 1 << enum rss_flow, each */
	uint32_t n_queues;
	uint32_t n_entries;               /**< of its redirection table; 0: it does not show it */
	uint32_t n_stray;                 /**< entries that name no queue of ours */
	uint32_t entries[RSS_QUEUES_MAX]; /**< by queue */
};

/** Whether frames come by more than one queue. */
enum rss_spread { RSS_OPEN, RSS_SPREAD, RSS_NOT_SPREAD };

/**
 * Add a frame's flow to those seen at a queue: one bit stands for many flows; @p hash is 0 if
 * there is no flow.
 */
static inline uint64_t rss_flows_with(uint64_t flows, uint32_t hash)
{
	return hash ? flows | 1ull << (hash & 63) : flows;
}

/**
 * Judge a device by the flows seen at each queue: RSS_SPREAD (two queues have several),
 * RSS_NOT_SPREAD (one has many, and no other has several), RSS_OPEN (too few flows yet).
 */
enum rss_spread rss_watch(const uint64_t *flows, uint32_t n_queues);

/** Count an entry of the redirection table that names @p queue. */
void rss_entry(struct rss_seen *s, uint32_t queue);
/** Write into @p text what differs from the request, and its effect; "": nothing. */
void rss_judge(const struct rss_seen *s, char *text, size_t size);

#endif
