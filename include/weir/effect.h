/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Effect: what the forwarding tables of this node do, read back from the tables themselves, never
 * from the intent.
 *
 * weir-dataplane publishes it on the page RUN/effect.page: at once after a change, and each second.
 * Readers need no privilege. The page outlives the process; effect_total.alive_ms says how old it
 * is. With an old page the reader must show what is in force as *unknown*, although forwarding
 * goes on.
 *
 * Implemented in dataplane/export/effect.c and effect_scan.c; the texts in
 * dataplane/tables/effect_text.c. A struct effect belongs to one thread; the rest is for any thread.
 */
#ifndef WEIR_EFFECT_H
#define WEIR_EFFECT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The page's name in the run directory. */
#define EFFECT_PAGE_FILE   "effect.page"
#define EFFECT_PAGE_KIND   "effect"
#define EFFECT_PAGE_LAYOUT 1u

/** Why a backend is (not) given traffic: the last step that decided. */
enum effect_reason {
	EFFECT_REASON_UNKNOWN,   /**< read from the tables alone: the reason is not kept there */
	EFFECT_REASON_UP,        /**< its check says up */
	EFFECT_REASON_UNCHECKED, /**< its pool has no check */
	EFFECT_REASON_NEW,       /**< no verdict yet; in force, as it was or since nobody else is */
	EFFECT_REASON_WAITING,   /**< no verdict yet; others serve, so it waits for one */
	EFFECT_REASON_DOWN,      /**< its check says down */
	EFFECT_REASON_DISABLED,  /**< by an override */
	EFFECT_REASON_FORCED_UP, /**< by an override */
	EFFECT_REASON_HELD_MIN,  /**< down, but kept: min_healthy would be undercut */
	EFFECT_REASON_HELD_RATE, /**< down, but kept for now: max_remove in 10 s is used up */
	EFFECT_REASON_HELD_LAST, /**< down, but kept: all are down, and on_all_down = last_good */
	EFFECT_REASON_ROUTE,     /**< the route to it says unreachable, blackhole or prohibit */
	EFFECT_REASON_NEIGHBOUR, /**< its next hop answers none of the kernel's questions */
	EFFECT_REASON_GATEWAY,   /**< mode l2, and a gateway is between */
	EFFECT_REASON_COUNT
};

/** What is known of the way to a backend. */
enum effect_hop {
	EFFECT_HOP_UNKNOWN, /**< read from the tables alone */
	EFFECT_HOP_KNOWN,
	EFFECT_HOP_NO_ROUTE,
	EFFECT_HOP_NO_PORT,    /**< the port of its route is down or has no carrier */
	EFFECT_HOP_UNRESOLVED, /**< the next hop has not answered yet */
	EFFECT_HOP_REFUSED,    /**< as EFFECT_REASON_ROUTE */
	EFFECT_HOP_SILENT,     /**< as EFFECT_REASON_NEIGHBOUR; packets go to where it was last */
	EFFECT_HOP_GATEWAY,    /**< as EFFECT_REASON_GATEWAY */
	EFFECT_HOP_COUNT
};

/** Which backends take a pool's new flows. */
enum effect_class {
	EFFECT_CLASS_OWN,
	EFFECT_CLASS_BACKUP,  /**< those of its backup, a pool of another site */
	EFFECT_CLASS_LIMITED, /**< the same for a part of the slots, as backup_max is reached */
	EFFECT_CLASS_COUNT
};

/** Why a pool's backup is needed. */
enum effect_backup_cause {
	EFFECT_BACKUP_NOT_NEEDED,
	EFFECT_BACKUP_LATE,   /**< the site's drain is complete: it serves late clients */
	EFFECT_BACKUP_FAILED, /**< less than min_healthy of the own weight is up */
	EFFECT_BACKUP_CAUSES
};

/** Why a pool's backup is needed and not used. */
enum effect_backup_unused {
	EFFECT_BACKUP_USABLE,
	EFFECT_BACKUP_SITE_DRAINED, /**< the backup's site is drained */
	EFFECT_BACKUP_SITE_DOWN,    /**< the VIPs of the backup's site do not answer this node */
	EFFECT_BACKUP_POOL_DOWN,    /**< less than min_healthy of its weight is up */
	EFFECT_BACKUP_UNPROVEN, /**< no probe from here has been answered; own backends are left */
	EFFECT_BACKUP_OBSTACLES
};

/** What is in force for one backend of one pool. */
struct effect_backend {
	uint64_t pool;       /**< hash_text() of the pool's name */
	uint64_t id;         /**< model_backend_id() */
	uint32_t index;      /**< its place in the backends table */
	uint32_t slots;      /**< slots whose current owner it is: takes their new flows */
	uint32_t base_slots; /**< unsettled slots that it does not own but whose base it is */
	uint32_t exceptions; /**< flows remembered as its own */
	uint8_t alive;       /**< the tables may send to it */
	uint8_t next_hop; /**< its next hop is known; without, packets to it are dropped by name */
	uint8_t reason;   /**< enum effect_reason */
	uint8_t hop;      /**< enum effect_hop */
	/** longest packet that fits in its tunnel; unless next_hop, as it was */
	uint16_t inner_mtu;
	uint16_t path_mtu; /**< of the way, where routers told of less than is configured; else 0 */
	uint64_t packets, bytes; /**< given to it since the tables were made */
	uint8_t is_backup;       /**< it is one of the pool's backup */
	uint8_t reserved[7];
};
_Static_assert(sizeof(struct effect_backend) == 64, "effect page layout");

/** What is in force for one pool. */
struct effect_pool {
	uint64_t pool;       /**< hash_text() of its name */
	uint32_t n_slots;    /**< 0: it is not in the tables */
	uint32_t empty;      /**< slots that nobody owns: their packets are dropped by name */
	uint32_t unsettled;  /**< slots with an earlier owner that may still serve */
	uint32_t exceptions; /**< flows remembered for its backends */
	uint32_t n_backends; /**< rows of its backends */
	uint32_t first;      /**< the page's: where they start */
	uint32_t held;       /**< backends kept in force by a guard */
	/**
	 * With agents: slots that no planned change moves now, as the oldest of their three
	 * earlier owners has not had its time.
	 */
	uint32_t full;
	uint32_t backup_slots;  /**< slots that backends of its backup own */
	uint32_t refused_slots; /**< slots whose new flows are dropped: the backup has no room */
	uint8_t has_backup;
	uint8_t class; /**< enum effect_class */
	/** enum effect_backup_unused, whether it is needed or not: why it would not serve late clients now */
	uint8_t backup_obstacle;
	uint8_t reserved[5];
};
_Static_assert(sizeof(struct effect_pool) == 56, "effect page layout");

/** What is in force as a whole. */
struct effect_total {
	uint64_t document; /**< model_meta.document that the tables were made from */
	uint64_t alive_ms; /**< monotonic time of the writer's last sign of life */
	uint32_t n_pools, n_backends, n_services;
	uint32_t exceptions, exceptions_max;
	uint32_t refused; /**< 1: a newer document was refused, the old one stays */
};

struct effect;

/**
 * Where the tables of @p node are pinned: BPF/CLUSTER/NODE with ':' for '.'.
 * @return 0 or -ENAMETOOLONG
 */
int effect_pin_dir(const char *bpf_dir, const char *cluster, const char *node, char out[PATH_MAX]);
/** Below the run directory: where DPDK's tables are. */
#define EFFECT_DPDK_DIR "tables"
/**
 * Where this node's tables are now: effect_pin_dir(), or, if nothing is pinned there, DPDK's
 * directory below @p run_dir if that is there. @return 0 or -ENAMETOOLONG
 */
int effect_tables_dir(const char *bpf_dir, const char *run_dir, const char *cluster,
                      const char *node, char out[PATH_MAX]);

/** Open RUN/effect.page. @return 0, -ENOENT (no dataplane was here), -EPROTO or -errno */
int effect_open(const char *run_dir, struct effect **out);
/** NULL is fine. */
void effect_close(struct effect *e);
/**
 * Read the page whole, once: from here on all answers are of this instant (only `alive_ms` is not) and
 * cost a binary search. Where that fails, as memory is short or the page cannot be read now, answers
 * come from the page as before.
 */
void effect_freeze(struct effect *e);

/**
 * The whole, as one consistent copy.
 * @return 0, -EAGAIN when the writer keeps changing it, -ESTALE when the page was replaced: open
 * again
 */
int effect_total(const struct effect *e, struct effect_total *out);
/** The pool called @p pool. @return 0, -ENOENT, -EAGAIN or -ESTALE; @p out untouched on failure */
int effect_pool(const struct effect *e, const char *pool, struct effect_pool *out);
/** The same for the table with id @p id (model_table.id). */
int effect_table(const struct effect *e, uint64_t id, struct effect_pool *out);
/**
 * The backends of @p pool, at most @p max.
 * @return how many there are (may exceed @p max), -ENOENT, -EAGAIN or -ESTALE
 */
int effect_backends(const struct effect *e, const char *pool, struct effect_backend *out,
                    size_t max);
/** One backend. @return as effect_pool() */
int effect_backend(const struct effect *e, const char *pool, uint64_t id,
                   struct effect_backend *out);
/** One backend of the table with id @p table. @return likewise */
int effect_table_backend(const struct effect *e, uint64_t table, uint64_t id,
                         struct effect_backend *out);
/** "up", "held by guard min_healthy", ... */
const char *effect_reason_text(enum effect_reason reason);
/** Whether @p reason is about the way to a backend: EFFECT_REASON_ROUTE, _NEIGHBOUR, _GATEWAY. */
bool effect_reason_is_path(enum effect_reason reason);
/** "known", "no route", ... */
const char *effect_hop_text(enum effect_hop hop);
/** "own", "backup" or "limited". */
const char *effect_class_text(enum effect_class class);
/** Why the backup serves, in words: "this site is drained: ..."; "" where it is not needed. */
const char *effect_backup_cause_text(enum effect_backup_cause cause);
/** Why the backup does not serve although it is needed; "" where it can be used. */
const char *effect_backup_unused_text(enum effect_backup_unused unused);
/**
 * Why backend @p b is (not) given traffic: its `reason`, unless it is in force and nothing can be sent
 * to it.
 */
const char *effect_backend_text(const struct effect_backend *b);

#endif
