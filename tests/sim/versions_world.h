/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A world in which nodes share versions: one store, whose decisions are atomic, nodes with clocks of their
 * own, and what lies between them, which cuts, loses answers and delays writes. Time is virtual. The store keeps few
 * versions and may have compacted what a node has not followed, so nodes list, too.
 *
 * A node runs the product's code (mgmt/store/history.h, mgmt/store/chain.h, mgmt/store/shared.h). What a node
 * has on its disk outlives a restart; a wiped node has nothing.
 */
#ifndef TESTS_SIM_VERSIONS_WORLD_H
#define TESTS_SIM_VERSIONS_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mgmt/store/history.h"

#define WORLD_NODES   5u
#define WORLD_EVENTS  4096u /* changes of records in a schedule, at most */
#define WORLD_LATE    16u   /* writes that are under way at once */
#define WORLD_TICK_MS 100
#define WORLD_STEP_MS 500 /* a node does what is due so often */

/* A write whose answer was lost, and that is carried out later, or not. */
struct world_late {
	struct shared_change change;
	int64_t at_ms; /* 0: none */
};

struct world_node {
	struct version_history *history; /* NULL: it does not run */
	int64_t boot_ms;                 /* when its boot clock began */
	char boot[PENDING_BOOT_MAX];
	/* on its disk: events that it has, the store's revision at its first list, and deadlines */
	size_t followed;
	int64_t joined_revision;
	struct pending pending[HISTORY_PENDING_MAX];
	size_t n_pending;
	size_t joined; /* events that were there when it came with an empty disk */
	bool lists;    /* what it has not followed is compacted, or it has nothing: it must list */
	int64_t cut_until_ms, back_ms; /* not reached until; down until */
	int64_t reached_since_ms; /* it runs, is reached and has followed all since then; -1: not so */
	uint32_t wipes, boots, starts;
	bool restarts; /* it does not run until back_ms */
	bool reboots;  /* its boot clock starts again then */
};

struct world {
	uint64_t rng;
	int64_t now_ms;
	bool verbose, healed;
	char fault_text[256];
	uint32_t n_nodes;
	uint32_t keep; /* versions that the store keeps */
	struct world_node node[WORLD_NODES];
	struct shared_record event[WORLD_EVENTS]; /* changes of records, as a watch brings them */
	size_t n_events;
	int64_t revision, changed_ms; /* of the store's last change */
	struct world_late late[WORLD_LATE];
	uint64_t ids, writes, unknown, refused;
};

/* What became of a write as its writer sees it. */
enum world_answer { WORLD_DONE, WORLD_REFUSED, WORLD_UNKNOWN, WORLD_NOT_REACHED };

void world_init(struct world *w, uint64_t seed);
void world_fini(struct world *w);
uint32_t world_below(struct world *w, uint32_t n);
bool world_chance(struct world *w, uint32_t per_mille);
__attribute__((format(printf, 2, 3))) void world_fault(struct world *w, const char *format, ...);

/* Time goes on by WORLD_TICK_MS: links, restarts, late writes, and what nodes do by themselves. */
void world_run(struct world *w);
/* All nodes run and are reached, and stay so. */
void world_heal(struct world *w);
/* Send a change from node @p n; it is given back. */
enum world_answer world_write(struct world *w, struct world_node *n, struct shared_change *c);
/* An id that no other change has. */
void world_id(struct world *w, char out[SHARED_ID_MAX]);
void world_clock(const struct world *w, const struct world_node *n, struct pending_clock *out);
/* The names of node @p i and of its site. Persons mistake one for the other. */
void world_names(uint32_t i, char node[8], char site[8]);
bool world_is_reached(const struct world *w, const struct world_node *n);

/* The store's record of that name now; NULL: none. */
const struct shared_record *world_record(const struct world *w, const char *name);
/* The last record of that name, also if it was removed; NULL: there was none ever. */
const struct shared_record *world_ever(const struct world *w, const char *name);
/* The number of the event that brought version @p number, which is there. */
size_t world_event_of(const struct world *w, uint64_t number);

#endif
