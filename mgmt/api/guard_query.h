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

#include "mgmt/api/core.h"

#define GUARD_QUERY_TIMEOUT_MS 1500 /**< for all peers together: a person waits */

/** What a node said. */
struct guard_said {
	char node[MODEL_NAME_MAX];
	uint64_t *vips; /**< [n_vips] rising, from malloc(): hash_text() of the VIPs it announces */
	size_t n_vips;
};

/**
 * Ask all other nodes that have an API. Nodes that give no answer, or that are not sure of a VIP,
 * are left out: what they announce is unknown.
 * @param out  [max], given; guard_query_free() frees what is in it
 * @return how many said it
 */
size_t guard_query(struct core *core, struct guard_said *out, size_t max);
void guard_query_free(struct guard_said *list, size_t n);

#endif
