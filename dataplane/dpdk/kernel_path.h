/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The kernel path of a worker: frames for the kernel, policed by class (police.h), and the kernel's
 * own frames, through the worker's queues of the ports' TAPs. (Not the exceptions of owners/owners.h,
 * which are flows.) Implemented in dpdk/kernel_path.c; each worker's thread calls it.
 */
#ifndef WEIR_DATAPLANE_DPDK_KERNEL_PATH_H
#define WEIR_DATAPLANE_DPDK_KERNEL_PATH_H

#include "dataplane/dpdk/worker.h"
#include "weir/fwd/reason.h"

struct rte_mbuf;

/**
 * Give a frame, whose verdict is @p verdict, to the kernel; it is freed.
 * @return FWD_REASON_COUNT: taken; else the reason of the drop
 */
enum fwd_reason kernel_path_give(struct worker *w, const struct worker_port *port,
                                 struct rte_mbuf *m, enum fwd_reason verdict, uint64_t now_ns);
/** Read the frames that the kernel sends by @p port. @return frames in @p out, at most @p max */
uint32_t kernel_path_read(struct worker *w, const struct worker_port *port, struct rte_mbuf **out,
                          uint32_t max);

#endif
