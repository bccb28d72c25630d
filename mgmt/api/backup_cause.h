/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Why a backup pool would not serve this site's clients, from what this node knows: its tables (is the
 * backup there, is there a way, how large a packet fits), and the last result of the probes through the
 * tunnel to this site's VIP. Each result has a cause of its own; where several have the same result
 * (nothing answers), all are named, the likeliest first.
 *
 * What no probe sees: replies leave the other site with this site's VIP as their source, so filters
 * there must permit it for every client. (`weir drill backup` sends clients there to prove it.)
 *
 * Implemented in mgmt/api/backup_cause.c; any thread, no lock.
 */
#ifndef WEIR_MGMT_API_BACKUP_CAUSE_H
#define WEIR_MGMT_API_BACKUP_CAUSE_H

#include <stddef.h>
#include <stdint.h>

struct effect;
struct health_page;
struct model;
struct model_at;

#define BACKUP_CAUSE_MAX 900u /**< bytes of a sentence, with its NUL */

/** What this node sees now. */
struct backup_evidence {
	const struct model *m;
	const struct effect *effect;      /**< NULL: not there, or old */
	const struct health_page *health; /**< likewise */
};

/**
 * What keeps the backup of @p at from serving, of a service at the own site.
 * @param table  id of the service's table (model_table.id)
 * @return @p out: "" when each of its backends answers and can be reached
 */
const char *backup_cause(const struct backup_evidence *evidence, const struct model_at *at,
                         uint64_t table, char out[BACKUP_CAUSE_MAX]);

#endif
