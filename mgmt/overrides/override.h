/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Overrides: what operations want over configuration and checks; their merging.
 *
 * A set of overrides is a state-based replicated map. Of two overrides with one id, the one that was commanded
 * later wins: its generation is the stamp of that command, by a clock that orders commands of all nodes
 * (mgmt/overrides/hlc.h). Steps of an operation all have the stamp of the operation's own command; of these the later
 * owner's (epoch) and then the later step wins. So a person's command that was given after an operation began is the last word,
 * whatever its owner knew of it. Of equal ones the greater canonical text wins. That is a total order, so
 * merging is commutative, associative and idempotent: nodes that have seen the same overrides, in
 * any order, hold the same set (Shapiro et al., INRIA RR-7506, 2011).
 *
 * Past instants of an override never change while it lives, so that member sets that follow from
 * them (mgmt/overrides/compose.h) are the same on every node.
 *
 * Implemented in mgmt/overrides/override.c. A set belongs to one thread at a time.
 */
#ifndef WEIR_MGMT_OVERRIDES_OVERRIDE_H
#define WEIR_MGMT_OVERRIDES_OVERRIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/files/digest.h"
#include "weir/model.h"
#include "weir/ramp.h"

#define OVERRIDE_REASON_MAX 256                 /**< bytes with the NUL */
#define PRINCIPAL_MAX       72u                 /**< "token:" and a name */
#define OVERRIDES_LIVE_MAX  1024u               /**< that may be made here */
#define OVERRIDES_MAX       MODEL_OVERRIDES_MAX /**< that are kept, tombstones too */
/** How long before it takes effect a change of a pool's members is announced. */
#define OVERRIDE_ANNOUNCED_MS 2000
/** How long a tombstone is kept: a node that was away for less cannot bring its override back. */
#define OVERRIDE_KEPT_MS ((int64_t)7 * 24 * 3600 * 1000)

/** How far a node is that is to leave, as it says itself by its announcements. */
enum override_left {
	OVERRIDE_LEFT_UNKNOWN, /**< nobody says */
	OVERRIDE_LEAVING,      /**< routers may still send to it */
	OVERRIDE_LEFT,         /**< all its addresses are withdrawn */
};

/** A model_override as a value. */
struct override {
	char id[MODEL_ID_MAX];
	enum model_override_kind kind;
	enum model_target_kind target;
	char pool[MODEL_NAME_MAX], name[MODEL_NAME_MAX];
	uint64_t generation;  /**< stamp of its last command */
	uint64_t prior;       /**< of what that command changed; 0: of nothing */
	uint32_t epoch, step; /**< of a step of an operation; else 0, 0 */
	int64_t created_ms, from_ms, over_ms, until_ms;
	uint32_t from_ppm;
	bool ended;
	/* a step of an operation; else unset (include/weir/model.h) */
	bool is_step;
	uint32_t to_ppm;
	int64_t late_from_ms;
	enum model_vips own_vips, shared_vips;
	char service[MODEL_NAME_MAX], operation[MODEL_ID_MAX];
	struct prefix clients; /**< of a drill, which may have a service, too; else unset */
	/* not merged, not stored: where weir-dns of this node has its ramp (weir/ramp.h) */
	enum ramp_how how;
	int64_t at_ms; /**< the instant of its schedule that is in force, unless it is free */
	bool level_known;
	bool level_is_earlier; /**< weir-dns has not told of this generation yet: of the one before */
	uint32_t level_ppm; /**< of a step, if known: the level in force in weir-dns of this node */
	enum override_left left; /**< not merged: of a node */
	char author[MODEL_NAME_MAX], reason[OVERRIDE_REASON_MAX], node[MODEL_NAME_MAX];
	/* not merged: who was authenticated when this generation was made; "": not known */
	char principal[PRINCIPAL_MAX];
};

/** Sorted by id; zeroed is the empty set. */
struct overrides {
	struct override *items;
	size_t n_items;
	size_t room;      /**< items that there is memory for; 0: as many as there are */
	uint64_t edition; /**< overrides_note_edit(); 0: empty, or made by hand */
};

/** Whether one of @p n has @p id. */
bool override_in(const struct override *list, size_t n, const char *id);

/** The same as the model has it; @p out borrows the texts of @p o. */
void override_to_model(const struct override *o, struct model_override *out);
/** From the model's form. @return 0, or -EINVAL when a text is too long or the id is not one */
MUST_CHECK int override_from(const struct model_override *m, struct override *out);
/** Whether ids, names, kinds and times are such as may be kept (from a peer, from a store). */
bool override_ok(const struct override *o);
/** "drain", "disable", "force_up", "hold", "drill" */
const char *override_kind_text(int kind);
/** "site", "backend", "node" */
const char *override_target_text(int target);
/** When its effect ends: after its return ramp; MODEL_TIME_NEVER. */
int64_t override_done_ms(const struct override *o);
/** The instant of its schedule that is in force: @p now_ms, unless its ramp is late or held. */
int64_t override_time(const struct override *o, int64_t now_ms);
/** Whether its effect is over, by its end or because it was ended. */
bool override_is_done(const struct override *o, int64_t now_ms);
/** Make an id that no other node makes. @p salt: random_salt() */
void override_make_id(const char *node, int64_t now_ms, uint32_t salt, char out[MODEL_ID_MAX]);
/**
 * < 0: @p a is earlier than @p b, another change of the same override; > 0: it is later; 0: it is the same change.
 */
int override_compare(const struct override *a, const struct override *b);
/**
 * Whether @p later was commanded at the target of @p o, after it and without knowledge of it: who knows of it changes it instead.
 * Steps of an operation neither overrule nor are overruled, but for a hold that was there when it began: that would stop them for ever.
 */
bool override_overrules(const struct override *later, const struct override *o);
/** @p o as it is when @p later overrules it, the same at each node: ended at that time. */
void override_end_by(const struct override *o, const struct override *later, struct override *out);
/**
 * A person changes @p o by a command with the stamp @p generation, so its operation no longer moves it. It is no step any more,
 * unless it drains one service alone.
 */
void override_leave_operation(struct override *o, uint64_t generation);
/** Make @p o a step that stays at @p level_ppm from @p now_ms on, until a command changes it. */
void override_keep_level(struct override *o, uint32_t level_ppm, int64_t now_ms);
/** Whether @p o is an operation's step at @p site, whatever service it drains there. */
bool override_is_step_at(const struct override *o, const char *site);
/** Whether both have the same target. */
bool override_same_target(const struct override *a, const struct override *b);

/** @return the one with @p id, or NULL; valid until the set changes */
const struct override *overrides_find(const struct overrides *overrides, const char *id);
/**
 * Merge @p o. @return 1 when the set changed, 0 when not, -ENOSPC (all kept are alive) or -ENOMEM
 */
int overrides_merge(struct overrides *overrides, const struct override *o, int64_t now_ms);
/**
 * The operation that has withdrawn the VIPs that @p site alone has; NULL: none. Valid until the set changes.
 */
const char *overrides_withdrawn_by(const struct overrides *overrides, const char *site);
/** The hold that stops the ramps of @p o's site at present; NULL: none. */
const struct override *overrides_hold(const struct overrides *overrides, const struct override *o,
                                      int64_t now_ms);
/**
 * The level of @p o, ppm: model_override_ppm() at the present, or at the instant when a hold
 * stopped its ramp.
 */
uint32_t overrides_level(const struct overrides *overrides, const struct override *o,
                         int64_t now_ms);
/**
 * The level of @p o to show to people: of a step that weir-dns of this node has not taken yet, what
 * is in force there before it.
 */
uint32_t overrides_level_shown(const struct overrides *overrides, const struct override *o,
                               int64_t now_ms);
/**
 * Its state in a word: "scheduled", "ramping", "drained", "held", "expired_held", ... Of a node that is to leave by
 * what is observed of it: "draining" until it has left, "unknown" where nobody says.
 */
const char *overrides_state(const struct overrides *overrides, const struct override *o,
                            int64_t now_ms);
/** The latest stamp that a command at the target of @p o must pass: what is ahead of @p now_ms counts at that place alone. */
uint64_t overrides_newest(const struct overrides *overrides, const struct override *o,
                          int64_t now_ms);
/** Whether @p o is done, and without effect: a hold keeps what a drain has taken, also beyond its end. */
bool overrides_is_over(const struct overrides *overrides, const struct override *o, int64_t now_ms);
/** How many are not done. */
size_t overrides_live(const struct overrides *overrides, int64_t now_ms);
/** A change in place: the set gets an edition that no other set of this process has, but for its copies. */
void overrides_note_edit(struct overrides *overrides);
/** Drop what has been done for OVERRIDE_KEPT_MS, and what no hold keeps in effect. @return how many */
size_t overrides_prune(struct overrides *overrides, int64_t now_ms);
/** A digest that was made, zeroed at the start. */
struct overrides_digest {
	uint64_t edition;
	int64_t from_ms, until_ms; /**< it is that of this time */
	char text[DIGEST_TEXT_MAX];
};
/**
 * The digest over all overrides that are not forgotten at @p now_ms: equal on nodes that hold the
 * same. An override that is kept longer, because its purge counts elapsed time, does not count.
 * @param kept  what was made is kept there: to make it goes over all overrides
 * @return its text
 */
const char *overrides_digest_at(const struct overrides *overrides, int64_t now_ms,
                                struct overrides_digest *kept);
/** Make @p to a copy of @p from. @return 0 or -ENOMEM */
MUST_CHECK int overrides_copy(struct overrides *to, const struct overrides *from);
void overrides_fini(struct overrides *overrides);

#endif
