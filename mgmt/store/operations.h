/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Records of operations in the store: texts by id, which the store does not read.
 *
 * A table of its own, so that an earlier release goes on with the same store. Of more than
 * STORE_OPERATIONS_MAX records those go that are over and were changed longest ago.
 *
 * Implemented in mgmt/store/store_operations.c. Calls as for the store: one thread at a time.
 */
#ifndef WEIR_MGMT_STORE_OPERATIONS_H
#define WEIR_MGMT_STORE_OPERATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/store/store.h"

#define STORE_OPERATIONS_MAX     256u              /**< records that are kept */
#define STORE_OPERATION_TEXT_MAX ((size_t)1 << 20) /**< bytes of one */

/** A record to be kept; texts are borrowed. */
struct store_operation {
	const char *id, *text;
	bool over; /**< it changes no more by itself */
};

/**
 * Keep records [@p n] in place of earlier ones of the same operations, all or none of them; the
 * request at hand (store_for()) made the first.
 * @param changed_ms  wall time
 * @return 0, -EINVAL (a text is too long) or -errno
 */
MUST_CHECK int store_put_operations(struct store *s, const struct store_operation *list, size_t n,
                                    int64_t changed_ms);
/**
 * Give each record to @p receive, oldest change first; texts are valid until it returns. A record that
 * is too long is left out.
 * @return how many, or -errno
 */
MUST_CHECK int store_operations(struct store *s,
                                void (*receive)(void *arg, const char *id, const char *text),
                                void *arg);

#endif
