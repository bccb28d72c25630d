/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What is to be proved by a document: a row for each address of the own site's VIPs, with the
 * services there, and what the compiler knows of their pools. Probe packets are for the VIPs that
 * the node announces; of the others only the services are counted. Implemented in prover_rows.c;
 * the loop's thread calls it.
 */
#ifndef WEIR_DATAPLANE_PROVER_ROWS_H
#define WEIR_DATAPLANE_PROVER_ROWS_H

#include "base/checked.h"
#include "dataplane/leaving.h"
#include "dataplane/tables/compiler.h"
#include "weir/proof.h"

struct prover_row {
	struct proof_vip shown;
	uint64_t due_ms;      /**< when the next probe packet is due */
	uint64_t fingerprint; /**< of its pools, as last read */
	uint64_t services;    /**< a digest of its services, their ports and pools */
	uint32_t first, n;    /**< its services: in prover_rows.entries */
	uint32_t n_probes;    /**< counts, so that services and flows take turns */
	uint8_t refusals;     /**< in a row */
	bool is_announced;    /**< the node announces it: it gets probe packets */
	bool is_urgent;       /**< something changed: before the others */
	bool is_blocked;      /**< nothing leaves by any port to its backends */
};

/** What is known of a pool, by its index in plan.pools. */
struct prover_pool {
	uint64_t fingerprint; /**< changes with the backends that are to be given packets */
	bool is_serving;      /**< it has such a backend */
	bool is_reachable;    /**< it has one with a known next hop */
	bool is_sending;      /**< and packets to it leave, or nothing else is known */
};

struct prover_rows {
	struct prover_row *rows; /**< sorted as on the page */
	size_t n, n_announced;
	/** Of the plan, by address: valid while it is in force. */
	const struct plan_entry **entries;
	size_t n_entries;
	struct prover_pool *pools;
	size_t n_pools;
};

/**
 * Make the rows of the document in force in @p n; each is urgent. What @p before knows of a row
 * with the same services stays.
 * @param stays  false: nothing of a row stays proved, because another driver forwards now
 * @return 0 or -ENOMEM, then @p out is empty
 */
int prover_rows_make(const struct compiler *n, const struct prover_rows *before, bool stays,
                     uint64_t now_ms, struct prover_rows *out) MUST_CHECK NONNULL();
/** Free what is in @p rows, and make it empty. */
void prover_rows_free(struct prover_rows *rows) NONNULL();
/**
 * Read the pools of @p n, whose document the rows are of. A row whose pools have changed is urgent.
 * @param node  its hops_needed and hops_known are set
 * @return whether a figure of a row changed
 */
bool prover_rows_read_pools(struct prover_rows *rows, const struct compiler *n,
                            const struct leaving *leaving, struct proof_node *node) NONNULL();

#endif
