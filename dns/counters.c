/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each metric is looked up by name and labels once, and counted through a pointer afterwards. So a
 * query costs a few additions and no search. Entries with labels of the configuration (services,
 * zones) are dropped when the configuration no longer has them: otherwise the page would fill up.
 */
#include "dns/counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dns/answer/answer.h"
#include "dns/generation.h"
#include "dns/zone/image.h"
#include "dns/serving.h"
#include "dns/tally.h"
#include "weir/stats.h"

/* Of the stats page: services by site and class, threads, and SERIALS_MAX zones. */
#define ENTRIES_MAX   4096
#define SERIALS_MAX   2000u /* zones whose serial is exported: the page has other counters to hold */
#define SERIAL_METRIC "weir_dns_zone_serial"
#define CLASSES       ((unsigned)STEERING_NONE + 1) /* of enum steering_class */

static const struct {
	uint16_t type;
	const char *name;
} types[COUNTERS_TYPES - 1] = {
	{ DNS_A, "a" },     { DNS_NS, "ns" }, { DNS_CNAME, "cname" }, { DNS_SOA, "soa" },
	{ DNS_PTR, "ptr" }, { DNS_MX, "mx" }, { 16, "txt" },          { DNS_AAAA, "aaaa" },
	{ DNS_DS, "ds" },   { 65, "https" },  { DNS_ANY, "any" },
};

/* The index of an rcode's counter. No extended rcode but BADVERS occurs. */
static unsigned rcode_index(enum dns_rcode rcode)
{
	return rcode == DNS_BADVERS ? COUNTERS_RCODES - 1 : rcode;
}

static uint64_t *find_counter(struct counters *c, enum stats_kind kind, const char *name,
                              const char *label, const char *value, const char *help)
{
	char labels[STATS_LABELS_MAX] = "";

	if (label)
		snprintf(labels, sizeof(labels), "%s=\"%s\"", label, value);
	return stats_get_counter(c->stats, kind, name, labels, help);
}

/*
 * Also counters that stay at zero are created now: a metric that appears later cannot be compared
 * with before.
 */
static void find_query_counters(struct counters *c)
{
	static const char *const transports[] = { "udp", "tcp" };
	static const char *const rcodes[COUNTERS_RCODES] = { "noerror",  "formerr", "servfail",
		                                             "nxdomain", "notimp",  "refused",
		                                             "yxdomain", "badvers" };

	for (unsigned i = 0; i < 2; i++)
		c->queries[i] = find_counter(c, STATS_COUNTER, "weir_dns_queries_total",
		                             "transport", transports[i], "Queries received");
	for (unsigned i = 0; i < COUNTERS_TYPES; i++)
		c->types[i] = find_counter(c, STATS_COUNTER, "weir_dns_queries_by_type_total",
		                           "type", i < COUNTERS_TYPES - 1 ? types[i].name : "other",
		                           "Queries by record type");
	for (unsigned i = 0; i < COUNTERS_RCODES; i++)
		c->rcodes[i] = find_counter(c, STATS_COUNTER, "weir_dns_answers_total", "rcode",
		                            rcodes[i], "Answers by response code");
	c->edns = find_counter(c, STATS_COUNTER, "weir_dns_edns_total", NULL, NULL,
	                       "Queries with EDNS");
	c->subnet = find_counter(c, STATS_COUNTER, "weir_dns_client_subnet_total", NULL, NULL,
	                         "Queries with a client subnet");
	c->truncated = find_counter(c, STATS_COUNTER, "weir_dns_truncated_total", NULL, NULL,
	                            "Answers truncated to fit, with TC set");
}

/*
 * As find_query_counters(). The number of open connections starts at 0: an earlier process may
 * have left another one.
 */
static void find_transport_counters(struct counters *c)
{
	static const char *const drops[] = { "malformed", "port", "send" };
	static const char *const closes[] = { "client", "idle", "unread", "crowded", "bad" };

	for (unsigned i = 0; i < COUNTERS_DROP_COUNT; i++)
		c->drops[i] = find_counter(c, STATS_COUNTER, "weir_dns_dropped_total", "reason",
		                           drops[i], "Queries without an answer");
	for (unsigned i = 0; i < COUNTERS_CLOSE_COUNT; i++)
		c->tcp_closed[i] = find_counter(c, STATS_COUNTER, "weir_dns_tcp_closed_total",
		                                "reason", closes[i], "TCP connections closed");
	c->tcp_accepted = find_counter(c, STATS_COUNTER, "weir_dns_tcp_accepted_total", NULL, NULL,
	                               "TCP connections accepted");
	c->tcp_open = find_counter(c, STATS_GAUGE, "weir_dns_tcp_open", NULL, NULL,
	                           "TCP connections open");
	stats_set(c->tcp_open, 0); /* those of an earlier process are gone */
	c->threads = find_counter(c, STATS_GAUGE, "weir_dns_threads", NULL, NULL,
	                          "Threads of each kind that answer queries");
	c->tcp_paused =
	        find_counter(c, STATS_COUNTER, "weir_dns_tcp_accept_paused_total", NULL, NULL,
	                     "Times that accepting TCP connections paused for lack of descriptors");
}

static void find_load_counters(struct counters *c)
{
	c->loads = find_counter(c, STATS_COUNTER, "weir_dns_loads_total", "result", "ok",
	                        "Loads of a document with its zones, by result");
	c->load_failures = find_counter(c, STATS_COUNTER, "weir_dns_loads_total", "result",
	                                "refused", "Loads of a document with its zones, by result");
	c->load_ms = find_counter(c, STATS_GAUGE, "weir_dns_load_milliseconds", NULL, NULL,
	                          "Duration of the last load");
	c->image_bytes = find_counter(c, STATS_GAUGE, "weir_dns_image_bytes", NULL, NULL,
	                              "Size of the zones' image");
	c->zones = find_counter(c, STATS_GAUGE, "weir_dns_zones", NULL, NULL, "Zones in the image");
	c->stale = find_counter(c, STATS_GAUGE, "weir_dns_image_stale", NULL, NULL,
	                        "1: some zone is not served as its file says now");
}

static void find_clock_counters(struct counters *c)
{
	static const char *const holds[] = { "clock", "site" };

	c->clock_held = find_counter(c, STATS_GAUGE, "weir_dns_clock_held", NULL, NULL,
	                             "1: ramps of drains are held because of the wall clock");
	c->clock_stepped = find_counter(c, STATS_GAUGE, "weir_dns_clock_stepped", NULL, NULL,
	                                "1: the wall clock has jumped and is not followed");
	c->clock_unsynchronised =
	        find_counter(c, STATS_GAUGE, "weir_dns_clock_unsynchronised", NULL, NULL,
	                     "1: no time server has confirmed the wall clock since the boot");
	for (unsigned i = 0; i < 2; i++)
		c->ramps_held[i] = find_counter(c, STATS_GAUGE, "weir_dns_ramps_held", "by",
		                                holds[i], "Drains whose ramp is held");
}

_Static_assert(sizeof("zone=\"\"") + NAME_WIRE_MAX <= STATS_LABELS_MAX, "room for a zone's name");

/* The label of a zone's serial. @return false if the name has bytes that a label escapes */
static bool serial_label(const struct image *image, uint32_t number, char labels[STATS_LABELS_MAX])
{
	uint8_t wire[NAME_WIRE_MAX];
	char text[NAME_TEXT_MAX];

	image_name_wire(image, image_zone(image, number)->name_off, wire);
	name_text(wire, text);
	if (strpbrk(text, "\\\""))
		return false;
	snprintf(labels, STATS_LABELS_MAX, "zone=\"%.255s\"", text);
	return true;
}

static uint32_t count_exported_serials(const struct image *image)
{
	return image->n_zones < SERIALS_MAX ? image->n_zones : SERIALS_MAX;
}

/*
 * Whether zone number @p number of @p before is among those of @p image whose serial is exported.
 */
static bool is_serial_exported(const struct image *image, const struct image *before,
                               uint32_t number)
{
	uint8_t wire[NAME_WIRE_MAX];
	char text[NAME_TEXT_MAX];
	struct name name;

	image_name_wire(before, image_zone(before, number)->name_off, wire);
	if (name_parse(name_text(wire, text), &name) < 0)
		return false;

	struct image_found found = image_find(image, &name);
	const struct image_name *apex;

	if (!found.node || found.skipped || found.node->zone >= count_exported_serials(image))
		return false;
	apex = image_name(image, image_zone(image, found.node->zone)->name_off);
	return apex == image_name(image, found.node->name_off);
}

void counters_drop_zones(struct counters *c, const struct generation *before,
                         const struct generation *g)
{
	char labels[STATS_LABELS_MAX];

	for (uint32_t i = 0; c->stats && i < count_exported_serials(before->image); i++)
		if (!is_serial_exported(g->image, before->image, i) &&
		    serial_label(before->image, i, labels))
			stats_drop(c->stats, SERIAL_METRIC, labels);
}

/* Drop serials that an earlier process exported, since this one may not have its zones. */
static void forget_serials(struct counters *c, const char *run_dir)
{
	struct stats_reader *r;
	char labels[STATS_LABELS_MAX];

	if (stats_reader_open(run_dir, "dns", &r) < 0)
		return;
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (!e->used || strcmp(e->name, SERIAL_METRIC) != 0)
			continue;
		snprintf(labels, sizeof(labels), "%s", e->labels);
		stats_drop(c->stats, SERIAL_METRIC, labels);
	}
	stats_reader_close(r);
}

int counters_open(struct counters *c, const char *run_dir)
{
	*c = (struct counters){ 0 };

	int err = stats_create(run_dir, "dns", ENTRIES_MAX, &c->stats);

	if (err < 0)
		return err;
	forget_serials(c, run_dir);
	find_query_counters(c);
	find_transport_counters(c);
	find_load_counters(c);
	find_clock_counters(c);
	return 0;
}

void counters_close(struct counters *c)
{
	stats_close(c->stats);
}

uint64_t *counters_thread(struct counters *c, unsigned number)
{
	char text[12];

	snprintf(text, sizeof(text), "%u", number + 1);
	return find_counter(c, STATS_COUNTER, "weir_dns_thread_queries_total", "thread", text,
	                    "Queries answered by threads of this number");
}

static void label_service_site(const struct steering_service *s, uint32_t site,
                               char out[STATS_LABELS_MAX])
{
	snprintf(out, STATS_LABELS_MAX, "service=\"%s\",site=\"%s\"", s->name,
	         site < s->n_sites ? s->sites[site].name : "");
}

static void label_service_class(const struct steering_service *s, unsigned class,
                                char out[STATS_LABELS_MAX])
{
	snprintf(out, STATS_LABELS_MAX, "service=\"%s\",class=\"%s\"", s->name,
	         steering_class_text((enum steering_class) class));
}

/*
 * Where a service's counters begin in `by_site`: one for each of its states, and one for `no
 * site`.
 */
static size_t first_counter_of(const struct steering *p, const struct steering_service *s)
{
	return s->first_state + (size_t)(s - p->services);
}

/* All classes and sites get their counters now: a worker thread must never have to look one up. */
static void find_service_counters(struct counters *c, struct counters_services *services,
                                  const struct steering *p, const struct steering_service *s)
{
	char labels[STATS_LABELS_MAX];

	for (uint32_t k = 0; k <= s->n_sites; k++) {
		label_service_site(s, k, labels);
		services->by_site[first_counter_of(p, s) + k] = stats_get_counter(
		        c->stats, STATS_COUNTER, "weir_dns_placed_total", labels,
		        "Answers for dynamic names by site; empty site: an empty answer");
	}
	for (unsigned k = 0; k < CLASSES; k++) {
		label_service_class(s, k, labels);
		services->classes[(size_t)(s - p->services) * CLASSES + k] = stats_get_counter(
		        c->stats, STATS_COUNTER, "weir_dns_placed_by_class_total", labels,
		        "Answers for dynamic names by the class of the chosen site");
	}
}

static bool has_service(const struct steering *p, const char *name)
{
	for (size_t i = 0; i < p->n_services; i++)
		if (strcmp(p->services[i].name, name) == 0)
			return true;
	return false;
}

void counters_drop(struct counters *c, const struct generation *before, const struct generation *g)
{
	const struct steering *old = before->steering, *p = g->steering;
	char labels[STATS_LABELS_MAX];

	for (size_t i = 0; c->stats && i < old->n_services; i++) {
		const struct steering_service *s = &old->services[i];

		if (has_service(p, s->name))
			continue;
		for (uint32_t k = 0; k <= s->n_sites; k++) {
			label_service_site(s, k, labels);
			stats_drop(c->stats, "weir_dns_placed_total", labels);
		}
		for (unsigned k = 0; k < CLASSES; k++) {
			label_service_class(s, k, labels);
			stats_drop(c->stats, "weir_dns_placed_by_class_total", labels);
		}
	}
}

static void export_serials(struct counters *c, const struct image *image)
{
	char labels[STATS_LABELS_MAX];

	for (uint32_t i = 0; i < count_exported_serials(image); i++)
		if (serial_label(image, i, labels))
			stats_set(stats_get_counter(c->stats, STATS_GAUGE, SERIAL_METRIC, labels,
			                            "Serial number of a zone"),
			          image_zone(image, i)->serial);
	stats_set(c->zones, image->n_zones);
}

struct counters_services *counters_services_new(struct counters *c, const struct generation *g)
{
	const struct steering *p = g->steering;
	struct counters_services *services = c->stats ? calloc(1, sizeof(*services)) : NULL;

	if (!services)
		return NULL;
	services->by_site = calloc(p->n_states + p->n_services + 1, sizeof(*services->by_site));
	services->classes = calloc(p->n_services * CLASSES + 1, sizeof(*services->classes));
	if (!services->by_site || !services->classes) {
		counters_services_free(services);
		return NULL;
	}
	for (size_t i = 0; i < p->n_services; i++)
		find_service_counters(c, services, p, &p->services[i]);
	export_serials(c, g->image);
	stats_set(c->image_bytes, g->image->size_bytes);
	stats_set(c->stale, generation_lacks(g));
	return services;
}

void counters_services_free(struct counters_services *services)
{
	if (!services)
		return;
	free(services->by_site);
	free(services->classes);
	free(services);
}

static unsigned type_index(uint16_t type)
{
	unsigned i = 0;

	while (i < COUNTERS_TYPES - 1 && types[i].type != type)
		i++;
	return i;
}

bool counters_steered(const struct counters_services *c, const struct steering *p, size_t service,
                      uint32_t site, uint64_t *out)
{
	const uint64_t *counter =
	        c ? c->by_site[first_counter_of(p, &p->services[service]) + site] : NULL;

	if (counter)
		*out = __atomic_load_n(counter, __ATOMIC_RELAXED);
	return counter;
}

static void count_steered(struct tally *tally, const struct serving *from,
                          const struct answer_info *info)
{
	const struct steering *p = from->generation->steering;
	const struct steering_service *s = p->names[info->dynamic].service;
	uint32_t site = info->choice.site < 0 ? s->n_sites : (uint32_t)info->choice.site;

	tally_add(tally, from->counters->by_site[first_counter_of(p, s) + site], 1);
	tally_add(tally,
	          from->counters->classes[(size_t)(s - p->services) * CLASSES + info->choice.class],
	          1);
}

void counters_answer(const struct counters *c, struct tally *tally, const struct serving *from,
                     bool tcp, const struct answer_info *info)
{
	if (!c->stats)
		return;
	tally_add(tally, c->queries[tcp], 1);
	tally_add(tally, c->rcodes[rcode_index(info->rcode)], 1);
	if (info->has_question)
		tally_add(tally, c->types[type_index(info->type)], 1);
	if (info->has_edns)
		tally_add(tally, c->edns, 1);
	if (info->has_subnet)
		tally_add(tally, c->subnet, 1);
	if (info->truncated)
		tally_add(tally, c->truncated, 1);
	if (info->dynamic >= 0 && from->counters)
		count_steered(tally, from, info);
}
