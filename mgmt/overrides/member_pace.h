/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * How fast a node may write members to the store that nodes share: all together MEMBER_PACE_PER_S records a second.
 *
 * All nodes that write have equal shares: of the node itself and of those whose writes came in within the last
 * MEMBER_PACE_HEARD_MS. What one of them does not use the others have in equal parts; it keeps what it wrote in its last
 * second, and a quarter of its share, MEMBER_PACE_SPARE at most. So one program that writes at one node has nearly all, and whoever begins has his share at
 * once. The others take back what they had of it as they hear him: all together exceed the bound for a second, and nodes that
 * begin at one moment by MEMBER_PACE_BURST records each.
 *
 * Pure; implemented in mgmt/overrides/member_pace.c.
 */
#ifndef WEIR_MGMT_OVERRIDES_MEMBER_PACE_H
#define WEIR_MGMT_OVERRIDES_MEMBER_PACE_H

#include <stddef.h>
#include <stdint.h>

#define MEMBER_PACE_PER_S    256u
#define MEMBER_PACE_BURST    100u /**< at once: one transaction */
#define MEMBER_PACE_SPARE    16u  /**< a second: room for a node to write more than it did */
#define MEMBER_PACE_HEARD_MS 10000u
#define MEMBER_PACE_NODES    64u    /**< that count */
#define MEMBER_PACE_WAIT_MS  10000u /**< a request that would wait for longer is refused */

/** Zeroed: nothing was written. */
struct member_pace {
	struct member_pace_writer {
		uint64_t node;        /**< hash_text() of its name; 0: none */
		uint64_t at_ms;       /**< of its last write */
		uint64_t second_ms;   /**< when the second began that is counted, */
		uint32_t n, n_before; /**< and the records in it, and in the one before */
	} writers[MEMBER_PACE_NODES];
	uint64_t used_milli; /**< of the burst, in thousandths of a record */
	uint64_t at_ms;
};

/** Another node has written @p n records at @p now_ms. Clocks here are monotonic. */
void member_pace_hear(struct member_pace *p, uint64_t node, size_t n, uint64_t now_ms);
/** How many records may be written now. */
size_t member_pace_allows(struct member_pace *p, uint64_t now_ms);
/** @p n records are written. */
void member_pace_spend(struct member_pace *p, size_t n, uint64_t now_ms);
/** How long @p n records will wait, behind @p before of others. */
uint64_t member_pace_wait_ms(struct member_pace *p, size_t before, size_t n, uint64_t now_ms);

#endif
