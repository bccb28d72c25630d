/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The process: one loop around the compiler of tables, its driver, next hops, pages and control
 * socket. Implemented in process.c and ctl.c. One thread, the loop's; other threads compile
 * documents and are DPDK's workers.
 */
#ifndef WEIR_DATAPLANE_PROCESS_H
#define WEIR_DATAPLANE_PROCESS_H

#include <limits.h>
#include <net/if.h>

#include "base/loop_job.h"
#include "base/proc.h"
#include "dataplane/leaving.h"
#include "dataplane/scrub.h"
#include "dataplane/nexthop/hop_log.h"
#include "dataplane/state_sync.h"
#include "dataplane/tables/compiled.h"
#include "dataplane/tables/compiler.h"
#include "base/believed.h"

struct ctl;
struct filters;
struct links;
struct page;
struct prepared;
struct probes_filler;
struct prover;
struct publisher;

struct process {
	struct proc_dirs dirs;
	int ready_fd; /**< of a successor (succession.h): where it says that it is ready; 0: none */
	struct prepared *prepared; /**< by it; NULL: nothing, or it was taken */
	uint64_t spent_ms;         /**< since when it cannot open its driver any more; 0: it can */
	pid_t awaited; /**< by it: the process before, whose memory its driver needs; 0: none */
	struct loop *loop;
	struct ctl *ctl;
	struct loop_job *compiling; /**< while it runs, the next two are its thread's */
	struct compiled_source from;
	struct compiled compiled;
	struct hops *hops;
	struct links *links;
	struct filters *filters;
	struct publisher *publisher;
	struct probes_filler *probes;
	struct prover *prover;
	struct leaving leaving;
	struct scrub scrub;
	const struct driver_ops *ops;
	struct driver *driver; /**< NULL until the first document names the cluster */
	struct compiler node;  /**< valid with driver */
	struct state_sync state_sync;
	struct hop_log hop_log;
	struct page *health;
	uint64_t yielded_ns;   /**< when long work looked for verdicts last */
	uint32_t health_epoch; /**< the last epoch whose verdicts are in force */
	size_t macs_left_out; /**< own MAC addresses that the tables have no room for (tables/macs.h) */
	bool is_stopping;     /**< withdraw_and_stop() was called */
	uint64_t withdrawn_ms; /**< when routers got something to see; 0: they did not */
	struct loop_timer tick_timer, second_timer, turn_timer, path_timer;
	struct loop_timer effect_timer, stop_timer;
	uint64_t shown;    /**< number of decisions on the effect page */
	uint64_t shown_ms; /**< when the effect page was last written */
	unsigned seconds;
	struct believed believed;
	char refusal[PLAN_REASON_MAX]; /**< why the last document was refused, or "" */
	/** By position in the model: the port's name, and the last logged result of attaching it. */
	char port_name[DRIVER_PORTS_MAX][IFNAMSIZ];
	char port_reason[DRIVER_PORTS_MAX][DRIVER_REASON_MAX];
	int port_err[DRIVER_PORTS_MAX]; /**< error of the last try; the port is tried again */
	/** Why the driver that is meant is not there, or "". */
	char driver_reason[DRIVER_REASON_MAX];
	/** There is none, and the one that is meant forwards by workers of this process. */
	bool forwards_nothing;
};

/** Serve until a signal says stop. @return 0 or -errno */
int process_run(struct process *p);
/** Answer a line of the control socket (a ctl_handler). */
char *process_answer(void *process, const char *line, size_t length);

#endif
