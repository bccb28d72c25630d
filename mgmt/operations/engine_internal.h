/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The parts of the engine. A tick is one call of operation_next() or of a person's command.
 *
 * Levels are frozen, written and read in level.c; steps run in step.c; the states that rest are in resting.c; ways back in
 * recovery.c; commands in command.c and takeover.c (what they share: command_parts.c); records that are older than the levels in stale_record.c; levels that the owner did
 * not write in partition.c; nodes that are named absent in absent.c; evidence in history.c; holds, and what all of these use, in
 * transition.c.
 */
#ifndef WEIR_MGMT_OPERATIONS_ENGINE_INTERNAL_H
#define WEIR_MGMT_OPERATIONS_ENGINE_INTERNAL_H

#include "mgmt/operations/engine.h"
#include "mgmt/operations/facts.h"

/** A missing value or guard that cannot tell holds after this time; one that trips holds at once. */
#define TICK_UNKNOWN_MS 1500
/** A record may be behind the levels for this long: a later one may be on its way from the store. */
#define TICK_BEHIND_MS 10000
/** After a step's ramp has ended, nodes have this long until the level is in force. */
#define TICK_FORCE_MS 30000
/** New flows have this long, after one TTL, to be as projected. */
#define TICK_SHARE_MS 60000
/** A stage of a return may take this long. */
#define TICK_STAGE_MS 900000
/** A process that was stopped for longer has not watched: more than this of a gap does not count. */
#define TICK_GAP_MS 2000
/** Numbers of what is waited for are written so often. */
#define TICK_PUBLISH_MS 10000
/** New flows may differ so much from the projection. */
#define TICK_SHARE_PPM 50000
/** Fewer new flows, or answers, in the window do not tell a share. */
#define TICK_FLOWS_MIN   200u
#define TICK_ANSWERS_MIN 1000u
/** Where a person lets an unknown TTL pass: the longest that may have been given. */
#define TICK_TTL_UNKNOWN_S 300u

struct tick {
	struct operation *op;
	const struct operation_facts *facts;
	int64_t now_ms;
	struct operation_act *act; /**< NULL in a command */
	bool changed;
};

/** The record has changed: its seq rises by one, however often in a tick, and it is sent. */
static inline void tick_change(struct tick *t)
{
	t->changed = true;
}
__attribute__((format(printf, 2, 3))) void tick_note(struct tick *t, const char *format, ...);
__attribute__((format(printf, 2, 3))) void tick_wait(struct tick *t, const char *format, ...);
/** Go to another state. */
void tick_enter(struct tick *t, enum operation_state state);
/** Stop here, with a reason: levels stay where they are. */
__attribute__((format(printf, 3, 4))) void tick_hold(struct tick *t, enum rule_id rule,
                                                     const char *format, ...);
/** The same by this reason, also of one that another one holds. */
__attribute__((format(printf, 3, 4))) void tick_hold_instead(struct tick *t, enum rule_id rule,
                                                             const char *format, ...);
/** The record is over. @param rule  RULE_NONE: as it was meant to */
__attribute__((format(printf, 4, 5))) void tick_end(struct tick *t, enum operation_state state,
                                                    enum rule_id rule, const char *format, ...);

/* level.c */
/** Whether all name servers that take part have the last write in force; *missing: one that has not. */
enum operation_truth level_in_force(const struct tick *t, const char **missing);
/** The same of a hold: a name server that is higher than it takes back has it, too. */
enum operation_truth level_is_held(const struct tick *t, const char **missing);
/** Write the targets' override again, from one level to another. */
void level_write(struct tick *t, uint32_t from_ppm, uint32_t to_ppm, int64_t from_ms,
                 int64_t over_ms);
/** Whether they all are at the operation's level or beyond, by whichever write. */
enum operation_truth level_is_reached(const struct tick *t, const char **missing);
/**
 * The highest level of the record and the nodes with its epoch: on a way back, none is called back
 * that was behind. If nodes have a higher epoch the record is old, and only these count.
 */
uint32_t level_of_epoch(const struct tick *t);
/** No node is higher than this by a write of this owner, or seen by a person (partition.c). */
uint32_t level_bound(const struct operation *op);
/** Hold at the operation's level, if anything was ever written. */
void level_keep(struct tick *t);
/** Hold at a level, at once: write it in this epoch. */
void level_stop(struct tick *t, uint32_t level_ppm);
/** Stop a step that is not in force everywhere, at the furthest level of any node. */
void level_freeze(struct tick *t);
/** While no step runs: nodes that had gone further when they got the hold are followed. @return so */
bool level_follow(struct tick *t);

/* step.c */
/** Begin a way: its plan, what is normal now, which nodes take part. */
void step_begin_way(struct tick *t);
/** Note which nodes are reached: from now on each of them may be missed. */
void step_note_nodes(struct tick *t);
/** Run the steps of the plan. @return whether all have ended */
bool step_run(struct tick *t);
/** Ask the guards; hold if one trips. @return whether all is well */
bool step_query_guards(struct tick *t, enum operation_moment moment);

/** With all clients away, those that come late are the backup's, one TTL from now; once. */
void step_open_backup(struct tick *t);
/** The longest TTL that was given before a step began, s. */
uint64_t step_ttl_s(const struct operation *op);
/** How long earlier answers may be in use, with what is waited on top (MODEL_AFTER_TTL_MS). */
int64_t step_wait_ms(const struct operation *op);

/* history.c */
struct operation_step *history_last(struct operation *op);
void history_begin(struct tick *t, uint32_t from_ppm, uint32_t to_ppm);
/** Keep the smallest margin of each guard. */
void history_margins(struct operation *op, const struct operation_verdict *verdicts);
/** Note what the operation is held by now. */
void history_hold(struct tick *t);
/** Note guards that tripped and are overridden, each once. */
void history_overridden(struct tick *t, const struct operation_verdict *verdicts);
/** Note who comes late now, and of all who did each prefix at its most. */
void history_late(struct tick *t);
/** Note the loads and the share as they are now. */
void history_measure(struct tick *t);
/** Note the loads of all sites. @return how many */
uint32_t history_loads(const struct tick *t, struct operation_load *out);

/* takeover.c */
/** A person's command at a target ends the automation. @return so: nothing is written any more */
bool person_ends(struct tick *t);
/** After a change of owner: wait until the levels of all nodes are known and in force, go on. */
void own_read_levels(struct tick *t);
/** Whether a new owner holds it, which goes on by itself once the levels of all nodes are read. */
bool own_goes_on(const struct operation *op);
/**
 * Refuse a resume while the levels are not read, where it cannot change anything.
 * @param adds  the person overrides a guard or names a node absent that was not before
 * @return 0; -EALREADY: it goes on by itself; -EINVAL: a node is missing, named in @p error
 */
MUST_CHECK int own_refuse_resume(const struct tick *t, bool adds, char *error);
/** Read the levels, and then go on: a resume of one that was held before, or for too long. */
void own_resume(struct tick *t);

/* stale_record.c */
/** Whether nodes have levels of a later change than the record. */
bool behind_is(const struct operation *op, const struct operation_facts *facts);
/** Wait for the later record; where it does not come, hold. @return whether the record is behind */
bool behind_watch(struct tick *t);
/** The level and the state are what the levels say, not what the record says; a new owner reads the levels. */
void behind_follow(struct tick *t);
/** A new owner counts its steps from the last one that any node has of its epoch. @return whether that was later */
bool behind_count_steps(struct tick *t);

/* partition.c */
/** The highest level that a name server says, also one that is named absent; 0: none does. */
uint32_t apart_highest(const struct tick *t);
/** Whether a name server has a level that the last write does not reach. */
bool apart_is_any(const struct tick *t);
/** Whether it is held by them, so that persons have seen it. */
bool apart_holds(const struct operation *op);
/** Hold if so, whatever else it is held by. */
void apart_check(struct tick *t);

/* absent.c */
/** A node is not absent. */
void absent_drop(struct operation *op, const char *node);
/** Nodes that were named absent, and are there, take part again. */
void absent_return(struct tick *t);
/** Before a new way: what persons added for the last one is over. */
void absent_next_way(struct tick *t);

/* resting.c */
void stay_late(struct tick *t);
void stay_drained(struct tick *t);
void stay_unconfirmed(struct tick *t);
void stay_shift(struct tick *t);

/* recovery.c */
/** Turn around: stop the running step; what follows is of a new epoch, so that of two writes of one
 * epoch both go in the same direction. */
void back_turn(struct tick *t, enum operation_way way);
/** Begin the return of all targets. */
void back_begin(struct tick *t);
void back_return(struct tick *t);
void back_abort(struct tick *t);

#endif
