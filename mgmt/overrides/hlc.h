/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A clock that orders commands of people at nodes that cannot ask each other: a hybrid logical clock (Kulkarni et al.,
 * "Logical Physical Clocks", OPODIS 2014).
 *
 * A stamp is one number: wall time in milliseconds, and in its low HLC_COUNT_BITS a count within it. A node's next stamp
 * is later than each one that it has, also when its wall clock is behind or goes back. So a command that was given with
 * knowledge of another one is the later of the two; of two that did not know of each other the later time wins.
 *
 * A stamp of another node that is ahead of this node's clock by more than HLC_AHEAD_MS is not taken, or a node with a
 * wrong clock would win over commands that it does not know until that time comes. Nobody gives it another stamp but the
 * node that made it, once its clock is right (mgmt/store/clock_step.c): else nodes would disagree about which command is
 * the later.
 *
 * Pure; implemented in mgmt/overrides/hlc.c.
 */
#ifndef WEIR_MGMT_OVERRIDES_HLC_H
#define WEIR_MGMT_OVERRIDES_HLC_H

#include <stdbool.h>
#include <stdint.h>

#define HLC_AHEAD_MS   ((int64_t)5 * 60 * 1000)
#define HLC_COUNT_BITS 11u
#define HLC_END                                                                                    \
	((uint64_t)1 << 53) /**< stamps are below: JSON has each exactly, until the year 2109 */

/** The next stamp of a node whose newest is @p newest (0: it has none), at @p now_ms of its clock. */
uint64_t hlc_next(uint64_t newest, int64_t now_ms);
/** The wall time of a stamp. */
int64_t hlc_ms(uint64_t stamp);
/** Whether it is too far ahead of @p now_ms to be taken. */
bool hlc_is_ahead(uint64_t stamp, int64_t now_ms);

#endif
