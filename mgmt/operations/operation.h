/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The record of an operation: a drain or shift of sites that measures each step, as a value.
 *
 * One node owns an operation. Each change of the record is decided before anything follows from it, as one of the record
 * that it was made from (mgmt/controller/operation_decide.h); each change of owner takes a higher epoch.
 *
 * Levels are parts per million of the site's clients that are sent elsewhere: 0 is normal, 1,000,000
 * is drained. They run over the levels of a plan (mgmt/operations/plan.h), one at a time.
 *
 * Implemented in mgmt/operations/record.c; operation_init() in command.c. A record belongs to one thread at a time. Zeroed is a
 * valid start: operation_init() fills the rest.
 */
#ifndef WEIR_MGMT_OPERATIONS_OPERATION_H
#define WEIR_MGMT_OPERATIONS_OPERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/overrides/override.h"
#include "mgmt/rules/rule.h"
#include "weir/model.h"

#define OPERATION_TARGETS_MAX  8u   /**< sites that one operation moves */
#define OPERATION_PLAN_MAX     8u   /**< levels of one way, out or back */
#define OPERATION_HISTORY_MAX  32u  /**< steps that are remembered, the newest */
#define OPERATION_SITES_MAX    64u  /**< sites: as many as a configuration may have */
#define OPERATION_LOADS_MAX    16u  /**< sites whose load a step remembers */
#define OPERATION_NODES_MAX    256u /**< nodes that are remembered: all that the schema allows */
#define OPERATION_WITHOUT_MAX  64u  /**< nodes that are named absent */
#define OPERATION_LATE_MAX     16u  /**< prefixes of late clients that are remembered */
#define OPERATION_FAILURES_MAX 16u  /**< failures that are remembered, the newest */
#define OPERATION_DETAIL_MAX   192u /**< bytes of a reason, with the NUL */
#define OPERATION_EPOCHS       MODEL_STEP_OWNER_EPOCHS /**< of one owner: one more for each turn */
/** 32 bits, and what is left for one more owner. */
#define OPERATION_EPOCH_MAX   (UINT32_MAX - 2 * OPERATION_EPOCHS)
#define OPERATION_OVER_MAX_MS ((int64_t)7 * 24 * 3600 * 1000)

enum operation_kind { OPERATION_DRAIN, OPERATION_SHIFT, OPERATION_KIND_COUNT };

/**
 * Where an operation is. Columns: word in the API, state. What ends each: mgmt/operations/engine.h.
 */
#define OPERATION_STATES(row)                                                                      \
	row("starting", STARTING) row("moving", MOVING) row("late", LATE) row("drained", DRAINED)  \
	        row("drained_unconfirmed", DRAINED_UNCONFIRMED) row("empty", EMPTY)                \
	                row("held", HELD) row("expired_held", EXPIRED_HELD)                        \
	                        row("returning", RETURNING) row("resting", RESTING)                \
	                                row("done", DONE) row("aborting", ABORTING)                \
	                                        row("aborted", ABORTED) row("failed", FAILED)
enum operation_state {
#define OPERATION_STATE_ROW(text, name) OPERATION_##name,
	OPERATION_STATES(OPERATION_STATE_ROW)
#undef OPERATION_STATE_ROW
	        OPERATION_STATE_COUNT
};

/** What a return has to see, in this order, before its first step. */
enum operation_stage {
	OPERATION_STAGE_POOLS,    /**< own pools up by the site's own checks */
	OPERATION_STAGE_ANNOUNCE, /**< its VIPs announced with proof */
	OPERATION_STAGE_OUTSIDE,  /**< up as seen from outside */
	OPERATION_STAGE_BACKUP,   /**< no backup member has a slot at any node */
	OPERATION_STAGE_STEPS,    /**< and then the steps */
	OPERATION_STAGE_COUNT
};

/** Guards are the first rules of all: OPERATION_RULES of mgmt/rules/rule.h. */
#define OPERATION_GUARD_COUNT (OPERATION_GUARD_OTHER + 1)
/** Bytes of why an operation is held or has ended: the name of such a rule or of one of STEP_RULES; "": as it was meant to. */
#define OPERATION_CODE_MAX 24u

/** The direction of the running way: are clients sent away from the targets, or back to them? */
enum operation_way { OPERATION_OUT, OPERATION_BACK };

/** A value that may be missing. Missing is never 0. */
struct operation_value {
	bool known;
	uint64_t value;
};

/** One that is not known is 0. */
static inline struct operation_value operation_value_of(bool known, uint64_t value)
{
	return (struct operation_value){ .known = known, .value = known ? value : 0 };
}

/** The sum; not known where one of both is not. */
static inline struct operation_value operation_value_add(struct operation_value a,
                                                         struct operation_value b)
{
	return operation_value_of(a.known && b.known, a.value + b.value);
}

/** What should be announced by the targets' nodes. */
enum operation_announce {
	OPERATION_ANNOUNCE_NORMAL,   /**< as configured */
	OPERATION_ANNOUNCE_SHUTDOWN, /**< graceful shutdown */
	OPERATION_ANNOUNCE_WITHDRAWN,
	OPERATION_ANNOUNCE_COUNT
};

/** What the override of a target must say now; each node builds a struct override from it. */
struct operation_write {
	uint32_t epoch, step; /**< of its generation; a node keeps the highest */
	int64_t from_ms, over_ms;
	uint32_t from_ppm, to_ppm; /**< from_ppm > to_ppm: a step back */
	int64_t late_from_ms;      /**< from when the backup takes new flows; 0: never */
	bool ended;                /**< the override is over: level 0, and not seen any more */
	enum operation_announce own, shared; /**< VIPs of the target alone; of several sites */
};

struct operation_target {
	char site[MODEL_NAME_MAX];
	char override_id[MODEL_ID_MAX];
	/** new flows a second that own backends accepted before, silent SYNs not among them */
	struct operation_value baseline;
};

struct operation_load {
	char site[MODEL_NAME_MAX];
	struct operation_value flows, bits, capacity_flows, capacity_bits; /**< a second */
	struct operation_value expected_flows; /**< by the projection at this step's level */
};

/** What is remembered of a step. Instants are ms of the wall clock; 0: not yet. */
struct operation_step {
	uint32_t from_ppm, to_ppm, write_step;
	enum operation_state state; /**< moving, returning or aborting */
	int64_t begun_ms, in_force_ms, ended_ms;
	struct operation_value ttl_s; /**< longest given when it began */
	struct operation_value share_ppm, expected_ppm;
	struct operation_value least_ppm, most_ppm; /**< of the share: what was projected */
	bool judged;                                /**< the share was judged */
	char not_judged[OPERATION_DETAIL_MAX];      /**< else why not */
	struct operation_load loads[OPERATION_LOADS_MAX];
	uint32_t n_loads;
	int64_t margins[OPERATION_GUARD_COUNT]; /**< the smallest, percent; INT64_MAX: none known */
};

struct operation_hold {
	char code[OPERATION_CODE_MAX], detail[OPERATION_DETAIL_MAX];
	int64_t since_ms;
	enum operation_state from; /**< where a resume goes on */
};

/** Signs of suffering at a site that gets clients, a second, when the way began. */
struct operation_signs {
	char site[MODEL_NAME_MAX];
	struct operation_value repeats, drops;
};

/** Clients that still came to the drained site. */
struct operation_late {
	char prefix[MODEL_NAME_MAX];
	struct operation_value flows; /**< a second */
};

/** What stopped the operation (a hold, by whatever), or a guard that tripped and was overridden. */
struct operation_failure {
	char code[OPERATION_CODE_MAX], detail[OPERATION_DETAIL_MAX];
	int64_t at_ms, until_ms; /**< until_ms: when it went on; 0: not yet, or it never stopped */
	bool overridden;
};

struct operation {
	/* set once */
	char id[MODEL_ID_MAX];
	enum operation_kind kind;
	char service[MODEL_NAME_MAX]; /**< "": all at the site */
	char author[MODEL_NAME_MAX], principal[PRINCIPAL_MAX], reason[OVERRIDE_REASON_MAX];
	int64_t created_ms, until_ms; /**< MODEL_TIME_NEVER: none */
	int64_t over_ms;              /**< at least so long for all steps of one way; 0: no pace */
	bool now;                     /**< one step */
	bool withdraw;                /**< VIPs of this site alone are withdrawn, too */
	uint32_t goal_ppm;            /**< where the way out ends */
	uint32_t began_ppm;           /**< where the running way began; an abort goes back to it */
	char command_node[MODEL_NAME_MAX]; /**< the node that was given the command */
	/** of the command that began it: later than all that its node knew, and earlier than what overrules it (mgmt/overrides/hlc.h) */
	uint64_t stamp;

	/* what persons add */
	bool overridden[OPERATION_GUARD_COUNT];
	char without[OPERATION_WITHOUT_MAX][MODEL_NAME_MAX]; /**< nodes named absent */
	uint32_t n_without;

	/* the running state */
	char owner[MODEL_NAME_MAX];
	uint32_t epoch, writes; /**< writes: how many of this epoch, the step of the generation */
	uint64_t seq;           /**< changes of the record in this epoch */
	enum operation_state state;
	enum operation_stage stage; /**< of a return */
	enum operation_way way;
	struct operation_target targets[OPERATION_TARGETS_MAX];
	uint32_t n_targets;
	struct operation_write write; /**< the last one, the same for all targets; epoch 0: none */
	uint32_t plan_from_ppm, plan_ppm[OPERATION_PLAN_MAX], n_plan;
	uint32_t step;      /**< of plan_ppm: the running one, or the next if !step_runs */
	bool step_runs;     /**< it was written and has not ended */
	uint32_t level_ppm; /**< the furthest level that was written and seen in force */
	/** on a way out: up to where a person has seen nodes ahead of it, or an override that it went on from had brought them */
	uint32_t met_ppm;
	uint64_t key_fingerprint; /**< of the hash key when it began; 0: not known */
	struct operation_hold hold;
	bool expiry_announced, expired; /**< events: 15 minutes before until, and at it */
	bool reads_levels;              /**< the levels of all nodes must be read first */
	int64_t late_from_ms;
	char waits[OPERATION_DETAIL_MAX]; /**< what the state waits for, in plain words */
	/** hash_text() of their names: reached when it began or went on, or since */
	uint64_t took_part[OPERATION_NODES_MAX];
	uint32_t n_took_part;

	/* what was seen */
	struct operation_step steps[OPERATION_HISTORY_MAX]; /**< the newest last */
	uint32_t n_steps, steps_lost;
	struct operation_load before[OPERATION_SITES_MAX], after[OPERATION_SITES_MAX];
	uint32_t n_before, n_after;
	struct operation_signs signs[OPERATION_SITES_MAX];
	uint32_t n_signs;
	struct operation_late late[OPERATION_LATE_MAX];
	uint32_t n_late;
	/** of all that came, each at its most */
	struct operation_late was_late[OPERATION_LATE_MAX];
	uint32_t n_was_late;
	struct operation_failure failures[OPERATION_FAILURES_MAX]; /**< the newest last */
	uint32_t n_failures, failures_lost;
	uint32_t holds;                                  /**< how often it was held */
	int64_t began_ms, full_ms, drained_ms, ended_ms; /**< full: 100 % in force */

	/* of the owner's process, neither sent nor stored: elapsed time by its monotonic clock */
	int64_t waited_ms;  /**< since the last instant that something waits for */
	int64_t in_step_ms; /**< since the step was written */
	int64_t unknown_ms; /**< since when something needed is missing, without a break */
	int64_t unjudged_ms; /**< since when a share cannot be judged, because something is missing */
	int64_t unnamed_ms;    /**< since a target was named, or was seen to get clients */
	int64_t state_ms;      /**< in this state and stage */
	int64_t behind_ms;     /**< since nodes have levels of a later change than the record */
	int64_t published_ms;  /**< since the record was written last */
	bool is_unpublished;   /**< numbers in `waits` have changed since */
	bool shared_withdrawn; /**< VIPs of several sites */
};

/** Names that a person gave; borrowed. */
struct operation_names {
	const char *items[OPERATION_WITHOUT_MAX];
	size_t n;
};

/** What a person says where an operation begins, or to one that is there; texts are borrowed. */
struct operation_person {
	const char *author, *principal, *reason;
	bool overridden[OPERATION_GUARD_COUNT]; /**< by name; to one that is there, in addition */
	struct operation_names without;         /**< nodes named absent, likewise */
	/* where it begins, of a return or redirect */
	bool now;        /**< in one step */
	int64_t over_ms; /**< its pace; 0: none, of a return or redirect as before */
	/* where it begins, of a redirect */
	uint32_t goal_ppm; /**< of a shift; a drain's is 1,000,000 */
	int64_t until_ms;  /**< when it returns by itself; MODEL_TIME_NEVER: never */
	bool withdraw;     /**< VIPs of its sites alone are withdrawn, too */
};

/** What an operation begins with; texts are borrowed. */
struct operation_request {
	const char *id, *node; /**< the new operation's id; the node that was asked */
	enum operation_kind kind;
	const struct operation_target *targets; /**< [n_targets], without a baseline */
	size_t n_targets;
	const char *service;
	/* of the targets' override, if there is one: the record's first write keeps it where it is */
	bool has_override;
	uint32_t level_ppm;   /**< at which it is now; 0 where there is none */
	uint32_t ahead_ppm;   /**< up to where it may bring nodes before they have that write */
	int64_t late_from_ms; /**< from when on backups take its late clients; 0: never */
	uint64_t stamp;       /**< of the command */
	struct operation_person person;
};

/**
 * Start a record: state starting, in the first epoch, owned by the node that was asked.
 * @param error  room for OPERATION_DETAIL_MAX: which field is wrong
 * @return 0, -EINVAL (a text too long, until in the past, no site, a level out of range) or -E2BIG
 */
MUST_CHECK int operation_init(struct operation *op, const struct operation_request *request,
                              int64_t now_ms, char *error);

/** "drain", "shift" */
const char *operation_kind_text(enum operation_kind kind);
/** The word of a state, a stage. */
const char *operation_state_text(enum operation_state state);
const char *operation_stage_text(enum operation_stage stage);
/** @return the value, or -1 when there is none with this word */
int operation_state_find(const char *text);

/** Whether both are the same change of one operation. */
bool operation_is_same(const struct operation *a, const struct operation *b);
/** Its record will not change any more: done, aborted, failed. */
bool operation_is_over(const struct operation *op);
/** It changes levels, or is about to: of these only one may be in the cluster. */
bool operation_moves(const struct operation *op);
/** It makes steps, or a hold has stopped them: moving, returning or aborting. */
bool operation_is_under_way(const struct operation *op);
/** Whether an abort has made it turn back already, so that another is refused. */
bool operation_goes_back(const struct operation *op);
/** Whether an abort has a way to go back: what rests is returned. */
bool operation_may_abort(const struct operation *op);
/** held or expired_held */
bool operation_is_held(const struct operation *op);
/** The state that a hold stopped; of one that is not held, its state. */
enum operation_state operation_unheld_state(const struct operation *op);
bool operation_targets_site(const struct operation *op, const char *site);
/** Whether it moves clients of @p service: all services, or this one alone. */
bool operation_moves_service(const struct operation *op, const char *service);
/** Whether a target's level is written to this override. */
bool operation_has_override(const struct operation *op, const char *override_id);
bool operation_is_without(const struct operation *op, const char *node);
/** Whether the node is one of those that are missed when they are not reached any more. */
bool operation_took_part(const struct operation *op, const char *node);
/**
 * The epoch of the next owner. Turns of one owner take the epochs between, so that what an owner who
 * is cut off does never meets what the next one does.
 */
uint32_t operation_owner_epoch(uint32_t epoch);
/** Whether there is an epoch for the next owner, and whether this one may turn around once more. */
bool operation_may_own(uint32_t epoch);
bool operation_may_turn(const struct operation *op);
/**
 * Whether levels, times and epochs are in their range, and what holds between fields does. That each count is inside its array,
 * each text ends and each word is one is what reading a record assures (mgmt/operations/record_json.h).
 */
bool operation_ok(const struct operation *op);

#endif
