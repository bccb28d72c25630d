/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A verdict is a state and the length of the run of results against it, in one word; a vote maps a
 * word to the next by the table above verdict_feed(). Nothing else is remembered, so the rule can
 * be tested exhaustively.
 */
#include "healthcheck/verdict.h"

#include <math.h>

#define RUN_MAX 0xffffu /* bits 8-23 of the word; a longer run counts no further */

verdict_word verdict_of(enum health_state state)
{
	return (verdict_word)state;
}

enum health_state verdict_state(verdict_word w)
{
	return (enum health_state)(w & 3);
}

static uint32_t run_of(verdict_word w)
{
	return w >> 8 & RUN_MAX;
}

bool verdict_in_doubt(verdict_word w)
{
	return run_of(w) > 0;
}

static verdict_word with_run(enum health_state state, uint32_t run)
{
	return (verdict_word)state | (run < RUN_MAX ? run : RUN_MAX) << 8;
}

/*
 *     state    against it so far  vote          state    against it
 *     unknown  any                ok            up       0
 *     unknown  < fall - 1         fail          unknown  one more
 *     unknown  >= fall - 1        fail          down     0
 *     up       any                ok            up       0
 *     up       < fall - 1         fail          up       one more
 *     up       >= fall - 1        fail          down     0
 *     down     any                fail          down     0
 *     down     < rise - 1         ok            down     one more
 *     down     >= rise - 1        ok            up       0
 *     any      any                inconclusive  as before
 *
 * A first success is enough for a target of which nothing is known: it waits for nothing
 * but that, while a first failure may be a lost packet.
 */
verdict_word verdict_feed(verdict_word w, enum verdict_vote vote, const struct verdict_rule *rule)
{
	enum health_state state = verdict_state(w);
	uint32_t run = run_of(w);

	if (vote == VERDICT_INCONCLUSIVE)
		return w;
	if (vote == VERDICT_FAIL) {
		if (state == HEALTH_DOWN || run + 1 >= rule->fall)
			return verdict_of(HEALTH_DOWN);
		return with_run(state, run + 1);
	}
	if (state != HEALTH_DOWN || run + 1 >= rule->rise)
		return verdict_of(HEALTH_UP);
	return with_run(state, run + 1);
}

bool verdict_would_fall(verdict_word w, const struct verdict_rule *rule)
{
	return verdict_state(w) != HEALTH_DOWN &&
	       verdict_state(verdict_feed(w, VERDICT_FAIL, rule)) == HEALTH_DOWN;
}

enum verdict_vote verdict_of_result(enum health_reason reason, bool late)
{
	if (late || reason == HEALTH_REASON_LOCAL || reason == HEALTH_REASON_NONE)
		return VERDICT_INCONCLUSIVE;
	return reason == HEALTH_REASON_OK ? VERDICT_OK : VERDICT_FAIL;
}

bool verdict_is_answer(enum health_reason reason)
{
	return reason == HEALTH_REASON_OK || reason == HEALTH_REASON_REFUSED ||
	       reason == HEALTH_REASON_RESET || reason == HEALTH_REASON_BAD_STATUS ||
	       reason == HEALTH_REASON_BAD_ANSWER;
}

/*
 * The penalty is a value with a time. It is decayed by 2^-(time passed / half-life) only when it is
 * looked at, so damping needs no timer. It is capped at the value that takes max_ms to decay to the
 * reuse limit, which bounds how long a target is held (RFC 2439).
 */
static double half_lives(const struct damp_rule *rule, uint64_t ms)
{
	return (double)ms / rule->half_life_ms;
}

static double reuse_at(const struct damp_rule *rule)
{
	return rule->turns / 2.0;
}

bool damp_pass(struct damp *d, const struct damp_rule *rule, uint64_t now_ms)
{
	if (!rule->turns) {
		*d = (struct damp){ 0 };
		return false;
	}
	if (now_ms > d->at_ms)
		d->penalty *= exp2(-half_lives(rule, now_ms - d->at_ms));
	d->at_ms = now_ms;
	if (d->penalty <= reuse_at(rule))
		d->held = false;
	return d->held;
}

void damp_turn(struct damp *d, const struct damp_rule *rule, uint64_t now_ms)
{
	if (!rule->turns)
		return;
	damp_pass(d, rule, now_ms);
	d->penalty = fmin(d->penalty + 1, reuse_at(rule) * exp2(half_lives(rule, rule->max_ms)));
	if (d->penalty >= rule->turns)
		d->held = true;
}

uint64_t damp_left_ms(const struct damp *d, const struct damp_rule *rule, uint64_t now_ms)
{
	struct damp then = *d;

	if (!damp_pass(&then, rule, now_ms))
		return 0;
	return (uint64_t)ceil(log2(then.penalty / reuse_at(rule)) * rule->half_life_ms);
}

struct damp damp_restore(double penalty, bool held, uint64_t age_ms, const struct damp_rule *rule,
                         uint64_t now_ms)
{
	struct damp d = { .penalty = penalty, .at_ms = 0, .held = held };

	damp_pass(&d, rule, age_ms);
	d.at_ms = now_ms;
	return d;
}
