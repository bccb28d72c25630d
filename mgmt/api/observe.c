/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/api/observe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/log.h"
#include "base/page.h"
#include "weir/stats.h"

#define EVERY_MS   500u
#define DNS_ASK_MS 300
#define LOAD_MS    1000u

/* The last state of a target that was told. */
struct told {
	uint64_t target;
	enum health_state state;
};

struct observe {
	pthread_t thread;
	struct page *health;
	struct effect *effect;
	struct stats_reader *stats[OBSERVE_COUNT];
	json_t *dns;
	uint64_t dns_ms;                /* when it was said; 0: never */
	uint64_t bytes, bytes_ms, rate; /* sent to backends at the last look; bits a second */
	bool rate_known;
	bool running[OBSERVE_COUNT]; /* as told */
	struct told *told;           /* sorted by target */
	size_t n_told;
};

static const char *const names[OBSERVE_COUNT] = { "dataplane", "health", "dns", "mgmt" };

const char *observe_name(enum observe_process p)
{
	return names[p];
}

enum observe_process observe_find(const char *name)
{
	int i = 0;

	while (i < OBSERVE_COUNT && strcmp(names[i], name))
		i++;
	return (enum observe_process)i;
}

static uint64_t age_of(uint64_t alive_ms)
{
	uint64_t now_ms = clock_mono_ms();

	return now_ms > alive_ms ? now_ms - alive_ms : 0;
}

const struct health_page *observe_health(struct core *core, bool *fresh, uint64_t *age_ms)
{
	struct observe *o = core->observe;
	char path[PATH_MAX];

	if (o->health && page_is_replaced(o->health)) {
		page_close(o->health);
		o->health = NULL;
	}
	if (!o->health && (proc_path(core->dirs.run, PROC_HEALTH_PAGE, path) ||
	                   page_open(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT, &o->health) ||
	                   page_size(o->health) < sizeof(struct health_page))) {
		page_close(o->health);
		o->health = NULL;
	}
	*age_ms = o->health ? age_of(page_header(o->health)->alive_ms) : UINT64_MAX;
	*fresh = *age_ms <= OBSERVE_STALE_MS;
	return o->health ? page_payload(o->health) : NULL;
}

const struct effect *observe_effect(struct core *core, bool *fresh, struct effect_total *total)
{
	struct observe *o = core->observe;
	int rc = -ESTALE;

	*fresh = false;
	if (o->effect)
		rc = effect_total(o->effect, total);
	if (rc == -ESTALE) {
		effect_close(o->effect);
		o->effect = NULL;
		if (effect_open(core->dirs.run, &o->effect))
			o->effect = NULL;
		else
			rc = effect_total(o->effect, total);
	}
	if (!o->effect || rc)
		return NULL;
	*fresh = age_of(total->alive_ms) <= OBSERVE_STALE_MS;
	return o->effect;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct effect_backend *)a)->id;
	uint64_t y = ((const struct effect_backend *)b)->id;

	return (x > y) - (x < y);
}

int observe_rows(const struct effect *e, const char *pool, struct effect_backend **rows)
{
	struct effect_pool p;
	int n = -1;

	*rows = NULL;
	if (!e || effect_pool(e, pool, &p))
		return -1;
	struct effect_backend *list = calloc(p.n_backends + 1, sizeof(*list));
	if (list)
		n = effect_backends(e, pool, list, p.n_backends);
	if (n < 0) {
		free(list);
		return -1;
	}
	n = n < (int)p.n_backends ? n : (int)p.n_backends; /* it may have grown meanwhile */
	qsort(list, (size_t)n, sizeof(*list), by_id);
	*rows = list;
	return n;
}

const struct effect_backend *observe_row(const struct effect_backend *rows, int n, uint64_t id)
{
	const struct effect_backend key = { .id = id };

	return n > 0 ? bsearch(&key, rows, (size_t)n, sizeof(key), by_id) : NULL;
}

const json_t *observe_dns(struct core *core)
{
	const struct observe *o = core->observe;

	return o->dns && age_of(o->dns_ms) <= OBSERVE_STALE_MS ? o->dns : NULL;
}

void observe_ask_dns(struct core *core)
{
	char path[PATH_MAX], *line = NULL;
	json_t *said = NULL;

	if (!proc_path(core->dirs.run, "dns.ctl", path) &&
	    !ctl_ask(path, "{\"do\":\"status\"}", DNS_ASK_MS, &line))
		said = json_loads(line, 0, NULL);
	free(line);
	core_lock(core);
	if (said) {
		json_decref(core->observe->dns);
		core->observe->dns = said;
		core->observe->dns_ms = clock_mono_ms();
	}
	core_unlock(core);
}

bool observe_load(struct core *core, uint64_t *bits)
{
	*bits = core->observe->rate;
	return core->observe->rate_known;
}

static uint64_t document_of(struct core *core, enum observe_process p, bool *refused)
{
	struct effect_total total;
	bool fresh;
	uint64_t age_ms;
	const struct health_page *health;

	switch (p) {
	case OBSERVE_DATAPLANE:
		if (!observe_effect(core, &fresh, &total))
			return 0;
		*refused = total.refused != 0;
		return total.document;
	case OBSERVE_HEALTH:
		health = observe_health(core, &fresh, &age_ms);
		return health ? health->document : 0;
	case OBSERVE_DNS:
		return (uint64_t)json_integer_value(
		        json_object_get(core->observe->dns, "document"));
	default:
		return intent_document(core->intent);
	}
}

/* A total on a stats page, by its name; 0 if it is not there. */
static uint64_t total_of(const struct stats_reader *r, const char *name)
{
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (e && __atomic_load_n(&e->used, __ATOMIC_ACQUIRE) && !strcmp(e->name, name))
			return __atomic_load_n(&e->value, __ATOMIC_RELAXED);
	}
	return 0;
}

/* What the dataplane says of itself, also without tables, when there is no effect to be seen. */
static void look_at_dataplane(const struct stats_reader *r, struct observe_state *s)
{
	s->refused |= total_of(r, "weir_dataplane_document_refused") != 0;
	s->has_ports = total_of(r, "weir_dataplane_document") != 0;
	s->n_ports = s->has_ports ? total_of(r, "weir_dataplane_ports") : 0;
}

struct observe_state observe_look(struct core *core, enum observe_process p)
{
	struct stats_reader **r = &core->observe->stats[p];
	struct observe_state s = { .age_ms = UINT64_MAX };

	/* pages may be replaced: they are opened anew for each look */
	stats_reader_close(*r);
	*r = NULL;
	if (stats_reader_open(core->dirs.run, names[p], r))
		*r = NULL;
	if (!*r)
		return s;
	s.present = true;
	s.age_ms = age_of(stats_reader_alive_ms(*r));
	s.running = s.age_ms <= OBSERVE_STALE_MS;
	s.document = document_of(core, p, &s.refused);
	if (p == OBSERVE_DATAPLANE)
		look_at_dataplane(*r, &s);
	return s;
}

static void tell_processes(struct core *core)
{
	for (int p = 0; p < OBSERVE_COUNT; p++) {
		struct observe_state s = observe_look(core, (enum observe_process)p);

		if (s.running == core->observe->running[p])
			continue;
		core->observe->running[p] = s.running;
		journal_add(intent_journal(core->intent), clock_wall_ms(), "process", names[p],
		            s.running ? "weir-%s runs" : "weir-%s shows no sign of life", names[p]);
		core_changed(core);
	}
}

static int by_target(const void *a, const void *b)
{
	uint64_t x = ((const struct told *)a)->target, y = ((const struct told *)b)->target;

	return (x > y) - (x < y);
}

/* What is told of a target: nothing while it is unknown for the first time. */
static void tell_target(struct core *core, const struct health_page *page, uint64_t target,
                        struct told *now, size_t *n, const char *subject)
{
	struct observe *o = core->observe;
	const struct told key = { .target = target };
	const struct told *old =
	        o->n_told ? bsearch(&key, o->told, o->n_told, sizeof(key), by_target) : NULL;
	int place = health_find(page, target);
	health_word word = place >= 0 ? health_read(page, place) : 0;
	enum health_state was = old ? old->state : HEALTH_UNKNOWN;

	now[(*n)++] = (struct told){ target, health_state(word) };
	if (was == health_state(word))
		return;
	journal_add(intent_journal(core->intent), clock_wall_ms(), "health", subject,
	            "%s, was %s (%s)", health_state_text(health_state(word)),
	            health_state_text(was), health_reason_text(health_reason(word)));
	core_changed(core);
}

static void tell_pools(struct core *core, const struct health_page *page, const struct model *m,
                       struct told *now, size_t *n)
{
	char subject[sizeof(((struct event *)0)->subject)];

	for (size_t i = 0; i < m->n_pools; i++) {
		const struct model_pool *pool = &m->pools[i];

		for (size_t k = 0; k < pool->n_backends; k++) {
			snprintf(subject, sizeof(subject), "pools/%.30s/backends/%.40s", pool->name,
			         pool->backends[k].name);
			tell_target(core, page,
			            health_target_backend(pool->name, pool->backends[k].id), now, n,
			            subject);
		}
	}
}

static void tell_services(struct core *core, const struct health_page *page, const struct model *m,
                          struct told *now, size_t *n)
{
	char subject[sizeof(((struct event *)0)->subject)];

	for (size_t i = 0; i < m->n_services; i++)
		for (size_t k = 0; k < m->services[i].n_at; k++)
			for (int ip4 = 0; ip4 < 2; ip4++) {
				const char *site = m->services[i].at[k].site->name;

				snprintf(subject, sizeof(subject), "services/%.30s/at/%.30s/%s",
				         m->services[i].name, site, ip4 ? "ipv4" : "ipv6");
				tell_target(core, page,
				            health_target_service(m->services[i].name, site, ip4),
				            now, n, subject);
			}
}

static size_t count_targets(const struct model *m)
{
	size_t n = 1;

	for (size_t i = 0; i < m->n_pools; i++)
		n += m->pools[i].n_backends;
	for (size_t i = 0; i < m->n_services; i++)
		n += 2 * m->services[i].n_at;
	return n;
}

static void tell_health(struct core *core)
{
	struct observe *o = core->observe;
	const struct model *m = intent_model(core->intent);
	bool fresh;
	uint64_t age_ms;
	const struct health_page *page = observe_health(core, &fresh, &age_ms);
	size_t n = 0;

	if (!m || !page || !fresh)
		return; /* nothing is seen: nothing is told */
	struct told *now = calloc(count_targets(m), sizeof(*now));
	if (!now)
		return;
	tell_pools(core, page, m, now, &n);
	tell_services(core, page, m, now, &n);
	qsort(now, n, sizeof(*now), by_target);
	free(o->told);
	o->told = now;
	o->n_told = n;
}

/* Count what all pools are sent; the rate is taken over a second or more. */
static void measure_load(struct core *core)
{
	struct observe *o = core->observe;
	const struct model *m = intent_model(core->intent);
	struct effect_backend *rows;
	struct effect_total total;
	uint64_t now_ms = clock_mono_ms(), bytes = 0;
	bool fresh;
	const struct effect *e = observe_effect(core, &fresh, &total);

	if (!m || !e || !fresh) {
		o->rate_known = false;
		o->bytes_ms = 0;
		return;
	}
	for (size_t i = 0; i < m->n_pools; i++) {
		int n = observe_rows(e, m->pools[i].name, &rows);

		for (int k = 0; k < n; k++)
			bytes += rows[k].bytes;
		free(rows);
	}
	if (o->bytes_ms && now_ms < o->bytes_ms + LOAD_MS)
		return;
	if (o->bytes_ms && bytes >= o->bytes) {
		o->rate = (bytes - o->bytes) * 8000 / (now_ms - o->bytes_ms);
		o->rate_known = true;
	}
	o->bytes = bytes;
	o->bytes_ms = now_ms;
}

static void *run(void *arg)
{
	struct core *core = arg;

	core_lock(core);
	while (!core->stopping) {
		uint64_t until_ms = clock_mono_ms() + EVERY_MS;

		core_unlock(core);
		observe_ask_dns(core);
		core_lock(core);
		tell_processes(core);
		tell_health(core);
		measure_load(core);
		while (core_wait(core, until_ms) && clock_mono_ms() < until_ms)
			;
	}
	core_unlock(core);
	return NULL;
}

int observe_start(struct core *core)
{
	core->observe = calloc(1, sizeof(*core->observe));
	if (!core->observe)
		return -ENOMEM;
	return -pthread_create(&core->observe->thread, NULL, run, core);
}

void observe_stop(struct core *core)
{
	struct observe *o = core->observe;

	if (!o)
		return;
	pthread_join(o->thread, NULL);
	for (int p = 0; p < OBSERVE_COUNT; p++)
		stats_reader_close(o->stats[p]);
	page_close(o->health);
	effect_close(o->effect);
	json_decref(o->dns);
	free(o->told);
	free(o);
	core->observe = NULL;
}
