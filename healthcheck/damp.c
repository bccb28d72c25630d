/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The penalty is a value with a time. It is decayed by 2^-(time passed / half-life) only when it is
 * looked at, so damping needs no timer. It is capped at the value that takes max_ms to decay to the
 * reuse limit, which bounds how long a target is held (RFC 2439).
 */
#include "healthcheck/damp.h"

#include <math.h>

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
