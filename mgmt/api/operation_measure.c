/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each part is made from what is known now, and left out where nothing is. Where sites are up is in
 * operation_outside.c, what weir-dataplane counts in operation_flows.c.
 */
#include "mgmt/api/operation_measure.h"

#include <string.h>

#include "mgmt/api/node_drain.h"
#include "mgmt/api/backup_status.h"
#include "mgmt/api/observe.h"
#include "weir/health.h"

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
	json_t *unannounced = operation_vips_json(core, m);
	json_t *announced = is_included ? operation_announced_json(core, m) : NULL;

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
	observe_open(core, &pages);
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
		json_object_set_new(all, "flows", operation_flows_json(core, m));
		json_object_set_new(all, "drills", operation_drills_json(core, m));
		if (m->self->announce.daemon != MODEL_DAEMON_NONE)
			add_announced(core, m, announced_at, all);
	}
	observe_close(&pages);
	intent_unshare(shared);
	json_decref(dns);
	return all;
}
