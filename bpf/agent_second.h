/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What second chance needs of the kernel besides the XDP program: the program at the
 * interface's ingress that sends packets on, and ids of network namespaces. For agent.c alone;
 * implemented in agent_second.c.
 */
#ifndef WEIR_BPF_AGENT_SECOND_H
#define WEIR_BPF_AGENT_SECOND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Attach @p prog_fd at the ingress of @p ifindex, in place of an earlier agent's.
 * @return 0 or -errno
 */
int agent_second_attach(unsigned ifindex, int prog_fd);
/**
 * Detach it, if it is there. The clsact queueing discipline stays: others may use it.
 * @return 0 or -errno
 */
int agent_second_detach(unsigned ifindex);
/** Whether an agent's program is at the ingress of @p ifindex. */
bool agent_second_is_attached(unsigned ifindex);
/**
 * The id of the namespace @p name (in /run/netns, or a path) in the caller's namespace. The kernel
 * gives it one if it has none.
 * @param id  out; at least 0
 * @return 0 or -errno
 */
int agent_netns_id(const char *name, int32_t *id);

#endif
