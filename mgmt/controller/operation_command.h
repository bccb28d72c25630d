/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The commands that a person may give next, ready for a shell: what goes past the guards that
 * refuse, what ends a hold, what gives back. Each is accepted as printed and means the same as what
 * was asked for.
 *
 * A refusal has the command as one text (`override`), and its names as lists (`override_guards`,
 * `without`) for who wants to add them to a command of his own. Where a guard refuses that no name
 * goes past (clock, operation), there is no command.
 *
 * Implemented in mgmt/controller/operation_command.c. Pure: any thread.
 */
#ifndef WEIR_MGMT_CONTROLLER_OPERATION_COMMAND_H
#define WEIR_MGMT_CONTROLLER_OPERATION_COMMAND_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/sync/operations.h"
#include "mgmt/operations/guards.h"
#include "mgmt/operations/operation_facts.h"
#include "record/fields.h"

/** Bytes of a command line with all that it can name, and its NUL. */
#define OPERATION_COMMAND_MAX 8192u

/** One guard's verdict. */
extern const struct record_kind shown_guard_kind, shown_refusal_kind;

/** Verdicts of all guards, given: [{guard, ok, state, margin_percent, detail}] */
MUST_CHECK json_t *operation_guards_json(const struct operation_verdict *verdicts);
/**
 * What is added to the problem of a refused beginning, given: {guards, override, override_guards,
 * without}.
 * @param op        the record that was not begun, with what was given
 * @param verdicts  of all guards: [OPERATION_GUARD_COUNT]
 * @param facts     nodes that they do not reach may be named absent
 */
MUST_CHECK json_t *operation_begin_refusal(const struct operation *op,
                                           const struct operation_verdict *verdicts,
                                           const struct operation_facts *facts);
/**
 * The same for an order on an operation. @p verb is "resume", "take", ...; @p was is the record, and
 * @p op the same with what the order adds.
 */
MUST_CHECK json_t *operation_order_refusal(const struct operation *was, const struct operation *op,
                                           const char *verb, const char *reason,
                                           const struct operation_verdict *verdicts,
                                           const struct operation_facts *facts);
/** The order that ends a hold: "resume", "take" at another node, or "abort" where nothing else is accepted. */
const char *operation_resume_verb(const struct operation *op);
/** How a held operation goes on: past the guard that holds it, or without the lost node. */
const char *operation_resume_text(const struct operations_item *item,
                                  char out[OPERATION_COMMAND_MAX]);
/** How a held operation goes back: an abort, or a return of what rests, which an abort does not find on a way. NULL: it goes back already. */
const char *operation_back_text(const struct operation *op, char out[OPERATION_COMMAND_MAX]);
/** What returns the site without the store, by the clock. NULL: for several sites no one command does the same. */
const char *operation_clocked_text(const struct operation *op, char out[OPERATION_COMMAND_MAX]);
/** What gives back what the operation took; of a return, what takes it again. NULL: one of several sites is gone. */
const char *operation_undo_text(const struct operation *op, char out[OPERATION_COMMAND_MAX]);

#endif
