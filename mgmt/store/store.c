/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One SQLite file. Each call that writes is one transaction, so a version and its files are there
 * together or not at all. The whole file is checked when it is opened, and what is read is checked
 * again (digests, override_ok()): damage is found as -EBADMSG before it comes into force. Large
 * files are not in it (mgmt/files/blobs.h).
 */
#include "mgmt/store/store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/proc.h"
#include "mgmt/files/blobs.h"
#include "mgmt/store/store_dir.h"
#include "mgmt/store/records.h"
#include "mgmt/store/sql.h"
#include "mgmt/store/store_internal.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000) /* how long an answer to a request is remembered */

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS overrides(id TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS events(id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL,"
        " kind TEXT NOT NULL, subject TEXT NOT NULL, message TEXT NOT NULL, node TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS replies(key TEXT PRIMARY KEY, request TEXT NOT NULL,"
        " status INTEGER NOT NULL, body TEXT NOT NULL, time_ms INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS pending(id INTEGER PRIMARY KEY CHECK(id=1), number INTEGER NOT NULL,"
        " digest TEXT NOT NULL, boot TEXT NOT NULL, due_ms INTEGER NOT NULL, left_ms INTEGER NOT NULL);"
        "PRAGMA user_version = 2;";

/* -EBADMSG unless the file is sound and of our schema or empty. */
static int check_whole(sqlite3 *db)
{
	sqlite3_stmt *q = sql_prepare(db, "PRAGMA quick_check(1)", "");
	char text[64];

	if (!q)
		return sql_errno(sqlite3_errcode(db));
	int err = sql_next(q);
	if (err == 1)
		err = sql_text(q, 0, text, sizeof(text)) && !strcmp(text, "ok") ? 0
		                                                                : sql_corrupt(db);
	sqlite3_finalize(q);
	return err;
}

static int open_db(const char *path, sqlite3 **db)
{
	int err = sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);

	if (err)
		return sql_errno(err);
	sqlite3_busy_timeout(*db, 2000);
	sqlite3_extended_result_codes(*db, 1);
	/* a rollback journal needs no shared memory, which a full disk could break */
	err = sqlite3_exec(*db, "PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL;", NULL,
	                   NULL, NULL);
	if (err)
		return sql_errno(err);
	err = check_whole(*db);
	if (!err)
		err = sql_errno(sqlite3_exec(*db, schema, NULL, NULL, NULL));
	if (!err)
		err = store_copy_schema(*db);
	if (!err)
		err = store_versions_schema(*db);
	return err;
}

int store_open(const char *state_dir, struct store **out, char reason[EVENT_TEXT_MAX])
{
	struct store *s = MEMORY_NEW(struct store);

	snprintf(s->state_dir, sizeof(s->state_dir), "%s", state_dir);
	reason[0] = '\0';
	int err = home_open(state_dir, &s->home, reason);
	if (err) {
		free(s);
		return err;
	}
	err = open_db(s->home.db, &s->db);
	if (err) {
		snprintf(reason, EVENT_TEXT_MAX, "%s: %s", PROC_STORE_FILE,
		         s->db && sqlite3_errcode(s->db) ? sqlite3_errmsg(s->db) : strerror(-err));
		store_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	sqlite3_close(s->db);
	home_close(&s->home);
	free(s);
}

int store_put_aside(const char *state_dir, int64_t now_ms)
{
	return home_put_aside(state_dir, now_ms);
}

const char *store_reason(const struct store *s)
{
	return s->reason;
}

int store_put_events(struct store *s, const struct event *events, size_t n)
{
	int err = n ? sql_begin(s->db) : 0;

	if (!n)
		return 0;
	sqlite3_stmt *q =
	        err ? NULL
	            : sql_prepare(s->db, "INSERT OR REPLACE INTO events VALUES(?,?,?,?,?,?)", "");
	if (!err && !q)
		err = sql_errno(sqlite3_errcode(s->db));
	for (size_t i = 0; !err && i < n; i++)
		err = sql_step(q, "iitttt", (int64_t)events[i].id, events[i].time_ms,
		               events[i].kind, events[i].subject, events[i].message,
		               events[i].node);
	sqlite3_finalize(q);
	if (!err)
		err = sql_run(s->db, "DELETE FROM events WHERE id<=?", "i",
		              (int64_t)events[n - 1].id - (int64_t)STORE_EVENTS_MAX);
	err = store_noted(s, err);
	return sql_end(s->db, err);
}

/* @param arg  where the next event goes */
static int read_event(sqlite3_stmt *q, void *arg)
{
	struct event **next = arg, *e = *next;

	*e = (struct event){ .id = (uint64_t)sqlite3_column_int64(q, 0),
		             .time_ms = sqlite3_column_int64(q, 1) };
	if (!sql_text(q, 2, e->kind, sizeof(e->kind)) ||
	    !sql_text(q, 3, e->subject, sizeof(e->subject)) ||
	    !sql_text(q, 4, e->message, sizeof(e->message)) ||
	    !sql_text(q, 5, e->node, sizeof(e->node)))
		return -EBADMSG;
	++*next;
	return 0;
}

int store_events(struct store *s, struct event *out, size_t max)
{
	return store_each(
	        s,
	        sql_prepare(s->db,
	                    "SELECT * FROM (SELECT * FROM events ORDER BY id DESC LIMIT ?)"
	                    " ORDER BY id",
	                    "i", (int64_t)max),
	        read_event, &out);
}

int store_put_reply(struct store *s, const char *key, const char *request_digest, unsigned status,
                    const char *body, int64_t now_ms)
{
	int err = sql_begin(s->db);

	if (!err)
		err = sql_run(s->db, "INSERT OR REPLACE INTO replies VALUES(?,?,?,?,?)", "ttiti",
		              key, request_digest, (int64_t)status, body, now_ms);
	if (!err)
		err = sql_run(s->db,
		              "DELETE FROM replies WHERE time_ms<? OR key NOT IN"
		              " (SELECT key FROM replies ORDER BY time_ms DESC LIMIT ?)",
		              "ii", now_ms - DAY_MS, (int64_t)STORE_REPLIES_MAX);
	err = store_noted(s, err);
	return sql_end(s->db, err);
}

int store_reply(struct store *s, const char *key, char request_digest[DIGEST_TEXT_MAX],
                unsigned *status, char **body, int64_t now_ms)
{
	sqlite3_stmt *q = sql_prepare(s->db,
	                              "SELECT request, status, body FROM replies WHERE key=? AND"
	                              " time_ms>=?",
	                              "ti", key, now_ms - DAY_MS);
	int err = q ? sql_next(q) : sql_errno(sqlite3_errcode(s->db));

	if (err == 1 && sql_text(q, 0, request_digest, DIGEST_TEXT_MAX)) {
		*status = (unsigned)sqlite3_column_int(q, 1);
		*body = strdup((const char *)sqlite3_column_text(q, 2));
		err = *body ? 0 : -ENOMEM;
	} else if (err >= 0) {
		err = err == 1 ? -EBADMSG : -ENOENT;
	}
	err = store_noted(s, err);
	sqlite3_finalize(q);
	return err;
}

/* --- the deadline of the newest version --- */

int store_put_pending(struct store *s, const struct pending *p)
{
	if (p->number == 0)
		return store_noted(s, sql_run(s->db, "DELETE FROM pending", ""));
	return store_noted(s, sql_run(s->db, "INSERT OR REPLACE INTO pending VALUES(1,?,?,?,?,?)",
	                              "ittii", (int64_t)p->number, p->digest, p->boot, p->due_ms,
	                              p->left_ms));
}

static int read_pending(sqlite3_stmt *q, void *out)
{
	struct pending p = { .number = (uint64_t)sqlite3_column_int64(q, 0),
		             .due_ms = sqlite3_column_int64(q, 3),
		             .left_ms = sqlite3_column_int64(q, 4) };

	if (!sql_text(q, 1, p.digest, sizeof(p.digest)) ||
	    !sql_text(q, 2, p.boot, sizeof(p.boot)) || p.left_ms < 0)
		return -EBADMSG;
	*(struct pending *)out = p;
	return 0;
}

int store_pending(struct store *s, struct pending *out)
{
	return store_one(
	        s,
	        sql_prepare(s->db, "SELECT number, digest, boot, due_ms, left_ms FROM pending", ""),
	        read_pending, out, -ENOENT);
}

/* --- single files of versions, by digest; and which large ones no version names any more --- */

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

/* Overrides in the store: each is a record. All that are written together are in one transaction. */

static int write_override(sqlite3 *db, const struct override *o)
{
	char *text = record_to_text(&override_record, o);
	int err = text ? sql_run(db, "INSERT OR REPLACE INTO overrides VALUES(?,?)", "tt", o->id,
	                         text)
	               : -ENOMEM;

	free(text);
	return err;
}

int store_put_overrides(struct store *s, const struct overrides *overrides)
{
	int err = sql_begin(s->db);

	if (!err)
		err = sql_run(s->db, "DELETE FROM overrides", "");
	for (size_t i = 0; !err && i < overrides->n_items; i++)
		err = write_override(s->db, &overrides->items[i]);
	err = store_noted(s, err);
	return sql_end(s->db, err);
}

int store_put_some(struct store *s, const struct override *list, size_t n)
{
	char what[MODEL_ID_MAX + 32] = "";
	int err = sql_begin(s->db);

	for (size_t i = 0; !err && i < n; i++) {
		err = write_override(s->db, &list[i]);
		if (!what[0]) /* the first is what the command was about */
			snprintf(what, sizeof(what), "{\"override\":\"%s\"}", list[i].id);
	}
	if (!err && what[0])
		err = store_record_request(s, what);
	err = store_noted(s, err);
	return sql_end(s->db, err);
}

struct merging {
	struct overrides *overrides;
	int64_t now_ms;
};

/* A row is checked like an override of a peer: a damaged one must not come into force. */
static int merge_row(sqlite3_stmt *q, void *arg)
{
	const struct merging *m = arg;
	struct override o;
	int err = sql_record(q, 0, &override_record, &o);

	if (!err)
		err = overrides_merge(m->overrides, &o, m->now_ms);
	return err < 0 ? err : 0;
}

int store_overrides(struct store *s, struct overrides *overrides, int64_t now_ms)
{
	struct merging m = { overrides, now_ms };
	int n = store_each(s, sql_prepare(s->db, "SELECT text FROM overrides", ""), merge_row, &m);

	return n < 0 ? n : 0;
}
