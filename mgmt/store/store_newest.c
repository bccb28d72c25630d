/* SPDX-License-Identifier: BSD-2-Clause */
/* What the store knows of the newest version besides its record: its deadline. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/store/store_internal.h"

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS pending(id INTEGER PRIMARY KEY CHECK(id=1), number INTEGER NOT NULL,"
        " digest TEXT NOT NULL, boot TEXT NOT NULL, due_ms INTEGER NOT NULL, left_ms INTEGER NOT NULL);";

int store_newest_schema(sqlite3 *db)
{
	return sql_errno(sqlite3_exec(db, schema, NULL, NULL, NULL));
}

int store_put_pending(struct store *s, const struct pending *p)
{
	if (p->number == 0)
		return store_noted(s, sql_run(s->db, "DELETE FROM pending", ""));
	return store_noted(s, sql_run(s->db, "INSERT OR REPLACE INTO pending VALUES(1,?,?,?,?,?)",
	                              "ittii", (int64_t)p->number, p->digest, p->boot, p->due_ms,
	                              p->left_ms));
}

int store_pending(struct store *s, struct pending *out)
{
	sqlite3_stmt *q =
	        sql_prepare(s->db, "SELECT number, digest, boot, due_ms, left_ms FROM pending", "");
	int err = q ? sql_next(q) : sql_errno(sqlite3_errcode(s->db));
	struct pending p = { 0 };

	if (err == 1) {
		p.number = (uint64_t)sqlite3_column_int64(q, 0);
		p.due_ms = sqlite3_column_int64(q, 3);
		p.left_ms = sqlite3_column_int64(q, 4);
		err = sql_text(q, 1, p.digest, sizeof(p.digest)) &&
		                      sql_text(q, 2, p.boot, sizeof(p.boot)) && p.left_ms >= 0
		              ? 0
		              : -EBADMSG;
	} else if (err == 0) {
		err = -ENOENT;
	}
	err = store_noted(s, err);
	sqlite3_finalize(q);
	if (!err)
		*out = p;
	return err;
}
