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
	char without[OPERATION_WITHOUT_MAX][MODEL_NAME_MAX];
	uint32_t n_without;
};

/** Write why not. @return @p code */
__attribute__((format(printf, 3, 4))) int command_refuse(char *error, int code, const char *format,
                                                         ...);
/** The same by a guard, whose word comes first. @return OPERATION_REFUSED + @p guard */
__attribute__((format(printf, 3, 4))) int command_refuse_by(char *error, enum rule_id guard,
                                                            const char *format, ...);
/** Of an operation that is over. @return -EINVAL */
int command_refuse_over(const struct operation *op, char *error);
void command_add(struct operation *op, const struct operation_person *person,
                 struct command_before *before);
void command_undo(struct operation *op, const struct command_before *before);
/** Leave the hold. */
void command_go_on(struct tick *t);

/* takeover.c */
/**
 * Before a command of a person changes a record that is behind the levels: go on from the levels, in an epoch
 * above theirs. Any other record stays as it is. @return 0, or as operation_own(): it stays as it is
 */
MUST_CHECK int own_catch_up(struct tick *t, const struct operation_person *person, char *error);

#endif
