/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Orders of persons about an operation: begin one, hold, resume, abort, return, take. Each is decided
 * by facts that are gathered for it, and changes nothing if it is refused.
 *
 * An order for an operation of another node is passed on to its owner; `take` alone is carried out
 * where it is given. Implemented in mgmt/controller/operation_order.c (orders) and operation_begin.c
 * (beginning); for the threads of handlers, not under the lock.
 */
#ifndef WEIR_MGMT_CONTROLLER_OPERATION_ORDER_H
#define WEIR_MGMT_CONTROLLER_OPERATION_ORDER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/controller/operation_body.h"
#include "mgmt/controller/operation_decide.h"

enum operation_order_do {
	OPERATION_ORDER_HOLD,
	OPERATION_ORDER_RESUME,
	OPERATION_ORDER_ABORT,
	OPERATION_ORDER_OWN,
	OPERATION_ORDER_RETURN,   /**< weir undrain */
	OPERATION_ORDER_REDIRECT, /**< more clients elsewhere, from where it is */
	OPERATION_ORDER_COUNT
};

/** An order; texts are borrowed. */
struct operation_order {
	enum operation_order_do what;
	struct operation_person person;
	bool if_unowned; /**< of a take: only while the lease of its owner has ended */
	/** of one that was passed on: not after this, on our boot clock; 0: at any time */
	uint64_t by_ms;
	/** of its Idempotency-Key; NULL: none */
	const struct http_request *request;
};

/** How it went: an HTTP status with the answer, given; or with a problem. */
struct operation_outcome {
	unsigned status;
	json_t *json; /**< of a success, given; else what is to be added to the problem, or NULL */
	const char *code; /**< of a problem */
	char text[512];   /**< likewise */
};

/** "hold", ... @return OPERATION_ORDER_COUNT: there is no such order */
enum operation_order_do operation_order_find(const char *word);
/** Answer with operation @p id as it is now, with the nodes that have it. */
void operation_order_answer(struct core *core, const char *id, struct operation_outcome *out);
/** Carry out an order, here or at the owner. */
void operation_order_run(struct core *core, const char *id, const struct operation_order *order,
                         struct operation_outcome *out);
/** The same, at this node alone: what a peer passed on. */
void operation_order_run_here(struct core *core, const char *id,
                              const struct operation_order *order, struct operation_outcome *out);
/** Begin a drain or shift, or with @p dry_run say what would happen. */
void operation_begin(struct core *core, const struct operation_body *body,
                     const struct http_request *request, bool dry_run,
                     struct operation_outcome *out);
/** Return sites to normal: their operation's, or a scheduled drain's. */
void operation_undrain(struct core *core, const struct operation_body *body,
                       const struct http_request *request, struct operation_outcome *out);
/** Note that @p r made or changed operation @p id, which is in the store already. NULL: Weir itself. Under the lock. */
void operation_note_request(struct core *core, const struct http_request *r, const char *id);
/** Make @p out a problem. @return false */
bool operation_refuse(struct operation_outcome *out, unsigned status, const char *code,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
/** Of what operation_decide() left undecided, or unclear, of operation @p id, by its reason. */
void operation_refuse_undecided(const struct core *core, const char *id,
                                enum operation_decided decided, const char *reason,
                                struct operation_outcome *out);

#endif
