/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Members whose ttl is over without a renewal, and records of members that are gone, by a thread of its own: it writes.
 *
 * A member that is expired stays while its checks say up, or nothing: lost information removes nothing. If they say down
 * it leaves; in a pool with on_expiry = "drain" it leaves whatever they say. Never is the last backend for new flows let
 * go. Only nodes of the pool's site look, as only they check its backends; each waits MEMBER_EXPIRY_TURN_MS longer than the
 * one before it, so that mostly one writes. A node that has started gives each member a whole ttl.
 *
 * Implemented in mgmt/sync/member_expiry.c. The main thread starts and stops it.
 */
#ifndef WEIR_MGMT_SYNC_MEMBER_EXPIRY_H
#define WEIR_MGMT_SYNC_MEMBER_EXPIRY_H

#include "base/checked.h"
#include "mgmt/core/core.h"

#define MEMBER_EXPIRY_TURN_MS 5000u

struct member_expiry;

MUST_CHECK int member_expiry_start(struct core *core, struct member_expiry **out);
/** End it; core->stopping is set. NULL: nothing is done. */
void member_expiry_stop(struct member_expiry *e);

#endif
