/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of operations itself, with what the thread that runs them has (mgmt/controller/operations_run.h): for operations.c and the
 * files of that thread.
 */
#ifndef WEIR_MGMT_SYNC_OPERATIONS_LIST_H
#define WEIR_MGMT_SYNC_OPERATIONS_LIST_H

#include "base/thread.h"
#include "mgmt/sync/operations.h"
#include "mgmt/peers/peers.h"
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
	json_t *measure;      /* mgmt/controller/operation_measure.h; NULL: not known */
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
#endif
