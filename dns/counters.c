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
#include "weir/steer_keys.h"

/*
 * Counters on the stats page: those of services, twice, since the ones of a replaced document go when
 * no thread counts there any more; zones; the others are for the server, addresses, threads and signs
 * of life, which must always find room.
 */
#define ENTRIES_MAX   32768u
#define SERVICES_MAX  14336u /* counters of a document's services; each has all of its own or none */
#define SERIALS_MAX   2000u  /* zones whose serial is exported */
#define OTHERS_MAX    1024u
#define SERIAL_METRIC "weir_dns_zone_serial"
#define SITE_METRIC   "weir_dns_placed_total"
#define CLASS_METRIC  "weir_dns_placed_by_class_total"
#define CLASSES       ((unsigned)STEERING_NONE + 1) /* of enum steering_class */

_Static_assert(2 * SERVICES_MAX + SERIALS_MAX + OTHERS_MAX <= ENTRIES_MAX,
               "room for signs of life");
_Static_assert(SERVICES_MAX <= STEER_KEYS_ANSWERS_MAX,
               "all that is counted is on the page of keys");

/* Types with a counter of their own, and the labels of these counters and of the one for all others. */
static const uint16_t types[COUNTERS_TYPES - 1] = { DNS_A,   DNS_NS, DNS_CNAME, DNS_SOA,
	                                            DNS_PTR, DNS_MX, DNS_TXT,   DNS_AAAA,
	                                            DNS_DS,  65,     DNS_ANY };
static const char *const type_names[COUNTERS_TYPES] = { "a",   "ns",    "cname", "soa",
	                                                "ptr", "mx",    "txt",   "aaaa",
	                                                "ds",  "https", "any",   "other" };
static const char *const rcodes[COUNTERS_RCODES] = { "noerror", "formerr", "servfail", "nxdomain",
	                                             "notimp",  "refused", "yxdomain", "badvers" };
static const char *const transports[] = { "udp", "tcp" };
static const char *const drops[COUNTERS_DROP_COUNT] = { "malformed", "port", "send" };
static const char *const closes[COUNTERS_CLOSE_COUNT] = { "client", "idle", "unread", "crowded",
	                                                  "bad" };
static const char *const ok[] = { "ok" }, *const refused[] = { "refused" };
static const char *const holds[] = { "clock", "site" };

/* One counter, or one for each value of a label, as many as the member has. */
struct counters_row {
	size_t offset, n; /* of the first one in struct counters; how many */
	enum stats_kind kind;
	const char *name, *help, *label;
	const char *const *values;
};

#define METRIC(member, ...)                                                                        \
	{                                                                                          \
		.offset = offsetof(struct counters, member),                                       \
		.n = sizeof(((struct counters *)0)->member) / sizeof(uint64_t *), __VA_ARGS__      \
	}

/*
 * Also counters that stay at zero are created now: a metric that appears later cannot be compared
 * with before.
 */
static const struct counters_row rows[] = {
	METRIC(queries, STATS_COUNTER, "weir_dns_queries_total", "Queries received", "transport",
	       transports),
	METRIC(types, STATS_COUNTER, "weir_dns_queries_by_type_total", "Queries by record type",
	       "type", type_names),
	METRIC(rcodes, STATS_COUNTER, "weir_dns_answers_total", "Answers by response code", "rcode",
	       rcodes),
	METRIC(edns, STATS_COUNTER, "weir_dns_edns_total", "Queries with EDNS"),
	METRIC(subnet, STATS_COUNTER, "weir_dns_client_subnet_total",
	       "Queries with a client subnet"),
	METRIC(truncated, STATS_COUNTER, "weir_dns_truncated_total",
	       "Answers truncated to fit, with TC set"),
	METRIC(drops, STATS_COUNTER, "weir_dns_dropped_total", "Queries without an answer",
	       "reason", drops),
	METRIC(tcp_closed, STATS_COUNTER, "weir_dns_tcp_closed_total", "TCP connections closed",
	       "reason", closes),
	METRIC(tcp_accepted, STATS_COUNTER, "weir_dns_tcp_accepted_total",
	       "TCP connections accepted"),
	METRIC(tcp_open, STATS_GAUGE, "weir_dns_tcp_open", "TCP connections open"),
	METRIC(threads, STATS_GAUGE, "weir_dns_threads",
	       "Threads of each kind that answer queries"),
	METRIC(tcp_paused, STATS_COUNTER, "weir_dns_tcp_accept_paused_total",
	       "Times that accepting TCP connections paused for lack of descriptors"),
	METRIC(loads, STATS_COUNTER, "weir_dns_loads_total",
	       "Loads of a document with its zones, by result", "result", ok),
	METRIC(load_failures, STATS_COUNTER, "weir_dns_loads_total",
	       "Loads of a document with its zones, by result", "result", refused),
	METRIC(load_ms, STATS_GAUGE, "weir_dns_load_milliseconds", "Duration of the last load"),
	METRIC(image_bytes, STATS_GAUGE, "weir_dns_image_bytes", "Size of the zones' image"),
	METRIC(zones, STATS_GAUGE, "weir_dns_zones", "Zones in the image"),
	METRIC(stale, STATS_GAUGE, "weir_dns_image_stale",
	       "1: some zone is not served as its file says now"),
	METRIC(clock_held, STATS_GAUGE, "weir_dns_clock_held",
	       "1: ramps of drains are held because of the wall clock"),
	METRIC(clock_stepped, STATS_GAUGE, "weir_dns_clock_stepped",
	       "1: the wall clock has jumped and is not followed"),
	METRIC(clock_unsynchronised, STATS_GAUGE, "weir_dns_clock_unsynchronised",
	       "1: no time server has confirmed the wall clock since the boot"),
	METRIC(ramps_held, STATS_GAUGE, "weir_dns_ramps_held", "Drains whose ramp is held", "by",
	       holds),
};

/* The index of an rcode's counter. No extended rcode but BADVERS occurs. */
static unsigned rcode_index(enum dns_rcode rcode)
{
	return rcode == DNS_BADVERS ? COUNTERS_RCODES - 1 : rcode;
}

static void find_row(struct counters *c, const struct counters_row *m)
{
	uint64_t **to = (uint64_t **)((char *)c + m->offset);
	char labels[STATS_LABELS_MAX] = "";

	for (size_t i = 0; i < m->n; i++) {
		if (m->label)
			snprintf(labels, sizeof(labels), "%s=\"%s\"", m->label, m->values[i]);
		to[i] = stats_get_counter(c->stats, m->kind, m->name, labels, m->help);
	}
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
	const struct image_zone *zone;

	image_name_wire(before, image_zone(before, number)->name_off, wire);
	zone = image_find_zone(image, name_text(wire, text));
	return zone && (uint32_t)(zone - image_zone(image, 0)) < count_exported_serials(image);
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

static bool is_serial(void *arg, const struct stats_entry *e)
{
	(void)arg;
	return strcmp(e->name, SERIAL_METRIC) == 0;
}

int counters_open(struct counters *c, const char *run_dir)
{
	*c = (struct counters){ 0 };

	int err = stats_create(run_dir, "dns", ENTRIES_MAX, &c->stats);

	if (err < 0)
		return err;
	stats_drop_left(c->stats, is_serial, NULL); /* this process may not have their zones */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		find_row(c, &rows[i]);
	stats_set(c->tcp_open, 0); /* those of an earlier process are gone */
	return 0;
}

void counters_close(struct counters *c)
{
	stats_close(c->stats);
}

uint64_t *counters_thread(struct counters *c, unsigned number)
{
	char labels[STATS_LABELS_MAX];

	snprintf(labels, sizeof(labels), "thread=\"%u\"", number + 1);
	return stats_get_counter(c->stats, STATS_COUNTER, "weir_dns_thread_queries_total", labels,
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

/* Whether a service is among the first, whose counters have room. */
static bool is_service_counted(const struct steering *p, const struct steering_service *s)
{
	return first_counter_of(p, s) + s->n_sites + 1 +
	               ((size_t)(s - p->services) + 1) * CLASSES <=
	       SERVICES_MAX;
}

/* A counter of its own. NULL: the page is full, so it is not counted. */
static uint64_t *find_own_counter(struct counters *c, enum stats_kind kind, const char *name,
                                  const char *labels, const char *help)
{
	uint64_t *counter = stats_get_counter(c->stats, kind, name, labels, help);

	return stats_is_overflow(c->stats, counter) ? NULL : counter;
}

/* All classes and sites get their counters now: a worker thread must never have to look one up. */
static void find_service_counters(struct counters *c, struct counters_services *services,
                                  const struct steering *p, const struct steering_service *s)
{
	char labels[STATS_LABELS_MAX];

	for (uint32_t k = 0; k <= s->n_sites; k++) {
		label_service_site(s, k, labels);
		services->by_site[first_counter_of(p, s) + k] = find_own_counter(
		        c, STATS_COUNTER, SITE_METRIC, labels,
		        "Answers for dynamic names by site; empty site: an empty answer");
	}
	for (unsigned k = 0; k < CLASSES; k++) {
		label_service_class(s, k, labels);
		services->classes[(size_t)(s - p->services) * CLASSES + k] = find_own_counter(
		        c, STATS_COUNTER, CLASS_METRIC, labels,
		        "Answers for dynamic names by the class of the chosen site");
	}
}

/* The service of @p p that is counted and has this name. */
static const struct steering_service *find_counted_service(const struct steering *p,
                                                           const char *name)
{
	for (size_t i = 0; i < p->n_services && is_service_counted(p, &p->services[i]); i++)
		if (strcmp(p->services[i].name, name) == 0)
			return &p->services[i];
	return NULL;
}

static bool is_service_at(const struct steering_service *s, const char *site)
{
	for (uint32_t k = 0; k < s->n_sites; k++)
		if (strcmp(s->sites[k].name, site) == 0)
			return true;
	return false;
}

void counters_drop(struct counters *c, const struct generation *before, const struct generation *g)
{
	const struct steering *old = before->steering, *p = g->steering;
	char labels[STATS_LABELS_MAX];

	for (size_t i = 0; c->stats && i < old->n_services; i++) {
		if (!is_service_counted(old, &old->services[i]))
			break;
		const struct steering_service *s = &old->services[i],
		                              *is = find_counted_service(p, s->name);

		for (uint32_t k = 0; k <= s->n_sites; k++) {
			if (is && (k == s->n_sites || is_service_at(is, s->sites[k].name)))
				continue;
			label_service_site(s, k, labels);
			stats_drop(c->stats, SITE_METRIC, labels);
		}
		for (unsigned k = 0; !is && k < CLASSES; k++) {
			label_service_class(s, k, labels);
			stats_drop(c->stats, CLASS_METRIC, labels);
		}
	}
}

/* Whether an entry counts answers of a service, or of a site of it, that the steering does not have. */
static bool is_left_over(void *arg, const struct stats_entry *e)
{
	const struct steering *p = arg;
	bool by_site = strcmp(e->name, SITE_METRIC) == 0;
	const struct steering_service *s;
	char service[STATS_LABELS_MAX] = "", site[STATS_LABELS_MAX] = "";

	if (!by_site && strcmp(e->name, CLASS_METRIC) != 0)
		return false;
	(void)sscanf(e->labels, "service=\"%263[^\"]\",site=\"%263[^\"]\"", service, site);
	s = find_counted_service(p, service);
	return !s || (by_site && *site && !is_service_at(s, site));
}

void counters_drop_left(struct counters *c, const struct generation *g)
{
	if (c->stats)
		stats_drop_left(c->stats, is_left_over, g->steering);
}

static void export_serials(struct counters *c, const struct image *image)
{
	char labels[STATS_LABELS_MAX];

	for (uint32_t i = 0; i < count_exported_serials(image); i++) {
		uint64_t *serial = serial_label(image, i, labels)
		                           ? find_own_counter(c, STATS_GAUGE, SERIAL_METRIC, labels,
		                                              "Serial number of a zone")
		                           : NULL;

		if (serial)
			stats_set(serial, image_zone(image, i)->serial);
	}
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
	for (size_t i = 0; i < p->n_services; i++) {
		if (is_service_counted(p, &p->services[i])) {
			find_service_counters(c, services, p, &p->services[i]);
			continue;
		}
		log_note("services-without-counters",
		         "left_out=%zu reason=\"the page of counters has room for %u of services\"",
		         p->n_services - i, SERVICES_MAX);
		break;
	}
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

	while (i < COUNTERS_TYPES - 1 && types[i] != type)
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
