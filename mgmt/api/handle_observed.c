/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes, health, events and metrics: what is observed, as it is. Lists come from a look
 * (mgmt/status/look.h), so that ten thousand targets do not hold the lock.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/poll.h"
#include "mgmt/status/look.h"
#include "mgmt/core/to_json.h"
#include "mgmt/json/observed.h"

#define EVENTS_WAIT_MAX 30000u /* ms: below the idle timeout of usual proxies */

void handle_node(struct core *core, struct http_request *r, struct http_reply *reply)
{
	(void)r;
	core_lock(core);
	const struct model *m = intent_model(core->intent);
	reply->json =
	        json_pack("{s:s, s:o, s:o, s:s, s:{s:s, s:s}, s:I}", "node", core->dirs.node,
	                  "site", m && m->self ? json_string(m->self->site->name) : json_null(),
	                  "cluster", m ? json_string(m->cluster) : json_null(), "release",
	                  WEIR_RELEASE, "store", "state", intent_store_state(core->intent),
	                  "detail", intent_store_reason(core->intent), "uptime_ms",
	                  (json_int_t)(clock_mono_ms() - core->started_ms));
	core_unlock(core);
	reply->status = 200;
}

void handle_processes(struct core *core, struct http_request *r, struct http_reply *reply)
{
	uint64_t limit;

	if (!handle_limit(r, &limit, reply))
		return;
	struct look *l = calloc(1, sizeof(*l));

	if (!l || look_init(core, l))
		http_problem(reply, 503, "busy", "out of memory");
	else
		handle_list(observed_processes_json(l->processes, true), limit, reply);
	if (l)
		look_fini(l);
	free(l);
}

void handle_peers(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const struct peers_report *reports;
	uint64_t limit;

	if (!handle_limit(r, &limit, reply))
		return;
	core_lock(core);
	size_t n = peers_report(core, &reports);
	handle_list(handle_peers_json(reports, n), limit, reply);
	core_unlock(core);
}

void handle_health(struct core *core, struct http_request *r, struct http_reply *reply)
{
	uint64_t limit;

	if (!handle_limit(r, &limit, reply))
		return;
	struct look *l = calloc(1, sizeof(*l));
	bool failed = !l || look_init(core, l);
	json_t *items =
	        !failed && l->m ? observed_targets_json(l->m, &l->pages, true) : json_array();
	if (l)
		look_fini(l);
	free(l);
	handle_list(items, limit, reply);
	if (failed) /* an empty list would say that nothing is checked */
		http_problem(reply, 503, "busy", "out of memory");
}

static bool has_no_event(struct core *core, const void *since)
{
	return journal_last(intent_journal(core->intent)) <= *(const uint64_t *)since;
}

void handle_events(struct core *core, struct http_request *r, struct http_reply *reply)
{
	uint64_t since, limit, wait_ms, until_ms;
	json_t *items = json_array();

	if (!handle_number(r, "since", 0, INT64_MAX, 0, &since, reply) ||
	    !handle_number(r, "limit", 1, 1000, 100, &limit, reply) ||
	    !handle_number(r, "wait_ms", 0, EVENTS_WAIT_MAX, 0, &wait_ms, reply)) {
		json_decref(items);
		return;
	}
	until_ms = clock_mono_ms() + wait_ms;
	core_lock(core);
	const struct journal *j = intent_journal(core->intent);
	bool may_go_on = poll_wait(core, r, until_ms, &core->event_polls, HTTP_POLLS_MAX,
	                           has_no_event, &since);
	uint64_t last = journal_last(j), oldest = journal_oldest(j), id = since + 1;
	if (!http_query(r, "since") && last > limit)
		id = last - limit + 1; /* the newest */
	if (may_go_on && since > 0 && id < oldest) {
		http_problem(reply, 410, "events-lost",
		             "events before %" PRIu64 " are no longer kept", oldest);
	} else if (may_go_on) {
		for (id = id < oldest ? oldest : id; id <= last && json_array_size(items) < limit;
		     id++)
			json_array_append_new(items, event_to_json(journal_find(j, id)));
		reply->json = json_pack("{s:O, s:I, s:I}", "items", items, "last", (json_int_t)last,
		                        "oldest", (json_int_t)oldest);
		reply->status = 200;
	}
	core_unlock(core);
	json_decref(items);
	if (!may_go_on) {
		http_problem(reply, 503, "busy",
		             "too many requests wait for events; ask again in a second");
		reply->retry = true;
	}
}

void handle_healthz(struct core *core, struct http_request *r, struct http_reply *reply)
{
	(void)core;
	(void)r;
	reply->text = strdup("ok\n");
	reply->type = "text/plain; charset=utf-8";
	reply->status = 200;
}
