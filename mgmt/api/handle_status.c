/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status: for each thing what was asked for, what a check saw, and what is in force, apart.
 * Effects are read from the pages and processes where they act; what is old is unknown.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/observe.h"
#include "mgmt/api/peers.h"
#include "mgmt/api/tell.h"

/* The text called @p name; "" where there is none. */
static const char *word(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* A look at everything, taken once for the whole status. */
struct look {
	struct core *core;
	const struct model *m;
	const struct overrides *set;
	const struct health_page *health;
	const struct effect *effect;
	const json_t *dns;
	bool health_fresh, effect_fresh;
	uint64_t health_age_ms;
	int64_t now_ms;
	json_t *why; /* what makes the state less than well */
	bool down;
};

static void less_than_well(struct look *l, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

static void less_than_well(struct look *l, const char *format, ...)
{
	char text[HTTP_TEXT_MAX];
	va_list list;

	if (json_array_size(l->why) >= 50)
		return;
	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	json_array_append_new(l->why, tell_text(text));
}

static void take_look(struct core *core, struct look *l)
{
	struct effect_total total;

	*l = (struct look){ .core = core,
		            .m = intent_model(core->intent),
		            .set = intent_overrides(core->intent),
		            .now_ms = clock_wall_ms(),
		            .why = json_array(),
		            .dns = observe_dns(core) };
	l->health = observe_health(core, &l->health_fresh, &l->health_age_ms);
	l->effect = observe_effect(core, &l->effect_fresh, &total);
}

static json_t *observation(const struct look *l, uint64_t target)
{
	int place = l->health ? health_find(l->health, target) : -1;
	health_word word = place >= 0 ? health_read(l->health, place) : 0;
	const char *state = health_state_text(health_state(word));

	if (place < 0)
		return json_pack("{s:s, s:n, s:n}", "state", "unknown", "since", "age_ms");
	json_t *o = json_pack(
	        "{s:s, s:b, s:b, s:b, s:b, s:s, s:o, s:I}", "state",
	        l->health_fresh ? state : "unknown", "in_doubt", health_in_doubt(word),
	        "inconclusive", health_inconclusive(word), "held", health_held(word), "restored",
	        health_restored(word), "reason", health_reason_text(health_reason(word)), "since",
	        tell_time(health_since_s(word) * 1000), "age_ms", (json_int_t)l->health_age_ms);
	if (!l->health_fresh)
		json_object_set_new(o, "last", json_string(state));
	return o;
}

json_t *handle_observation(struct core *core, uint64_t target)
{
	struct look l;

	take_look(core, &l);
	json_decref(l.why);
	return observation(&l, target);
}

/* What overrides ask for a target; "disable" weighs most. */
static json_t *asked(const struct look *l, enum model_target_kind kind, const char *pool,
                     const char *name, uint32_t weight)
{
	const char *state = "serve";
	json_t *ids = json_array();
	uint32_t level = 0;

	for (size_t i = 0; i < l->set->n_items; i++) {
		const struct override *o = &l->set->items[i];

		if (o->target != kind || strcmp(o->pool, pool) || strcmp(o->name, name) ||
		    !strcmp(overrides_state(l->set, o, l->now_ms), "done"))
			continue;
		json_array_append_new(ids, json_string(o->id));
		if (o->from_ms > l->now_ms)
			continue; /* scheduled */
		if (strcmp(state, "disable") &&
		    (o->kind != MODEL_OVERRIDE_FORCE_UP || !strcmp(state, "serve")))
			state = override_kind_text(o->kind);
		uint32_t own = overrides_level(l->set, o, l->now_ms);
		if (o->kind != MODEL_OVERRIDE_FORCE_UP && own > level)
			level = own;
	}
	return json_pack("{s:s, s:I, s:I, s:o}", "state", state, "level_ppm", (json_int_t)level,
	                 "weight", (json_int_t)weight, "overrides", ids);
}

static json_t *unknown_effect(void)
{
	return json_pack("{s:s}", "state", "unknown");
}

/* What is in force for a pool: its rows, read once. */
struct force {
	struct effect_backend *rows;
	int n_rows; /* -1: the pool is not in the tables */
	uint32_t n_slots;
};

/* What is not in the tables of this node: out, if it should be there. */
static json_t *absent_effect(const struct look *l, const struct model_pool *pool)
{
	bool ours = l->m->self && pool->site == l->m->self->site;

	if (!ours)
		return json_pack("{s:s}", "state", "elsewhere");
	return l->effect_fresh ? json_pack("{s:s, s:s}", "state", "out", "why", "not in the tables")
	                       : unknown_effect();
}

static json_t *backend_effect(const struct look *l, const struct model_pool *pool,
                              const struct force *f, uint64_t id)
{
	const struct effect_backend *e = observe_row(f->rows, f->n_rows, id);

	if (!e)
		return absent_effect(l, pool);
	const char *state = !l->effect_fresh                 ? "unknown"
	                    : !e->alive || !e->next_hop      ? "out"
	                    : e->slots                       ? "serving"
	                    : e->base_slots || e->exceptions ? "draining"
	                                                     : "out";
	uint64_t share = f->n_slots ? (uint64_t)e->slots * 1000000 / f->n_slots : 0;
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:I, s:I}", "state", state, "why",
	                 effect_why_text((enum effect_why)e->why), "slots", (json_int_t)e->slots,
	                 "share_ppm", (json_int_t)share, "base_slots", (json_int_t)e->base_slots,
	                 "exceptions", (json_int_t)e->exceptions, "next_hop", e->next_hop,
	                 "packets", (json_int_t)e->packets, "bytes", (json_int_t)e->bytes);
}

static json_t *backend_status(struct look *l, const struct model_pool *pool, const struct force *f,
                              const struct model_backend *b)
{
	char text[ADDR_TEXT_MAX], id[20];
	json_t *seen = observation(l, health_target_backend(pool->name, b->id));

	if (l->m->self && pool->site == l->m->self->site && !strcmp(word(seen, "state"), "down"))
		less_than_well(l, "backend %s/%s is down", pool->name, b->name);
	snprintf(id, sizeof(id), "%016" PRIx64, b->id);
	return json_pack("{s:s, s:s, s:i, s:s, s:o, s:o, s:o}", "name", b->name, "address",
	                 addr_text(&b->address, text), "port", b->port, "id", id, "intent",
	                 asked(l, MODEL_TARGET_BACKEND, pool->name, b->name, b->weight),
	                 "observation", seen, "effect", backend_effect(l, pool, f, b->id));
}

static json_t *pool_effect(const struct look *l, const struct model_pool *pool, struct force *f)
{
	struct effect_pool p;

	f->n_rows = observe_rows(l->effect, pool->name, &f->rows);
	f->n_slots = 0;
	if (f->n_rows < 0 || effect_pool(l->effect, pool->name, &p))
		return absent_effect(l, pool);
	f->n_slots = p.n_slots;
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "state",
	                 l->effect_fresh ? "in_force" : "unknown", "slots", (json_int_t)p.n_slots,
	                 "empty_slots", (json_int_t)p.empty, "unsettled", (json_int_t)p.unsettled,
	                 "exceptions", (json_int_t)p.exceptions, "held_backends",
	                 (json_int_t)p.held);
}

static json_t *pool_status(struct look *l, const struct model_pool *pool)
{
	json_t *backends = json_array();
	size_t up = 0, down = 0, unknown = 0;
	struct force force;
	json_t *effect = pool_effect(l, pool, &force);

	for (size_t i = 0; i < pool->n_backends; i++) {
		json_t *b = backend_status(l, pool, &force, &pool->backends[i]);
		const char *state = word(json_object_get(b, "observation"), "state");

		up += !strcmp(state, "up");
		down += !strcmp(state, "down");
		json_array_append_new(backends, b);
	}
	free(force.rows);
	unknown = pool->n_backends - up - down;
	if (pool->n_backends && down == pool->n_backends) {
		less_than_well(l, "all backends of pool %s are down", pool->name);
		l->down |= l->m->self && pool->site == l->m->self->site;
	}
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "name", pool->name, "site",
	                 pool->site->name, "intent",
	                 json_pack("{s:I, s:I}", "backends", (json_int_t)pool->n_backends, "sets",
	                           (json_int_t)pool->n_sets),
	                 "observation",
	                 json_pack("{s:I, s:I, s:I}", "up", (json_int_t)up, "down",
	                           (json_int_t)down, "unknown", (json_int_t)unknown),
	                 "effect", effect, "backends", backends);
}

/* How much of a site the DNS has drained, in a word. */
static const char *drained_word(const json_t *site)
{
	json_int_t ppm = json_integer_value(json_object_get(site, "drained_ppm"));

	return ppm >= 1000000 ? "drained" : ppm ? "draining" : "serving";
}

/* What weir-dns does with a site: the level that its gates have, for the first service found there. */
static json_t *site_effect(const struct look *l, const char *site)
{
	const json_t *names = json_object_get(l->dns, "names");
	uint64_t sum = 0, own = 0;

	for (size_t i = 0; i < json_array_size(names); i++) {
		const json_t *sites = json_object_get(json_array_get(names, i), "sites"),
		             *found = NULL;

		for (size_t k = 0; k < json_array_size(sites); k++) {
			const json_t *s = json_array_get(sites, k);
			const char *name = word(s, "site");
			bool out = json_is_true(json_object_get(s, "disabled"));
			uint64_t open = 1000000 - (uint64_t)json_integer_value(
			                                  json_object_get(s, "drained_ppm"));
			uint64_t weight =
			        out ? 0
			            : (uint64_t)json_integer_value(json_object_get(s, "weight")) *
			                        open;

			sum += weight;
			if (strcmp(name, site))
				continue;
			own = weight;
			found = s;
		}
		if (found)
			return json_pack("{s:s, s:O, s:I, s:O, s:O}", "state",
			                 json_is_true(json_object_get(found, "disabled"))
			                         ? "disabled"
			                         : drained_word(found),
			                 "level_ppm", json_object_get(found, "drained_ppm"),
			                 "weight_share_ppm",
			                 sum ? (json_int_t)(own * 1000000 / sum) : (json_int_t)0,
			                 "shifting", json_object_get(found, "shifting"), "disabled",
			                 json_object_get(found, "disabled"));
		sum = own = 0;
	}
	return unknown_effect();
}

/* A site is seen through its services' targets: down if all are, up if one is. */
static json_t *site_observation(const struct look *l, const struct model_site *site)
{
	size_t up = 0, down = 0, n = 0;

	for (size_t i = 0; i < l->m->n_services && l->health && l->health_fresh; i++)
		for (size_t k = 0; k < 2 * l->m->services[i].n_at; k++) {
			const struct model_at *at = &l->m->services[i].at[k / 2];
			int place =
			        at->site != site
			                ? -1
			                : health_find(l->health,
			                              health_target_service(l->m->services[i].name,
			                                                    site->name, k % 2));
			if (place < 0)
				continue;
			enum health_state state = health_state(health_read(l->health, place));
			n++;
			up += state == HEALTH_UP;
			down += state == HEALTH_DOWN;
		}
	return json_pack("{s:s, s:I, s:I, s:I}", "state",
	                 up               ? "up"
	                 : n && down == n ? "down"
	                                  : "unknown",
	                 "targets", (json_int_t)n, "up", (json_int_t)up, "down", (json_int_t)down);
}

static json_t *sites_status(struct look *l)
{
	json_t *list = json_array();
	struct guard_load loads[GUARD_SITES_MAX];
	size_t n = peers_loads(l->core, loads, GUARD_SITES_MAX);

	for (size_t i = 0; i < l->m->n_sites; i++) {
		const struct model_site *s = &l->m->sites[i];
		json_t *seen = site_observation(l, s), *load = json_null();

		if (!strcmp(word(seen, "state"), "down"))
			less_than_well(l, "site %s is down as seen from here", s->name);
		for (size_t k = 0; k < n; k++)
			if (!strcmp(loads[k].site, s->name))
				load = json_integer((json_int_t)loads[k].bits);
		json_object_set_new(seen, "bits_per_s", load);
		json_array_append_new(
		        list, json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", s->name, "region",
		                        s->region ? s->region : "", "intent",
		                        asked(l, MODEL_TARGET_SITE, "", s->name, s->weight),
		                        "observation", seen, "effect", site_effect(l, s->name)));
	}
	return list;
}

/* What weir-dns takes a service at a site for, and who sees it how: of the first name placed by it. */
static const json_t *placed_at(const struct look *l, const char *service, const char *site)
{
	const json_t *names = json_object_get(l->dns, "names");

	for (size_t i = 0; i < json_array_size(names); i++) {
		const json_t *name = json_array_get(names, i),
		             *sites = json_object_get(name, "sites");

		for (size_t k = 0; k < json_array_size(sites); k++)
			if (!strcmp(word(name, "service"), service) &&
			    !strcmp(word(json_array_get(sites, k), "site"), site))
				return json_array_get(sites, k);
	}
	return NULL;
}

/* A site's effect, with what the DNS takes this service there for. */
static json_t *at_effect(const struct look *l, const char *service, const char *site)
{
	static const char *const fields[] = { "ipv4", "ipv6", "views" };
	const json_t *placed = placed_at(l, service, site);
	json_t *effect = site_effect(l, site);

	for (size_t i = 0; placed && i < 3; i++) {
		json_t *value = json_object_get(placed, fields[i]);

		if (value && strcmp(json_is_string(value) ? json_string_value(value) : "", "none"))
			json_object_set(effect, fields[i], value);
	}
	return effect;
}

static json_t *at_status(struct look *l, const struct model_service *s, const struct model_at *at)
{
	json_t *seen = json_object(), *addresses = json_array();
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < at->vip->n_addresses; i++) {
		bool ip4 = addr_is4(&at->vip->addresses[i]);

		json_array_append_new(addresses,
		                      json_string(addr_text(&at->vip->addresses[i], text)));
		json_object_set_new(
		        seen, ip4 ? "ipv4" : "ipv6",
		        observation(l, health_target_service(s->name, at->site->name, ip4)));
	}
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "site", at->site->name, "vip",
	                 at->vip->name, "pool", at->pool->name, "addresses", addresses, "intent",
	                 asked(l, MODEL_TARGET_SITE, "", at->site->name, at->weight), "observation",
	                 seen, "effect", at_effect(l, s->name, at->site->name));
}

static json_t *services_status(struct look *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->m->n_services; i++) {
		const struct model_service *s = &l->m->services[i];
		json_t *at = json_array();

		for (size_t k = 0; k < s->n_at; k++)
			json_array_append_new(at, at_status(l, s, &s->at[k]));
		json_array_append_new(list,
		                      json_pack("{s:s, s:s, s:i, s:o}", "name", s->name, "protocol",
		                                s->protocol == MODEL_UDP ? "udp" : "tcp", "port",
		                                s->port, "at", at));
	}
	return list;
}

json_t *handle_processes_json(struct core *core)
{
	json_t *list = json_array();

	for (int p = 0; p < OBSERVE_COUNT; p++) {
		struct observe_state s = observe_look(core, (enum observe_process)p);

		json_array_append_new(
		        list,
		        json_pack("{s:s, s:s, s:o, s:o, s:b}", "process",
		                  observe_name((enum observe_process)p), "state",
		                  !s.present  ? "absent"
		                  : s.running ? "running"
		                              : "silent",
		                  "age_ms",
		                  s.present ? json_integer((json_int_t)s.age_ms) : json_null(),
		                  "document",
		                  s.document && s.running ? json_integer((json_int_t)s.document)
		                                          : json_null(),
		                  "refused", s.refused));
	}
	return list;
}

json_t *handle_peers_json(struct core *core)
{
	const struct peers_view *view;
	size_t n = peers_view(core, &view);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *one = json_pack(
		        "{s:s, s:s, s:s, s:I, s:s, s:o}", "node", view[i].node, "site",
		        view[i].site, "state", peers_state_text(view[i].state), "version",
		        (json_int_t)view[i].number, "digest", view[i].digest, "age_ms",
		        view[i].asked_ms
		                ? json_integer((json_int_t)(clock_mono_ms() - view[i].asked_ms))
		                : json_null());

		if (view[i].why[0])
			json_object_set_new(one, "detail", tell_text(view[i].why));
		json_array_append_new(list, one);
	}
	return list;
}

static const json_t *peer_called(const json_t *peers, const char *node)
{
	for (size_t i = 0; i < json_array_size(peers); i++)
		if (!strcmp(word(json_array_get(peers, i), "node"), node))
			return json_array_get(peers, i);
	return NULL;
}

static json_t *nodes_status(struct look *l, const json_t *peers)
{
	const struct version *head = intent_head(l->core->intent);
	json_t *list = json_array();

	for (size_t i = 0; i < l->m->n_nodes; i++) {
		const struct model_node *n = &l->m->nodes[i];
		const json_t *peer = peer_called(peers, n->name);
		const char *state = peer ? word(peer, "state") : "unknown";
		bool self = n == l->m->self;

		if (peer && (!strcmp(state, "diverged") || !strcmp(state, "unreachable")))
			less_than_well(l, "node %s is %s", n->name, state);
		json_array_append_new(
		        list,
		        json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", n->name, "site",
		                  n->site->name, "intent",
		                  json_pack("{s:I}", "version",
		                            head ? (json_int_t)head->number : (json_int_t)0),
		                  "observation", json_pack("{s:s}", "state", self ? "up" : state),
		                  "effect",
		                  self ? json_pack("{s:I}", "document",
		                                   (json_int_t)intent_document(l->core->intent))
		                  : peer && strcmp(state, "unreachable")
		                          ? json_pack("{s:O}", "version",
		                                      json_object_get(peer, "version"))
		                          : unknown_effect()));
	}
	return list;
}

static void judge_processes(struct look *l, const json_t *processes)
{
	for (size_t i = 0; i < json_array_size(processes); i++) {
		const json_t *p = json_array_get(processes, i);
		const char *name = word(p, "process");

		if (strcmp(word(p, "state"), "running"))
			less_than_well(l, "weir-%s shows no sign of life", name);
		if (json_is_true(json_object_get(p, "refused")))
			less_than_well(l, "weir-%s has refused the newest document", name);
	}
}

/* An interface without the program forwards nothing: its name may be wrong. */
static void judge_ports(struct look *l)
{
	struct observe_state s = observe_look(l->core, OBSERVE_DATAPLANE);

	if (l->m->self && s.running && s.has_ports && s.n_ports < l->m->self->n_ports)
		less_than_well(l,
		               "weir-dataplane has its program on %" PRIu64
		               " of %zu ports; its log says why",
		               s.n_ports, l->m->self->n_ports);
}

static void add_model(struct look *l, json_t *status, const json_t *peers, const char *pool)
{
	json_t *pools = json_array();

	json_object_set_new(status, "cluster", json_string(l->m->cluster));
	json_object_set_new(status, "site",
	                    l->m->self ? json_string(l->m->self->site->name) : json_null());
	json_object_set_new(status, "sites", sites_status(l));
	json_object_set_new(status, "nodes", nodes_status(l, peers));
	json_object_set_new(status, "services", services_status(l));
	for (size_t i = 0; i < l->m->n_pools; i++)
		if (!pool || !strcmp(pool, l->m->pools[i].name))
			json_array_append_new(pools, pool_status(l, &l->m->pools[i]));
	json_object_set_new(status, "pools", pools);
}

static void add_intent(struct look *l, json_t *status)
{
	struct intent *in = l->core->intent;
	const struct version *head = intent_head(in);
	json_t *overrides = json_array();

	for (size_t i = 0; i < l->set->n_items; i++)
		if (strcmp(overrides_state(l->set, &l->set->items[i], l->now_ms), "done"))
			json_array_append_new(overrides,
			                      tell_override(l->set, &l->set->items[i], l->now_ms));
	json_object_set_new(status, "version", head ? tell_version(head, head) : json_null());
	json_object_set_new(status, "document", json_integer((json_int_t)intent_document(in)));
	json_object_set_new(status, "confirm_by",
	                    head ? tell_time(head->confirm_by_ms) : json_null());
	json_object_set_new(status, "store",
	                    json_pack("{s:s, s:s}", "state", intent_store_state(in), "detail",
	                              intent_store_why(in)));
	json_object_set_new(status, "overrides", overrides);
	if (*intent_store_why(in))
		less_than_well(l, "the store fails: %s", intent_store_why(in));
	if (*intent_write_why(in))
		less_than_well(l, "the effective document cannot be written: %s",
		               intent_write_why(in));
	if (!head)
		less_than_well(l, "there is no configuration");
	if (head && head->confirm_by_ms)
		less_than_well(l, "version %" PRIu64 " waits to be confirmed", head->number);
}

json_t *handle_status_json(struct core *core, const char *pool)
{
	json_t *status = json_object(), *processes = handle_processes_json(core);
	json_t *peers = handle_peers_json(core);
	struct look l;

	take_look(core, &l);
	json_object_set_new(status, "node", json_string(core->dirs.node));
	json_object_set_new(status, "time", tell_time(l.now_ms));
	judge_processes(&l, processes);
	add_intent(&l, status);
	if (l.m) {
		judge_ports(&l);
		add_model(&l, status, peers, pool);
	}
	json_object_set_new(status, "processes", processes);
	json_object_set_new(status, "peers", peers);
	json_object_set_new(status, "state",
	                    json_string(l.down                   ? "down"
	                                : json_array_size(l.why) ? "degraded"
	                                                         : "well"));
	json_object_set_new(status, "why", l.why);
	return status;
}

void handle_status(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const char *pool = http_query(r, "pool");

	core_lock(core);
	const struct model *m = intent_model(core->intent);
	if (pool && (!m || !model_pool(m, pool)))
		http_problem(reply, 404, "not-found", "there is no pool %.60s", pool);
	else
		reply->json = handle_status_json(core, pool);
	core_unlock(core);
	reply->status = reply->status ? reply->status : 200;
}
