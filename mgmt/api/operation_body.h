/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Reading the body of a request about an operation: POST /v1/operations and the commands on one.
 *
 * A body is hostile: every text is bounded, lists are, unknown fields are errors, and all errors
 * are reported at once. Whether sites and nodes exist is for the caller, who has the model.
 *
 * Implemented in mgmt/api/operation_body.c. Pure: any thread.
 */
#ifndef WEIR_MGMT_API_OPERATION_BODY_H
#define WEIR_MGMT_API_OPERATION_BODY_H

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

/** Names that a request lists; borrowed from its body. */
struct operation_body_names {
	const char *items[OPERATION_NODES_MAX];
	size_t n;
};

/** What POST /v1/operations asks for; texts are borrowed from the body. */
struct operation_body {
	enum operation_body_do what;
	const char *sites[OPERATION_TARGETS_MAX];
	size_t n_sites;     /**< 0: by the label */
	const char *region; /**< of the label "region=NAME"; NULL: by name */
	const char *service;
	uint32_t level_ppm; /**< of the site's clients that are sent elsewhere: a shift */
	int64_t over_ms;    /**< -1: not given */
	int64_t until_ms;   /**< -1: not given */
	bool now, withdraw;
	const char *author, *reason;
	struct operation_body_names guards;  /**< that are overridden */
	struct operation_body_names without; /**< nodes that are named absent */
};

/** What a command on an operation carries. */
struct operation_body_command {
	const char *author, *reason;
	struct operation_body_names guards, without;
};

/**
 * Decode a request. The caller ends @p f by field_close(), which has the errors; only without an
 * error is @p out a request.
 * @param guards  the guards' names, ended by NULL
 */
void operation_body_read(const json_t *body, int64_t now_ms, const char *const *guards,
                         struct field_reader *f, struct operation_body *out);
/** The same for hold, resume, abort and take. */
void operation_body_read_command(const json_t *body, const char *const *guards,
                                 struct field_reader *f, struct operation_body_command *out);

#endif
