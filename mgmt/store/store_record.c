/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who made a change, and for which request: kept in the transaction of the change itself.
 *
 * Both have tables of their own, so that an earlier release can go on with the same store. A row
 * names what it belongs to (a version's digest, an override's generation), so a row that such a
 * release left behind does not count. A request leaves a row in `replies` with status 0 and what
 * was made; later the answer replaces that row. If the process dies between change and answer, the
 * row says that the request was carried out.
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/store/store_internal.h"

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS version_principals(number INTEGER PRIMARY KEY, digest TEXT NOT NULL,"
        " principal TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS override_principals(id TEXT PRIMARY KEY, generation INTEGER NOT NULL,"
        " principal TEXT NOT NULL) WITHOUT ROWID;";

int store_record_schema(sqlite3 *db)
{
	return sql_errno(sqlite3_exec(db, schema, NULL, NULL, NULL));
}

void store_for(struct store *s, const struct store_request *r)
{
	s->request = r ? *r : (struct store_request){ .key = "" };
}

int store_record_request(struct store *s, const char *what)
{
	if (!s->request.key[0])
		return 0;
	return sql_run(s->db, "INSERT OR REPLACE INTO replies VALUES(?,?,0,?,?)", "ttti",
	               s->request.key, s->request.digest, what, s->request.now_ms);
}

int store_record_version(struct store *s, const struct version *v)
{
	char what[48];
	int err = sql_run(s->db, "INSERT OR REPLACE INTO version_principals VALUES(?,?,?)", "itt",
	                  (int64_t)v->number, v->digest, v->principal);

	snprintf(what, sizeof(what), "{\"version\":%llu}", (unsigned long long)v->number);
	return err ? err : store_record_request(s, what);
}

int store_record_confirmed(struct store *s, uint64_t number)
{
	char what[48];

	snprintf(what, sizeof(what), "{\"version\":%llu}", (unsigned long long)number);
	return store_record_request(s, what);
}

int store_record_override(struct store *s, const struct override *o)
{
	return sql_run(s->db, "INSERT OR REPLACE INTO override_principals VALUES(?,?,?)", "tit",
	               o->id, (int64_t)o->generation, o->principal);
}
