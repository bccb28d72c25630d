/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What an operator should know of backup pools before one is needed. Implemented in
 * mgmt/store/advice_backup.c. Pure; any thread.
 */
#ifndef WEIR_MGMT_STORE_ADVICE_BACKUP_H
#define WEIR_MGMT_STORE_ADVICE_BACKUP_H

#include <stddef.h>

struct arena;
struct model;

/** Room for the sentences of advice_backups(). */
size_t advice_backups_max(const struct model *to);
/**
 * Add sentences to @p list. @param from  the model before; NULL: there was none
 * @return how many were added
 */
size_t advice_backups(const struct model *from, const struct model *to, struct arena *arena,
                      const char **list);

#endif
