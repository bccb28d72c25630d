/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The keeper of the node's believed time (base/wall_clock.h says what that is): it hears the kernel and
 * the peers, decides, and publishes for the other processes (base/believed.h).
 *
 * STATE/clock keeps the last believed time, so that a boot does not begin with whatever the
 * hardware's clock says, and the *purge time*: the time by which what has ended is forgotten for
 * good. The purge time is never later than the believed time, and moves on by elapsed time alone: a
 * clock that leaps ahead purges nothing.
 *
 * Implemented in mgmt/peers/timekeep.c. The main thread opens, ticks and closes; the other functions
 * are for any thread, under the core's lock.
 */
#ifndef WEIR_MGMT_PEERS_TIMEKEEP_H
#define WEIR_MGMT_PEERS_TIMEKEEP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "base/wall_clock.h"
#include "mgmt/core/core.h"
#include "record/fields.h"

#define TIMEKEEP_FILE    "clock" /* state */
#define TIMEKEEP_KEEP_MS 60000u  /**< how often STATE/clock is written */

/**
 * Open page and record, and take the first believed time: before the intent, which is opened by
 * it. @return 0 or -errno
 */
int timekeep_open(struct core *core) MUST_CHECK;
void timekeep_close(struct core *core);
/** Read the clocks; four times a second from the main loop, under the lock. */
void timekeep_tick(struct core *core);
/** The time by which to purge. */
int64_t timekeep_purge_ms(const struct core *core);
/** Why the kernel's clock is not followed. Under the lock. */
enum wall_clock_hold timekeep_hold(const struct core *core);

/**
 * How far the kernel's clock is off the believed time, while it is not followed; else 0. Under
 * the lock.
 */
int64_t timekeep_off_by_ms(const struct core *core);

/**
 * A person accepts the kernel's clock, on record. Under the lock.
 * @return by how many milliseconds the believed time moved
 */
int64_t timekeep_accept(struct core *core, const char *author, const char *reason);

/** The clock as GET /v1/clock shows it. Under the lock. */
json_t *timekeep_json(const struct core *core);
/** What that makes. */
extern const struct record_kind clock_answer_kind;
/**
 * The clock as peers read it: the kernel's if that is synchronised, else the believed time. Under
 * the lock.
 */
int64_t timekeep_shown_ms(const struct core *core);

#endif
