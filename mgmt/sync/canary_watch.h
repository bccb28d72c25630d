/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Watches whether clients suffer from a version that is tried here first (weir/canary.h), or that is confirmed by itself: signs of
 * the five minutes before are compared with those since it is in force here, and with those of nodes that have the one before.
 *
 * Worse is a refusal of the version by this node (mgmt/sync/inforce_judge.h), with the evidence as its reason: so the node that made
 * the version takes it back, or, where that is dead, this one does.
 *
 * Implemented in mgmt/sync/canary_watch.c; all under the core's lock.
 */
#ifndef WEIR_MGMT_SYNC_CANARY_WATCH_H
#define WEIR_MGMT_SYNC_CANARY_WATCH_H

#include "mgmt/core/core.h"
#include "mgmt/core/signs.h"

/** Whether it is watched while it is not confirmed. */
bool canary_watch_is_of(const struct version *v);
/**
 * Look at the version in force here, of which @p f is this node's judgement.
 * @return true: it is watched and is worse, and @p text says what by how much
 */
bool canary_watch_look(struct core *core, const struct inforce *f, char text[SIGNS_TEXT_MAX]);

#endif
