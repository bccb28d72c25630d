/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a service's VIPs are checked: by the check that is named, by none, or by the default, which
 * is no entry of checks[]. A VIP that lives at several sites has no check: routers would lead the
 * probe to the nearest site, which may be the prober's own.
 */
#include "model/build.h"

#include <string.h>

const struct model_check model_default_vip_check = {
	.name = "default",
	.type = MODEL_CHECK_TCP,
	.path = "/",
	.host = "",
	.expect = 200,
	.via = MODEL_VIA_DIRECT,
	.interval_ms = 1000,
	.fast_interval_ms = 200,
	.timeout_ms = 1000,
	.rise = 2,
	.fall = 3,
	.damp_turns = 5,
	.damp_half_life_ms = 60000,
	.damp_max_ms = 300000,
	.detect_worst_ms = 4000, /* interval, two more probes, and the last timeout */
};

void build_vip_check(const struct model_build *b, const struct item *item,
                     struct model_service *service)
{
	const struct value *v = bind_value(item, SCHEMA_SERVICES_VIP_CHECK);

	if (v->ok && v->node && !strcmp(v->text, MODEL_NO_CHECK)) {
		service->vip_check_from = MODEL_VIP_CHECK_OFF;
	} else if (v->node) {
		service->vip_check = build_resolve(b, item, SCHEMA_SERVICES_VIP_CHECK);
		service->vip_check_from = MODEL_VIP_CHECK_GIVEN;
	} else if (service->protocol == MODEL_TCP && service->n_at > 1 &&
	           !model_service_is_shared(service)) {
		service->vip_check = &model_default_vip_check;
		service->vip_check_from = MODEL_VIP_CHECK_DEFAULT;
	}
}

bool model_vip_has_family(const struct model_vip *vip, bool ip4)
{
	for (size_t i = 0; i < vip->n_addresses; i++)
		if (addr_is4(&vip->addresses[i]) == ip4)
			return true;
	return false;
}

bool model_vip_is_at(const struct model_vip *vip, const struct model_site *site)
{
	for (size_t i = 0; i < vip->n_sites; i++)
		if (vip->sites[i] == site)
			return true;
	return false;
}

/* A vip is NULL while an erroneous document is read. */
bool model_service_is_shared(const struct model_service *service)
{
	for (size_t i = 0; i < service->n_at; i++)
		if (service->at[i].vip && service->at[i].vip->n_sites > 1)
			return true;
	return false;
}

bool model_service_has_one_vip(const struct model_service *service)
{
	for (size_t i = 1; i < service->n_at; i++)
		if (service->at[i].vip != service->at[0].vip)
			return false;
	return true;
}

bool model_service_is_unwatched(const struct model_service *service)
{
	return !service->vip_check && !model_service_has_one_vip(service);
}

size_t model_probes(const struct model *m, const struct model_vip *vip, uint64_t *milli_per_s)
{
	size_t n_nodes = 0;
	unsigned n_families = model_vip_has_family(vip, false) + model_vip_has_family(vip, true);

	*milli_per_s = 0;
	for (size_t i = 0; i < m->n_nodes; i++)
		n_nodes += !model_vip_is_at(vip, m->nodes[i].site);
	for (size_t i = 0; i < m->n_services; i++) {
		const struct model_service *s = &m->services[i];

		for (size_t k = 0; s->vip_check && k < s->n_at; k++)
			if (s->at[k].vip == vip)
				*milli_per_s += (uint64_t)n_families * n_nodes * 1000000 /
				                s->vip_check->interval_ms;
	}
	return n_nodes;
}
