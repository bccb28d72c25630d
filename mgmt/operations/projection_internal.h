/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What projector.c (keys) and projection.c (steps) share. Names of one service and one policy place a
 * key alike: they are one group.
 */
#ifndef WEIR_MGMT_OPERATIONS_PROJECTION_INTERNAL_H
#define WEIR_MGMT_OPERATIONS_PROJECTION_INTERNAL_H

#include "mgmt/operations/projection.h"
#include "weir/steering.h"

/* Keys that are projected one by one; of more, the smallest count as others. */
#define PROJECTOR_KEYS_MAX 16384u

struct projector_group {
	uint32_t service; /* first: sorted by it */
	uint32_t name;    /* one of its dynamic names, by number */
	uint64_t others;  /* queries without a key */
};

struct projector_key {
	uint64_t key; /* steering_key.bytes */
	uint32_t group;
	uint64_t queries;
};

struct projector_name {
	uint32_t id, number, group; /* sorted by the first */
	double queries_per_s;
};

struct projector {
	const struct model *m;
	struct arena *arena;
	struct steering *steering;
	size_t n_groups, n_names;
	struct projector_group *groups; /* by service, rising */
	struct projector_name *names;   /* by id, rising */
	size_t n_keys, n_room;
	struct projector_key *keys;
	bool is_merged;     /* keys are by group, each once, at most PROJECTOR_KEYS_MAX */
	uint32_t covered_s; /* the shortest of all nodes; 0: none */
	uint32_t n_nodes;
	struct projection_arrival *arrivals; /* by service and key, rising */
	size_t n_arrivals;
	bool arrivals_whole;
};

/* The groups of a service are neighbours: the first, or where it would be. */
size_t projector_first_group(const struct projector *p, uint32_t service);
/* Whether it was observed for a name of the service. The keys are merged. */
bool projector_has_key(const struct projector *p, uint32_t service, uint64_t key);
/* Merge and bound the keys, once after the last one was added. */
void projector_merge_keys(struct projector *p);

/* What even keys weigh beside observed ones: nothing, but for a site that no observed key chooses. */
#define PROJECTION_EVEN_WEIGHT 1e-6

struct projection_client {
	struct steering_key key;
	uint32_t name;
	int32_t site;  /* at the begin, among the service's; -1: none */
	bool observed; /* no even key */
	double queries;
};

/* A service at one of its sites. */
struct projection_at {
	uint32_t site; /* index in the model */
	bool flows_known, bits_known;
	double now, begin, bits; /* a second; bits: now */
	double queries;          /* of the clients that choose it at the begin */
	double leaving, joining; /* of them, at a step */
};

/* Of the service that is looked at. */
struct projection_service {
	const struct model_service *service;
	const struct steering_service *steered;
	struct projection_client *clients;
	size_t n, n_at;
	bool ip4;
	double scale; /* load now to load at the begin */
	struct projection_at at[PROJECTION_SITES_MAX];
	double moved[PROJECTION_SITES_MAX][PROJECTION_SITES_MAX];
};

/* What the steps do to one site, added up over services. */
struct projection_sum {
	double flows, bits; /* more, or less, a second */
	double backup_flows, backup_bits;
	double share_flows, share_queries;
	bool flows_unknown, bits_unknown, receives;
};

struct projection_run {
	struct projector *p;
	const struct projection_input *in;
	struct projection *out;
	struct steering_state *state;
	uint32_t *rows; /* by service and site: which of in->flows, from 1; 0: none */
	double listed_flows[PROJECTION_SITES_MAX]; /* the sum of in->flows by site */
	double site_queries[PROJECTION_SITES_MAX]; /* of the targets' services, at the begin */
	bool shares_by_flows;                      /* the flows of all sites are known */
	double n_resolvers; /* effective number of keys that are no clients'; 0: none */
	struct projection_service of;
	size_t n_even; /* even keys of a group */
	struct projection_sum sums[PROJECTION_STEPS_MAX + 1]
	                          [PROJECTION_SITES_MAX]; /* [0]: the begin */
};

size_t projection_n_sites(const struct model *m);
/* Whether a gate is of this service at this site. */
bool projection_is_gate(const struct projection_gate *g, const struct model_service *s,
                        const struct model_at *at);
/* Whether the operation moves clients of @p s. */
bool projection_affects(const struct projection_run *r, const struct model_service *s);
/* The level of a target after @p step (1..; 0: the begin): it never goes back on its way. */
uint32_t projection_target_level(const struct projection_input *in, uint32_t begin_ppm,
                                 size_t step);
/* Whether the steps send clients away from the targets, or back. */
bool projection_rises(const struct projection_input *in);
/* Set the levels of the service that is looked at, as they are after @p step. */
void projection_set_levels(struct projection_run *r, size_t step);
int32_t projection_choose(const struct projection_run *r, const struct projection_client *c);
/* How many even keys a group has, of those that the operation moves. */
size_t projection_even_keys(const struct projection_run *r);
/* All that is known of service @p number before the steps: who chooses which site. */
void projection_begin_service(struct projection_run *r, uint32_t number);
/* How many of the clients are unseen. */
void projection_measure_unseen(struct projection_run *r);
/* Count the resolvers of the service that is looked at, which has begun. */
void projection_count_resolvers(struct projection_run *r);
/* What the targets may have after the step @p to, whose shares are written. */
void projection_write_band(const struct projection_run *r, struct projection_step *to);

#endif
