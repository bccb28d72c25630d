/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The state in force of the sites: which targets (a service at a site in one address family) are down. It stays
 * when the peer health that decided it is lost, also over restarts and new documents. So it is kept in STATE/dns.sites:
 * a line "weir-sites 1", the targets in hex, and "end N".
 *
 * Implemented in dns/steering/decided.c; called by the thread that owns the generation, but for decided_write(): any thread.
 */
#ifndef WEIR_DNS_STEERING_DECIDED_H
#define WEIR_DNS_STEERING_DECIDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

#define DECIDED_FILE "dns.sites" /* state */

struct decided {
	bool known; /**< a target that is not among the items is up; false: nothing is known of it */
	bool changed; /**< the file must be written again */
	size_t n, n_next, room;
	uint64_t *items, *next; /**< sorted; `next` is what the present round collects */
	bool failed;            /**< the round found no memory: the last one stays */
};

/**
 * Read the file below @p state_dir, if there is one. @return 0, or why it was not used; call decided_close() in
 * either case
 */
int decided_open(struct decided *d, const char *state_dir) NONNULL();
void decided_close(struct decided *d) NONNULL();
/** Whether @p target was down at the end of the last round. */
bool decided_is_down(const struct decided *d, uint64_t target) NONNULL();
/** Begin a round: decided_add() for each target that is down, then decided_end(). */
void decided_begin(struct decided *d) NONNULL();
void decided_add(struct decided *d, uint64_t target) NONNULL();
/** @param settled  enough was seen to decide: from now on a target that is not down is known to be up */
void decided_end(struct decided *d, bool settled) NONNULL();
/** Write @p n targets below @p state_dir: temporary file, fsync, rename. @return 0 or -errno (the old file stays) */
int decided_write(const char *state_dir, const uint64_t *targets, size_t n);

#endif
