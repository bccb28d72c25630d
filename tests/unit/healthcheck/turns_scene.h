/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A checker in a time of the test's own: timers, attempts, controls and the gate are in its hands,
 * so that each step of a round happens at a known millisecond. Targets, verdicts, damping and the
 * page are real. Includes checker.c.
 */
#ifndef HEALTH_TURNS_SCENE_H
#define HEALTH_TURNS_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/page.h"
#include "fixture.h"
#include "healthcheck/checker.h"
#include "weir/stats.h"

#define START_MS   1000000u
#define WALL_S     1700000000
#define SIM_ROOM   64
#define SIM_STARTS 64

/*
 * What becomes of a path's attempts: after so many ms (-1: nothing, ever; 0: at once), for this
 * reason.
 */
struct script {
	int after_ms[2];
	enum health_reason why[2];
	unsigned detail;
};

struct sim_result {
	struct attempt *attempt;
	uint64_t at_ms;
	enum health_reason why;
	unsigned detail;
};

static struct {
	uint64_t now_ms;
	struct loop_timer *timers[SIM_ROOM];
	struct sim_result results[SIM_ROOM];
	struct script scripts[256]; /* by the last byte of the address */
	struct {
		unsigned int after_ms, i; /* since START_MS; which attempt */
		uint8_t to;
	} starts[SIM_STARTS];
	unsigned int n_starts, n_asks, n_published;
	bool outside, blind; /* blind: results are not there when they are looked for */
	bool lets, lacked;
	bool narrow; /* packets of full size get lost */
	uint8_t cut; /* the last byte of the VIP that probes do not get out to */
	uint64_t answered_ms;
	control_cb *on_answer;
	struct health_page *page;
	uint64_t count[16], results_by[HEALTH_REASON_COUNT];
	uint64_t times[CHECKER_TIMES], times_ms, n_times;
	size_t n_controls; /* that were named last */
} sim;

static int sim_timer_set(struct loop *l, struct loop_timer *t, uint64_t at_ms)
{
	(void)l;
	t->at_ms = at_ms;
	for (uint32_t i = 0; !t->heap_index && i < SIM_ROOM; i++)
		if (!sim.timers[i]) {
			sim.timers[i] = t;
			t->heap_index = i + 1;
		}
	assert_int_not_equal(t->heap_index, 0);
	return 0;
}

static void sim_timer_cancel(struct loop *l, struct loop_timer *t)
{
	(void)l;
	if (t->heap_index)
		sim.timers[t->heap_index - 1] = NULL;
	t->heap_index = 0;
}

static void sim_abort(struct attempt *a)
{
	a->active = false;
	for (int i = 0; i < SIM_ROOM; i++)
		if (sim.results[i].attempt == a)
			sim.results[i].attempt = NULL;
}

static enum health_reason sim_start(struct prober *p, struct attempt *a,
                                    const struct attempt_spec *spec, attempt_cb *cb, void *arg,
                                    unsigned *detail)
{
	const struct target_path *path = arg;
	int i = a != &path->attempts[0];
	const struct script *s = &sim.scripts[spec->address.bytes[15]];

	(void)p;
	assert_false(a->active);
	assert_true(sim.n_starts < SIM_STARTS);
	sim.starts[sim.n_starts].after_ms = (unsigned int)(sim.now_ms - START_MS);
	sim.starts[sim.n_starts].to = spec->address.bytes[15];
	sim.starts[sim.n_starts++].i = (unsigned int)i;
	*detail = 0;
	if (!s->after_ms[i]) {
		*detail = s->detail;
		return s->why[i];
	}
	*a = (struct attempt){ .spec = spec, .cb = cb, .arg = arg, .active = true };
	for (int k = 0; s->after_ms[i] > 0 && k < SIM_ROOM; k++)
		if (!sim.results[k].attempt) {
			sim.results[k] =
			        (struct sim_result){ a, sim.now_ms + (uint64_t)s->after_ms[i],
				                     s->why[i], s->detail };
			break;
		}
	return HEALTH_REASON_NONE;
}

static void sim_tell(struct sim_result *r)
{
	struct sim_result what = *r;

	sim_abort(what.attempt);
	what.attempt->cb(what.attempt->arg, what.attempt, what.why, what.detail);
}

static bool sim_look(struct attempt *a)
{
	for (int i = 0; !sim.blind && i < SIM_ROOM; i++)
		if (sim.results[i].attempt == a && sim.results[i].at_ms <= sim.now_ms) {
			sim_tell(&sim.results[i]);
			return true;
		}
	return false;
}

static enum health_reason sim_silence(void)
{
	return sim.narrow ? HEALTH_REASON_FULL_SIZE : HEALTH_REASON_TIMEOUT;
}

static int sim_controls_open(struct loop *loop, control_cb *on_answer, void *arg,
                             struct controls **out)
{
	(void)loop;
	(void)arg;
	sim.on_answer = on_answer;
	*out = NULL;
	return 0;
}

static int sim_prober_open(struct prober *p, struct loop *loop)
{
	*p = (struct prober){ .loop = loop };
	return 0;
}

#define clock_mono_ms()                 (sim.now_ms)
#define clock_mono_ns()                 ((uint64_t)42)
#define clock_believed_ms()             ((int64_t)WALL_S * 1000 + (int64_t)(sim.now_ms - START_MS))
#define loop_timer_set                  sim_timer_set
#define loop_timer_cancel               sim_timer_cancel
#define loop_now_ms(l)                  ((void)(l), sim.now_ms)
#define attempt_start                   sim_start
#define attempt_abort                   sim_abort
#define attempt_poll                    sim_look
#define attempt_lacked(spec, detail)    ((void)(spec), (void)(detail), sim.lacked)
#define attempt_silence(attempts)       ((void)(attempts), sim_silence())
#define prober_open                     sim_prober_open
#define prober_close(p)                 ((void)(p))
#define controls_open                   sim_controls_open
#define controls_close(c)               ((void)(c))
#define controls_set(c, a, n)           ((void)(c), (void)(a), (void)(sim.n_controls = (n)))
#define controls_query(c)               ((void)sim.n_asks++)
#define controls_answered_since(c, ms)  (sim.answered_ms >= (ms))
#define controls_have_outside(c)        (sim.outside)
#define gate_lets(g, document, sent_ms) ((void)(document), sim.lets)
#define gate_reaches(g, vip)            ((vip)->bytes[15] != sim.cut)
#define gate_close(g)                   ((void)(g))
#define page_payload(p)                 ((void)(p), sim.page)
#define page_publish(p)                 ((void)(p), (void)sim.n_published++)
#include "healthcheck/checker.c"

static struct checker checker;

/* What happens next, if it does before @p end_ms. @return whether it did */
static bool sim_step(uint64_t end_ms)
{
	struct loop_timer *timer = NULL;
	struct sim_result *result = NULL;

	for (int i = 0; i < SIM_ROOM; i++) {
		struct loop_timer *t = sim.timers[i];
		struct sim_result *r = &sim.results[i];

		if (t && t->at_ms <= end_ms && (!timer || t->at_ms < timer->at_ms))
			timer = t;
		if (r->attempt && r->at_ms <= end_ms && (!result || r->at_ms < result->at_ms))
			result = r;
	}
	if (result && (!timer || result->at_ms < timer->at_ms)) {
		sim.now_ms = result->at_ms > sim.now_ms ? result->at_ms : sim.now_ms;
		sim_tell(result);
		return true;
	}
	if (!timer)
		return false;
	sim.now_ms = timer->at_ms > sim.now_ms ? timer->at_ms : sim.now_ms;
	sim_timer_cancel(NULL, timer);
	timer->cb(timer->arg);
	return true;
}

/* Let all happen until @p after_ms after the start, that millisecond included. */
static inline void run_to(unsigned int after_ms)
{
	while (sim_step(START_MS + after_ms))
		;
	if (sim.now_ms < START_MS + after_ms)
		sim.now_ms = START_MS + after_ms;
}

/* The process is held up: nothing happens for @p ms. */
static inline void stall_process(unsigned int ms)
{
	sim.now_ms += ms;
}

static inline void set_script(uint8_t last_byte, int first_ms, enum health_reason first,
                              int second_ms, enum health_reason second)
{
	sim.scripts[last_byte] = (struct script){ { first_ms, second_ms }, { first, second }, 0 };
}

static void count_probes(struct checker_counters *w)
{
	uint64_t **const counters[] = { &w->probes,    &w->attempts,     &w->late,
		                        &w->unready,   &w->uncontrolled, &w->turned_down,
		                        &w->turned_up, &w->lateness_ms };

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		*counters[i] = &sim.count[i];
	for (int i = 0; i < HEALTH_REASON_COUNT; i++)
		w->results[i] = &sim.results_by[i];
	for (int i = 0; i < CHECKER_TIMES; i++)
		w->times[i] = &sim.times[i];
	w->times_ms = &sim.times_ms;
	w->n_times = &sim.n_times;
}

/* A checker that has taken the document with @p check; everything answers after 1 ms. */
static inline void open_checker(const char *check, const struct saved_word *saved, size_t n_saved)
{
	for (int i = 0; i < 256; i++)
		set_script((uint8_t)i, 1, HEALTH_REASON_OK, 1, HEALTH_REASON_OK);
	assert_int_equal(checker_open(&checker, NULL, NULL, NULL), 0);
	count_probes(&checker.counters);
	assert_int_equal(
	        checker_apply_model(&checker, fixture_model(check, 7080, ""), saved, n_saved), 0);
}

static inline struct target *find_target(const char *backend)
{
	const struct model_pool *pool = model_pool(checker.targets->model, "web");

	return targets_find(checker.targets,
	                    health_target_backend("web", model_backend(pool, backend)->id));
}

static inline struct target *vip_target(void)
{
	return targets_find(checker.targets, health_target_service("web", "fra", true));
}

/* The word of @p t as others read it. */
static inline health_word read_health_word(const struct target *t)
{
	return health_read(sim.page, t->page_index);
}

/* From now on only @p t is probed, and it is due. */
static inline void probe_only(struct target *t)
{
	for (size_t i = 0; i < checker.targets->n; i++)
		stop_target(&checker.targets->items[i]);
	t->due_ms = sim.now_ms;
	set_target_timer(t, t->due_ms);
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum counts { PROBES, ATTEMPTS, LATE, UNREADY, UNCONTROLLED, DOWN, UP, LATENESS };

static inline unsigned int since_start(void)
{
	return (unsigned int)(sim.now_ms - START_MS);
}

/* A round of @p t, which begins now, and what follows within @p ms. */
static inline void make_round(struct target *t, unsigned int ms)
{
	probe_only(t);
	run_to(since_start() + ms);
}

static inline int turns_setup(void **state)
{
	(void)state;
	memset(&sim, 0, sizeof(sim));
	sim.now_ms = START_MS;
	sim.lets = true;
	sim.outside = true;
	sim.page = calloc(1, sizeof(*sim.page));
	return sim.page ? 0 : -1;
}

static inline int turns_teardown(void **state)
{
	(void)state;
	checker_close(&checker);
	free(sim.page);
	return 0;
}

#endif
