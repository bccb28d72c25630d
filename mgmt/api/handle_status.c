/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status: intent, observation and effect of each thing, side by side. Effects are read from
 * the pages and processes where they act; a page that is too old gives "unknown". Everything is
 * made from one look (mgmt/status/look.h), so that the parts of a status belong to the same instant.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/handle.h"
#include "mgmt/sync/operations.h"
#include "mgmt/status/state.h"
#include "mgmt/status/status.h"
#include "mgmt/core/to_json.h"
#include "mgmt/observe/too_big.h"
#include "mgmt/json/observed.h"
#include "mgmt/json/listing.h"
#include "weir/json.h"

#define SITE_OBSERVED_ROWS(X, t)                                                                   \
	X(t, const char *, state)                                                                  \
	X(t, uint64_t, targets)                                                                    \
	X(t, uint64_t, up)                                                                         \
	X(t, uint64_t, down)                                                                       \
	X(t, const char *, withdrawn_by, .spare = true)                                            \
	X(t, struct shown_number, bits_per_s)
RECORD_SHOWN(site_observed, "observation", SITE_OBSERVED_ROWS);
#define SITE_ROWS(X, t)                                                                            \
	X(t, const char *, name)                                                                   \
	X(t, const char *, region)                                                                 \
	X(t, json_t *, intent)                                                                     \
	X(t, json_t *, observation)                                                                \
	X(t, json_t *, effect)
RECORD_SHOWN(site_row, "site", SITE_ROWS);

/* A site is observed through the targets of its services: up if one is up, down if all are down;
 * while an operation has withdrawn its VIPs, these are checked in vain.
 */
static json_t *site_observation(const struct look *l, const struct model_site *site)
{
	const char *operation = overrides_withdrawn_by(&l->overrides, site->name);
	struct gather_site observed;

	gather_site(l->m, l->pages.health_fresh ? l->pages.health : NULL, site, &observed);
	bool is_down = observed.n && observed.down == observed.n;
	struct site_observed observation = {
		.state = observed.up ? "up"
		         : !is_down  ? "unknown"
		         : operation ? "withdrawn"
		                     : "down",
		.targets = observed.n,
		.up = observed.up,
		.down = observed.down,
		.withdrawn_by = operation,
	};

	for (size_t k = 0; k < l->n_loads; k++)
		if (!l->loads[k].is_part && !strcmp(l->loads[k].site, site->name))
			observation.bits_per_s = (struct shown_number){ true, l->loads[k].per_s };
	return record_shown(&site_observed_kind, &observation);
}

static json_t *site_status(struct status *s, const struct model_site *site)
{
	const struct site_row row = {
		.name = site->name,
		.region = site->region ? site->region : "",
		.intent = status_intent(s, MODEL_TARGET_SITE, "", site->name, "", site->weight),
		.observation = site_observation(&s->look, site),
		.effect = status_dns_site_effect(&s->dns, site->name),
	};

	return record_shown(&site_row_kind, &row);
}

static json_t *sites_status(struct status *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->look.m->n_sites; i++)
		if (status_at_site(s, &s->look.m->sites[i]))
			json_array_append_new(list, site_status(s, &s->look.m->sites[i]));
	return list;
}

#define PEER_ROWS(X, t)                                                                            \
	X(t, const char *, node)                                                                   \
	X(t, const char *, hash_key)                                                               \
	X(t, const char *, site)                                                                   \
	X(t, const char *, state)                                                                  \
	X(t, uint64_t, version)                                                                    \
	X(t, const char *, digest)                                                                 \
	X(t, const char *, store, .or_null = true)                                                 \
	X(t, struct shown_number, age_ms)                                                          \
	X(t, const char *, detail, .spare = true)
RECORD_ANSWER(peer_shown, "peer", PEER_ROWS);

json_t *handle_peers_json(const struct peers_report *reports, size_t n)
{
	json_t *list = json_array();
	uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < n; i++) {
		const struct peers_report *v = &reports[i];
		const struct peer_shown row = {
			.node = v->node,
			.hash_key = v->hash_key,
			.site = v->site,
			.state = peers_state_text(v->state),
			.version = v->number,
			.digest = v->digest,
			.store = peers_store(v, now_ms),
			.age_ms = { v->answered_ms, now_ms - v->answered_ms },
			.detail = v->unreachable_reason,
		};

		json_array_append_new(list, record_shown(&peer_shown_kind, &row));
	}
	return list;
}

/* What is requested of a node: the version, and whether routers shall send to it. */
static json_t *node_intent(const struct status *s, const struct model_node *n)
{
	const struct look *l = &s->look;
	json_t *intent = status_intent(s, MODEL_TARGET_NODE, "", n->name, "", 0);

	json_object_del(intent, "weight");
	json_object_set_new(intent, "version",
	                    json_integer(l->has_head ? (json_int_t)l->head.number : 0));
	return intent;
}

#define PEER_EFFECT_ROWS(X, t)                                                                     \
	X(t, struct shown_number, version, .spare = true) X(t, const char *, state, .spare = true)
RECORD_SHOWN(peer_effect, "effect", PEER_EFFECT_ROWS);

/* Only the node itself knows what its processes have taken; a peer tells its version and state. */
static json_t *node_effect(const struct look *l, const struct model_node *n)
{
	const struct peers_report *peer = look_peer(l, n->name);
	bool announces = n->announce.daemon != MODEL_DAEMON_NONE;
	json_t *effect;

	if (n == l->m->self) {
		effect = announces ? node_drain_to_json(&l->drain) : json_object();
		json_object_set_new(effect, "document", json_integer((json_int_t)l->document));
		return effect;
	}
	if (!peer || peer->state == PEERS_UNREACHABLE)
		return SHOWN(peer_effect, .state = "unknown");
	const struct peer_effect known = { .version = { true, peer->number },
		                           .state = !announces     ? NULL
		                                    : *peer->drain ? peer->drain
		                                                   : "unknown" };
	return record_shown(&peer_effect_kind, &known);
}

#define NODE_OBSERVED_ROWS(X, t) X(t, const char *, state)
RECORD_SHOWN(node_observed, "observation", NODE_OBSERVED_ROWS);
#define NODE_ROWS(X, t)                                                                            \
	X(t, const char *, name)                                                                   \
	X(t, const char *, site)                                                                   \
	X(t, json_t *, intent)                                                                     \
	X(t, struct node_observed, observation, .of = &node_observed_kind)                         \
	X(t, json_t *, effect)
RECORD_SHOWN(node_row, "node", NODE_ROWS);

static json_t *nodes_status(struct status *s)
{
	const struct look *l = &s->look;
	json_t *list = json_array();

	for (size_t i = 0; i < l->m->n_nodes; i++) {
		const struct model_node *n = &l->m->nodes[i];
		const struct peers_report *peer = look_peer(l, n->name);
		const char *state = peer ? peers_state_text(peer->state) : "unknown";
		bool self = n == l->m->self;

		const struct node_row row = { .name = n->name,
			                      .site = n->site->name,
			                      .intent = node_intent(s, n),
			                      .observation = { self ? "up" : state },
			                      .effect = node_effect(l, n) };

		json_array_append_new(list, record_shown(&node_row_kind, &row));
	}
	return list;
}

#define STATUS_COUNTS_ROWS(X, t)                                                                   \
	X(t, size_t, all)                                                                          \
	X(t, size_t, standing_out)                                                                 \
	X(t, struct shown_number, shown, .spare = true)
RECORD_SHOWN(status_counts, "counts", STATUS_COUNTS_ROWS);
#define STATUS_STORE_ROWS(X, t) X(t, const char *, state) X(t, const char *, detail)
RECORD_SHOWN(status_store, "store", STATUS_STORE_ROWS);

/* @return false: memory is short */
static bool add_model(struct status *s, json_t *status)
{
	const struct model *m = s->look.m;

	s->has_too_big = too_big_read(s->look.core->dirs.run, clock_mono_ms(), &s->too_big);
	json_t *services = status_services(s), *pools = status_pools(s);
	bool ok = services && pools;

	json_object_set_new(status, "cluster", json_string(m->cluster));
	json_object_set_new(status, "site",
	                    m->self ? json_string(m->self->site->name) : json_null());
	json_object_set_new(status, "sites", sites_status(s));
	if (json_object_get(s->look.dns, "deciding"))
		json_object_set(status, "deciding", json_object_get(s->look.dns, "deciding"));
	json_object_set_new(status, "nodes", nodes_status(s));
	json_object_set_new(status, "services", services);
	json_object_set_new(status, "pools", pools);
	const struct status_counts backends = { s->n_backends, s->n_odd, { true, s->n_shown } },
	                           backups = { s->n_backups, s->n_odd_backups, { false, 0 } };
	json_object_set_new(status, "backends", record_shown(&status_counts_kind, &backends));
	if (s->n_backups)
		json_object_set_new(status, "backups", record_shown(&status_counts_kind, &backups));
	return ok;
}

/* @return false: memory is short */
static bool add_intent(struct status *s, json_t *status)
{
	const struct look *l = &s->look;
	const struct version *head = l->has_head ? &l->head : NULL;
	json_t *overrides = status_overrides(s);
	bool ok = overrides != NULL;

	core_lock(l->core);
	operations_add_until(l->core, overrides);
	core_unlock(l->core);
	json_object_set_new(status, "version", head ? version_to_json(head, head) : json_null());
	json_object_set_new(status, "document", json_integer((json_int_t)l->document));
	json_object_set_new(status, "confirm_by",
	                    head ? time_to_json(head->confirm_by_ms) : json_null());
	json_object_set_new(status, "store", SHOWN(status_store, l->store_state, l->store_reason));
	json_object_set_new(status, "overrides", overrides);
	return ok;
}

static bool is_own_site(const struct status *s, const char *site)
{
	const struct model *m = s->look.m;

	return m && m->self && !strcmp(m->self->site->name, site);
}

/* A node without a routing daemon shows nothing of announcements. */
static void add_announcements(const struct status *s, json_t *status)
{
	json_t *announced = s->filter.pool || (s->filter.site && !is_own_site(s, s->filter.site))
	                            ? NULL
	                            : handle_announcements_json(&s->look, NULL, s->filter.limit);

	if (announced)
		json_object_set_new(status, "announcements", announced);
}

/* The judgement is about the whole node, whichever part of it is shown. */
static void add_state(struct status *s, json_t *status)
{
	struct judge_verdict *v = &s->verdict;

	core_lock(s->look.core);
	state_since(s->look.core, v);
	core_unlock(s->look.core);
	json_object_set_new(status, "state", json_string(judge_state_text(v->state)));
	json_object_set_new(status, "why", judged_texts_json(v));
	json_object_set_new(status, "reasons", judged_reasons_json(v->reasons, v->n_reasons, true));
	json_object_set_new(status, "notes", judged_reasons_json(v->notes, v->n_notes, true));
	if (v->n_notes_left_out)
		json_object_set_new(status, "notes_left_out",
		                    json_integer((json_int_t)v->n_notes_left_out));
}

/* All parts of a status, from its look. @return false: memory is short */
static bool add_parts(struct status *s, json_t *status)
{
	json_object_set_new(status, "node", json_string(s->look.core->dirs.node));
	json_object_set_new(status, "time", time_to_json(s->look.now_ms));
	if (!add_intent(s, status) || (s->look.m && !add_model(s, status)))
		return false;
	json_object_set_new(status, "processes", observed_processes_json(s->look.processes, true));
	json_object_set_new(status, "peers",
	                    handle_peers_json(s->look.peer_reports, s->look.n_peer_reports));
	add_announcements(s, status);
	add_state(s, status);
	if (s->lists)
		json_object_set(status, "lists", s->lists);
	return true;
}

json_t *handle_status_json(struct core *core, const struct status_filter *filter)
{
	struct status *s = calloc(1, sizeof(*s));
	json_t *status = json_object();

	if (!s)
		return status;
	s->filter = *filter;
	if (look_init(core, &s->look) || facts_judge(&s->look, &s->verdict) || status_index(s) ||
	    !add_parts(s, status))
		json_object_clear(status);
	status_fini(s);
	look_fini(&s->look);
	free(s);
	return status;
}

void handle_status(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct status_filter filter = { .pool = http_query(r, "pool"),
		                        .site = http_query(r, "site") };

	if (!handle_number(r, "limit", 1, 100000, 0, &filter.limit, reply) ||
	    !handle_filter_ok(core, &filter, reply))
		return;
	reply->json = handle_status_json(core, &filter);
	reply->dense = filter.limit > 0;
	reply->status = 200;
	if (json_object_size(reply->json) == 0)
		http_problem(reply, 503, "busy",
		             "out of memory: the status cannot be read; try again");
}

void handle_page(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const struct status_filter filter = { .limit = LISTING_PAGE_ROWS_MAX };

	(void)r;
	json_t *status = handle_status_json(core, &filter);
	reply->text = page_make(status);
	json_decref(status);
	reply->type = "text/html; charset=utf-8";
	reply->status = 200;
	if (!reply->text)
		http_problem(reply, 503, "busy", "out of memory");
}
