/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What operations.c, operations_query.c and operations_run.c share.
 */
#ifndef WEIR_MGMT_API_OPERATIONS_INTERNAL_H
#define WEIR_MGMT_API_OPERATIONS_INTERNAL_H

#include "base/thread.h"
#include "mgmt/api/operations.h"
#include "mgmt/api/peers.h"
#include "mgmt/http/client.h"

/* What a peer answered last; under the lock. */
struct operations_said {
	char node[MODEL_NAME_MAX];
	uint64_t heard_ms;    /* monotonic; 0: never */
	uint64_t measured_ms; /* when it was asked for `measure` below; 0: never */
	uint64_t boot_ms;     /* its boot clock, read before heard_ms; 0: not known */
	bool refuses;         /* its configuration does not have this node */
	json_t *levels;       /* of its answer; NULL: not known */
	bool dns;             /* likewise: its weir-dns answers */
	json_t *measure;      /* mgmt/api/operation_measure.h; NULL: not known */
};

struct keys_gather;

struct operations {
	struct thread thread;
	struct peer_client client; /* of the thread, as keys */
	struct keys_gather *keys;
	struct operations_item *items[OPERATIONS_MAX]; /* sorted by created_ms, the newest first */
	size_t n;
	struct operations_said said[PEERS_MAX];
	size_t n_said;
	uint64_t ran_ms; /* the last round */
	/* monotonic: since when there is a level of an operation that is not known; 0: there is none */
	uint64_t lost_ms;
	int64_t followed;    /* revision of the store that the list has */
	unsigned n_renewals; /* intent_store_renewals() then */
	bool begins;         /* an operation is being begun: one at a time */
	bool poked;
};

/* Free one with all that belongs to it. */
void operations_free_item(struct operations_item *item);
/*
 * Let this node's overrides have the last write of @p op: each node makes them itself, from the record that was decided; so a
 * step needs nobody who sends it, and one that was decided is made even if its owner dies at once. A later one that is there
 * stays; one that is there already, or of an operation that is over and has none any more, changes nothing; what cannot be
 * written is in the log, and is tried again with the next call. Under the lock.
 */
void operations_make_steps(struct core *core, const struct operation *op);
/* What peers said last about @p node; NULL: nothing. Under the lock. */
const struct operations_said *operations_said_of(const struct core *core, const char *node);
/*
 * Ask all peers for what they have in force, with @p measure also for what they measure (those at
 * @p announced_at, if not NULL, also for what they announce). What they answer is kept. Each thread has
 * a client of its own. Not under the lock.
 */
void operations_query(struct core *core, struct peer_client *client, bool measure,
                      const char *announced_at);

struct operation_observed;
struct operation_snapshot;
/* Keep what the API shows of the last facts: nodes, guards, outlook. Under the lock. */
void operations_note_observed(struct operations_item *item,
                              const struct operation_snapshot *snapshot,
                              const struct operation_observed *observed);

#endif
