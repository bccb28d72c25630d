/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What second chance needs of the kernel beside the XDP program: the program at the
 * interface's ingress that sends packets on, and ids of network namespaces. For agent.c alone.
 */
#ifndef WEIR_BPF_AGENT_SECOND_H
#define WEIR_BPF_AGENT_SECOND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Put @p prog_fd at the ingress of @p ifindex, or in the place of the one that is there. @return 0 or -errno */
int agent_second_attach(unsigned ifindex, int prog_fd);
/** Take it off; it may not be there. The clsact queueing discipline stays: others may use it. @return 0 or -errno */
int agent_second_detach(unsigned ifindex);
/** Whether one is there. */
bool agent_second_is_attached(unsigned ifindex);
/**
 * The id that this namespace has for the one named @p name (of /run/netns, or a path), which
 * gets one if it has none.
 * @param id  out; at least 0
 * @return 0 or -errno
 */
int agent_netns_id(const char *name, int32_t *id);

#endif
