/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The agent's programs at an interface's ingress and egress: tc filters with a fixed handle and
 * priority, so that a later process finds and replaces them without keeping anything. For agent.c
 * and agent_mss.c; implemented in agent_tc.c.
 */
#ifndef WEIR_BPF_AGENT_TC_H
#define WEIR_BPF_AGENT_TC_H

#include <stdint.h>

#include <bpf/libbpf.h>

/**
 * Attach @p prog_fd at @p point (BPF_TC_INGRESS or BPF_TC_EGRESS) of @p ifindex, in place of an
 * earlier agent's.
 * @return 0 or -errno
 */
int agent_tc_attach(unsigned ifindex, enum bpf_tc_attach_point point, int prog_fd);
/**
 * Detach it, if it is there. The clsact queueing discipline stays: others may use it.
 * @return 0 or -errno
 */
int agent_tc_detach(unsigned ifindex, enum bpf_tc_attach_point point);
/** The program that is there; 0: none. */
uint32_t agent_tc_program(unsigned ifindex, enum bpf_tc_attach_point point);

#endif
