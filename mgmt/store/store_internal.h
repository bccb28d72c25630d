/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the store share (store*.c); no other file includes it.
 */
#ifndef WEIR_MGMT_STORE_STORE_INTERNAL_H
#define WEIR_MGMT_STORE_STORE_INTERNAL_H

#include "base/checked.h"
#include "mgmt/store/home.h"
#include "mgmt/store/sql.h"
#include "mgmt/store/store.h"

struct store {
	sqlite3 *db;
	struct home home;
	char state_dir[PATH_MAX]; /* where large files are, in mgmt/store/blobs.h */
	char reason[EVENT_TEXT_MAX];
	struct store_request request; /* that changes are made for; key "": none */
};

/* Note why a call failed; gives @p err back. */
static inline int store_noted(struct store *s, int err)
{
	return sql_noted(s->db, err, s->reason, sizeof(s->reason));
}

/* Make the tables of store_history.c. @return 0 or -errno */
MUST_CHECK int store_history_schema(sqlite3 *db);
/* Before version @p v is put: keep another one of its number as lost, and note what it undoes. @return 0 or -errno */
MUST_CHECK int store_history_replace(sqlite3 *db, const struct version *v);

/* Make the table of steps (store_overrides.c). @return 0 or -errno */
MUST_CHECK int store_overrides_schema(sqlite3 *db);

/* Make the table of store_operations.c. @return 0 or -errno */
MUST_CHECK int store_operations_schema(sqlite3 *db);

/* Make the tables of store_record.c. @return 0 or -errno */
MUST_CHECK int store_record_schema(sqlite3 *db);
/* Record who made a change, and for which request, in its transaction. @return 0 or -errno */
MUST_CHECK int store_record_version(struct store *s, const struct version *v);
MUST_CHECK int store_record_confirmed(struct store *s, uint64_t number);
MUST_CHECK int store_record_override(struct store *s, const struct override *o);
/* Note that the request at hand was carried out: it made what @p what names. */
MUST_CHECK int store_record_request(struct store *s, const char *what);

#endif
