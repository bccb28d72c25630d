/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Steering: which site answers for a dynamic name, for which client, and for how long.
 *
 * Pure: no clock, no allocation, no lock. `struct steering` is the configuration (from the model),
 * `struct steering_state` what is observed and in force now. One thread fills a state; any number
 * of threads read it afterwards.
 *
 * A client's key is a prefix of its address. The site is the one with the best weighted rendezvous
 * score of (key, site) on base weights (Thaler and Ravishankar 1998; weights by -w / ln u:
 * Schindelhauer and Schomaker 2005), or with the failover policy the first one. A drain is a gate:
 * if hash(key, site) lies below the drained fraction, the choice is made again without that site.
 * So growing fractions move only the clients of the drained site, a moved client does not move back
 * during the drain, and all nodes agree.
 *
 * A and AAAA of a client come from one site. So a site with one family down gives up both: its
 * clients get a site that serves both. Only where there is none is each family answered by itself.
 * A site that has addresses of one family alone serves that one.
 *
 * weir-dns answers by it, and weir-mgmt projects by it what a drain will move: one code for both.
 * Implemented in model/steering.c; steering_new() is for the thread that owns the arena, the others for any.
 */
#ifndef WEIR_STEERING_H
#define WEIR_STEERING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/checked.h"
#include "base/hash.h"
#include "weir/health.h"
#include "weir/model.h"

struct arena;

#define STEERING_SITES_MAX     64 /**< of one service, as in the schema */
#define STEERING_ADDRESSES_MAX 16 /**< of one site in one family */

/**
 * The classes of sites, in the order in which they are tried: the first one that is not empty
 * answers.
 */
enum steering_class {
	STEERING_SERVING,  /**< up or unknown, and not drained */
	STEERING_DRAINED,  /**< up or unknown, but drained: no other site is left */
	STEERING_UNPROVEN, /**< not down, but added by a later version and never seen up */
	STEERING_PANIC,    /**< no site is up: all but disabled ones, by base weight */
	STEERING_NONE,     /**< no address: fail closed, all disabled, or none in this family */
};
const char *steering_class_text(enum steering_class c);

/** Where a TTL comes from. */
enum steering_ttl {
	STEERING_TTL_STABLE,   /**< the maximum: nothing is about to change */
	STEERING_TTL_SCHEDULE, /**< the time to the next scheduled change, within the limits */
	STEERING_TTL_SHIFT,    /**< the minimum: a drain is in progress */
	STEERING_TTL_DOUBT,    /**< the minimum: a target is in doubt */
	STEERING_TTL_PANIC,    /**< the minimum: no site is up, or the answer is empty */
};
const char *steering_ttl_text(enum steering_ttl t);

/** A service at a site. */
struct steering_site {
	const char *name;
	uint64_t id; /**< hash_text() of the name: the same on every node */
	uint32_t weight;
	uint8_t n_addresses[2]; /**< by family: [0] IPv6, [1] IPv4 */
	struct addr addresses[2][STEERING_ADDRESSES_MAX];
};

struct steering_service {
	const char *name;
	bool fail_closed;
	bool one_vip;         /**< of several sites: the answer is the same whichever is chosen */
	uint32_t first_state; /**< of its sites in steering_state.sites */
	uint32_t n_sites;
	const struct steering_site *sites; /**< in the document's order: the order of failover */
};

struct steering_name {
	const char *name;
	uint32_t id; /**< steer_keys_name_id() of the name: the same on every node */
	const struct steering_service *service;
	enum model_policy policy;
	uint32_t ttl_min_s, ttl_max_s;
};

/** All dynamic names of a document; number k is zone_input.dynamic[k]. */
struct steering {
	struct hash_key key; /**< of the cluster */
	size_t n_names, n_services, n_states;
	const struct steering_name *names;
	const struct steering_service *services;
	const char *const *texts; /**< the names again, for zone_input.dynamic */
};

/** What is observed of a service at a site, and what is in force there. */
struct steering_site_state {
	health_word words[2]; /**< by family, as in steering_site */
	uint32_t drained_ppm;
	/** By family: a later version brought it and no node has seen it up yet. */
	bool unproven[2];
	bool disabled;
	bool forced_up;
	bool shifting;   /**< between the ends of a drain */
	int64_t next_ms; /**< wall time of the next scheduled change; MODEL_TIME_NEVER */
};

struct steering_state {
	size_t n_sites;
	struct steering_site_state sites[];
};

/** A client as steering sees it. */
struct steering_key {
	uint8_t bytes[8]; /**< family (4 or 6), then 3 or 7 bytes of the prefix */
	uint8_t bits;     /**< 24 or 56 */
};

struct steering_choice {
	enum steering_class class;
	int32_t site; /**< index in the service's sites; -1 for STEERING_NONE */
	uint32_t ttl_s;
	enum steering_ttl ttl_from;
	uint64_t gated; /**< sites, one bit each, whose gate turned this key away */
	/** Sites that the key was moved away from: one of their families is down. */
	uint64_t halved;
	uint64_t candidates; /**< the sites of the class that answered */
};

/**
 * Make the steering of @p m in @p a; names are borrowed from @p m.
 * @return NULL when out of memory
 */
struct steering *steering_new(const struct model *m, struct arena *a) MUST_CHECK NONNULL();

/** The key of a client's address, or of a prefix's first address. */
struct steering_key steering_key_of(const struct addr *address) NONNULL();
/** The key with these bytes, as steering_key.bytes. */
static inline struct steering_key steering_key_from(const uint8_t bytes[8])
{
	struct steering_key key = { .bits = bytes[0] == 4 ? 24 : 56 };

	memcpy(key.bytes, bytes, sizeof(key.bytes));
	return key;
}

/** Choose for dynamic name number @p name. */
struct steering_choice steering_choose(const struct steering *p, const struct steering_state *state,
                                       uint32_t name, bool ip4, const struct steering_key *key,
                                       int64_t wall_clock_ms) NONNULL();

/**
 * The class that answers for a service in one family, as steering_choose() finds it, and in @p members its sites, one
 * bit each.
 */
enum steering_class steering_class_of(const struct steering_service *s,
                                      const struct steering_site_state *states, bool ip4,
                                      uint64_t *members) NONNULL();

/** One of several sites among which keys are shared. */
struct steering_part {
	uint32_t weight;
	uint32_t open_ppm; /**< what its drain leaves */
	double share;      /**< out: the part of evenly spread keys that choose it */
};

/**
 * How steering_choose() spreads keys on average over @p n sites that are up, in the order of
 * failover. @param n  at most STEERING_SITES_MAX; may be 0
 */
void steering_share(enum model_policy policy, struct steering_part *parts, size_t n);

/**
 * How steering_choose() spreads keys on average over the sites of a service as they are, of both families together:
 * by the class that answers in the better one. @param shares  out: of each site
 * @return the sites, one bit each, that checks leave in the answers; drained ones are among them
 */
uint64_t steering_spread(const struct steering_service *s, const struct steering_site_state *states,
                         enum model_policy policy, double *shares) NONNULL();

/** A key's gate at a site, 0..999999: below the drained ppm it is turned away. */
uint32_t steering_gate_ppm(const struct steering *p, const struct steering_site *site,
                           const struct steering_key *key) NONNULL();

#endif
