/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The node: documents, verdicts and next hops in; tables out.
 *
 * Holds what the tables were made from, which element belongs to whom, and what is in force.
 * It knows a driver by its interface and the time by its arguments; the loop calls it from
 * one thread.  A document is taken whole or refused with the reason, the old one staying.
 *
 * Order of a change, so that a packet never meets half of it: a backend's element is complete
 * before a slot names it, a pool's slots before a service does, and nothing is given to
 * another before nothing leads to it and a grace period has passed.
 */
#ifndef WEIR_DATAPLANE_NODE_H
#define WEIR_DATAPLANE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/guard.h"
#include "dataplane/hops.h"
#include "dataplane/owners.h"
#include "dataplane/path.h"
#include "dataplane/places.h"
#include "dataplane/plan.h"
#include "dataplane/ranges.h"
#include "weir/driver.h"
#include "weir/fwd/user.h"

struct health_page;
struct page;
struct model;

#define NODE_REST_MS         10000u /**< an element rests at least so long before another has it */
#define NODE_WATCHED_BUCKETS 4096u
/** What next hops say against a backend in force counts after that: 1 s, and time for an answer. */
#define NODE_CUT_MS 1200u

/** GUE's port (draft-ietf-intarea-gue, IANA). */
#define NODE_GUE_PORT 6080u
/** The most senders that a CPU tells in a second that their packets are too big. */
#define NODE_ANSWERS_PER_S 1000u

struct node_backend {
	const struct plan_backend *plan;
	uint32_t index;  /**< in the backends table */
	uint64_t target; /**< health_target_backend() */
	int place;       /**< on the health page, -1: not there */
	bool known;      /**< it was in the tables before this document */
	bool alive;
	uint64_t good_ms; /**< guard_backend.good_ms */
	bool good;        /**< guard_backend.good */
	uint8_t why;      /**< enum effect_why */
	uint8_t heard;    /**< enum hop_heard: by its check, as next hops were told */
	bool heard_down;  /**< its check says down, as next hops were told */
};

/** The way to a backend, by what next hops say. */
struct node_way {
	uint8_t cut;       /**< enum effect_why: what speaks against the backend; 0: nothing does */
	uint8_t hop;       /**< enum effect_hop */
	uint64_t since_ms; /**< since when */
};

struct node_pool {
	const struct plan_pool *plan;
	uint32_t index; /**< in the pools table */
	uint32_t first_slot, n_slots;
	struct owners *owners;
	struct guard_window *window;
	struct node_backend *backends; /**< as plan->backends */
	uint64_t guard_at_ms;          /**< when a guard lets go; UINT64_MAX */
	uint64_t owners_at_ms;         /**< when owners_tick() is due */
	bool changed;                  /**< verdicts or sets are to be given to the owners */
	bool died;                     /**< one of the verdicts is a death */
	bool waits;                    /**< its part of a document is not in the tables yet */
};

struct node_counters {
	uint64_t documents, refused, resizes, deaths, returns, held;
	uint64_t paths_lowered, paths_restored;
};

/** The three clocks of one moment. */
struct node_time {
	uint64_t now_ms;   /**< since boot, as the loop's */
	uint64_t ticks_ms; /**< CLOCK_MONOTONIC, as the packets' */
	int64_t wall_ms;
};

struct node {
	const struct driver_ops *ops;
	struct driver *driver;
	struct fwd_tables t;
	struct driver_sizes sizes;
	struct model *model; /**< owned; NULL before the first document */
	struct plan *plan;
	struct node_pool *pools;
	size_t n_pools;
	struct places *pool_places, *backend_places, *count_places;
	struct ranges *ranges;
	struct owners_memory *memory;
	uint8_t *states;         /**< enum owners_state by backend index */
	struct addr *watched;    /**< address by backend index whose next hop is followed */
	uint32_t *watched_next;  /**< by backend index: the next one in its bucket */
	uint32_t *watched_heads; /**< [NODE_WATCHED_BUCKETS], by address; 0: none */
	bool *is_watched;
	struct path *paths;    /**< by backend index: what routers told of the way there */
	uint32_t n_low;        /**< of them, those of which something is told */
	bool *is_wanted;       /**< scratch, by backend index */
	struct node_way *ways; /**< by backend index */
	bool ways_changed;     /**< what speaks against backends is not decided on yet */
	struct hops *hops;     /**< borrowed; NULL: next hops are not followed */
	const struct health_page *health; /**< borrowed; NULL: not there (yet) */
	const struct page *
	        health_page; /**< of which it is the payload, borrowed; NULL: of none that could be damaged */
	uint32_t health_generation;
	bool adopted;      /**< the tables were another process's before */
	bool learning;     /**< they were empty, and no peer has told yet what it knows of slots */
	bool wants_guests; /**< it is learning, and has all verdicts */
	bool document_refused;
	uint64_t told; /**< errors about tunnels that node_told() has seen */
	bool graced;   /**< no packet reads the spare half of services any more */
	struct node_counters counters;
	/** Called between the steps of long work; may call node_verdicts(). NULL: nothing is let in. */
	void (*breathe)(void *arg);
	void *breathe_arg;
};

/** Let what cannot wait in. */
static inline void node_breathe(const struct node *n)
{
	if (n->breathe)
		n->breathe(n->breathe_arg);
}

/** Read the time. */
struct node_time node_now(void);

/** Start on @p driver's tables; with @p kept, find what an earlier process put there. @return 0 or -ENOMEM */
int node_init(struct node *n, const struct driver_ops *ops, struct driver *driver, bool kept);
/** Free all but the driver; tables stay as they are. */
void node_fini(struct node *n);

/**
 * Bring @p m into force.
 *
 * @param m    taken on success
 * @param why  the reason of a refusal
 * @return 0; -EDQUOT (does not fit its limits), -EAGAIN (room is still resting: try again in
 *         NODE_REST_MS), or -errno; then everything is as it was
 */
int node_document(struct node *n, struct model *m, const struct node_time *time,
                  char why[PLAN_WHY_MAX]);
/**
 * The same for a document whose plan is made, maybe with rings (plan_fill()), so that little is left to do.
 *
 * @param plan  of @p m; taken on success
 */
int node_take(struct node *n, struct model *m, struct plan *plan, const struct node_time *time,
              char why[PLAN_WHY_MAX]);

/** The health page has come, changed its layout or (NULL) is gone. */
void node_health(struct node *n, const struct health_page *page);
/** The same from a mapped page, whose words count only while it is sound (base/page.h). */
void node_health_page(struct node *n, struct page *page);
/**
 * Take the verdicts as they stand now and bring them into force. To be called on each of the page's epochs.
 * In the middle of node_take() deaths come into force at once, the rest when it is its pool's turn.
 */
void node_verdicts(struct node *n, const struct node_time *time);
/** Do what time asks for. @return when the next call is due (time->now_ms scale), at most a second ahead */
uint64_t node_tick(struct node *n, const struct node_time *time);
/** Take what routers told of ways to backends since the last call; nearly free when they told nothing. */
void node_told(struct node *n, uint64_t now_ms);
/** The way to @p address is as @p hop says: a hops_changed. */
void node_hop(void *node, const struct addr *address, const struct hop *hop);

/** What peers need to know of slots (weir/guests.h), from malloc(). @return NULL when out of memory */
char *node_guests_tell(const struct node *n, const struct node_time *time);
/** Take what a peer told. @return 0; -EPROTO (malformed) or -ENOMEM, then everything is as it was */
int node_guests_take(struct node *n, const char *text, const struct node_time *time);

/** The digest that a backend's index belongs to: of its pool and itself. */
uint64_t node_backend_key(uint64_t pool, uint64_t id);

#endif
