/* SPDX-License-Identifier: BSD-2-Clause */
/* What a site has: its services, and the longest answer that leads to it. */
#include "weir/model.h"

#include <string.h>

const struct model_at *model_service_at(const struct model_service *service, const char *site)
{
	for (size_t i = 0; i < service->n_at; i++)
		if (!strcmp(service->at[i].site->name, site))
			return &service->at[i];
	return NULL;
}

uint32_t model_site_ttl_s(const struct model *m, const char *site)
{
	uint32_t ttl_s = 0;

	for (size_t i = 0; i < m->n_dns_names; i++) {
		const struct model_dns_name *name = &m->dns_names[i];

		if (name->ttl_max_s > ttl_s && model_service_at(name->service, site))
			ttl_s = name->ttl_max_s;
	}
	return ttl_s;
}
