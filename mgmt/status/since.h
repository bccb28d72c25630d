/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Since when each reason of the node's state is there (implemented in since.c): said once, as a wall
 * time, so that it is the same at each call; kept in RUN/since.page, so that weir-mgmt still knows it
 * after a restart. All calls under the core's lock.
 */
#ifndef WEIR_MGMT_STATUS_SINCE_H
#define WEIR_MGMT_STATUS_SINCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/judge/judge.h"

struct since;

#define SINCE_ROWS    (2 * JUDGE_REASONS_MAX) /**< reasons, notes, and those that may come again */
#define SINCE_KEPT_MS 15000u

/** Take over what the process before knew. Without a page it is kept in memory. */
MUST_CHECK struct since *since_open(const char *run_dir, uint64_t now_ms);
/** NULL is fine. */
void since_close(struct since *s);
/**
 * @return the wall time since when (@p code, @p subject) is there: what is known, else @p begin_ms,
 * which is known from now on
 */
int64_t since_when(struct since *s, const char *code, const char *subject, int64_t begin_ms,
                   uint64_t now_ms);
/** The wall time since when (@p code, @p subject) is there; 0: it is not known here. */
int64_t since_known(const struct since *s, const char *code, const char *subject);
/**
 * The beginning of (@p code, @p subject) is an event now.
 * @return whether that is news: no weir-mgmt before this one logged it. Of what has no row it is.
 */
bool since_log_begin(struct since *s, const char *code, const char *subject);
/** What since_round() forgets although its beginning is an event. */
typedef void since_on_end(void *arg, const char *code, const char *subject);
/** Begin a round: the questions until since_round() are for all that is there. */
void since_begin(struct since *s);
/**
 * End a round: what since_when() was not asked for since since_begin() is over.
 * @param unsettled  a process was restarted: what it stated may come again, and is forgotten only
 *                   after SINCE_KEPT_MS
 */
void since_round(struct since *s, bool unsettled, uint64_t now_ms, since_on_end *on_end, void *arg);

#endif
