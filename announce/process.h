/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of weir-announce: its addresses, the kernel's routes and what it reads from. Loop's
 * thread only. intended.c says what a document asks for, rows.c has the table of addresses and moves them, kernel.c reads and cleans the
 * kernel's tables, watch.c watches the process that drives DPDK, dns_life.c looks at weir-dns, left.c
 * has what an earlier process left, round.c decides, published.c shows, command.c and others.c answer
 * the control socket, serve.c has the loop, main.c the process.
 */
#ifndef ANNOUNCE_PROCESS_H
#define ANNOUNCE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "announce/daemon.h"
#include "announce/decide.h"
#include "announce/evidence.h"
#include "base/addr.h"
#include "base/checked.h"
#include "base/loop.h"
#include "weir/life.h"

struct announced_address;
struct announced_page;
struct model;
struct model_node;
struct model_vip;
struct own_routes;
struct stats;
struct stats_reader;

/*
 * When something that failed is tried again: ever later, so that what the kernel refuses for ever
 * costs nothing. Pure: times are passed in (ms since boot). Zeroed: nothing has failed.
 */
struct retry {
	int err;          /* of the last try; 0: it went well */
	uint32_t wait_ms; /* after it */
	uint64_t at_ms;   /* of the next try */
};

static inline bool retry_is_due(const struct retry *r, uint64_t now_ms)
{
	return now_ms >= r->at_ms;
}

/* Note how a try ended: @p err, or 0. The first wait is @p first_ms, and it doubles to @p most_ms. */
static inline void retry_note(struct retry *r, int err, uint32_t first_ms, uint32_t most_ms,
                              uint64_t now_ms)
{
	uint32_t wait_ms = r->err ? r->wait_ms * 2 : first_ms;

	if (wait_ms > most_ms)
		wait_ms = most_ms;
	*r = (struct retry){ 0 };
	if (err)
		*r = (struct retry){ .err = err, .wait_ms = wait_ms, .at_ms = now_ms + wait_ms };
}

/* An address that a document makes this node announce: of a VIP, or of DNS; and what people demand of it. */
struct intended {
	struct addr address;        /* first: sorted by it */
	const char *vip;            /* its name, the model's; NULL: an address of DNS */
	const struct model_vip *of; /* the VIP itself, the model's; NULL likewise */
	uint64_t vip_hash;          /* hash_text() of it; 0 for DNS */
	bool needs_all;             /* vips[].announce_when = "all" */
	bool is_shared;             /* the document makes another node announce it as well */
	/*
	 * A drain of the node withdraws it without a confirmation: by the document no other node could take
	 * it over, and none need. Resolvers have other servers than an address of DNS; the VIP's sites are
	 * drained, and no earlier answer leads to it.
	 */
	bool leaves_unconfirmed;
	enum announce_command command; /* announce_command_of() */
};

/* A change of one table that the kernel refused. */
struct refused_change {
	struct retry retry;
	enum announce_move move; /* of which it is; another one is tried at once */
};

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
	/* whether another node announces it, as weir-mgmt said at others_ms (0: never) */
	enum announce_truth others;
	uint64_t others_ms;
	uint64_t read_ms; /* when the daemon last said something about it; 0: unknown */
	/* when its route was found to be gone; 0: it was not, or is there again */
	uint64_t lost_ms;
	struct refused_change refused[3]; /* by enum announce_table */
	uint32_t exported;
	bool is_decided;
	bool is_found; /* its routes were read, so that state and in_kernel are of the kernel */
	bool is_lost;  /* its route is gone, and it is not judged yet whether that is a failure */
	bool is_left;  /* the new table refused its route, which a former table still has */
};

/* Weir's routes in one kernel table, sorted, as they were read last. */
struct kernel_table {
	uint32_t number; /* of the document in force, or of an earlier process; 0: not known yet */
	struct addr *addresses;
	size_t n;
	size_t n_swept; /* of them: those that kernel_sweep() has looked at */
	bool is_read;   /* the table of this number was read at least once */
	bool is_whole;  /* the last read went well: what is not in the list is not in the table */
};

#define FORMER_TABLES_MAX 8u /* of several documents, while the kernel refuses to delete routes */

/* The present process of weir-dns. */
struct dns_life {
	uint64_t pid;      /* 0: none was seen yet */
	uint64_t since_ms; /* when it was seen first */
	unsigned n_ends;   /* processes before it that ended soon, one after the other */
	struct life_watch watch;
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
	int list_error;             /* of the last read of the tables; 0: none */
	struct retry sweep, forget; /* of routes that no address has; of former tables */
	unsigned n_refused;         /* routes that the kernel refused to add in this round */
	/* numbers of tables that no document names any more, and that are not empty yet */
	uint32_t former[FORMER_TABLES_MAX];
	size_t n_former;
	struct announced_address *left; /* what an earlier process published, by address; or NULL */
	size_t n_left;
	/* a failure without a document: all that was left is to be withdrawn; it is */
	bool left_failed, left_withdrawn;
	struct daemon *daemon;
	enum daemon_kind daemon_kind;
	char daemon_path[128];
	int daemon_error; /* why no daemon is followed, although the document names one; 0: it is */
	struct proof *proof;
	struct stats_reader *dns; /* its signs of life */
	struct dns_life dns_life;
	uint64_t dataplane_pid; /* of a DPDK dataplane whose end is watched; 0: none */
	int dataplane_fd;       /* its pidfd, or -1 */
	int dataplane_error;    /* why its end could not be seen; 0: it can */
	bool dataplane_dead;    /* it has ended, and no other has begun */
	bool dataplane_unsure; /* it was silent when it was seen first, and could not be asked yet */
	/* what is to be done at its end: round_publish() */
	void (*act)(struct announcer *a, uint64_t now_ms);
	struct announced_page *page;
	struct stats *stats;
	struct announce_counters counters;
	uint64_t published_ms;
	uint64_t round_ms;   /* of the last round */
	bool stopping;       /* Weir is being stopped on a node that needs it */
	uint64_t emptied_ms; /* when weir-mgmt last said that the packets have left */
	uint64_t incarnation;
	char run_dir[4096];
	char node[ANNOUNCE_NODE_MAX];
};

/* --- intended.c: pure, any thread --- */

/*
 * List them, sorted by address, each once; none without a daemon.
 * @param out  [n_max], borrows names from @p m
 * @return how many there are; those that do not fit are left out
 */
size_t intended_list(const struct model *m, struct intended *out, size_t n_max);
/* Whether the document makes @p node announce the address @p it; @p node is of the same model. */
bool intended_by(const struct model_node *node, const struct intended *it);
/*
 * What people and operations demand by the document: of the model's own node for VIP @p vip (its model's);
 * NULL: for an address of DNS.
 */
enum announce_command announce_command_of(const struct model *m, const struct model_vip *vip);

/* --- kernel.c --- */

/* What deletes Weir's routes by hand: without -6, ip(8) leaves those of IPv6. */
#define OWN_ROUTES_FLUSH                                                                           \
	"ip -4 route flush table NUMBER proto 177; ip -6 route flush table NUMBER proto 177"

/* The row of @p address, or NULL. */
struct announce_row *kernel_find_row(const struct announcer *a, const struct addr *address);
/* Start @p row from its routes, as an earlier process left it. */
void kernel_begin_row(struct announcer *a, struct announce_row *row, uint64_t now_ms);
#define KERNEL_READ_MS 1000u /* ms between two looks at the kernel's routes */
/*
 * Read Weir's routes in both tables, and note them in the rows. Rows that were not found yet start
 * with what is there. @return 0 or -errno: what was known of the rows stays
 */
int kernel_read(struct announcer *a, uint64_t now_ms);
/* Delete routes of both tables that no row has, some in each call, and those of former tables. */
void kernel_sweep(struct announcer *a, uint64_t now_ms);
/*
 * From now on use the tables of these numbers. Routes of the rows go along at once; the tables that
 * are not used any more are emptied by kernel_sweep(), once the new ones have all that is announced.
 */
void kernel_use_tables(struct announcer *a, uint32_t normal, uint32_t shutdown, uint64_t now_ms);
/* Delete all of Weir's routes in both tables; where they are not known, in the usual ones. @return 0 or -errno */
int kernel_withdraw_all(struct announcer *a, uint64_t now_ms);

/* --- rows.c --- */

/*
 * Make the rows of @p m, which becomes the model in force. Addresses that stay keep their state;
 * new ones start with what the kernel has. @return 0 or -ENOMEM, with the old model in force
 */
MUST_CHECK int rows_adopt(struct announcer *a, struct model *m, uint64_t now_ms);
/* Add or delete the route of @p row as @p moves says. @return whether anything was done */
bool rows_move(struct announcer *a, struct announce_row *row, const struct announce_moves *moves,
               uint64_t now_ms);
void rows_close(struct announcer *a);

/* --- watch.c --- */

/*
 * Follow the process whose page says @p n: a DPDK dataplane is watched. a->dataplane_dead is true
 * from its end, also if that was missed, until another page is seen.
 */
void watch_dataplane(struct announcer *a, const struct proof_node *n, uint64_t now_ms);
void watch_close(struct announcer *a);

/* --- round.c --- */

/*
 * One round: read, decide and move all addresses; publish what changed, or what was published half a
 * second ago.
 */
void round_publish(struct announcer *a, uint64_t now_ms);
/* Close what rounds opened. */
void round_close(struct announcer *a);

/* --- published.c --- */

/* Find or make the counters on the stats page. */
void published_find_counters(struct announcer *a);
/* Publish the announce page. */
void published_show(struct announcer *a, uint64_t now_ms);
/* State the conditions of the addresses and of the daemon within a round (weir/condition.h). */
void published_conditions(const struct announcer *a, uint64_t now_ms);
/* --- left.c --- */

/*
 * Read what an earlier process of this boot has left on the page: its tables and hold-downs. To be
 * called before anything is published.
 */
void left_read(struct announcer *a);
/* Go on with the hold-down of @p row, if an earlier process left one. */
void left_restore(struct announcer *a, struct announce_row *row, uint64_t now_ms);
/* All that an earlier process announced is withdrawn because of a failure: hold-downs follow. */
void left_fail(struct announcer *a, uint64_t now_ms);

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

/* --- others.c --- */

/* Note who else announces what, as @p request says (announce/command.c). @return the answer */
json_t *others_note(struct announcer *a, const json_t *request, uint64_t now_ms);
/* Whether another node than this one announces the address of @p row. */
enum announce_truth others_announce(const struct announce_row *row, uint64_t now_ms);

/* --- dns_life.c --- */

/* Whether weir-dns answers; no: its process has ended, and none has begun for a while, or each ends soon. */
enum announce_truth dns_life_read(struct announcer *a, uint64_t now_ms);
/* Whether the present weir-dns says that it serves @p address by UDP and TCP; after dns_life_read(). */
enum announce_truth dns_life_holds(const struct announcer *a, const struct addr *address,
                                   uint64_t now_ms);

#endif
