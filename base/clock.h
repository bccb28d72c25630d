/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Time, passed in: logic takes a number, only main loops read a clock.
 *
 * Monotonic times are milliseconds since boot (CLOCK_BOOTTIME), so they compare
 * between processes of one machine. Wall times are milliseconds since 1970, UTC.
 */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Enough for "2026-11-20T08:07:00.000Z". */
#define CLOCK_TEXT_MAX 32

/** Milliseconds since boot. */
uint64_t clock_mono_ms(void);
/** Nanoseconds since boot. */
uint64_t clock_mono_ns(void);
/** Milliseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall_ms(void);
/** Whether the kernel says that the wall clock is synchronised (adjtimex(2)). */
bool clock_is_synchronised(void);

/** Write RFC 3339 in UTC with milliseconds. @return @p text */
const char *clock_text(int64_t wall_ms, char text[CLOCK_TEXT_MAX]);
/** Read RFC 3339 with an offset or Z. @return 0 or -EINVAL */
int clock_parse(const char *text, int64_t *wall_ms);

#endif
