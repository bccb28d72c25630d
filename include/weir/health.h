/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The health page: what weir-health has observed, one word for each target.
 *
 * weir-health alone writes it (base/page.h); dataplane, DNS and management read it. A target keeps
 * its entry until the writer publishes a new layout: then health_page.generation changes and
 * readers look their targets up again. The effect of a verdict never ends by age: a stale page is
 * shown as unknown, but its last words stay in force. Implemented in pages/health.c; writing is for
 * the page's one writer, reading for any thread.
 */
#ifndef WEIR_HEALTH_H
#define WEIR_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

struct page;

#define HEALTH_PAGE_KIND   "health"
#define HEALTH_PAGE_LAYOUT 1u
#define HEALTH_TARGETS_MAX 65536u

enum health_state {
	HEALTH_UNKNOWN = 0, /**< no verdict yet */
	HEALTH_UP = 1,
	HEALTH_DOWN = 2,
};

/**
 * A target's word, 64 bits, read and written whole:
 * bits 0-1 state; 2 in doubt (a result against the state came last: suspect or recovering); 3
 * inconclusive (the checker was late or its control targets failed); 4 unproven (a default check
 * that has never succeeded on this node: it has no vote); 5 restored from before a restart, not yet
 * probed; 6 damped (turned too often: held down though it may answer, unless it is the last of its
 * pool); 7 new (a later version brought this VIP, and this node knows of none that has seen it up);
 * bits 8-31: the last result's reason (enum health_reason);
 * bits 32-63: since when, seconds since 1970.
 */
typedef uint64_t health_word;

enum health_reason {
	HEALTH_REASON_NONE,
	HEALTH_REASON_OK,
	HEALTH_REASON_TIMEOUT,
	HEALTH_REASON_REFUSED,
	HEALTH_REASON_UNREACHABLE,
	HEALTH_REASON_RESET,
	HEALTH_REASON_BAD_STATUS,
	HEALTH_REASON_BAD_ANSWER,
	HEALTH_REASON_POOL,      /**< derived: from a pool's backends */
	HEALTH_REASON_LOCAL,     /**< the probe could not be sent */
	HEALTH_REASON_FULL_SIZE, /**< connected, and a packet of full size was not acknowledged */
	HEALTH_REASON_EXTERNAL,  /**< a program said that it is down */
	HEALTH_REASON_COUNT
};

static inline enum health_state health_state(health_word w)
{
	return (enum health_state)(w & 3);
}
static inline bool health_in_doubt(health_word w)
{
	return w >> 2 & 1;
}
static inline bool health_inconclusive(health_word w)
{
	return w >> 3 & 1;
}
static inline bool health_restored(health_word w)
{
	return w >> 5 & 1;
}
static inline bool health_damped(health_word w)
{
	return w >> 6 & 1;
}
static inline bool health_unproven(health_word w)
{
	return w >> 4 & 1;
}
static inline bool health_new(health_word w)
{
	return w >> 7 & 1;
}
static inline enum health_reason health_reason(health_word w)
{
	return (enum health_reason)(w >> 8 & 0xffffff);
}
static inline int64_t health_since_s(health_word w)
{
	return (int64_t)(w >> 32);
}
static inline health_word health_make(enum health_state state, unsigned marks,
                                      enum health_reason reason, int64_t since_s)
{
	return (uint64_t)state | (uint64_t)(marks & 0x3f) << 2 | (uint64_t)reason << 8 |
	       (uint64_t)since_s << 32;
}
#define HEALTH_MARK_DOUBT        1u
#define HEALTH_MARK_INCONCLUSIVE 2u
#define HEALTH_MARK_UNPROVEN     4u
#define HEALTH_MARK_RESTORED     8u
#define HEALTH_MARK_DAMPED       16u
#define HEALTH_MARK_NEW          32u

struct health_entry {
	uint64_t target; /**< health_target_*(); 0: free */
	uint64_t word;
};

/**
 * The page's payload; entries are a hash table with linear probing from target %
 * HEALTH_TARGETS_MAX.
 */
struct health_page {
	uint32_t generation; /**< odd while the layout changes; readers retry */
	uint32_t n_entries;  /**< targets present */
	uint64_t document;   /**< model_meta.document that these targets come from */
	struct health_entry entries[HEALTH_TARGETS_MAX];
};

/**
 * Reader: map the health page of the run directory. @return 0, with @p out for page_close(), or as
 * page_open_in() (base/page.h)
 */
MUST_CHECK int health_page_open(const char *run_dir, struct page **out);

/** An entry's target after its target was given up: searched past, given out again. */
#define HEALTH_TARGET_FREED 1u

/** A target from the hash of what it is: none is 0, an empty entry, or HEALTH_TARGET_FREED. */
static inline uint64_t health_target_make(uint64_t digest)
{
	return digest > HEALTH_TARGET_FREED ? digest : digest + 2;
}
/** A pool's backend: the pool's name and the backend's id. */
uint64_t health_target_backend(const char *pool, uint64_t backend_id);
/** A service at a site in one address family (the own site's is derived from its pool). */
uint64_t health_target_service(const char *service, const char *site, bool ip4);

/**
 * Writer: make @p page hold exactly @p targets (health_target_*(), each once). A target that was
 * there keeps its index and word; a new one starts with word 0. When too many entries have been
 * given up all are laid out again, words kept. Counts generation up twice if anything changed;
 * publishing the page is the caller's. @return 0, -ENOSPC for more than HEALTH_TARGETS_MAX (nothing
 * changed) or -ENOMEM
 */
int health_set_targets(struct health_page *page, const uint64_t *targets, size_t n,
                       uint64_t document);
/**
 * Writer: store the word at @p index (atomic); -1 is none.
 * @return whether it differs from what was there
 */
bool health_write(struct health_page *page, int index, health_word word);

/** Find @p target. @return its index in entries, or -1; valid while generation stays */
int health_find_index(const struct health_page *page, uint64_t target);
/** Read the word at @p index (atomic); 0, unknown, where health_find_index() has found none. */
health_word health_read(const struct health_page *page, int index);
/** The text of a reason: "refused". */
const char *health_reason_text(enum health_reason reason);
const char *health_state_text(enum health_state state);

#endif
