/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A service at a site has one VIP, so a VIP's packets are the sum over its services there. A sum that
 * falls means that a service left, or that the tables are new: counting goes on from the value at hand.
 */
#include "mgmt/api/vip_traffic.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/sorted.h"
#include "weir/model.h"
#include "weir/stats.h"

#define EVERY_MS 2000u /* between two looks */
#define COUNTER  "weir_dataplane_service_packets_total"
#define LABEL    "service=\""
#define STALE_MS 3000u  /* of weir-dataplane's page: older is unknown */
#define KEPT_MS  15000u /* values that were not read again for so long are unknown */

/* A service's counter, by the hash of its name. */
struct service_count {
	uint64_t service, packets; /* sorted by the first */
};

struct vip_traffic {
	struct vip_traffic_row *rows, *shown; /* the look's, and those that were published */
	size_t n, n_shown;
	uint64_t looked_ms; /* of the last look */
	size_t n_services;
};

struct vip_traffic *vip_traffic_new(void)
{
	return calloc(1, sizeof(struct vip_traffic));
}

void vip_traffic_free(struct vip_traffic *t)
{
	if (!t)
		return;
	free(t->rows);
	free(t->shown);
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
	if (now_ms <= stats_reader_alive_ms(r) + STALE_MS)
		list = calloc(stats_reader_n(r) + 1, sizeof(*list));
	for (size_t i = 0; list && i < stats_reader_n(r); i++)
		*n += read_entry(stats_reader_entry(r, i), &list[*n]);
	stats_reader_close(r);
	if (list)
		qsort(list, *n, sizeof(*list), sorted_by_u64);
	return list;
}

/* What one look reads from. */
struct vip_counters {
	const struct model *m;
	struct service_count *counts;
	size_t n_counts;
};

/* Packets of clients of one service. @return false: not known */
static bool count_service(const struct vip_counters *c, const char *name, uint64_t *out)
{
	const struct service_count key = { .service = hash_text(name) };
	const struct service_count *found =
	        c->n_counts ? bsearch(&key, c->counts, c->n_counts, sizeof(key), sorted_by_u64)
	                    : NULL;

	if (found)
		*out = found->packets;
	return found;
}

/* Packets of clients of a VIP. @return false: not known of all its services here */
static bool count_vip(const struct vip_counters *c, const struct model_vip *vip, uint64_t *out)
{
	const struct model *m = c->m;
	uint64_t sum = 0;
	size_t n = 0;

	for (size_t i = 0; i < m->n_services; i++)
		for (size_t k = 0; k < m->services[i].n_at; k++) {
			const struct model_at *at = &m->services[i].at[k];
			uint64_t packets;

			if (at->vip != vip || at->site != m->self->site)
				continue;
			if (!count_service(c, m->services[i].name, &packets))
				return false;
			sum += packets;
			n++;
		}
	*out = sum;
	return n > 0;
}

static struct vip_traffic_row *find_row(struct vip_traffic_row *rows, size_t n, uint64_t vip)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].vip == vip)
			return &rows[i];
	return NULL;
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
static void read_rows(struct vip_traffic *t, const struct vip_counters *c, uint64_t now_ms)
{
	const struct model_announce *a = &c->m->self->announce;
	struct vip_traffic_row *rows = calloc(a->n_vips + 1, sizeof(*rows));

	for (size_t i = 0; rows && i < a->n_vips; i++) {
		uint64_t vip = hash_text(a->vips[i]->name), value;
		const struct vip_traffic_row *old = i < t->n && t->rows[i].vip == vip
		                                            ? &t->rows[i]
		                                            : find_row(t->rows, t->n, vip);

		rows[i] = old ? *old : (struct vip_traffic_row){ .vip = vip, .since_ms = now_ms };
		if (count_vip(c, a->vips[i], &value))
			note_value(&rows[i], value, now_ms);
	}
	if (!rows)
		return;
	free(t->rows);
	t->rows = rows;
	t->n = a->n_vips;
}

void vip_traffic_look(struct vip_traffic *t, const char *run_dir, const struct model *m,
                      uint64_t now_ms)
{
	struct vip_counters c = { .m = m };

	t->looked_ms = now_ms;
	t->n_services = m->n_services;
	c.counts = read_counts(run_dir, now_ms, &c.n_counts);
	if (c.counts)
		read_rows(t, &c, now_ms);
	free(c.counts);
}

void vip_traffic_publish(struct vip_traffic *t)
{
	struct vip_traffic_row *shown = calloc(t->n + 1, sizeof(*shown));

	if (!shown)
		return;
	if (t->n)
		memcpy(shown, t->rows, t->n * sizeof(*shown));
	free(t->shown);
	t->shown = shown;
	t->n_shown = t->n;
}

bool vip_traffic_find(const struct vip_traffic *t, const char *name, uint64_t now_ms,
                      struct vip_traffic_row *out)
{
	const struct vip_traffic_row *row = find_row(t->shown, t->n_shown, hash_text(name));

	if (!row || !row->known_ms || now_ms > row->known_ms + KEPT_MS)
		return false;
	*out = *row;
	return true;
}
