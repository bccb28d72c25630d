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
#include "weir/json.h"

/* A site is observed through the targets of its services: up if one is up, down if all are down;
 * while an operation has withdrawn its VIPs, these are checked in vain.
 */
static json_t *site_observation(const struct look *l, const struct model_site *site)
{
	const char *operation = overrides_withdrawn_by(&l->overrides, site->name);
	struct gather_site observed;

	gather_site(l->m, l->pages.health_fresh ? l->pages.health : NULL, site, &observed);
	bool is_down = observed.n && observed.down == observed.n;
	return json_pack("{s:s, s:I, s:I, s:I, s:s*}", "state",
	                 observed.up ? "up"
	                 : !is_down  ? "unknown"
	                 : operation ? "withdrawn"
	                             : "down",
	                 "targets", (json_int_t)observed.n, "up", (json_int_t)observed.up, "down",
	                 (json_int_t)observed.down, "withdrawn_by", operation);
}

static json_t *site_status(struct status *s, const struct model_site *site)
{
	const struct look *l = &s->look;
	json_t *observed = site_observation(l, site), *load = json_null();

	for (size_t k = 0; k < l->n_loads; k++)
		if (!l->loads[k].is_part && !strcmp(l->loads[k].site, site->name))
			load = json_integer((json_int_t)l->loads[k].per_s);
	json_object_set_new(observed, "bits_per_s", load);
	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", site->name, "region",
	                 site->region ? site->region : "", "intent",
	                 status_intent(s, MODEL_TARGET_SITE, "", site->name, "", site->weight),
	                 "observation", observed, "effect",
	                 status_dns_site_effect(&s->dns, site->name));
}

static json_t *sites_status(struct status *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->look.m->n_sites; i++)
		if (status_at_site(s, &s->look.m->sites[i]))
			json_array_append_new(list, site_status(s, &s->look.m->sites[i]));
	return list;
}

json_t *handle_peers_json(const struct peers_report *reports, size_t n)
{
	json_t *list = json_array();
	uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < n; i++) {
		const struct peers_report *v = &reports[i];
		json_t *detail = *v->unreachable_reason ? json_text(v->unreachable_reason) : NULL;

		json_array_append_new(
		        list,
		        json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s?, s:o, s:o*}", "node",
		                  v->node, "hash_key", v->hash_key, "site", v->site, "state",
		                  peers_state_text(v->state), "version", (json_int_t)v->number,
		                  "digest", v->digest, "store", peers_store(v, now_ms), "age_ms",
		                  json_number_or_null(v->answered_ms, now_ms - v->answered_ms),
		                  "detail", detail));
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
		return json_pack("{s:s}", "state", "unknown");
	effect = json_pack("{s:I}", "version", (json_int_t)peer->number);
	if (announces)
		json_object_set_new(effect, "state",
		                    json_string(*peer->drain ? peer->drain : "unknown"));
	return effect;
}

static json_t *nodes_status(struct status *s)
{
	const struct look *l = &s->look;
	json_t *list = json_array();

	for (size_t i = 0; i < l->m->n_nodes; i++) {
		const struct model_node *n = &l->m->nodes[i];
		const struct peers_report *peer = look_peer(l, n->name);
		const char *state = peer ? peers_state_text(peer->state) : "unknown";
		bool self = n == l->m->self;

		json_array_append_new(
		        list, json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", n->name, "site",
		                        n->site->name, "intent", node_intent(s, n), "observation",
		                        json_pack("{s:s}", "state", self ? "up" : state), "effect",
		                        node_effect(l, n)));
	}
	return list;
}

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
	json_object_set_new(status, "backends",
	                    json_pack("{s:I, s:I, s:I}", "all", (json_int_t)s->n_backends,
	                              "standing_out", (json_int_t)s->n_odd, "shown",
	                              (json_int_t)s->n_shown));
	if (s->n_backups)
		json_object_set_new(status, "backups",
		                    json_pack("{s:I, s:I}", "all", (json_int_t)s->n_backups,
		                              "standing_out", (json_int_t)s->n_odd_backups));
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
	json_object_set_new(
	        status, "store",
	        json_pack("{s:s, s:s}", "state", l->store_state, "detail", l->store_reason));
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
	const struct status_filter filter = { .limit = PAGE_ROWS_MAX };

	(void)r;
	json_t *status = handle_status_json(core, &filter);
	reply->text = page_make(status);
	json_decref(status);
	reply->type = "text/html; charset=utf-8";
	reply->status = 200;
	if (!reply->text)
		http_problem(reply, 503, "busy", "out of memory");
}
