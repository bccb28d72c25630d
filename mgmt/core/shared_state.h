/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What is known of the store that nodes share: whether it can be used, what it is, and what this node's copy is of. The
 * threads of shared intent (mgmt/sync/shared_run.h) write it; what nodes say of themselves is made of it.
 *
 * Implemented in mgmt/core/shared_state.c. Under the core's lock.
 */
#ifndef WEIR_MGMT_CORE_SHARED_STATE_H
#define WEIR_MGMT_CORE_SHARED_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"
#include "mgmt/core/core.h"
#include "mgmt/core/shared_members.h"
#include "mgmt/store/origin.h"
#include "mgmt/store/shared_etcd.h"
#include "mgmt/store/store_conf.h"

struct shared_commands;
struct shared_lease;

enum store_state {
	STORE_UNKNOWN,
	STORE_READY,
	STORE_CUT_OFF,
	STORE_WENT_BACK,
	STORE_OTHER,
	STORE_UNKEPT,
	STORE_REFUSED
};

/** Of a node with a store.conf: core->shared. */
struct shared_run {
	struct core *core;
	struct thread follower, keeper, helper;
	struct shared_etcd *reads;        /* the follower's; NULL: store.conf is wrong */
	struct shared_etcd *writes;       /* of who has `writing` */
	struct shared_lease *lease;       /* NULL: store.conf is wrong */
	struct shared_commands *commands; /* likewise */
	struct store_conf conf;
	struct shared_members members; /* the follower's */
	uint64_t alarms_ms; /* the follower's, boot clock: when members were asked for alarms */
	bool was_judged; /* the follower's: a list, since the start: a reason from before it is found again */
	pthread_mutex_t writing; /* never locked under the core's lock */
	atomic_bool stop;

	/* under the core's lock */
	char reason[ETCD_REASON_MAX]; /* why the store cannot be reached, as far as known */
	bool was_heard;               /* since the start */
	uint64_t started_ms;
	uint64_t heard_ms; /* boot clock: of the last read that a majority has answered */
	int64_t highest;   /* revision that was read of this store */
	bool is_bound;     /* the copy is of this store */
	unsigned renewals; /* intent_store_renewals() when it was bound */
	int keep_err;      /* why what the store holds could not be kept here; 0: it is */
	bool must_list;    /* what was kept may not be all */
	bool is_full; /* nothing can be written: a write was refused for it, or a member says so */
	struct shared_members_list observed; /* what is known of its members */
	/* why nothing is taken from the store any more: it is older than what this node has of it, or lost that; "" */
	char went_back[ETCD_REASON_MAX];
	char other[ETCD_REASON_MAX]; /* what the members have is not the store, or not yet; "" */
	/* of the copy; cluster 0: which etcd has the store is not known */
	struct store_origin origin;
	/* in force by the store, and its files are not here; number 0: there is none */
	struct version missing;
};

/** Whether the store can be used. @param silent_ms  out: for how long no majority has answered */
enum store_state shared_state_judge(const struct shared_run *r, uint64_t *silent_ms);
/** Why the store cannot be used. */
const char *shared_state_trouble(const struct shared_run *r);
/** Whether the store can be used, by what is known. Under the lock. @return false also where there is none */
bool shared_state_is_ready(const struct core *core);
/** The etcd that has the store; 0: not known. Under the lock. */
uint64_t shared_state_cluster(const struct core *core);
/**
 * Note what a write came to: -ENOSPC: the store is full, and @p reason, which may be NULL, says so in plain words; 0: it is
 * not. Under the lock.
 */
void shared_state_note_full(struct core *core, int err, char reason[ETCD_REASON_MAX]);
/** Whether the configuration is also other nodes', and no store decides for all of them. Under the lock. */
bool shared_state_is_missing(const struct core *core);
/** The id of the store that this node's store.conf names; "": it has none; NULL: not known, as the file is wrong or came after the start. */
const char *shared_state_store_id(const struct core *core);
/**
 * Write of what this node's copy of the store is, while the store works: its epoch, nonce and etcd, which are the same on all
 * nodes that take the same changes. "": not known, or the store does not work. Under the lock.
 */
void shared_state_origin(const struct core *core, char out[ORIGIN_TEXT_MAX]);
/** Whether no other node has a say. */
static inline bool shared_state_is_alone(const struct core *core)
{
	return !core->shared && !shared_state_is_missing(core);
}

#endif
