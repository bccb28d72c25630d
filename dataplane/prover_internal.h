/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Inside the prover; for dataplane/prover*.c alone, on the loop's thread.
 */
#ifndef WEIR_DATAPLANE_PROVER_INTERNAL_H
#define WEIR_DATAPLANE_PROVER_INTERNAL_H

#include <limits.h>

#include "base/loop.h"
#include "dataplane/prover_frame.h"
#include "dataplane/prover_rows.h"

struct page;

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
