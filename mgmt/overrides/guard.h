/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Guards of overrides: what a drain or disable would leave in service, and whether that is enough.
 *
 * Pure functions over the model, the overrides and the observations. What is unknown does not
 * refuse (a drain must be possible while half the cluster cannot be seen), but the verdict says so.
 *
 * Implemented in mgmt/overrides/guard.c. Any thread may call.
 */
#ifndef WEIR_MGMT_OVERRIDES_GUARD_H
#define WEIR_MGMT_OVERRIDES_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/overrides/override.h"
#include "mgmt/rules/rule.h"
#include "weir/model.h"

struct health_page;

#define GUARD_SITES_MAX    64u /**< sites that are looked at as receivers */
#define GUARD_VERDICTS_MAX 4u  /**< one for each guard of a target; a node has three */
/** Percent of its stated capacity that a receiver may reach; the rest is for a wrong forecast. */
#define GUARD_ROOM_PERCENT 85u

/** What comes from clients to one site, as measured: bits, or new TCP flows. */
struct guard_rate {
	char site[MODEL_NAME_MAX];
	uint64_t per_s;
	bool is_part; /**< of some of its nodes it is not known: there is more */
};

/** Whether a load fits into a capacity: one rule for overrides and operations. */
enum guard_fit {
	GUARD_FIT_NOT_STATED, /**< there is nothing to compare with */
	GUARD_FIT_UNKNOWN,    /**< a capacity is stated, the load is not known, and its part fits */
	GUARD_FIT_YES,
	GUARD_FIT_NO,
};
/**
 * @param capacity  0: not stated
 * @param load  not @p known: a part of it, or 0
 * @param percent  written if yes or no, rounded down
 */
static inline enum guard_fit guard_fit(uint64_t capacity, bool known, uint64_t load,
                                       uint64_t *percent)
{
	const unsigned __int128 hundredfold = (unsigned __int128)load * 100;

	if (!capacity)
		return GUARD_FIT_NOT_STATED;
	bool fits = hundredfold <= (unsigned __int128)capacity * GUARD_ROOM_PERCENT;

	if (!known && fits)
		return GUARD_FIT_UNKNOWN;
	*percent = hundredfold / capacity < UINT64_MAX ? (uint64_t)(hundredfold / capacity)
	                                               : UINT64_MAX;
	return fits ? GUARD_FIT_YES : GUARD_FIT_NO;
}

/** What a node says of a VIP; of several nodes the greatest counts. */
enum guard_announced {
	GUARD_NOT_ANNOUNCED,
	GUARD_ANNOUNCED_UNKNOWN,
	GUARD_ANNOUNCED, /**< and its routing daemon shows it */
};

/**
 * What a node said that it announces, by keys: hash_text() of a VIP's name, and guard_dns_key() of an
 * address of DNS. Zeroed: it said nothing.
 */
struct guard_said {
	char node[MODEL_NAME_MAX];
	struct guard_word {
		uint64_t key;
		enum guard_announced said;
	} * words; /**< [n], rising, from malloc(); what is not there is not announced */
	size_t n;
};

/** A node, as it was seen moments ago. What is not known is zero. */
struct guard_node {
	char name[MODEL_NAME_MAX];
	bool load_known;
	uint64_t bits;                 /**< a second, from clients, if load_known */
	uint64_t capacity_bits;        /**< a second: of its ports; 0: not known */
	const struct guard_said *said; /**< NULL: not known */
};

/** A pool without agents, as the forwarding tables of the node to be drained have it. */
struct guard_unsettled {
	const char *name;
	uint32_t n_slots, unsettled;
	uint32_t remembered; /**< connections that the node remembers */
};

/** The observations, as far as they are known. */
struct guard_observed {
	const struct health_page *health; /**< NULL: nothing */
	bool health_stale; /**< it is not written any more: what it says is up may be down */
	const struct guard_rate *loads; /**< bits */
	size_t n_loads;
	const struct guard_rate *flows; /**< for the drain of a site */
	size_t n_flows;
	const struct guard_node *nodes; /**< for the drain of a node, as the following */
	size_t n_nodes;
	const struct guard_unsettled *pools;
	size_t n_pools;
	bool pools_known; /**< pools are all that there are */
};

struct guard_verdict {
	const char *guard; /**< the name of one of OVERRIDE_RULES */
	bool ok;           /**< it does not refuse */
	bool unknown;      /**< it cannot tell, and so does not refuse */
	char detail[256];
	/** Seconds after which it does not refuse any more, if nothing else changes; 0: not known. */
	int64_t wait_s;
};

/** A site, backend or node that receives traffic of the target. */
struct guard_receiver {
	const char *name;               /**< borrowed from the model */
	uint32_t before_ppm, after_ppm; /**< share of the clients, by the weights */
	uint64_t capacity_bits;         /**< 0: not stated */
	uint64_t before_bits, after_bits;
	bool known; /**< before_bits and after_bits are; else they are a part */
};

struct guard_result {
	struct guard_verdict verdicts[GUARD_VERDICTS_MAX];
	size_t n_verdicts;
	struct guard_receiver *receivers; /**< at most max_receivers; the caller's */
	size_t n_receivers, max_receivers;
};

/**
 * Judge taking @p target (a site, a backend of a pool, or a node) out of service at @p now_ms.
 * @p result's receivers and max_receivers are set by the caller; more than fit are left out.
 * @return 0 or -ENOMEM
 */
MUST_CHECK int guard_check(const struct model *m, const struct overrides *overrides,
                           const struct override *target, const struct guard_observed *seen,
                           int64_t now_ms, struct guard_result *result);
/**
 * Judge taking several backends of @p pool out of service together: those that @p leaves says, one for each of its backends.
 * @param n_more  backends that come at the same time
 * @return 0 or -ENOMEM
 */
MUST_CHECK int guard_check_backends(const struct model_pool *pool,
                                    const struct overrides *overrides, const bool *leaves,
                                    size_t n_more, const struct guard_observed *seen,
                                    int64_t now_ms, struct guard_result *result);
/** The key of an address of DNS in struct guard_said. */
uint64_t guard_dns_key(const struct addr *address);
/** Make room for what is said of @p n keys. @return 0 or -ENOMEM; guard_said_fini() in both cases */
MUST_CHECK int guard_said_init(struct guard_said *out, size_t n);
void guard_said_fini(struct guard_said *s);
/** Note what is said of a key; in any order, and nothing twice. */
void guard_said_add(struct guard_said *s, uint64_t key, enum guard_announced said);
/** All is noted. */
void guard_said_sort(struct guard_said *s);
/** What was said of a key. */
enum guard_announced guard_said_of(const struct guard_said *s, uint64_t key);
/**
 * Whether @p o takes its target out of service for new flows now or soon: live, and not
 * returning.
 */
bool guard_removes_target(const struct override *o, int64_t now_ms);

#endif
