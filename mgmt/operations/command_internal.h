/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What commands of persons share; implemented in mgmt/operations/command_parts.c.
 */
#ifndef WEIR_MGMT_OPERATIONS_COMMAND_INTERNAL_H
#define WEIR_MGMT_OPERATIONS_COMMAND_INTERNAL_H

#include "mgmt/operations/engine_internal.h"

/** What a person added is taken back when the command is refused. */
struct command_before {
	bool overridden[OPERATION_GUARD_COUNT];
	char without[OPERATION_NODES_MAX][MODEL_NAME_MAX];
	uint32_t n_without;
};

/** Write why not. @return @p code */
__attribute__((format(printf, 3, 4))) int command_refuse(char *error, int code, const char *format,
                                                         ...);
/** Of an operation that is over. @return -EINVAL */
int command_refuse_over(const struct operation *op, char *error);
void command_add(struct operation *op, const struct operation_person *person,
                 struct command_before *before);
void command_undo(struct operation *op, const struct command_before *before);
/** Leave the hold. */
void command_go_on(struct tick *t);

#endif
