/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the tries of one write add up to.
 *
 * A try that got no answer may be carried out later: a stopped leader has it in its queue. So the
 * same transaction is tried at another member, and its compares let one try win. That holds only for
 * a transaction whose compares fail once it was carried out; the caller sees to that. After an
 * unclear try, "not succeeded" may mean that this write itself was there first.
 *
 * Implemented in mgmt/etcd/attempts.c. No I/O; time is passed in. One thread at a time uses a struct
 * etcd_attempts.
 */
#ifndef WEIR_MGMT_ETCD_ATTEMPTS_H
#define WEIR_MGMT_ETCD_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mgmt/etcd/answer.h"

/** What became of a write. */
enum etcd_result {
	ETCD_DONE,           /**< it is written */
	ETCD_REFUSED,        /**< a compare failed; it is not written and will not be */
	ETCD_REFUSED_UNSURE, /**< a compare failed after an unclear try: look for the change's id */
	ETCD_NOT_WRITTEN,    /**< for certain; the reason says why */
	ETCD_UNKNOWN,        /**< it may be written, now or later */
};

/** What became of one try. */
enum etcd_try {
	ETCD_TRY_SUCCEEDED,
	ETCD_TRY_NOT_SUCCEEDED, /**< a compare failed */
	ETCD_TRY_NOT_SENT,      /**< this member did not get it, or cannot do it; another may */
	ETCD_TRY_REJECTED,      /**< not carried out, and no member would */
	ETCD_TRY_TOKEN,         /**< not carried out: the token is not known any more */
	/** the database is full; not carried out, or carried out as the last that fitted */
	ETCD_TRY_FULL,
	ETCD_TRY_UNCLEAR, /**< it may be carried out, now or later */
};

/** What an error says about the try; no error means ETCD_TRY_SUCCEEDED. */
enum etcd_try etcd_try_of_error(const struct etcd_error *error);

/** What to do after a try. */
enum etcd_next {
	ETCD_NEXT_END,    /**< etcd_attempts_result() says how it ended */
	ETCD_NEXT_OTHER,  /**< the same at the next member */
	ETCD_NEXT_TOKEN,  /**< get another token, then the same again */
	ETCD_NEXT_VERIFY, /**< send the compares alone, then etcd_attempts_verified() */
};

struct etcd_attempts {
	size_t n_members;
	uint64_t end_ms; /**< no try begins from then on; boot clock */
	size_t n_failed; /**< tries that were not sent */
	size_t n_tokens; /**< that were renewed */
	bool is_unclear; /**< a try may still be carried out */
	enum etcd_result result;
};

/** Begin the tries of one write at @p n_members, all within @p limit_ms. */
void etcd_attempts_begin(struct etcd_attempts *a, size_t n_members, uint64_t now_ms,
                         unsigned limit_ms);
/** Note what became of a try. */
enum etcd_next etcd_attempts_note(struct etcd_attempts *a, enum etcd_try outcome, uint64_t now_ms);
/**
 * After ETCD_NEXT_VERIFY: whether the compares, sent alone, still hold (ETCD_TRY_SUCCEEDED), do not
 * (ETCD_TRY_NOT_SUCCEEDED), or that could not be found out (any other).
 */
enum etcd_next etcd_attempts_verified(struct etcd_attempts *a, enum etcd_try outcome,
                                      uint64_t now_ms);
/** End the tries from outside: the caller's stop flag. */
void etcd_attempts_stop(struct etcd_attempts *a);
/** After ETCD_NEXT_END or etcd_attempts_stop(). */
enum etcd_result etcd_attempts_result(const struct etcd_attempts *a);

#endif
