/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What another configuration would have done to the clients that this node observed lately (mgmt/rules/what_if.h): a plan's files,
 * checked as a plan's, with what was observed in place of all clients that there may be.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "mgmt/api/audit_request.h"
#include "mgmt/api/change/handle_config.h"
#include "mgmt/api/change/handle_scope.h"
#include "mgmt/api/handle.h"
#include "mgmt/audit/log.h"
#include "mgmt/judge/observed.h"
#include "mgmt/observe/flow_samples.h"
#include "mgmt/observe/observe.h"
#include "mgmt/rules/what_if.h"
#include "weir/when.h"

#define ARENA_BYTES   ((size_t)256 << 20) /* a limit, as of a plan */
#define SINCE_MOST_MS ((int64_t)FLOW_SAMPLES_KEPT * FLOW_SAMPLES_EVERY_MS)

#define WHAT_IF_BODY_ROWS(X, t)                                                                    \
	FILES_ROW(X, t)                                                                            \
	X(t, const char *, since, .most = 32, .spare = true, .pattern = "^-([0-9]+(m|s|ms))+$",    \
	  .example = "-10m|-90s")                                                                  \
	X(t, bool, show_clients, .spare = true)
RECORD_ANSWER(what_if_body, "files", WHAT_IF_BODY_ROWS);

/* --- the answer --- */

#define PART_ROWS(type, part)                                                                      \
	SHOW_AS(type, "all", part.all), SHOW_AS(type, "moved_ppm", part.moved_ppm),                \
	        SHOW_AS(type, "lost_ppm", part.lost_ppm)
static const struct record_kind name_shown =
        RECORD_OF(struct what_if_name, "name", NULL, SHOW(struct what_if_name, name),
                  PART_ROWS(struct what_if_name, queries),
                  SHOW_RECORDS(struct what_if_name, "sites", sites, n_sites, &share_shown));
static const struct record_kind queries_shown = RECORD_OF(
        struct what_if, "queries", NULL, SHOW_AS(struct what_if, "covered_s", queries_covered_s),
        PART_ROWS(struct what_if, queries), SHOW_AS(struct what_if, "elsewhere", queries_elsewhere),
        SHOW_RECORDS(struct what_if, "names", names, n_names, &name_shown));
static const struct record_kind service_shown =
        RECORD_OF(struct what_if_service, "service", NULL, SHOW(struct what_if_service, service),
                  SHOW(struct what_if_service, pool), PART_ROWS(struct what_if_service, flows),
                  SHOW_AS(struct what_if_service, "pool_ppm", flows.pool_ppm));
static const struct record_kind flows_shown = RECORD_OF(
        struct what_if, "flows", NULL, SHOW_AS(struct what_if, "covered_s", flows_covered_s),
        PART_ROWS(struct what_if, flows), SHOW_AS(struct what_if, "pool_ppm", flows.pool_ppm),
        SHOW_RECORDS(struct what_if, "services", services, n_services, &service_shown));
static const struct record_kind client_shown = RECORD_OF(
        struct what_if_client, "prefix of clients", NULL, SHOW(struct what_if_client, prefix),
        SHOW(struct what_if_client, name), SHOW(struct what_if_client, queries),
        SHOW(struct what_if_client, from, .or_null = true),
        SHOW(struct what_if_client, to, .or_null = true));

struct what_if_answer {
	const char *node;
	bool changed;
	const struct what_if *queries, *flows; /* NULL: not known */
	size_t n_clients, n_listed;
	const struct what_if_client *clients;
	bool are_listed;
};
const struct record_kind what_if_answer_kind =
        RECORD_OF(struct what_if_answer, "what if", NULL, SHOW(struct what_if_answer, node),
                  SHOW(struct what_if_answer, changed),
                  SHOW(struct what_if_answer, queries, .of = &queries_shown, .behind = true),
                  SHOW(struct what_if_answer, flows, .of = &flows_shown, .behind = true),
                  SHOW(struct what_if_answer, n_clients),
                  SHOW_RECORDS(struct what_if_answer, "clients", clients, n_listed, &client_shown,
                               ONLY_IF(struct what_if_answer, are_listed)));

/* --- what was observed --- */

/* All that goes into the comparison. */
struct looked {
	struct steer_keys *keys;
	struct measure_source *flows;
	size_t n_flows, minutes;
	struct what_if_site *sites;
	size_t n_sites;
};

static void end_look(struct looked *l)
{
	steer_keys_free(l->keys);
	free(l->flows);
	free(l->sites);
}

/* Names are copied: overrides may change as soon as the lock is given up. */
static struct what_if_site *add_site(struct looked *l, const char *site, const char *service)
{
	struct what_if_site *s = &l->sites[l->n_sites++];

	snprintf(s->site, sizeof(s->site), "%s", site);
	snprintf(s->service, sizeof(s->service), "%s", service);
	return s;
}

/* A site that all checks of this node see down. */
static void add_down(const struct core *core, const struct model *m, struct looked *l)
{
	struct observe_pages pages;

	observe_open_health(core->dirs.run, &pages);
	for (size_t i = 0; pages.health_fresh && i < m->n_sites; i++) {
		struct gather_site at;

		gather_site(m, pages.health, &m->sites[i], &at);
		if (at.n && at.down == at.n)
			add_site(l, m->sites[i].name, "")->is_out = true;
	}
	observe_close(&pages);
}

/* What persons have taken out, in whole or in part. */
static void add_commanded(const struct core *core, struct looked *l)
{
	const struct overrides *overrides = intent_overrides(core->intent);
	int64_t now_ms = clock_believed_ms();

	for (size_t i = 0; i < overrides->n_items; i++) {
		const struct override *o = &overrides->items[i];
		bool is_drain = o->kind == MODEL_OVERRIDE_DRAIN;

		if (o->target != MODEL_TARGET_SITE || o->from_ms > now_ms ||
		    (!is_drain && o->kind != MODEL_OVERRIDE_DISABLE) ||
		    overrides_is_over(overrides, o, now_ms))
			continue;
		struct what_if_site *s = add_site(l, o->name, o->service);

		s->drained_ppm = is_drain ? overrides_level(overrides, o, now_ms) : 0;
		s->is_out = !is_drain;
	}
}

/* Under the lock. @return false: out of memory */
static bool look_at_all(const struct core *core, const struct model *m, uint64_t since_ms,
                        struct looked *l)
{
	size_t most = intent_overrides(core->intent)->n_items + m->n_sites + 1;

	*l = (struct looked){ .sites = calloc(most, sizeof(*l->sites)),
		              .flows = calloc(FLOW_SAMPLES_MOST, sizeof(*l->flows)) };
	if (!l->sites || !l->flows)
		return false;
	l->n_flows =
	        flow_samples_since(observe_flow_samples(core), since_ms, l->flows, &l->minutes);
	if (steer_keys_read(core->dirs.run, clock_mono_ms(), &l->keys))
		l->keys = NULL;
	add_down(core, m, l);
	add_commanded(core, l);
	return true;
}

/* --- the request --- */

/* Under the lock, which others have meanwhile: thousands of keys choose. @return given; NULL when out of memory */
static json_t *make_answer(struct core *core, const struct intent_candidate *candidate,
                           uint64_t since_ms, bool show_clients)
{
	struct arena *arena = arena_new(ARENA_BYTES);
	json_t *answer = NULL;
	struct looked l = { .sites = NULL };
	struct what_if w;

	if (!arena)
		return NULL;
	/* without a hash key nobody knows who goes where */
	bool has_keys = candidate->head->key_state != MODEL_KEY_NONE &&
	                candidate->model->key_state != MODEL_KEY_NONE;
	bool is_known = look_at_all(core, candidate->head, since_ms, &l);
	const struct what_if_observed observed = {
		.keys = has_keys ? l.keys : NULL,
		.flows = has_keys && l.minutes ? l.flows : NULL,
		.n_flows = l.n_flows,
		.flows_covered_s = (uint32_t)(l.minutes * FLOW_SAMPLES_EVERY_MS / 1000),
		.sites = l.sites,
		.n_sites = l.n_sites,
	};
	core_unlock(core);
	if (is_known && !what_if_make(candidate->head, candidate->model, &observed, arena, &w)) {
		const struct what_if_answer shown = {
			.node = core->dirs.node,
			.changed = candidate->plan.n_changes > 0,
			.queries = w.queries_known ? &w : NULL,
			.flows = w.flows_known ? &w : NULL,
			.n_clients = w.n_clients_all,
			.n_listed = w.n_clients,
			.clients = w.clients,
			.are_listed = show_clients,
		};

		answer = record_shown(&what_if_answer_kind, &shown);
	}
	end_look(&l);
	arena_free(arena);
	core_lock(core);
	return answer;
}

/* "-10m". @param since_ms  out: monotonic */
static void read_since(struct field_reader *f, const char *text, uint64_t *since_ms)
{
	int64_t ms = SINCE_MOST_MS;
	uint64_t now_ms = clock_mono_ms();

	if (text && (*text != '-' || when_duration(text + 1, &ms) || ms <= 0 || ms > SINCE_MOST_MS))
		field_refuse(f, "since", "expected a time of the last 15 minutes, as -10m");
	*since_ms = now_ms > (uint64_t)ms ? now_ms - (uint64_t)ms : 0;
}

/* Who is shown them is on record, or is not shown them. */
static bool may_show(struct core *core, struct http_reply *reply)
{
	int err = core->audit ? audit_log_ready(core->audit) : -ENOENT;

	if (err)
		http_problem(reply, 503, "audit",
		             "the audit log of this node cannot be written (%s), and who is shown "
		             "prefixes of clients is on record: ask without them",
		             strerror(-err));
	return !err;
}

static void note_shown(struct core *core, const struct http_request *r)
{
	struct audit_line line;

	audit_request_line(r, &line);
	line.kind = AUDIT_LOOK;
	line.status = 200;
	audit_log_write(core->audit, &line);
}

static void answer_what_if(struct core *core, struct change_request *c, uint64_t since_ms,
                           bool show_clients, struct http_reply *reply)
{
	struct intent_candidate candidate;
	json_t *answer = NULL;

	http_doing(c->request, "waiting for another change to finish");
	pthread_mutex_lock(&core->candidate_lock);
	int err = handle_change_prepare(core, c, &candidate);

	bool is_first = !err && !candidate.err && !candidate.head;

	c->old_rc = 0; /* a plan says it */
	if (!err && !candidate.err && !is_first)
		answer = make_answer(core, &candidate, since_ms, show_clients);
	/* while files were read and clients looked at, the store may have brought another version */
	bool is_behind = answer && intent_candidate_is_behind(core->intent, &candidate);
	handle_change_commit(core, c, &candidate, err, reply);
	handle_change_unlock(core);
	if (reply->status == 200 && answer && !is_behind) {
		json_decref(reply->json);
		reply->json = answer;
		reply->etag[0] = '\0';
		return;
	}
	json_decref(answer);
	if (reply->status != 200)
		return;
	json_decref(reply->json);
	reply->json = NULL;
	if (is_first)
		http_problem(reply, 404, "not-found",
		             "there is no configuration in force here to compare with");
	else
		http_problem(reply, 503, "busy", "%s; try again",
		             is_behind ? "another version came into force meanwhile"
		                       : "out of memory");
}

void handle_what_if(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct change_request c = { .source = { core_find_file, core },
		                    .request = r,
		                    .change = { .author = r->principal,
		                                .reason = "",
		                                .dry_run = true,
		                                .replace = true,
		                                .pending = INTENT_PENDING_IGNORE,
		                                .confirm_within_ms = -1 } };
	struct what_if_body body = { .since = NULL };
	struct field_reader f;
	uint64_t since_ms;

	field_read(&f, r->json, &what_if_body_kind, &body);
	handle_change_files(&f, body.files, &c);
	read_since(&f, body.since, &since_ms);
	if (field_end(&f, reply) && handle_scope_begin(core, r, &c, reply) &&
	    (!body.show_clients || may_show(core, reply))) {
		answer_what_if(core, &c, since_ms, body.show_clients, reply);
		if (reply->status == 200 && body.show_clients)
			note_shown(core, r);
	}
	handle_change_end(&c);
}
