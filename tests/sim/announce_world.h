/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A world of nodes that announce one address, in simulated time: the real decision code
 * (announce/decide.h) between a network that delays, loses and repeats messages, processes
 * that restart and forget, kernels that keep their routes, routing daemons that read them late, and
 * evidence that comes and goes, processes that are stopped, hosts that die, and somebody who makes
 * up confirmations. The world checks each step against what the code promises, by records of its
 * own.
 */
#ifndef TESTS_SIM_ANNOUNCE_WORLD_H
#define TESTS_SIM_ANNOUNCE_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "announce/decide.h"

#define WORLD_NODES_MAX    6
#define WORLD_MESSAGES_MAX 4096
#define WORLD_WRONG_MAX    16 /* spells of wrong facts of a node */

enum world_kind {
	WORLD_SAME,     /* one site, all nodes get the same evidence, good network */
	WORLD_SITES,    /* one of several sites gets it, good network */
	WORLD_STORM,    /* all nodes of all sites get it, bad network */
	WORLD_RESTARTS, /* the same, and processes restart and forget */
	WORLD_MIXED,    /* own causes, drains and missing daemons in addition; one node is sound */
	WORLD_DRAINS,   /* persons drain nodes, one or all */
	WORLD_PAUSES,   /* the sound node's process is stopped, and its port goes meanwhile */
	WORLD_PORTS,    /* all nodes lose their ports for a second */
	WORLD_DEATHS,   /* the node that let the others go dies with its host */
	WORLD_FLAPS,    /* one node fails again and again, for an hour */
	WORLD_KINDS
};

/* What a fact is for a while, instead of yes. */
struct world_wrong {
	enum announce_fact fact;
	enum announce_truth truth;
	uint64_t from_ms, until_ms;
};

struct world_node {
	char name[8];
	uint32_t site;
	bool runs; /* its weir-announce */
	uint64_t down_until_ms, restart_ms, started_ms;
	uint64_t paused_from_ms, paused_until_ms; /* stopped: messages wait for it */
	uint64_t dead_ms;                         /* its host, for good; 0: never */
	uint64_t deaf_ms; /* from then on nobody tells it of other nodes; 0: never */
	struct announce_state state;
	struct announce_facts facts; /* as last decided with */
	struct announce_routes routes;
	uint64_t imported_ms[3]; /* when the daemon shows a route of the table */
	uint64_t daemon_away_from_ms, daemon_away_until_ms;
	struct world_wrong wrong[WORLD_WRONG_MAX];
	uint32_t n_wrong;
	uint64_t drain_from_ms, drain_until_ms, emptied_ms;
	uint64_t status_ms;                 /* when it last sent its state to the others */
	uint64_t heard_ms[WORLD_NODES_MAX]; /* of each other node */
	bool heard_normal[WORLD_NODES_MAX];
	/* The world's own records, which no restart forgets. */
	uint64_t promise_ms;   /* until when it may not leave for a shared cause */
	uint64_t confirmed_ms; /* when it sent the newest question that was confirmed to it */
	uint64_t own_cause_ms; /* since when it has a cause of its own; 0: none */
	uint64_t good_ms; /* when all was well first since something that withdraws; 0: not yet */
	uint64_t failed_ms, returned_ms;
	uint32_t expected_hold_ms;
	bool had_route;
};

struct world_message {
	enum { MESSAGE_QUESTION, MESSAGE_CONFIRMED, MESSAGE_STATUS } kind;
	uint32_t from, to;
	uint64_t at_ms;
	bool normal, forged;
	struct announce_question question;
};

struct world {
	enum world_kind kind;
	uint64_t seed, rng, now_ms, step_ms, end_ms, evidence_ms;
	enum announce_fact cause; /* the shared one */
	uint32_t n_nodes, n_sites, bad_site, sound;
	bool tie; /* all nodes have the evidence before the first question arrives */
	uint32_t delay_min_ms, delay_max_ms, loss_percent, repeat_percent, slow_percent;
	bool forges; /* somebody makes up confirmations */
	bool may_go; /* the last announcement may go: no node forwards for a while */
	bool last_lost;
	uint32_t n_left; /* withdrawals for a shared cause */
	const char *fault;
	uint64_t fault_ms;
	struct world_node node[WORLD_NODES_MAX];
	struct world_message message[WORLD_MESSAGES_MAX]; /* under way, in any order */
	uint32_t n_messages;
};

uint64_t world_random(struct world *w);
/* 0 .. n - 1 */
uint32_t world_below(struct world *w, uint32_t n);
/* Note the first thing that went wrong. */
void world_fail(struct world *w, const char *fault);
/* One step of all nodes. */
void world_step(struct world *w);
uint32_t world_announcing(const struct world *w);
/* Fill the world of @p seed: announce_sim.c. */
void world_plan(struct world *w, enum world_kind kind, uint64_t seed);

#endif
