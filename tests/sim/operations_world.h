/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A world of nodes and sites in simulated time, in which operations run: the real code of
 * mgmt/operations/ on each node, between a network that is cut and loses messages, nodes that die
 * and come back, measurements that are missing, wall clocks that step, sites that go down or suffer,
 * and persons who give commands.
 *
 * What the world has of its own: a store, in which each change is decided; clients (a share of each site that follows the
 * levels within one TTL); the rule of merging overrides (a lower generation never replaces a higher one); and a book of all
 * writes, by which each new one is judged.
 */
#ifndef TESTS_SIM_OPERATIONS_WORLD_H
#define TESTS_SIM_OPERATIONS_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "dns/steering/steps.h"
#include "mgmt/operations/engine.h"
#include "mgmt/operations/plan.h"

#define WORLD_NODES   8u
#define WORLD_SITES   5u
#define WORLD_OPS     2u
#define WORLD_STEP_MS 500
#define STORE_ALL     2u /* groups are 0 and 1 */

/* The override of one operation, as one node has it: all targets have the same. */
struct world_override {
	uint32_t epoch, step;
	int64_t commanded_ms; /* a person's command; 0: the operation's */
	bool ended;
	int64_t from_ms, over_ms;
	uint32_t from_ppm, to_ppm;
};

struct world_node {
	char name[16], site_name[16];
	uint32_t site, group; /* nodes of one group reach each other */
	bool alive, dns;
	int64_t back_ms;                 /* when it lives again */
	int64_t paused_ms;               /* until then its processes do not run */
	int64_t clock_off_ms;            /* of its wall clock */
	int64_t clock_bad_ms;            /* until then it knows that its clock has stepped */
	int64_t ran_ms;                  /* its last round; 0: not since its start */
	int64_t ticked_ms[WORLD_OPS];    /* when it last ran the engine; 0: not since its start */
	struct operation rec[WORLD_OPS]; /* its copy of the store's */
	uint64_t revision[WORLD_OPS];    /* of that; 0: it has none */
	struct world_override over[WORLD_OPS];
	struct ramp_record ramp[WORLD_OPS];
	uint32_t level[WORLD_OPS]; /* of the ramp */
};

struct world_site {
	char name[16];
	uint64_t base, capacity; /* new flows a second; capacity 0: not stated */
	bool up, pools, has_backup;
	int64_t down_ms, suffers_ms, lost_ms; /* until then */
	int64_t suffered_since_ms;            /* 0: it is well */
	uint32_t level_ppm;                   /* of its clients that are elsewhere */
};

/* What the store has of an operation. */
struct world_stored {
	struct operation rec;
	uint64_t revision; /* 0: it has none */
	char lease_of[16];
	int64_t lease_ms; /* until then that node owns it */
};

/* What the world knows of an operation. */
struct world_book {
	bool must_hold, by_person; /* a person has moved the level past the operation */
	char hold_code[OPERATION_CODE_MAX];
	uint32_t epoch;              /* of the highest write seen */
	struct operation_write last; /* that write */
	enum operation_way way;
	uint32_t forced_ppm;     /* furthest level in force everywhere, of the running way */
	int64_t differ_since_ms; /* since when name servers that have one write differ; 0: they agree */
	int64_t same_since_ms; /* since when nothing has changed */
	uint64_t same_key;
	bool overridden[OPERATION_GUARD_COUNT]; /* ever, by anybody */
	bool at_once;                           /* ever: all of a way is one step */
	struct operation_write last_step; /* the last write that was a step, made at stepped_ms */
	int64_t stepped_ms, way_ms, began_ms;
	uint32_t record_epoch, steps;
	char owner[MODEL_NAME_MAX];
};

struct world {
	uint64_t seed, rng;
	int64_t now_ms; /* true time */
	uint32_t n_nodes, n_sites, n_ops, ttl_s, max_out;
	bool forces; /* persons name nodes absent that live, and are cut off: majorities on both sides */
	bool in_command; /* what is written is not sent yet */
	bool chaos;      /* things go wrong; false: all is healed */
	bool key_changed, site_gone;
	struct world_node node[WORLD_NODES];
	struct world_site site[WORLD_SITES];
	struct world_book book[WORLD_OPS];
	struct world_stored stored[WORLD_OPS];
	/* what the operations went on from; no until: nothing */
	struct model_override clock[WORLD_OPS];
	uint32_t store_group;  /* nodes of this group reach it, or STORE_ALL */
	int64_t store_down_ms; /* until then nobody reaches it */
	char fault_text[256];  /* the first */
	bool verbose;
};

uint32_t world_below(struct world *w, uint32_t n);
bool world_chance(struct world *w, uint32_t per_mille);
void world_init(struct world *w, uint64_t seed);
/* Begin operation @p k at a random node; it may be refused. */
void world_begin(struct world *w, uint32_t k);
/* Go on by one step of time. */
void world_run(struct world *w);
/* All is well from now on. */
void world_heal(struct world *w);
/* A person does something to operation @p k. */
void world_command(struct world *w, uint32_t k, bool patient);
/* The record of @p k; NULL: there is none. */
struct operation *world_record(struct world *w, uint32_t k);
/* Let the node's override have the write of its record. */
void world_make_step(struct world_node *n, uint32_t k);
/* Times of a process do not go with its record. */
void world_forget_times(struct operation *op);
/* Its owner, if that lives and has the record as it is; NULL. */
struct world_node *world_owner(struct world *w, uint32_t k);
__attribute__((format(printf, 2, 3))) void world_fault(struct world *w, const char *format, ...);

/* operations_store.c: who decides */
bool store_reaches(const struct world *w, const struct world_node *n);
enum store_result {
	STORE_DECIDED,
	STORE_REFUSED, /* nothing is written */
	STORE_UNKNOWN, /* it is written, and the node does not learn that */
};
/* Let @p op take the place of what node @p n has. */
enum store_result store_decide(struct world *w, struct world_node *n, uint32_t k,
                               const struct operation *op);
/* Whether @p n, the owner by its record, may go on: it asks for that where it is not so. */
bool store_owns(struct world *w, struct world_node *n, uint32_t k);
/* Whether the owner's lease has ended. */
bool store_is_unowned(const struct world *w, uint32_t k);
void store_follow(struct world *w, struct world_node *n, uint32_t k);
void store_harm(struct world *w);
void store_heal(struct world *w);

/* operations_persons.c */
/* A node becomes the owner of what has none. */
void world_own(struct world *w, uint32_t k);

/* operations_view.c: what a node knows */
struct world_view {
	struct operation_facts facts;
	struct operation_node nodes[WORLD_NODES];
	struct operation_site sites[WORLD_SITES];
	struct operation_other others[WORLD_OPS];
};
void world_look(struct world *w, struct world_node *n, uint32_t k, struct world_view *v);
bool world_reaches(const struct world *w, const struct world_node *a, const struct world_node *b);

#endif
