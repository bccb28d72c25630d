/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/cluster/siblings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "base/proc.h"
#include "dataplane/export/effect_internal.h"
#include "weir/condition.h"
#include "weir/health.h"
#include "weir/model.h"
#include "weir/stats.h"

#define LOOK_MS      200u
#define POOLS_MAX    4u
#define BACKENDS_MAX 16u
#define SLOTS        1024u

enum sibling { SIBLING_DATAPLANE, SIBLING_HEALTH, SIBLINGS };

static const char *const names[SIBLINGS] = { "dataplane", "health" };

struct siblings {
	struct proc_dirs dirs;
	struct sched_host *host;
	pthread_t thread;
	bool refuses, fails, are_late, has_changed, is_stopping;
	struct stats *stats[SIBLINGS];
	struct page *health, *effect;
	uint64_t document; /* that was taken */
	char refused[32];  /* "": none */
};

static void open_pages(struct siblings *s)
{
	char path[PATH_MAX];

	for (int i = 0; i < SIBLINGS; i++)
		if (stats_create(s->dirs.run, names[i], 64, &s->stats[i]))
			abort();
	if (proc_path(s->dirs.run, PROC_HEALTH_PAGE, path) ||
	    page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT, sizeof(struct health_page),
	                &s->health) ||
	    proc_path(s->dirs.run, EFFECT_PAGE_FILE, path) ||
	    page_create(path, EFFECT_PAGE_KIND, EFFECT_PAGE_LAYOUT,
	                effect_page_bytes(POOLS_MAX, BACKENDS_MAX), &s->effect))
		abort();
}

static void close_pages(struct siblings *s)
{
	for (int i = 0; i < SIBLINGS; i++)
		stats_close(s->stats[i]);
	page_close(s->health);
	page_close(s->effect);
}

static bool is_own_pool(const struct model *m, const struct model_pool *pool)
{
	return m->self && pool->site == m->self->site;
}

static void write_health(struct siblings *s, const struct model *m)
{
	struct health_page *page = page_payload(s->health);
	uint64_t targets[BACKENDS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < m->n_pools; i++)
		for (size_t k = 0;
		     is_own_pool(m, &m->pools[i]) && k < m->pools[i].n_backends && n < BACKENDS_MAX;
		     k++)
			targets[n++] =
			        health_target_backend(m->pools[i].name, m->pools[i].backends[k].id);
	if (health_set_targets(page, targets, n, m->meta.document))
		abort();
	for (size_t i = 0; i < n; i++)
		health_write(page, health_find_index(page, targets[i]),
		             health_make(s->fails ? HEALTH_DOWN : HEALTH_UP, 0,
		                         s->fails ? HEALTH_REASON_REFUSED : HEALTH_REASON_OK,
		                         clock_realtime_ms() / 1000));
	page_publish(s->health);
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct effect_backend *)a)->id,
	         y = ((const struct effect_backend *)b)->id;

	return (x > y) - (x < y);
}

/* One pool is a site's here, so its rows are sorted by pool as they are. */
static void write_effect(struct siblings *s, const struct model *m)
{
	struct effect_page *p = page_payload(s->effect);
	struct effect_pool *pools;
	struct effect_backend *rows;

	p->seq++;
	p->max_pools = POOLS_MAX;
	p->max_backends = BACKENDS_MAX;
	pools = effect_page_pools(p);
	rows = effect_page_backends(p);
	p->total = (struct effect_total){ .document = m->meta.document,
		                          .n_services = (uint32_t)m->n_services };
	for (size_t i = 0; i < m->n_pools; i++) {
		const struct model_pool *pool = &m->pools[i];

		if (!is_own_pool(m, pool) || p->total.n_pools)
			continue;
		pools[p->total.n_pools++] =
		        (struct effect_pool){ .pool = hash_text(pool->name),
			                      .n_slots = SLOTS,
			                      .n_backends = (uint32_t)pool->n_backends };
		for (size_t k = 0; k < pool->n_backends; k++)
			rows[p->total.n_backends++] =
			        (struct effect_backend){ .pool = hash_text(pool->name),
				                         .id = pool->backends[k].id,
				                         .slots =
				                                 SLOTS / (uint32_t)pool->n_backends,
				                         .alive = 1,
				                         .next_hop = 1,
				                         .reason = EFFECT_REASON_UNCHECKED,
				                         .hop = EFFECT_HOP_KNOWN };
	}
	qsort(rows, p->total.n_backends, sizeof(*rows), by_id);
	p->seq++;
	page_publish(s->effect);
}

static void write_conditions(struct siblings *s)
{
	for (int i = 0; i < SIBLINGS; i++) {
		conditions_begin(s->stats[i], s->document);
		if (i == SIBLING_DATAPLANE && *s->refused)
			conditions_add(s->stats[i], "document-refused", CONDITION_DEGRADED,
			               s->refused, "the test refuses it");
		conditions_end(s->stats[i]);
	}
}

static void take_document(struct siblings *s)
{
	struct model_errors errors;
	char path[PATH_MAX];
	struct model *m;

	if (proc_path(s->dirs.state, PROC_EFFECTIVE_FILE, path) ||
	    model_read_without_key(path, s->dirs.node, &m, &errors)) {
		model_errors_free(&errors);
		return;
	}
	if (m->meta.document != s->document || s->has_changed) {
		if (s->refuses && m->meta.document != s->document) {
			snprintf(s->refused, sizeof(s->refused), "%u", (unsigned)m->meta.document);
		} else {
			s->refused[0] = '\0';
			s->document = m->meta.document;
			write_effect(s, m);
		}
		write_health(s, m);
		s->has_changed = false;
	}
	model_free(m);
}

static void sign_pages(struct siblings *s)
{
	uint64_t now_ms = clock_mono_ms();
	struct stats *dataplane = s->stats[SIBLING_DATAPLANE];

	for (int i = 0; i < SIBLINGS; i++)
		stats_alive(s->stats[i], now_ms);
	page_alive(s->health, now_ms);
	page_alive(s->effect, now_ms);
	stats_set(stats_get_counter(dataplane, STATS_GAUGE, "weir_dataplane_document", "",
	                            "Document."),
	          s->document);
	stats_set(stats_get_counter(dataplane, STATS_GAUGE, "weir_dataplane_document_refused", "",
	                            "Refused."),
	          *s->refused != '\0');
	stats_set(stats_get_counter(dataplane, STATS_GAUGE, "weir_dataplane_ports", "", "Ports."),
	          1);
}

static void *run_siblings(void *arg)
{
	struct siblings *s = arg;

	open_pages(s);
	while (!s->is_stopping) {
		if (!s->are_late)
			take_document(s);
		write_conditions(s);
		sign_pages(s);
		node_run_ms(LOOK_MS);
	}
	close_pages(s);
	return NULL;
}

struct siblings *siblings_start(const struct node *n)
{
	struct siblings *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->dirs = *node_dirs(n);
	s->host = node_host(n);
	if (!sched_start(s->host, run_siblings, s, &s->thread))
		abort();
	return s;
}

void siblings_refuse(struct siblings *s, bool refuses)
{
	s->refuses = refuses;
}

void siblings_be_late(struct siblings *s, bool are_late)
{
	s->are_late = are_late;
}

void siblings_fail_checks(struct siblings *s, bool fail)
{
	s->fails = fail;
	s->has_changed = true;
}

void siblings_stop(struct siblings *s)
{
	s->is_stopping = true;
	sched_join(s->thread);
	free(s);
}
