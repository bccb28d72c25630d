/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What another configuration would have done to the clients that this node observed lately: how many would be answered with another
 * site, come to another pool or backend, or be served no more.
 *
 * Queries are those of the keys that weir-dns observed (weir/steer_keys.h), by the code that it answers by, with the sites as
 * they are now: down, disabled, drained in part. New flows are those of the prefixes that weir-dataplane sampled (weir/measure.h). A
 * flow's backend follows from its addresses and ports, which are evenly spread over the slots of a pool; so the part of the slots that
 * change their owner is the part of the flows that get another backend. Established flows are none of this: they stay.
 *
 * What it does not know: flows of UDP, members that registered, which backends are down or disabled, and other addresses of a VIP than
 * the first one of each family.
 *
 * Pure; implemented in mgmt/rules/what_if.c. Any thread.
 */
#ifndef WEIR_MGMT_RULES_WHAT_IF_H
#define WEIR_MGMT_RULES_WHAT_IF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "mgmt/rules/plan.h"
#include "weir/measure.h"
#include "weir/steer_keys.h"

#define WHAT_IF_ROWS_MAX    64u  /**< names, and services, that are listed; all are counted */
#define WHAT_IF_CLIENTS_MAX 256u /**< likewise prefixes */

/** A site as it is now. */
struct what_if_site {
	char site[MODEL_NAME_MAX];
	char service[MODEL_NAME_MAX]; /**< "": all of the site's */
	uint32_t drained_ppm;
	bool is_out; /**< down, or disabled */
};

/** What was observed, and how the sites are; borrowed. */
struct what_if_observed {
	const struct steer_keys *keys;      /**< NULL: not known */
	const struct measure_source *flows; /**< a prefix may come several times; NULL: not known */
	size_t n_flows;
	uint32_t flows_covered_s; /**< they are those of so long */
	const struct what_if_site *sites;
	size_t n_sites;
};

/** Of so many, what becomes of them, in ppm. */
struct what_if_part {
	uint64_t all;
	/** queries: another site; flows: another backend, those of another pool among them */
	uint32_t moved_ppm;
	uint32_t pool_ppm; /**< of flows: another pool */
	/** queries: no address of a family that they were given before; flows: no service at their address any more */
	uint32_t lost_ppm;
};

struct what_if_name {
	const char *name;
	struct what_if_part queries;
	const struct plan_share *sites; /**< parts of its queries */
	size_t n_sites;
};

struct what_if_service {
	const char *service;
	const char *pool; /**< that its flows come to now, at this site */
	struct what_if_part flows;
};

/** A prefix of clients whose answer would be another one. */
struct what_if_client {
	char prefix[ADDR_LONG_TEXT_MAX];
	const char *name;
	uint64_t queries;
	const char *from, *to; /**< sites; NULL: none */
};

struct what_if {
	bool queries_known, flows_known;
	struct what_if_part queries, flows;
	/** of keys that were not observed one by one, or whose name is none any more: not among @p queries */
	uint64_t queries_elsewhere;
	uint32_t queries_covered_s, flows_covered_s; /**< they are those of so long */
	size_t n_names, n_services;                  /**< listed: those with a change */
	const struct what_if_name *names;
	const struct what_if_service *services;
	size_t n_clients, n_clients_all;
	const struct what_if_client *clients; /**< those with most queries first */
};

/**
 * @param to   with the hash key that it would have
 * @param out  its memory is of @p arena; names are of the models
 * @return 0 or -ENOMEM
 */
MUST_CHECK int what_if_make(const struct model *from, const struct model *to,
                            const struct what_if_observed *observed, struct arena *arena,
                            struct what_if *out);

#endif
