/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Confirms the version that waits once all nodes are well for as long as it says (struct version, well_for_ms): those of its place
 * with it in force, others with the one before.
 *
 * A node is well where it gives no reason to be less, but for the version that waits; all nodes of the configuration have to
 * say so, with the version in force. What is not known is not well. Only the node that made the version looks, as nodes differ for
 * moments in what they have heard; where it is gone, or the store is, the deadline takes the version back.
 *
 * Implemented in mgmt/sync/confirm_well.c; all under the core's lock.
 */
#ifndef WEIR_MGMT_SYNC_CONFIRM_WELL_H
#define WEIR_MGMT_SYNC_CONFIRM_WELL_H

#include "mgmt/core/core.h"

#define CONFIRM_WELL_TEXT_MAX (WELL_TROUBLE_MAX + MODEL_NAME_MAX + 288u)

/** Look, and confirm what is due: after each judgement (mgmt/sync/inforce_judge.h). */
void confirm_well_look(struct core *core);
/** Find what is not well now, as "fra-1: backend-down pools/web/backends/b1"; "": nothing. */
void confirm_well_trouble(const struct core *core, char out[WELL_TROUBLE_MAX]);
/** What the version that waits does so for besides people, for a sentence; "": for nothing. */
void confirm_well_say(const struct core *core, char out[CONFIRM_WELL_TEXT_MAX]);

#endif
