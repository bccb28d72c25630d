/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each part is made from what is known now, and left out where nothing is. Where sites are up is in operation_outside.c.
 *
 * Of new flows, as weir-dataplane measures them (weir/measure.h), ratios of the sample are left
 * out when the sample is too small: a missing one is unknown. So is all of it in the first seconds of
 * a weir-dataplane: half a second without a new flow is no silent site.
 */
#include "mgmt/controller/operation_measure.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "mgmt/observe/backup_status.h"
#include "mgmt/controller/guard_facts.h"
#include "mgmt/observe/node_drain.h"
#include "mgmt/observe/observe.h"
#include "mgmt/json/announcement.h"
#include "weir/health.h"
#include "weir/measure.h"
#include "weir/proof.h"

/* --- pools of the own site --- */

/* How much of a pool's weight is up, and how much is unknown, ppm. */
static void weigh_pool(const struct model_pool *pool, const struct health_page *page,
                       uint64_t *up_ppm, uint64_t *unknown_ppm)
{
	uint64_t all = 0, up = 0, unknown = 0;

	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct model_backend *b = &pool->backends[i];
		int at = page ? health_find_index(page, health_target_backend(pool->name, b->id))
		              : -1;
		enum health_state s = at < 0 ? HEALTH_UNKNOWN : health_state(health_read(page, at));

		all += b->weight;
		if (!pool->check || s == HEALTH_UP)
			up += b->weight;
		else if (s == HEALTH_UNKNOWN)
			unknown += b->weight;
	}
	*up_ppm = all ? up * MODEL_PPM_ALL / all : 0;
	*unknown_ppm = all ? unknown * MODEL_PPM_ALL / all : 0;
}

static json_t *pools_json(const struct model *m, const struct health_page *page)
{
	json_t *all = json_object();

	for (size_t i = 0; i < m->n_pools; i++) {
		const struct model_pool *pool = &m->pools[i];
		uint64_t up_ppm, unknown_ppm;

		if (!m->self || pool->site != m->self->site ||
		    json_object_size(all) == OPERATION_MEASURE_POOLS_MAX)
			continue;
		weigh_pool(pool, page, &up_ppm, &unknown_ppm);
		json_object_set_new(all, pool->name,
		                    json_pack("{s:I, s:I, s:I}", "up_ppm", (json_int_t)up_ppm,
		                              "unknown_ppm", (json_int_t)unknown_ppm, "min_ppm",
		                              (json_int_t)pool->min_healthy_percent * 10000));
	}
	return all;
}

/* --- new flows --- */

static const char *const reason_names[FWD_REASON_COUNT] = {
#define REASON_NAME(name, kind, label, text) [FWD_REASON_##name] = (label),
	FWD_REASONS(REASON_NAME)
#undef REASON_NAME
};

static void set_rate(json_t *object, const char *name, uint64_t n, uint32_t window_ms)
{
	uint64_t milli;

	if (measure_per_s_milli(n, window_ms, &milli))
		json_object_set_new(object, name, json_integer((json_int_t)milli));
}

static json_t *service_json(const struct measure_node *node, const struct measure_service *s)
{
	json_t *o = json_object();
	uint32_t ppm;

	set_rate(o, "new_milli", s->recent.new_flows, node->recent_ms);
	set_rate(o, "packets_milli", s->recent.packets, node->recent_ms);
	if (measure_silent_ppm(&s->recent, &ppm))
		json_object_set_new(o, "silent_ppm", json_integer(ppm));
	if (measure_repeated_ppm(&s->last, &ppm) || measure_repeated_ppm(&s->recent, &ppm))
		json_object_set_new(o, "repeated_ppm", json_integer(ppm));
	return o;
}

static json_t *pool_json(const struct measure_node *node, const struct measure_pool *p)
{
	json_t *o = json_object();

	set_rate(o, "own_milli", p->recent.own_flows, node->recent_ms);
	set_rate(o, "own_packets_milli", p->recent.own_packets, node->recent_ms);
	set_rate(o, "backup_milli", p->recent.backup_flows, node->recent_ms);
	return o;
}

static json_t *drops_json(const struct measure_node *node)
{
	json_t *o = json_object();

	for (int r = 0; r < FWD_REASON_COUNT; r++)
		if (node->reason_last[r] && fwd_reason_kind((enum fwd_reason)r) == FWD_KIND_DROP)
			set_rate(o, reason_names[r], node->reason_last[r], node->last_ms);
	return o;
}

static const char *service_name(const struct model *m, uint64_t service)
{
	for (size_t i = 0; i < m->n_services; i++)
		if (hash_text(m->services[i].name) == service)
			return m->services[i].name;
	return NULL;
}

static json_t *sources_json(const struct model *m, const struct measure *measure, uint64_t now_ms)
{
	const struct measure_source *list;
	size_t n = measure_sources(measure, &list);
	json_t *out = json_array();
	char text[ADDR_LONG_TEXT_MAX];

	for (size_t i = 0; i < n && json_array_size(out) < OPERATION_MEASURE_SOURCES_MAX; i++) {
		const char *service = service_name(m, list[i].service);

		if (service)
			json_array_append_new(
			        out, json_pack("{s:s, s:s, s:I, s:I, s:I}", "service", service,
			                       "prefix", prefix_text(&list[i].prefix, text),
			                       "flows", (json_int_t)list[i].flows, "sampled",
			                       (json_int_t)list[i].sampled, "age_ms",
			                       (json_int_t)(now_ms > list[i].last_ms
			                                            ? now_ms - list[i].last_ms
			                                            : 0)));
	}
	return out;
}

static json_t *service_flows_json(const struct model *m, const struct measure *measure)
{
	const struct measure_node *node = measure_node(measure);
	json_t *all = json_object();

	for (size_t i = 0; i < m->n_services && i < OPERATION_MEASURE_SERVICES_MAX; i++) {
		const struct measure_service *s = measure_service(measure, m->services[i].name);

		if (s)
			json_object_set_new(all, m->services[i].name, service_json(node, s));
	}
	return all;
}

static json_t *pool_flows_json(const struct model *m, const struct measure *measure)
{
	const struct measure_node *node = measure_node(measure);
	json_t *all = json_object();

	for (size_t i = 0; i < m->n_pools && json_object_size(all) < OPERATION_MEASURE_POOLS_MAX;
	     i++) {
		const struct measure_pool *p = measure_pool(measure, m->pools[i].name);

		if (p)
			json_object_set_new(all, m->pools[i].name, pool_json(node, p));
	}
	return all;
}

static json_t *drill_json(const struct model_override *o, const struct measure_drill *d)
{
	static const char *const states[] = { "over", "prepares", "sends" };

	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "id", o->id, "state",
	                 d->state < 3 ? states[d->state] : "unknown", "begun", (json_int_t)d->begun,
	                 "repeated", (json_int_t)d->repeated, "followed", (json_int_t)d->followed,
	                 "kept", (json_int_t)d->kept);
}

static json_t *drills_json(const struct core *core, const struct model *m)
{
	json_t *list = json_array();
	struct measure *measure;

	if (measure_open(core->dirs.run, &measure))
		return list;
	bool known = !measure_read(measure, clock_mono_ms());
	for (size_t i = 0; known && i < m->n_overrides; i++) {
		const struct measure_drill *d = m->overrides[i].kind == MODEL_OVERRIDE_DRILL
		                                        ? measure_drill(measure, m->overrides[i].id)
		                                        : NULL;

		if (d)
			json_array_append_new(list, drill_json(&m->overrides[i], d));
	}
	measure_close(measure);
	return list;
}

static json_t *flows_json(const struct core *core, const struct model *m)
{
	uint64_t now_ms = clock_mono_ms();
	struct measure *measure;
	json_t *o = NULL;

	if (measure_open(core->dirs.run, &measure))
		return json_null();
	if (!measure_read(measure, now_ms) &&
	    measure_node(measure)->recent_ms >= OPERATION_MEASURE_WINDOW_MS)
		o = json_pack("{s:I, s:o, s:o, s:o, s:o}", "window_ms",
		              (json_int_t)measure_node(measure)->recent_ms, "services",
		              service_flows_json(m, measure), "pools", pool_flows_json(m, measure),
		              "drops", drops_json(measure_node(measure)), "sources",
		              sources_json(m, measure, now_ms));
	measure_close(measure);
	return o ? o : json_null();
}

/* --- what is announced --- */

static json_t *unannounced_json(struct core *core, const struct model *m)
{
	struct guard_said own;
	json_t *list = !guard_facts_own(core, &own) && own.words ? json_object() : NULL;

	for (size_t i = 0;
	     list && i < m->n_vips && json_object_size(list) < OPERATION_MEASURE_VIPS_MAX; i++) {
		enum guard_announced said = guard_said_of(&own, hash_text(m->vips[i].name));

		if (model_node_announces(m->self, &m->vips[i]) && said != GUARD_ANNOUNCED)
			json_object_set_new(
			        list, m->vips[i].name,
			        json_string(said == GUARD_ANNOUNCED_UNKNOWN ? "unknown" : "no"));
	}
	guard_said_fini(&own);
	return list;
}

static json_t *announced_json(const struct core *core, const struct model *m)
{
	struct announcements a;
	char text[ADDR_TEXT_MAX];
	json_t *all = NULL;

	if (!announcements_read(core->dirs.run, m, clock_mono_ms(), &a))
		all = json_object();
	for (size_t i = 0; all && i < a.n; i++)
		json_object_set_new(
		        all, addr_text(&a.items[i].address, text),
		        json_pack("{s:s, s:s}", "intended", announcement_intended(&a.items[i]),
		                  "exported",
		                  proof_fact_text((enum proof_fact)announcement_exported(
		                          &a, &a.items[i]))));
	announcements_fini(&a);
	return all;
}

/* --- all --- */

/* What weir-dns said, and how much it is asked. Under the lock. */
static json_t *dns_json(const struct core *core, const json_t *dns)
{
	json_t *o = json_pack("{s:b}", "serving", json_has_true(dns, "serving"));
	uint64_t milli;

	if (observe_dns_rate(core, &milli))
		json_object_set_new(o, "queries_milli", json_integer((json_int_t)milli));
	return o;
}

/* What is known under the lock: the load, what weir-dns said last (shared). */
static json_t *head_json(struct core *core, const struct model *m, json_t **dns)
{
	struct node_drain drain = node_drain_copy(core);
	uint64_t bits;
	json_t *o = json_pack("{s:s, s:s, s:s}", "node", core->dirs.node, "cluster",
	                      m ? m->cluster : "", "announce", node_drain_state(&drain));

	if (observe_load(core, &bits))
		json_object_set_new(o, "bits_per_s", json_integer((json_int_t)bits));
	*dns = json_incref(observe_dns(core));
	if (*dns)
		json_object_set_new(o, "dns", dns_json(core, *dns));
	return o;
}

static void add_checks(json_t *all, const struct model *m, const struct health_page *page)
{
	json_t *checks = operation_checks_json(m, page);

	json_object_set_new(all, "checks", checks);
	json_object_set_new(all, "check_sources", operation_check_sources_json(m, checks));
}

/* What is announced, with proof or without. */
static void add_announced(struct core *core, const struct model *m, const char *announced_at,
                          json_t *all)
{
	bool is_included =
	        announced_at && (!*announced_at || !strcmp(announced_at, m->self->site->name));
	json_t *unannounced = unannounced_json(core, m);
	json_t *announced = is_included ? announced_json(core, m) : NULL;

	if (unannounced)
		json_object_set_new(all, "unannounced", unannounced);
	if (announced)
		json_object_set_new(all, "announcements", announced);
}

json_t *operation_measure_json(struct core *core, const char *announced_at)
{
	struct observe_pages pages;
	json_t *dns;

	core_lock(core);
	struct intent_shared *shared = intent_share(core->intent);
	const struct model *m = intent_shared_model(shared);
	json_t *all = head_json(core, m, &dns);
	core_unlock(core);
	observe_open(core->dirs.run, &pages);
	if (all && m && m->self) {
		if (dns)
			json_object_set_new(all, "sites",
			                    operation_sites_json(dns, m->self->site->name));
		if (pages.health_fresh)
			json_object_set_new(all, "pools", pools_json(m, pages.health));
		if (pages.health_fresh)
			add_checks(all, m, pages.health);
		if (pages.effect_fresh)
			json_object_set_new(all, "backups",
			                    backup_status_json(&(struct backup_evidence){
			                            m, pages.effect,
			                            pages.health_fresh ? pages.health : NULL }));
		json_object_set_new(all, "flows", flows_json(core, m));
		json_object_set_new(all, "drills", drills_json(core, m));
		if (m->self->announce.daemon != MODEL_DAEMON_NONE)
			add_announced(core, m, announced_at, all);
	}
	observe_close(&pages);
	intent_unshare(shared);
	json_decref(dns);
	return all;
}
