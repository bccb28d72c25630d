/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Commands and overrides as records of the store that nodes share, as this node's copy has them (mgmt/sync/shared_commands.h
 * writes them).
 *
 * Implemented in mgmt/core/command_records.c. Under the core's lock; what takes no core is pure.
 */
#ifndef WEIR_MGMT_CORE_COMMAND_RECORDS_H
#define WEIR_MGMT_CORE_COMMAND_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mgmt/core/core.h"
#include "mgmt/store/command.h"
#include "mgmt/store/records.h"
#include "mgmt/store/shared.h"

/** The record command/TARGET. */
struct last_command {
	char id[MODEL_ID_MAX]; /**< of the override */
	uint64_t generation;
	char principal[PRINCIPAL_MAX], node[MODEL_NAME_MAX]; /**< who gave it, and where */
	int64_t time_ms;
};

extern const struct record_kind last_command_record;

/** The name of that record, for the target of @p o: all commands at a site are one after the other, also those of a service there. */
const char *command_records_target(const struct override *o, char out[SHARED_NAME_MAX]);
/** The name of the record of override @p id. */
const char *command_records_override(const char *id, char out[SHARED_NAME_MAX]);
/** Read what the copy has under @p name. @return whether it has that; this node's disk may keep nothing */
bool command_records_copy(struct core *core, const char *name, struct shared_record *out);
/** Read an override. @return false: the record is none */
bool command_records_read(const struct shared_record *r, struct override *out);
/** Whether the copy has @p o as it is here, or a later one. */
bool command_records_have(struct core *core, const struct override *o);

#define COMMAND_RECORDS_NEW_MAX 16u    /**< more at once go by lists of overrides alone */
#define COMMAND_RECORDS_NEW_MS  10000u /**< so long they go to each peer */
/**
 * The commands that were given at this node just now and that the store has not: its peers learn them from this node.
 * @return how many; borrowed until the overrides change
 */
size_t command_records_list_new(struct core *core,
                                const struct override *out[COMMAND_RECORDS_NEW_MAX]);

#endif
