/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the observer's thread looks at. The last state of each target is kept sorted, and compared with the health
 * page twice a second: a difference becomes an event. The first look compares with the journal: a restart of
 * weir-mgmt repeats nothing, and what changed meanwhile is said. Pages are read without the core's lock, since
 * there may be ten thousand targets.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "mgmt/observe/observe_internal.h"
#include "mgmt/observe/signs_look.h"
#include "base/sorted.h"

#define LOAD_MS 1000u /* over which a rate is measured, at least */
#define EVENTS_A_LOCK                                                                              \
	256u /* of health: after a start there is one for each of ten thousand backends */

/* Documents may come faster than one is taken: that a process takes one ends its time, not that a newer one comes. */
static void note_document(struct observed_process *observed, const struct gather_process *s,
                          uint64_t newest)
{
	if (!s->present || s->document >= newest)
		observed->behind_ms = 0;
	else if (!observed->behind_ms || s->document > observed->document)
		observed->behind_ms = clock_mono_ms();
	observed->document = s->document;
}

/*
 * Take over how a process is now. One that is dead when weir-mgmt starts has died while nobody looked, or starts, too:
 * that it is dead is said once it had time to start. @return whether there is news
 */
static bool accept_process(struct observed_process *observed, const struct gather_process *s,
                           bool starts)
{
	const struct observed_process was = *observed;

	if (!was.is_known && !s->running && (starts || !s->present))
		return false;
	observed->is_known = true;
	observed->running = s->running;
	observed->pid = s->pid ? s->pid : was.pid;
	return !was.is_known || s->running != was.running ||
	       (s->running && observed->pid != was.pid);
}

/*
 * Of a process that comes and goes again and again not each time is an event, but what is true in the end is, and at
 * once that it is gone.
 */
static bool has_room(struct core *core, enum observe_process p)
{
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "weir-%s ", observe_name(p));
	return journal_has_room(intent_journal(core->intent), clock_believed_ms(), "process",
	                        observe_name(p), prefix, JOURNAL_OFTEN);
}

void observe_note_processes(struct core *core)
{
	const bool starts = clock_mono_ms() - core->started_ms < JUDGE_START_MS;

	life_look(&core->observe->watch, LIFE_FOR_STATUS, clock_mono_ms());
	for (int p = 0; p < OBSERVE_COUNT; p++) {
		struct gather_process s = observe_look(core, (enum observe_process)p, NULL);
		struct observed_process *observed = &core->observe->processes[p];
		char before[64] = "";

		note_document(observed, &s, intent_document(core->intent));
		const struct observed_process was = *observed;
		if (!accept_process(observed, &s, starts) ||
		    !observe_is_shown((enum observe_process)p, &s))
			continue;
		if (s.running && !has_room(core, (enum observe_process)p)) {
			*observed = was; /* it is news at a later look, if it is true then */
			continue;
		}
		if (was.running && s.running)
			snprintf(before, sizeof(before), "was restarted: pid %lld, before %lld",
			         (long long)s.pid, (long long)was.pid);
		journal_add(intent_journal(core->intent), clock_believed_ms(), "process",
		            observe_name((enum observe_process)p), "weir-%s %s",
		            observe_name((enum observe_process)p),
		            *before     ? before
		            : s.running ? "runs"
		                        : "shows no sign of life");
		core_changed(core);
	}
}

/* The state of a target by one event of health. */
struct journal_state {
	uint64_t subject; /* hash_text() of it */
	uint64_t id;      /* of the event */
	enum health_state state;
};

/* What the journal tells of targets: of each the newest, sorted by subject. */
struct journal_states {
	struct journal_state *items;
	size_t n;
	int64_t oldest_ms; /* events before that time were pushed out; 0: none was */
};

/* By subject, the newest of each first. */
static int compare_states(const void *a, const void *b)
{
	const struct journal_state *x = a, *y = b;

	if (x->subject != y->subject)
		return x->subject < y->subject ? -1 : 1;
	return (x->id < y->id) - (x->id > y->id);
}

static struct journal_state read_state(const struct event *e)
{
	const char *whole =
	        strlen(e->subject) + 1 == sizeof(e->subject) ? strrchr(e->message, ';') : NULL;
	enum health_state state = HEALTH_UNKNOWN;

	for (enum health_state i = HEALTH_UP; i <= HEALTH_DOWN; i++) {
		const char *text = health_state_text(i);

		if (!strncmp(e->message, text, strlen(text)) && e->message[strlen(text)] == ',')
			state = i;
	}
	return (struct journal_state){ hash_text(whole ? whole + 2 : e->subject), e->id, state };
}

/* @return 0 or -ENOMEM */
static int read_journal(struct core *core, struct journal_states *out)
{
	struct journal_state *items = calloc(STORE_EVENTS_MAX, sizeof(*items));
	const struct journal *j = intent_journal(core->intent);
	size_t n = 0, n_all = 0;

	if (!items)
		return -ENOMEM;
	core_lock(core);
	const uint64_t first = journal_oldest(j);
	for (uint64_t id = first; id <= journal_last(j); id++)
		if (!strcmp(journal_find(j, id)->kind, "health"))
			items[n_all++] = read_state(journal_find(j, id));
	const int64_t oldest_ms = first > 1 ? journal_find(j, first)->time_ms : 0;
	core_unlock(core);
	qsort(items, n_all, sizeof(*items), compare_states);
	for (size_t i = 0; i < n_all; i++)
		if (!n || items[n - 1].subject != items[i].subject)
			items[n++] = items[i];
	*out = (struct journal_states){ items, n, oldest_ms };
	return 0;
}

/* The last logged state of a target whose word is @p word now; it was that one if its event was pushed out. */
static enum health_state find_journal_state(const struct journal_states *journal,
                                            const char *subject, health_word word)
{
	const struct journal_state key = { .subject = hash_text(subject) };
	const struct journal_state *item =
	        journal->n ? bsearch(&key, journal->items, journal->n, sizeof(key), sorted_by_u64)
	                   : NULL;

	if (item)
		return item->state;
	return health_since_s(word) < journal->oldest_ms / 1000 ? health_state(word)
	                                                        : HEALTH_UNKNOWN;
}

/* The targets as seen now, while they are gathered. */
struct sight {
	struct core *core;
	const struct journal_states *journal; /* at the first look; NULL: later */
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
 * before, so its first verdict is an event too. One that is unknown at the first look, as each is after a restart of the
 * host, is as the journal says until its first verdict.
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
	bool is_unknown = health_state(word) == HEALTH_UNKNOWN;
	struct logged_state *now = &s->now[s->n++];
	char subject[2 * MODEL_NAME_MAX + 32];
	va_list list;

	*now = old && old->is_of_journal && is_unknown
	               ? *old
	               : (struct logged_state){ target, health_state(word), false };
	if (!s->journal && was == now->state)
		return;
	va_start(list, format);
	vsnprintf(subject, sizeof(subject), format, list);
	va_end(list);
	if (s->journal)
		was = find_journal_state(s->journal, subject, word);
	if (s->journal && is_unknown)
		*now = (struct logged_state){ target, was, true };
	if (was == now->state)
		return;
	if (!s->n_events)
		core_lock(s->core);
	journal_add(intent_journal(s->core->intent), clock_believed_ms(), "health", subject,
	            "%s, was %s (%s)", health_state_text(now->state), health_state_text(was),
	            health_reason_text(health_reason(word)));
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
	struct journal_states journal = { .items = NULL };

	if (!pages->health || !pages->health_fresh)
		return; /* nothing is observed: no event */
	s.now = calloc(count_health_targets(m), sizeof(*s.now));
	if (!s.now || (!o->logged && read_journal(core, &journal))) {
		free(s.now);
		return;
	}
	s.journal = o->logged ? NULL : &journal;
	log_pool_targets(&s, m);
	log_service_targets(&s, m);
	end_events(&s);
	free(journal.items);
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

void observe_look_at_signs(struct core *core)
{
	uint64_t now_ms = clock_mono_ms();
	struct signs now;

	core_lock(core);
	bool are_due = signs_are_due(&core->observe->signs, now_ms);
	core_unlock(core);
	if (!are_due)
		return;
	signs_look(core->dirs.run, now_ms, &now);
	core_lock(core);
	signs_keep(&core->observe->signs, &now);
	core_unlock(core);
}

void observe_sample_flows(struct core *core)
{
	uint64_t now_ms = clock_mono_ms();
	const struct measure_source *list;
	struct measure *m;

	core_lock(core);
	const struct model *in_force = intent_model(core->intent);
	bool are_kept = in_force && in_force->self && in_force->self->samples == MODEL_SAMPLES_KEPT;
	if (!are_kept)
		flow_samples_forget(core->observe->samples);
	bool is_due = are_kept && flow_samples_are_due(core->observe->samples, now_ms);
	core_unlock(core);
	if (!is_due || measure_open(core->dirs.run, &m))
		return;
	if (!measure_read(m, now_ms)) {
		size_t n = measure_sources(m, &list);

		core_lock(core);
		flow_samples_keep(core->observe->samples, list, n, now_ms);
		core_unlock(core);
	}
	measure_close(m);
}

const struct flow_samples *observe_flow_samples(const struct core *core)
{
	return core->observe->samples;
}

const struct signs_kept *observe_signs(const struct core *core)
{
	return &core->observe->signs;
}

void observe_watch_signs(struct core *core, bool is_watched)
{
	core->observe->signs.is_watched = is_watched;
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

void observe_begin(struct core *core)
{
	core->observe = MEMORY_NEW(struct observe);
	core->observe->traffic = vip_traffic_new();
	core->observe->samples = MEMORY_NEW(struct flow_samples);
}

void observe_end(struct core *core)
{
	struct observe *o = core->observe;

	if (!o)
		return;
	json_decref(o->dns);
	free(o->logged);
	free(o->samples);
	vip_traffic_free(o->traffic);
	free(o);
	core->observe = NULL;
}
