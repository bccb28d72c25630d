/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Time, passed in: logic takes a number, only main loops read a clock.
 *
 * Monotonic times are milliseconds since boot (CLOCK_BOOTTIME), so they compare
 * between processes of one machine. Wall times are milliseconds since 1970, UTC.
 *
 * Implemented in base/clock.c. Any thread may call; a process's main loop alone calls
 * clock_believe().
 */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

/** 10000-01-01T00:00:00Z: no text has this instant or a later one. */
#define CLOCK_END_MS ((int64_t)253402300800000)
/** Enough for "2026-11-20T08:07:00.000Z". */
#define CLOCK_TEXT_MAX 32

/** Milliseconds since boot. */
uint64_t clock_mono_ms(void);
/** Nanoseconds since boot. */
uint64_t clock_mono_ns(void);
/** Milliseconds since 1970-01-01T00:00:00Z. */
int64_t clock_realtime_ms(void);
/**
 * The time that schedules, ramps and records go by: the boot clock and the offset given last to
 * clock_believe(); before the first, the wall clock. Safe from any thread.
 */
int64_t clock_believed_ms(void);
/** The believed time at @p mono_ms of the boot clock: equal instants give equal times. */
int64_t clock_believed_at(uint64_t mono_ms);
/** Believe that the wall clock is the boot clock plus @p offset_ms (base/wall_clock.h says when). */
void clock_believe(int64_t offset_ms);
/** The first 64 bits of the kernel's id of this boot; 0: it cannot be read. */
uint64_t clock_boot(void);
/** Whether the kernel says that the wall clock is synchronised (adjtimex(2)). */
bool clock_is_synchronised(void);

/** Write RFC 3339 in UTC with milliseconds. @return @p text */
const char *clock_text(int64_t wall_clock_ms, char text[CLOCK_TEXT_MAX]);
/** Read RFC 3339 with an offset or Z. @return 0, or -EINVAL, also from CLOCK_END_MS on */
MUST_CHECK int clock_parse(const char *text, int64_t *wall_clock_ms);
/** The same, or a day such as 2027-01-31: its beginning in UTC. @param is_day  out: whether it is one */
MUST_CHECK int clock_parse_day(const char *text, int64_t *wall_clock_ms, bool *is_day);
/** Whether clock_text() can write it. */
bool clock_is_time(int64_t wall_clock_ms);

#endif
