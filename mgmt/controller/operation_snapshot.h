/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A snapshot of all that the facts of operations are made from: document, overrides, what the peers
 * said last, what this node measures. Taken under the lock, read without it.
 *
 * Implemented in mgmt/controller/operation_snapshot.c; the facts in operation_gather.c, and where a function
 * says so. A snapshot belongs to the thread that took it.
 */
#ifndef WEIR_MGMT_CONTROLLER_OPERATION_SNAPSHOT_H
#define WEIR_MGMT_CONTROLLER_OPERATION_SNAPSHOT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/peers/peers.h"
#include "mgmt/operations/operation_facts.h"
#include "mgmt/operations/projection.h"
#include "mgmt/overrides/override.h"
#include "record/fields.h"

/** What one node said; that of this node is made like the others'. */
struct operation_report {
	const struct model_node *node;
	bool self, reached;
	bool refuses;    /**< its configuration does not have this node */
	bool dns;        /**< its weir-dns answers; if reached */
	bool keys;       /**< the projector has the clients that ask it */
	json_t *levels;  /**< if reached; else NULL */
	json_t *measure; /**< NULL: not known, or too old */
};

struct keys_gather;
struct peer_client;
struct projector;

struct operation_snapshot {
	struct core *core;
	struct intent_shared *shared;
	const struct model *m; /**< NULL: there is no configuration */
	struct overrides overrides;
	struct operation_report reports[PEERS_MAX + 1]; /**< in the order of the model's nodes */
	size_t n_reports;
	struct operation_other others[64]; /**< not over */
	size_t n_others;
	/** Sites at which a drain is held, so that they count as out although they get clients. */
	struct operation_snapshot_held {
		char id[MODEL_ID_MAX], site[MODEL_NAME_MAX];
	} held[64];
	size_t n_held;
	bool unconfirmed;
	bool clock_fine;
	char key[MODEL_FINGERPRINT_MAX]; /**< of the key that clients are placed by; "": not known */
	char self[MODEL_NAME_MAX];
	const struct keys_gather *keys; /**< borrowed, or own_keys; NULL: not known */
	struct keys_gather *own_keys;   /**< freed with the snapshot; NULL: they are the thread's */
	/** with the keys of all; NULL: it is not known how clients are placed */
	struct projector *projector;
	int64_t now_ms; /**< believed wall time */
	uint64_t mono_ms;
};

/**
 * Take it; not under the lock. Asks peers for observed keys when these are due, through the thread's
 * @p keys and @p client, which the snapshot borrows.
 * @param announced_at  of operation_measure_json()
 * @return NULL: out of memory
 */
MUST_CHECK struct operation_snapshot *operation_snapshot_make(struct core *core,
                                                              struct keys_gather *keys,
                                                              struct peer_client *client,
                                                              const char *announced_at);
/**
 * Ask all nodes now, and take a snapshot with what they answer: for one decision of a handler. @return NULL:
 * out of memory
 */
MUST_CHECK struct operation_snapshot *operation_snapshot_now(struct core *core);
/**
 * The same with what the nodes of site @p announced_at announce; NULL: without.
 * @param measure  false: peers are asked for what they have in force alone
 */
MUST_CHECK struct operation_snapshot *operation_snapshot_at(struct core *core, bool measure,
                                                            const char *announced_at);
/** NULL is fine. */
void operation_snapshot_free(struct operation_snapshot *v);
/**
 * New flows, in thousandths a second, that checks by other sites' nodes make at @p site, as these nodes say: of one
 * service or, with "", of all. Implemented in mgmt/controller/operation_checks.c.
 * @param from  of those that come from this prefix; 0 where nobody says from which address; NULL: of all
 */
uint64_t operation_checks_milli(const struct operation_snapshot *v, const char *service,
                                const char *site, const struct prefix *from);
/** The same of one service. */
uint64_t operation_checks_of(const struct operation_snapshot *v,
                             const struct model_service *service, const char *site,
                             const struct prefix *from);

/**
 * Tell the projector from where new flows come to all sites. Implemented in mgmt/controller/operation_sources.c.
 * @return 0 or -ENOMEM
 */
int operation_sources_add(const struct operation_snapshot *v, struct projector *p) MUST_CHECK;

/** New flows of a service at a site, in the order of both. Names, as indices change with the configuration. */
struct operation_begin_row {
	uint64_t service, site; /**< hash_text() of the name */
	uint64_t per_s;
};

/** New flows when a way began, or when its owner started again; kept by its owner. One block of malloc(). */
struct operation_begin_flows {
	bool known;
	uint32_t level_ppm; /**< in force then */
	/** unseen clients at that time, once they were looked for (mgmt/operations/projection.h) */
	bool unseen_fixed;
	struct operation_value unseen_ppm;
	size_t n;
	struct operation_begin_row rows[]; /**< [n] */
};

_Static_assert(OPERATION_NODES_MAX >= PEERS_MAX, "an operation remembers all nodes");

/** Facts of one operation, with all that they point to. */
struct operation_observed {
	struct operation_facts facts;
	struct operation_node nodes[PEERS_MAX + 1];
	struct operation_site sites[64];
	struct operation_late late[OPERATION_LATE_MAX];
	struct projection *projection; /**< from malloc(), the caller's; NULL: not known */
};

/** Gather the facts for @p op; @p out points into the snapshot and into itself. Pure. */
void operation_gather(const struct operation_snapshot *v, const struct operation *op,
                      int64_t elapsed_ms, struct operation_observed *out);
/**
 * Of operation_gather(): the load of sites at each point of the plan (operation_projection.c). @p op
 * has its plan; @p begin  flows by service and site when it began, or NULL. Writes what is not known as
 * such.
 */
void operation_project(const struct operation_snapshot *v, const struct operation *op,
                       const struct operation_begin_flows *begin, struct operation_observed *out);
/** What all sites have now, given. @return NULL: out of memory */
MUST_CHECK struct operation_begin_flows *operation_list_flows(const struct operation_snapshot *v,
                                                              const struct operation *op);
/** A copy, given. @return NULL: out of memory */
MUST_CHECK struct operation_begin_flows *
operation_copy_flows(const struct operation_begin_flows *begin);
/** New flows a second of @p service at @p site that arrive. @return false: not known */
bool operation_flows_at(const struct operation_snapshot *v, const struct operation *op,
                        const struct model_service *service, const char *site, uint64_t *per_s);
/** The flows of one service at one site, a second, as those of all that an operation moves: flows, arrivals, backup_flows, established. */
void operation_service_at(const struct operation_snapshot *v, const struct operation *op,
                          const struct model_service *service, const char *site,
                          struct operation_site *out);
/** Whether the backup of a service at a site would serve. */
extern const struct record_kind shown_backup_kind;
/** Those of the targets' moved services, given. */
MUST_CHECK json_t *operation_backups_json(const struct operation_snapshot *v,
                                          const struct operation *op);

#endif
