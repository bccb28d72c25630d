/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a copy of the store's records has, and another one has not: versions, and what was decided of them.
 *
 * A version's record and its mark never change once they are written, so texts are compared. What the other one has let go
 * by its age is not lost.
 *
 * Implemented in mgmt/store/lost.c. Pure.
 */
#ifndef WEIR_MGMT_STORE_LOST_H
#define WEIR_MGMT_STORE_LOST_H

#include "base/checked.h"
#include "mgmt/store/history.h"
#include "mgmt/store/shared_etcd.h"

/** One of them. */
struct lost {
	uint64_t number;
	enum chain_mark mark; /**< CHAIN_UNMARKED: the version; else what was decided of it */
	char author[VERSION_AUTHOR_MAX], reason[VERSION_REASON_MAX];
	int64_t time_ms;
};

/**
 * Find what @p here has and @p there has not, the highest numbers first, a version before its mark. What cannot be read is left out.
 * @param out  [max]; may be NULL with 0
 * @return how many there are, which may be more than @p max
 */
size_t lost_find(const struct shared_records *here, const struct shared_records *there,
                 struct lost *out, size_t max);

#endif
