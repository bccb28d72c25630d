/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the store knows about versions besides their records: the deadline of an unconfirmed
 * version, whether a client knows of the newest, which version undoes which, and the versions
 * that lost.
 *
 * All of it has tables of its own. An earlier release does not know these tables and goes on with
 * `versions`, whose columns stay the same. Each row names number and digest of its version, so a
 * row that such a release left behind belongs to no version any more.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/store/store_internal.h"

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS pending(id INTEGER PRIMARY KEY CHECK(id=1), number INTEGER NOT NULL,"
        " digest TEXT NOT NULL, boot TEXT NOT NULL, due_ms INTEGER NOT NULL, left_ms INTEGER NOT NULL);"
        "CREATE TABLE IF NOT EXISTS untold(id INTEGER PRIMARY KEY CHECK(id=1), number INTEGER NOT NULL,"
        " digest TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS undoing(number INTEGER PRIMARY KEY, digest TEXT NOT NULL,"
        " undoes INTEGER NOT NULL);"
        "CREATE TABLE IF NOT EXISTS version_keys(number INTEGER PRIMARY KEY, digest TEXT NOT NULL,"
        " fingerprint TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS lost(id INTEGER PRIMARY KEY, number INTEGER NOT NULL,"
        " digest TEXT NOT NULL, parent TEXT NOT NULL, author TEXT NOT NULL, reason TEXT NOT NULL,"
        " node TEXT NOT NULL, time_ms INTEGER NOT NULL, lost_ms INTEGER NOT NULL, why TEXT NOT NULL);";

int store_history_schema(sqlite3 *db)
{
	return sql_errno(sqlite3_exec(db, schema, NULL, NULL, NULL));
}

/* Copy the version of @p number to those that lost, unless it has @p digest. */
static int copy_to_lost(sqlite3 *db, uint64_t number, const char *digest, const char *reason,
                        int64_t now_ms)
{
	int err = sql_run(
	        db,
	        "INSERT INTO lost SELECT NULL, number, digest, parent, author, reason, node, time_ms, ?, ?"
	        " FROM versions WHERE number=? AND digest<>?",
	        "itit", now_ms, reason, (int64_t)number, digest);

	if (!err)
		err = sql_run(db, "DELETE FROM lost WHERE id<=(SELECT max(id) FROM lost)-?", "i",
		              (int64_t)STORE_LOST_MAX);
	return err;
}

static int note_undoing(sqlite3 *db, const struct version *v)
{
	if (v->undoes == 0)
		return sql_run(db, "DELETE FROM undoing WHERE number=?", "i", (int64_t)v->number);
	return sql_run(db, "INSERT OR REPLACE INTO undoing VALUES(?,?,?)", "iti",
	               (int64_t)v->number, v->digest, (int64_t)v->undoes);
}

int store_history_replace(sqlite3 *db, const struct version *v)
{
	char reason[EVENT_TEXT_MAX];

	snprintf(reason, sizeof(reason), "replaced by the version of this number from %s", v->node);
	int err = copy_to_lost(db, v->number, v->digest, reason, v->time_ms);
	if (!err)
		err = sql_run(db, "INSERT OR REPLACE INTO version_keys VALUES(?,?,?)", "itt",
		              (int64_t)v->number, v->digest, v->hash_key);
	return err ? err : note_undoing(db, v);
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

int store_put_untold(struct store *s, uint64_t number, const char *digest)
{
	if (number == 0)
		return store_noted(s, sql_run(s->db, "DELETE FROM untold", ""));
	return store_noted(s, sql_run(s->db, "INSERT OR REPLACE INTO untold VALUES(1,?,?)", "it",
	                              (int64_t)number, digest));
}

bool store_is_untold(struct store *s, uint64_t number, const char *digest)
{
	sqlite3_stmt *q = sql_prepare(s->db, "SELECT 1 FROM untold WHERE number=? AND digest=?",
	                              "it", (int64_t)number, digest);
	int err = q ? sql_next(q) : sql_errno(sqlite3_errcode(s->db));

	store_noted(s, err);
	sqlite3_finalize(q);
	return err == 1;
}

int store_lose_version(struct store *s, const struct version *v, const char *reason, int64_t now_ms)
{
	int err = sql_begin(s->db);

	if (!err)
		err = copy_to_lost(s->db, v->number, "", reason, now_ms);
	if (!err)
		err = sql_run(s->db, "DELETE FROM versions WHERE number=?", "i",
		              (int64_t)v->number);
	if (!err)
		err = sql_run(s->db, "DELETE FROM version_files WHERE number=?", "i",
		              (int64_t)v->number);
	if (!err)
		err = sql_run(s->db, "DELETE FROM undoing WHERE number=?", "i", (int64_t)v->number);
	err = store_noted(s, err);
	return sql_end(s->db, err);
}

static int read_lost(sqlite3_stmt *q, struct version_lost *out)
{
	struct version_lost l = { .version = { .number = (uint64_t)sqlite3_column_int64(q, 0),
		                               .time_ms = sqlite3_column_int64(q, 6) },
		                  .lost_ms = sqlite3_column_int64(q, 7) };
	struct version *v = &l.version;

	if (!sql_text(q, 1, v->digest, sizeof(v->digest)) ||
	    !sql_text(q, 2, v->parent, sizeof(v->parent)) ||
	    !sql_text(q, 3, v->author, sizeof(v->author)) ||
	    !sql_text(q, 4, v->reason, sizeof(v->reason)) ||
	    !sql_text(q, 5, v->node, sizeof(v->node)) ||
	    !sql_text(q, 8, l.reason, sizeof(l.reason)))
		return -EBADMSG;
	*out = l;
	return 0;
}

int store_lost(struct store *s, struct version_lost *out, size_t max)
{
	sqlite3_stmt *q =
	        sql_prepare(s->db,
	                    "SELECT number, digest, parent, author, reason, node, time_ms, lost_ms,"
	                    " why FROM lost ORDER BY id DESC LIMIT ?",
	                    "i", (int64_t)max);
	int err = q ? 0 : sql_errno(sqlite3_errcode(s->db)), n = 0;

	while (!err) {
		err = sql_next(q);
		if (err <= 0)
			break;
		err = read_lost(q, &out[n]);
		n += !err;
	}
	err = store_noted(s, err);
	sqlite3_finalize(q);
	return err ? err : n;
}
