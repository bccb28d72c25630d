/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the observer's thread looks at. The last state of each target is kept sorted, and compared with the health
 * page twice a second: a difference becomes an event. Pages are read without the core's lock, since
 * there may be ten thousand targets.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/observe/observe_internal.h"
#include "base/sorted.h"

#define LOAD_MS 1000u /* over which a rate is measured, at least */
#define EVENTS_A_LOCK                                                                              \
	256u /* of health: after a start there is one for each of ten thousand backends */

void observe_log_processes(struct core *core)
{
	for (int p = 0; p < OBSERVE_COUNT; p++) {
		struct gather_process s = observe_look(core, (enum observe_process)p, NULL);

		if (s.running == core->observe->running[p])
			continue;
		core->observe->running[p] = s.running;
		if (!observe_is_shown((enum observe_process)p, &s))
			continue;
		journal_add(intent_journal(core->intent), clock_believed_ms(), "process",
		            observe_name((enum observe_process)p),
		            s.running ? "weir-%s runs" : "weir-%s shows no sign of life",
		            observe_name((enum observe_process)p));
		core_changed(core);
	}
}

/* The targets as seen now, while they are gathered. */
struct sight {
	struct core *core;
	const struct health_page *page;
	struct logged_state *now;
	size_t n;
	size_t n_events; /* that were written under the lock, which is held; 0: it is not */
};

/* Give up the lock, if it is held, and wake those who wait for events: once for many of them. */
static void end_events(struct sight *s)
{
	if (!s->n_events)
		return;
	s->n_events = 0;
	core_changed(s->core);
	core_unlock(s->core);
}

static void log_target_change(struct sight *s, uint64_t target, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/*
 * Write an event when the state of a target has changed. A target that is new was "unknown"
 * before, so its first verdict is an event too.
 */
static void log_target_change(struct sight *s, uint64_t target, const char *format, ...)
{
	const struct observe *o = s->core->observe;
	const struct logged_state key = { .target = target };
	const struct logged_state *old =
	        o->n_logged ? bsearch(&key, o->logged, o->n_logged, sizeof(key), sorted_by_u64)
	                    : NULL;
	int page_index = health_find_index(s->page, target);
	health_word word = page_index >= 0 ? health_read(s->page, page_index) : 0;
	enum health_state was = old ? old->state : HEALTH_UNKNOWN;
	char subject[2 * MODEL_NAME_MAX + 32];
	va_list list;

	s->now[s->n++] = (struct logged_state){ target, health_state(word) };
	if (was == health_state(word))
		return;
	va_start(list, format);
	vsnprintf(subject, sizeof(subject), format, list);
	va_end(list);
	if (!s->n_events)
		core_lock(s->core);
	journal_add(intent_journal(s->core->intent), clock_believed_ms(), "health", subject,
	            "%s, was %s (%s)", health_state_text(health_state(word)),
	            health_state_text(was), health_reason_text(health_reason(word)));
	if (++s->n_events == EVENTS_A_LOCK)
		end_events(s);
}

static void log_pool_targets(struct sight *s, const struct model *m)
{
	for (size_t i = 0; i < m->n_pools; i++) {
		const struct model_pool *pool = &m->pools[i];

		for (size_t k = 0; k < pool->n_backends; k++)
			log_target_change(
			        s, health_target_backend(pool->name, pool->backends[k].id),
			        "pools/%s/backends/%s", pool->name, pool->backends[k].name);
	}
}

static void log_service_targets(struct sight *s, const struct model *m)
{
	for (size_t i = 0; i < m->n_services; i++)
		for (size_t k = 0; k < 2 * m->services[i].n_at; k++) {
			const char *name = m->services[i].name,
			           *site = m->services[i].at[k / 2].site->name;

			log_target_change(s, health_target_service(name, site, k % 2),
			                  "services/%s/at/%s/%s", name, site,
			                  k % 2 ? "ipv4" : "ipv6");
		}
}

static size_t count_health_targets(const struct model *m)
{
	size_t n = 1;

	for (size_t i = 0; i < m->n_pools; i++)
		n += m->pools[i].n_backends;
	for (size_t i = 0; i < m->n_services; i++)
		n += 2 * m->services[i].n_at;
	return n;
}

static void log_health_changes(struct core *core, const struct model *m,
                               const struct observe_pages *pages)
{
	struct observe *o = core->observe;
	struct sight s = { .core = core, .page = pages->health };

	if (!pages->health || !pages->health_fresh)
		return; /* nothing is observed: no event */
	s.now = calloc(count_health_targets(m), sizeof(*s.now));
	if (!s.now)
		return;
	log_pool_targets(&s, m);
	log_service_targets(&s, m);
	end_events(&s);
	qsort(s.now, s.n, sizeof(*s.now), sorted_by_u64);
	free(o->logged);
	o->logged = s.now;
	o->n_logged = s.n;
}

/* Bytes sent to all pools. */
static uint64_t count_bytes(const struct model *m, const struct effect *e)
{
	struct effect_backend *rows;
	uint64_t bytes = 0;

	for (size_t i = 0; i < m->n_pools; i++) {
		int n = gather_rows(e, m->pools[i].name, &rows);

		for (int k = 0; k < n; k++)
			bytes += rows[k].bytes;
		free(rows);
	}
	return bytes;
}

/* Measure the rate over a second or more. */
static void measure_load(struct core *core, const struct model *m,
                         const struct observe_pages *pages)
{
	struct observe *o = core->observe;
	uint64_t now_ms = clock_mono_ms();
	bool is_fresh = pages->effect && pages->effect_fresh;

	if (is_fresh && o->bytes_ms && now_ms < o->bytes_ms + LOAD_MS)
		return;
	uint64_t bytes = is_fresh ? count_bytes(m, pages->effect) : 0;
	core_lock(core);
	if (is_fresh && o->bytes_ms && bytes >= o->bytes)
		o->rate = (bytes - o->bytes) * 8000 / (now_ms - o->bytes_ms);
	o->rate_known = is_fresh && o->bytes_ms && (o->rate_known || bytes >= o->bytes);
	core_unlock(core);
	o->bytes = bytes;
	o->bytes_ms = is_fresh ? now_ms : 0;
}

void observe_measure_dns(struct core *core)
{
	struct dns_rate rate = core->observe->dns_rate; /* only this thread writes it */

	dns_rate_look(&rate, core->dirs.run, clock_mono_ms());
	core_lock(core);
	core->observe->dns_rate = rate;
	core_unlock(core);
}

/* Count the packets of the VIPs that this node announces, if it does. */
static void measure_vips(struct core *core, const struct model *m)
{
	struct vip_traffic *t = core->observe->traffic;
	uint64_t now_ms = clock_mono_ms();

	if (!t || !announcements_apply(m) || !vip_traffic_is_due(t, now_ms))
		return;
	vip_traffic_look(t, core->dirs.run, m, now_ms);
	core_lock(core);
	vip_traffic_publish(t);
	core_unlock(core);
}

void observe_look_at(struct core *core, const struct model *m, const struct observe_pages *pages)
{
	log_health_changes(core, m, pages);
	measure_load(core, m, pages);
	measure_vips(core, m);
}

void observe_note_document(struct core *core)
{
	struct observe *o = core->observe;
	uint64_t document = intent_document(core->intent);

	if (o->document_ms && o->document == document)
		return;
	o->document = document;
	o->document_ms = clock_mono_ms();
}

int observe_begin(struct core *core)
{
	core->observe = calloc(1, sizeof(*core->observe));
	if (core->observe)
		core->observe->traffic = vip_traffic_new();
	return core->observe && core->observe->traffic ? 0 : -ENOMEM;
}

void observe_end(struct core *core)
{
	struct observe *o = core->observe;

	if (!o)
		return;
	json_decref(o->dns);
	free(o->logged);
	vip_traffic_free(o->traffic);
	free(o);
	core->observe = NULL;
}
