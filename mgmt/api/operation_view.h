/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A snapshot of all that the facts of operations are made from: document, overrides, what the peers
 * said last, what this node measures. Taken under the lock, read without it.
 *
 * Implemented in mgmt/api/operation_view.c. A view belongs to the thread that took it.
 */
#ifndef WEIR_MGMT_API_OPERATION_VIEW_H
#define WEIR_MGMT_API_OPERATION_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/api/core.h"
#include "mgmt/api/peers.h"
#include "mgmt/operations/operation_facts.h"
#include "mgmt/store/override.h"

/** What one node said; that of this node is made like the others'. */
struct operation_voice {
	const struct model_node *node;
	bool self, reached;
	bool lacks; /**< its release knows no operations */
	bool dns;   /**< its weir-dns answers; if reached */
	json_t *have, *levels; /**< if reached; else NULL */
	json_t *measure;       /**< NULL: not known, or too old */
};

struct operation_view {
	struct core *core;
	struct intent_shared *shared;
	const struct model *m; /**< NULL: there is no configuration */
	struct overrides overrides;
	struct operation_voice voices[PEERS_MAX + 1]; /**< in the order of the model's nodes */
	size_t n_voices;
	struct operation_other others[64]; /**< not over; ids are in other_ids */
	char other_ids[64][MODEL_ID_MAX];
	size_t n_others;
	bool unconfirmed;
	bool clock_fine;
	char key[MODEL_FINGERPRINT_MAX]; /**< of the hash key in force; "": not known */
	char self[MODEL_NAME_MAX];
	int64_t now_ms;   /**< believed wall time */
	uint64_t mono_ms;
};

/** Take it; not under the lock. @return NULL: out of memory */
MUST_CHECK struct operation_view *operation_view_take(struct core *core);
/** NULL is fine. */
void operation_view_free(struct operation_view *v);
/** What @p node said. @return NULL: it is not configured */
const struct operation_voice *operation_view_voice(const struct operation_view *v,
                                                   const char *node);

/** Facts of one operation, with all that they point to. */
struct operation_seen {
	struct operation_facts facts;
	struct operation_node nodes[PEERS_MAX + 1];
	struct operation_site sites[64];
	struct operation_other others[64];
	struct operation_late late[OPERATION_LATE_MAX];
};

/** Gather the facts for @p op; @p out points into the view and into itself. Pure. */
void operation_gather(const struct operation_view *v, const struct operation *op,
                      int64_t elapsed_ms, struct operation_seen *out);
/** Of operation_gather(): the sites, their loads and checks (operation_sites.c). */
void operation_gather_sites(const struct operation_view *v, const struct operation *op,
                            struct operation_seen *out);

#endif
