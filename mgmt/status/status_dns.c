/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dns says of each name how its sites stand: a thousand names, each with some sites. They are gone through once, so
 * that each site and service of a status finds what belongs to it.
 *
 * A site is judged by the name at which it is drained the least, the first of these, because a
 * service that is drained alone leaves the site to the others.
 */
#include "mgmt/status/status_dns.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "mgmt/json/observed.h"
#include "weir/health.h"
#include "weir/json.h"
#include "weir/model.h"
#include "weir/steering.h"

static json_t *unknown_effect(void)
{
	return json_pack("{s:s}", "state", "unknown");
}

static json_int_t drained_ppm(const json_t *site)
{
	return json_integer_value(json_object_get(site, "drained_ppm"));
}

/* The state of a drained site in one word. */
static const char *drained_word(const json_t *site)
{
	json_int_t ppm = drained_ppm(site);

	return ppm >= MODEL_PPM_ALL ? "drained" : ppm ? "draining" : "serving";
}

/* Whether weir-dns has said all of a site, within limits. */
static bool is_whole(const json_t *s)
{
	const json_t *ppm = json_object_get(s, "drained_ppm"),
	             *weight = json_object_get(s, "weight");

	return json_is_integer(ppm) && json_integer_value(ppm) >= 0 &&
	       json_integer_value(ppm) <= MODEL_PPM_ALL && json_is_integer(weight) &&
	       json_integer_value(weight) >= 0 && json_integer_value(weight) <= UINT32_MAX &&
	       json_is_boolean(json_object_get(s, "shifting")) &&
	       json_is_boolean(json_object_get(s, "disabled"));
}

/* A site as steering sees it. */
static void read_site(const json_t *s, struct steering_site *site,
                      struct steering_site_state *state)
{
	const char *const words[] = { json_text_of(s, "ipv6"), json_text_of(s, "ipv4") };

	*site = (struct steering_site){
		.weight = (uint32_t)json_integer_value(json_object_get(s, "weight")),
		.n_addresses = { strcmp(words[0], "none") != 0, strcmp(words[1], "none") != 0 },
	};
	*state = (struct steering_site_state){
		.drained_ppm = (uint32_t)drained_ppm(s),
		.unproven = { observed_marks_family(s, "unproven", "ipv6"),
		              observed_marks_family(s, "unproven", "ipv4") },
		.disabled = json_has_true(s, "disabled"),
		.forced_up = json_has_true(s, "forced_up"),
	};
	for (size_t ip4 = 0; ip4 < 2; ip4++)
		state->words[ip4] =
		        health_make(strcmp(words[ip4], "down") ? HEALTH_UP : HEALTH_DOWN, 0,
		                    HEALTH_REASON_NONE, 0);
}

/*
 * The shares of a name's sites that checks leave in its answers, ppm, as weir-dns spreads clients: {SITE: share}; NULL
 * where it has not said all.
 */
static json_t *share_sites(const json_t *name)
{
	const json_t *sites = json_object_get(name, "sites");
	struct steering_site at[STEERING_SITES_MAX];
	struct steering_site_state states[STEERING_SITES_MAX];
	struct steering_service service = { .sites = at,
		                            .fail_closed = json_has_true(name, "fail_closed") };
	bool in_order = !strcmp(json_text_of(name, "policy"), "failover");
	double shares[STEERING_SITES_MAX];
	json_t *of_sites;
	uint64_t in;

	for (size_t k = 0; k < json_array_size(sites) && k < STEERING_SITES_MAX; k++) {
		const json_t *s = json_array_get(sites, k);

		if (!is_whole(s))
			return NULL;
		read_site(s, &at[k], &states[k]);
		service.n_sites++;
	}
	in = steering_spread(&service, states,
	                     in_order ? MODEL_POLICY_FAILOVER : MODEL_POLICY_WEIGHTED, shares);
	of_sites = json_object();
	for (size_t k = 0; k < service.n_sites; k++)
		if (in >> k & 1)
			json_object_set_new(of_sites,
			                    json_text_of(json_array_get(sites, k), "site"),
			                    json_integer(lround(shares[k] * MODEL_PPM_ALL)));
	return of_sites;
}

/* What is kept of a name: {sites, shares}. */
static json_t *read_name(const json_t *name)
{
	return json_pack("{s:O, s:o?}", "sites", json_object_get(name, "sites"), "shares",
	                 share_sites(name));
}

/* What weir-dns does with a site, by one name. */
static json_t *effect_to_json(const json_t *read, const char *site)
{
	const json_t *found = json_find(json_object_get(read, "sites"), "site", site),
	             *shares = json_object_get(read, "shares"),
	             *share = json_object_get(shares, site);

	if (!found || !json_is_object(shares))
		return unknown_effect();
	return json_pack("{s:s, s:O, s:I, s:O, s:O}", "state",
	                 json_has_true(found, "disabled") ? "disabled"
	                 : !share                         ? "out"
	                                                  : drained_word(found),
	                 "level_ppm", json_object_get(found, "drained_ppm"), "weight_share_ppm",
	                 json_integer_value(share), "shifting", json_object_get(found, "shifting"),
	                 "disabled", json_object_get(found, "disabled"));
}

/* --- the index --- */

/* Note what @p name says of its sites, and those of which it is the @p judge so far: {SITE: read_name()}. */
static void add_name(struct status_dns *dns, const json_t *name, json_t *judges)
{
	const char *service = json_text_of(name, "service");
	const json_t *sites = json_object_get(name, "sites");
	json_t *rows = json_object_get(dns->services, service),
	       *read = json_is_array(sites) ? read_name(name) : NULL;

	if (!rows) {
		rows = json_object();
		json_object_set_new(dns->services, service, rows);
	}
	for (size_t i = 0; i < json_array_size(sites); i++) {
		const json_t *row = json_array_get(sites, i);
		const char *site = json_text_of(row, "site");
		const json_t *judged = json_find(
		        json_object_get(json_object_get(judges, site), "sites"), "site", site);

		if (!judged || drained_ppm(row) < drained_ppm(judged))
			json_object_set(judges, site, read);
		if (!json_object_get(rows, site))
			json_object_set(rows, site, read);
	}
	json_decref(read);
}

int status_dns_init(struct status_dns *dns, const json_t *said, const struct model *m)
{
	const json_t *names = json_object_get(said, "names");
	json_t *judges = json_object();

	*dns = (struct status_dns){ .sites = json_object(), .services = json_object() };
	for (size_t i = 0; i < json_array_size(names); i++)
		add_name(dns, json_array_get(names, i), judges);
	for (size_t i = 0; i < m->n_sites; i++) {
		const char *site = m->sites[i].name;

		json_object_set_new(dns->sites, site,
		                    effect_to_json(json_object_get(judges, site), site));
	}
	bool ok = judges && dns->sites && dns->services;

	json_decref(judges);
	if (!ok)
		status_dns_fini(dns);
	return ok ? 0 : -ENOMEM;
}

void status_dns_fini(struct status_dns *dns)
{
	json_decref(dns->sites);
	json_decref(dns->services);
	*dns = (struct status_dns){ .sites = NULL };
}

/* --- look-ups --- */

json_t *status_dns_site_effect(const struct status_dns *dns, const char *site)
{
	json_t *found = json_object_get(dns->sites, site);

	return found ? json_copy(found) : unknown_effect();
}

json_t *status_dns_at_effect(const struct status_dns *dns, const char *service, const char *site)
{
	static const char *const fields[] = { "ipv4", "ipv6", "views" };
	const json_t *read = json_object_get(json_object_get(dns->services, service), site);
	const json_t *row = json_find(json_object_get(read, "sites"), "site", site);
	json_t *effect = read ? effect_to_json(read, site) : status_dns_site_effect(dns, site);

	for (size_t i = 0; row && i < 3; i++) {
		json_t *value = json_object_get(row, fields[i]);

		if (value && strcmp(json_is_string(value) ? json_string_value(value) : "", "none"))
			json_object_set(effect, fields[i], value);
	}
	return effect;
}
