/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The drain of a site must not end while clients cannot reach the site, which its own nodes cannot
 * tell. So only other sites are asked. One service that is up in one family is enough: the question
 * is the path to the site, not the health of each service.
 */
#include "dns/steering/outside.h"

#include <string.h>

/* Whether other sites' nodes probe a service there. */
static bool is_checked_outside(const struct model *m, const struct model_service *s,
                               const struct model_site *site)
{
	for (size_t i = 0; s->vip_check && i < m->n_nodes; i++)
		if (m->nodes[i].site != site)
			return true;
	return false;
}

/*
 * A default check that never succeeded from any other site says nothing: the sites cannot reach
 * each other's VIPs.
 */
static bool is_visible_outside(const struct outside *o, const struct model_service *s,
                               const struct model_site *site, size_t target)
{
	return is_checked_outside(o->model, s, site) &&
	       !(s->vip_check_from == MODEL_VIP_CHECK_DEFAULT &&
	         peer_health_is_unproven(o->peer_health, target, site));
}

static bool is_forced_up(const struct model *m, const struct model_site *site,
                         int64_t wall_clock_ms)
{
	for (size_t i = 0; i < m->n_overrides; i++) {
		const struct model_override *o = &m->overrides[i];

		if (o->kind == MODEL_OVERRIDE_FORCE_UP && o->target == MODEL_TARGET_SITE &&
		    !o->ended && o->from_ms <= wall_clock_ms && wall_clock_ms < o->until_ms &&
		    strcmp(o->name, site->name) == 0)
			return true;
	}
	return false;
}

static bool is_target_up(const struct outside *o, const struct model_service *s,
                         const struct model_site *site, size_t target)
{
	struct majority m = peer_health_from_outside(o->peer_health, target, site);

	if (m.n_up > m.n_down)
		return true;
	if (is_visible_outside(o, s, site, target))
		return false;
	m = peer_health_from_inside(o->peer_health, target, site);
	return health_state(m.word) != HEALTH_DOWN;
}

/* Whether a service is up at a site, which has number @p at among the states, in one family that it has there. */
static bool is_service_up(const struct outside *o, const struct model_service *s,
                          const struct model_site *site, const struct steering_site *steering,
                          size_t at)
{
	for (unsigned ip4 = 0; ip4 < 2; ip4++)
		if (steering->n_addresses[ip4] && is_target_up(o, s, site, 2 * at + ip4))
			return true;
	return false;
}

bool outside_is_up(const struct outside *o, const struct model_site *site, int64_t wall_clock_ms)
{
	bool any = false;

	for (size_t i = 0; i < o->steering->n_services; i++) {
		const struct steering_service *s = &o->steering->services[i];

		for (uint32_t k = 0; k < s->n_sites; k++) {
			if (strcmp(s->sites[k].name, site->name) != 0)
				continue;
			if (is_service_up(o, &o->model->services[i], site, &s->sites[k],
			                  s->first_state + k))
				return true;
			any = true;
		}
	}
	return !any || is_forced_up(o->model, site, wall_clock_ms);
}
