/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The compiler of the forwarding tables: documents, verdicts and next hops in, tables out.
 *
 * It keeps the document that the tables were made from, the owner of each table element, and what
 * is in force. It sees a driver through its interface and gets the time as an argument. A document
 * is accepted whole, or refused with a reason, and then the old one stays in force.
 *
 * The order of a change, so that no packet meets half of it:
 *   - a backend's element is complete before a slot names it;
 *   - a pool's slots are complete before a service names the pool;
 *   - an element gets a new owner only when nothing leads to it and a grace period has passed.
 *
 * Implemented in tables/compiler.c (documents), tables/compiler_verdicts.c, tables/compiler_next_hops.c (next hops), tables/compiler_mtus.c (path
 * MTUs), tables/compiler_backup.c (backups), tables/compiler_write.c (table elements), tables/compiler_quarantine.c (quarantine) and tables/compiler_handover.c (the state that
 * nodes hand over). The loop's thread calls all of this.
 */
#ifndef WEIR_DATAPLANE_TABLES_COMPILER_H
#define WEIR_DATAPLANE_TABLES_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "dataplane/tables/backup.h"
#include "dataplane/tables/guard.h"
#include "dataplane/nexthop/hops.h"
#include "dataplane/owners/owners.h"
#include "dataplane/tables/path_mtu.h"
#include "dataplane/tables/indexes.h"
#include "dataplane/tables/plan.h"
#include "dataplane/tables/ranges.h"
#include "dataplane/tables/shadow.h"
#include "weir/driver.h"
#include "weir/fwd/user.h"

struct health_page;
struct page;
struct model;

/**
 * Quarantine: an unused element gets no new owner for so long. Any packet under way has ended
 * long before.
 */
#define COMPILER_QUARANTINE_MS 10000u
/** Hash buckets of watched addresses: lists of eight where a node has all 32,768 backends. */
#define COMPILER_WATCHED_BUCKETS 4096u
/**
 * A next hop that cannot be used takes a backend out of force after so long: 1 s, and time for an
 * answer.
 */
#define COMPILER_CUT_MS 1200u

/** GUE's port (draft-ietf-intarea-gue, IANA). */
#define COMPILER_GUE_PORT 6080u
/** ICMP "packet too big" answers that a CPU sends in a second at most, as senders can be forged. */
#define COMPILER_ANSWERS_PER_S 1000u

struct compiler_backend {
	const struct plan_backend *plan;
	uint32_t index;  /**< in the backends table */
	uint64_t target; /**< health_target_backend() */
	int page_index;  /**< its index on the health page; -1: not there */
	bool known;      /**< it was in the tables before this document */
	bool alive;
	uint64_t good_ms; /**< guard_backend.good_ms */
	bool good;        /**< guard_backend.good */
	uint8_t reason;   /**< enum effect_reason */
	uint8_t heard;    /**< enum hop_heard: by its check, as last reported to next hops */
	bool heard_down;  /**< its check says down, as last reported to them */
	uint64_t word;    /**< of its check, when its pool was decided last */
};

/** The network path to a backend, by its next hop. */
struct compiler_next_hop {
	uint8_t cut; /**< enum effect_reason: why packets cannot get to the backend; 0: they can */
	uint8_t hop; /**< enum effect_hop */
	uint64_t since_ms; /**< since when `cut` and `hop` are so */
};

/** What the compiler knows of the path to the backend at one index. */
struct compiler_path {
	struct compiler_next_hop next_hop;
	struct path_mtu reported; /**< the path MTU that routers reported */
	struct addr address;      /**< whose next hop is followed, if is_watched */
	uint16_t mtu;             /**< of the way to a backup; 0: the node's */
	uint32_t next;            /**< the next backend index in the address's bucket; 0: none */
	bool is_watched;
};

/** Checks from which a table knows whether its backup's site is up. */
#define COMPILER_CHECKS_MAX 16u

/** What the compiler knows of a table's backup; zeroed where there is none. */
struct compiler_backup {
	struct backup_state state;
	struct guard_window window; /**< of the backup's backends */
	struct {
		uint64_t target; /**< health_target_service() at the backup's site */
		int page_index;  /**< on the health page; -1: not there */
	} checks[COMPILER_CHECKS_MAX];
	size_t n_checks;
	uint32_t full_index; /**< of the row of class PLAN_FULL */
	/** Counters of both classes when they were last read; by this the load is measured. */
	uint64_t read_ms, flows[2], bytes[2];
	struct backup_load own, used;
	bool is_drilled;           /**< as the owners have it */
	struct backup_state drill; /**< while drills send flows there: `class` and `share` alone */
};

/** A drill of the plan in the tables. */
struct compiler_drill {
	uint32_t row;      /**< in drills */
	uint64_t sends_ms; /**< when its new flows are sent; 0: it does not prepare that */
};

struct compiler_pool {
	const struct plan_pool *plan;
	uint32_t index; /**< in the pools table */
	uint32_t first_slot, n_slots;
	struct owners *owners;
	struct guard_window *window;
	struct compiler_backup *backup;    /**< NULL: it has none */
	struct compiler_backend *backends; /**< as plan->backends */
	uint64_t guard_at_ms;  /**< when guards have to decide again; UINT64_MAX: never */
	uint64_t owners_at_ms; /**< when owners_tick() is due */
	bool changed;          /**< owners_apply() has to see new verdicts or sets */
	bool died;             /**< one of these verdicts is a death */
	bool waits;            /**< its part of the document is not in the tables yet */
};

struct compiler_counters {
	uint64_t documents, refused, resizes, deaths, returns, held;
	uint64_t paths_lowered, paths_restored;
	uint64_t damaged, scrubs; /**< elements found damaged and mended; passes of the scrub */
	uint64_t pins;            /**< pins that were missing, and made again */
};

/** The three clocks of one moment. */
struct compiler_time {
	uint64_t now_ms;   /**< since boot, as the loop's */
	uint64_t ticks_ms; /**< CLOCK_MONOTONIC, the packet path's clock */
	int64_t wall_clock_ms;
};

struct compiler {
	const struct driver_ops *ops;
	struct driver *driver;
	struct fwd_tables t;
	/** What was written into `t`: the state that the compiler's functions read. */
	struct shadow shadow;
	struct driver_sizes sizes;
	struct model *model; /**< owned; NULL before the first document */
	struct plan *plan;
	struct compiler_pool *pools;
	size_t n_pools;
	struct compiler_drill drills[FWD_DRILLS_MAX]; /**< as plan->drills */
	struct indexes *pool_indexes, *backend_indexes, *count_indexes;
	struct ranges *ranges;
	struct owners_memory *memory;
	uint8_t *states;             /**< enum owners_state by backend index, as owners read it */
	struct compiler_path *paths; /**< by backend index */
	uint32_t *watched_heads;     /**< [COMPILER_WATCHED_BUCKETS], by address; 0: none */
	uint32_t n_low;              /**< backends whose path MTU is lowered */
	uint32_t released_at;   /**< the backend index that compiler_release() looked at last */
	bool next_hops_changed; /**< a `cut` changed, and guards have not decided on it yet */
	struct hops *hops;      /**< borrowed; NULL: next hops are not followed */
	const struct health_page *health; /**< borrowed; NULL: not there (yet) */
	/** The mapped page that `health` is in, borrowed; NULL: `health` cannot be damaged. */
	const struct page *health_page;
	uint32_t health_generation;
	bool adopted;          /**< the tables were filled by an earlier process */
	bool learning;         /**< they were empty, and no peer has handed over its state yet */
	bool wants_peer_state; /**< it is learning, and has all verdicts: a peer may be asked */
	bool document_refused;
	/** ICMP errors about tunnels that compiler_update_mtus() has counted */
	uint64_t mtu_errors;
	bool spare_is_free; /**< no packet reads the spare half of the services table any more */
	struct compiler_counters counters;
	struct compiled_times took; /**< of the document in force; the caller's to set */
	/**
	 * Called between the steps of long work; may call compiler_follow_verdicts(). NULL: nothing
	 * is called.
	 */
	void (*on_yield)(void *arg);
	void *yield_arg;
};

/** Yield: let verdicts come into force between two steps of long work. */
static inline void compiler_yield(const struct compiler *n)
{
	if (n->on_yield)
		n->on_yield(n->yield_arg);
}

/** Read the time. */
struct compiler_time compiler_now(void);

/**
 * Start on @p driver's tables. @param kept  an earlier process filled them: take over its
 * elements. @return 0 or -ENOMEM
 */
int compiler_init(struct compiler *n, const struct driver_ops *ops, struct driver *driver,
                  bool kept) MUST_CHECK NONNULL(1, 2);
/** Free everything except the driver; the tables stay as they are. */
void compiler_fini(struct compiler *n) NONNULL();

/**
 * Bring @p m into force. Its plan is made already, and perhaps its rings (plan_fill()), in another
 * thread: so this call is short.
 *
 * @param m        taken on success
 * @param plan     of @p m; taken on success
 * @param refusal  out: why it was refused
 * @return 0; -EDQUOT (does not fit its limits), -EAGAIN (the room is still in quarantine: try again
 *         in COMPILER_QUARANTINE_MS), or -errno; on failure everything is as it was
 */
int compiler_apply_plan(struct compiler *n, struct model *m, struct plan *plan,
                        const struct compiler_time *time, char refusal[PLAN_REASON_MAX]) MUST_CHECK
        NONNULL();

/** Use this health page from now on; NULL: there is none. */
void compiler_set_health(struct compiler *n, const struct health_page *page) NONNULL(1);
/** The same for a mapped page, whose verdicts count only while it is sound (base/page.h). */
void compiler_set_health_page(struct compiler *n, struct page *page) NONNULL(1);
/**
 * Read all verdicts from the health page and bring them into force. Call it on each epoch of the
 * page. During compiler_apply_plan() deaths come into force at once, other verdicts when their pool
 * is switched.
 */
void compiler_read_verdicts(struct compiler *n, const struct compiler_time *time) NONNULL();
/**
 * The same after the health page was published: pools whose checks say what they said when they were
 * decided last are left alone, as their next decision is due by itself (compiler_tick()).
 */
void compiler_follow_verdicts(struct compiler *n, const struct compiler_time *time) NONNULL();
/**
 * Do what is due. @return when the next call is due, by the clock of time->now_ms; at most a
 * second ahead
 */
uint64_t compiler_tick(struct compiler *n, const struct compiler_time *time) NONNULL();
/** Lower path MTUs by the ICMP errors since the last call; nearly free when there were none. */
void compiler_update_mtus(struct compiler *n, uint64_t now_ms) NONNULL();
/** The next hop of @p address has changed to @p hop: a hops_changed callback. */
void compiler_on_hop(void *node, const struct addr *address, const struct hop *hop) NONNULL(1, 2);

/**
 * Write the state for a peer that starts (weir/conn_state.h), from malloc(). @return NULL: out of
 * memory
 */
char *compiler_handover_write(const struct compiler *n, const struct compiler_time *time) MUST_CHECK
        NONNULL();
/**
 * Accept a peer's state. @return 0; -EPROTO (malformed) or -ENOMEM, then everything is as it was
 */
int compiler_handover_read(struct compiler *n, const char *text, const struct compiler_time *time)
        NONNULL();

/** The key under which a backend has its index: a digest of its pool and its id. */
uint64_t compiler_backend_key(uint64_t pool, uint64_t id);

#endif
