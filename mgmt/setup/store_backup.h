/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A backup of the store: all its records as they were at one revision, in one JSON object with its digest. Which files a
 * version has is in it; the files themselves are on the nodes.
 *
 * A backup may be from anywhere, so nothing in it is believed before store_backup_read() has looked at it: each version,
 * mark and head as a node would.
 *
 * Implemented in mgmt/setup/store_backup.c. One thread at a time.
 */
#ifndef WEIR_MGMT_SETUP_STORE_BACKUP_H
#define WEIR_MGMT_SETUP_STORE_BACKUP_H

#include "base/checked.h"
#include "mgmt/store/shared_etcd.h"
#include "mgmt/store/store_conf.h"

/** Bytes of the file: what nodes write fits, with 2,000 versions whose records are as long as one may be. */
#define STORE_BACKUP_MAX ((size_t)64 << 20)

struct store_backup {
	char id[STORE_ID_MAX]; /**< of the store that it was made of */
	int64_t time_ms;
	struct shared_records list; /**< without the store's own record; no cluster's id */
};

void store_backup_fini(struct store_backup *b);
/**
 * Write a backup of the store @p id to @p path, whole, and read it again. Where the store has a record that could not be
 * restored, or lost its versions, what was at @p path stays. @param out  given: what is in it
 * @return 0; -EXDEV: the members have another store, or have lost what it had; -EBADMSG: a record is unsound; or -errno; each with a reason
 */
MUST_CHECK int store_backup_make(const struct etcd_settings *settings, const char *prefix,
                                 const char *id, const char *path, struct store_backup *out,
                                 char reason[ETCD_REASON_MAX]);
/** Read a backup. @param out  given. @return 0; -EINVAL: it is none, or was changed; or -errno; each with a reason */
MUST_CHECK int store_backup_read(const char *path, struct store_backup *out,
                                 char reason[ETCD_REASON_MAX]);
/**
 * Write all records of @p b into a store that has none of its own, then compare. What an earlier call has written may be
 * there. @return 0; -EEXIST: the store has others; -EINPROGRESS: it may be written, call again; or -errno; each with a
 *   reason
 */
MUST_CHECK int store_backup_restore(const struct etcd_settings *settings, const char *prefix,
                                    const struct store_backup *b, char reason[ETCD_REASON_MAX]);

#endif
