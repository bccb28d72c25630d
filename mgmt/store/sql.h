/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * SQLite in as few words as the store needs: bind by a text of types, step, map errors.
 *
 * Implemented in mgmt/store/sql.c. A database belongs to one thread at a time.
 */
#ifndef WEIR_MGMT_STORE_SQL_H
#define WEIR_MGMT_STORE_SQL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "record/fields.h"

/**
 * Our errno for an SQLite result: -EBADMSG corrupt, -ENOSPC full, -EBUSY locked, -EROFS, -ENOMEM,
 * else -EIO.
 */
int sql_errno(int err);

/**
 * The errno of what sql_errno() calls corrupt: -ENOMEM if memory was missing, because a sound store
 * must not be put aside; else -EBADMSG.
 */
int sql_corrupt(sqlite3 *db);
/**
 * Correct -EBADMSG by sql_corrupt(), and keep SQLite's text in @p err_text if @p err is a failure.
 * @return the errno
 */
int sql_noted(sqlite3 *db, int err, char *err_text, size_t size);

/**
 * Prepare @p text and bind what follows, by @p types: 'i' int64_t, 't' text, 'b' bytes and size_t.
 * Bytes and texts are borrowed until sqlite3_finalize(). @return NULL on failure
 * (sqlite3_errcode())
 */
MUST_CHECK sqlite3_stmt *sql_prepare(sqlite3 *db, const char *text, const char *types, ...);
/** The next row. @return 1 a row, 0 no more, -errno */
MUST_CHECK int sql_next(sqlite3_stmt *q);
/** sql_prepare(), one step, finalize. @return 0 or -errno */
int sql_run(sqlite3 *db, const char *text, const char *types, ...);
/**
 * Bind what follows to a prepared statement, run it and make it ready for the next time. What is
 * borrowed is so until then. @return 0 or -errno
 */
MUST_CHECK int sql_step(sqlite3_stmt *q, const char *types, ...);
/** Begin a transaction. @return 0 or -errno */
MUST_CHECK int sql_begin(sqlite3 *db);
/** Commit when @p err is 0, else roll back. @return 0, @p err or -errno */
MUST_CHECK int sql_end(sqlite3 *db, int err);
/** Copy a text column. @return whether it fits */
MUST_CHECK bool sql_text(sqlite3_stmt *q, int column, char *out, size_t size);
/**
 * Give each row to @p read until one is refused. @return how many were taken, or the first -errno, of the
 * query or of @p read
 */
MUST_CHECK int sql_each(sqlite3_stmt *q, int (*read)(sqlite3_stmt *q, void *arg), void *arg);
/** Read a record from a text column. @return 0, -EBADMSG (it is none) or -ENOMEM; @p out is untouched then */
MUST_CHECK int sql_record(sqlite3_stmt *q, int column, const struct record_kind *r, void *out);

#endif
