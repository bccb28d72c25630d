/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of shared intent at work share (mgmt/api/shared_run.h). Implemented in mgmt/api/shared_follower.c,
 * shared_run.c and shared_write.c. Under the core's lock, unless a function says otherwise.
 */
#ifndef WEIR_MGMT_API_SHARED_RUN_INTERNAL_H
#define WEIR_MGMT_API_SHARED_RUN_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"
#include "mgmt/api/core.h"
#include "mgmt/api/shared_commands.h"
#include "mgmt/api/shared_lease.h"
#include "mgmt/api/shared_members.h"
#include "mgmt/store/origin.h"
#include "mgmt/store/shared_etcd.h"
#include "mgmt/store/store_conf.h"

enum store_state {
	STORE_UNKNOWN,
	STORE_READY,
	STORE_CUT_OFF,
	STORE_WENT_BACK,
	STORE_OTHER,
	STORE_UNKEPT,
	STORE_REFUSED
};

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

/* Whether the store can be used. @param silent_ms  out: for how long no majority has answered */
enum store_state shared_run_judge(const struct shared_run *r, uint64_t *silent_ms);
/*
 * Write a change. The lock is given up meanwhile.
 * @return as shared_etcd_write(); -EHOSTUNREACH also where it is known that the store is not reached; @p reason says why it
 *   failed or is not known
 */
int shared_run_write_change(struct shared_run *r, const struct shared_change *c,
                            struct shared_answer *out, char reason[ETCD_REASON_MAX]);
/* Put in force what is to be in force by the records now. */
void shared_run_follow_records(struct shared_run *r);
/* The thread that takes what the store has into this node's copy. @param arg  the struct shared_run. Not under the lock */
void *shared_follower_run(void *arg);
/*
 * Whether the copy is one of the store that @p conf names: what another one has would be taken for changes of this one. A
 * copy of none becomes one of it. @return 0; -EXDEV, with a reason; or -errno
 */
int shared_follower_bind(struct core *core, const struct store_conf *conf,
                         char reason[ETCD_REASON_MAX]);
/*
 * Ask the members that are of the store's etcd; where there is none but others, ask those: they may have a store that this
 * node is to follow. Then @p e takes any cluster. Not under the lock.
 * @param only_claim  for the store's own record alone
 * @return as shared_etcd_list()
 */
int shared_follower_query(struct shared_etcd *e, bool only_claim, struct shared_records *l);

#endif
