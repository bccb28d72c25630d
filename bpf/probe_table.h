/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of the probes' egress program, shared by its BPF half and its user-space half.
 */
#ifndef BPF_PROBE_TABLE_H
#define BPF_PROBE_TABLE_H

#include "weir/fwd/tables.h"

#define PROBE_IFINDEX_NONE 0xffffffffu /* PROBE_NO_WAY of weir/probe.h */
#define PROBE_GUE_PORT     6080u       /* as fwd_backend.gue_port_be for users' packets */

/* What a mark stands for: a backend's tunnel. */
struct probe_value {
	union fwd_addr dst;
	/* 0: the interface that the packet left by; PROBE_IFINDEX_NONE: nowhere */
	uint32_t ifindex;
	uint32_t gue;
};

/* Prefixes of the outer source addresses, by family. */
struct probe_sources {
	struct fwd_prefix source4, source6;
};

/* How a marked packet ends: index of the counters. */
enum probe_end {
	PROBE_END_SENT,
	PROBE_END_UNKNOWN,
	PROBE_END_NO_SOURCE,
	PROBE_END_TOO_BIG,
	PROBE_END_NO_ROUTE,
	PROBE_END_COUNT
};

#endif
