/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of operations. The text is the record as nodes exchange it (mgmt/operations/); whoever
 * reads it checks it, as it may come from a damaged or a later store.
 */
#include "mgmt/store/operations.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/store/store_internal.h"

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS operations(id TEXT PRIMARY KEY, over INTEGER NOT NULL,"
        " changed_ms INTEGER NOT NULL, text TEXT NOT NULL) WITHOUT ROWID;";

/* Those that are over go first; one that is not over is never dropped. */
static const char crowded[] =
        "DELETE FROM operations WHERE over=1 AND id IN (SELECT id FROM operations"
        " ORDER BY over, changed_ms DESC, id LIMIT -1 OFFSET ?)";

int store_operations_schema(sqlite3 *db)
{
	return sql_errno(sqlite3_exec(db, schema, NULL, NULL, NULL));
}

static bool is_short(const struct store_operation *o)
{
	return strlen(o->text) <= STORE_OPERATION_TEXT_MAX && strlen(o->id) < MODEL_ID_MAX;
}

int store_put_operations(struct store *s, const struct store_operation *list, size_t n,
                         int64_t changed_ms)
{
	char what[MODEL_ID_MAX + 32];

	for (size_t i = 0; i < n; i++)
		if (!is_short(&list[i]))
			return -EINVAL;
	if (!n)
		return 0;
	int err = sql_begin(s->db);

	for (size_t i = 0; !err && i < n; i++)
		err = sql_run(s->db, "INSERT OR REPLACE INTO operations VALUES(?,?,?,?)", "tiit",
		              list[i].id, (int64_t)list[i].over, changed_ms, list[i].text);
	if (!err)
		err = sql_run(s->db, crowded, "i", (int64_t)STORE_OPERATIONS_MAX);
	snprintf(what, sizeof(what), "{\"operation\":\"%s\"}", list[0].id);
	if (!err)
		err = store_record_request(s, what);
	err = store_noted(s, err);
	return sql_end(s->db, err);
}

int store_operations(struct store *s, void (*receive)(void *arg, const char *id, const char *text),
                     void *arg)
{
	sqlite3_stmt *q = sql_prepare(
	        s->db,
	        "SELECT id, text FROM operations WHERE length(CAST(text AS BLOB))<=? ORDER BY changed_ms, id",
	        "i", (int64_t)STORE_OPERATION_TEXT_MAX);
	int n = 0, err = q ? 1 : sql_errno(sqlite3_errcode(s->db));

	while (err == 1 && (err = sql_next(q)) == 1) {
		const char *id = (const char *)sqlite3_column_text(q, 0);
		const char *text = (const char *)sqlite3_column_text(q, 1);

		if (id && text) {
			receive(arg, id, text);
			n++;
		}
	}
	err = store_noted(s, err);
	sqlite3_finalize(q);
	return err ? err : n;
}
