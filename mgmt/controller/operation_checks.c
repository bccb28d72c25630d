/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks of a site's VIPs by other sites are new flows, too, but no clients: without them a drained
 * site would never be without new flows. Each node says which of its checks get through now; how often
 * they come follows from the configuration. What a node does not say is not taken off.
 */
#include "mgmt/controller/operation_snapshot.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "mgmt/controller/operation_measure.h"

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

static const char *family_text(bool ip4)
{
	return ip4 ? "ipv4" : "ipv6";
}

/* The address from which the kernel reaches another: a question that sends nothing. */
static bool find_own_address(const struct addr *to, struct addr *own)
{
	struct sockaddr_storage address;
	socklen_t size = addr_to_sockaddr(to, 1, &address);
	int s = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found = s >= 0 && !connect(s, (struct sockaddr *)&address, size);

	size = sizeof(address);
	found = found && !getsockname(s, (struct sockaddr *)&address, &size) &&
	        !addr_from_sockaddr((struct sockaddr *)&address, own, NULL);
	if (s >= 0)
		close(s);
	return found;
}

static void add_source(json_t *sources, const struct model_at *at, bool ip4)
{
	json_t *of_site = json_object_get(sources, at->site->name);
	char text[ADDR_TEXT_MAX];
	struct addr own;

	if (!of_site) {
		of_site = json_object();
		json_object_set_new(sources, at->site->name, of_site);
	}
	for (size_t i = 0; i < at->vip->n_addresses; i++)
		if (addr_is4(&at->vip->addresses[i]) == ip4 &&
		    !json_object_get(of_site, family_text(ip4)) &&
		    find_own_address(&at->vip->addresses[i], &own))
			json_object_set_new(of_site, family_text(ip4),
			                    json_string(addr_text(&own, text)));
}

json_t *operation_check_sources_json(const struct model *m, const json_t *checks)
{
	json_t *sources = json_object();

	for (size_t i = 0; i < m->n_services; i++) {
		const struct model_service *s = &m->services[i];
		const json_t *sites = json_object_get(checks, s->name);

		for (size_t k = 0; sites && k < s->n_at; k++)
			for (int ip4 = 0; ip4 < 2; ip4++)
				if (json_object_get(sites, s->at[k].site->name))
					add_source(sources, &s->at[k], ip4);
	}
	return sources;
}

/* --- what all say --- */

/* Whether the node's checks of a site's VIPs come from a prefix. */
static bool is_source(const json_t *measure, const char *site, const struct prefix *from)
{
	const json_t *sources = json_object_get(json_object_get(measure, "check_sources"), site);
	const char *text = json_get_text(sources, family_text(addr_is4(&from->addr)));
	struct addr source;

	return text && !addr_parse(text, &source) && prefix_has(from, &source);
}

/*
 * What one node's checks of a service make at @p site; with @p from, those of its family that come from there. They come up
 * to a tenth of their interval early (healthcheck/pace.h): a twentieth on average.
 */
static uint64_t checks_of(const json_t *measure, const struct model_service *s, const char *site,
                          const struct prefix *from)
{
	const json_t *sites = json_object_get(json_object_get(measure, "checks"), s->name);
	json_int_t families = json_integer_value(json_object_get(sites, site));

	if (families < 1 || families > 2)
		return 0;
	if (from)
		families = is_source(measure, site, from);
	return (uint64_t)families * 1000000 * 20 / 19 / s->vip_check->interval_ms;
}

uint64_t operation_checks_of(const struct operation_snapshot *v,
                             const struct model_service *service, const char *site,
                             const struct prefix *from)
{
	uint64_t milli = 0;

	for (size_t i = 0; is_counted(service) && i < v->n_reports; i++)
		if (strcmp(v->reports[i].node->site->name, site) != 0)
			milli += checks_of(v->reports[i].measure, service, site, from);
	return milli;
}

uint64_t operation_checks_milli(const struct operation_snapshot *v, const char *service,
                                const char *site, const struct prefix *from)
{
	uint64_t milli = 0;

	for (size_t i = 0; i < v->m->n_services; i++)
		if (!*service || !strcmp(v->m->services[i].name, service))
			milli += operation_checks_of(v, &v->m->services[i], site, from);
	return milli;
}
