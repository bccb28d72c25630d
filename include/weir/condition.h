/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Conditions: what a process knows to be wrong with itself or with its surroundings, in words,
 * stated at the source. weir-mgmt merges them into status, events and metrics.
 *
 * A round replaces the one before it: conditions_begin(), conditions_add() for each thing that is
 * so now, conditions_end(). Readers see a round whole or not at all. The conditions of a process
 * lie beside its stats page, at RUN/conditions.PROCESS.page (page kind "conditions"). Implemented in
 * pages/condition.c.
 *
 * The writer's functions are for the one thread that makes the words of the stats page.
 */
#ifndef WEIR_CONDITION_H
#define WEIR_CONDITION_H

#include <stdint.h>

#include "base/checked.h"

#define CONDITIONS_PAGE_KIND   "conditions"
#define CONDITIONS_PAGE_LAYOUT 1u
#define CONDITIONS_MAX         64u /**< of a process; more are counted */
#define CONDITION_CODE_MAX     40u
#define CONDITION_SUBJECT_MAX  136u
#define CONDITION_TEXT_MAX     264u

/** What a condition does to the node's state. */
enum condition_level {
	CONDITION_NOTE,     /**< shown; the state stays */
	CONDITION_DEGRADED, /**< less works than is intended, or it is not known */
	CONDITION_DOWN,     /**< nothing is forwarded, or nothing is answered */
};

/** One condition; texts are NUL-terminated. */
struct condition {
	char code[CONDITION_CODE_MAX]; /**< a stable word in kebab case: "port-no-carrier" */
	/** what it is about: "eth1", "web-ams/ams-b1", or "" */
	char subject[CONDITION_SUBJECT_MAX];
	char text[CONDITION_TEXT_MAX]; /**< a sentence, with what to do */
	uint64_t since_ms;             /**< monotonic; the first round that had (code, subject) */
	uint32_t level;                /**< an enum condition_level */
	uint32_t pad;
};

/** All that a process states: a copy. */
struct conditions {
	uint64_t document;   /**< under which it is so; 0: the process has none */
	uint64_t at_ms;      /**< monotonic time of the round's end; 0: there was none yet */
	uint64_t n_left_out; /**< conditions that found no room */
	uint32_t n;
	uint32_t worst; /**< the highest level of all, those left out included */
	struct condition items[CONDITIONS_MAX];
};

struct stats;

/**
 * Begin a round: what is so under @p document, the number of the document in force, or 0. Readers
 * see the round before it until conditions_end(). A round that was begun and not ended is
 * forgotten.
 */
void conditions_begin(struct stats *s, uint64_t document);
/**
 * State one condition. Texts are cut to their room at a whole UTF-8 character. The same (code,
 * subject) again in a round changes nothing, unless the level is higher. When the page is full, the
 * first entry of a lower level gives way.
 */
void conditions_add(struct stats *s, const char *code, enum condition_level level,
                    const char *subject, const char *format, ...)
        __attribute__((format(printf, 5, 6)));
/**
 * Publish the round. A condition that was there before, also before a restart of the process, keeps
 * its since_ms.
 */
void conditions_end(struct stats *s);

/**
 * Copy what @p process states. The copy is well-formed whatever lies in the page: texts end, counts
 * and levels are within their limits. Whether the process is alive is on its stats page.
 * @return 0; -ENOENT when there is no page (the process never ran); -EPROTO for a page of another
 * layout or one that somebody overwrote (the next round mends it), -EAGAIN when the page changes too
 * fast, or -errno; then @p out is untouched
 */
MUST_CHECK int conditions_read(const char *run_dir, const char *process, struct conditions *out);

#endif
