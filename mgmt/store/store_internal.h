/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the store share (store*.c); no other file includes it.
 */
#ifndef WEIR_MGMT_STORE_STORE_INTERNAL_H
#define WEIR_MGMT_STORE_STORE_INTERNAL_H

#include "base/checked.h"
#include "mgmt/store/store_dir.h"
#include "mgmt/store/sql.h"
#include "mgmt/store/store.h"

struct store {
	sqlite3 *db;
	struct home home;
	char state_dir[PATH_MAX]; /* where large files are, in mgmt/files/blobs.h */
	char reason[EVENT_TEXT_MAX];
	uint64_t kept; /* the number of a version that is not forgotten, however old; 0: none */
	struct store_request request; /* that changes are made for; key "": none */
	/* of the copy, as last read: good as long as this connection has changed nothing since */
	struct {
		int64_t revision, joined;
		int changes; /* sqlite3_total_changes() then */
		bool known;
	} copy;
};

/* Note why a call failed; gives @p err back. */
static inline int store_noted(struct store *s, int err)
{
	return sql_noted(s->db, err, s->reason, sizeof(s->reason));
}

/* sql_each() of a query that was prepared, or NULL; it ends here. @return as that */
static inline int store_each(struct store *s, sqlite3_stmt *q,
                             int (*read)(sqlite3_stmt *q, void *arg), void *arg)
{
	int n = q ? sql_each(q, read, arg) : sql_errno(sqlite3_errcode(s->db));

	n = store_noted(s, n);
	sqlite3_finalize(q);
	return n;
}

/* The one row of such a query. @return as its reader; @p none: there is no row; or -errno */
static inline int store_one(struct store *s, sqlite3_stmt *q,
                            int (*read)(sqlite3_stmt *q, void *arg), void *arg, int none)
{
	int err = q ? sql_next(q) : sql_errno(sqlite3_errcode(s->db));

	err = store_noted(s, err == 1 ? read(q, arg) : err ? err : none);
	sqlite3_finalize(q);
	return err;
}

/* Make the tables of store_versions.c. @return 0 or -errno */
MUST_CHECK int store_versions_schema(sqlite3 *db);

/* store_put_version(), in the transaction at hand. */
MUST_CHECK int store_write_version(struct store *s, const struct version *v,
                                   const struct files *files);

/* Make the tables of copy.c. @return 0 or -errno */
MUST_CHECK int store_copy_schema(sqlite3 *db);

/* Note, in the transaction of a version, for which request it was made. @return 0 or -errno */
MUST_CHECK int store_record_version(struct store *s, uint64_t number);
/* Note that the request at hand was carried out: it made what @p what names. */
MUST_CHECK int store_record_request(struct store *s, const char *what);

#endif
