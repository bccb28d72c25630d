/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One SQLite file. Each call that writes is one transaction, so a version and its files are there
 * together or not at all. The whole file is checked when it is opened, and what is read is checked
 * again (digests, override_ok()): damage is found as -EBADMSG before it comes into force. Large
 * files are not in it (mgmt/store/blobs.h).
 */
#include "mgmt/store/store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"
#include "mgmt/store/blobs.h"
#include "mgmt/store/home.h"
#include "mgmt/store/sql.h"
#include "mgmt/store/store_internal.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000) /* how long an answer to a request is remembered */

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS blobs(digest TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS versions(number INTEGER PRIMARY KEY, digest TEXT NOT NULL,"
        " parent TEXT NOT NULL, author TEXT NOT NULL, reason TEXT NOT NULL, node TEXT NOT NULL,"
        " time_ms INTEGER NOT NULL, effective_ms INTEGER NOT NULL, confirm_by_ms INTEGER NOT NULL,"
        " supersedes TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS version_files(number INTEGER NOT NULL, name TEXT NOT NULL,"
        " digest TEXT NOT NULL, PRIMARY KEY(number, name)) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS overrides(id TEXT PRIMARY KEY, generation INTEGER NOT NULL,"
        " kind INTEGER NOT NULL, target INTEGER NOT NULL, pool TEXT NOT NULL, name TEXT NOT NULL,"
        " created_ms INTEGER NOT NULL, from_ms INTEGER NOT NULL, over_ms INTEGER NOT NULL,"
        " until_ms INTEGER NOT NULL, from_ppm INTEGER NOT NULL, ended INTEGER NOT NULL,"
        " author TEXT NOT NULL, reason TEXT NOT NULL, node TEXT NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS events(id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL,"
        " kind TEXT NOT NULL, subject TEXT NOT NULL, message TEXT NOT NULL, node TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS replies(key TEXT PRIMARY KEY, request TEXT NOT NULL,"
        " status INTEGER NOT NULL, body TEXT NOT NULL, time_ms INTEGER NOT NULL) WITHOUT ROWID;"
        "PRAGMA user_version = 1;";

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
		err = store_record_schema(*db);
	if (!err)
		err = store_overrides_schema(*db);
	if (!err)
		err = store_operations_schema(*db);
	return err ? err : store_history_schema(*db);
}

int store_open(const char *state_dir, struct store **out, char reason[EVENT_TEXT_MAX])
{
	struct store *s = calloc(1, sizeof(*s));
	int err = s ? 0 : -ENOMEM;

	if (s)
		snprintf(s->state_dir, sizeof(s->state_dir), "%s", state_dir);

	reason[0] = '\0';
	if (!err)
		err = home_open(state_dir, &s->home, reason);
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
	return home_put_aside(state_dir, "corrupt", now_ms);
}

int store_move_back(const char *state_dir, char reason[EVENT_TEXT_MAX])
{
	struct store *s;
	int err = 0;

	reason[0] = '\0';
	if (!home_has_store(state_dir))
		return 0;
	err = store_open(state_dir, &s,
	                 reason); /* SQLite replays a journal that a killed process left */

	if (err)
		return err;
	if (sqlite3_close(s->db) == SQLITE_OK) {
		s->db = NULL;
		err = home_move_back(&s->home, state_dir, reason);
	} else {
		err = -EBUSY;
		snprintf(reason, EVENT_TEXT_MAX, "%s: %s", PROC_STORE_FILE, sqlite3_errmsg(s->db));
	}
	store_close(s);
	return err;
}

const char *store_reason(const struct store *s)
{
	return s->reason;
}

/* The digests that a version supersedes as one text. */
static void join_supersedes(const struct version *v, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < v->n_supersedes; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", i ? " " : "", v->supersedes[i]);
}

static bool split_supersedes(const char *text, struct version *v)
{
	v->n_supersedes = 0;
	while (*text) {
		size_t n = strcspn(text, " ");

		if (n != DIGEST_TEXT_MAX - 1 || v->n_supersedes == VERSION_SUPERSEDES_MAX)
			return false;
		memcpy(v->supersedes[v->n_supersedes], text, n);
		v->supersedes[v->n_supersedes++][n] = '\0';
		text += n + (text[n] == ' ');
	}
	return true;
}

static int put_blob(sqlite3 *db, const struct files_item *item)
{
	struct files_text text;
	int err = files_read(item, &text);

	if (!err)
		err = sql_run(db, "INSERT OR IGNORE INTO blobs VALUES(?,?)", "tb", item->digest,
		              text.bytes, text.n);
	files_read_end(&text);
	return err;
}

static int put_files(sqlite3 *db, uint64_t number, const struct files *files)
{
	int err = sql_run(db, "DELETE FROM version_files WHERE number=?", "i", (int64_t)number);

	for (size_t i = 0; !err && i < files->n_items; i++) {
		const struct files_item *item = &files->items[i];

		/*
		 * a large one stays where it is, unless the former release could take the version
		 */
		if (!item->path || files_fit_former(files))
			err = put_blob(db, item);
		if (!err)
			err = sql_run(db, "INSERT INTO version_files VALUES(?,?,?)", "itt",
			              (int64_t)number, item->name, item->digest);
	}
	return err;
}

/* The newest version to forget as versions of many files make the store large; 0: none. */
static int crowded_up_to(sqlite3 *db, uint64_t head, int64_t *out)
{
	sqlite3_stmt *q =
	        sql_prepare(db,
	                    "SELECT number, sum(n) OVER (ORDER BY number DESC) AS rows FROM"
	                    " (SELECT number, count(*) AS n FROM version_files GROUP BY number)"
	                    " ORDER BY number DESC",
	                    "");
	int64_t number = 0;
	int err = q ? 1 : sql_errno(sqlite3_errcode(db));

	while (!number && err == 1 && (err = sql_next(q)) == 1)
		if (sqlite3_column_int64(q, 1) > (int64_t)STORE_FILES_MAX &&
		    sqlite3_column_int64(q, 0) + (int64_t)STORE_VERSIONS_MIN <= (int64_t)head)
			number = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	*out = number;
	return err < 0 ? err : 0;
}

/* Versions go when they, or their files, are too many; blobs without a version go too. */
static int forget_old_versions(sqlite3 *db, uint64_t head)
{
	static const char *const deletes[] = {
		"DELETE FROM versions WHERE number<=?",
		"DELETE FROM version_keys WHERE number<=?",
		"DELETE FROM version_principals WHERE number<=?",
		"DELETE FROM undoing WHERE number<=?",
		"DELETE FROM version_files WHERE number<=?",
	};
	int64_t least = (int64_t)head - (int64_t)STORE_VERSIONS_MAX;
	int64_t crowd = 0;
	int err = crowded_up_to(db, head, &crowd);

	least = crowd > least ? crowd : least;
	if (err || least <= 0)
		return err;
	for (size_t i = 0; !err && i < sizeof(deletes) / sizeof(deletes[0]); i++)
		err = sql_run(db, deletes[i], "i", least);
	if (!err)
		err = sql_run(
		        db,
		        "DELETE FROM blobs WHERE digest NOT IN (SELECT digest FROM version_files)",
		        "");
	return err;
}

int store_put_version(struct store *s, const struct version *v, const struct files *files)
{
	char supersedes[VERSION_SUPERSEDES_MAX * DIGEST_TEXT_MAX + 1];
	int err = sql_begin(s->db);

	join_supersedes(v, supersedes, sizeof(supersedes));
	if (!err) /* a version that is replaced has lost, and stays visible */
		err = store_history_replace(s->db, v);
	if (!err)
		err = sql_run(s->db, "INSERT OR REPLACE INTO versions VALUES(?,?,?,?,?,?,?,?,?,?)",
		              "itttttiiit", (int64_t)v->number, v->digest, v->parent, v->author,
		              v->reason, v->node, v->time_ms, v->effective_ms, v->confirm_by_ms,
		              supersedes);
	if (!err)
		err = put_files(s->db, v->number, files);
	if (!err)
		err = forget_old_versions(s->db, v->number);
	if (!err)
		err = store_record_version(s, v);
	err = store_noted(s, err);
	return sql_end(s->db, err);
}

int store_confirm(struct store *s, uint64_t number)
{
	int err = sql_begin(s->db);

	if (!err)
		err = sql_run(s->db, "UPDATE versions SET confirm_by_ms=0 WHERE number=?", "i",
		              (int64_t)number);
	if (!err)
		err = store_record_confirmed(s, number);
	err = store_noted(s, err);
	return sql_end(s->db, err);
}

/* The former release does not write columns 10 to 12: they may be NULL. */
static int read_version_row(sqlite3_stmt *q, struct version *out)
{
	char supersedes[VERSION_SUPERSEDES_MAX * DIGEST_TEXT_MAX + 1];
	struct version v = { .number = (uint64_t)sqlite3_column_int64(q, 0),
		             .time_ms = sqlite3_column_int64(q, 6),
		             .effective_ms = sqlite3_column_int64(q, 7),
		             .confirm_by_ms = sqlite3_column_int64(q, 8),
		             .undoes = (uint64_t)sqlite3_column_int64(q, 10) };

	if (!sql_text(q, 1, v.digest, sizeof(v.digest)) ||
	    !sql_text(q, 2, v.parent, sizeof(v.parent)) ||
	    !sql_text(q, 3, v.author, sizeof(v.author)) ||
	    !sql_text(q, 4, v.reason, sizeof(v.reason)) ||
	    !sql_text(q, 5, v.node, sizeof(v.node)) ||
	    !sql_text(q, 9, supersedes, sizeof(supersedes)) || !split_supersedes(supersedes, &v))
		return -EBADMSG;
	if (sqlite3_column_type(q, 12) == SQLITE_TEXT &&
	    !sql_text(q, 12, v.principal, sizeof(v.principal)))
		return -EBADMSG;
	if (sqlite3_column_type(q, 11) == SQLITE_TEXT && /* NULL: a version of the former release */
	    !sql_text(q, 11, v.hash_key, sizeof(v.hash_key)))
		return -EBADMSG;
	*out = v;
	return 0;
}

int store_versions(struct store *s, uint64_t before, struct version *out, size_t max)
{
	sqlite3_stmt *q = sql_prepare(
	        s->db,
	        "SELECT v.*, u.undoes, k.fingerprint, p.principal FROM versions v LEFT JOIN"
	        " version_principals p ON p.number=v.number AND p.digest=v.digest LEFT JOIN"
	        " undoing u ON u.number=v.number AND u.digest=v.digest LEFT JOIN"
	        " version_keys k ON k.number=v.number AND k.digest=v.digest"
	        " WHERE v.number<? ORDER BY v.number DESC LIMIT ?",
	        "ii", before ? (int64_t)before : INT64_MAX, (int64_t)max);
	int err = q ? 0 : sql_errno(sqlite3_errcode(s->db)), n = 0;

	while (!err) {
		err = sql_next(q);
		if (err <= 0)
			break;
		err = read_version_row(q, &out[n]);
		n += !err;
	}
	err = store_noted(s, err);
	sqlite3_finalize(q);
	return err ? err : n;
}

int store_version(struct store *s, uint64_t number, struct version *out)
{
	struct version v;
	int n = store_versions(s, number + 1, &v, 1);

	if (n < 0)
		return n;
	if (n == 0 || v.number != number)
		return -ENOENT;
	*out = v;
	return 0;
}

/* A large file lies beside the store: if it is missing, the store is not corrupt. */
static int find_large(const struct store *s, const char *name, const char *digest,
                      struct files *files)
{
	char path[PATH_MAX];
	uint64_t n;
	bool whole;
	int err = blobs_have(s->state_dir, digest, &n, &whole);

	if (!err && whole)
		err = blobs_path(s->state_dir, digest, path);
	else if (!err)
		err = -EIO;
	return err ? err : files_add_path(files, name, path, digest, n);
}

static int read_file_row(const struct store *s, sqlite3_stmt *q, struct files *files)
{
	char name[FILES_NAME_MAX + 1], digest[DIGEST_TEXT_MAX], found[DIGEST_TEXT_MAX];
	const void *bytes = sqlite3_column_blob(q, 2);
	size_t n = (size_t)sqlite3_column_bytes(q, 2);

	if (!sql_text(q, 0, name, sizeof(name)) || !sql_text(q, 1, digest, sizeof(digest)))
		return -EBADMSG;
	if (sqlite3_column_type(q, 2) == SQLITE_NULL)
		return find_large(s, name, digest, files);
	if (strcmp(digest_bytes(bytes ? bytes : "", n, found), digest))
		return -EBADMSG;
	int err = files_add(files, name, bytes, n);
	return err == -ENOMEM ? err : err ? -EBADMSG : 0;
}

int store_files(struct store *s, uint64_t number, struct files *out)
{
	sqlite3_stmt *q =
	        sql_prepare(s->db,
	                    "SELECT f.name, f.digest, b.bytes FROM version_files f LEFT JOIN"
	                    " blobs b ON b.digest=f.digest WHERE f.number=? ORDER BY f.name",
	                    "i", (int64_t)number);
	int err = q ? 0 : sql_errno(sqlite3_errcode(s->db));
	struct files files = { 0 };

	while (!err) {
		err = sql_next(q);
		if (err <= 0)
			break;
		err = read_file_row(s, q, &files);
	}
	if (!err && files.n_items == 0)
		err = -ENOENT;
	err = store_noted(s, err);
	sqlite3_finalize(q);
	if (err) {
		files_fini(&files);
		return err;
	}
	*out = files;
	return 0;
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

static int read_event(sqlite3_stmt *q, struct event *e)
{
	*e = (struct event){ .id = (uint64_t)sqlite3_column_int64(q, 0),
		             .time_ms = sqlite3_column_int64(q, 1) };
	return sql_text(q, 2, e->kind, sizeof(e->kind)) &&
	                       sql_text(q, 3, e->subject, sizeof(e->subject)) &&
	                       sql_text(q, 4, e->message, sizeof(e->message)) &&
	                       sql_text(q, 5, e->node, sizeof(e->node))
	               ? 0
	               : -EBADMSG;
}

int store_events(struct store *s, struct event *out, size_t max)
{
	sqlite3_stmt *q =
	        sql_prepare(s->db,
	                    "SELECT * FROM (SELECT * FROM events ORDER BY id DESC LIMIT ?)"
	                    " ORDER BY id",
	                    "i", (int64_t)max);
	int err = q ? 0 : sql_errno(sqlite3_errcode(s->db)), n = 0;

	while (!err) {
		err = sql_next(q);
		if (err <= 0)
			break;
		err = read_event(q, &out[n]);
		n += !err;
	}
	err = store_noted(s, err);
	sqlite3_finalize(q);
	return err ? err : n;
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
