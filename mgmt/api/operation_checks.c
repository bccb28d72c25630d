/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks of a site's VIPs by other sites are new flows, too, but no clients: without them a drained
 * site would never be without new flows. Their rate follows from the configuration. Only nodes that
 * are reached count: of others it is not known whether they check.
 */
#include "mgmt/api/operation_snapshot.h"

#include <string.h>

/* In how many families a VIP is checked. */
static uint64_t count_families(const struct model_vip *vip)
{
	bool has[2] = { false, false };

	for (size_t i = 0; i < vip->n_addresses; i++)
		has[addr_is4(&vip->addresses[i])] = true;
	return (uint64_t)has[0] + has[1];
}

/* Whether checks of @p service come as new flows of the service itself. */
static bool is_counted(const struct model_service *service)
{
	return service->vip_check && service->vip_check->interval_ms &&
	       (!service->vip_check->port || service->vip_check->port == service->port);
}

static uint64_t count_checkers(const struct operation_snapshot *v, const struct model_at *at)
{
	uint64_t n = 0;

	for (size_t i = 0; i < v->n_voices; i++)
		n += v->voices[i].reached && v->voices[i].node->site != at->site &&
		     !model_vip_is_at(at->vip, v->voices[i].node->site);
	return n;
}

uint64_t operation_checks_of(const struct operation_snapshot *v,
                             const struct model_service *service, const char *site)
{
	uint64_t milli = 0;

	for (size_t k = 0; is_counted(service) && k < service->n_at; k++)
		if (service->at[k].vip && !strcmp(service->at[k].site->name, site))
			milli += count_families(service->at[k].vip) *
			         count_checkers(v, &service->at[k]) * 1000000 /
			         service->vip_check->interval_ms;
	return milli;
}

uint64_t operation_checks_milli(const struct operation_snapshot *v, const char *service,
                                const char *site)
{
	uint64_t milli = 0;

	for (size_t i = 0; i < v->m->n_services; i++)
		if (!*service || !strcmp(v->m->services[i].name, service))
			milli += operation_checks_of(v, &v->m->services[i], site);
	return milli;
}
