/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A service at a site has one VIP, so a VIP's packets are the sum over its services there. A sum that
 * falls means that a service left, or that the tables are new: counting goes on from the value at hand.
 */
#include "mgmt/observe/vip_traffic.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/sorted.h"
#include "weir/model.h"
#include "weir/life.h"
#include "weir/stats.h"

#define EVERY_MS 2000u /* between two looks */
#define COUNTER  "weir_dataplane_service_packets_total"
#define LABEL    "service=\""
#define KEPT_MS  15000u /* values that were not read again for so long are unknown */

/* A service's counter, by the hash of its name. */
struct service_count {
	uint64_t service, packets; /* sorted by the first */
};

/* What one look finds of a VIP. */
struct vip_count {
	uint64_t vip, packets; /* sorted by the first */
	size_t n_services;
	bool unknown; /* not of all its services here */
};

struct vip_traffic {
	struct vip_traffic_row *rows,
	        *next; /* by VIP, rising: published; of the last look, or NULL */
	size_t n, n_next;
	uint64_t looked_ms; /* of the last look */
	size_t n_services;
};

struct vip_traffic *vip_traffic_new(void)
{
	return MEMORY_NEW(struct vip_traffic);
}

void vip_traffic_free(struct vip_traffic *t)
{
	if (!t)
		return;
	free(t->rows);
	free(t->next);
	free(t);
}

bool vip_traffic_is_due(const struct vip_traffic *t, uint64_t now_ms)
{
	return !t->looked_ms || now_ms - t->looked_ms >= EVERY_MS + 2 * t->n_services;
}

/* The service of a counter's labels, service="NAME". @return whether the entry is such a counter */
static bool read_entry(const struct stats_entry *e, struct service_count *out)
{
	const size_t n_label = strlen(LABEL);
	char name[MODEL_NAME_MAX];
	size_t n;

	if (!__atomic_load_n(&e->used, __ATOMIC_ACQUIRE) || strcmp(e->name, COUNTER) != 0 ||
	    strncmp(e->labels, LABEL, n_label) != 0)
		return false;
	n = strcspn(e->labels + n_label, "\"");
	if (n >= sizeof(name))
		return false;
	memcpy(name, e->labels + n_label, n);
	name[n] = '\0';
	*out = (struct service_count){ hash_text(name),
		                       __atomic_load_n(&e->value, __ATOMIC_RELAXED) };
	return true;
}

/* All services' counters, sorted, from malloc(). @return NULL when they are not known */
static struct service_count *read_counts(const char *run_dir, uint64_t now_ms, size_t *n)
{
	struct service_count *list = NULL;
	struct stats_reader *r;

	*n = 0;
	if (stats_reader_open(run_dir, "dataplane", &r))
		return NULL;
	if (life_is_fresh(stats_reader_alive_ms(r), LIFE_FOR_COUNTS, now_ms))
		list = calloc(stats_reader_n(r) + 1, sizeof(*list));
	for (size_t i = 0; list && i < stats_reader_n(r); i++)
		*n += read_entry(stats_reader_entry(r, i), &list[*n]);
	stats_reader_close(r);
	if (list)
		qsort(list, *n, sizeof(*list), sorted_by_u64);
	return list;
}

/* The element of a sorted list that begins with the hash of @p name; NULL: there is none. */
static void *find_named(const char *name, const void *list, size_t n, size_t size)
{
	const uint64_t key = hash_text(name);

	return n ? bsearch(&key, list, n, size, sorted_by_u64) : NULL;
}

/* Add a service to its VIP's count, if that is announced. @param service  NULL: its counter is not known */
static void add_service(struct vip_count *counts, size_t n, const struct model_vip *vip,
                        const struct service_count *service)
{
	struct vip_count *to = find_named(vip->name, counts, n, sizeof(*counts));

	if (!to)
		return;
	to->n_services++;
	to->unknown |= !service;
	to->packets += service ? service->packets : 0;
}

/* Packets of clients of each VIP that this node announces, sorted, from malloc(). @return NULL: out of memory */
static struct vip_count *count_vips(const struct model *m, const struct service_count *services,
                                    size_t n_services)
{
	const struct model_announce *a = &m->self->announce;
	struct vip_count *counts = calloc(a->n_vips + 1, sizeof(*counts));

	if (!counts)
		return NULL;
	for (size_t i = 0; i < a->n_vips; i++)
		counts[i].vip = hash_text(a->vips[i]->name);
	qsort(counts, a->n_vips, sizeof(*counts), sorted_by_u64);
	for (size_t i = 0; i < m->n_services; i++)
		for (size_t k = 0; k < m->services[i].n_at; k++) {
			const struct model_at *at = &m->services[i].at[k];

			if (!at->vip || at->site != m->self->site)
				continue;
			add_service(counts, a->n_vips, at->vip,
			            find_named(m->services[i].name, services, n_services,
			                       sizeof(*services)));
		}
	return counts;
}

/* Take a value into account. The first one says nothing. */
static void note_value(struct vip_traffic_row *row, uint64_t value, uint64_t now_ms)
{
	if (row->known_ms && value > row->counted) {
		row->packets += value - row->counted;
		row->arrived_ms = now_ms;
	}
	row->counted = value;
	row->known_ms = now_ms;
}

/* Make the rows of the VIPs that are announced now; those that were there before go on. */
static void make_rows(struct vip_traffic *t, const struct vip_count *counts, size_t n,
                      uint64_t now_ms)
{
	free(t->next); /* of a look that was not published */
	t->next = calloc(n + 1, sizeof(*t->next));
	t->n_next = n;
	for (size_t i = 0; t->next && i < n; i++) {
		const struct vip_traffic_row *old =
		        t->n ? bsearch(&counts[i], t->rows, t->n, sizeof(*old), sorted_by_u64)
		             : NULL;

		t->next[i] =
		        old ? *old
		            : (struct vip_traffic_row){ .vip = counts[i].vip, .since_ms = now_ms };
		if (counts[i].n_services && !counts[i].unknown)
			note_value(&t->next[i], counts[i].packets, now_ms);
	}
}

void vip_traffic_look(struct vip_traffic *t, const char *run_dir, const struct model *m,
                      uint64_t now_ms)
{
	size_t n;
	struct service_count *services = read_counts(run_dir, now_ms, &n);
	struct vip_count *counts = services ? count_vips(m, services, n) : NULL;

	t->looked_ms = now_ms;
	t->n_services = m->n_services;
	if (counts)
		make_rows(t, counts, m->self->announce.n_vips, now_ms);
	free(counts);
	free(services);
}

void vip_traffic_publish(struct vip_traffic *t)
{
	if (!t->next)
		return;
	free(t->rows);
	t->rows = t->next;
	t->n = t->n_next;
	t->next = NULL;
}

bool vip_traffic_find(const struct vip_traffic *t, const char *name, uint64_t now_ms,
                      struct vip_traffic_row *out)
{
	const struct vip_traffic_row *row = find_named(name, t->rows, t->n, sizeof(*row));

	if (!row || !row->known_ms || now_ms > row->known_ms + KEPT_MS)
		return false;
	*out = *row;
	return true;
}
