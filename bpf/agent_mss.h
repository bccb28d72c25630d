/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The user-space half of what the agent does with the MSS: its maps, and the program at the
 * interface's egress. For agent.c alone; implemented in agent_mss.c.
 */
#ifndef WEIR_BPF_AGENT_MSS_H
#define WEIR_BPF_AGENT_MSS_H

#include "weir/agent.h"

/** The maps of a program of the agent, by descriptors; -1: it has none (of another build). */
struct agent_mss_maps {
	int setting_fd, ends_fd, services_fd;
};

/** Why @p mss cannot be a setting, or NULL. */
const char *agent_mss_refusal(uint32_t mss);
/**
 * Write the setting of @p options into @p setting_fd, for interface @p ifname.
 * @return 0 or -errno
 */
int agent_mss_fill(int setting_fd, const char *ifname, const struct agent_options *options);
/** Whether counters and services of an earlier program have the present shape, and may go on. */
bool agent_mss_maps_fit(const struct agent_mss_maps *maps);
/**
 * Attach @p prog_fd at the egress of @p ifindex, or with AGENT_MSS_OFF detach what is there.
 * @return 0 or -errno
 */
int agent_mss_attach(unsigned ifindex, const struct agent_options *options, int prog_fd);
/** Read what is in force at @p ifname. What cannot be read stays unknown. */
void agent_mss_read(const struct agent_mss_maps *maps, const char *ifname, unsigned ifindex,
                    struct agent_mss *out);

#endif
