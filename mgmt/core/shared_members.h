/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Members of the store that joined after this node's store.conf was written: they are used as well. What the members last
 * said of themselves is kept in STATE/store/members, so that a node whose own member is dead finds the others after a
 * restart, too. Nothing of it is used where store.conf's first endpoint is not reached by TLS: what is in the file and
 * in the answers is an address alone, and the store's CA proves who is there.
 *
 * Implemented in mgmt/core/shared_members.c. Calls for the thread that follows the store, and before it begins.
 */
#ifndef WEIR_MGMT_CORE_SHARED_MEMBERS_H
#define WEIR_MGMT_CORE_SHARED_MEMBERS_H

#include <pthread.h>
#include <stdbool.h>

#include "mgmt/store/shared_etcd.h"

#define SHARED_MEMBERS_CLIENTS 3u

/** A client of the store that others have, one at a time. */
struct shared_members_client {
	struct shared_etcd *etcd;
	pthread_mutex_t *in_use; /**< who has it has the client */
	bool is_behind;          /**< it does not know the members yet */
};

/** What is known of one member. It is silent only after it has answered here: its URL may be for others than this node. */
struct shared_member {
	char url[ETCD_URL_MAX], name[ETCD_NAME_MAX];
	char reason[ETCD_REASON_MAX]; /**< of the last failure */
	uint64_t tried_ms;            /**< boot clock; 0: never */
	bool has_answered;            /**< ever: its endpoint is one that this node can reach */
	uint64_t silent_ms;      /**< boot clock: of the first failure since it worked; 0: none */
	int64_t silent_since_ms; /**< the same by the believed time */
};
/** All that have a vote and are reached by TLS, as one has listed them. */
struct shared_members_list {
	struct shared_member members[ETCD_ENDPOINTS_MAX];
	size_t n, n_voters; /**< 0: not known */
};

/** Whether the member has failed for so long that it is no restart. */
bool shared_members_is_silent(const struct shared_member *s);

struct shared_members {
	const char *state_dir; /**< borrowed */
	struct shared_members_client clients[SHARED_MEMBERS_CLIENTS];
	size_t n_clients;
	bool is_off;
	struct etcd_endpoints known;
	struct shared_members_list list;
	uint64_t listed_ms; /**< boot clock: of the last list; 0: none */
};

/** Begin, and add to @p settings what was kept. @param state_dir  borrowed until the end */
void shared_members_begin(struct shared_members *m, const char *state_dir,
                          struct etcd_settings *settings);
/** Let a client know of members, too. @param in_use  is only tried; both are borrowed until the end */
void shared_members_add(struct shared_members *m, struct shared_etcd *client,
                        pthread_mutex_t *in_use);
/**
 * A member has answered: from time to time ask it for the others, and then each of them whether it works: one at a time, which
 * takes as long as a request may. @param reads  the calling thread's client
 */
void shared_members_heard(struct shared_members *m, struct shared_etcd *reads);

#endif
