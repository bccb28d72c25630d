/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * How fast a node may write members to the store that nodes share: all together MEMBER_PACE_PER_S records a second. A
 * node's share is that, divided by itself and the nodes whose writes came in within the last MEMBER_PACE_HEARD_MS. Who
 * begins to write is known to all with its first write, so that several that begin at one moment exceed the bound by
 * MEMBER_PACE_BURST records each, once.
 *
 * Pure; implemented in mgmt/overrides/member_pace.c.
 */
#ifndef WEIR_MGMT_OVERRIDES_MEMBER_PACE_H
#define WEIR_MGMT_OVERRIDES_MEMBER_PACE_H

#include <stddef.h>
#include <stdint.h>

#define MEMBER_PACE_PER_S    256u
#define MEMBER_PACE_BURST    100u /**< at once: one transaction */
#define MEMBER_PACE_HEARD_MS 10000u
#define MEMBER_PACE_NODES    64u    /**< that count */
#define MEMBER_PACE_WAIT_MS  10000u /**< a request that would wait for longer is refused */

/** Zeroed: nothing was written. */
struct member_pace {
	struct member_pace_writer {
		uint64_t node; /**< hash_text() of its name; 0: none */
		uint64_t at_ms;
	} writers[MEMBER_PACE_NODES];
	uint64_t used_milli; /**< of the burst, in thousandths of a record */
	uint64_t at_ms;
};

/** Another node has written at @p now_ms. Clocks here are monotonic. */
void member_pace_hear(struct member_pace *p, uint64_t node, uint64_t now_ms);
/** How many records may be written now. */
size_t member_pace_allows(struct member_pace *p, uint64_t now_ms);
/** @p n records are written. */
void member_pace_spend(struct member_pace *p, size_t n, uint64_t now_ms);
/** How long @p n records will wait, behind @p before of others. */
uint64_t member_pace_wait_ms(struct member_pace *p, size_t before, size_t n, uint64_t now_ms);

#endif
