/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Making a lost store again, from a copy of its records: `weir store rebuild`; or from a backup: `weir store restore`.
 *
 * First the store's own record says that it is unfinished, with its new epoch: no node takes anything from it then. Then come the
 * records, in batches. Last, at once, come the head and that the store is finished. Each step compares the store's own record,
 * so of two that do this one goes on and the other is refused, and what is left of a try that ended is replaced by the
 * next.
 *
 * Implemented in mgmt/store/refill.c. One thread.
 */
#ifndef WEIR_MGMT_STORE_REFILL_H
#define WEIR_MGMT_STORE_REFILL_H

#include "base/checked.h"
#include "mgmt/store/shared_etcd.h"
#include "mgmt/store/store_claim.h"

struct refill {
	const struct etcd_settings *settings; /**< with the cluster's id */
	const char *prefix;
	/** of the copy, or the backup */
	const struct shared_records *records;
	/** what the store has: all of it but its own record goes */
	const struct shared_records *there;
	int64_t claim_revision;   /**< of its own record, 0: it has none */
	struct store_claim claim; /**< refill_store(): the new one; unfinished is set here */
};

/** Whether a record of that name is written: not the store's own, nor one that went with a lease and would stay for ever. */
bool refill_accepts(const char *name);

/**
 * Make the store.
 * @return 0; -EEXIST: another came first; -EINPROGRESS: it is not known how far this came, so it is to be done again; or as
 *   etcd_gateway_txn(), and what was written is unfinished; each with a reason
 */
MUST_CHECK int refill_store(const struct refill *f, char reason[ETCD_REASON_MAX]);
/**
 * Write what is not there, the head last; the store's own record stays. What is there beside it must be among the records: else it
 * goes. @return as refill_store()
 */
MUST_CHECK int refill_missing(const struct refill *f, char reason[ETCD_REASON_MAX]);

#endif
