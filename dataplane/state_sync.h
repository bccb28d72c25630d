/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Learning (state sync, warm-up): a node that started on empty tables waits for a peer's state of
 * slots (weir/conn_state.h).
 *
 * Meanwhile it forwards by document and verdicts. Routers should send it packets only afterwards,
 * since connections may break that a peer placed during a death. Implemented in state_sync.c; the loop's
 * thread calls it.
 */
#ifndef WEIR_DATAPLANE_STATE_SYNC_H
#define WEIR_DATAPLANE_STATE_SYNC_H

#include "dataplane/tables/compiler.h"

/**
 * Learning ends after so long, even without an answer: a cluster whose nodes all start must not
 * wait for ever.
 */
#define STATE_SYNC_MAX_MS 30000u

struct state_sync {
	uint64_t from_ms;     /**< when learning began; 0: it has not */
	uint64_t accepted_ms; /**< files that were written up to then are ignored */
};

/**
 * Call it each second: if @p n is learning, apply a peer's state when it is below @p run_dir. Without
 * a peer at the site that could be asked, learning ends with the last verdict.
 */
void state_sync_tick(struct state_sync *l, struct compiler *n, const char *run_dir,
                     const struct compiler_time *time);

#endif
