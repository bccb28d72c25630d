/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each target's one timer drives enum target_phase: idle, first attempt, second attempt, asking
 * controls. A path ends in end_path(), a round in end_round(). weigh_failure() asks the controls
 * only about a silence that would turn the verdict. Only cast_vote() changes a verdict and publishes its word. */
#include "healthcheck/checker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/page.h"
#include "healthcheck/keep.h"
#include "weir/stats.h"

static uint64_t next_random(struct checker *c)
{
	return hash_mix(c->random += 0x9e3779b97f4a7c15u); /* splitmix64 */
}

static void count_up(uint64_t *word, uint64_t n)
{
	if (word)
		stats_add(word, n);
}

static void set_target_timer(struct target *t, uint64_t at_ms)
{
	if (loop_timer_set(t->checker->loop, &t->timer, at_ms))
		log_error("no-memory", "for=%s", "timer");
}

/* @return whether the word is another one than before */
static bool publish_word(struct checker *c, int index, health_word word)
{
	if (index < 0 || !health_write(page_payload(c->page), index, word))
		return false;
	page_publish(c->page);
	return true;
}

static void log_turn(const struct target *t)
{
	static const char *const events[] = { "target-unknown", "target-up", "target-down" };
	enum health_state state = target_state(t);

	log_at(state == HEALTH_DOWN ? LOG_WARNING : LOG_NOTICE, events[state],
	       "%s=%s %s=%s reason=%s detail=%u damped=%d", t->pool ? "pool" : "service",
	       t->pool ? t->pool->name : t->service->name, t->pool ? "backend" : "site",
	       t->pool ? t->backend->name : t->site->name, health_reason_text(t->last),
	       t->last_detail, t->damp.held);
}

/* What is to be known when the published state is not @p before any more. */
static void note_turn(struct target *t, enum health_state before)
{
	struct checker *c = t->checker;

	if (target_state(t) == before)
		return;
	t->since_s = clock_believed_ms() / 1000;
	c->changed = true;
	if (target_state(t) == HEALTH_UP)
		count_up(c->counters.turned_up, 1);
	else if (target_state(t) == HEALTH_DOWN)
		count_up(c->counters.turned_down, 1);
	log_turn(t);
}

/* Whether damping alone keeps a pool from having anything up. */
static bool is_held_down(const struct targets *t, size_t pool)
{
	return t->changed[pool] && !t->tallies[pool].n_up && t->tallies[pool].n_held;
}

/* A pool of which nothing is up gets back one that damping holds, if it answers. */
static void spare_last(struct checker *c)
{
	size_t n_held_down = 0;

	for (size_t i = 0; i < c->targets->model->n_pools; i++)
		n_held_down += is_held_down(c->targets, i);
	for (size_t i = 0; n_held_down && i < c->targets->n; i++) {
		struct target *t = &c->targets->items[i];

		if (!t->pool || !(t->damp.held && verdict_state(t->verdict) == HEALTH_UP) ||
		    t->spared || c->targets->tallies[t->pool->index].n_up)
			continue;
		t->spared = true;
		note_turn(t, HEALTH_DOWN);
		publish_word(c, t->page_index, target_word(t));
		targets_retally(c->targets, t);
	}
}

/* Services of the own site whose pool has changed, once a turn at most. */
static void on_derive(void *arg)
{
	struct checker *c = arg;
	struct targets *t = c->targets;
	int64_t now_s = clock_believed_ms() / 1000;

	spare_last(c);
	for (size_t i = 0; i < t->n_derived; i++) {
		struct derived *d = &t->derived[i];
		const struct pool_tally *y = &t->tallies[d->pool->index];
		health_word word;
		int path;

		if (!t->changed[d->pool->index])
			continue;
		path = derived_path(d, y);
		word = derive_word(y, path, d->pool->check, health_since_s(d->word));
		if (health_state(word) != health_state(d->word) || !d->word)
			word = derive_word(y, path, d->pool->check, now_s);
		if (word == d->word)
			continue;
		d->word = word;
		publish_word(c, d->page_index, word);
	}
	memset(t->changed, false, t->model->n_pools * sizeof(*t->changed));
}

static void publish_target(struct target *t)
{
	struct checker *c = t->checker;

	publish_word(c, t->page_index, target_word(t));
	if (t->pool && targets_retally(c->targets, t) && !c->derive_timer.heap_index)
		loop_timer_set(c->loop, &c->derive_timer, 0);
}

/* What a program says proves nothing of the network: it is in no group. */
static void set_failing(struct target *t, bool failing)
{
	struct site_votes *g = &t->checker->groups[t->site->index];

	if (target_is_external(t))
		return;
	g->n_failing += (uint32_t)(failing - t->failing);
	t->failing = failing;
}

/* Whether every target of every site fails at present, @p t's failing assumed. */
static bool all_fail(const struct target *t)
{
	const struct checker *c = t->checker;
	uint32_t n = 0, n_failing = t->failing ? 0 : 1;

	for (size_t i = 0; i < c->targets->model->n_sites; i++) {
		n += c->groups[i].n;
		n_failing += c->groups[i].n_failing;
	}
	return n >= 2 && n_failing >= n;
}

static void schedule_probe(struct target *t, uint64_t now_ms)
{
	t->phase = TARGET_IDLE;
	/* A checker that is late has no time for more probes than usual. */
	t->due_ms = pace_next(&t->pace, t->sent_ms, now_ms,
	                      verdict_in_doubt(t->verdict) && !t->late, next_random(t->checker));
	set_target_timer(t, t->due_ms);
}

/* The verdict and its damping after a vote. */
static void feed_vote(struct target *t, enum verdict_vote v, uint64_t now_ms)
{
	enum health_state before = verdict_state(t->verdict);

	t->verdict = verdict_feed(t->verdict, v, &t->rule);
	if (before == HEALTH_UP && verdict_state(t->verdict) == HEALTH_DOWN) {
		damp_turn(&t->damp, &t->damp_rule, now_ms);
		t->checker->changed = true;
	}
	if (!damp_pass(&t->damp, &t->damp_rule, now_ms) || verdict_state(t->verdict) != HEALTH_UP)
		t->spared = false;
	else if (t->checker->targets->tallies[t->pool->index].n_up > t->spared)
		t->spared = false; /* others are up */
}

static void count_groups(struct checker *c)
{
	memset(c->groups, 0, c->targets->model->n_sites * sizeof(*c->groups));
	for (size_t i = 0; i < c->targets->n; i++) {
		const struct target *t = &c->targets->items[i];

		if (t->unproven || target_is_external(t))
			continue;
		c->groups[t->site->index].n++;
		c->groups[t->site->index].n_failing += t->failing;
	}
}

void checker_note_vip(struct checker *c, const struct target *t, uint16_t port)
{
	vips_note(&c->vips, &t->paths[0].spec.address, port);
	if (!targets_mark_vips(c->targets, &c->vips))
		return;
	count_groups(c);
	for (size_t i = 0; i < c->targets->n; i++)
		if (c->targets->items[i].service)
			publish_word(c, c->targets->items[i].page_index,
			             target_word(&c->targets->items[i]));
}

/* The last step of a round: the vote, the word, the next probe. */
static void cast_vote(struct target *t, enum verdict_vote v)
{
	enum health_state before = target_state(t);
	uint64_t now_ms = clock_mono_ms();

	if (t->service && v == VERDICT_OK && !t->proven)
		checker_note_vip(t->checker, t, t->paths[0].spec.port);
	if (!t->unproven)
		feed_vote(t, v, now_ms);
	t->inconclusive = v == VERDICT_INCONCLUSIVE;
	t->vague_ms = !t->inconclusive ? 0 : t->vague_ms ? t->vague_ms : now_ms;
	if (target_is_external(t)) /* no check fails: what programs say is not known yet */
		t->vague_ms = 0;
	t->counts.ok += v == VERDICT_OK;
	t->counts.failed += v == VERDICT_FAIL;
	t->counts.inconclusive += v == VERDICT_INCONCLUSIVE;
	if (v != VERDICT_INCONCLUSIVE && !t->unproven) {
		t->restored = false;
		set_failing(t, v == VERDICT_FAIL);
	}
	note_turn(t, before);
	t->done_ms = now_ms;
	publish_target(t);
	schedule_probe(t, now_ms);
}

/* A failure that turns the verdict: an answer, or silence that the controls make evidence. */
static void weigh_failure(struct target *t)
{
	struct checker *c = t->checker;

	if (verdict_is_answer(t->last)) {
		cast_vote(t, VERDICT_FAIL);
	} else if (!controls_have_outside(c->controls) && all_fail(t)) {
		count_up(c->counters.uncontrolled, 1);
		set_failing(t, true);
		cast_vote(t, VERDICT_INCONCLUSIVE);
	} else if (controls_answered_since(c->controls, t->witness_ms)) {
		cast_vote(t, VERDICT_FAIL);
	} else {
		t->phase = TARGET_ASKING;
		c->n_asking++;
		t->deadline_ms = clock_mono_ms() + CONTROL_TIMEOUT_MS;
		set_target_timer(t, t->deadline_ms);
		controls_query(c->controls);
	}
}

static void abort_attempts(struct target *t)
{
	for (uint32_t i = 0; i < t->n_paths; i++) {
		attempt_abort(&t->paths[i].attempts[0]);
		attempt_abort(&t->paths[i].attempts[1]);
	}
}

static void log_lacking(const struct target *t, uint16_t paths)
{
	char address[ADDR_TEXT_MAX];

	for (uint32_t k = 0; k < t->n_paths; k++)
		if (paths >> k & 1)
			log_warn("path-without-vote", "pool=%s backend=%s vip=%s port=%u",
			         t->pool->name, t->backend->name,
			         addr_text(&t->paths[k].spec.address, address),
			         t->paths[k].spec.port);
}

/* A good round: which paths have worked once, and which never have. */
static void note_paths(struct target *t)
{
	uint16_t worked = t->worked | t->good_paths;
	uint16_t lacks = (uint16_t)((t->lacks | t->voteless_paths) & ~worked);

	if (worked == t->worked && lacks == t->lacks)
		return;
	log_lacking(t, lacks & (uint16_t)~t->lacks);
	t->worked = worked;
	t->lacks = lacks;
	t->checker->changed = true;
}

/*
 * Whether a target that is new, and lacks a path, waits: the others of its pool have to be asked
 * first whether it works there.
 */
static bool must_wait(const struct target *t)
{
	const struct pool_tally *y = t->pool ? &t->checker->targets->tallies[t->pool->index] : NULL;

	return t->voteless && !target_has_joined(t) && y->n_tried + !t->done_ms < y->n;
}

/* Note a round's result and vote: a success, however late, if nothing is known of the target yet. */
static void end_round(struct target *t, enum health_reason reason, unsigned detail)
{
	struct checker *c = t->checker;
	bool unready = t->paths[0].spec.mark && !gate_lets(&c->gate, t->since_document, t->sent_ms);

	abort_attempts(t);
	loop_timer_cancel(c->loop, &t->timer);
	t->last = reason;
	t->last_detail = detail;
	t->last_late = t->late;
	t->last_unready = unready;
	count_up(c->counters.results[reason], 1);
	if (reason != HEALTH_REASON_LOCAL)
		checker_count_time(&c->counters, clock_mono_ms() - t->sent_ms);
	count_up(c->counters.late, t->late);
	count_up(c->counters.unready, unready);

	bool proves = reason == HEALTH_REASON_OK && verdict_state(t->verdict) == HEALTH_UNKNOWN;
	enum verdict_vote v = verdict_of_result(reason, (t->late && !proves) || unready);
	if (v == VERDICT_OK && must_wait(t))
		v = VERDICT_INCONCLUSIVE;
	if (v == VERDICT_OK && t->paths[0].spec.mark)
		note_paths(t);
	if (v == VERDICT_FAIL && !t->unproven && verdict_would_fall(t->verdict, &t->rule))
		weigh_failure(t);
	else
		cast_vote(t, v);
}

/* What a round is in which no path that has a vote has failed. */
static void end_paths(struct target *t, enum health_reason last)
{
	/* those that have worked here, if any, could not be tried */
	bool fails = !t->n_good && t->voteless && !t->worked;
	const struct target_path *of = t->lacking ? t->lacking : fails ? t->voteless : t->paths;

	t->last_path = (uint32_t)(of - t->paths);
	if (t->lacking)
		end_round(t, HEALTH_REASON_LOCAL, t->lacking_detail);
	else if (fails)
		end_round(t, t->voteless_reason, t->voteless_detail);
	else
		end_round(t,
		          t->n_good     ? HEALTH_REASON_OK
		          : t->voteless ? HEALTH_REASON_LOCAL
		                        : last,
		          t->good_detail);
}

static void note_voteless(struct target *t, struct target_path *p, enum health_reason reason,
                          unsigned detail)
{
	if (!p->of_udp && !t->late)
		t->voteless_paths |= (uint16_t)(1u << (p - t->paths));
	if (t->voteless)
		return;
	t->voteless = p;
	t->voteless_reason = reason;
	t->voteless_detail = detail;
}

static bool path_votes(const struct target_path *p)
{
	const struct target *t = p->target;

	return target_path_votes(t, t->pool ? &t->checker->targets->tallies[t->pool->index] : NULL,
	                         (uint32_t)(p - t->paths));
}

/*
 * The first path that fails decides the round, if it has a vote. One that has none is left out, and so
 * is a path that this node cannot reach, unless all are so. If the process had no means to try one, the
 * round has no vote. */
static void end_path(struct target_path *p, enum health_reason reason, unsigned detail)
{
	struct target *t = p->target;
	bool cut = reason != HEALTH_REASON_OK && p->spec.mark &&
	           !gate_reaches(&t->checker->gate, &p->spec.address);

	if (cut)
		reason = HEALTH_REASON_LOCAL;
	bool failed = reason != HEALTH_REASON_OK && reason != HEALTH_REASON_LOCAL;

	if (failed && path_votes(p)) {
		t->last_path = (uint32_t)(p - t->paths);
		end_round(t, reason, detail);
		return;
	}
	attempt_abort(&p->attempts[0]);
	attempt_abort(&p->attempts[1]);
	p->over = true;
	t->n_good += reason == HEALTH_REASON_OK;
	if (reason == HEALTH_REASON_OK)
		t->good_paths |= (uint16_t)(1u << (p - t->paths));
	if (failed)
		note_voteless(t, p, reason, detail);
	else if (reason == HEALTH_REASON_OK || !t->n_good)
		t->good_detail = detail;
	if (reason == HEALTH_REASON_LOCAL && !cut && attempt_lacked(&p->spec, detail))
		t->lacking = p;
	if (t->lacking == p)
		t->lacking_detail = detail;
	if (++t->n_over == t->n_paths)
		end_paths(t, reason);
}

/* An attempt's end. One that could not be made waits for the other one's result. */
static void on_attempt(void *arg, struct attempt *a, enum health_reason reason, unsigned detail)
{
	struct target_path *p = arg;
	struct attempt *other = &p->attempts[a == &p->attempts[0]];

	if (reason == HEALTH_REASON_LOCAL && other->active)
		return;
	end_path(p, reason, detail);
}

static void start_attempt(struct target_path *p, int i)
{
	struct checker *c = p->target->checker;
	unsigned detail;
	enum health_reason reason =
	        attempt_start(&c->prober, &p->attempts[i], &p->spec, on_attempt, p, &detail);

	p->target->counts.attempts++;
	count_up(c->counters.attempts, 1);
	if (reason != HEALTH_REASON_NONE && !(i == 1 && reason == HEALTH_REASON_LOCAL))
		end_path(p, reason, detail);
}

/* The @p i-th attempts of all paths that wait for one, for as long as the round lasts. */
static void start_attempts(struct target *t, int i)
{
	enum target_phase phase = t->phase;

	for (uint32_t k = 0; k < t->n_paths && t->phase == phase; k++)
		if (!t->paths[k].over)
			start_attempt(&t->paths[k], i);
}

/* Take results that are there already. @return whether the round is over by them */
static bool poll_paths(struct target *t)
{
	enum target_phase phase = t->phase;

	for (uint32_t k = 0; k < t->n_paths && t->phase == phase; k++)
		if (!attempt_poll(&t->paths[k].attempts[0]) && t->phase == TARGET_SECOND)
			attempt_poll(&t->paths[k].attempts[1]);
	return t->phase != phase;
}

/* Time is up: the first path without an answer decides, unless its probes could not get out. */
static void end_silent(struct target *t)
{
	enum target_phase phase = t->phase;

	for (uint32_t i = 0; i < t->n_paths && t->phase == phase; i++)
		if (!t->paths[i].over)
			end_path(&t->paths[i], attempt_silence(t->paths[i].attempts), 0);
}

static void start_round(struct target *t)
{
	uint64_t now_ms = clock_mono_ms();

	t->late = pace_is_late(&t->pace, t->due_ms, now_ms);
	if (now_ms > t->due_ms)
		count_up(t->checker->counters.lateness_ms, now_ms - t->due_ms);
	t->sent_ms = t->witness_ms = now_ms;
	t->counts.probes++;
	count_up(t->checker->counters.probes, 1);
	t->phase = TARGET_FIRST;
	t->deadline_ms = pace_second(&t->pace, now_ms);
	set_target_timer(t, t->deadline_ms);
	t->n_over = t->n_good = 0;
	t->good_paths = t->voteless_paths = 0;
	t->good_detail = 0;
	t->lacking = t->voteless = NULL;
	for (uint32_t i = 0; i < t->n_paths; i++)
		t->paths[i].over = false;
	start_attempts(t, 0);
}

/* Nothing is said of it, or not any more. */
static void forget_verdict(struct target *t)
{
	enum health_state before = target_state(t);
	uint64_t now_ms = clock_mono_ms();

	target_forget(t);
	note_turn(t, before);
	t->done_ms = now_ms;
	publish_target(t);
	schedule_probe(t, now_ms);
}

/* A round of an external check. */
static void look_outside(struct target *t)
{
	enum health_state said;

	t->sent_ms = clock_mono_ms();
	t->late = t->last_late = t->last_unready = false;
	t->counts.probes++;
	if (!external_source_read(&t->checker->external, t->id, t->sent_ms, &said)) {
		if (verdict_state(t->verdict) == HEALTH_UNKNOWN)
			forget_verdict(t);
		else
			cast_vote(t, VERDICT_INCONCLUSIVE);
		return;
	}
	if (said == HEALTH_UNKNOWN) {
		forget_verdict(t);
		return;
	}
	t->last = said == HEALTH_UP ? HEALTH_REASON_OK : HEALTH_REASON_EXTERNAL;
	cast_vote(t, said == HEALTH_UP ? VERDICT_OK : VERDICT_FAIL);
}

/*
 * Controls are asked at the same time as the target if its silence would turn the verdict. Asked
 * after it, they could answer by a network that works again since the target was asked.
 */
static void query_with_probe(struct target *t)
{
	if (t->unproven || !verdict_would_fall(t->verdict, &t->rule))
		return;
	controls_query(t->checker->controls);
	t->witness_ms = clock_mono_ms();
}

static void second_step(struct target *t, uint64_t now_ms)
{
	t->late = t->late || pace_is_late(&t->pace, t->deadline_ms, now_ms);
	if (poll_paths(t))
		return;
	if (t->late) { /* no result has a vote any more */
		end_silent(t);
		return;
	}
	t->phase = TARGET_SECOND;
	t->deadline_ms = t->sent_ms + t->pace.timeout_ms;
	if (t->deadline_ms < now_ms)
		t->deadline_ms = now_ms;
	set_target_timer(t, t->deadline_ms);
	query_with_probe(t);
	start_attempts(t, 1);
}

static void last_step(struct target *t, uint64_t now_ms)
{
	t->late = t->late || pace_is_late(&t->pace, t->deadline_ms, now_ms);
	if (!poll_paths(t))
		end_silent(t);
}

static void leave_asking(struct target *t, enum verdict_vote v)
{
	t->checker->n_asking--;
	loop_timer_cancel(t->checker->loop, &t->timer);
	cast_vote(t, v);
}

/* One timer serves all phases, so that a target can never have two deadlines at a time. */
static void on_phase(void *arg)
{
	struct target *t = arg;
	uint64_t now_ms = clock_mono_ms();

	switch (t->phase) {
	case TARGET_IDLE:
		if (target_is_external(t))
			look_outside(t);
		else
			start_round(t);
		break;
	case TARGET_FIRST:
		second_step(t, now_ms);
		break;
	case TARGET_SECOND:
		last_step(t, now_ms);
		break;
	case TARGET_ASKING:
		count_up(t->checker->counters.uncontrolled, 1);
		leave_asking(t, VERDICT_INCONCLUSIVE);
		break;
	}
}

static void on_control(void *arg)
{
	struct checker *c = arg;

	for (size_t i = 0; c->targets && c->n_asking && i < c->targets->n; i++) {
		struct target *t = &c->targets->items[i];

		if (t->phase == TARGET_ASKING &&
		    controls_answered_since(c->controls, t->witness_ms))
			leave_asking(t, VERDICT_FAIL);
	}
}

void checker_probe_now(struct checker *c, struct target *t)
{
	if (t->phase != TARGET_IDLE)
		return;
	t->due_ms = loop_now_ms(c->loop);
	set_target_timer(t, 0);
}

static void stop_target(struct target *t)
{
	abort_attempts(t);
	loop_timer_cancel(t->checker->loop, &t->timer);
	t->phase = TARGET_IDLE;
}

/* What the new document asks as before goes on: documents, however many, cost no vote. */
static void inherit_rounds(struct targets *t, const struct targets *former)
{
	for (size_t i = 0; former && i < t->n; i++) {
		struct target *old = targets_find(former, t->items[i].id);

		if (old)
			target_inherit_round(&t->items[i], old);
	}
}

static void stop_targets(struct checker *c)
{
	for (size_t i = 0; c->targets && i < c->targets->n; i++)
		stop_target(&c->targets->items[i]);
	loop_timer_cancel(c->loop, &c->derive_timer);
	c->n_asking = 0;
}

/* What a target starts with: its predecessor, the page, the file. */
static void restore_target(struct checker *c, struct target *t, const struct saved_word *saved,
                           size_t n_saved)
{
	struct health_page *page = page_payload(c->page);
	const struct target *old = c->targets ? targets_find(c->targets, t->id) : NULL;
	int index = health_find_index(page, t->id);

	if (old) {
		target_inherit(t, old);
		return;
	}
	if (index >= 0)
		target_restore(t, health_read(page, index));
	keep_restore(t, saved, n_saved, clock_mono_ms());
}

/*
 * The page and the file do not say of which address a verdict is. An address that was up is noted, so "up" with one that is
 * new was said of another.
 */
static void forget_former_vips(struct targets *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct target *x = &t->items[i];

		if (!x->is_new || !x->restored || verdict_state(x->verdict) != HEALTH_UP)
			continue;
		x->verdict = verdict_of(HEALTH_UNKNOWN);
		x->restored = false;
		x->since_s = 0;
		x->last = HEALTH_REASON_NONE;
	}
}

/* When a target that has just come into the table is probed next, or its round goes on. */
static void start_target(struct checker *c, struct target *t, uint64_t now_ms)
{
	if (t->phase != TARGET_IDLE) {
		c->n_asking += t->phase == TARGET_ASKING;
		set_target_timer(t, t->deadline_ms);
		return;
	}
	if (!t->due_ms)
		t->due_ms = pace_first(&t->pace, now_ms, t->id >> 16, c->targets->n, t->restored);
	else if (t->due_ms < now_ms)
		t->due_ms = pace_first(&t->pace, now_ms, t->id >> 16, c->targets->n, true);
	else if (t->due_ms > now_ms + t->pace.interval_ms)
		t->due_ms = now_ms + t->pace.interval_ms;
	set_target_timer(t, t->due_ms);
}

/* Words are published before any probe: readers see the verdicts that were inherited. */
static void start_targets(struct checker *c)
{
	struct health_page *page = page_payload(c->page);
	uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < c->targets->n; i++) {
		struct target *t = &c->targets->items[i];

		t->page_index = health_find_index(page, t->id);
		health_write(page, t->page_index, target_word(t));
		start_target(c, t, now_ms);
	}
	for (size_t i = 0; i < c->targets->n_derived; i++) {
		struct derived *d = &c->targets->derived[i];

		d->page_index = health_find_index(page, d->id);
		d->word = health_read(page, d->page_index);
	}
	targets_tally(c->targets);
	on_derive(c);
	page_publish(c->page);
}

int checker_apply_model(struct checker *c, struct model *model, const struct saved_word *saved,
                        size_t n_saved)
{
	struct targets *t;
	struct site_votes *groups = calloc(model->n_sites + 1, sizeof(*groups));
	int err = groups ? targets_new(model, &t) : -ENOMEM;

	if (err) {
		if (!groups)
			model_free(model);
		free(groups);
		return err;
	}
	for (size_t i = 0; i < t->n; i++) {
		t->items[i].checker = c;
		t->items[i].timer = (struct loop_timer){ .cb = on_phase, .arg = &t->items[i] };
		restore_target(c, &t->items[i], saved, n_saved);
	}
	err = targets_lay_out(t, page_payload(c->page));
	if (err) {
		free(groups);
		targets_free(t);
		return err;
	}
	vips_note_model(&c->vips, t->model);
	targets_mark_vips(t, &c->vips);
	forget_former_vips(t);
	inherit_rounds(t, c->targets);
	stop_targets(c);
	targets_free(c->targets);
	free(c->groups);
	c->targets = t;
	c->groups = groups;
	count_groups(c);
	controls_set(c->controls, t->model->self->controls, t->model->self->n_controls);
	start_targets(c);
	c->changed = true; /* what came from the page is to be in the file too */
	return 0;
}

int checker_open(struct checker *c, struct loop *loop, struct page *page, struct stats *stats)
{
	int err;

	*c = (struct checker){ .loop = loop, .page = page, .random = clock_mono_ns() };
	c->derive_timer = (struct loop_timer){ .cb = on_derive, .arg = c };
	if (stats)
		checker_find_counters(&c->counters, stats);
	err = prober_open(&c->prober, loop);
	if (err)
		return err;
	err = controls_open(loop, on_control, c, &c->controls);
	if (err)
		prober_close(&c->prober);
	return err;
}

void checker_close(struct checker *c)
{
	stop_targets(c);
	controls_close(c->controls);
	gate_close(&c->gate);
	external_source_close(&c->external);
	prober_close(&c->prober);
	targets_free(c->targets);
	free(c->groups);
	vips_fini(&c->vips);
	c->targets = NULL;
	c->groups = NULL;
}
