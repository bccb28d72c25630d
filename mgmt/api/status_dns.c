/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dns says of each name how its sites stand: a thousand names, each with some sites. Names are
 * sorted by their service once, and sites by name; of each site it is noted by which name it is
 * judged, and what follows from that is made once.
 */
#include "mgmt/api/status_dns.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted.h"
#include "weir/json.h"
#include "weir/model.h"

struct status_dns_name {
	const char *service;
	const json_t *sites;
	size_t position; /* in the answer */
};

/*
 * A site is judged by the name at which it is drained the least, the first of these, because a
 * service that is drained alone leaves the site to the others.
 */
struct status_dns_site {
	const char *name;
	const json_t *sites; /* of that name; NULL: weir-dns does not name the site */
	json_int_t ppm;      /* drained there */
	json_t *effect;
};

static json_t *unknown_effect(void)
{
	return json_pack("{s:s}", "state", "unknown");
}

/* The state of a drained site in one word. */
static const char *drained_word(const json_t *site)
{
	json_int_t ppm = json_integer_value(json_object_get(site, "drained_ppm"));

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

static uint64_t compute_site_weight(const json_t *s, bool out)
{
	uint64_t open =
	        MODEL_PPM_ALL - (uint64_t)json_integer_value(json_object_get(s, "drained_ppm"));

	if (out || json_has_true(s, "disabled"))
		return 0;
	return (uint64_t)json_integer_value(json_object_get(s, "weight")) * open;
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
	uint64_t sum = 0;

	if (!found)
		return unknown_effect();
	for (size_t k = 0; k < json_array_size(sites); k++) {
		const json_t *s = json_array_get(sites, k);

		if (!is_whole(s))
			return unknown_effect();
		sum += compute_site_weight(s, chosen && !is_answered(s));
	}
	bool is_out = chosen && !is_answered(found);
	uint64_t own = compute_site_weight(found, is_out);
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

static int compare_names(const void *a, const void *b)
{
	const struct status_dns_name *x = a, *y = b;
	int by_service = strcmp(x->service, y->service);

	return by_service ? by_service : (x->position > y->position) - (x->position < y->position);
}

static int compare_service(const void *key, const void *name)
{
	return strcmp(key, ((const struct status_dns_name *)name)->service);
}

static int compare_sites(const void *a, const void *b)
{
	return strcmp(((const struct status_dns_site *)a)->name,
	              ((const struct status_dns_site *)b)->name);
}

static struct status_dns_site *find_indexed(const struct status_dns *dns, const char *site)
{
	const struct status_dns_site key = { .name = site };

	return dns->n_sites ? bsearch(&key, dns->sites, dns->n_sites, sizeof(key), compare_sites)
	                    : NULL;
}

/* Note the name's sites by which each of them is judged so far. */
static void add_sites(const struct status_dns *dns, const json_t *sites)
{
	for (size_t i = 0; i < json_array_size(sites); i++) {
		const json_t *row = json_array_get(sites, i);
		struct status_dns_site *site = find_indexed(dns, json_text_of(row, "site"));
		json_int_t ppm = json_integer_value(json_object_get(row, "drained_ppm"));

		if (!site || (site->sites && ppm >= site->ppm))
			continue;
		site->sites = sites;
		site->ppm = ppm;
	}
}

static void fill_index(struct status_dns *dns, const json_t *said, const struct model *m)
{
	const json_t *names = json_object_get(said, "names");

	dns->n_sites = m->n_sites;
	for (size_t i = 0; i < m->n_sites; i++)
		dns->sites[i] = (struct status_dns_site){ .name = m->sites[i].name };
	qsort(dns->sites, dns->n_sites, sizeof(*dns->sites), compare_sites);
	dns->n_names = json_array_size(names);
	for (size_t i = 0; i < dns->n_names; i++) {
		const json_t *name = json_array_get(names, i);

		dns->names[i] = (struct status_dns_name){ .service = json_text_of(name, "service"),
			                                  .sites = json_object_get(name, "sites"),
			                                  .position = i };
		add_sites(dns, dns->names[i].sites);
	}
	qsort(dns->names, dns->n_names, sizeof(*dns->names), compare_names);
	for (size_t i = 0; i < dns->n_sites; i++)
		dns->sites[i].effect = effect_to_json(dns->sites[i].sites, dns->sites[i].name);
}

int status_dns_init(struct status_dns *dns, const json_t *said, const struct model *m)
{
	size_t n_names = json_array_size(json_object_get(said, "names"));

	*dns = (struct status_dns){ .names = calloc(n_names + 1, sizeof(*dns->names)),
		                    .sites = calloc(m->n_sites + 1, sizeof(*dns->sites)) };
	if (!dns->names || !dns->sites) {
		status_dns_fini(dns);
		return -ENOMEM;
	}
	fill_index(dns, said, m);
	return 0;
}

void status_dns_fini(struct status_dns *dns)
{
	for (size_t i = 0; i < dns->n_sites; i++)
		json_decref(dns->sites[i].effect);
	free(dns->sites);
	free(dns->names);
	*dns = (struct status_dns){ .n_names = 0 };
}

/* --- look-ups --- */

json_t *status_dns_site_effect(const struct status_dns *dns, const char *site)
{
	const struct status_dns_site *found = find_indexed(dns, site);

	return found ? json_copy(found->effect) : unknown_effect();
}

/* The row that weir-dns gives a service at a site, from the first name steered by that service. */
static const json_t *find_placement(const struct status_dns *dns, const char *service,
                                    const char *site)
{
	size_t i = sorted_index(service, dns->names, dns->n_names, sizeof(*dns->names),
	                        compare_service, NULL);

	for (; i < dns->n_names && !strcmp(dns->names[i].service, service); i++) {
		const json_t *row = json_find(dns->names[i].sites, "site", site);

		if (row)
			return row;
	}
	return NULL;
}

json_t *status_dns_at_effect(const struct status_dns *dns, const char *service, const char *site)
{
	static const char *const fields[] = { "ipv4", "ipv6", "views" };
	const json_t *row = find_placement(dns, service, site);
	json_t *effect = status_dns_site_effect(dns, site);

	for (size_t i = 0; row && i < 3; i++) {
		json_t *value = json_object_get(row, fields[i]);

		if (value && strcmp(json_is_string(value) ? json_string_value(value) : "", "none"))
			json_object_set(effect, fields[i], value);
	}
	return effect;
}
