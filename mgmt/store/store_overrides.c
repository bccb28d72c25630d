/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overrides in the store. Each has two rows: one that an earlier release reads as well, and its
 * principal (store_record.c). Both are written in one transaction.
 */
#include <errno.h>
#include <stdio.h>

#include "mgmt/store/store_internal.h"

static int put_override_row(sqlite3 *db, const struct override *o)
{
	return sql_run(db, "INSERT OR REPLACE INTO overrides VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	               "tiiittiiiiiittt", o->id, (int64_t)o->generation, (int64_t)o->kind,
	               (int64_t)o->target, o->pool, o->name, o->created_ms, o->from_ms, o->over_ms,
	               o->until_ms, (int64_t)o->from_ppm, (int64_t)o->ended, o->author, o->reason,
	               o->node);
}

/* Write an override and its principal, in the caller's transaction. */
static int write_override(struct store *s, const struct override *o)
{
	int err = put_override_row(s->db, o);

	return err ? err : store_record_override(s, o);
}

int store_put_overrides(struct store *s, const struct overrides *overrides)
{
	int err = sql_begin(s->db);

	if (!err)
		err = sql_run(s->db, "DELETE FROM overrides", "");
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
	    !sql_text(q, 14, o.node, sizeof(o.node)) || !override_ok(&o))
		return -EBADMSG;
	if (sqlite3_column_type(q, 15) == SQLITE_TEXT &&
	    !sql_text(q, 15, o.principal, sizeof(o.principal)))
		return -EBADMSG;
	*out = o;
	return 0;
}

int store_overrides(struct store *s, struct overrides *overrides, int64_t now_ms)
{
	sqlite3_stmt *q = sql_prepare(
	        s->db,
	        "SELECT o.*, p.principal FROM overrides o LEFT JOIN override_principals p"
	        " ON p.id=o.id AND p.generation=o.generation",
	        "");
	int err = q ? 0 : sql_errno(sqlite3_errcode(s->db));

	while (!err) {
		struct override o;

		err = sql_next(q);
		if (err <= 0)
			break;
		err = read_override(q, &o);
		if (!err)
			err = overrides_merge(overrides, &o, now_ms);
		err = err > 0 ? 0 : err;
	}
	err = store_noted(s, err);
	sqlite3_finalize(q);
	return err;
}
