/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Reading the maps of the agent's XDP program, by their descriptors. For agent.c alone; implemented
 * in agent_read.c.
 */
#ifndef WEIR_BPF_AGENT_READ_H
#define WEIR_BPF_AGENT_READ_H

#include "weir/agent.h"

/** Whether counters have the present shape: then a replacement goes on with them. */
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
