/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table in tables/guard.h, evaluated in the order in which its rows depend on each other:
 *   1. note which backends are good, by what is seen and before any guard acts (note_good());
 *   2. rows that concern one backend alone (decide_alone());
 *   3. backends without a verdict, which depend on whether another one serves (decide_waiting());
 *   4. backends that are down: with somebody else serving, guards limit how many leave
 *   (decide_leaving()), and those that were last good first have the time to recover;
 *      otherwise on_all_down decides (decide_all_down()).
 * Shares are by weight; where all weights are 0, each backend counts 1 ("alike").
 */
#include "dataplane/tables/guard.h"

#include <string.h>

bool guard_is_hold(enum effect_reason reason)
{
	return reason == EFFECT_REASON_HELD_MIN || reason == EFFECT_REASON_HELD_RATE ||
	       reason == EFFECT_REASON_HELD_LAST;
}

/* Sums of weights. */
struct weight_sums {
	uint64_t total;  /* of all backends except disabled ones */
	uint64_t serves; /* of the backends that will be in force */
	bool alike;      /* no backend has a weight: each counts 1 */
};

static uint64_t backend_weight(const struct weight_sums *s, const struct guard_backend *b)
{
	return s->alike ? 1 : b->weight;
}

static void window_forget(struct guard_window *w, size_t i)
{
	w->removed[i] = w->removed[--w->n_removed];
}

/* Drop removals that are older than the window, or whose backend is back. */
static void window_trim(struct guard_window *w, uint64_t now_ms, const struct guard_backend *b,
                        size_t n)
{
	for (size_t i = w->n_removed; i-- > 0;) {
		bool over = w->removed[i].at_ms + GUARD_WINDOW_MS <= now_ms;

		for (size_t k = 0; k < n && !over; k++)
			over = b[k].id == w->removed[i].id && b[k].alive;
		if (over)
			window_forget(w, i);
	}
}

/*
 * Whether max_remove lets @p weight leave. The first removal of a window always may, however
 * heavy.
 */
static bool rate_allows(const struct guard_pool *pool, const struct guard_window *w, uint64_t total,
                        uint64_t weight)
{
	uint64_t used = weight;

	if (!w->n_removed)
		return true;
	if (w->n_removed == GUARD_REMOVED_MAX)
		return false;
	for (size_t i = 0; i < w->n_removed; i++)
		used += w->removed[i].weight;
	return used * 100 <= total * pool->max_remove_percent;
}

static void set_decision(struct guard_backend *b, bool alive, enum effect_reason reason)
{
	b->alive = alive;
	b->reason = (uint8_t)reason;
}

static void set_down(struct guard_backend *b)
{
	set_decision(b, false,
	             b->down_reason ? (enum effect_reason)b->down_reason : EFFECT_REASON_DOWN);
}

/* Whether its check says down, or said so last if it says nothing now. */
static bool is_seen_down(const struct guard_backend *b)
{
	return b->intent == GUARD_NOTHING &&
	       (b->verdict == GUARD_DOWN || (b->verdict == GUARD_UNKNOWN && b->dead));
}

/* Whether a guard has to decide: it is down, and in force now. */
static bool wants_to_leave(const struct guard_backend *b)
{
	return is_seen_down(b) && b->known && b->alive;
}

/* The rows that depend on the backend alone. @return whether one of the backends serves by them */
static bool decide_alone(struct guard_backend *b, size_t n, bool alike)
{
	bool served = false;

	for (size_t i = 0; i < n; i++) {
		if (b[i].intent == GUARD_DISABLED)
			set_decision(&b[i], false, EFFECT_REASON_DISABLED);
		else if (b[i].intent == GUARD_FORCED_UP)
			set_decision(&b[i], true, EFFECT_REASON_FORCED_UP);
		else if (b[i].verdict == GUARD_UNCHECKED)
			set_decision(&b[i], true, EFFECT_REASON_UNCHECKED);
		else if (b[i].verdict == GUARD_UP)
			set_decision(&b[i], true, EFFECT_REASON_UP);
		else if (b[i].verdict == GUARD_UNKNOWN && b[i].known && b[i].alive)
			set_decision(&b[i], true, EFFECT_REASON_NEW);
		else
			continue;
		served |= b[i].alive && (alike || b[i].weight);
	}
	return served;
}

/* Backends without a verdict that are not in force: they get in only if no other backend serves. */
static bool decide_waiting(struct guard_backend *b, size_t n, bool served)
{
	bool used = false;

	for (size_t i = 0; i < n; i++) {
		if (b[i].intent != GUARD_NOTHING || b[i].verdict != GUARD_UNKNOWN || b[i].dead ||
		    b[i].reason == EFFECT_REASON_NEW)
			continue;
		set_decision(&b[i], !served, served ? EFFECT_REASON_WAITING : EFFECT_REASON_NEW);
		used |= !served;
	}
	return served || used;
}

/*
 * Whether a backend counts as good. One in force whose verdict is lost still does: nothing bad
 * was seen.
 */
static bool is_good(const struct guard_backend *b)
{
	if (b->intent != GUARD_NOTHING)
		return b->intent == GUARD_FORCED_UP;
	return b->verdict == GUARD_UP || b->verdict == GUARD_UNCHECKED ||
	       (b->verdict == GUARD_UNKNOWN && b->known && b->alive);
}

/*
 * Note when each backend was last good, and since when too few are. If all fail one after the
 * other, on_all_down = last_good then brings back all that were good before the first failures, not
 * only the last survivor.
 */
static void note_good(const struct guard_pool *pool, struct guard_window *w, uint64_t now_ms,
                      struct guard_backend *b, size_t n, bool alike)
{
	uint64_t total = 0, good = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t weight = alike ? 1 : b[i].weight;

		total += b[i].intent == GUARD_DISABLED ? 0 : weight;
		if (b[i].good) /* until this moment at least */
			b[i].good_ms = now_ms;
		b[i].good = is_good(&b[i]);
		if (!b[i].good)
			continue;
		good += weight;
		b[i].good_ms = now_ms;
	}
	if (good && good * 100 >= total * pool->min_healthy_percent)
		w->fell_ms = 0;
	else if (!w->fell_ms)
		w->fell_ms = now_ms;
}

static bool was_good(const struct guard_window *w, const struct guard_backend *b)
{
	return b->good_ms && b->good_ms + GUARD_GOOD_MS >= w->fell_ms;
}

/*
 * All are down. With last_good those come back that were good in the minute before (was_good()). A
 * process that has just started knows no such minute: it keeps those in force, or takes all if none
 * is. A drained backend (weight 0) stays out.
 */
static void decide_all_down(const struct guard_pool *pool, struct guard_window *w,
                            struct guard_backend *b, size_t n, bool alike)
{
	bool any_in_force = false, any_good = false;

	w->last_good = false;
	w->risen_ms = 0;

	for (size_t i = 0; i < n; i++) {
		bool counts = is_seen_down(&b[i]) && (alike || b[i].weight);

		any_in_force |= counts && wants_to_leave(&b[i]);
		any_good |= counts && was_good(w, &b[i]);
	}
	for (size_t i = 0; i < n; i++) {
		bool last = any_good ? was_good(w, &b[i]) : !any_in_force || wants_to_leave(&b[i]);

		if (!is_seen_down(&b[i]))
			continue;
		if (pool->fail_closed || pool->on_backup || !(alike || b[i].weight) || !last)
			set_down(&b[i]);
		else
			set_decision(&b[i], true, EFFECT_REASON_HELD_LAST);
		w->last_good |= b[i].alive;
	}
}

/* Whether a backend that was held as last good, and was not seen up since, has time to be. */
static bool may_recover(const struct guard_pool *pool, const struct guard_window *w,
                        uint64_t now_ms, const struct guard_backend *b)
{
	return w->risen_ms && now_ms < w->risen_ms + pool->recover_ms && b->good_ms < w->risen_ms;
}

static bool all_alike(const struct guard_backend *b, size_t n)
{
	uint64_t weights = 0;

	for (size_t i = 0; i < n; i++)
		weights += b[i].weight;
	return !weights;
}

static void add_up(struct weight_sums *s, const struct guard_backend *b, size_t n)
{
	*s = (struct weight_sums){ .alike = all_alike(b, n) };
	for (size_t i = 0; i < n; i++) {
		if (b[i].intent == GUARD_DISABLED)
			continue;
		s->total += backend_weight(s, &b[i]);
		if (b[i].alive)
			s->serves += backend_weight(s, &b[i]);
	}
}

/*
 * Some serve: those that are down leave one by one, each against what those before it have used
 * up.
 */
static void decide_leaving(const struct guard_pool *pool, struct guard_window *w, uint64_t now_ms,
                           struct guard_backend *b, size_t n)
{
	struct weight_sums s;

	if (w->last_good)
		w->risen_ms = now_ms;
	w->last_good = false;
	add_up(&s, b, n);
	for (size_t i = 0; i < n; i++) {
		uint64_t weight = backend_weight(&s, &b[i]);

		if (!is_seen_down(&b[i]))
			continue;
		if (!wants_to_leave(&b[i]) || pool->on_backup) {
			set_down(&b[i]);
		} else if (weight && may_recover(pool, w, now_ms, &b[i])) {
			set_decision(&b[i], true, EFFECT_REASON_HELD_LAST);
		} else if ((s.serves - weight) * 100 < s.total * pool->min_healthy_percent &&
		           weight) {
			set_decision(&b[i], true, EFFECT_REASON_HELD_MIN);
		} else if (weight && !rate_allows(pool, w, s.total, weight)) {
			set_decision(&b[i], true, EFFECT_REASON_HELD_RATE);
		} else {
			set_down(&b[i]);
			s.serves -= weight;
			if (weight) {
				w->removed[w->n_removed].id = b[i].id;
				w->removed[w->n_removed].at_ms = now_ms;
				w->removed[w->n_removed++].weight = (uint32_t)weight;
			}
		}
	}
}

/*
 * When the oldest removal leaves the window, or the time to recover ends, so that a held backend may
 * leave; UINT64_MAX: none is held so.
 */
static uint64_t next_time(const struct guard_pool *pool, const struct guard_window *w,
                          const struct guard_backend *b, size_t n)
{
	uint64_t at = UINT64_MAX;
	bool held = false;

	for (size_t i = 0; i < n; i++) {
		held |= b[i].reason == EFFECT_REASON_HELD_RATE;
		if (b[i].reason == EFFECT_REASON_HELD_LAST && w->risen_ms)
			at = w->risen_ms + pool->recover_ms;
	}
	for (size_t i = 0; held && i < w->n_removed; i++)
		if (w->removed[i].at_ms + GUARD_WINDOW_MS < at)
			at = w->removed[i].at_ms + GUARD_WINDOW_MS;
	return at;
}

uint64_t guard_apply(const struct guard_pool *pool, struct guard_window *window, uint64_t now_ms,
                     struct guard_backend *b, size_t n)
{
	bool served, alike = all_alike(b, n);

	for (size_t i = 0; i < n; i++)
		b[i].reason = EFFECT_REASON_UNKNOWN;
	note_good(pool, window, now_ms, b, n, alike);
	served = decide_waiting(b, n, decide_alone(b, n, alike));
	window_trim(window, now_ms, b, n);
	if (served)
		decide_leaving(pool, window, now_ms, b, n);
	else
		decide_all_down(pool, window, b, n, alike);
	return next_time(pool, window, b, n);
}
