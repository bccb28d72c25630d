/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overrides in the store. Each has two rows: one that an earlier release reads as well, and its
 * principal (store_record.c). A step of an operation is in a table of its own instead, and in the
 * first one only where an earlier release gets the same levels from it. All rows of an override are
 * written in one transaction.
 */
#include <errno.h>
#include <stdio.h>

#include "mgmt/store/store_internal.h"

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS steps(id TEXT PRIMARY KEY, generation INTEGER NOT NULL,"
        " kind INTEGER NOT NULL, target INTEGER NOT NULL, pool TEXT NOT NULL, name TEXT NOT NULL,"
        " created_ms INTEGER NOT NULL, from_ms INTEGER NOT NULL, over_ms INTEGER NOT NULL,"
        " until_ms INTEGER NOT NULL, from_ppm INTEGER NOT NULL, ended INTEGER NOT NULL,"
        " author TEXT NOT NULL, reason TEXT NOT NULL, node TEXT NOT NULL, to_ppm INTEGER NOT NULL,"
        " late_from_ms INTEGER NOT NULL, service TEXT NOT NULL, operation TEXT NOT NULL,"
        " own_vips INTEGER NOT NULL, shared_vips INTEGER NOT NULL)"
        " WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS drills(id TEXT PRIMARY KEY, generation INTEGER NOT NULL,"
        " name TEXT NOT NULL, created_ms INTEGER NOT NULL, from_ms INTEGER NOT NULL,"
        " until_ms INTEGER NOT NULL, ended INTEGER NOT NULL, author TEXT NOT NULL,"
        " reason TEXT NOT NULL, node TEXT NOT NULL, service TEXT NOT NULL, clients TEXT NOT NULL)"
        " WITHOUT ROWID;";

int store_overrides_schema(sqlite3 *db)
{
	return sql_errno(sqlite3_exec(db, schema, NULL, NULL, NULL));
}

static int put_override_row(sqlite3 *db, const struct override *o)
{
	return sql_run(db, "INSERT OR REPLACE INTO overrides VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	               "tiiittiiiiiittt", o->id, (int64_t)o->generation, (int64_t)o->kind,
	               (int64_t)o->target, o->pool, o->name, o->created_ms, o->from_ms, o->over_ms,
	               o->until_ms, (int64_t)o->from_ppm, (int64_t)o->ended, o->author, o->reason,
	               o->node);
}

static int put_step_row(sqlite3 *db, const struct override *o)
{
	return sql_run(db,
	               "INSERT OR REPLACE INTO steps"
	               " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	               "tiiittiiiiiitttiittii", o->id, (int64_t)o->generation, (int64_t)o->kind,
	               (int64_t)o->target, o->pool, o->name, o->created_ms, o->from_ms, o->over_ms,
	               o->until_ms, (int64_t)o->from_ppm, (int64_t)o->ended, o->author, o->reason,
	               o->node, (int64_t)o->to_ppm, o->late_from_ms, o->service, o->operation,
	               (int64_t)o->own_vips, (int64_t)o->shared_vips);
}

static int put_drill_row(sqlite3 *db, const struct override *o)
{
	char clients[ADDR_LONG_TEXT_MAX];

	return sql_run(db, "INSERT OR REPLACE INTO drills VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
	               "titiiiittttt", o->id, (int64_t)o->generation, o->name, o->created_ms,
	               o->from_ms, o->until_ms, (int64_t)o->ended, o->author, o->reason, o->node,
	               o->service, prefix_text(&o->clients, clients));
}

/* Write an override and its principal, in the caller's transaction; its former rows go. */
static int write_override(struct store *s, const struct override *o)
{
	int err = 0;

	if (o->kind == MODEL_OVERRIDE_DRILL)
		err = put_drill_row(s->db, o);
	else if (override_is_plain(o))
		err = put_override_row(s->db, o);
	else
		err = sql_run(s->db, "DELETE FROM overrides WHERE id=?", "t", o->id);
	if (!err && o->is_step)
		err = put_step_row(s->db, o);
	else if (!err)
		err = sql_run(s->db, "DELETE FROM steps WHERE id=?", "t", o->id);
	return err ? err : store_record_override(s, o);
}

int store_put_overrides(struct store *s, const struct overrides *overrides)
{
	int err = sql_begin(s->db);

	if (!err)
		err = sql_run(s->db, "DELETE FROM overrides", "");
	if (!err)
		err = sql_run(s->db, "DELETE FROM steps", "");
	if (!err)
		err = sql_run(s->db, "DELETE FROM drills", "");
	if (!err)
		err = sql_run(s->db, "DELETE FROM override_principals", "");
	for (size_t i = 0; !err && i < overrides->n_items; i++)
		err = write_override(s, &overrides->items[i]);
	err = store_noted(s, err);
	return sql_end(s->db, err);
}

int store_put_some(struct store *s, const struct override *list, const bool *which, size_t n)
{
	char what[MODEL_ID_MAX + 32] = "";
	int err = sql_begin(s->db);

	for (size_t i = 0; !err && i < n; i++) {
		if (!which[i])
			continue;
		err = write_override(s, &list[i]);
		if (!what[0]) /* the first is what the command was about */
			snprintf(what, sizeof(what), "{\"override\":\"%s\"}", list[i].id);
	}
	if (!err && what[0])
		err = store_record_request(s, what);
	err = store_noted(s, err);
	return sql_end(s->db, err);
}

/* What is no value of it is made one that override_ok() refuses. */
static enum model_vips column_vips(sqlite3_stmt *q, int column)
{
	int64_t value = sqlite3_column_int64(q, column);

	return value >= 0 && value <= MODEL_VIPS_WITHDRAWN ? (enum model_vips)value
	                                                   : MODEL_VIPS_WITHDRAWN + 1;
}

/* The columns that only a step has: NULL in all others. @return whether they can be used */
static bool read_step(sqlite3_stmt *q, struct override *o)
{
	if (sqlite3_column_type(q, 15) == SQLITE_NULL)
		return true;
	int64_t to_ppm = sqlite3_column_int64(q, 15);
	o->is_step = true;
	o->to_ppm = to_ppm >= 0 && to_ppm <= UINT32_MAX ? (uint32_t)to_ppm : UINT32_MAX;
	o->late_from_ms = sqlite3_column_int64(q, 16);
	o->own_vips = column_vips(q, 19);
	o->shared_vips = column_vips(q, 20);
	return sql_text(q, 17, o->service, sizeof(o->service)) &&
	       sql_text(q, 18, o->operation, sizeof(o->operation));
}

/* A row is checked like an override of a peer: a damaged one must not come into force. */
static int read_override(sqlite3_stmt *q, struct override *out)
{
	struct override o = { .generation = (uint64_t)sqlite3_column_int64(q, 1),
		              .kind = (enum model_override_kind)sqlite3_column_int(q, 2),
		              .target = (enum model_target_kind)sqlite3_column_int(q, 3),
		              .created_ms = sqlite3_column_int64(q, 6),
		              .from_ms = sqlite3_column_int64(q, 7),
		              .over_ms = sqlite3_column_int64(q, 8),
		              .until_ms = sqlite3_column_int64(q, 9),
		              .from_ppm = (uint32_t)sqlite3_column_int64(q, 10),
		              .ended = sqlite3_column_int(q, 11) != 0 };

	if (!sql_text(q, 0, o.id, sizeof(o.id)) || !sql_text(q, 4, o.pool, sizeof(o.pool)) ||
	    !sql_text(q, 5, o.name, sizeof(o.name)) ||
	    !sql_text(q, 12, o.author, sizeof(o.author)) ||
	    !sql_text(q, 13, o.reason, sizeof(o.reason)) ||
	    !sql_text(q, 14, o.node, sizeof(o.node)) || !read_step(q, &o) || !override_ok(&o))
		return -EBADMSG;
	if (sqlite3_column_type(q, 21) == SQLITE_TEXT &&
	    !sql_text(q, 21, o.principal, sizeof(o.principal)))
		return -EBADMSG;
	*out = o;
	return 0;
}

/* An override has two rows when an earlier release, which knows one of them, went on with it. */
static const char select_overrides[] =
        "SELECT o.*, p.principal FROM (SELECT *, NULL, NULL, NULL, NULL, NULL, NULL FROM overrides UNION ALL"
        " SELECT * FROM steps) o LEFT JOIN override_principals p"
        " ON p.id=o.id AND p.generation=o.generation";

static const char select_drills[] =
        "SELECT o.*, p.principal FROM drills o LEFT JOIN override_principals p"
        " ON p.id=o.id AND p.generation=o.generation";

/* As read_override(). */
static int read_drill(sqlite3_stmt *q, struct override *out)
{
	struct override o = { .kind = MODEL_OVERRIDE_DRILL,
		              .target = MODEL_TARGET_SITE,
		              .generation = (uint64_t)sqlite3_column_int64(q, 1),
		              .created_ms = sqlite3_column_int64(q, 3),
		              .from_ms = sqlite3_column_int64(q, 4),
		              .until_ms = sqlite3_column_int64(q, 5),
		              .ended = sqlite3_column_int(q, 6) != 0 };
	char clients[ADDR_LONG_TEXT_MAX];

	if (!sql_text(q, 0, o.id, sizeof(o.id)) || !sql_text(q, 2, o.name, sizeof(o.name)) ||
	    !sql_text(q, 7, o.author, sizeof(o.author)) ||
	    !sql_text(q, 8, o.reason, sizeof(o.reason)) ||
	    !sql_text(q, 9, o.node, sizeof(o.node)) ||
	    !sql_text(q, 10, o.service, sizeof(o.service)) ||
	    !sql_text(q, 11, clients, sizeof(clients)) || prefix_parse(clients, &o.clients) ||
	    !override_ok(&o))
		return -EBADMSG;
	if (sqlite3_column_type(q, 12) == SQLITE_TEXT &&
	    !sql_text(q, 12, o.principal, sizeof(o.principal)))
		return -EBADMSG;
	*out = o;
	return 0;
}

static int merge_rows(struct store *s, const char *select,
                      int (*read_row)(sqlite3_stmt *q, struct override *out),
                      struct overrides *overrides, int64_t now_ms)
{
	sqlite3_stmt *q = sql_prepare(s->db, select, "");
	int err = q ? 0 : sql_errno(sqlite3_errcode(s->db));

	while (!err) {
		struct override o;

		err = sql_next(q);
		if (err <= 0)
			break;
		err = read_row(q, &o);
		if (!err)
			err = overrides_merge(overrides, &o, now_ms);
		err = err > 0 ? 0 : err;
	}
	err = store_noted(s, err);
	sqlite3_finalize(q);
	return err;
}

int store_overrides(struct store *s, struct overrides *overrides, int64_t now_ms)
{
	int err = merge_rows(s, select_overrides, read_override, overrides, now_ms);

	return err ? err : merge_rows(s, select_drills, read_drill, overrides, now_ms);
}
