/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Versions in the store: each is a record, and names files by their digests. What is read is checked
 * again: damage is found before it comes into force.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/files/blobs.h"
#include "mgmt/store/records.h"
#include "mgmt/store/store_internal.h"

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS blobs(digest TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS versions(number INTEGER PRIMARY KEY, text TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS version_files(number INTEGER NOT NULL, name TEXT NOT NULL,"
        " digest TEXT NOT NULL, PRIMARY KEY(number, name)) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS staged_requests(number INTEGER PRIMARY KEY, key TEXT NOT NULL,"
        " request TEXT NOT NULL, time_ms INTEGER NOT NULL);";

int store_versions_schema(sqlite3 *db)
{
	return sql_errno(sqlite3_exec(db, schema, NULL, NULL, NULL));
}

/* @param arg  where the next version goes */
static int read_version(sqlite3_stmt *q, void *arg)
{
	struct version **next = arg;
	int err = sql_record(q, 0, &version_record, *next);

	*next += !err;
	return err;
}

int store_versions(struct store *s, uint64_t before, struct version *out, size_t max)
{
	return store_each(s,
	                  sql_prepare(s->db,
	                              "SELECT text FROM versions WHERE number<? AND number>0"
	                              " ORDER BY number DESC LIMIT ?",
	                              "ii", before ? (int64_t)before : INT64_MAX, (int64_t)max),
	                  read_version, &out);
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

static int put_files(sqlite3 *db, int64_t number, const struct files *files)
{
	int err = sql_run(db, "DELETE FROM version_files WHERE number=?", "i", number);

	for (size_t i = 0; !err && i < files->n_items; i++) {
		const struct files_item *item = &files->items[i];

		/* a large one of a large version stays where it is */
		if (!item->path || files_go_whole(files))
			err = put_blob(db, item);
		if (!err)
			err = sql_run(db, "INSERT INTO version_files VALUES(?,?,?)", "itt", number,
			              item->name, item->digest);
	}
	return err;
}

/* The newest version to forget as versions of many files make the store large; 0: none. */
static int crowded_up_to(sqlite3 *db, uint64_t head, int64_t *out)
{
	sqlite3_stmt *q = sql_prepare(
	        db,
	        "SELECT number, sum(n) OVER (ORDER BY number DESC) AS rows FROM"
	        " (SELECT number, count(*) AS n FROM version_files WHERE number>0 GROUP BY number)"
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
static int forget_old_versions(sqlite3 *db, uint64_t head, uint64_t kept)
{
	static const char *const deletes[] = {
		"DELETE FROM versions WHERE number<=? AND number>0 AND number<>?",
		"DELETE FROM version_files WHERE number<=? AND number>0 AND number<>?",
	};
	int64_t least = (int64_t)head - (int64_t)STORE_VERSIONS_MAX;
	int64_t crowd = 0;
	int err = crowded_up_to(db, head, &crowd);

	least = crowd > least ? crowd : least;
	if (err || least <= 0)
		return err;
	for (size_t i = 0; !err && i < sizeof(deletes) / sizeof(deletes[0]); i++)
		err = sql_run(db, deletes[i], "ii", least, (int64_t)kept);
	if (!err)
		err = sql_run(
		        db,
		        "DELETE FROM blobs WHERE digest NOT IN (SELECT digest FROM version_files)",
		        "");
	return err;
}

/* @param number  under which it is kept */
static int write_version(sqlite3 *db, int64_t number, const struct version *v)
{
	char *text = record_to_text(&version_record, v);
	int err = text ? sql_run(db, "INSERT OR REPLACE INTO versions VALUES(?,?)", "it", number,
	                         text)
	               : -ENOMEM;
	free(text);
	return err;
}

/* Under which number files are staged: below those of versions, and by what they are. */
static int64_t stage_number(const char *digest)
{
	char text[13] = "";

	memcpy(text, digest, strnlen(digest, sizeof(text) - 1));
	return -1 - (int64_t)strtoull(text, NULL, 16);
}

/*
 * Staged files have become those of version @p v. If it is the very version that was staged here, the request that it was
 * made for was carried out: whoever repeats it learns that, also where the answer was lost.
 */
static int end_staged(sqlite3 *db, const struct version *v)
{
	static const char *const deletes[] = {
		"DELETE FROM staged_requests WHERE number=?",
		"DELETE FROM versions WHERE number=?",
		"DELETE FROM version_files WHERE number=?",
	};
	int64_t number = stage_number(v->digest);
	int err = sql_run(db,
	                  "INSERT OR REPLACE INTO replies SELECT r.key, r.request, 0,"
	                  " json_object('version', p.number), r.time_ms FROM staged_requests r"
	                  " JOIN versions s ON s.number=r.number"
	                  " JOIN versions p ON p.number=?2 AND p.text=s.text WHERE r.number=?1",
	                  "ii", number, (int64_t)v->number);

	for (size_t i = 0; !err && i < sizeof(deletes) / sizeof(deletes[0]); i++)
		err = sql_run(db, deletes[i], "i", number);
	return err;
}

/* Note for which request a version is staged, if for one. */
static int stage_request(struct store *s, int64_t number)
{
	if (!s->request.key[0])
		return 0;
	return sql_run(s->db, "INSERT OR REPLACE INTO staged_requests VALUES(?,?,?,?)", "itti",
	               number, s->request.key, s->request.digest, s->request.now_ms);
}

/* Of those of which nobody heard again the oldest go, so that there is room for @p number. */
static int forget_old_staged(sqlite3 *db, int64_t number)
{
	int err = sql_run(db,
	                  "DELETE FROM versions WHERE number<0 AND number<>?1 AND number NOT IN"
	                  " (SELECT number FROM versions WHERE number<0 AND number<>?1"
	                  " ORDER BY json_extract(text, '$.time_ms') DESC LIMIT ?2)",
	                  "ii", number, (int64_t)STORE_STAGED_MAX - 1);

	if (!err)
		err = sql_run(db,
		              "DELETE FROM version_files WHERE number<0 AND"
		              " number NOT IN (SELECT number FROM versions)",
		              "");
	return err ? err
	           : sql_run(db,
	                     "DELETE FROM staged_requests WHERE"
	                     " number NOT IN (SELECT number FROM versions)",
	                     "");
}

int store_stage_version(struct store *s, const struct version *v, const struct files *files)
{
	int64_t number = stage_number(v->digest);
	int err = sql_begin(s->db);

	if (!err)
		err = forget_old_staged(s->db, number);
	if (!err)
		err = write_version(s->db, number, v);
	if (!err)
		err = put_files(s->db, number, files);
	if (!err)
		err = stage_request(s, number);
	return sql_end(s->db, store_noted(s, err));
}

void store_keep_version(struct store *s, uint64_t number)
{
	s->kept = number;
}

int store_write_version(struct store *s, const struct version *v, const struct files *files)
{
	int err = write_version(s->db, (int64_t)v->number, v);

	if (!err)
		err = put_files(s->db, (int64_t)v->number, files);
	if (!err)
		err = forget_old_versions(s->db, v->number, s->kept);
	if (!err)
		err = end_staged(s->db, v);
	if (!err)
		err = store_record_version(s, v->number);
	return err;
}

int store_put_version(struct store *s, const struct version *v, const struct files *files)
{
	int err = sql_begin(s->db);

	if (!err)
		err = store_write_version(s, v, files);
	return sql_end(s->db, store_noted(s, err));
}

int store_replace_version(struct store *s, const struct version *v, const struct files *files)
{
	int err = sql_begin(s->db);

	for (size_t i = 0; !err && i < files->n_items; i++)
		err = sql_run(s->db, "DELETE FROM blobs WHERE digest=?", "t",
		              files->items[i].digest);
	if (!err)
		err = store_write_version(s, v, files);
	return sql_end(s->db, store_noted(s, err));
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

struct files_reader {
	const struct store *s;
	struct files files;
};

static int read_file_row(sqlite3_stmt *q, void *arg)
{
	char name[FILES_NAME_MAX + 1], digest[DIGEST_TEXT_MAX], found[DIGEST_TEXT_MAX];
	const void *bytes = sqlite3_column_blob(q, 2);
	size_t n = (size_t)sqlite3_column_bytes(q, 2);
	struct files_reader *r = arg;

	if (!sql_text(q, 0, name, sizeof(name)) || !sql_text(q, 1, digest, sizeof(digest)))
		return -EBADMSG;
	if (sqlite3_column_type(q, 2) == SQLITE_NULL)
		return find_large(r->s, name, digest, &r->files);
	if (strcmp(digest_bytes(bytes ? bytes : "", n, found), digest))
		return -EBADMSG;
	int err = files_add(&r->files, name, bytes, n);
	return err == -ENOMEM ? err : err ? -EBADMSG : 0;
}

int store_files(struct store *s, uint64_t number, struct files *out)
{
	struct files_reader r = { .s = s };
	int n = store_each(
	        s,
	        sql_prepare(s->db,
	                    "SELECT f.name, f.digest, b.bytes FROM version_files f LEFT JOIN"
	                    " blobs b ON b.digest=f.digest WHERE f.number=? ORDER BY f.name",
	                    "i", (int64_t)number),
	        read_file_row, &r);

	if (n <= 0) {
		files_fini(&r.files);
		return n ? n : -ENOENT;
	}
	*out = r.files;
	return 0;
}

int store_staged_files(struct store *s, const char *digest, struct files *out)
{
	struct files files;
	char found[DIGEST_TEXT_MAX];
	int err = store_files(s, (uint64_t)stage_number(digest), &files);

	if (err)
		return err;
	if (strcmp(files_digest(&files, found), digest) !=
	    0) { /* others whose digest begins alike */
		files_fini(&files);
		return -ENOENT;
	}
	*out = files;
	return 0;
}
