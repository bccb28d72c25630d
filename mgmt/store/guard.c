/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each guard adds one verdict with a sentence. What is not known (no health page, no load figures)
 * does not refuse: a drain must be possible while half the cluster cannot be seen. The load of
 * receivers is a forecast: the traffic that leaves is shared among them by their weights.
 */
#include "mgmt/store/guard_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "weir/health.h"

/* A site or backend that could take traffic, with its weight before and after the command. */
struct guard_candidate {
	const char *name;
	uint64_t weight_before, weight_after;
};

static bool seen_down(const struct guard_observed *seen, uint64_t target)
{
	int index = seen->health ? health_find_index(seen->health, target) : -1;

	return index >= 0 && health_state(health_read(seen->health, index)) == HEALTH_DOWN;
}

/* Down in every address family that it has. */
static bool service_seen_down(const struct guard_observed *seen, const struct model_service *s,
                              const struct model_at *at)
{
	bool any = false;

	for (size_t i = 0; i < at->vip->n_addresses; i++) {
		bool ip4 = addr_is4(&at->vip->addresses[i]);

		if (!seen_down(seen, health_target_service(s->name, at->site->name, ip4)))
			return false;
		any = true;
	}
	return any;
}

static void add_receiver(struct guard_result *r, const struct guard_candidate *p,
                         uint64_t sum_before, uint64_t sum_after)
{
	if (r->n_receivers >= r->max_receivers)
		return;
	r->receivers[r->n_receivers++] = (struct guard_receiver){
		.name = p->name,
		.before_ppm =
		        sum_before ? (uint32_t)(p->weight_before * MODEL_PPM_ALL / sum_before) : 0,
		.after_ppm =
		        sum_after ? (uint32_t)(p->weight_after * MODEL_PPM_ALL / sum_after) : 0,
	};
}

static void add_receivers(struct guard_result *r, const struct guard_candidate *candidates,
                          size_t n)
{
	uint64_t before = 0, after = 0;

	for (size_t i = 0; i < n; i++) {
		before += candidates[i].weight_before;
		after += candidates[i].weight_after;
	}
	for (size_t i = 0; i < n; i++)
		if (candidates[i].weight_after > 0)
			add_receiver(r, &candidates[i], before, after);
}

/* The level of drains of @p site in force, the largest of all. */
static uint32_t site_level(const struct overrides *overrides, const char *site, int64_t now_ms)
{
	uint32_t level = 0;

	for (size_t i = 0; i < overrides->n_items; i++) {
		const struct override *o = &overrides->items[i];

		if (o->target != MODEL_TARGET_SITE || strcmp(o->name, site) || *o->service ||
		    (o->kind != MODEL_OVERRIDE_DRAIN && o->kind != MODEL_OVERRIDE_DISABLE))
			continue;
		uint32_t own = overrides_level(overrides, o, now_ms);
		level = own > level ? own : level;
	}
	return level;
}

/* Whether some service of @p site is at @p other, too, and not seen down there. */
static bool shares_service(const struct model *m, const struct guard_observed *seen,
                           const char *site, const char *other)
{
	for (size_t i = 0; i < m->n_services; i++) {
		const struct model_service *s = &m->services[i];

		for (size_t k = 0; model_service_at(s, site) && k < s->n_at; k++)
			if (!strcmp(s->at[k].site->name, other) &&
			    !service_seen_down(seen, s, &s->at[k]))
				return true;
	}
	return false;
}

/* Whether a step has drained @p s alone at @p site. */
static bool service_is_drained(const struct overrides *overrides, const struct model_service *s,
                               const char *site, int64_t now_ms)
{
	for (size_t i = 0; i < overrides->n_items; i++) {
		const struct override *o = &overrides->items[i];

		if (o->target == MODEL_TARGET_SITE && o->is_step && o->to_ppm == MODEL_PPM_ALL &&
		    !strcmp(o->service, s->name) && !strcmp(o->name, site) &&
		    !override_is_done(o, now_ms) && override_time(o, now_ms) < o->until_ms)
			return true;
	}
	return false;
}

/* Whether @p s can be served elsewhere than at @p site. */
static bool lives_elsewhere(const struct model_service *s, const char *site,
                            const struct overrides *overrides, const struct guard_observed *seen,
                            int64_t now_ms)
{
	for (size_t i = 0; i < s->n_at; i++) {
		const char *other = s->at[i].site->name;

		if (strcmp(other, site) &&
		    !guard_is_out(overrides, MODEL_TARGET_SITE, "", other, now_ms) &&
		    !service_is_drained(overrides, s, other, now_ms) &&
		    !service_seen_down(seen, s, &s->at[i]))
			return true;
	}
	return false;
}

/* How many services have a VIP at @p site that lives at others, too: the answers keep it. */
static size_t count_unmoved(const struct model *m, const char *site)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_services; i++)
		for (size_t k = 0; k < m->services[i].n_at; k++) {
			const struct model_at *at = &m->services[i].at[k];

			n += !strcmp(at->site->name, site) && at->vip->n_sites > 1;
		}
	return n;
}

static void check_last_site(const struct model *m, const struct overrides *overrides,
                            const char *site, const struct guard_observed *seen, int64_t now_ms,
                            struct guard_result *r)
{
	for (size_t i = 0; i < m->n_services; i++) {
		const struct model_service *s = &m->services[i];

		if (!model_service_at(s, site) || lives_elsewhere(s, site, overrides, seen, now_ms))
			continue;
		guard_add_verdict(r, GUARD_LAST_SITE, false,
		                  "service %s has no other site that takes traffic", s->name);
		return;
	}
	size_t n = count_unmoved(m, site);
	if (n)
		guard_add_verdict(
		        r, GUARD_LAST_SITE, true,
		        "each service at %s has another site. DNS cannot move %zu of these services, "
		        "because their VIP lives at several sites: drain the site's nodes",
		        site, n);
	else
		guard_add_verdict(r, GUARD_LAST_SITE, true, "each service at %s has another site",
		                  site);
}

/* What is measured at a site; NULL: nothing. */
static const struct guard_rate *rate_of(const struct guard_rate *rates, size_t n, const char *site)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(rates[i].site, site))
			return &rates[i];
	return NULL;
}

static uint64_t load_after(uint64_t own, uint64_t leaving, uint32_t after_ppm)
{
	return own + (uint64_t)((unsigned __int128)leaving * after_ppm / MODEL_PPM_ALL);
}

/* Whether the receiver has room for its part of the bits that leave @p site. */
static enum guard_fit fit_bits(const struct model *m, const char *site,
                               const struct guard_observed *seen, struct guard_receiver *x)
{
	const struct guard_rate *leaving = rate_of(seen->loads, seen->n_loads, site),
	                        *own = rate_of(seen->loads, seen->n_loads, x->name);
	uint64_t percent;

	x->capacity_bits = model_site(m, x->name)->capacity_bits;
	x->known = own && leaving;
	if (x->known && x->capacity_bits) {
		x->before_bits = own->per_s;
		x->after_bits = load_after(own->per_s, leaving->per_s, x->after_ppm);
	}
	return guard_fit(x->capacity_bits, x->known, x->after_bits, &percent);
}

/* The same of new flows. @p after  written if they are known */
static enum guard_fit fit_flows(const struct model *m, const char *site,
                                const struct guard_observed *seen, const struct guard_receiver *x,
                                uint64_t *after)
{
	const struct guard_rate *leaving = rate_of(seen->flows, seen->n_flows, site),
	                        *own = rate_of(seen->flows, seen->n_flows, x->name);
	uint64_t percent;

	if (own && leaving)
		*after = load_after(own->per_s, leaving->per_s, x->after_ppm);
	return guard_fit(model_site(m, x->name)->capacity_flows, own && leaving, *after, &percent);
}

/* Forecast the receivers' load, given that the traffic of @p site follows the weights. */
static void check_receivers(const struct model *m, const char *site,
                            const struct guard_observed *seen, struct guard_result *r)
{
	size_t n_unknown = 0, n_stated = 0;

	for (size_t i = 0; i < r->n_receivers; i++) {
		struct guard_receiver *x = &r->receivers[i];
		uint64_t flows = 0;
		enum guard_fit of_bits = fit_bits(m, site, seen, x),
		               of_flows = fit_flows(m, site, seen, x, &flows);

		n_stated += of_bits != GUARD_FIT_NOT_STATED || of_flows != GUARD_FIT_NOT_STATED;
		n_unknown += of_bits == GUARD_FIT_UNKNOWN || of_flows == GUARD_FIT_UNKNOWN;
		if (of_bits == GUARD_FIT_NO)
			guard_add_verdict(r, GUARD_ROOM, false,
			                  "site %s would have %" PRIu64
			                  " bits/s, more than %u %% of its capacity of %" PRIu64,
			                  x->name, x->after_bits, GUARD_ROOM_PERCENT,
			                  x->capacity_bits);
		else if (of_flows == GUARD_FIT_NO)
			guard_add_verdict(
			        r, GUARD_ROOM, false,
			        "site %s would have %" PRIu64
			        " new flows/s, more than %u %% of its capacity of %" PRIu64,
			        x->name, flows, GUARD_ROOM_PERCENT,
			        model_site(m, x->name)->capacity_flows);
		else
			continue;
		return;
	}
	if (!n_stated && r->n_receivers)
		guard_add_verdict(r, GUARD_ROOM, true,
		                  "not checked: no receiving site states a capacity")
		        ->unknown = true;
	else if (n_unknown)
		guard_add_verdict(r, GUARD_ROOM, true,
		                  "load of %zu of %zu receiving sites is unknown", n_unknown,
		                  r->n_receivers)
		        ->unknown = true;
	else
		guard_add_verdict(r, GUARD_ROOM, true,
		                  "all receiving sites stay below %u %% of their capacity",
		                  GUARD_ROOM_PERCENT);
}

static void check_site(const struct model *m, const struct overrides *overrides, const char *site,
                       const struct guard_observed *seen, int64_t now_ms, struct guard_result *r)
{
	struct guard_candidate candidates[GUARD_SITES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < m->n_sites && n < GUARD_SITES_MAX; i++) {
		const struct model_site *s = &m->sites[i];
		bool leaves = !strcmp(s->name, site);
		uint64_t open = MODEL_PPM_ALL - site_level(overrides, s->name, now_ms);

		if (leaves || shares_service(m, seen, site, s->name))
			candidates[n++] = (struct guard_candidate){ s->name, s->weight * open,
				                                    leaves ? 0 : s->weight * open };
	}
	add_receivers(r, candidates, n);
	check_last_site(m, overrides, site, seen, now_ms, r);
	check_receivers(m, site, seen, r);
}

/* The weight by which @p b gets new flows: none while it is seen down. */
static uint32_t serving_weight(const struct model_pool *pool, const struct model_backend *b,
                               const struct guard_observed *seen)
{
	return seen_down(seen, health_target_backend(pool->name, b->id)) ? 0 : b->weight;
}

/* Two passes: a receiver's share needs the sums over all backends. */
static void check_backend(const struct model_pool *pool, const struct overrides *overrides,
                          const char *name, const struct guard_observed *seen, int64_t now_ms,
                          struct guard_result *r)
{
	uint64_t before = 0, after = 0;
	size_t left = 0;

	for (size_t pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < pool->n_backends; i++) {
			const struct model_backend *b = &pool->backends[i];
			bool leaves = !strcmp(b->name, name);
			uint32_t weight = serving_weight(pool, b, seen);

			if (!weight || (!leaves && guard_is_out(overrides, MODEL_TARGET_BACKEND,
			                                        pool->name, b->name, now_ms)))
				continue;
			if (pass == 0) {
				before += weight;
				after += leaves ? 0 : weight;
			} else if (!leaves) {
				struct guard_candidate p = { b->name, weight, weight };

				add_receiver(r, &p, before, after);
				left++;
			}
		}
	if (left == 0)
		guard_add_verdict(r, GUARD_LAST_BACKEND, false,
		                  "pool %s has no other backend for new flows that is not down",
		                  pool->name);
	else
		guard_add_verdict(r, GUARD_LAST_BACKEND, true, "pool %s keeps %zu backends",
		                  pool->name, left);
}

void guard_check(const struct model *m, const struct overrides *overrides,
                 const struct override *target, const struct guard_observed *seen, int64_t now_ms,
                 struct guard_result *result)
{
	const struct model_pool *pool =
	        target->target == MODEL_TARGET_BACKEND ? model_pool(m, target->pool) : NULL;

	result->n_verdicts = 0;
	result->n_receivers = 0;
	if (target->target == MODEL_TARGET_SITE)
		check_site(m, overrides, target->name, seen, now_ms, result);
	else if (target->target == MODEL_TARGET_NODE)
		guard_check_node(m, overrides, target->name, seen, now_ms, result);
	else if (pool)
		check_backend(pool, overrides, target->name, seen, now_ms, result);
}
