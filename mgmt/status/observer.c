/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/status/observer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mgmt/sync/inforce_judge.h"
#include "mgmt/observe/node_drain.h"
#include "mgmt/observe/observe.h"
#include "mgmt/peers/peers.h"
#include "mgmt/status/facts.h"
#include "mgmt/status/look.h"
#include "mgmt/status/state.h"

#define EVERY_MS 500u /* between two looks */

/* Look at the pages without the lock: there may be ten thousand targets. */
static void look_at_pages(struct core *core)
{
	struct observe_pages pages;

	core_lock(core);
	struct intent_shared *shared = intent_share(core->intent);
	core_unlock(core);
	observe_open(core->dirs.run, &pages);
	if (shared) {
		observe_look_at(core, intent_shared_model(shared), &pages);
		quiet_vips_look(core, intent_shared_model(shared));
		node_drain_look(core, intent_shared_model(shared));
	}
	observe_close(&pages);
	intent_unshare(shared);
}

/* Look and judge without the lock; what cannot be judged changes nothing. */
static void follow_state(struct core *core)
{
	struct look *l = calloc(1, sizeof(*l));
	struct judge_verdict *now = calloc(1, sizeof(*now));
	uint64_t began_ms = clock_mono_ms();

	bool judged = l && now && !look_init(core, l) && !facts_judge(l, now);
	if (judged) {
		core_lock(core);
		state_follow(core, l, began_ms, now);
		core_unlock(core);
	}
	if (l)
		look_fini(l);
	free(l);
	free(now);
}

enum override_left observer_node_left(const struct core *core, const char *name)
{
	const struct node_drain own = node_drain_copy(core);
	const struct peers_report *reports;
	size_t n = core->peers ? peers_report(core, &reports) : 0;
	const struct peers_report *v = n ? peers_find(reports, n, name) : NULL;
	bool is_heard = v && v->state != PEERS_UNREACHABLE && v->state != PEERS_UNASKED;
	const char *state = !strcmp(name, core->dirs.node) ? node_drain_state(&own)
	                    : is_heard                     ? v->drain
	                                                   : "";

	if (!*state || rule_is(NODE_IS_UNKNOWN, state))
		return OVERRIDE_LEFT_UNKNOWN;
	return rule_is(NODE_IS_DRAINED, state) ? OVERRIDE_LEFT : OVERRIDE_LEAVING;
}

static enum override_left left_of(void *core, const char *node)
{
	return observer_node_left(core, node);
}

void observer_note_nodes(struct core *core)
{
	intent_note_nodes(core->intent, left_of, core);
}

/* What may take long is done without the lock. */
static uint64_t observe_once(void *arg)
{
	struct core *core = arg;
	uint64_t next_ms = clock_mono_ms() + EVERY_MS;

	core_unlock(core);
	observe_query_dns(core);
	observe_measure_dns(core);
	observe_look_at_signs(core);
	observe_sample_flows(core);
	look_at_pages(core);
	follow_state(core);
	core_lock(core);
	observe_note_processes(core);
	observer_note_nodes(core);
	inforce_judge(core);
	return next_ms;
}

static void *run_observer(void *core)
{
	core_run_rounds(core, observe_once, core, EVERY_MS);
	return NULL;
}

void observer_open(struct core *core)
{
	core->observer = MEMORY_NEW(struct observer);
	observe_begin(core);
	state_open(core);
}

int observer_start(struct core *core)
{
	return thread_start(&core->observer->thread, run_observer, core);
}

void observer_stop(struct core *core)
{
	if (!core->observer)
		return;
	thread_join(&core->observer->thread);
	observe_end(core);
	free(core->observer);
	core->observer = NULL;
	state_close(core);
}
