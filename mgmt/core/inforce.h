/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Whether a version is in force on this node: every process has taken it, what it names exists
 * (interfaces, addresses to listen on), and the backends have the shares that it gives them. Judged within INFORCE_WITHIN_MS of taking the version, kept
 * for the last few versions, and told to peers. It is judged in mgmt/sync/inforce_judge.c.
 *
 * Implemented in mgmt/core/inforce.c; all under the lock.
 */
#ifndef WEIR_MGMT_CORE_INFORCE_H
#define WEIR_MGMT_CORE_INFORCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "mgmt/store/store.h"
#include "weir/condition.h"

struct core;

#define INFORCE_WITHIN_MS 15000u /**< time for a large document and its zones to load */
/** bytes of what is not well at a node: code and subject of a reason */
#define INFORCE_TROUBLE_MAX (CONDITION_CODE_MAX + CONDITION_SUBJECT_MAX)
#define INFORCE_TROUBLE_MS  5000u /**< older judgements of a node's state say nothing */
#define INFORCE_KEPT        8u    /**< versions whose judgements are kept for those who wait */

enum inforce_state {
	INFORCE_UNKNOWN, /**< a peer has judged no version yet */
	INFORCE_PENDING, /**< a process has not taken it yet, or is starting */
	INFORCE_DONE,
	INFORCE_REFUSED, /**< a process refuses it, or what it adds does not exist */
	INFORCE_LATE,    /**< no answer within INFORCE_WITHIN_MS; that is no refusal */
};

/** A node's judgement of one version. */
struct inforce {
	uint64_t number;
	char digest[DIGEST_TEXT_MAX];
	enum inforce_state state;
	/** the process that refuses or is waited for, such as "dataplane"; or "" */
	char process[16];
	char code[CONDITION_CODE_MAX], subject[CONDITION_SUBJECT_MAX]; /**< of a refusal */
	char reason[CONDITION_TEXT_MAX];
	uint64_t accepted_ms; /**< monotonic: when this node took it */
	/** monotonic: when the members of its pools change by it; 0: they do not */
	uint64_t members_ms;
	/** monotonic: until then documents may not show whether they change; 0: the first one does */
	uint64_t unshown_ms;
	/** the last look; for how long this process has looked in all */
	uint64_t looked_ms, waited_ms;
	uint64_t document; /**< the first effective document that has it */
	bool rolled_back;  /**< because of a refusal */
};

/** Why this node is not well, as struct judgements has it; "": it is. NULL: that is not known, or was too long ago. */
const char *inforce_trouble(const struct core *core);
/** This node's judgement of a version; NULL: it is too old, or not judged yet. */
const struct inforce *inforce_of(const struct core *core, uint64_t number);
/** "pending", "in_force", "refused", "late", "unknown" */
const char *inforce_text(int state);
/** One sentence about a judgement that is not INFORCE_DONE: process, subject, reason. */
json_t *inforce_detail(const struct inforce *f);

/** To JSON for peers, and from it; a missing or malformed member gives INFORCE_UNKNOWN. */
json_t *inforce_to_json(const struct inforce *f);
struct inforce inforce_from_json(const json_t *object);

#endif
