/* SPDX-License-Identifier: BSD-2-Clause */
/* Single files of versions, by digest; and which large ones no version names any more. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/store/blobs.h"
#include "mgmt/store/sql.h"
#include "mgmt/store/store_internal.h"

int store_blob(struct store *s, const char *digest, char **bytes, size_t *n)
{
	sqlite3_stmt *q = sql_prepare(s->db, "SELECT bytes FROM blobs WHERE digest=?", "t", digest);
	int err = q ? sql_next(q) : sql_errno(sqlite3_errcode(s->db));
	const void *found = err == 1 ? sqlite3_column_blob(q, 0) : NULL;
	size_t n_found = err == 1 ? (size_t)sqlite3_column_bytes(q, 0) : 0;
	char *copy = err == 1 ? malloc(n_found + 1) : NULL;

	if (copy) {
		if (n_found)
			memcpy(copy, found, n_found);
		*bytes = copy;
		*n = n_found;
	}
	err = err == 1 ? (copy ? 0 : -ENOMEM) : err ? err : -ENOENT;
	sqlite3_finalize(q);
	return store_noted(s, err);
}

bool store_has_blob(struct store *s, const char *digest)
{
	sqlite3_stmt *q = sql_prepare(s->db, "SELECT 1 FROM blobs WHERE digest=?", "t", digest);
	bool found = q && sql_next(q) == 1;

	sqlite3_finalize(q);
	return found;
}

static bool is_blob_named(void *arg, const char *digest)
{
	struct store *s = arg;
	sqlite3_stmt *q = sql_prepare(s->db, "SELECT 1 FROM version_files WHERE digest=? LIMIT 1",
	                              "t", digest);
	bool named = !q || sql_next(q) != 0; /* after an error keep the file */

	sqlite3_finalize(q);
	return named;
}

void store_collect(struct store *s, int64_t now_ms)
{
	blobs_collect(s->state_dir, now_ms / 1000, is_blob_named, s);
}
