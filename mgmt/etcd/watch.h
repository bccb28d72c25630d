/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Watching keys without end: events by revision, whatever becomes of single members.
 *
 * A stopped member keeps the connection open and says nothing. So every 2 s a linearizable read goes
 * to the same member. If that read has no answer within 2 s, or shows a change that the watch has
 * not brought, the watch goes on at another member behind the last revision that was given. A member
 * that is cut off from the others cannot answer such a read either.
 *
 * The read shows the store's revision. If that is beyond what the watch has brought, a second one asks for
 * the newest change of all keys of the watch: other keys of the store change, too. A key that was deleted leaves none: a
 * deletion alone, which a silent watch has not brought, is not seen. So a key is put in the same transaction.
 *
 * The read also shows a store that was restored from a backup: its revision is lower than one that
 * was seen before. (A restored store that was then changed often enough has a higher one; only what
 * the store holds can show that: mgmt/store/origin.h.)
 *
 * Implemented in mgmt/etcd/watch.c. The gateway is the thread's own, and is used by nothing else
 * meanwhile; neither is it by the functions that are called.
 */
#ifndef WEIR_MGMT_ETCD_WATCH_H
#define WEIR_MGMT_ETCD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "mgmt/etcd/gateway.h"
#include "mgmt/etcd/stream.h"

#define ETCD_WATCH_READ_MS                                                                         \
	2000u /**< between two reads beside the watch, at even seconds of the clock */

struct etcd_watch {
	struct etcd_range range; /**< key and prefix alone count; bytes borrowed */
	int64_t next; /**< in: the first revision that is wanted, >= 1; out: behind the last given */
	int64_t revision; /**< in and out: the highest that was read ever, of this store; 0: none */
	/** end when one answers after one was left: what the store holds is to be looked at first */
	bool ends_when_back;

	/** Events of one revision, in order. */
	etcd_stream_sink *changed;
	/**
	 * A majority of members has answered a read that was sent at @p sent_ms of the boot clock. May be
	 * NULL. @return false: end, to list
	 */
	bool (*heard)(void *arg, uint64_t sent_ms, int64_t revision);
	/** A member is left, or cannot be used; it is noted once for each try. May be NULL. */
	void (*left)(void *arg, const char *reason);
	void *arg;
};

enum etcd_watch_end {
	ETCD_WATCH_STOPPED, /**< by the stop flag of the gateway */
	/** events are lost (compacted, or too many for one line), or heard() says so: list, then watch from there */
	ETCD_WATCH_LIST,
	ETCD_WATCH_WENT_BACK, /**< the store is older than what was seen; w->revision stays */
	/** no member could be used, and at least one is of another cluster than the gateway expects */
	ETCD_WATCH_FOREIGN,
	ETCD_WATCH_BACK, /**< a member was left, and one answers; with ends_when_back alone */
};

/** Watch until one of these ends. etcd_gateway_reason() has the cause. */
enum etcd_watch_end etcd_watch_run(struct etcd_gateway *g, struct etcd_watch *w);

#endif
