/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What still keeps a site from being switched off: GET /v1/sites/{}/arrivals (`weir why site`). All
 * nodes are asked; what a silent node would say is unknown, and said to be.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/operation_show.h"
#include "mgmt/api/operation_snapshot.h"
#include "mgmt/api/operations_internal.h"
#include "mgmt/operations/guards.h"

/* One look at a site. */
struct arrivals {
	const struct operation_snapshot *snapshot;
	const struct model_site *site;
	struct operation op; /* of the site alone, to gather facts by */
	struct operation_observed observed;
	json_t *keeps;   /* sentences: what keeps the site from being switched off */
	json_t *unknown; /* likewise: what would, as far as is known */
};

static void add_sentence(json_t *list, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

static void add_sentence(json_t *list, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	plain_cut(text, sizeof(text));
	json_array_append_new(list, json_string(text));
}

static const struct operation_site *find_site(const struct arrivals *a)
{
	for (size_t i = 0; i < a->observed.facts.n_sites; i++)
		if (!strcmp(a->observed.facts.sites[i].name, a->site->name))
			return &a->observed.facts.sites[i];
	return NULL;
}

/* --- nodes --- */

static json_t *nodes_json(struct arrivals *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->snapshot->n_voices; i++) {
		const struct operation_voice *v = &a->snapshot->voices[i];
		const json_t *announce = json_object_get(v->measure, "announce");

		if (v->node->site != a->site)
			continue;
		if (!json_is_string(announce)) /* a peer's: whatever it says */
			announce = NULL;
		json_array_append_new(
		        list,
		        json_pack("{s:s, s:b, s:b, s:o}", "node", v->node->name, "reached",
		                  v->reached, "measured",
		                  json_is_object(json_object_get(v->measure, "flows")), "announces",
		                  v->node->announce.daemon == MODEL_DAEMON_NONE
		                          ? json_string("by other means")
		                  : announce ? json_incref((json_t *)(uintptr_t)announce)
		                             : json_null()));
		if (!v->reached)
			add_sentence(a->unknown,
			             "node %s is not reached: what arrives there is not known",
			             v->node->name);
		else if (v->node->announce.daemon != MODEL_DAEMON_NONE &&
		         (!announce || strcmp(json_string_value(announce), "drained") != 0))
			add_sentence(a->keeps, "node %s still announces its VIPs, or does not say",
			             v->node->name);
	}
	return list;
}

/* --- flows --- */

static json_t *vip_json(const struct model_vip *vip)
{
	json_t *list = json_array();
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < vip->n_addresses; i++)
		json_array_append_new(list, json_string(addr_text(&vip->addresses[i], text)));
	return list;
}

static json_t *service_json(struct arrivals *a, const struct model_service *service,
                            const struct model_at *at)
{
	struct operation_observed *observed = calloc(1, sizeof(*observed));
	json_t *o = NULL;

	snprintf(a->op.service, sizeof(a->op.service), "%s", service->name);
	if (observed)
		operation_gather(a->snapshot, &a->op, 0, observed);
	a->op.service[0] = '\0';
	for (size_t i = 0; observed && i < observed->facts.n_sites; i++) {
		const struct operation_site *s = &observed->sites[i];

		if (strcmp(s->name, a->site->name) != 0)
			continue;
		o = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "service", service->name,
		              "vip", at->vip->name, "addresses", vip_json(at->vip),
		              "own_flows_per_s", operation_value_json(&s->flows),
		              "backup_flows_per_s", operation_value_json(&s->backup_flows),
		              "arriving_flows_per_s", operation_value_json(&s->arrivals),
		              "established_packets_per_s", operation_value_json(&s->established));
		if (s->flows.known && s->flows.value)
			add_sentence(a->keeps,
			             "service %s: %llu new flows a second at own backends",
			             service->name, (unsigned long long)s->flows.value);
		if (s->backup_flows.known && s->backup_flows.value)
			add_sentence(
			        a->keeps,
			        "service %s: %llu new flows a second of late clients, which the "
			        "backup pool serves through this site",
			        service->name, (unsigned long long)s->backup_flows.value);
		if (s->established.known && s->established.value)
			add_sentence(a->keeps,
			             "service %s: %llu packets a second of established flows",
			             service->name, (unsigned long long)s->established.value);
	}
	free(observed);
	return o;
}

static json_t *services_json(struct arrivals *a)
{
	const struct model *m = a->snapshot->m;
	json_t *list = json_array();

	for (size_t i = 0; i < m->n_services; i++)
		for (size_t k = 0; k < m->services[i].n_at; k++)
			if (m->services[i].at[k].site == a->site)
				json_array_append_new(list, service_json(a, &m->services[i],
				                                         &m->services[i].at[k]));
	return list;
}

/* New flows of the last minute by prefix, a second. */
static json_t *prefixes_json(const struct arrivals *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->observed.facts.n_late; i++)
		json_array_append_new(list,
		                      json_pack("{s:s, s:o}", "prefix", a->observed.late[i].prefix,
		                                "flows_per_s",
		                                operation_value_json(&a->observed.late[i].flows)));
	return list;
}

/* Queries at each of its name servers; null where it is not known. */
static json_t *dns_json(const struct arrivals *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->snapshot->n_voices; i++) {
		const struct operation_voice *v = &a->snapshot->voices[i];
		json_t *rate = json_object_get(json_object_get(v->measure, "dns"), "queries_per_s");

		if (v->node->site == a->site && v->node->n_dns_listen)
			json_array_append_new(list,
			                      json_pack("{s:s, s:o}", "node", v->node->name,
			                                "queries_per_s",
			                                rate ? json_incref(rate) : json_null()));
	}
	return list;
}

static bool is_at(const struct model_vip *vip, const struct model_site *site)
{
	for (size_t i = 0; i < vip->n_sites; i++)
		if (vip->sites[i] == site)
			return true;
	return false;
}

/* What the site's nodes announce, as far as they say. */
static json_t *announcements_json(const struct arrivals *a)
{
	const struct model *m = a->snapshot->m;
	json_t *list = json_array();

	for (size_t i = 0; i < a->snapshot->n_voices; i++) {
		const struct operation_voice *v = &a->snapshot->voices[i];
		const char *state = json_string_value(json_object_get(v->measure, "announce"));

		if (v->node->site != a->site || v->node->announce.daemon == MODEL_DAEMON_NONE)
			continue;
		for (size_t k = 0; k < m->n_vips; k++)
			if (is_at(&m->vips[k], a->site))
				json_array_append_new(
				        list, json_pack("{s:s, s:s, s:s, s:s}", "vip",
				                        m->vips[k].name, "node", v->node->name,
				                        "intended", state ? state : "not known",
				                        "exported", state ? state : "not known"));
	}
	return list;
}

/* --- names and votes --- */

static uint32_t drained_ppm(const struct arrivals *a)
{
	const struct overrides *all = &a->snapshot->overrides;
	uint32_t level = 0;

	for (size_t i = 0; i < all->n_items; i++) {
		const struct override *o = &all->items[i];

		if (o->kind != MODEL_OVERRIDE_DRAIN || o->target != MODEL_TARGET_SITE ||
		    *o->service || strcmp(o->name, a->site->name) != 0 ||
		    override_is_done(o, a->snapshot->now_ms))
			continue;
		uint32_t one = overrides_level(all, o, a->snapshot->now_ms);
		level = one > level ? one : level;
	}
	return level;
}

static json_t *arrivals_json(struct arrivals *a)
{
	const struct operation_site *s = find_site(a);
	uint32_t level = drained_ppm(a);

	if (level < OPERATION_PPM && s && s->serves)
		add_sentence(a->keeps, "DNS still sends clients here: %u.%u %% are sent elsewhere",
		             level / 10000, level / 1000 % 10);
	if (level < OPERATION_PPM)
		add_sentence(a->keeps,
		             "the site still counts when sites decide that another one is dead");
	json_t *nodes = nodes_json(a), *services = services_json(a);
	if (s && !s->flows.known)
		add_sentence(a->unknown, "what arrives is not measured at all of its nodes");
	json_t *o = json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "site", a->site->name,
	                      "level_ppm", (json_int_t)level, "nodes", nodes, "vips", services,
	                      "prefixes", prefixes_json(a), "dns", dns_json(a), "announcements",
	                      announcements_json(a));
	json_object_set_new(o, "votes",
	                    json_pack("{s:b, s:I}", "counted", level < OPERATION_PPM, "deciding",
	                              (json_int_t)operation_deciding(&a->op, &a->observed.facts)));
	if (s) {
		json_object_set_new(o, "own_flows_per_s", operation_value_json(&s->flows));
		json_object_set_new(o, "backup_flows_per_s",
		                    operation_value_json(&s->backup_flows));
		json_object_set_new(o, "bits_per_s", operation_value_json(&s->bits));
		json_object_set_new(o, "answers_per_s", operation_value_json(&s->named));
	}
	return o;
}

static void look_at_site(struct core *core, const char *name, struct arrivals *a,
                         struct http_reply *reply)
{
	struct operation_snapshot *snapshot = operation_snapshot_now(core);
	a->snapshot = snapshot;
	a->site = snapshot && snapshot->m ? model_site(snapshot->m, name) : NULL;
	if (!snapshot) {
		http_problem(reply, 503, "busy", "out of memory");
	} else if (!a->site) {
		http_problem(reply, 404, "not-found", "there is no site %.64s", name);
	} else {
		snprintf(a->op.targets[0].site, sizeof(a->op.targets[0].site), "%s", a->site->name);
		a->op.n_targets = 1;
		operation_gather(snapshot, &a->op, 0, &a->observed);
		reply->json = arrivals_json(a);
		reply->status = 200;
		json_object_set(reply->json, "keeps", a->keeps);
		json_object_set(reply->json, "unknown", a->unknown);
	}
	operation_snapshot_free(snapshot);
}

void handle_arrivals(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct arrivals *a = calloc(1, sizeof(*a));

	if (!a) {
		http_problem(reply, 503, "busy", "out of memory");
		return;
	}
	a->keeps = json_array();
	a->unknown = json_array();
	http_doing(r, "asks all nodes what arrives");
	look_at_site(core, r->parts[0], a, reply);
	json_decref(a->keeps);
	json_decref(a->unknown);
	free(a);
}
