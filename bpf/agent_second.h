/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What second chance needs of the kernel besides the programs: ids of network namespaces. For
 * agent.c alone; implemented in agent_second.c.
 */
#ifndef WEIR_BPF_AGENT_SECOND_H
#define WEIR_BPF_AGENT_SECOND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The id of the namespace @p name (in /run/netns, or a path) in the caller's namespace. The kernel
 * gives it one if it has none.
 * @param id  out; at least 0
 * @return 0 or -errno
 */
int agent_netns_id(const char *name, int32_t *id);

#endif
