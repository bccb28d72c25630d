/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Inside the prover; for dataplane/prover*.c alone, on the loop's thread.
 */
#ifndef WEIR_DATAPLANE_PROVER_INTERNAL_H
#define WEIR_DATAPLANE_PROVER_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "base/loop.h"
#include "dataplane/leaving.h"
#include "dataplane/tables/compiler.h"
#include "weir/driver.h"
#include "weir/fwd/user.h"
#include "weir/proof.h"

struct page;

/*
 * Probe packets: choosing a flow of a service, making its frame, and judging what came out of the
 * forwarding code (prover_frame.c). Pure but for the tables, which it only reads.
 */

/** A flow that a service's client could have. */
struct prover_flow {
	struct fwd_tuple tuple;
	uint64_t pool_id;
	uint32_t backend; /**< where its packet was to go when it was chosen; 0: nowhere */
	bool is4;
	/**
	 * Its slot is unsettled, so its packet is an ICMP error about it: that changes nothing, where
	 * a segment or datagram could make an exception.
	 */
	bool is_quoted;
};

enum prover_choice {
	PROVER_CHOICE_NONE, /**< no pool, or each source that a probe could have is an own address */
	PROVER_CHOICE_UNSAFE, /**< only new flows can be forwarded, and would be remembered */
	PROVER_CHOICE_FLOW,
};

/**
 * Choose a flow of @p service, whose pool is element @p pool of @p t: if there is one, a flow in a
 * settled slot whose owner can be sent to; else one in an unsettled slot whose base can. A flow
 * that is not forwarded is chosen only if there is no other. @param start  another number, other
 * flows
 */
enum prover_choice prover_flow_choose(const struct fwd_tables *t, const struct fwd_service *service,
                                      uint32_t pool, uint32_t start, struct prover_flow *out);
/** Write the flow's packet in a frame to the port's address @p mac. */
void prover_frame_make(const struct prover_flow *f, const uint8_t mac[6], struct driver_probe *out);
/**
 * Whether @p to, which the code wants to send, is what it must make of @p from: the packet with one
 * hop less, in a tunnel (mode l2: in a frame) to a backend of the flow's pool.
 */
bool prover_frame_is_forwarded(const struct fwd_tables *t, const struct prover_flow *f,
                               const struct driver_probe *from, const struct driver_probe *to);

/*
 * What is to be proved by a document (prover_rows.c): a row for each address of the own site's VIPs,
 * with the services there, and what the compiler knows of their pools. Probe packets are for the VIPs
 * that the node announces; of the others only the services are counted.
 */

struct prover_row {
	struct proof_vip shown;
	uint64_t due_ms;      /**< when the next probe packet is due */
	uint64_t fingerprint; /**< of its pools, as last read */
	uint64_t services;    /**< a digest of its services, their ports and pools */
	uint32_t first, n;    /**< its services: in prover_rows.entries */
	uint32_t n_probes;    /**< counts, so that services and flows take turns */
	uint8_t refusals;     /**< in a row */
	bool is_announced;    /**< the node announces it: it gets probe packets */
	bool is_urgent;       /**< something changed: before the others */
	bool is_blocked;      /**< nothing leaves by any port to its backends */
};

/** What is known of a pool, by its index in plan.pools. */
struct prover_pool {
	uint64_t fingerprint; /**< changes with the backends that are to be given packets */
	bool is_serving;      /**< it has such a backend */
	bool is_reachable;    /**< it has one with a known next hop */
	bool is_sending;      /**< and packets to it leave, or nothing else is known */
};

struct prover_rows {
	struct prover_row *rows; /**< sorted as on the page */
	size_t n, n_announced;
	/** Of the plan, by address: valid while it is in force. */
	const struct plan_entry **entries;
	size_t n_entries;
	struct prover_pool *pools;
	size_t n_pools;
};

/**
 * Make the rows of the document in force in @p n; each is urgent. What @p before knows of a row
 * with the same services stays.
 * @param stays  false: nothing of a row stays proved, because another driver forwards now
 * @return 0 or -ENOMEM, then @p out is empty
 */
int prover_rows_make(const struct compiler *n, const struct prover_rows *before, bool stays,
                     uint64_t now_ms, struct prover_rows *out) MUST_CHECK NONNULL();
/** Free what is in @p rows, and make it empty. */
void prover_rows_free(struct prover_rows *rows) NONNULL();
/**
 * Read the pools of @p n, whose document the rows are of. A row whose pools have changed is urgent.
 * @param node  its hops_needed and hops_known are set
 * @return whether a figure of a row changed
 */
bool prover_rows_read_pools(struct prover_rows *rows, const struct compiler *n,
                            const struct leaving *leaving, struct proof_node *node) NONNULL();

/* --- the prover itself --- */

/** A worker is late after so long, in which the loop turned so often: nothing is proved now. */
#define PROVER_LATE_MS    1000u
#define PROVER_LATE_TURNS 5u
/**
 * A worker stands still: a process that is stopped and continued has few turns in this time, so
 * only a worker that does not run while the loop does is found by it.
 */
#define PROVER_STALLED_MS    3000u
#define PROVER_STALLED_TURNS 20u
/** So many refusals in a row make an address refused: one may meet a change in the middle. */
#define PROVER_REFUSALS 2u

/** A port by which probe packets can come in. */
struct prover_port {
	uint32_t ifindex;
	uint8_t mac[6];
	int err;                 /* of its last batch; 0: it was run */
	uint64_t pause_until_ms; /* after a failure no batch comes in by it before */
};

/** A probe packet under way. */
struct prover_probe {
	size_t row;
	struct prover_flow flow;
	struct driver_probe sent;
};

struct prover {
	struct process *process;
	struct loop_timer turn;
	struct page *page; /* NULL: it could not be made yet */
	uint32_t max_vips;
	bool is_page_failed; /* logged already */
	struct proof_node node;
	struct prover_rows rows;
	/* What the rows are of. */
	const struct plan *plan;
	const struct driver *driver;
	uint64_t document, decisions;
	uint64_t pools_ms, ports_ms, written_ms;
	bool is_changed; /* a fact: readers are to be woken */
	struct prover_port ports[PROOF_PORTS_MAX];
	size_t n_ports, next_port;
	size_t cursor, urgent_cursor; /* in rows: where the next due or urgent one is looked for */
	struct driver_probes batch;   /* n 0: none is under way */
	struct prover_probe probes[DRIVER_PROBES_MAX];
	uint64_t number;       /* of the last batch */
	uint64_t submitted_ms; /* when a worker got the batch; 0: none has it */
	uint32_t turns;        /* since then */
	bool is_stalled;
};

/**
 * Read the document's ports back: interfaces, and what the driver has on them. Rows are urgent if
 * something changed.
 */
void prover_read_ports(struct prover *r, uint64_t now_ms);
/** Ask for the batch that is under way, if one is. */
void prover_collect_batch(struct prover *r, uint64_t now_ms);
/** Run the next batch, unless one is under way. The rows must be of the document in force. */
void prover_run_batch(struct prover *r, uint64_t now_ms);
/** Give up the batch that is under way: its driver is gone. */
void prover_drop_batch(struct prover *r);

#endif
