/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One table of records, and one row with the revision. The comparison and what follows from it are one
 * transaction, so two processes cannot both win (BEGIN IMMEDIATE takes the only lock of writers).
 */
#include "mgmt/store/copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/store/store_internal.h"

#define REVISION_END (INT64_MAX / 2) /* a damaged one could not rise any more */

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS shared(name TEXT PRIMARY KEY, text TEXT NOT NULL,"
        " revision INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS shared_revision(one INTEGER PRIMARY KEY CHECK(one=1),"
        " revision INTEGER NOT NULL, joined INTEGER NOT NULL, store TEXT NOT NULL,"
        " went_back INTEGER NOT NULL);"
        "INSERT OR IGNORE INTO shared_revision VALUES(1, 0, 0, '', 0);"
        "CREATE TABLE IF NOT EXISTS shared_origin(one INTEGER PRIMARY KEY CHECK(one=1),"
        " cluster INTEGER NOT NULL, epoch INTEGER NOT NULL, nonce TEXT NOT NULL);";

int store_copy_schema(sqlite3 *db)
{
	return sql_errno(sqlite3_exec(db, schema, NULL, NULL, NULL));
}

/* The revision, and that of the first list. They are asked for many times a second. */
static int read_revisions(struct store *s, int64_t *revision, int64_t *joined)
{
	int changes = sqlite3_total_changes(s->db);

	if (s->copy.known && s->copy.changes == changes) {
		*revision = s->copy.revision;
		*joined = s->copy.joined;
		return 0;
	}
	sqlite3_stmt *q = sql_prepare(s->db, "SELECT revision, joined FROM shared_revision", "");
	int err = q ? sql_next(q) : sql_errno(sqlite3_errcode(s->db));
	int64_t r = err == 1 ? sqlite3_column_int64(q, 0) : -1;
	int64_t j = err == 1 ? sqlite3_column_int64(q, 1) : -1;

	sqlite3_finalize(q);
	if (err < 0)
		return err;
	if (j < 0 || r < j || r >= REVISION_END)
		return -EBADMSG;
	*revision = s->copy.revision = r;
	*joined = s->copy.joined = j;
	s->copy.changes = changes;
	s->copy.known =
	        sqlite3_get_autocommit(s->db); /* what a transaction reads may be taken back */
	return 0;
}

static int read_revision(struct store *s, int64_t *out)
{
	int64_t joined;

	return read_revisions(s, out, &joined);
}

int copy_revision(struct store *s, int64_t *out)
{
	return store_noted(s, read_revision(s, out));
}

int copy_joined(struct store *s, int64_t *out)
{
	int64_t revision;

	return store_noted(s, read_revisions(s, &revision, out));
}

static int read_store_name(sqlite3_stmt *q, void *out)
{
	return sql_text(q, 0, out, COPY_STORE_MAX) ? 0 : -EBADMSG;
}

int copy_store(struct store *s, char out[COPY_STORE_MAX])
{
	out[0] = '\0';
	return store_one(s, sql_prepare(s->db, "SELECT store FROM shared_revision", ""),
	                 read_store_name, out, -EBADMSG);
}

int copy_begin(struct store *s, const char *name)
{
	int err = sql_begin(s->db);

	if (!err)
		err = sql_run(s->db, "DELETE FROM shared", "");
	if (!err)
		err = sql_run(s->db, "DELETE FROM shared_origin", "");
	if (!err)
		err = sql_run(
		        s->db,
		        "UPDATE shared_revision SET revision=0, joined=0, store=?, went_back=0",
		        "t", name);
	return sql_end(s->db, store_noted(s, err));
}

int copy_forget_versions(struct store *s)
{
	return store_noted(s,
	                   sql_run(s->db,
	                           "DELETE FROM shared WHERE name='head' OR name GLOB 'version/*'"
	                           " OR name GLOB 'mark/*' OR revision<=0 OR revision>=? OR"
	                           " length(CAST(name AS BLOB))>=?",
	                           "ii", REVISION_END, (int64_t)SHARED_NAME_MAX));
}

int copy_bind(struct store *s, const char *name, char was[COPY_STORE_MAX])
{
	int err = copy_store(s, was);

	if (err)
		return err;
	if (*was)
		return strcmp(was, name) != 0 ? -EXDEV : 0;
	return copy_begin(s, name);
}

int copy_set_went_back(struct store *s)
{
	return store_noted(s, sql_run(s->db, "UPDATE shared_revision SET went_back=1", ""));
}

static int read_went_back(sqlite3_stmt *q, void *out)
{
	*(bool *)out = sqlite3_column_int64(q, 0) != 0;
	return 0;
}

int copy_went_back(struct store *s, bool *out)
{
	return store_one(s, sql_prepare(s->db, "SELECT went_back FROM shared_revision", ""),
	                 read_went_back, out, -EBADMSG);
}

/* Read a row of name, text, revision; the text is given. @return 0, -EBADMSG or -ENOMEM */
static int read_row(sqlite3_stmt *q, void *out)
{
	const char *text = (const char *)sqlite3_column_text(q, 1);
	struct shared_record r = { .revision = sqlite3_column_int64(q, 2) };

	if (!text || r.revision <= 0 || r.revision >= REVISION_END ||
	    !sql_text(q, 0, r.name, sizeof(r.name)))
		return -EBADMSG;
	r.text = strdup(text);
	if (!r.text)
		return -ENOMEM;
	*(struct shared_record *)out = r;
	return 0;
}

int copy_read(struct store *s, const char *name, struct shared_record *out)
{
	return store_one(s,
	                 sql_prepare(s->db, "SELECT name, text, revision FROM shared WHERE name=?",
	                             "t", name),
	                 read_row, out, -ENOENT);
}

int copy_newest_final(struct store *s, struct shared_record *out)
{
	return store_one(s,
	                 sql_prepare(s->db,
	                             "SELECT name, text, revision FROM shared WHERE name GLOB "
	                             "'version/*' OR name GLOB 'mark/*' "
	                             "ORDER BY revision DESC LIMIT 1",
	                             ""),
	                 read_row, out, -ENOENT);
}

/* The record that was last written of those whose names begin with @p prefix. */
static int read_newest(struct store *s, const char *prefix, struct shared_record *out)
{
	return store_one(
	        s,
	        sql_prepare(s->db,
	                    "SELECT name, text, revision FROM shared WHERE "
	                    "substr(name, 1, length(?1))=?1 ORDER BY revision DESC LIMIT 1",
	                    "t", prefix),
	        read_row, out, -ENOENT);
}

/* What is there of what a change has seen, or that there is nothing. */
static int look_up(struct store *s, const struct shared_record *seen, struct shared_record *out)
{
	int err = (seen->is_prefix ? read_newest : copy_read)(s, seen->name, out);

	if (err != -ENOENT)
		return err;
	*out = (struct shared_record){ 0 };
	memcpy(out->name, seen->name, sizeof(out->name));
	return 0;
}

/* Look up all that @p c rests on. @param same  out: whether all is as it was seen */
static int compare_seen(struct store *s, const struct shared_change *c, struct shared_answer *a,
                        bool *same)
{
	int err = 0;

	*same = true;
	for (size_t i = 0; !err && i < c->n_seen; i++) {
		err = look_up(s, &c->seen[i], &a->now[i]);
		a->n_now += !err;
		*same = *same && !err && shared_record_is_same(&c->seen[i], &a->now[i]);
	}
	return err;
}

static int write_record(struct store *s, const struct shared_record *r, int64_t revision)
{
	return r->text ? sql_run(s->db, "INSERT OR REPLACE INTO shared VALUES(?,?,?)", "tti",
	                         r->name, r->text, revision)
	       : r->is_prefix
	               ? sql_run(s->db, "DELETE FROM shared WHERE substr(name, 1, length(?1))=?1",
	                         "t", r->name)
	               : sql_run(s->db, "DELETE FROM shared WHERE name=?", "t", r->name);
}

static int write_revision(struct store *s, int64_t revision)
{
	return sql_run(s->db, "UPDATE shared_revision SET revision=?", "i", revision);
}

/* Write what one change has, at @p revision, which is the newest then. */
static int write_change(struct store *s, int64_t revision, const struct shared_record *list,
                        size_t n)
{
	int err = 0;

	for (size_t i = 0; !err && i < n; i++)
		err = write_record(s, &list[i], revision);
	return err ? err : write_revision(s, revision);
}

int copy_decide(struct store *s, const struct shared_change *c, const struct copy_version *v,
                struct shared_answer *out)
{
	struct shared_answer a = { .result = SHARED_REFUSED };
	bool same = false;
	int err;

	if (c->err)
		return c->err;
	err = sql_begin(s->db);
	if (err)
		return store_noted(s, err);
	err = compare_seen(s, c, &a, &same);
	if (!err && same)
		err = read_revision(s, &a.revision);
	if (!err && same)
		err = write_change(s, ++a.revision, c->puts, c->n_puts);
	if (!err && same && v)
		err = v->files ? store_write_version(s, v->version, v->files)
		               : store_record_version(s, v->version->number);
	err = sql_end(s->db, store_noted(s, err));
	if (err || same)
		shared_answer_fini(&a);
	if (err)
		return err;
	if (same)
		a.result = SHARED_DONE;
	*out = a;
	return 0;
}

/* End the transaction: it is taken back if @p err says so, or if it cannot be ended. @return 0 or -errno */
static int end_following(struct store *s, int err)
{
	return sql_end(s->db, store_noted(s, err));
}

/*
 * Begin the transaction that takes the copy on to @p revision. A copy that is as new is no failure of the store: nothing is noted.
 * @return 0; or as copy_follow(), and no transaction is open
 */
static int begin_following(struct store *s, int64_t revision)
{
	int64_t had = 0;
	int err = sql_begin(s->db);

	if (err)
		return store_noted(s, err);
	err = read_revision(s, &had);
	if (err)
		return end_following(s, err);
	return revision > had ? 0 : sql_end(s->db, -ESTALE);
}

int copy_follow(struct store *s, int64_t revision, const struct shared_record *list, size_t n)
{
	int err = begin_following(s, revision);

	return err ? err : end_following(s, write_change(s, revision, list, n));
}

int copy_follow_each(struct store *s, int64_t revision, const struct shared_record *list, size_t n)
{
	int err = begin_following(s, revision);

	if (err)
		return err;
	for (size_t i = 0; !err && i < n; i++)
		err = write_record(s, &list[i], list[i].revision);
	if (!err)
		err = write_revision(s, revision);
	return end_following(s, err);
}

/* The first list says what was there when this node came; so does one of an older store, such as a restored one. */
static int write_joined(struct store *s, int64_t revision)
{
	return sql_run(s->db, "UPDATE shared_revision SET joined=?1 WHERE revision=0 OR joined>?1",
	               "i", revision);
}

static int write_origin(struct store *s, const struct store_origin *o)
{
	return sql_run(s->db, "INSERT OR REPLACE INTO shared_origin VALUES(1, ?, ?, ?)", "iit",
	               (int64_t)o->cluster_id, (int64_t)o->epoch, o->nonce);
}

/* Another store takes this one's place. */
static int write_rejoined(struct store *s, int64_t joined)
{
	return sql_run(s->db, "UPDATE shared_revision SET joined=?, went_back=0", "i", joined);
}

int copy_install(struct store *s, int64_t revision, const struct shared_record *list, size_t n,
                 const struct store_origin *origin, int64_t joined)
{
	int err = sql_begin(s->db);

	if (err)
		return store_noted(s, err);
	err = sql_run(s->db, "DELETE FROM shared", "");
	for (size_t i = 0; !err && i < n; i++)
		err = write_record(s, &list[i], list[i].revision);
	if (!err)
		err = joined ? write_rejoined(s, joined) : write_joined(s, revision);
	if (!err)
		err = write_revision(s, revision);
	if (!err && origin)
		err = write_origin(s, origin);
	return sql_end(s->db, store_noted(s, err));
}

/* Read the row. @return 0 or -EBADMSG */
static int read_origin(sqlite3_stmt *q, void *out)
{
	struct store_origin o = { .cluster_id = (uint64_t)sqlite3_column_int64(q, 0),
		                  .epoch = (uint64_t)sqlite3_column_int64(q, 1) };

	if (o.epoch >= SHARED_NUMBER_END || !sql_text(q, 2, o.nonce, sizeof(o.nonce)))
		return -EBADMSG;
	*(struct store_origin *)out = o;
	return 0;
}

int copy_origin(struct store *s, struct store_origin *out)
{
	*out = (struct store_origin){ 0 };
	return store_one(s,
	                 sql_prepare(s->db, "SELECT cluster, epoch, nonce FROM shared_origin", ""),
	                 read_origin, out, 0);
}

/** Who gets the rows of copy_each(). */
struct copy_reader {
	int (*receive)(void *arg, const struct shared_record *r);
	void *arg;
};

static int pass_row(sqlite3_stmt *q, void *arg)
{
	const struct copy_reader *reader = arg;
	struct shared_record r;
	int err = read_row(q, &r);

	if (err)
		return err;
	err = reader->receive(reader->arg, &r);
	free(r.text);
	return err;
}

int copy_each(struct store *s, const char *prefix,
              int (*receive)(void *arg, const struct shared_record *r), void *arg)
{
	struct copy_reader reader = { receive, arg };

	return store_each(s,
	                  sql_prepare(s->db,
	                              "SELECT name, text, revision FROM shared"
	                              " WHERE substr(name, 1, length(?1))=?1 ORDER BY name",
	                              "t", prefix),
	                  pass_row, &reader);
}
