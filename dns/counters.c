/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/answer.h"
#include "dns/generation.h"
#include "dns/image.h"
#include "weir/stats.h"

#define ENTRIES_MAX 4096
#define LABELS_MAX  128
#define CLASSES     4

static const struct {
	uint16_t type;
	const char *name;
} types[COUNTERS_TYPES - 1] = {
	{ DNS_A, "a" },     { DNS_NS, "ns" }, { DNS_CNAME, "cname" }, { DNS_SOA, "soa" },
	{ DNS_PTR, "ptr" }, { DNS_MX, "mx" }, { 16, "txt" },          { DNS_AAAA, "aaaa" },
	{ DNS_DS, "ds" },   { 65, "https" },  { DNS_ANY, "any" },
};

/* The index of an rcode's word; extended ones beyond BADVERS do not occur. */
static unsigned rcode_index(enum dns_rcode rcode)
{
	return rcode == DNS_BADVERS ? 6 : rcode;
}

static uint64_t *word(struct counters *c, enum stats_kind kind, const char *name, const char *label,
                      const char *value, const char *help)
{
	char labels[LABELS_MAX] = "";

	if (label)
		snprintf(labels, sizeof(labels), "%s=\"%s\"", label, value);
	return stats_word(c->stats, kind, name, labels, help);
}

static void find_query_words(struct counters *c)
{
	static const char *const transports[] = { "udp", "tcp" };
	static const char *const rcodes[] = { "noerror", "formerr", "servfail", "nxdomain",
		                              "notimp",  "refused", "badvers" };

	for (unsigned i = 0; i < 2; i++)
		c->queries[i] = word(c, STATS_COUNTER, "weir_dns_queries_total", "transport",
		                     transports[i], "Queries received");
	for (unsigned i = 0; i < COUNTERS_TYPES; i++)
		c->types[i] = word(c, STATS_COUNTER, "weir_dns_queries_by_type_total", "type",
		                   i < COUNTERS_TYPES - 1 ? types[i].name : "other",
		                   "Queries by type asked for");
	for (unsigned i = 0; i < 7; i++)
		c->rcodes[i] = word(c, STATS_COUNTER, "weir_dns_answers_total", "rcode", rcodes[i],
		                    "Answers by response code");
	c->edns = word(c, STATS_COUNTER, "weir_dns_edns_total", NULL, NULL, "Queries with EDNS");
	c->subnet = word(c, STATS_COUNTER, "weir_dns_client_subnet_total", NULL, NULL,
	                 "Queries with a client subnet");
	c->truncated = word(c, STATS_COUNTER, "weir_dns_truncated_total", NULL, NULL,
	                    "Answers cut, with TC set");
}

static void find_server_words(struct counters *c)
{
	static const char *const drops[] = { "malformed", "port", "send" };
	static const char *const holds[] = { "clock", "site" };
	static const char *const closes[] = { "client", "idle", "crowded", "bad" };

	for (unsigned i = 0; i < COUNTERS_DROP_COUNT; i++)
		c->drops[i] = word(c, STATS_COUNTER, "weir_dns_dropped_total", "reason", drops[i],
		                   "Queries without an answer");
	for (unsigned i = 0; i < COUNTERS_CLOSE_COUNT; i++)
		c->tcp_closed[i] = word(c, STATS_COUNTER, "weir_dns_tcp_closed_total", "reason",
		                        closes[i], "TCP connections closed");
	c->tcp_accepted = word(c, STATS_COUNTER, "weir_dns_tcp_accepted_total", NULL, NULL,
	                       "TCP connections taken");
	c->tcp_open = word(c, STATS_GAUGE, "weir_dns_tcp_open", NULL, NULL, "TCP connections open");
	c->loads = word(c, STATS_COUNTER, "weir_dns_loads_total", "result", "ok",
	                "Documents with their zones taken over or refused");
	c->load_failures = word(c, STATS_COUNTER, "weir_dns_loads_total", "result", "refused",
	                        "Documents with their zones taken over or refused");
	c->load_ms = word(c, STATS_GAUGE, "weir_dns_load_milliseconds", NULL, NULL,
	                  "How long the last load took");
	c->image_bytes = word(c, STATS_GAUGE, "weir_dns_image_bytes", NULL, NULL,
	                      "Size of the zones' image");
	c->stale = word(c, STATS_GAUGE, "weir_dns_image_stale", NULL, NULL,
	                "1: a zone file is bad, an earlier image is served");
	c->clock_held = word(c, STATS_GAUGE, "weir_dns_clock_held", NULL, NULL,
	                     "1: the wall clock holds the ramps of drains");
	c->clock_stepped = word(c, STATS_GAUGE, "weir_dns_clock_stepped", NULL, NULL,
	                        "1: the wall clock has stepped and is not followed");
	c->clock_unsynchronised = word(c, STATS_GAUGE, "weir_dns_clock_unsynchronised", NULL, NULL,
	                               "1: the wall clock was not confirmed since the boot");
	for (unsigned i = 0; i < 2; i++)
		c->ramps_held[i] = word(c, STATS_GAUGE, "weir_dns_ramps_held", "by", holds[i],
		                        "Drains whose ramp is held");
}

int counters_open(struct counters *c, const char *run_dir)
{
	*c = (struct counters){ 0 };

	int err = stats_create(run_dir, "dns", ENTRIES_MAX, &c->stats);

	if (err < 0)
		return err;
	find_query_words(c);
	find_server_words(c);
	return 0;
}

void counters_close(struct counters *c)
{
	free(c->placed);
	free(c->classes);
	stats_close(c->stats);
}

static void placed_labels(const struct place_service *s, uint32_t site, char out[LABELS_MAX])
{
	snprintf(out, LABELS_MAX, "service=\"%s\",site=\"%s\"", s->name,
	         site < s->n_sites ? s->sites[site].name : "");
}

/* The place of a service's words in `placed`: its states, and one for no site. */
static size_t placed_index(const struct place *p, const struct place_service *s)
{
	return s->first_state + (size_t)(s - p->services);
}

static void take_service(struct counters *c, const struct place *p, const struct place_service *s)
{
	char labels[LABELS_MAX];

	for (uint32_t k = 0; k <= s->n_sites; k++) {
		placed_labels(s, k, labels);
		c->placed[placed_index(p, s) + k] =
		        stats_word(c->stats, STATS_COUNTER, "weir_dns_placed_total", labels,
		                   "Answers of dynamic names by site; no site: an empty answer");
	}
	for (unsigned k = 0; k < CLASSES; k++) {
		snprintf(labels, sizeof(labels), "service=\"%s\",class=\"%s\"", s->name,
		         place_class_text((enum place_class)k));
		c->classes[(size_t)(s - p->services) * CLASSES + k] = stats_word(
		        c->stats, STATS_COUNTER, "weir_dns_placed_by_class_total", labels,
		        "Answers of dynamic names by the class of sites that gave them");
	}
}

static bool has_service(const struct place *p, const char *name)
{
	for (size_t i = 0; i < p->n_services; i++)
		if (strcmp(p->services[i].name, name) == 0)
			return true;
	return false;
}

static void drop_services(struct counters *c, const struct place *old, const struct place *p)
{
	char labels[LABELS_MAX];

	for (size_t i = 0; i < old->n_services; i++) {
		const struct place_service *s = &old->services[i];

		if (has_service(p, s->name))
			continue;
		for (uint32_t k = 0; k <= s->n_sites; k++) {
			placed_labels(s, k, labels);
			stats_drop(c->stats, "weir_dns_placed_total", labels);
		}
		for (unsigned k = 0; k < CLASSES; k++) {
			snprintf(labels, sizeof(labels), "service=\"%s\",class=\"%s\"", s->name,
			         place_class_text((enum place_class)k));
			stats_drop(c->stats, "weir_dns_placed_by_class_total", labels);
		}
	}
}

static void take_zone(struct counters *c, const struct image *image, const struct image_zone *zone)
{
	uint8_t wire[NAME_WIRE_MAX];
	char text[NAME_TEXT_MAX];

	image_name_wire(image, zone->name_off, wire);
	stats_set(word(c, STATS_GAUGE, "weir_dns_zone_serial", "zone", name_text(wire, text),
	               "Serial number of a zone"),
	          zone->serial);
}

void counters_take(struct counters *c, const struct generation *g, const struct generation *old)
{
	const struct place *p = g->place;

	if (!c->stats)
		return;
	if (old)
		drop_services(c, old->place, p);
	free(c->placed);
	free(c->classes);
	c->placed = calloc(p->n_states + p->n_services + 1, sizeof(*c->placed));
	c->classes = calloc(p->n_services * CLASSES + 1, sizeof(*c->classes));
	for (size_t i = 0; c->placed && c->classes && i < p->n_services; i++)
		take_service(c, p, &p->services[i]);
	for (uint32_t i = 0; i < g->image->n_zones; i++)
		take_zone(c, g->image, image_zone(g->image, i));
	stats_set(c->image_bytes, g->image->size_bytes);
	stats_set(c->stale, g->stale);
}

static unsigned type_index(uint16_t type)
{
	unsigned i = 0;

	while (i < COUNTERS_TYPES - 1 && types[i].type != type)
		i++;
	return i;
}

static void count_placed(struct counters *c, const struct generation *g,
                         const struct answer_info *info)
{
	const struct place_service *s = g->place->names[info->dynamic].service;
	uint32_t site = info->choice.site < 0 ? s->n_sites : (uint32_t)info->choice.site;

	stats_add(c->placed[placed_index(g->place, s) + site], 1);
	stats_add(c->classes[(size_t)(s - g->place->services) * CLASSES + info->choice.class], 1);
}

void counters_answer(struct counters *c, const struct generation *g, bool tcp,
                     const struct answer_info *info)
{
	if (!c->stats)
		return;
	stats_add(c->queries[tcp], 1);
	stats_add(c->rcodes[rcode_index(info->rcode)], 1);
	if (info->has_question)
		stats_add(c->types[type_index(info->type)], 1);
	if (info->has_edns)
		stats_add(c->edns, 1);
	if (info->has_subnet)
		stats_add(c->subnet, 1);
	if (info->truncated)
		stats_add(c->truncated, 1);
	if (info->dynamic >= 0 && c->placed && c->classes)
		count_placed(c, g, info);
}
