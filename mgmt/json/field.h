/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Reading the body of a request by its rows, which describe it, too (GET /v1/openapi.json). All errors are collected; a
 * field without a row is an error too.
 *
 * Rows of a body (RECORD_ANSWER()): a text is const char *, with .most bytes, .always: it must not be blank. A list is
 * json_t * with .element or .each, an object with .of, a whole number struct shown_number. What may be missing is .spare, and NULL or false then, as null is.
 *
 * Implemented in mgmt/json/field.c. Any thread, each on a struct field_reader of its own.
 */
#ifndef WEIR_MGMT_JSON_FIELD_H
#define WEIR_MGMT_JSON_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/store/store.h"
#include "record/fields.h"
#include "weir/json.h"

#define FIELD_NAMES_MAX 16u /**< names that a reader asks for; an assertion checks it */

struct field_reader {
	const json_t *object;
	json_t *errors;  /**< [{field, detail}] */
	size_t n_errors; /**< counted also where memory fails */
	const char *known[FIELD_NAMES_MAX];
	size_t n_known;
};

/**
 * Read each row of @p body from @p object, which may be NULL for none, into @p out, a struct of that kind; texts and JSON are
 * borrowed. A text is such as plain_may_give() lets pass. To be ended by field_close().
 */
NONNULL(1, 3, 4)
void field_read(struct field_reader *f, const json_t *object, const struct record_kind *body,
                void *out);
/** Note an error in @p name: behind all that there are. */
NONNULL(1, 2, 3)
void field_error(struct field_reader *f, const char *name, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/** The same of its value alone: before the errors of the rows behind it. */
NONNULL(1, 2, 3)
void field_refuse(struct field_reader *f, const char *name, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/** A list of one error, [{field, detail}], given. */
MUST_CHECK json_t *field_errors_json(const char *name, const char *detail);
/** Rows of the bodies of changes. */
#define REASON_ROW(X, t)                                                                           \
	X(t, const char *, reason, .most = VERSION_REASON_MAX - 1, .always = true,                 \
	  .example = "a new rack")
#define AUTHOR_ROW(X, t) X(t, const char *, author, .most = VERSION_AUTHOR_MAX - 1, .spare = true)
/** Of a row of a body: what a duration is, or an instant; who reads it knows more. */
#define FIELD_IS_DURATION .pattern = "^(0|([0-9]+(d|h|m|s|ms))+)$"
#define FIELD_IS_INSTANT  .pattern = "^(never|\\+(0|([0-9]+(d|h|m|s|ms))+)|[0-9]{4}-.*)$"
/** Likewise a name. */
#define FIELD_IS_NAME .pattern = "^[^\\x00-\\x20\\x7f]+$"
#define SAID_ROWS(X, t)                                                                            \
	REASON_ROW(X, t)                                                                           \
	AUTHOR_ROW(X, t)
/** A body that says why, and who. */
RECORD_STRUCT(said_body, SAID_ROWS);
/**
 * The end: unknown names become errors. @return true when there are no errors; else f->errors is
 * the caller's to free
 */
MUST_CHECK NONNULL(1) bool field_close(struct field_reader *f);

#endif
