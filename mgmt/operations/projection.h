/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Projection: which site each client will choose at a step of an operation, and what that makes of
 * the sites' load.
 *
 * The keys that all nodes observed (weir/steer_keys.h), weighted by their queries, go through the
 * code that weir-dns chooses by (weir/steering.h), once as it is at the operation's begin and once
 * at each step. A key that chooses another site takes its part of its old site's load along. Keys
 * that were not observed one by one (`others`, or none at all) count as many small ones, spread as the
 * hash spreads them.
 *
 *   load after a step = load now + what the step still brings:
 *   for each service, of each site that loses clients, what it has now above what it is to keep
 *   (its load at the begin, less the keys that move, scaled by the service's load now and then)
 *
 * So clients that have arrived already are not counted twice, and the same function serves the
 * preflight (load at the begin is the load now), each second of a step, a return, and several sites
 * together. Missing is never 0: a site's load that is not known stays so, and so does that of all
 * sites that would get a part of it.
 *
 * Queries are not flows where one resolver asks for many clients: projection.c says how far the
 * new flows may be from what the queries say.
 *
 * Pure: no clock, no lock, no socket. Implemented in mgmt/operations/projector.c (keys) and projection.c
 * (steps); a projector belongs to one thread at a time.
 */
#ifndef WEIR_MGMT_OPERATIONS_PROJECTION_H
#define WEIR_MGMT_OPERATIONS_PROJECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/operations/operation_facts.h"
#include "weir/model.h"
#include "weir/steer_keys.h"

#define PROJECTION_SITES_MAX 64u
#define PROJECTION_STEPS_MAX 16u
#define PROJECTION_ALL       UINT32_MAX /**< projection_gate.service: all services of the site */
/** Fewer queries in the window than this: the shares follow the weights, not the keys. */
#define PROJECTION_QUERIES_MIN 200u

struct projector;

/** A drain's level, of all services at a site or of one. Indices are those of the model. */
struct projection_gate {
	uint32_t site;
	uint32_t service; /**< PROJECTION_ALL: all */
	uint32_t level_ppm;
};

/** A site now; what is not known is not read. */
struct projection_site_now {
	bool out; /**< it gets no clients: down as seen from outside, disabled */
	/** new flows of clients a second, whichever pool took them; bits a second */
	struct operation_value flows, bits;
};

/** New flows of one service at one site. Pairs that are not listed are not known. */
struct projection_flows {
	uint32_t service, site;
	uint64_t now_per_s;
	uint64_t begin_per_s; /**< when the operation began; before one the same as now_per_s */
};

struct projection_input {
	const struct projection_site_now *sites; /**< [model.n_sites] */
	const struct projection_flows *flows;    /**< may be none: then by the sites' sums */
	size_t n_flows;
	/** Drains of others in force, of all services or one. */
	const struct projection_gate *gates;
	size_t n_gates;
	/** The operation's targets, with the level at its begin (0, or a shift's). */
	const struct projection_gate *targets;
	size_t n_targets;
	/** The level of all targets after each step, rising or falling. */
	const uint32_t *steps_ppm;
	size_t n_steps; /**< at most PROJECTION_STEPS_MAX */
	/** All that the targets have may come to their backup pools at once (`--now`). */
	bool at_once;
	/** The unseen clients are those of when the way began, if they were known; else those of now. */
	bool unseen_fixed;
	struct operation_value unseen_ppm;
};

/** New flows of the sample from one prefix to a service at a site, in the last minute. */
struct projection_arrival {
	uint32_t service, site;
	uint8_t key[8]; /**< as steer_key.key */
	uint64_t flows; /**< of all flows, estimated */
	uint32_t sampled;
};

/** All sites after a step, each with its whole load: now, and what the step brings. */
struct projection_step {
	/** of the new flows: what all targets together may have, unseen clients considered */
	struct operation_band targets;
	struct operation_projected sites[PROJECTION_SITES_MAX];
};

struct projection {
	bool by_keys;          /**< false: too few were observed, by weights */
	uint32_t covered_s;    /**< the shortest window of any node's keys */
	uint32_t n_nodes;      /**< whose keys are in it */
	uint64_t queries;      /**< in the window, for the targets' services */
	uint32_t heaviest_ppm; /**< the part of the queries that the heaviest key has */
	/**
	 * The part of the clients, at the sites that lose some, whose prefix is no observed key: those
	 * behind resolvers that ask for many and do not say for whom.
	 */
	struct operation_value unseen_ppm;
	/** Queries a second for the targets' services, at most with the shortest TTL. */
	uint64_t queries_per_s_min_ttl;
	size_t n_sites, n_steps;
	/** At the levels of the operation's begin, with the load now. */
	struct projection_step begin;
	struct projection_step steps[PROJECTION_STEPS_MAX];
};

/**
 * A projector of @p m, which is borrowed, without keys.
 * @param key  by which weir-dns places clients (weir/placement.h); copied
 * @return 0 or -ENOMEM
 */
int projector_new(const struct model *m, const uint64_t key[2], struct projector **out) MUST_CHECK
        NONNULL();
/** NULL is fine. */
void projector_free(struct projector *p);
/**
 * Add what one node observed. Names that the model does not have are left out. @return 0 or -ENOMEM
 * (nothing is added then)
 */
int projector_add(struct projector *p, const struct steer_keys *keys) MUST_CHECK NONNULL();
/**
 * Say from where new flows come; it replaces what was said before.
 * @param whole  all prefixes of the sample are listed, not only those with most
 * @return 0 or -ENOMEM
 */
int projector_set_arrivals(struct projector *p, const struct projection_arrival *list, size_t n,
                           bool whole) MUST_CHECK NONNULL(1);
/**
 * Project all steps. Indices beyond the model's are ignored. @p out is written in each case.
 * @return 0; -ENOMEM (@p out is all zero then)
 */
int projection_make(struct projector *p, const struct projection_input *in,
                    struct projection *out) MUST_CHECK NONNULL();

#endif
