/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A node's copy of shared intent (mgmt/store/shared.h), in its SQLite. A node that is alone decides here; in
 * a cluster the copy follows what the nodes share, and a node starts from it without asking anybody.
 *
 * Revisions rise; all that one change wrote has the same. A record that is gone leaves nothing behind.
 *
 * Implemented in mgmt/store/copy.c. Calls as for the store: one thread at a time. Each is one
 * transaction; a failure leaves all as it was. store_reason() has a text, but for -ESTALE and a transaction that
 * could not be ended.
 */
#ifndef WEIR_MGMT_STORE_COPY_H
#define WEIR_MGMT_STORE_COPY_H

#include "base/checked.h"
#include "mgmt/store/origin.h"
#include "mgmt/store/shared.h"
#include "mgmt/store/store.h"

/** @p out gets the revision of the newest change; 0 before the first. @return 0 or -errno */
MUST_CHECK int copy_revision(struct store *s, int64_t *out);

/**
 * The revision that the store had when this copy got its first list: what was there then, this node did not see coming
 * (history_join()). 0: it has had none, or this node decides itself. Where a later list is of an older store, that one's.
 * @return 0 or -errno
 */
MUST_CHECK int copy_joined(struct store *s, int64_t *out);

#define COPY_STORE_MAX 192u /**< bytes of a store's name with the NUL */
/**
 * Let the copy be one of the store @p name, which it is from the first call on: what this node had decided alone before is forgotten.
 * @return 0; -EXDEV: it is one of another store, @p was gets its name; or -errno
 */
MUST_CHECK int copy_bind(struct store *s, const char *name, char was[COPY_STORE_MAX]);

/** Note that the store is older than this copy, or lost what it had: for good, until the copy is moved away. @return 0 or -errno */
MUST_CHECK int copy_set_went_back(struct store *s);
/** Whether that was noted. @return 0 or -errno */
MUST_CHECK int copy_went_back(struct store *s, bool *out);

/**
 * Forget all records: from then on the copy is one of the store @p name, at revision 0; "": this node decides alone. @return 0 or
 * -errno
 */
MUST_CHECK int copy_begin(struct store *s, const char *name);
/** Forget the records of versions alone. @return 0 or -errno */
MUST_CHECK int copy_forget_versions(struct store *s);
/** The store that the copy is one of; "": this node decides alone, or nothing is in it. @return 0 or -errno */
MUST_CHECK int copy_store(struct store *s, char out[COPY_STORE_MAX]);

/** The version that a change is about. */
struct copy_version {
	const struct version *version;
	const struct files *files; /**< it is made now, of these; NULL: it is there */
};
/**
 * Carry out a change here, if what it rests on is as it was seen.
 * @param v    kept with it, as by store_put_version(), and noted for the request at hand (store_for()); NULL: it is about none
 * @param out  on success, given: SHARED_DONE or SHARED_REFUSED
 * @return 0; the change's own err; or -errno: nothing is written
 */
MUST_CHECK int copy_decide(struct store *s, const struct shared_change *c,
                           const struct copy_version *v, struct shared_answer *out);

/**
 * Take over what was changed elsewhere at @p revision; a record without a text is gone.
 * @return 0; -ESTALE (the copy has that revision, or a later one); or -errno
 */
MUST_CHECK int copy_follow(struct store *s, int64_t revision, const struct shared_record *list,
                           size_t n);

/**
 * As copy_follow() for several changes at once, in their order: each record has its own revision, and the newest is
 * @p revision.
 */
MUST_CHECK int copy_follow_each(struct store *s, int64_t revision, const struct shared_record *list,
                                size_t n);

/** Of which store's epoch and of which etcd the copy is; all empty: not known. @return 0 or -errno */
MUST_CHECK int copy_origin(struct store *s, struct store_origin *out);
/**
 * Let the copy hold exactly @p list, as it all was at @p revision, and each with its own. It is of @p origin from then on; NULL:
 * of the one that it was.
 * @param joined  the store is another one than it was, or has lost something, and that is right: it is as if this node had come at
 *   that revision (copy_joined()), and that the store went back is forgotten. 0: it follows on what is here
 * @return 0 or -errno
 */
MUST_CHECK int copy_install(struct store *s, int64_t revision, const struct shared_record *list,
                            size_t n, const struct store_origin *origin, int64_t joined);

/** Read a record, given. @return 0; -ENOENT; -EBADMSG (what is there cannot be one) or -errno */
MUST_CHECK int copy_read(struct store *s, const char *name, struct shared_record *out);

/**
 * The newest of the records that never change, versions and marks: a store that has it has all that went before.
 * @return 0 and @p out, given; -ENOENT: there is none; or as copy_read()
 */
MUST_CHECK int copy_newest_final(struct store *s, struct shared_record *out);

/**
 * Give each record whose name begins with @p prefix to @p receive, in the names' order, until it refuses
 * one. Texts are valid until it returns.
 * @return how many were taken; or -errno, of the store or as @p receive said
 */
MUST_CHECK int copy_each(struct store *s, const char *prefix,
                         int (*receive)(void *arg, const struct shared_record *r), void *arg);

#endif
