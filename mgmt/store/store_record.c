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

/* Note that the request at hand was carried out: it made what @p what names. */
static int note_request(struct store *s, const char *what)
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
	return err ? err : note_request(s, what);
}

int store_record_confirmed(struct store *s, uint64_t number)
{
	char what[48];

	snprintf(what, sizeof(what), "{\"version\":%llu}", (unsigned long long)number);
	return note_request(s, what);
}

int store_record_override(struct store *s, const struct override *o)
{
	return sql_run(s->db, "INSERT OR REPLACE INTO override_principals VALUES(?,?,?)", "tit",
	               o->id, (int64_t)o->generation, o->principal);
}

int store_put_some(struct store *s, const struct override *list, const bool *which, size_t n)
{
	char what[MODEL_ID_MAX + 32] = "";
	int err = sql_begin(s->db);

	for (size_t i = 0; !err && i < n; i++) {
		if (!which[i])
			continue;
		err = store_write_override(s, &list[i]);
		if (!what[0]) /* the first is what the command was about */
			snprintf(what, sizeof(what), "{\"override\":\"%s\"}", list[i].id);
	}
	if (!err && what[0])
		err = note_request(s, what);
	err = store_noted(s, err);
	return sql_end(s->db, err);
}
