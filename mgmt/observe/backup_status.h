/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Backup pools of the own site, as the tables have them: who takes new flows, and whether the backup
 * would serve late clients. For the owner of an operation and the preflight of an operation.
 *
 * A row: {service, site, pool, backup, class: "own"|"backup"|"limited", backup_slots, refused_slots,
 * ready: true|false|null, detail}. `ready` is null where nothing is proven; detail says why a backup
 * is not ready, or not known to be (with what is known of its backends). Replies leave the other site with this site's VIP as their
 * source: no probe shows whether its filters permit that for every client.
 *
 * Implemented in mgmt/observe/backup_status.c; any thread, no lock.
 */
#ifndef WEIR_MGMT_OBSERVE_BACKUP_STATUS_H
#define WEIR_MGMT_OBSERVE_BACKUP_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"
#include "record/fields.h"

struct effect;
struct health_page;
struct model;
struct model_at;
struct model_service;
struct model_table;

/** What this node sees now. */
struct backup_evidence {
	const struct model *m;
	const struct effect *effect;      /**< NULL: not there, or old */
	const struct health_page *health; /**< likewise */
};

/** Backups of one site, added up over the nodes there that were reached. */
struct backup_sum {
	size_t n;         /**< rows: services with a backup, at each node */
	size_t n_ready;   /**< rows whose backup is ready */
	size_t n_refused; /**< rows whose backup is known not to be ready */
	size_t n_left;    /**< rows whose own backends take all new flows: no slot is a backup's */
	size_t n_serving; /**< rows whose backup has slots; the rest is not known */
};

/** The tables of the own site, listed once for many rows. */
struct backup_tables {
	struct model_table *items;
	size_t n;
};
MUST_CHECK int backup_tables_init(struct backup_tables *tables, const struct model *m);
void backup_tables_fini(struct backup_tables *tables);

extern const struct record_kind backup_status_record; /**< without service, site and pool */
/**
 * The rows of this node, given. Without the tables' effect `class` and `ready` are null, and no slots
 * are there.
 */
MUST_CHECK json_t *backup_status_json(const struct backup_evidence *evidence);
/**
 * The same for one service at one site, which has a backup, without service, site and pool: for the
 * status. Of another site's service this node knows no more than the backup's name.
 */
MUST_CHECK json_t *backup_status_of(const struct backup_evidence *evidence,
                                    const struct backup_tables *tables,
                                    const struct model_service *service, const struct model_at *at);
/**
 * Whether the backup of @p at, of the own site, would not serve, or is not known to: `ready` of its row
 * is not true. Without a backup: false.
 */
bool backup_status_is_odd(const struct backup_evidence *evidence,
                          const struct backup_tables *tables, const struct model_at *at);
/** Add a row of a node to @p sum. */
void backup_status_add_row(const json_t *row, struct backup_sum *sum);

#endif
