/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * People's commands in the store that nodes share. A command rests on the last one at its target that this node knows: if
 * somebody else has given one since, it is refused, and the refusal names who. Guards look at more than one target: a command
 * that they let pass is written only if nothing that they look at was written since, anywhere; else they judge again. Where the store does not answer in time it is kept at this
 * node, goes to the other nodes without the store (mgmt/peers/peers.h), and is written there once that can be done.
 *
 *   command/TARGET   the last command at a target: compared by the next one
 *   override/ID      an override as it was commanded last; steps of operations are none of these, they follow from operations
 *
 * Which of two commands is in force is no matter of the store: the later one (mgmt/overrides/override.h).
 *
 * Implemented in mgmt/sync/shared_commands.c. Under the core's lock, unless a function says otherwise.
 */
#ifndef WEIR_MGMT_SYNC_SHARED_COMMANDS_H
#define WEIR_MGMT_SYNC_SHARED_COMMANDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/store/command.h"
#include "mgmt/store/shared_etcd.h"

struct shared_commands;
struct shared_members;

/**
 * Begin; not under the lock. @param stop  ends all calls; borrowed until the end
 * @return 0 and @p out for shared_commands_stop(), or -errno with a reason
 */
MUST_CHECK int shared_commands_start(struct core *core, const struct etcd_settings *settings,
                                     const char *prefix, const atomic_bool *stop,
                                     struct shared_commands **out, char reason[ETCD_REASON_MAX]);
/** Let its client know of members of the store that joined later. */
void shared_commands_add_to(struct shared_commands *s, struct shared_members *m);
#define SHARED_COMMANDS_LOOK_MS                                                                    \
	1000u /**< between two looks for what the store lacks, if something changes */
/**
 * Write what the store lacks of commands. The lock is given up meanwhile, for as long as it takes the store. By one thread.
 * @return when to call again if nothing changes, monotonic
 */
uint64_t shared_commands_settle(struct core *core);
/** End; not under the lock; core->stopping and the stop flag are set. NULL: nothing is done. */
void shared_commands_stop(struct shared_commands *s);

/**
 * Whether a command may make the changes @p list of one target: the store has decided it, or does not say. The lock is given
 * up meanwhile, for up to seven seconds. If @p result has verdicts, nothing that guards look at was written since they were
 * judged, which was under this lock.
 * @return COMMAND_MAY_NOT: another command came first; @p result has its override, where that is known, and says so.
 *   COMMAND_MAY_AGAIN: what it rests on is another now, and mostly here: work it out again
 */
enum command_may shared_commands_decide(struct core *core, const struct override *list, size_t n,
                                        struct command_result *result);
/**
 * Let @p c rest on the last command at the target of @p o that this node knows, and make @p o the last one. It has at least id,
 * target, generation, principal and node.
 */
void shared_commands_add_last(struct core *core, const struct override *o, struct shared_change *c);
/**
 * Take the overrides among records of the store, as intent_receive(). Records that are none are ignored, with a log.
 * @param restored  the store may be older than this node: of what this node does not have, only what it cannot have
 *   forgotten is taken
 */
void shared_commands_accept(struct core *core, const struct shared_record *list, size_t n,
                            bool restored);

#endif
