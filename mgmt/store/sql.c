/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Statements are prepared for each call: changes are rare, and no cache can become stale. Errors
 * become the few that callers tell apart: corrupt, full, locked, read-only, no memory, other.
 */
#include "mgmt/store/sql.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int sql_errno(int err)
{
	if (err == SQLITE_READONLY_DBMOVED) /* the file was removed: treat it as corrupt */
		return -EBADMSG;
	switch (err & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* a table or column is missing */
	case SQLITE_SCHEMA:
		return -EBADMSG;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int bind_one(sqlite3_stmt *q, int at, char type, va_list *list)
{
	switch (type) {
	case 'i':
		return sqlite3_bind_int64(q, at, va_arg(*list, int64_t));
	case 't':
		return sqlite3_bind_text(q, at, va_arg(*list, const char *), -1, SQLITE_STATIC);
	default: {
		const void *bytes = va_arg(*list, const void *);

		return sqlite3_bind_blob64(q, at, bytes, va_arg(*list, size_t), SQLITE_STATIC);
	}
	}
}

static int bind_all(sqlite3_stmt *q, const char *types, va_list *list)
{
	int err = 0;

	for (int i = 0; types[i] && !err; i++)
		err = bind_one(q, i + 1, types[i], list);
	return err;
}

static sqlite3_stmt *prepare_bound(sqlite3 *db, const char *text, const char *types, va_list *list)
{
	sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(db, text, -1, &q, NULL))
		return NULL;
	if (!bind_all(q, types, list))
		return q;
	sqlite3_finalize(q);
	return NULL;
}

sqlite3_stmt *sql_prepare(sqlite3 *db, const char *text, const char *types, ...)
{
	va_list list;

	va_start(list, types);
	sqlite3_stmt *q = prepare_bound(db, text, types, &list);
	va_end(list);
	return q;
}

int sql_next(sqlite3_stmt *q)
{
	int err = sqlite3_step(q);

	if (err == SQLITE_ROW)
		return 1;
	return sql_errno(err);
}

int sql_run(sqlite3 *db, const char *text, const char *types, ...)
{
	va_list list;

	va_start(list, types);
	sqlite3_stmt *q = prepare_bound(db, text, types, &list);
	va_end(list);
	if (!q)
		return sql_errno(sqlite3_errcode(db));
	int err = sql_next(q);
	sqlite3_finalize(q);
	return err < 0 ? err : 0;
}

int sql_step(sqlite3_stmt *q, const char *types, ...)
{
	va_list list;

	va_start(list, types);
	int err = sql_errno(bind_all(q, types, &list));
	va_end(list);
	if (!err)
		err = sql_next(q);
	sqlite3_reset(q);
	return err < 0 ? err : 0;
}

int sql_begin(sqlite3 *db)
{
	return sql_run(db, "BEGIN IMMEDIATE", "");
}

int sql_end(sqlite3 *db, int err)
{
	if (!err &&
	    sqlite3_get_autocommit(db)) /* SQLite has rolled back by itself: nothing was kept */
		err = -EIO;
	if (!err)
		err = sql_run(db, "COMMIT", "");
	if (err && !sqlite3_get_autocommit(db))
		sql_run(db, "ROLLBACK", "");
	return err;
}

bool sql_text(sqlite3_stmt *q, int column, char *out, size_t size)
{
	const void *text = sqlite3_column_text(q, column);
	size_t n = (size_t)sqlite3_column_bytes(q, column);

	if (!text || n >= size || memchr(text, '\0', n))
		return false;
	memcpy(out, text, n);
	out[n] = '\0';
	return true;
}

int sql_each(sqlite3_stmt *q, int (*read)(sqlite3_stmt *q, void *arg), void *arg)
{
	int n = 0, err = sql_next(q);

	for (; err == 1; err = err ? err : sql_next(q)) {
		err = read(q, arg);
		n += !err;
	}
	return err ? err : n;
}

int sql_record(sqlite3_stmt *q, int column, const struct record_kind *r, void *out)
{
	const char *text = (const char *)sqlite3_column_text(q, column);
	int err = text ? record_from_text(r, text, out, NULL) : -EBADMSG;

	return err == -EINVAL ? -EBADMSG : err;
}

int sql_corrupt(sqlite3 *db)
{
	return (sqlite3_errcode(db) & 0xff) == SQLITE_NOMEM ? -ENOMEM : -EBADMSG;
}

int sql_noted(sqlite3 *db, int err, char *err_text, size_t size)
{
	if (err == -EBADMSG)
		err = sql_corrupt(db);
	if (err < 0 && err != -ENOENT)
		snprintf(err_text, size, "%s", sqlite3_errmsg(db));
	return err;
}
