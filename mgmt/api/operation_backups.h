/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Backup pools in the facts of an operation: whether they would serve late clients, and whether they
 * have left after a return. Implemented in mgmt/api/operation_backups.c; pure.
 */
#ifndef WEIR_MGMT_API_OPERATION_BACKUPS_H
#define WEIR_MGMT_API_OPERATION_BACKUPS_H

#include "mgmt/api/operation_snapshot.h"

/** Fill has_backup, backup_ok and backup_left of @p s from what the nodes of its site said. */
void operation_gather_backups(const struct operation_snapshot *v, const struct operation *op,
                              struct operation_site *s);
/** Rows {service, site, backup, ok: true|false|null, detail} of the targets' moved services, given. */
MUST_CHECK json_t *operation_backups_json(const struct operation_snapshot *v,
                                          const struct operation *op);

#endif
