/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Asking the other nodes what they announce now, for the guard of a node's drain.
 *
 * Implemented in mgmt/api/guard_query.c; for the threads of handlers, never under the core's lock.
 */
#ifndef WEIR_MGMT_API_GUARD_QUERY_H
#define WEIR_MGMT_API_GUARD_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/api/core.h"
#include "mgmt/store/guard.h"

#define GUARD_QUERY_TIMEOUT_MS 1500 /**< for all peers together: a person waits */

/** Room for @p n keys. @return 0, with @p out for guard_said_free(), or -ENOMEM */
MUST_CHECK int guard_said_make(struct guard_said *out, size_t n);
/** Note what is said of a key; in any order, and nothing twice. */
void guard_said_add(struct guard_said *s, uint64_t key, enum guard_announced said);
/** All is noted: sort it. */
void guard_said_end(struct guard_said *s);
void guard_said_free(struct guard_said *s);

/**
 * Ask all other nodes that have an API. Nodes that give no answer are left out: what they announce is
 * unknown.
 * @param out  [max], given; guard_query_free() frees what is in it
 * @return how many said it
 */
size_t guard_query(struct core *core, struct guard_said *out, size_t max);
void guard_query_free(struct guard_said *list, size_t n);

#endif
