/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The page of conditions behind its header, for condition.c and for tests that damage it.
 */
#ifndef WEIR_PAGES_CONDITION_INTERNAL_H
#define WEIR_PAGES_CONDITION_INTERNAL_H

#include "weir/condition.h"

/** Two banks; that of number sequence % 2 is published. */
struct conditions_payload {
	uint64_t sequence;
	/** of the banks: a bank that something else has overwritten is no round */
	uint64_t digests[2];
	struct conditions banks[2];
};

#endif
