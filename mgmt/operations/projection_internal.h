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

#endif
