/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of weir-announce: its addresses, the kernel's routes and what it reads from. Loop's
 * thread only. rows.c has the table of addresses and the kernel's routes, round.c decides and
 * moves, dns_life.c looks at weir-dns, published.c shows, command.c and others.c answer the control
 * socket, main.c has the process.
 */
#ifndef ANNOUNCE_PROCESS_H
#define ANNOUNCE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "announce/daemon.h"
#include "announce/decide.h"
#include "announce/evidence.h"
#include "announce/intended.h"
#include "announce/moves.h"
#include "base/checked.h"
#include "base/loop.h"

struct announced_page;
struct model;
struct own_routes;
struct stats;
struct stats_reader;

/* One address. */
struct announce_row {
	struct intended intended;
	struct announce_state state;
	struct announce_facts facts; /* by which it was decided last */
	struct announce_decision decision;
	struct announce_routes routes;
	/* by enum announce_table: when this process added the route; 0: never */
	uint64_t added_ms[3];
	uint64_t since_ms;   /* of table and reason */
	uint64_t differs_ms; /* since when the daemon shows something else; 0: it does not */
	uint64_t query_ms;   /* of the question that is open; 0: none */
	enum announce_truth others; /* whether another node announces it, as weir-mgmt said .. */
	uint64_t others_ms;         /* .. at this time; 0: never */
	uint32_t exported;
	bool is_decided;
};

/* Routes of Weir's in one kernel table, sorted. */
struct kernel_table {
	uint32_t number; /* 0: not read */
	struct addr *addresses;
	size_t n;
};

struct announce_counters {
	uint64_t *tables[3], *changes, *questions, *answers[ANNOUNCE_ANSWER_COUNT], *confirmations,
	        *route_errors;
};

struct announcer {
	struct loop *loop;
	struct model *model; /* in force; NULL: no document yet */
	struct announce_row *rows;
	size_t n_rows;
	struct own_routes *own;
	struct kernel_table kernel[3]; /* by enum announce_table */
	uint64_t kernel_read_ms;
	int route_error; /* of the last route that was added or deleted, or of the last list; 0: none */
	struct daemon *daemon;
	enum daemon_kind daemon_kind;
	char daemon_path[128];
	struct proof *proof;
	struct stats_reader *dns; /* its signs of life */
	uint64_t dataplane_pid;   /* of a DPDK dataplane whose end is watched; 0: none */
	int dataplane_fd;         /* its pidfd, or -1 */
	bool dataplane_dead;      /* it has ended, and no other has begun */
	struct announced_page *page;
	struct stats *stats;
	struct announce_counters counters;
	uint64_t published_ms;
	uint64_t round_ms;             /* of the last round */
	enum announce_command command; /* of people, by the model in force */
	bool stopping;                 /* Weir is being stopped on a node that needs it */
	uint64_t emptied_ms;           /* when weir-mgmt last said that the packets have left */
	uint64_t incarnation;
	char run_dir[4096];
	char node[ANNOUNCE_NODE_MAX];
};

/* --- rows.c --- */

/* Read the kernel's routes of Weir's. @return 0 or -errno, with what was known before */
int rows_read_kernel(struct announcer *a, uint64_t now_ms);
/*
 * Make the rows of @p m, which becomes the model in force. Addresses that stay keep their state;
 * new ones start with what the kernel has. @return 0 or -ENOMEM, with the old model in force
 */
MUST_CHECK int rows_adopt(struct announcer *a, struct model *m, uint64_t now_ms);
/* Delete routes of Weir's that no row has. */
void rows_delete_strays(struct announcer *a);
/* Add or delete the route of @p row as @p moves says. @return whether anything was done */
bool rows_move(struct announcer *a, struct announce_row *row, const struct announce_moves *moves,
               uint64_t now_ms);
void rows_close(struct announcer *a);

/* --- round.c --- */

/* One round: read, decide and move all addresses. @return whether anything changed */
bool round_run(struct announcer *a, uint64_t now_ms);
/* Close what rounds opened. */
void round_close(struct announcer *a);

/* --- published.c --- */

/* Find or make the counters on the stats page. */
void published_find_counters(struct announcer *a);
/* Publish the announce page. */
void published_show(struct announcer *a, uint64_t now_ms);
/* State the conditions of the addresses and of the daemon within a round (weir/condition.h). */
void published_conditions(const struct announcer *a, uint64_t now_ms);
/* Take over hold-downs from the page of an earlier process of this boot. */
void published_restore(struct announcer *a, uint64_t now_ms);

/* --- command.c --- */

/* What weir-mgmt says of other nodes, and of an empty drain, counts for so long. */
#define COMMAND_SAID_MS 2000u

/*
 * Answer one line of the control socket.
 * @param is_heard  the client is weir-mgmt or root; the others are refused
 * @return malloc()ed, for the caller; NULL: no memory
 */
char *command_reply(struct announcer *a, const char *line, size_t length, bool is_heard,
                    uint64_t now_ms);
/* The row of an address in text. @return NULL: it is none, or not configured here */
struct announce_row *command_find_row(const struct announcer *a, const char *text);

/* --- others.c --- */

/* Note who else announces what, as @p request says (announce/command.c). @return the answer */
json_t *others_note(struct announcer *a, const json_t *request, uint64_t now_ms);
/* Whether another node than this one announces the address of @p row. */
enum announce_truth others_announce(const struct announce_row *row, uint64_t now_ms);

/* --- dns_life.c --- */

/* Whether weir-dns answers; no: its process has ended, and none has begun for a while. */
enum announce_truth dns_life_read(struct announcer *a, uint64_t now_ms);

#endif
