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

#define DNS_EFFECT_ROWS(X, t)                                                                      \
	X(t, const char *, state)                                                                  \
	X(t, uint32_t, level_ppm, KNOWN_IF(t, known), .spare = true)                               \
	X(t, uint32_t, weight_share_ppm, KNOWN_IF(t, known), .spare = true)                        \
	X(t, bool, shifting, KNOWN_IF(t, known), .spare = true)                                    \
	X(t, bool, disabled, KNOWN_IF(t, known), .spare = true)                                    \
	/* the next three are of a service there; NULL: not said */                                \
	X(t, json_t *, ipv4, .spare = true)                                                        \
	X(t, json_t *, ipv6, .spare = true)                                                        \
	X(t, json_t *, heard, .shown = "views", .spare = true)                                     \
	X(t, bool, known, HIDDEN) /* the rest */
RECORD_ANSWER(dns_effect, "effect", DNS_EFFECT_ROWS);

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

/* What is kept of a name. */
#define KEPT_NAME_ROWS(X, t)                                                                       \
	X(t, json_t *, sites)                                                                      \
	X(t, json_t *, shares)
RECORD_SHOWN(kept_name, "name", KEPT_NAME_ROWS);

static json_t *read_name(const json_t *name)
{
	return SHOWN(kept_name, json_incref(json_object_get(name, "sites")), share_sites(name));
}

/* What weir-dns does with a site, by one name. */
static struct dns_effect read_effect(const json_t *read, const char *site)
{
	const json_t *found = json_find(json_object_get(read, "sites"), "site", site),
	             *shares = json_object_get(read, "shares"),
	             *share = json_object_get(shares, site);

	if (!found || !json_is_object(shares))
		return (struct dns_effect){ .state = "unknown" };
	bool disabled = json_has_true(found, "disabled");
	return (struct dns_effect){
		.state = disabled ? "disabled"
		         : !share ? "out"
		                  : drained_word(found),
		.known = true,
		.level_ppm = (uint32_t)drained_ppm(found),
		.weight_share_ppm = (uint32_t)json_integer_value(share),
		.shifting = json_has_true(found, "shifting"),
		.disabled = disabled,
	};
}

/* --- the index --- */

/* Note what @p name says of its sites, and those of which it is the judge so far. */
static void add_name(struct status_dns *dns, const json_t *name)
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
		const json_t *judge = json_object_get(dns->sites, site),
		             *judged = json_find(json_object_get(judge, "sites"), "site", site);

		if (!judged || drained_ppm(row) < drained_ppm(judged))
			json_object_set(dns->sites, site, read);
		if (!json_object_get(rows, site))
			json_object_set(rows, site, read);
	}
	json_decref(read);
}

int status_dns_init(struct status_dns *dns, const json_t *said)
{
	const json_t *names = json_object_get(said, "names");

	*dns = (struct status_dns){ .sites = json_object(), .services = json_object() };
	for (size_t i = 0; i < json_array_size(names); i++)
		add_name(dns, json_array_get(names, i));
	if (dns->sites && dns->services)
		return 0;
	status_dns_fini(dns);
	return -ENOMEM;
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
	const struct dns_effect effect = read_effect(json_object_get(dns->sites, site), site);

	return record_shown(&dns_effect_kind, &effect);
}

/* What weir-dns says in @p row under @p name, given; NULL: nothing. */
static json_t *copy_said(const json_t *row, const char *name)
{
	json_t *value = json_object_get(row, name);

	return json_is_string(value) && !strcmp(json_string_value(value), "none")
	               ? NULL
	               : json_incref(value);
}

json_t *status_dns_at_effect(const struct status_dns *dns, const char *service, const char *site)
{
	const json_t *read = json_object_get(json_object_get(dns->services, service), site);
	const json_t *row = json_find(json_object_get(read, "sites"), "site", site);

	if (!read)
		return status_dns_site_effect(dns, site);
	struct dns_effect effect = read_effect(read, site);
	effect.ipv4 = copy_said(row, "ipv4");
	effect.ipv6 = copy_said(row, "ipv6");
	effect.heard = copy_said(row, "views");
	return record_shown(&dns_effect_kind, &effect);
}
