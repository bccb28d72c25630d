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
#include "mgmt/operations/operation.h"
#include "record/fields.h"
#include "weir/health.h"
#include "weir/measure.h"
#include "weir/proof.h"

/* --- pools of the own site --- */

/* How much of a pool's weight is up, how much is unknown, how much it needs. */
#define POOL_WEIGHT_ROWS(X, t)                                                                     \
	X(t, uint64_t, up_ppm)                                                                     \
	X(t, uint64_t, unknown_ppm)                                                                \
	X(t, uint64_t, min_ppm)
RECORD_SHOWN(pool_weight, "pool", POOL_WEIGHT_ROWS);

static struct pool_weight weigh_pool(const struct model_pool *pool, const struct health_page *page)
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
	return (struct pool_weight){ .up_ppm = all ? up * MODEL_PPM_ALL / all : 0,
		                     .unknown_ppm = all ? unknown * MODEL_PPM_ALL / all : 0,
		                     .min_ppm = (uint64_t)pool->min_healthy_percent * 10000 };
}

static json_t *pools_json(const struct model *m, const struct health_page *page)
{
	json_t *all = json_object();

	for (size_t i = 0; i < m->n_pools; i++) {
		const struct model_pool *pool = &m->pools[i];

		if (!m->self || pool->site != m->self->site ||
		    json_object_size(all) == OPERATION_MEASURE_POOLS_MAX)
			continue;
		struct pool_weight weight = weigh_pool(pool, page);
		json_object_set_new(all, pool->name, record_shown(&pool_weight_kind, &weight));
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

#define ARRIVING_SOURCE_ROWS(X, t)                                                                 \
	X(t, const char *, service)                                                                \
	X(t, const char *, prefix)                                                                 \
	X(t, uint64_t, flows)                                                                      \
	X(t, uint64_t, sampled)                                                                    \
	X(t, uint64_t, age_ms)
RECORD_SHOWN(arriving_source, "source", ARRIVING_SOURCE_ROWS);

static json_t *sources_json(const struct model *m, const struct measure *measure, uint64_t now_ms)
{
	const struct measure_source *list;
	size_t n = measure_sources(measure, &list);
	json_t *out = json_array();
	char text[ADDR_LONG_TEXT_MAX];

	for (size_t i = 0; i < n && json_array_size(out) < OPERATION_MEASURE_SOURCES_MAX; i++) {
		const struct measure_source *of = &list[i];
		struct arriving_source s = { .service = service_name(m, of->service),
			                     .prefix = prefix_text(&of->prefix, text),
			                     .flows = of->flows,
			                     .sampled = of->sampled,
			                     .age_ms = now_ms > of->last_ms ? now_ms - of->last_ms
			                                                    : 0 };

		if (s.service)
			json_array_append_new(out, record_shown(&arriving_source_kind, &s));
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

static const struct record_kind counts_record =
        RECORD_OF(struct measure_drill, "counts", NULL, SHOW(struct measure_drill, begun),
                  SHOW(struct measure_drill, repeated), SHOW(struct measure_drill, followed),
                  SHOW(struct measure_drill, kept));
#define SHOWN_DRILL_ROWS(X, t)                                                                     \
	X(t, const char *, id)                                                                     \
	X(t, const char *, state)                                                                  \
	X(t, const struct measure_drill *, counts, AS_ROWS(counts_record), .behind = true)
RECORD_SHOWN(shown_drill, "drill", SHOWN_DRILL_ROWS);

static json_t *drill_json(const struct model_override *o, const struct measure_drill *d)
{
	static const char *const states[] = { "over", "prepares", "sends" };

	return SHOWN(shown_drill, .id = o->id, .state = d->state < 3 ? states[d->state] : "unknown",
	             .counts = d);
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

#define FLOWS_ROWS(X, t)                                                                           \
	X(t, uint32_t, window_ms)                                                                  \
	X(t, json_t *, services)                                                                   \
	X(t, json_t *, pools)                                                                      \
	X(t, json_t *, drops)                                                                      \
	X(t, json_t *, sources, .each = &arriving_source_kind)
RECORD_SHOWN(flows, "flows", FLOWS_ROWS);

static json_t *flows_json(const struct core *core, const struct model *m)
{
	uint64_t now_ms = clock_mono_ms();
	struct measure *measure;
	json_t *o = NULL;

	if (measure_open(core->dirs.run, &measure))
		return json_null();
	if (!measure_read(measure, now_ms) &&
	    measure_node(measure)->recent_ms >= OPERATION_MEASURE_WINDOW_MS)
		o = SHOWN(flows, .window_ms = measure_node(measure)->recent_ms,
		          .services = service_flows_json(m, measure),
		          .pools = pool_flows_json(m, measure),
		          .drops = drops_json(measure_node(measure)),
		          .sources = sources_json(m, measure, now_ms));
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

#define SHOWN_ANNOUNCED_ROWS(X, t)                                                                 \
	X(t, const char *, intended)                                                               \
	X(t, const char *, exported)
RECORD_SHOWN(shown_announced, "announced", SHOWN_ANNOUNCED_ROWS);

static json_t *announced_json(const struct core *core, const struct model *m)
{
	struct announcements a;
	char text[ADDR_TEXT_MAX];
	json_t *all = NULL;

	if (!announcements_read(core->dirs.run, m, clock_mono_ms(), &a))
		all = json_object();
	for (size_t i = 0; all && i < a.n; i++) {
		struct shown_announced one = { .intended = announcement_intended(&a.items[i]),
			                       .exported = proof_fact_text(
			                               (enum proof_fact)announcement_exported(
			                                       &a, &a.items[i])) };

		json_object_set_new(all, addr_text(&a.items[i].address, text),
		                    record_shown(&shown_announced_kind, &one));
	}
	announcements_fini(&a);
	return all;
}

/* --- all --- */

#define DNS_SAID_ROWS(X, t)                                                                        \
	X(t, bool, serving)                                                                        \
	X(t, struct operation_value, queries_milli, .kind = FIELD_KNOWN, .spare = true)
RECORD_SHOWN(dns_said, "dns", DNS_SAID_ROWS);

#define MEASURED_ROWS(X, t)                                                                        \
	X(t, const char *, node)                                                                   \
	X(t, const char *, cluster)                                                                \
	X(t, const char *, announce)                                                               \
	X(t, struct operation_value, bits_per_s, .kind = FIELD_KNOWN, .spare = true)               \
	X(t, json_t *, dns, .spare = true, .of = &dns_said_kind)                                   \
	X(t, json_t *, sites, .spare = true)                                                       \
	X(t, json_t *, pools, .spare = true)                                                       \
	X(t, json_t *, checks, .spare = true)                                                      \
	X(t, json_t *, check_sources, .spare = true)                                               \
	X(t, json_t *, backups, .spare = true)                                                     \
	X(t, json_t *, flows, .spare = true)                                                       \
	X(t, json_t *, drills, .spare = true, .each = &shown_drill_kind)                           \
	X(t, json_t *, unannounced, .spare = true)                                                 \
	X(t, json_t *, announcements, .spare = true)
RECORD_SHOWN(measured, "measure", MEASURED_ROWS);

/* What is known under the lock: the load, what weir-dns said last (shared) and how much it is asked. */
static struct measured measure_head(struct core *core, const struct model *m, json_t **dns)
{
	struct node_drain drain = node_drain_copy(core);
	struct measured all = { .node = core->dirs.node,
		                .cluster = m ? m->cluster : "",
		                .announce = node_drain_state(&drain) };
	struct dns_said said;

	all.bits_per_s.known = observe_load(core, &all.bits_per_s.value);
	*dns = json_incref(observe_dns(core));
	said = (struct dns_said){ .serving = json_has_true(*dns, "serving") };
	said.queries_milli.known = observe_dns_rate(core, &said.queries_milli.value);
	if (*dns)
		all.dns = record_shown(&dns_said_kind, &said);
	return all;
}

/* What is announced, with proof or without. */
static void add_announced(struct core *core, const struct model *m, const char *announced_at,
                          struct measured *all)
{
	bool is_included =
	        announced_at && (!*announced_at || !strcmp(announced_at, m->self->site->name));

	all->unannounced = unannounced_json(core, m);
	all->announcements = is_included ? announced_json(core, m) : NULL;
}

json_t *operation_measure_json(struct core *core, const char *announced_at)
{
	struct observe_pages pages;
	json_t *dns;

	core_lock(core);
	struct intent_shared *shared = intent_share(core->intent);
	const struct model *m = intent_shared_model(shared);
	struct measured all = measure_head(core, m, &dns);
	core_unlock(core);
	observe_open(core->dirs.run, &pages);
	const struct health_page *health = pages.health_fresh ? pages.health : NULL;
	if (m && m->self) {
		if (dns)
			all.sites = operation_sites_json(dns, m->self->site->name);
		if (pages.health_fresh) {
			all.pools = pools_json(m, health);
			all.checks = operation_checks_json(m, health);
			all.check_sources = operation_check_sources_json(m, all.checks);
		}
		if (pages.effect_fresh)
			all.backups = backup_status_json(
			        &(struct backup_evidence){ m, pages.effect, health });
		all.flows = flows_json(core, m);
		all.drills = drills_json(core, m);
		if (m->self->announce.daemon != MODEL_DAEMON_NONE)
			add_announced(core, m, announced_at, &all);
	}
	json_t *json = record_shown(&measured_kind, &all);
	observe_close(&pages);
	intent_unshare(shared);
	json_decref(dns);
	return json;
}
