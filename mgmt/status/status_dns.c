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
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "weir/json.h"
#include "weir/model.h"

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

/* Whether checks leave a site in the answers of a name; weir-dns reports both families. */
static bool is_answered(const json_t *s)
{
	const char *const families[] = { json_text_of(s, "ipv4"), json_text_of(s, "ipv6") };

	if (json_has_true(s, "disabled"))
		return false;
	if (json_has_true(s, "forced_up"))
		return true;
	for (size_t i = 0; i < 2; i++)
		if (strcmp(families[i], "none") && strcmp(families[i], "down"))
			return !json_has_true(s, "unproven");
	return false;
}

/*
 * Whether checks choose among the sites of a name. If no site is good, all that are not disabled
 * are answered.
 */
static bool is_chosen(const json_t *sites)
{
	for (size_t i = 0; i < json_array_size(sites); i++)
		if (is_answered(json_array_get(sites, i)))
			return true;
	return false;
}

/* What its drain leaves, ppm. */
static uint64_t compute_site_open(const json_t *s, bool out)
{
	return out || json_has_true(s, "disabled") ? 0 : MODEL_PPM_ALL - (uint64_t)drained_ppm(s);
}

static uint64_t compute_site_weight(const json_t *s, bool out)
{
	return (uint64_t)json_integer_value(json_object_get(s, "weight")) *
	       compute_site_open(s, out);
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

/* What weir-dns does with a site, by the sites of one name. */
static json_t *effect_to_json(const json_t *sites, const char *site)
{
	const json_t *found = json_find(sites, "site", site);
	bool chosen = is_chosen(sites);
	uint64_t sum = 0, open = 0;

	if (!found)
		return unknown_effect();
	for (size_t k = 0; k < json_array_size(sites); k++) {
		const json_t *s = json_array_get(sites, k);

		if (!is_whole(s))
			return unknown_effect();
		sum += compute_site_weight(s, chosen && !is_answered(s));
		open += compute_site_open(s, chosen && !is_answered(s));
	}
	bool is_out = chosen && !is_answered(found);
	uint64_t own = compute_site_weight(found, is_out);
	if (!sum) { /* no weight: all are equal */
		own = compute_site_open(found, is_out);
		sum = open;
	}
	return json_pack("{s:s, s:O, s:I, s:O, s:O}", "state",
	                 json_has_true(found, "disabled") ? "disabled"
	                 : is_out                         ? "out"
	                                                  : drained_word(found),
	                 "level_ppm", json_object_get(found, "drained_ppm"), "weight_share_ppm",
	                 sum ? (json_int_t)(own * MODEL_PPM_ALL / sum) : (json_int_t)0, "shifting",
	                 json_object_get(found, "shifting"), "disabled",
	                 json_object_get(found, "disabled"));
}

/* --- the index --- */

/* Note what @p name says of its sites, and those of which it is the @p judge so far: {SITE: the name's sites}. */
static void add_name(struct status_dns *dns, const json_t *name, json_t *judges)
{
	const char *service = json_text_of(name, "service");
	json_t *sites = json_object_get(name, "sites"),
	       *rows = json_object_get(dns->services, service);

	if (!rows) {
		rows = json_object();
		json_object_set_new(dns->services, service, rows);
	}
	for (size_t i = 0; i < json_array_size(sites); i++) {
		json_t *row = json_array_get(sites, i);
		const char *site = json_text_of(row, "site");
		const json_t *judged = json_find(json_object_get(judges, site), "site", site);

		if (!judged || drained_ppm(row) < drained_ppm(judged))
			json_object_set(judges, site, sites);
		if (!json_object_get(rows, site))
			json_object_set(rows, site, sites);
	}
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
	const json_t *sites = json_object_get(json_object_get(dns->services, service), site);
	const json_t *row = json_find(sites, "site", site);
	json_t *effect = sites ? effect_to_json(sites, site) : status_dns_site_effect(dns, site);

	for (size_t i = 0; row && i < 3; i++) {
		json_t *value = json_object_get(row, fields[i]);

		if (value && strcmp(json_is_string(value) ? json_string_value(value) : "", "none"))
			json_object_set(effect, fields[i], value);
	}
	return effect;
}
