/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Reading the body of a request about an operation: POST /v1/operations and the commands on one.
 *
 * A body is hostile: every text is bounded, lists are, unknown fields are errors, and all errors
 * are reported at once. Whether sites and nodes exist is for the caller, who has the model.
 *
 * Implemented in mgmt/controller/operation_body.c. Pure: any thread.
 */
#ifndef WEIR_MGMT_CONTROLLER_OPERATION_BODY_H
#define WEIR_MGMT_CONTROLLER_OPERATION_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/json/field.h"
#include "mgmt/operations/operation.h"

enum operation_body_do {
	OPERATION_BODY_DRAIN,
	OPERATION_BODY_SHIFT,
	OPERATION_BODY_UNDRAIN,
	OPERATION_BODY_DO_COUNT
};

/** What POST /v1/operations asks for; texts are borrowed from the body. */
struct operation_body {
	enum operation_body_do what;
	const char *sites[OPERATION_TARGETS_MAX];
	size_t n_sites;     /**< 0: by the label */
	const char *region; /**< of the label "region=NAME"; NULL: by name */
	const char *service;
	struct operation_person person; /**< the author may be NULL, and the principal is */
};

/** The rows of the two bodies. */
extern const struct record_kind begin_body_kind, order_body_kind;

/**
 * Decode a request. The caller ends @p f by field_close(), which has the errors; only without an
 * error is @p out a request.
 */
void operation_body_read(const json_t *body, int64_t now_ms, struct field_reader *f,
                         struct operation_body *out);
/** The same for hold, resume, abort and take: what else @p out has stays as it is. */
void operation_body_read_command(const json_t *body, struct field_reader *f,
                                 struct operation_person *out);

#endif
