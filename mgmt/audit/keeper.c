/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Heads are saved less often than the log is synced: a save writes the whole file, and a peer has a new head a minute.
 */
#include "mgmt/audit/keeper.h"

#include <stdint.h>

#include "base/clock.h"
#include "mgmt/audit/heads.h"
#include "mgmt/audit/log.h"

#define HEADS_MS 30000u /* from save to save */

static void *run_audit_keeper(void *arg)
{
	const struct audit_keeper *k = arg;
	uint64_t saved_ms = 0;

	while (audit_log_await(k->log)) {
		audit_log_work(k->log, false);
		if (clock_mono_ms() < saved_ms + HEADS_MS)
			continue;
		saved_ms = clock_mono_ms();
		(void)audit_heads_save(k->heads); /* a failure shows at the log, on the same disk */
	}
	(void)audit_heads_save(k->heads);
	return NULL;
}

int audit_keeper_start(struct audit_keeper *k, struct audit_log *log, struct audit_heads *heads)
{
	k->log = log;
	k->heads = heads;
	return thread_start(&k->thread, run_audit_keeper, k);
}

/* The thread ends first: closing writes, syncs and signs what is left, as the thread does. */
void audit_keeper_stop(struct audit_keeper *k, struct audit_log *log)
{
	audit_log_end(log);
	thread_join(&k->thread);
	audit_log_close(log);
}
