/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status: intent, observation and effect of each thing, side by side. Effects are read from
 * the pages and processes where they act; a page that is too old gives "unknown". Everything is
 * made from one look (mgmt/api/look.h), so that the parts of a status belong to the same instant.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/backup_status.h"
#include "mgmt/api/state.h"
#include "mgmt/api/status.h"
#include "mgmt/api/status_bound.h"
#include "mgmt/api/to_json.h"

/* The text called @p name; "" where there is none. */
static const char *status_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static json_t *unknown_effect(void)
{
	return json_pack("{s:s}", "state", "unknown");
}

/* The state of a drained site in one word. */
static const char *drained_word(const json_t *site)
{
	json_int_t ppm = json_integer_value(json_object_get(site, "drained_ppm"));

	return ppm >= 1000000 ? "drained" : ppm ? "draining" : "serving";
}

/* Whether checks leave a site in the answers of a name; weir-dns reports both families. */
static bool is_answered(const json_t *s)
{
	const char *const families[] = { status_text(s, "ipv4"), status_text(s, "ipv6") };

	if (json_is_true(json_object_get(s, "disabled")))
		return false;
	if (json_is_true(json_object_get(s, "forced_up")))
		return true;
	for (size_t i = 0; i < 2; i++)
		if (strcmp(families[i], "none") && strcmp(families[i], "down"))
			return !json_is_true(json_object_get(s, "unproven"));
	return false;
}

/*
 * Whether checks choose among the sites of a name. If no site is good, all that are not disabled
 * are answered.
 */
static bool is_chosen(const json_t *sites)
{
	for (size_t i = 0; i < json_array_size(sites); i++)
		if (is_answered(json_array_get(sites, i)))
			return true;
	return false;
}

static uint64_t compute_site_weight(const json_t *s, bool out)
{
	uint64_t open = 1000000 - (uint64_t)json_integer_value(json_object_get(s, "drained_ppm"));

	if (out || json_is_true(json_object_get(s, "disabled")))
		return 0;
	return (uint64_t)json_integer_value(json_object_get(s, "weight")) * open;
}

static const json_t *find_site(const json_t *sites, const char *site)
{
	for (size_t k = 0; k < json_array_size(sites); k++)
		if (!strcmp(status_text(json_array_get(sites, k), "site"), site))
			return json_array_get(sites, k);
	return NULL;
}

/*
 * The sites of the name by which @p site is judged: the first of those that are drained the least
 * there, because a service that is drained alone leaves the site to the others.
 */
static const json_t *find_least_drained(const struct look *l, const char *site)
{
	const json_t *names = json_object_get(l->dns, "names"), *least = NULL;
	json_int_t least_ppm = 0;

	for (size_t i = 0; i < json_array_size(names); i++) {
		const json_t *sites = json_object_get(json_array_get(names, i), "sites");
		const json_t *found = find_site(sites, site);
		json_int_t ppm = json_integer_value(json_object_get(found, "drained_ppm"));

		if (!found || (least && ppm >= least_ppm))
			continue;
		least = sites;
		least_ppm = ppm;
	}
	return least;
}

/* What weir-dns does with a site. */
static json_t *site_effect(const struct look *l, const char *site)
{
	const json_t *sites = find_least_drained(l, site), *found = find_site(sites, site);
	bool chosen = is_chosen(sites);
	uint64_t sum = 0;

	if (!found)
		return unknown_effect();
	for (size_t k = 0; k < json_array_size(sites); k++) {
		const json_t *s = json_array_get(sites, k);

		sum += compute_site_weight(s, chosen && !is_answered(s));
	}
	bool is_out = chosen && !is_answered(found);
	uint64_t own = compute_site_weight(found, is_out);
	return json_pack("{s:s, s:O, s:I, s:O, s:O}", "state",
	                 json_is_true(json_object_get(found, "disabled")) ? "disabled"
	                 : is_out                                         ? "out"
	                                                                  : drained_word(found),
	                 "level_ppm", json_object_get(found, "drained_ppm"), "weight_share_ppm",
	                 sum ? (json_int_t)(own * 1000000 / sum) : (json_int_t)0, "shifting",
	                 json_object_get(found, "shifting"), "disabled",
	                 json_object_get(found, "disabled"));
}

/* A site is observed through the targets of its services: up if one is up, down if all are down;
 * while an operation has withdrawn its VIPs, these are checked in vain.
 */
static json_t *site_observation(const struct look *l, const struct model_site *site)
{
	const char *operation = overrides_withdrawn_by(&l->overrides, site->name);
	struct gather_site observed;
	json_t *out;

	gather_site(l->m, l->pages.health_fresh ? l->pages.health : NULL, site, &observed);
	bool is_down = observed.n && observed.down == observed.n;
	out = json_pack("{s:s, s:I, s:I, s:I}", "state",
	                observed.up ? "up"
	                : !is_down  ? "unknown"
	                : operation ? "withdrawn"
	                            : "down",
	                "targets", (json_int_t)observed.n, "up", (json_int_t)observed.up, "down",
	                (json_int_t)observed.down);
	if (operation)
		json_object_set_new(out, "withdrawn_by", json_string(operation));
	return out;
}

static json_t *site_status(struct status *s, const struct model_site *site)
{
	const struct look *l = &s->look;
	json_t *observed = site_observation(l, site), *load = json_null();

	for (size_t k = 0; k < l->n_loads; k++)
		if (!strcmp(l->loads[k].site, site->name))
			load = json_integer((json_int_t)l->loads[k].bits);
	json_object_set_new(observed, "bits_per_s", load);
	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", site->name, "region",
	                 site->region ? site->region : "", "intent",
	                 status_intent(s, MODEL_TARGET_SITE, "", site->name, site->weight),
	                 "observation", observed, "effect", site_effect(l, site->name));
}

static json_t *sites_status(struct status *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->look.m->n_sites; i++)
		if (status_at_site(s, &s->look.m->sites[i]))
			json_array_append_new(list, site_status(s, &s->look.m->sites[i]));
	return list;
}

/* The row that weir-dns gives a service at a site, from the first name steered by that service. */
static const json_t *find_placement(const struct look *l, const char *service, const char *site)
{
	const json_t *names = json_object_get(l->dns, "names");

	for (size_t i = 0; i < json_array_size(names); i++) {
		const json_t *name = json_array_get(names, i),
		             *sites = json_object_get(name, "sites");

		for (size_t k = 0; k < json_array_size(sites); k++)
			if (!strcmp(status_text(name, "service"), service) &&
			    !strcmp(status_text(json_array_get(sites, k), "site"), site))
				return json_array_get(sites, k);
	}
	return NULL;
}

/* The effect of a site, with weir-dns' state of this service there. */
static json_t *at_effect(const struct look *l, const char *service, const char *site)
{
	static const char *const fields[] = { "ipv4", "ipv6", "views" };
	const json_t *site_row = find_placement(l, service, site);
	json_t *effect = site_effect(l, site);

	for (size_t i = 0; site_row && i < 3; i++) {
		json_t *value = json_object_get(site_row, fields[i]);

		if (value && strcmp(json_is_string(value) ? json_string_value(value) : "", "none"))
			json_object_set(effect, fields[i], value);
	}
	return effect;
}

/* The intent of a service at a site is the site's: overrides act on sites, not on services. */
static json_t *at_status(const struct status *s, const struct model_service *service,
                         const struct model_at *at)
{
	const struct look *l = &s->look;
	json_t *observed = json_object(), *addresses = json_array();
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < at->vip->n_addresses; i++) {
		bool ip4 = addr_is4(&at->vip->addresses[i]);

		json_array_append_new(addresses,
		                      json_string(addr_text(&at->vip->addresses[i], text)));
		json_object_set_new(
		        observed, ip4 ? "ipv4" : "ipv6",
		        look_observation(
		                l, health_target_service(service->name, at->site->name, ip4)));
	}
	json_t *row = json_pack(
	        "{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "site", at->site->name, "vip", at->vip->name,
	        "pool", at->pool->name, "addresses", addresses, "intent",
	        status_intent(s, MODEL_TARGET_SITE, "", at->site->name, at->weight), "observation",
	        observed, "effect", at_effect(l, service->name, at->site->name));
	if (row && at->backup)
		json_object_set_new(
		        row, "backup",
		        backup_status_of(
		                &(struct backup_evidence){
		                        l->m, l->pages.effect_fresh ? l->pages.effect : NULL,
		                        l->pages.health_fresh ? l->pages.health : NULL },
		                service, at));
	return row;
}

/*
 * A service of which the filter leaves nothing is left out, so that a filtered status stays short.
 */
static json_t *services_status(const struct status *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->look.m->n_services; i++) {
		const struct model_service *service = &s->look.m->services[i];
		json_t *at = json_array();

		for (size_t k = 0; k < service->n_at; k++)
			if (status_at_site(s, service->at[k].site) &&
			    (!s->filter.pool || !strcmp(s->filter.pool, service->at[k].pool->name)))
				json_array_append_new(at, at_status(s, service, &service->at[k]));
		if (json_array_size(at) == 0) {
			json_decref(at);
			continue;
		}
		json_array_append_new(
		        list, json_pack("{s:s, s:s, s:i, s:o}", "name", service->name, "protocol",
		                        service->protocol == MODEL_UDP ? "udp" : "tcp", "port",
		                        service->port, "at", at));
	}
	return list;
}

json_t *handle_processes_json(const struct look *l)
{
	json_t *list = json_array();

	for (int p = 0; p < OBSERVE_COUNT; p++) {
		const struct observe_state s = l->processes[p];

		if (!observe_is_shown((enum observe_process)p, &s))
			continue;
		json_t *one = json_pack(
		        "{s:s, s:s, s:o, s:o, s:b}", "process",
		        observe_name((enum observe_process)p), "state",
		        !s.present  ? "absent"
		        : s.running ? "running"
		                    : "silent",
		        "age_ms", s.present ? json_integer((json_int_t)s.age_ms) : json_null(),
		        "document",
		        s.document && s.running ? json_integer((json_int_t)s.document)
		                                : json_null(),
		        "refused", s.refused);

		if (s.has_ports && s.running)
			json_object_set_new(one, "driver", json_string(s.dpdk ? "dpdk" : "xdp"));
		json_array_append_new(list, one);
	}
	return list;
}

json_t *handle_peers_json(const struct peers_report *reports, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *one = json_pack(
		        "{s:s, s:s, s:s, s:s, s:I, s:s, s:o}", "node", reports[i].node, "hash_key",
		        reports[i].hash_key, "site", reports[i].site, "state",
		        peers_state_text(reports[i].state), "version",
		        (json_int_t)reports[i].number, "digest", reports[i].digest, "age_ms",
		        reports[i].answered_ms ? json_integer((json_int_t)(clock_mono_ms() -
		                                                           reports[i].answered_ms))
		                               : json_null());

		if (reports[i].unreachable_reason[0])
			json_object_set_new(one, "detail",
			                    text_to_json(reports[i].unreachable_reason));
		json_array_append_new(list, one);
	}
	return list;
}

/* What is requested of a node: the version, and whether routers shall send to it. */
static json_t *node_intent(const struct status *s, const struct model_node *n)
{
	const struct look *l = &s->look;
	json_t *intent = status_intent(s, MODEL_TARGET_NODE, "", n->name, 0);

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
		return unknown_effect();
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

static void add_model(struct status *s, json_t *status)
{
	const struct model *m = s->look.m;

	json_object_set_new(status, "cluster", json_string(m->cluster));
	json_object_set_new(status, "site",
	                    m->self ? json_string(m->self->site->name) : json_null());
	json_object_set_new(status, "sites", sites_status(s));
	if (json_object_get(s->look.dns, "deciding"))
		json_object_set(status, "deciding", json_object_get(s->look.dns, "deciding"));
	json_object_set_new(status, "nodes", nodes_status(s));
	json_object_set_new(status, "services", services_status(s));
	json_object_set_new(status, "pools", status_pools(s));
	json_object_set_new(status, "backends",
	                    json_pack("{s:I, s:I, s:I}", "all", (json_int_t)s->n_backends,
	                              "standing_out", (json_int_t)s->n_odd, "shown",
	                              (json_int_t)s->n_shown));
}

static void add_intent(struct status *s, json_t *status)
{
	const struct look *l = &s->look;
	const struct version *head = l->has_head ? &l->head : NULL;
	json_t *overrides = json_array();

	for (size_t i = 0; i < l->overrides.n_items; i++)
		if (strcmp(overrides_state(&l->overrides, &l->overrides.items[i], l->now_ms),
		           "done"))
			json_array_append_new(
			        overrides,
			        override_to_json(&l->overrides, &l->overrides.items[i], l->now_ms));
	json_object_set_new(status, "version", head ? version_to_json(head, head) : json_null());
	json_object_set_new(status, "document", json_integer((json_int_t)l->document));
	json_object_set_new(status, "confirm_by",
	                    head ? time_to_json(head->confirm_by_ms) : json_null());
	json_object_set_new(
	        status, "store",
	        json_pack("{s:s, s:s}", "state", l->store_state, "detail", l->store_reason));
	json_object_set_new(status, "overrides", overrides);
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
	json_t *reasons = json_array();
	char more[64];

	core_lock(s->look.core);
	state_since(s->look.core, v);
	core_unlock(s->look.core);
	for (size_t i = 0; i < v->n_reasons; i++)
		json_array_append_new(reasons, text_to_json(v->reasons[i].text));
	if (v->n_left_out) {
		snprintf(more, sizeof(more), "and %zu more reasons", v->n_left_out);
		json_array_append_new(reasons, json_string(more));
	}
	json_object_set_new(status, "state", json_string(judge_state_text(v->state)));
	json_object_set_new(status, "why", reasons);
	json_object_set_new(status, "reasons",
	                    facts_reasons(v->reasons, v->n_reasons, s->look.now_ms));
	json_object_set_new(status, "notes", facts_reasons(v->notes, v->n_notes, s->look.now_ms));
}

json_t *handle_status_json(struct core *core, const struct handle_filter *filter)
{
	struct status *s = calloc(1, sizeof(*s));
	json_t *status = json_object();

	if (!s || look_init(core, &s->look) || facts_judge(&s->look, &s->verdict)) {
		if (s)
			look_fini(&s->look);
		free(s);
		return status;
	}
	s->filter = *filter;
	json_object_set_new(status, "node", json_string(core->dirs.node));
	json_object_set_new(status, "time", time_to_json(s->look.now_ms));
	add_intent(s, status);
	if (s->look.m)
		add_model(s, status);
	json_object_set_new(status, "processes", handle_processes_json(&s->look));
	json_object_set_new(status, "peers",
	                    handle_peers_json(s->look.peer_reports, s->look.n_peer_reports));
	if (s->look.diverged)
		json_object_set(status, "diverged", s->look.diverged);
	add_announcements(s, status);
	add_state(s, status);
	status_bound(status, filter->limit);
	look_fini(&s->look);
	free(s);
	return status;
}

void handle_status(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct handle_filter filter = { .pool = http_query(r, "pool"),
		                        .site = http_query(r, "site") };

	if (!handle_number(r, "limit", 1, 100000, 0, &filter.limit, reply) ||
	    !handle_filter_ok(core, &filter, reply))
		return;
	reply->json = handle_status_json(core, &filter);
	reply->status = 200;
	if (json_object_size(reply->json) == 0)
		http_problem(reply, 503, "busy",
		             "out of memory: the status cannot be read; try again");
}
