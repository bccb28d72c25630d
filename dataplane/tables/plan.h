/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A plan: what the tables of this node are to hold by a document. It knows no indexes, memory or
 * ports, and is refused whole if the document exceeds its own limits.
 *
 * Implemented in tables/plan.c, tables/plan_backup.c, tables/plan_drill.c and tables/plan_fill.c. Pure; any thread may make one, and the thread that brings
 * it into force owns it from then on.
 */
#ifndef WEIR_DATAPLANE_TABLES_PLAN_H
#define WEIR_DATAPLANE_TABLES_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "weir/driver.h"
#include "weir/fwd/tables.h"

struct model;
struct model_override;
struct model_pool;
struct model_service;
struct model_set;

/**
 * Hash seeds that are tried for the services table: with one of them each entry has its position. The table is at
 * most half full, so it is one of the first few, but for tables of many thousands at the limit.
 */
#define PLAN_SEEDS 64u

/** The seed with number @p i, 0.. */
static inline uint32_t plan_seed(uint32_t i)
{
	return (i + 1) * 0x9e3779b1u;
}

/** How long the parts of bringing a document into force took, in µs. */
struct compiled_times {
	uint64_t read_us, compile_us, switch_us;
};

#define PLAN_REASON_MAX 256 /**< bytes of a refusal's text */
#define PLAN_NONE       SIZE_MAX
/** Sets of a pool: MODEL_SETS_MAX and the next one. */
#define PLAN_SETS_MAX 65u

/** What a row among a table's backends is. */
enum plan_class {
	PLAN_OWN,    /**< a backend of the pool */
	PLAN_BACKUP, /**< one of its backup, another site's pool */
	PLAN_FULL,   /**< no backend: owns the slots for which the backup has no room */
};

/** The id of the row of class PLAN_FULL. */
#define PLAN_FULL_ID 1u

/** A backend that some set of its pool names, or that is configured. */
struct plan_backend {
	uint64_t id;   /**< first: sorted by it */
	uint8_t class; /**< enum plan_class */
	struct addr address;
	uint16_t port;
	uint32_t weight;  /**< in the set in force: plan_update() */
	bool is_member;   /**< of the set in force: plan_update() */
	const char *name; /**< "" when it is no longer configured */
	uint8_t intent;   /**< enum guard_intent: plan_update() */
};

/** A pool, or a pool with a backup: struct model_table. */
struct plan_pool {
	const struct model_pool *model;
	const struct model_pool *backup; /**< NULL: none */
	uint64_t id;                     /**< model_table.id: hash_text() of its name, mostly */
	/** What may go to the backup from all nodes of the site. */
	uint64_t backup_max_flows, backup_max_bits;
	uint16_t backup_mtu;  /**< of the way to the backup; 0: the node's */
	uint32_t n_nodes;     /**< nodes of this site that are not drained: plan_update() */
	bool late;            /**< late clients of this site's drain are due: plan_update() */
	bool backup_drained;  /**< the backup's site is drained: plan_update() */
	bool is_drilled;      /**< a drill of one of its services runs: plan_update() */
	uint32_t udp_idle_ms; /**< the longest of its UDP services; 0: none */
	bool fail_closed;     /**< all its services say so */
	size_t last_service;  /**< of those that lead here, in plan.services; PLAN_NONE */
	struct plan_backend *backends; /**< sorted by id */
	size_t n_backends;
	/**
	 * By set of the model: its ring. A slot holds a position in `backends` + 1. NULL: not
	 * made.
	 */
	uint16_t *rings[PLAN_SETS_MAX];
};

/** A drill at this site that has not ended. */
struct plan_drill {
	uint64_t id; /**< hash_text() of the override's */
	const struct model_override *override;
	bool runs; /**< plan_update() */
};

/** An entry of the services table but for its indexes. */
struct plan_entry {
	struct fwd_service entry; /**< `drills`: bits of plan.drills */
	size_t pool;              /**< in plan.pools, or PLAN_NONE */
	size_t service;           /**< in plan.services; PLAN_NONE for a VIP's own entry */
};

struct plan {
	const struct model *model;
	struct plan_pool *pools; /**< of this node's site */
	size_t n_pools;
	struct plan_entry *entries;
	size_t n_entries;
	const struct model_service **services; /**< that have an address here */
	size_t *before; /**< by service: the one before it that leads to the same pool; PLAN_NONE */
	size_t n_services;
	struct plan_drill drills[FWD_DRILLS_MAX]; /**< by the overrides' ids */
	size_t n_drills;
	size_t n_backends;         /**< of all pools */
	uint32_t n_slots;          /**< of all pools, in whole blocks */
	struct driver_sizes sizes; /**< that the document's limits ask for */
};

/**
 * Make a plan of @p m, which must name this node (m->self).
 *
 * @param m    borrowed: must outlive the plan
 * @param refusal  what does not fit and which limit to raise, on -EDQUOT
 * @return 0, -EDQUOT (the document asks for more than its own limits allow), -ENOMEM
 */
int plan_make(const struct model *m, int64_t wall_clock_ms, struct plan **out,
              char refusal[PLAN_REASON_MAX]) MUST_CHECK NONNULL();
/**
 * Make the rings of all member sets, except those that the model in force (@p before; NULL: none)
 * has rings for already. So bringing the plan into force takes less time. Uses threads, which end
 * before it returns. A ring without memory stays unmade.
 */
void plan_fill(struct plan *p, const struct model *before, int64_t wall_clock_ms) NONNULL(1);
/** Whether two sets have the same members with the same weights, and so the same ring. */
bool plan_same_members(const struct model_set *a, const struct model_set *b) NONNULL();
/** The pool that a backend of @p p is in: the own one or the backup; of PLAN_FULL, the own one. */
const struct model_pool *plan_pool_of(const struct plan_pool *p, const struct plan_backend *b)
        NONNULL();
/** Whether packets of the table name earlier owners: second chance, which no backup has. */
bool plan_has_agents(const struct plan_pool *p) NONNULL();
/** The part of plan_update() about sites and nodes. @return whether something changed */
bool plan_update_backup(const struct plan *plan, struct plan_pool *p, int64_t wall_clock_ms)
        NONNULL();
/** Note the drills of this node's site, and which entries they concern. */
void plan_list_drills(struct plan *plan) NONNULL();
/** The part of plan_update() about drills. @return whether one has begun or ended */
bool plan_update_drills(struct plan *plan, int64_t wall_clock_ms) NONNULL();
/** Free the rings of a pool: they are in force. */
void plan_free_rings(struct plan_pool *p) NONNULL();
/** Bring weights and overrides up to date. @return whether one changed */
bool plan_update(struct plan *p, int64_t wall_clock_ms) NONNULL();
/** Free the plan, not its model; NULL is fine. */
void plan_free(struct plan *p);

#endif
