/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes, health, events and metrics: what is observed, as it is. Lists come from a look
 * (mgmt/status/look.h), so that ten thousand targets do not hold the lock. A request that waits for
 * an event occupies a thread; so each kind of client has a limit of its own.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/handle.h"
#include "mgmt/status/look.h"
#include "mgmt/core/to_json.h"
#include "mgmt/json/observed.h"

#define EVENTS_WAIT_MAX 30000u /* ms: below the idle timeout of usual proxies */
#define LOOK_EVERY_MS   250u   /* whether the client is still there */

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

static bool nothing_since(const struct core *core, uint64_t since)
{
	return journal_last(intent_journal(core->intent)) <= since;
}

/*
 * Each kind of client has polls of its own, so that none can use up the others': anonymous,
 * tokens, users, root.
 */
static size_t kind_of_client(const struct http_request *r)
{
	if (r->local)
		return r->role >= HTTP_ADMIN ? 3 : 2;
	return strcmp(r->principal, "anonymous") ? 1 : 0;
}

/* Wait for an event while the client waits. Under the lock. @return false: too many wait already */
static bool wait_for_event(struct core *core, const struct http_request *r, uint64_t since,
                           uint64_t until_ms)
{
	size_t *n_polls = &core->n_polls[kind_of_client(r)];
	uint64_t now_ms = clock_mono_ms();

	if (!nothing_since(core, since) || now_ms >= until_ms)
		return true;
	if (*n_polls == HTTP_POLLS_MAX)
		return false;
	++*n_polls;
	for (; nothing_since(core, since) && !http_gone(r) && !core->stopping && now_ms < until_ms;
	     now_ms = clock_mono_ms())
		core_wait(core,
		          now_ms + LOOK_EVERY_MS < until_ms ? now_ms + LOOK_EVERY_MS : until_ms);
	--*n_polls;
	return true;
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
	bool is_refused = !wait_for_event(core, r, since, until_ms);
	uint64_t last = journal_last(j), oldest = journal_oldest(j), id = since + 1;
	if (!http_query(r, "since") && last > limit)
		id = last - limit + 1; /* the newest */
	if (is_refused) {
		http_problem(reply, 503, "busy",
		             "too many requests wait for an event; ask again in a second");
		reply->retry = true;
	} else if (since > 0 && id < oldest) {
		http_problem(reply, 410, "events-lost",
		             "events before %" PRIu64 " are no longer kept", oldest);
	} else {
		for (id = id < oldest ? oldest : id; id <= last && json_array_size(items) < limit;
		     id++)
			json_array_append_new(items, event_to_json(journal_find(j, id)));
		reply->json = json_pack("{s:O, s:I, s:I}", "items", items, "last", (json_int_t)last,
		                        "oldest", (json_int_t)oldest);
		reply->status = 200;
	}
	core_unlock(core);
	json_decref(items);
}

void handle_healthz(struct core *core, struct http_request *r, struct http_reply *reply)
{
	(void)core;
	(void)r;
	reply->text = strdup("ok\n");
	reply->type = "text/plain; charset=utf-8";
	reply->status = 200;
}
