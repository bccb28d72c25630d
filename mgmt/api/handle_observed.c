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

/* The answer to GET /v1/node. */
#define STORE_ROWS(X, t) X(t, const char *, state) X(t, const char *, detail)
RECORD_SHOWN(node_store, "store", STORE_ROWS);
#define NODE_ROWS(X, t)                                                                            \
	X(t, const char *, node)                                                                   \
	X(t, const char *, site, .or_null = true)                                                  \
	X(t, const char *, cluster, .or_null = true)                                               \
	X(t, const char *, release)                                                                \
	X(t, struct node_store, store, .of = &node_store_kind)                                     \
	X(t, uint64_t, uptime_ms)
RECORD_ANSWER(node_shown, "node", NODE_ROWS);

void handle_node(struct core *core, struct http_request *r, struct http_reply *reply)
{
	(void)r;
	core_lock(core);
	const struct model *m = intent_model(core->intent);
	const struct node_shown answer = { .node = core->dirs.node,
		                           .site = m && m->self ? m->self->site->name : NULL,
		                           .cluster = m ? m->cluster : NULL,
		                           .release = WEIR_RELEASE,
		                           .store = { intent_store_state(core->intent),
		                                      intent_store_reason(core->intent) },
		                           .uptime_ms = clock_mono_ms() - core->started_ms };
	reply->json = record_shown(&node_shown_kind, &answer);
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

/* The answer to GET /v1/events. */
#define EVENTS_ROWS(X, t)                                                                          \
	X(t, json_t *, items, .each = &event_record) X(t, uint64_t, last) X(t, uint64_t, oldest)
RECORD_ANSWER(events_answer, "events", EVENTS_ROWS);

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
			json_array_append_new(items,
			                      record_shown(&event_record, journal_find(j, id)));
		reply->json = SHOWN(events_answer, json_incref(items), last, oldest);
		reply->status = 200;
	}
	core_unlock(core);
	json_decref(items);
	if (!may_go_on) {
		http_problem(reply, 503, "busy",
		             "too many requests wait for events; ask again in a second");
		reply->retry_s = 1;
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
