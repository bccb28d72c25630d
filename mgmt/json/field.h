/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Reading the body of a request: each field by name and type. All errors are collected; a field
 * that no reader asked for is an error too.
 *
 * Implemented in mgmt/json/field.c. Any thread, each on a struct field_reader of its own.
 */
#ifndef WEIR_MGMT_JSON_FIELD_H
#define WEIR_MGMT_JSON_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/json.h"

#define FIELD_NAMES_MAX 16u /**< names that a reader asks for; an assertion checks it */

struct field_reader {
	const json_t *object;
	json_t *errors;  /**< [{field, detail}] */
	size_t n_errors; /**< counted also where memory fails */
	const char *known[FIELD_NAMES_MAX];
	size_t n_known;
};

/** Start on @p object, which may be NULL for none. To be ended by field_close(). */
NONNULL(1) void field_start(struct field_reader *f, const json_t *object);
/**
 * A text without control characters of at most @p max bytes; @return NULL when it is not there or
 * wrong
 */
NONNULL(1, 2)
const char *field_text(struct field_reader *f, const char *name, bool required, size_t max);
/** A boolean; false when it is not there. */
NONNULL(1, 2) bool field_bool(struct field_reader *f, const char *name);
/** An object or array; NULL when it is not there. */
NONNULL(1, 2) const json_t *field_object(struct field_reader *f, const char *name, bool required);
NONNULL(1, 2) const json_t *field_array(struct field_reader *f, const char *name, bool required);
/** Note an error in @p name. */
NONNULL(1, 2, 3)
void field_error(struct field_reader *f, const char *name, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/** A list of one error, [{field, detail}], given. */
MUST_CHECK json_t *field_errors_json(const char *name, const char *detail);
/** The field "reason" of a change: required, and not blank. */
NONNULL(1) const char *field_reason(struct field_reader *f);
/**
 * The end: unknown names become errors. @return true when there are no errors; else f->errors is
 * the caller's to free
 */
MUST_CHECK NONNULL(1) bool field_close(struct field_reader *f);

#endif
