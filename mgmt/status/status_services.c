/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status of services. With a limit both services and their rows `at` are at most that many: of
 * forty services at ten sites there are four hundred. A service is shown whole, with all rows that the
 * filter lets through, or not at all; but the first is always shown, with as many as have room.
 */
#include <stdlib.h>
#include <string.h>

#include "mgmt/status/status.h"
#include "mgmt/json/observed.h"

/* A service of which the filter leaves something. */
struct ranked_service {
	const struct model_service *service;
	size_t n_at;
};

static struct backup_evidence evidence_of(const struct look *l)
{
	return (struct backup_evidence){ l->m, l->pages.effect_fresh ? l->pages.effect : NULL,
		                         l->pages.health_fresh ? l->pages.health : NULL };
}

#define SHOWN_AT_ROWS(X, t)                                                                        \
	X(t, const char *, site)                                                                   \
	X(t, const char *, vip)                                                                    \
	X(t, const char *, pool)                                                                   \
	X(t, json_t *, addresses)                                                                  \
	X(t, json_t *, intent, .of = &shown_intent_kind)                                           \
	X(t, json_t *, observation)                                                                \
	X(t, json_t *, effect, .of = &dns_effect_kind)                                             \
	X(t, json_t *, backup, .spare = true, .of = &backup_status_record)
RECORD_SHOWN(shown_at, "at", SHOWN_AT_ROWS);

/* The intent of a service at a site is the site's, with drains of the service alone. */
static json_t *at_status(const struct status *s, const struct model_service *service,
                         const struct model_at *at)
{
	const struct look *l = &s->look;
	const struct backup_evidence evidence = evidence_of(l);
	json_t *observed = json_object(), *addresses = json_array();
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < at->vip->n_addresses; i++) {
		bool ip4 = addr_is4(&at->vip->addresses[i]);

		json_array_append_new(addresses,
		                      json_string(addr_text(&at->vip->addresses[i], text)));
		json_object_set_new(observed, ip4 ? "ipv4" : "ipv6",
		                    observed_target_json(&l->pages,
		                                         health_target_service(service->name,
		                                                               at->site->name, ip4),
		                                         true));
	}
	return SHOWN(shown_at, .site = at->site->name, .vip = at->vip->name, .pool = at->pool->name,
	             .addresses = addresses,
	             .intent = status_intent(s, MODEL_TARGET_SITE, "", at->site->name,
	                                     service->name, at->weight),
	             .observation = observed,
	             .effect = status_dns_at_effect(&s->dns, service->name, at->site->name),
	             .backup = at->backup ? backup_status_of(&evidence, &s->tables, service, at)
	                                  : NULL);
}

static bool passes_filter(const struct status *s, const struct model_at *at)
{
	return status_at_site(s, at->site) &&
	       (!s->filter.pool || !strcmp(s->filter.pool, at->pool->name));
}

/* Down: a check of one of its addresses says so. */
static bool is_down(const struct look *l, const struct model_service *service,
                    const struct model_at *at)
{
	for (size_t i = 0; i < at->vip->n_addresses; i++)
		if (!strcmp(observed_state(&l->pages,
		                           health_target_service(service->name, at->site->name,
		                                                 addr_is4(&at->vip->addresses[i]))),
		            "down"))
			return true;
	return false;
}

/* Count a service's rows and backups. @return its rank */
static enum status_rank rank_service(struct status *s, const struct model_service *service,
                                     struct ranked_service *out)
{
	const struct backup_evidence evidence = evidence_of(&s->look);
	enum status_rank rank = STATUS_NORMAL;

	*out = (struct ranked_service){ .service = service };
	for (size_t k = 0; k < service->n_at; k++) {
		const struct model_at *at = &service->at[k];

		if (!passes_filter(s, at))
			continue;
		bool is_odd = backup_status_is_odd(&evidence, &s->tables, at);

		out->n_at++;
		s->n_backups += at->backup && s->look.m->self && at->site == s->look.m->self->site;
		s->n_odd_backups += is_odd;
		if (is_down(&s->look, service, at))
			rank = STATUS_WRONG;
		else if (is_odd && rank == STATUS_NORMAL)
			rank = STATUS_ODD;
	}
	return rank;
}

#define SHOWN_SERVICE_ROWS(X, t)                                                                   \
	X(t, const char *, name)                                                                   \
	X(t, const char *, protocol)                                                               \
	X(t, uint16_t, port)                                                                       \
	X(t, json_t *, at, .each = &shown_at_kind)                                                 \
	X(t, size_t, at_all, KNOWN_IF(t, is_cut), .spare = true)                                   \
	X(t, bool, is_cut, HIDDEN)
RECORD_ANSWER(shown_service, "service", SHOWN_SERVICE_ROWS);

/* At most @p max rows; `at_all` says how many there are if that is not all. */
static json_t *service_status(const struct status *s, const struct ranked_service *r, size_t max)
{
	const struct model_service *service = r->service;
	json_t *at = json_array();

	for (size_t k = 0; k < service->n_at && json_array_size(at) < max; k++)
		if (passes_filter(s, &service->at[k]))
			json_array_append_new(at, at_status(s, service, &service->at[k]));
	return SHOWN(shown_service, .name = service->name,
	             .protocol = service->protocol == MODEL_UDP ? "udp" : "tcp",
	             .port = service->port, .at = at, .is_cut = r->n_at > max, .at_all = r->n_at);
}

/* The services in @p order until there is no room for all rows of the next one. */
static json_t *ranked_to_json(const struct status *s, const struct ranked_service *services,
                              const size_t *order, size_t n)
{
	json_t *list = json_array();
	size_t left = s->filter.limit ? s->filter.limit : SIZE_MAX;

	for (size_t i = 0; i < n; i++) {
		const struct ranked_service *r = &services[order[i]];

		if (i && r->n_at > left)
			break;
		json_array_append_new(list, service_status(s, r, left));
		left -= r->n_at < left ? r->n_at : left;
	}
	return list;
}

static json_t *list_services(struct status *s, struct ranked_service *services, uint8_t *ranks,
                             size_t *order)
{
	const struct model *m = s->look.m;
	size_t n = 0, n_at = 0;

	for (size_t i = 0; i < m->n_services; i++) {
		ranks[n] = (uint8_t)rank_service(s, &m->services[i], &services[n]);
		n_at += services[n].n_at;
		n += services[n].n_at > 0;
	}
	size_t n_order = status_order(ranks, n, status_limit(s, n_at), order);
	json_t *list = ranked_to_json(s, services, order, n_order);
	status_note_cut(s, "services", ranks, n, json_array_size(list));
	return list;
}

json_t *status_services(struct status *s)
{
	size_t n = s->look.m->n_services + 1;
	struct ranked_service *services = calloc(n, sizeof(*services));
	size_t *order = calloc(n, sizeof(*order));
	uint8_t *ranks = calloc(n, sizeof(*ranks));
	json_t *list = NULL;

	if (services && order && ranks)
		list = list_services(s, services, ranks, order);
	free(services);
	free(order);
	free(ranks);
	return list;
}
