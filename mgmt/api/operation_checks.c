/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks of a site's VIPs by other sites are new flows, too, but no clients: without them a drained
 * site would never be without new flows. Each node says which of its checks get through now; how often
 * they come follows from the configuration. What a node does not say is not taken off.
 */
#include "mgmt/api/operation_snapshot.h"

#include <string.h>

#include "mgmt/api/operation_measure.h"

/* Whether checks of @p service come as new flows of the service itself. */
static bool is_counted(const struct model_service *service)
{
	return service->vip_check && service->vip_check->interval_ms &&
	       (!service->vip_check->port || service->vip_check->port == service->port);
}

/* --- what this node says --- */

/* Whether the last check has reached the VIP: it was answered, whatever the answer was. */
static bool gets_through(const struct health_page *page, const char *service, const char *site,
                         bool ip4)
{
	health_word word = health_read(
	        page, health_find_index(page, health_target_service(service, site, ip4)));

	switch (health_reason(word)) {
	case HEALTH_REASON_OK:
	case HEALTH_REASON_REFUSED:
	case HEALTH_REASON_RESET:
	case HEALTH_REASON_BAD_STATUS:
	case HEALTH_REASON_BAD_ANSWER:
		return !health_restored(word);
	default:
		return false;
	}
}

/* The sites whose VIPs of @p s this node checks, given; NULL: none. */
static json_t *sites_json(const struct model_service *s, const struct model_site *own,
                          const struct health_page *page)
{
	json_t *sites = NULL;

	for (size_t k = 0; is_counted(s) && k < s->n_at; k++) {
		const struct model_at *at = &s->at[k];
		int families = gets_through(page, s->name, at->site->name, true) +
		               gets_through(page, s->name, at->site->name, false);

		if (!families || !at->vip || at->site == own || model_vip_is_at(at->vip, own))
			continue;
		if (!sites)
			sites = json_object();
		json_object_set_new(sites, at->site->name, json_integer(families));
	}
	return sites;
}

json_t *operation_checks_json(const struct model *m, const struct health_page *page)
{
	json_t *checks = json_object();

	for (size_t i = 0;
	     i < m->n_services && json_object_size(checks) < OPERATION_MEASURE_SERVICES_MAX; i++) {
		json_t *sites = sites_json(&m->services[i], m->self->site, page);

		if (sites)
			json_object_set_new(checks, m->services[i].name, sites);
	}
	return checks;
}

/* --- what all say --- */

/* What one node's checks of a service make at @p site. */
static uint64_t checks_of(const json_t *measure, const struct model_service *s, const char *site)
{
	const json_t *sites = json_object_get(json_object_get(measure, "checks"), s->name);
	json_int_t families = json_integer_value(json_object_get(sites, site));

	if (families < 1 || families > 2)
		return 0;
	return (uint64_t)families * 1000000 / s->vip_check->interval_ms;
}

uint64_t operation_checks_of(const struct operation_snapshot *v,
                             const struct model_service *service, const char *site)
{
	uint64_t milli = 0;

	for (size_t i = 0; is_counted(service) && i < v->n_voices; i++)
		if (strcmp(v->voices[i].node->site->name, site) != 0)
			milli += checks_of(v->voices[i].measure, service, site);
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
