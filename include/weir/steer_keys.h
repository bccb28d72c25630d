/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Observed keys: which clients' keys (weir/steering.h) ask this node for its dynamic names, by the
 * number of queries in the last 10 minutes. One resolver may stand for a quarter of the clients, so
 * a drain's plan needs them: a fraction of the keys is not the same fraction of the load.
 *
 * weir-dns writes the page RUN/keys.page about once a second; it is a seqlock as weir/proof.h. The
 * table is bounded: keys that have no room are counted in their name's `others`, so the sum is always
 * that of all answers. The page also has the answers by service and site, and how long answers that
 * were given may still be in caches.
 *
 * What is old counts as unknown: the reader below refuses a page whose writer is silent. Names,
 * services and sites are given by their identities, so a reader with another document finds those
 * that it knows.
 *
 * Implemented in pages/steer_keys.c; written by dns/keys.c. A struct steer_keys belongs to
 * its caller.
 */
#ifndef WEIR_STEER_KEYS_H
#define WEIR_STEER_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "base/hash.h"

/** The page's name in the run directory. */
#define STEER_KEYS_PAGE_FILE   "keys.page"
#define STEER_KEYS_PAGE_KIND   "keys"
#define STEER_KEYS_PAGE_LAYOUT 1u

/** Without a sign of life of the writer for so long, nothing is known. */
#define STEER_KEYS_OLD_MS    5000u
#define STEER_KEYS_WINDOW_S  600u   /**< observed for so long at most */
#define STEER_KEYS_MAX       4096u  /**< keys, each with one name */
#define STEER_KEYS_NAMES_MAX 10000u /**< as in the schema */
/** Pairs of a service and a site; those beyond are not on the page. */
#define STEER_KEYS_ANSWERS_MAX 16384u

/** A key that asked for a name. */
struct steer_key {
	uint8_t key[8]; /**< as steering_key.bytes: family (4 or 6), then the prefix; 0 beyond it */
	uint32_t name;  /**< steer_keys_name_id() */
	uint32_t queries; /**< answered in the window, at least 1 */
};
_Static_assert(sizeof(struct steer_key) == 16, "keys page layout");

/** A dynamic name. */
struct steer_keys_name {
	uint32_t name;    /**< steer_keys_name_id() */
	uint32_t queries; /**< answered in the window, whatever the key */
	uint32_t others;  /**< of them: of keys that had no room */
	/** The longest TTL of any answer in the window, seconds; 0: none was given. */
	uint32_t longest_ttl_s;
	/** Monotonic: when the last answer that was given leaves the caches; 0: none was given. */
	uint64_t cached_until_ms;
};
_Static_assert(sizeof(struct steer_keys_name) == 24, "keys page layout");

/** Answers of a service by the site that they named. */
struct steer_keys_answers {
	uint64_t service; /**< hash_text() of its name */
	uint64_t site;    /**< likewise; 0: answers without an address */
	/** It only rises, and begins again with the page `stats.dns`: two looks give a rate. */
	uint64_t answers;
};
_Static_assert(sizeof(struct steer_keys_answers) == 24, "keys page layout");

/** The page's payload; STEER_KEYS_MAX keys, names and answers in rows of their own follow. */
struct steer_keys_page {
	uint32_t seq;       /**< odd while it is written; readers copy and compare */
	uint32_t covered_s; /**< of the window: less soon after its start */
	uint32_t n_keys, n_names, n_answers;
	uint32_t reserved;
	uint64_t started_ms;                   /**< monotonic: when the writer started */
	struct steer_key keys[STEER_KEYS_MAX]; /**< most queries first */
	struct steer_keys_name names[STEER_KEYS_NAMES_MAX];        /**< by id, rising */
	struct steer_keys_answers answers[STEER_KEYS_ANSWERS_MAX]; /**< by service, then site */
};

/** A copy of what one node observed. */
struct steer_keys {
	uint32_t covered_s;
	uint64_t started_ms; /**< of the writer's boot; of another node only: equal or not */
	uint64_t read_ms;    /**< monotonic, of this node: when it was true */
	size_t n_keys, n_names, n_answers;
	struct steer_key *keys;             /**< most queries first */
	struct steer_keys_name *names;      /**< by id, rising */
	struct steer_keys_answers *answers; /**< by service, then site */
};

/** A name's identity: the same on every node. */
static inline uint32_t steer_keys_name_id(const char *name)
{
	return (uint32_t)hash_text(name);
}

/**
 * Copy RUN/keys.page as it counts at @p now_ms (monotonic).
 * @param out  given; steer_keys_free()
 * @return 0; -ENOENT (weir-dns was never here), -ETIMEDOUT (its writer is silent), -EAGAIN, -EPERM,
 *         -EPROTO or -errno; @p out untouched on failure
 */
MUST_CHECK int steer_keys_read(const char *run_dir, uint64_t now_ms, struct steer_keys **out)
        NONNULL();
/** NULL is fine. */
void steer_keys_free(struct steer_keys *k);
/** The row of a service and a site (hash_text() of their names); NULL: not known. */
const struct steer_keys_answers *steer_keys_answers(const struct steer_keys *k, uint64_t service,
                                                    uint64_t site) NONNULL();
/**
 * Make room for a copy, all zero, for who fills one from elsewhere: a peer's answer, a test. Rows
 * are put into order with steer_keys_settle(). @return NULL without memory, or with more than fits
 */
struct steer_keys *steer_keys_new(size_t n_keys, size_t n_names, size_t n_answers) MUST_CHECK;
/** Leave out rows that cannot be, and put the others into their order. */
void steer_keys_settle(struct steer_keys *k) NONNULL();

#endif
