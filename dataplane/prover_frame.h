/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Probe packets: choosing a flow of a service, making its frame, and judging what came out of the
 * forwarding code. Implemented in prover_frame.c. Pure but for the tables, which it only reads; the
 * loop's thread calls it.
 */
#ifndef WEIR_DATAPLANE_PROVER_FRAME_H
#define WEIR_DATAPLANE_PROVER_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/driver.h"
#include "weir/fwd/user.h"

/** A flow that a service's client could have. */
struct prover_flow {
	struct fwd_tuple tuple;
	uint64_t pool_id;
	uint32_t backend; /**< where its packet was to go when it was chosen; 0: nowhere */
	bool is4;
	/**
	 * Its slot is unsettled, so its packet is an ICMP error about it: that changes nothing, where
	 * a segment or datagram could make an exception.
	 */
	bool is_quoted;
};

enum prover_choice {
	PROVER_CHOICE_NONE, /**< no pool, or each source that a probe could have is an own address */
	PROVER_CHOICE_UNSAFE, /**< only new flows can be forwarded, and would be remembered */
	PROVER_CHOICE_FLOW,
};

/**
 * Choose a flow of @p service, whose pool is element @p pool of @p t: if there is one, a flow in a
 * settled slot whose owner can be sent to; else one in an unsettled slot whose base can. A flow
 * that is not forwarded is chosen only if there is no other. @param start  another number, other
 * flows
 */
enum prover_choice prover_flow_choose(const struct fwd_tables *t, const struct fwd_service *service,
                                      uint32_t pool, uint32_t start, struct prover_flow *out);
/** Write the flow's packet in a frame to the port's address @p mac. */
void prover_frame_make(const struct prover_flow *f, const uint8_t mac[6], struct driver_probe *out);
/**
 * Whether @p to, which the code wants to send, is what it must make of @p from: the packet with one
 * hop less, in a tunnel (mode l2: in a frame) to a backend of the flow's pool.
 */
bool prover_frame_is_forwarded(const struct fwd_tables *t, const struct prover_flow *f,
                               const struct driver_probe *from, const struct driver_probe *to);

#endif
