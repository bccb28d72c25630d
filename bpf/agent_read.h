/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Reading the maps of the agent's programs, by their descriptors. For agent.c and agent_mss.c;
 * implemented in agent_read.c.
 */
#ifndef WEIR_BPF_AGENT_READ_H
#define WEIR_BPF_AGENT_READ_H

#include "weir/agent.h"

/** What a map of this release is like. */
struct agent_map_shape {
	uint32_t type, entries, key_bytes, value_bytes;
};

/** Whether the map of @p fd is so; -1: there is none. Then a replacement may go on with it. */
bool agent_map_fits(int fd, const struct agent_map_shape *shape);
/**
 * Add up the values of all CPUs of a per-CPU array, of @p n elements of @p words 64-bit counters each.
 * @param sums  n * words, to which they are added
 * @return 0 or -errno, with @p sums incomplete
 */
MUST_CHECK int agent_read_sums(int fd, uint32_t n, uint32_t words, uint64_t *sums);

/** agent_map_fits() of the counters. */
bool agent_counters_fit(int fd);
/** Add up the counters of all CPUs. @return 0, -EPROTO (another shape) or -errno */
MUST_CHECK int agent_read_counts(int fd, struct agent_count counts[DECAP_REASON_COUNT]);
/**
 * The accepted prefixes, sorted.
 * @param out  room for AGENT_PREFIXES_MAX
 * @return how many there are
 */
size_t agent_read_prefixes(int fd, struct agent_prefix *out);
/** How many namespaces are searched; 0 when the map cannot be read. */
uint32_t agent_read_netns(int fd);

#endif
