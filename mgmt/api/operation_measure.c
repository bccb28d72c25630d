/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A site is up as seen from outside if one of its services is, in one address family: more of the
 * other sites' fresh observations say up than say down. Where sites do not vote, weir-dns goes by
 * this node's own checks, which are from outside for other sites alone. A site that nobody else
 * checks is not "checked": then its own pools decide. Where nobody knows, "up" is missing.
 */
#include "mgmt/api/operation_measure.h"

#include <string.h>

#include "base/clock.h"
#include "mgmt/api/node_drain.h"
#include "mgmt/api/backup_status.h"
#include "mgmt/api/observe.h"
#include "mgmt/store/key.h"
#include "weir/health.h"

#define PPM_WHOLE 1000000u

/* --- sites, as weir-dns sees them --- */

/* Observations of one service at a site in one family. */
struct outside_count {
	unsigned n_up, n_down;
};

static void count_word(const char *word, struct outside_count *c)
{
	if (word && !strcmp(word, "up"))
		c->n_up++;
	else if (word && !strcmp(word, "down"))
		c->n_down++;
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* What nodes of other sites say of @p row in @p family, or this node alone where sites do not vote. */
static struct outside_count count_outside(const json_t *row, const char *family,
                                          const char *own_site)
{
	const json_t *views = json_object_get(row, "views");
	const char *site = text_of(row, "site");
	struct outside_count c = { 0 };

	for (size_t i = 0; i < json_array_size(views); i++) {
		const json_t *view = json_array_get(views, i);

		if (json_is_true(json_object_get(view, "fresh")) &&
		    !json_is_true(json_object_get(view, "inconclusive")) &&
		    !json_is_true(json_object_get(view, "unproven")) &&
		    strcmp(text_of(view, "site"), site) != 0)
			count_word(text_of(view, family), &c);
	}
	if (json_array_size(views) == 0 && strcmp(site, own_site) != 0 &&
	    !json_is_true(json_object_get(row, "unproven")))
		count_word(text_of(row, family), &c);
	return c;
}

static json_t *find_site(json_t *sites, const char *name)
{
	for (size_t i = 0; i < json_array_size(sites); i++) {
		json_t *one = json_array_get(sites, i);

		if (!strcmp(text_of(one, "site"), name))
			return one;
	}
	json_t *one = json_pack("{s:s, s:b, s:b, s:b}", "site", name, "checked", 0, "failing", 0,
	                        "disabled", 0);
	json_array_append_new(sites, one);
	return one;
}

static void raise_flag(json_t *site, const char *flag)
{
	json_object_set_new(site, flag, json_true());
}

static void note_site(json_t *sites, const json_t *row, const char *own_site)
{
	static const char *const families[] = { "ipv4", "ipv6" };
	json_t *site = find_site(sites, text_of(row, "site"));

	if (json_is_true(json_object_get(row, "disabled")))
		raise_flag(site, "disabled");
	for (size_t i = 0; i < 2; i++) {
		struct outside_count c = count_outside(row, families[i], own_site);
		const char *in_force = text_of(row, families[i]);

		if (c.n_up + c.n_down > 0)
			raise_flag(site, "checked");
		if (c.n_down > 0)
			raise_flag(site, "failing");
		if (c.n_up + c.n_down == 0) /* nobody outside says: what is in force, if known */
			count_word(in_force, &c);
		if (c.n_up > c.n_down)
			raise_flag(site, "up");
		else if (c.n_down && !json_object_get(site, "up"))
			json_object_set_new(site, "up", json_false());
	}
}

json_t *operation_sites_json(const json_t *dns, const char *own_site)
{
	const json_t *names = json_object_get(dns, "names");
	json_t *sites = json_array();

	for (size_t i = 0; i < json_array_size(names); i++) {
		const json_t *rows = json_object_get(json_array_get(names, i), "sites");

		for (size_t k = 0; k < json_array_size(rows); k++)
			note_site(sites, json_array_get(rows, k), own_site);
	}
	return sites;
}

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
	*up_ppm = all ? up * PPM_WHOLE / all : 0;
	*unknown_ppm = all ? unknown * PPM_WHOLE / all : 0;
}

static json_t *pools_json(const struct model *m, const struct health_page *page)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->n_pools; i++) {
		const struct model_pool *pool = &m->pools[i];
		uint64_t up_ppm, unknown_ppm;

		if (!m->self || pool->site != m->self->site ||
		    json_array_size(list) == OPERATION_MEASURE_SERVICES_MAX)
			continue;
		weigh_pool(pool, page, &up_ppm, &unknown_ppm);
		json_array_append_new(
		        list, json_pack("{s:s, s:I, s:I, s:I}", "pool", pool->name, "up_ppm",
		                        (json_int_t)up_ppm, "unknown_ppm", (json_int_t)unknown_ppm,
		                        "min_ppm", (json_int_t)pool->min_healthy_percent * 10000));
	}
	return list;
}

/* --- all --- */

/* What is known under the lock: the head, the load, what weir-dns said last (shared). */
static json_t *head_json(struct core *core, const struct model *m, json_t **dns)
{
	const struct version *head = intent_head(core->intent);
	uint64_t bits;
	json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:[s, s]}", "node", core->dirs.node,
	                      "site", m && m->self ? m->self->site->name : "", "cluster",
	                      m ? m->cluster : "", "version", (json_int_t)(head ? head->number : 0),
	                      "digest", head ? head->digest : "", "hash_key",
	                      key_status(core->intent)->found, "features", "steps", "operations");

	struct node_drain drain = node_drain_copy(core);
	json_object_set_new(o, "announce", json_string(node_drain_state(&drain)));
	if (observe_load(core, &bits))
		json_object_set_new(o, "bits_per_s", json_integer((json_int_t)bits));
	*dns = json_incref(observe_dns(core));
	return o;
}

static json_t *dns_json(const json_t *dns)
{
	return json_pack("{s:b}", "serving", json_is_true(json_object_get(dns, "serving")));
}

json_t *operation_measure_json(struct core *core)
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
		if (dns) {
			json_object_set_new(all, "dns", dns_json(dns));
			json_object_set_new(all, "sites",
			                    operation_sites_json(dns, m->self->site->name));
		}
		if (pages.health_fresh)
			json_object_set_new(all, "pools", pools_json(m, pages.health));
		if (pages.effect_fresh)
			json_object_set_new(all, "backups", backup_status_json(m, pages.effect));
		json_object_set_new(all, "flows", operation_flows_json(core, m));
	}
	observe_close(&pages);
	intent_unshare(shared);
	json_decref(dns);
	return all;
}
