/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * New flows as weir-dataplane measures them (weir/measure.h), in JSON. Ratios of the sample are left
 * out when the sample is too small: a missing one is unknown. So is all of it in the first seconds of
 * a weir-dataplane: half a second without a new flow is no silent site.
 */
#include "mgmt/api/operation_measure.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "weir/measure.h"

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

static json_t *services_json(const struct model *m, const struct measure *measure)
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

static json_t *pools_json(const struct model *m, const struct measure *measure)
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

json_t *operation_drills_json(const struct core *core, const struct model *m)
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

json_t *operation_flows_json(const struct core *core, const struct model *m)
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
		              services_json(m, measure), "pools", pools_json(m, measure), "drops",
		              drops_json(measure_node(measure)), "sources",
		              sources_json(m, measure, now_ms));
	measure_close(measure);
	return o ? o : json_null();
}
