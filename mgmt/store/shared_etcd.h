/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Shared intent in etcd (mgmt/store/shared.h): changes as transactions, all records as a list, and what changes as
 * a watch. A record's key is a prefix of the cluster with the record's name.
 *
 * A write whose answer was lost may be carried out later, and a compare that fails then may have failed because of
 * that very write. So the records that it wrote are read, and the change's id in them decides.
 *
 * Implemented in mgmt/store/shared_etcd.c. One thread uses a struct shared_etcd; the stop flag may be set by any.
 */
#ifndef WEIR_MGMT_STORE_SHARED_ETCD_H
#define WEIR_MGMT_STORE_SHARED_ETCD_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/etcd/watch.h"
#include "mgmt/store/shared.h"

#define SHARED_PREFIX_MAX 128u /**< bytes with the NUL */
#define SHARED_RECORDS_MAX                                                                         \
	32768u /**< that a store may hold, four times what nodes write: more are not ours */

struct shared_etcd;

/** Whether @p prefix may stand before all keys: "/weir/shop/", of plain letters, so that it is the same everywhere. */
bool shared_etcd_prefix_ok(const char *prefix);

/**
 * Nothing is sent yet.
 * @param prefix  of all keys; shared_etcd_prefix_ok()
 * @return 0; -EINVAL (the settings or the prefix; @p reason says what) or -ENOMEM
 */
MUST_CHECK int shared_etcd_open(const struct etcd_settings *settings, const char *prefix,
                                const atomic_bool *stop, struct shared_etcd **out,
                                char reason[ETCD_REASON_MAX]);
void shared_etcd_close(struct shared_etcd *e);
/** As etcd_gateway_endpoints(); may be called in a follower's heard(). */
MUST_CHECK int shared_etcd_endpoints(struct shared_etcd *e, struct etcd_endpoints *out);
/** As etcd_gateway_look_at(); may be called in a follower's heard(). */
MUST_CHECK int shared_etcd_look_at(struct shared_etcd *e, const char *url,
                                   char reason[ETCD_REASON_MAX]);
/**
 * Whether nothing can be written, as the current member knows; may be called in a follower's heard().
 * @return as etcd_gateway_status()
 */
MUST_CHECK int shared_etcd_is_full(struct shared_etcd *e, bool *out);
/** As etcd_gateway_use(). */
void shared_etcd_use(struct shared_etcd *e, const struct etcd_endpoints *more);
/** As etcd_gateway_expect(). */
void shared_etcd_expect(struct shared_etcd *e, uint64_t cluster_id);
/** As etcd_gateway_foreign(). */
uint64_t shared_etcd_foreign(const struct shared_etcd *e);
/** Why the last call failed, or its result is not known; names the member that said so. */
const char *shared_etcd_reason(const struct shared_etcd *e);

/**
 * Write a change, which rests on at least one record. It takes up to ETCD_WRITE_MS, and as much again where its id
 * must be looked for.
 * @param out  given, on success: all three results may be. Not known is also what has a revision that is not above the change's own
 * @return 0; the change's own err; or as the reads of mgmt/etcd/gateway.h: nothing is written, for certain
 */
MUST_CHECK int shared_etcd_write(struct shared_etcd *e, const struct shared_change *c,
                                 struct shared_answer *out);

/**
 * A new lease of @p ttl_s seconds, which begins before this call: records that are written with it are removed when it
 * ends. @return 0; or as the reads of mgmt/etcd/gateway.h
 */
MUST_CHECK int shared_etcd_grant(struct shared_etcd *e, int64_t ttl_s, int64_t *out);
/**
 * Let a lease begin again. @return 0; -ENOENT: it has ended, and its records are gone; or as the reads of mgmt/etcd/gateway.h:
 * it may go on
 */
MUST_CHECK int shared_etcd_renew(struct shared_etcd *e, int64_t lease);

/** All records, as they were at one revision: shared_records_fini(). */
struct shared_records {
	int64_t revision;
	uint64_t cluster_id;           /**< of the etcd that has them */
	struct shared_record *records; /**< by name */
	size_t n;
};
/**
 * List all records.
 * @return 0; -EBADMSG: a key is not ours (the reason names it), or there are too many; or as the reads of
 *   mgmt/etcd/gateway.h, where -EHOSTUNREACH is also what is not etcd's, or another cluster's
 */
MUST_CHECK int shared_etcd_list(struct shared_etcd *e, struct shared_records *out);
/** The record @p name alone, or none. As shared_etcd_list(). */
MUST_CHECK int shared_etcd_find(struct shared_etcd *e, const char *name,
                                struct shared_records *out);
void shared_records_fini(struct shared_records *l);
/** The one with that name, or NULL; valid as long as the list, which is by name. */
const struct shared_record *shared_records_find(const struct shared_records *l, const char *name);

/** What gets news. */
struct shared_follower {
	/**
	 * All that one change wrote; borrowed for the call.
	 * @return false: it could not be kept; no later one is given
	 */
	bool (*changed)(void *arg, int64_t revision, const struct shared_record *list, size_t n);
	/**
	 * A majority of members has answered a read that was sent at @p sent_ms of the boot clock; may be NULL.
	 * @return false: all is to be listed again
	 */
	bool (*heard)(void *arg, uint64_t sent_ms, int64_t revision);
	/** A member cannot be used, and another one is tried; @p reason names it. May be NULL */
	void (*left)(void *arg, const char *reason);
	void *arg;
};
/**
 * Follow all changes from revision @p next on, until one of these ends. ETCD_WATCH_BACK: whether this is the store still, the
 * caller has to look. ETCD_WATCH_LIST also where a change cannot be ours,
 * or could not be kept; the reason says so; and where heard() ends it. (A change that only removes may be missed while a member's watch is silent,
 * see mgmt/etcd/watch.h: ours put a record as well.)
 * @param revision  the highest that was ever read of this store; 0: none
 */
MUST_CHECK enum etcd_watch_end shared_etcd_follow(struct shared_etcd *e, int64_t next,
                                                  int64_t revision,
                                                  const struct shared_follower *follower);

#endif
