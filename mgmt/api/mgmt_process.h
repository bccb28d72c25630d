/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * weir-mgmt without its arguments and its rights, which are main.c's: all that it opens, its threads, and the main thread's
 * loop.
 *
 * Implemented in mgmt/api/mgmt_process.c; the main thread calls.
 */
#ifndef WEIR_MGMT_API_MGMT_PROCESS_H
#define WEIR_MGMT_API_MGMT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "base/loop.h"
#include "mgmt/audit/keeper.h"
#include "mgmt/core/core.h"
#include "mgmt/http/http.h"
#include "mgmt/store/pending.h"
#include "mgmt/store/store.h"

struct ctl;
struct member_expiry;

/** Zeroed at the start, but for core.dirs. */
struct mgmt_process {
	struct core core;
	struct loop *loop;
	struct loop_timer tick;
	struct pending_clock clock; /**< of this boot */
	/** the version that is on record as in force; number 0: none since the start */
	struct version in_force;
	uint64_t document; /**< by which its surroundings were looked at last */
	uint64_t said_ms,
	        looked_ms; /**< when it showed what it is, and looked at its surroundings, last */
	struct audit_keeper audit;
	struct ctl *ctl;
	struct http_server *local, *tcp;
	struct member_expiry *expiry;
	bool local_lost; /**< its file is gone and could not be made again: said once */
	char api[256];   /**< that is served over TCP */
	uint64_t tcp_retry_ms;
	bool tcp_failed; /**< said once */
};

/** Open all and start the threads. @return 0; -EBUSY: another weir-mgmt runs here; or -errno: mgmt_process_close() is to follow */
int mgmt_process_open(struct mgmt_process *p) MUST_CHECK;
/** Run until SIGTERM or SIGINT. @return 0 or -errno */
int mgmt_process_run(struct mgmt_process *p) MUST_CHECK;
/** End the threads and close all that is open. */
void mgmt_process_close(struct mgmt_process *p);

#endif
